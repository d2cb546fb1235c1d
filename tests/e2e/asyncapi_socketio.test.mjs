/**
 * docs/asyncapi.yaml and Socket.IO, as the stock client decodes it. As in asyncapi.test.mjs: everything
 * that is promised is seen, and nothing else is said.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { io } from 'socket.io-client';

import { Record, fill, readDocument } from './lib/asyncapi.mjs';
import { addClient } from './lib/business.mjs';
import { Issuer } from './lib/tokens.mjs';
import { Signal } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

const world = new World();
const document = readDocument();
const MESSAGES = document.components.messages;
/** @typedef {import('./lib/bridge.mjs').Bridge} Bridge */

const NOWHERE = 'A'.repeat(22);
const MAY_JOIN = `CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN IF room = 'conversation:0' THEN RAISE 'broken'; END IF; RETURN room LIKE 'conversation:%'; END $$`;

/** @param {any} t @param {any} [config] */
async function enter(t, config = {}) {
    const strict = new Issuer({ name: 'main', key: world.issuer.key, extra: { leeway: '0s' } });
    const place = await world.enter(t, { issuers: [strict], config });
    await place.database.dba(MAY_JOIN);
    return place;
}

/** The values that stand for TOKEN and CURSOR. */
const values = () => ({ TOKEN: world.token({ company: '1' }), CURSOR: '' });

describe('Socket.IO', () => {
    const names = Object.keys(document.channels.socketio.messages);
    const heard = names.filter((name) => !['sioConnect', 'sioAuth', 'sioJoin', 'sioLeave'].includes(name));
    const record = new Record(document, heard);
    /** @type {Set<string>} */
    const codes = new Set();

    class Page {
        /** @param {any} t @param {Bridge} bridge @param {any} auth @param {string} [namespace] */
        constructor(t, bridge, auth, namespace = '') {
            this.signal = new Signal();
            /** @type {any[]} */
            this.events = [];
            const { port, ca } = bridge.target;
            this.socket = io(`https://localhost:${port}${namespace}`, { forceNew: true, reconnection: false, transports: ['websocket'], auth, ...(/** @type {any} */ ({ ca })) });
            t.after(() => this.socket.disconnect());
            // What the packets say, below what the client makes of them.
            this.socket.io.on('open', () => {
                /** @type {any} */ (this.socket.io).decoder.on('decoded', (/** @type {any} */ packet) => this.#take(packet));
            });
            this.socket.on('disconnect', () => this.signal.changed());
            this.socket.on('connect', () => this.signal.changed());
        }

        /** @param {{type: number, data: any}} packet */
        #take({ type, data }) {
            const own = /^vigie:(\w+)/.exec(data?.[0] ?? '')?.[1];
            const name = type === 0 ? 'sioConnected' : type === 4 ? 'sioRefused' : type === 2 && own === 'error' ? 'sioErrorEvent'
                : type === 2 && own ? `sio${own[0].toUpperCase()}${own.slice(1)}` : type === 2 ? 'sioEvent' : '';
            if (name) this.events.push({ name, data });
            this.signal.changed();
        }

        /** @param {string} name */
        async until(name) {
            return this.signal.until(() => this.events.find((one) => one.name === name)?.data, { what: name, state: () => this.events });
        }

        /** Emits, and waits for the acknowledgement. @param {any[]} payload @param {string} [as] */
        async ask(payload, as = 'sioRoomAck') {
            const answer = await this.socket.timeout(5_000).emitWithAck(/** @type {string} */ (payload[0]), ...payload.slice(1));
            record.take(as, [answer]);
            if (answer.error) codes.add(answer.error.code);
            return answer;
        }

        take() {
            for (const { name, data } of this.events) {
                record.take(name, data);
                if (name === 'sioErrorEvent') codes.add(data[1].code);
            }
        }
    }

    test('says each packet as the document has it', async (t) => {
        const { bridge, business } = await enter(t, { limits: { rooms_per_session: 4 }, socketio: { namespaces: ['/other'] } });
        const page = new Page(t, bridge, { token: world.token({ company: '1', ttl: 8 }) });
        await page.until('sioConnected');
        const stale = new Page(t, bridge, { token: world.token({ company: '1' }), pid: 'nobody', offset: NOWHERE, rooms: ['company:2'] });
        await stale.until('sioConnected');
        await stale.until('sioGap');
        await stale.until('sioErrorEvent');
        await addClient(business, 1, 'seen');
        await page.until('sioEvent');

        for (const room of ['conversation:9', 'project:9', 'conversation:0', 'conversation:10', 'conversation:11']) await page.ask(['vigie:join', room]);
        await page.ask(['vigie:leave', 'conversation:10']);
        await page.ask(['vigie:join', 7]);
        await page.ask(['shout', {}]);
        await page.ask(['vigie:auth', {}], 'sioAuthAck');
        page.socket.emit('vigie:join', 'project:9');
        await page.until('sioErrorEvent');
        page.socket.emit('vigie:leave', 'conversation:9');
        await page.until('sioLeft');
        page.socket.emit('vigie:join', 'conversation:9');
        await page.until('sioJoined');
        await page.until('sioExpiring');
        await page.ask(['vigie:auth', { token: world.token({ company: '1' }) }], 'sioAuthAck');
        await page.until('sioRenewed');

        for (const [auth, namespace] of /** @type {[any, string][]} */ ([[{ token: 'rubbish' }, ''], [{}, '/other'], [{ token: world.token({ company: '1' }) }, '/nowhere']])) {
            const refused = new Page(t, bridge, auth, namespace);
            await refused.until('sioRefused');
            refused.take();
        }
        bridge.kill('SIGTERM');
        await page.until('sioDrain');
        for (const one of [page, stale]) await one.signal.until(() => !one.socket.connected, { what: 'end', state: () => bridge.tail() });
        await bridge.untilExited();
        page.take();
        stale.take();
    });

    test('has said everything that the document promises, and nothing that it does not', () => {
        record.assertComplete();
        record.assertTight();
        assert.deepEqual([...codes].sort(), [...document.components.schemas.sioError.properties.error.properties.code.enum].sort());
    });

    test('examples of what a client says are accepted', async (t) => {
        const { bridge } = await enter(t);
        for (const { name, payload } of MESSAGES.sioConnect.examples) {
            const page = new Page(t, bridge, { ...fill(payload, values()), nobody: 1 });
            await page.until('sioConnected');
            if (payload.rooms) assert.deepEqual(await page.ask(['vigie:leave', payload.rooms[0]]), { room: payload.rooms[0] }, name);
        }
        const page = new Page(t, bridge, { token: world.token({ company: '1' }) });
        await page.until('sioConnected');
        for (const [message, as] of [['sioJoin', 'sioRoomAck'], ['sioLeave', 'sioRoomAck'], ['sioAuth', 'sioAuthAck']])
            for (const { payload } of MESSAGES[message].examples)
                assert.equal((await page.ask(fill(payload, values()), as)).error, undefined, JSON.stringify(payload));
    });
});
