/**
 * Connection state recovery with the stock client, which believes what it is told: it is recovered when
 * the pid is the one that it had. So a pid comes back only when nothing was missed.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { addClient, addClients } from './lib/business.mjs';
import { ROOT } from './lib/cluster.mjs';
import { Page } from './lib/page.mjs';
import { Relay } from './lib/relay.mjs';
import { Signal, poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

const world = new World();
const WS = { transports: ['websocket'] };
const CURSOR = /^[A-Za-z0-9_-]{22}$/;

/** @param {string} prefix @param {number} count */
const numbered = (prefix, count) => Array.from({ length: count }, (_, n) => `${prefix}${n + 1}`);

/** Away, something happens, back. @param {Relay} relay @param {Page} page @param {() => Promise<unknown>} [meanwhile] */
async function away(relay, page, meanwhile) {
    const [ends, connects] = [page.disconnects.length, page.connects.length];
    relay.down();
    await page.untilDisconnected(ends + 1);
    await meanwhile?.();
    relay.up();
    return page.untilConnected(connects + 1);
}

/** That the present is reached, in company 1: what came before it is all that comes. @param {any} business @param {Page} page @param {string} name */
async function proof(business, page, name, company = 1) {
    await addClient(business, company, name);
    await page.until(() => page.names.at(-1) === name, name);
}

describe('recovery', () => {
    /** @type {any} */ let bridge;
    /** @type {any} */ let business;
    /** @type {any} */ let database;
    let count = 0;
    const fresh = () => `r${++count}-`;
    const auth = (/** @type {any} */ more = {}) => ({ token: world.token({ company: '1' }), ...more });

    before(async () => {
        ({ bridge, business, database } = await world.enter(world.scope, {
            config: { socketio: { namespaces: ['/messaging'] }, limits: { sessions_per_user: 100 } },
        }));
        await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql AS $$ SELECT room = 'conversation:77' $$`);
    });

    /** A page behind a relay. @param {any} t @param {any} [how] */
    async function enter(t, how = {}) {
        const relay = await Relay.start(t, bridge);
        const page = await Page.open(t, relay, { ...WS, auth: auth(), ...how });
        assert.equal(page.connects[0].recovered, false);
        return { relay, page, mine: fresh() };
    }

    test('nothing that we send besides events takes the offset away (case A)', async (t) => {
        const { relay, page, mine } = await enter(t);
        await addClient(business, 1, `${mine}1`);
        await page.untilEvents(1);
        for (const [event, argument, answer] of [['vigie:join', 'conversation:77', 'vigie:joined'], ['vigie:join', 'conversation:78', 'vigie:error'],
                                                 ['vigie:leave', 'conversation:77', 'vigie:left'], ['vigie:auth', auth(), 'vigie:renewed']]) {
            page.socket.emit(event, argument); // without an acknowledgement: the answer is an event
            await page.untilOwn(/** @type {string} */ (answer));
        }
        assert.ok(page.own.every((one) => CURSOR.test(String(one.cursor))), JSON.stringify(page.own));
        const connection = await away(relay, page, () => addClients(business, 1, mine, 2));
        assert.equal(page.asked[1].offset, page.own.at(-1)?.cursor);
        assert.equal(connection.recovered, true);
        await proof(business, page, `${mine}end`);
        assert.deepEqual(page.names, [`${mine}1`, `${mine}1`, `${mine}2`, `${mine}end`]);
    });

    test('an event of ours before the first of the database gives an offset that is good (cases A and B)', async (t) => {
        const { relay, page, mine } = await enter(t);
        page.socket.emit('vigie:join', 'conversation:78');
        await page.untilOwn('vigie:error');
        const connection = await away(relay, page, () => addClients(business, 1, mine, 2));
        assert.match(page.asked[1].offset, CURSOR);
        assert.equal(connection.recovered, true);
        await page.untilEvents(2);
        assert.deepEqual(page.names, numbered(mine, 2));
    });

    test('no event yet: pid without offset is recovered, again and again (case B)', async (t) => {
        const { relay, page, mine } = await enter(t);
        for (let round = 0; round < 3; round++) assert.equal((await away(relay, page)).recovered, true);
        assert.equal(page.asked[3].offset, undefined);
        const connection = await away(relay, page, () => addClients(business, 1, mine, 3));
        assert.equal(connection.recovered, true);
        await page.untilEvents(3);
        assert.deepEqual(page.names, numbered(mine, 3));
        assert.equal(new Set(page.connects.map((one) => one.sid)).size, 1, 'the sid stays with the pid');
    });

    test('an acknowledgement does not move the offset, and what is sent at once with the CONNECT is heard (cases N and O)', async (t) => {
        const { relay, page, mine } = await enter(t);
        await addClient(business, 1, `${mine}1`);
        await page.untilEvents(1);
        assert.deepEqual(await page.ask('vigie:join', 'conversation:77'), { room: 'conversation:77' });
        await away(relay, page, () => addClients(business, 1, mine, 50));
        assert.equal(page.asked[1].offset, page.events[0].cursor);
        await page.untilEvents(51);
        assert.deepEqual(page.names.slice(1), numbered(mine, 50));
    });

    test('what comes again and again: each way back starts where the last one ended', async (t) => {
        const { relay, page, mine } = await enter(t);
        /** @type {string[]} */ const truth = [];
        for (let round = 0; round < 6; round++) {
            const connection = await away(relay, page, () => addClients(business, 1, `${mine}${round}-`, 4));
            truth.push(...numbered(`${mine}${round}-`, 4));
            assert.equal(connection.recovered, true);
            await page.untilEvents(truth.length);
        }
        assert.deepEqual(page.names, truth);
    });

    for (const transports of [['websocket'], ['polling']])
        test(`the older connection still seems alive to the bridge: recovered all the same, several times in a row (${transports})`, async (t) => {
            const { relay, page, mine } = await enter(t, { transports });
            let heard = 0;
            for (let round = 0; round < 4; round++) {
                const from = await bridge.metric('vigie_socketio_connects_total', { result: 'recovered' });
                relay.sever();
                await page.untilDisconnected(round + 1);
                await addClient(business, 1, `${mine}${round}`);
                relay.up();
                assert.equal((await page.untilConnected(round + 2)).recovered, true);
                await page.untilEvents(++heard);
                assert.equal(await bridge.metric('vigie_socketio_connects_total', { result: 'recovered' }), from + 1);
            }
            assert.deepEqual(page.names, [0, 1, 2, 3].map((n) => `${mine}${n}`));
            assert.equal(await bridge.metric('vigie_sessions', { state: 'live' }), 1, 'the older ones were taken over');
        });

    test('each namespace has its own pid, and the one of another is none', async (t) => {
        const { relay, page, mine } = await enter(t);
        /** @type {any} */ let stolen;
        const other = await Page.open(t, relay, { ...WS, auth: (/** @type {any} */ give) => give(auth(stolen)), namespace: '/messaging' });
        await addClient(business, 1, `${mine}1`);
        await Promise.all([page.untilEvents(1), other.untilEvents(1)]);
        relay.down();
        await Promise.all([page.untilDisconnected(1), other.untilDisconnected(1)]);
        stolen = { pid: page.socket._pid }; // keys of `auth` win over those of the client (case P)
        assert.notEqual(stolen.pid, other.socket._pid);
        await addClient(business, 1, `${mine}2`);
        relay.up();
        assert.equal((await page.untilConnected(2)).recovered, true);
        assert.equal((await other.untilConnected(2)).recovered, false);
        assert.equal((await other.untilOwn('vigie:gap')).data.reason, 'cursor');
        await Promise.all([proof(business, page, `${mine}3`), other.until(() => other.names.at(-1) === `${mine}3`, 'the same')]);
        assert.deepEqual(page.names, [`${mine}1`, `${mine}2`, `${mine}3`]);
        assert.deepEqual(other.names, [`${mine}1`, `${mine}3`], 'what it missed is not passed over in silence');
    });

    for (const [who, person] of /** @type {[string, {company: string, user: string}][]} */ ([
        ['another user', { company: '1', user: 'u2' }], ['another company', { company: '2', user: 'u1' }]]))
        test(`${who} on the same page is not recovered, and told so`, async (t) => {
            let me = { company: '1', user: 'u1' };
            const { relay, page, mine } = await enter(t, { auth: (/** @type {any} */ give) => give({ token: world.token(me) }) });
            await addClient(business, 1, `${mine}1`);
            await page.untilEvents(1);
            const connection = await away(relay, page, async () => {
                await addClient(business, 1, `${mine}2`);
                me = person;
            });
            assert.ok(page.asked[1].pid && page.asked[1].offset);
            assert.equal(connection.recovered, false);
            assert.equal((await page.untilOwn('vigie:gap')).data.reason, 'cursor');
            await proof(business, page, `${mine}3`, Number(person.company));
            assert.deepEqual(page.names, [`${mine}1`, `${mine}3`]);
            // The new pid is as good as the old one was, although the offset may be from before (case C).
            assert.equal((await away(relay, page)).recovered, true);
        });

    for (const [what, change] of /** @type {[string, any][]} */ ([
        ['an offset that is no cursor', { offset: 'MINE' }], ['an empty offset', { offset: '' }], ['an offset that is no string', { offset: 17 }],
        ['an offset of the right form', { offset: 'A'.repeat(22) }], ['a pid that is none', { pid: 'x' }], ['a pid that is no string', { pid: 5 }],
        ['an empty pid', { pid: '' }]]))
        test(`never recovered falsely: ${what} (case P)`, async (t) => {
            let broken = false;
            const { relay, page, mine } = await enter(t, { auth: (/** @type {any} */ give) => give(auth(broken ? change : {})) });
            await addClient(business, 1, `${mine}1`);
            await page.untilEvents(1);
            broken = true;
            const connection = await away(relay, page, () => addClient(business, 1, `${mine}2`));
            assert.equal(connection.recovered, false);
            assert.equal((await page.untilOwn('vigie:gap')).data.reason, 'cursor');
            broken = false;
            await proof(business, page, `${mine}3`);
            assert.equal((await away(relay, page, () => addClient(business, 1, `${mine}4`))).recovered, true, 'and then as before');
            await page.untilEvents(3);
            assert.deepEqual(page.names, [`${mine}1`, `${mine}3`, `${mine}4`]);
            assert.equal(page.own.length, 1, 'told once');
        });

    test('the token is looked at each time: an expired one is refused, a fresh one is recovered', async (t) => {
        let ttl = 900;
        const { relay, page, mine } = await enter(t, { auth: (/** @type {any} */ give) => give({ token: world.token({ company: '1', ttl }) }) });
        await addClient(business, 1, `${mine}1`);
        await page.untilEvents(1);
        relay.down();
        await page.untilDisconnected(1);
        ttl = -3600;
        const refused = page.errors.length;
        relay.up();
        await page.until(() => page.errors.slice(refused).some((one) => one.code), 'refusal');
        const error = page.errors.find((one) => one.code);
        assert.deepEqual([error?.code, error?.active], ['unauthorized', false]);
        await addClient(business, 1, `${mine}2`);
        ttl = 900;
        page.connect();
        assert.equal((await page.untilConnected(2)).recovered, true);
        await page.untilEvents(2);
        assert.deepEqual(page.names, [`${mine}1`, `${mine}2`]);
    });

    test('a page that disconnects and connects itself is recovered too', async (t) => {
        const { page, mine } = await enter(t);
        page.socket.disconnect();
        await addClient(business, 1, `${mine}1`);
        page.connect();
        assert.equal((await page.untilConnected(2)).recovered, true);
        await page.untilEvents(1);
        assert.deepEqual(page.names, [`${mine}1`]);
    });

    test('rooms on request that are named beside the token are recovered with the rest', async (t) => {
        const { relay, page, mine } = await enter(t, { auth: auth({ rooms: ['conversation:77'] }) });
        const write = (/** @type {string} */ body) => business.query(`INSERT INTO messages (company_id, conversation_id, client_id, sender, body) VALUES (1, 77, 1, 'client', $1)`, [body]);
        await write('one');
        await page.untilEvents(1);
        const connection = await away(relay, page, () => write('two'));
        assert.equal(connection.recovered, true);
        await addClient(business, 1, mine);
        await page.untilEvents(3);
        assert.deepEqual(page.events.map((one) => one.event), ['message:received', 'message:received', 'client:created']);
    });

    test('a listener that throws gets that event once more after a reconnection (case L)', async (t) => {
        const mine = fresh();
        const tokenFile = path.join(bridge.folder, 'throwing');
        fs.writeFileSync(tokenFile, world.token({ company: '1' }), { mode: 0o600 });
        const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, path.join(ROOT, 'tests/e2e/lib/throwing_page.mjs'),
            `https://localhost:${bridge.port}`, path.join(bridge.folder, 'cert.pem'), tokenFile, `${mine}2`], { stdio: ['pipe', 'pipe', 'inherit'] });
        t.after(() => child.kill('SIGKILL'));
        const signal = new Signal();
        let text = '';
        child.stdout.setEncoding('utf8').on('data', (part) => ((text += part), signal.changed()));
        const said = () => text.split('\n').slice(0, -1).map((line) => JSON.parse(line));
        const until = (/** @type {(said: any[]) => any} */ probe, /** @type {string} */ what) => signal.until(() => probe(said()), { what, state: said });
        const heard = () => said().filter((one) => one.what === 'event').map((one) => one.name);
        await until((all) => all.some((one) => one.what === 'connect'), 'connection');
        await addClients(business, 1, mine, 2);
        await until((all) => all.some((one) => one.what === 'thrown'), 'a throw');
        child.stdin.write('cut\n');
        await until((all) => all.filter((one) => one.what === 'connect').length === 2, 'a second connection');
        await addClient(business, 1, `${mine}3`);
        await until((all) => all.at(-1).name === `${mine}3`, 'the next event');
        assert.deepEqual(said().filter((one) => one.what === 'connect').map((one) => one.recovered), [false, true]);
        assert.deepEqual(heard(), [1, 2, 2, 3].map((n) => `${mine}${n}`), 'at least once');
    });
});

describe('recovery from another process', () => {
    for (const how of /** @type {const} */ (['SIGTERM', 'SIGKILL']))
        test(`after ${how} and a start of the bridge`, async (t) => {
            const { bridge, business } = await world.enter(t);
            const relay = await Relay.start(t, bridge);
            const heard = await Page.open(t, relay, { ...WS, auth: { token: world.token({ company: '1' }) } });
            await addClient(business, 1, 'before');
            await heard.untilEvents(1);
            const silent = await Page.open(t, relay, { auth: { token: world.token({ company: '1', user: 'u2' }) } });
            const ends = Promise.all([heard.untilDisconnected(1), silent.untilDisconnected(1)]);
            bridge.kill(how);
            await bridge.untilExited();
            relay.cut();
            await ends;
            await addClients(business, 1, 'away', 3);
            await bridge.spawn();
            for (const page of [heard, silent]) assert.equal((await page.untilConnected(2, 20_000)).recovered, true);
            await heard.untilEvents(4);
            await silent.untilEvents(3);
            await addClient(business, 1, 'after');
            await heard.untilEvents(5);
            await silent.untilEvents(4);
            assert.deepEqual(heard.names, ['before', ...numbered('away', 3), 'after']);
            assert.deepEqual(silent.names, [...numbered('away', 3), 'after']);
            assert.deepEqual([heard.own.filter((one) => one.event === 'vigie:gap'), silent.own.filter((one) => one.event === 'vigie:gap')], [[], []]);
        });

    test('on another bridge, there and back', async (t) => {
        const { bridge, business, database } = await world.enter(t);
        const second = await world.bridge(t, { database });
        const relay = await Relay.start(t, bridge);
        const page = await Page.open(t, relay, { auth: { token: world.token({ company: '1' }) } });
        let heard = 0;
        for (const there of [second, bridge, second]) {
            const connection = await away(relay, page, async () => {
                await addClient(business, 1, `${heard}`);
                relay.bridge = there;
            });
            assert.equal(connection.recovered, true);
            await page.untilEvents(++heard);
        }
        assert.deepEqual(page.names, ['0', '1', '2']);
    });

    for (const [reason, spoil] of /** @type {[string, (database: any) => Promise<unknown>][]} */ ([
        ['epoch', (database) => database.dba('SELECT vigie.new_epoch()')],
        ['retention', (database) => database.dba('UPDATE vigie.ring SET floor_seq = (SELECT max(last_seq) FROM vigie.tick)')]]))
        test(`what cannot be had any more is a gap: recovered is false and the reason ${reason}`, async (t) => {
            const { bridge, business, database } = await world.enter(t);
            const relay = await Relay.start(t, bridge);
            const page = await Page.open(t, relay, { ...WS, auth: { token: world.token({ company: '1' }) } });
            const silent = await Page.open(t, relay, { ...WS, auth: { token: world.token({ company: '1', user: 'u2' }) } });
            await addClient(business, 1, 'one');
            await page.untilEvents(1);
            await silent.untilEvents(1);
            await bridge.murder();
            relay.cut();
            await addClient(business, 1, 'lost');
            await bridge.spawn();
            // Once the event has its position.
            await poll(async () => (await bridge.metric('vigie_events_received_total')) >= 1 || (await database.dba('SELECT 1 FROM vigie.tick WHERE last_seq >= 2')).length,
                { what: 'position of the event' });
            await bridge.murder();
            await spoil(database);
            await bridge.spawn();
            for (const one of [page, silent]) {
                await one.until(() => one.own.some((own) => own.event === 'vigie:gap'), 'gap', 20_000);
                // It may have been back in between, and recovered then: the last word counts.
                assert.equal(one.connects.at(-1)?.recovered, false);
            }
            await addClient(business, 1, 'after');
            await page.until(() => page.names.at(-1) === 'after', 'the present');
            assert.equal((await page.untilOwn('vigie:gap')).data.reason, reason);
            // The pid of then is good from there on (case C).
            assert.equal((await away(relay, page, () => addClient(business, 1, 'later'))).recovered, true);
            await page.until(() => page.names.at(-1) === 'later', 'what came meanwhile');
            assert.equal(page.own.filter((one) => one.event === 'vigie:gap').length, 1, 'told once');
        });
});
