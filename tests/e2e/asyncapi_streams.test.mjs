/**
 * docs/asyncapi.yaml and the doors that are plain HTTP: Server-Sent Events, long poll, tickets. As in
 * asyncapi.test.mjs: everything that is promised is seen, and nothing else is said.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Record, fill, readDocument } from './lib/asyncapi.mjs';
import { addClient } from './lib/business.mjs';
import { EventStream, bodyOf, httpRequest } from './lib/doors.mjs';
import { Issuer } from './lib/tokens.mjs';
import { Signal, poll } from './lib/wait.mjs';
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

/** The values that stand for TOKEN and CURSOR. @param {string} [cursor] */
const values = (cursor = '') => ({ TOKEN: world.token({ company: '1' }), CURSOR: cursor });

/** The whole answer to a request. @param {Bridge} bridge @param {string} path @param {any} [options] */
async function ask(bridge, path, options) {
    const response = await httpRequest(bridge, path, options).answer;
    const text = await bodyOf(response);
    return { status: response.statusCode, headers: response.headers, body: JSON.parse(text) };
}

describe('Server-Sent Events', () => {
    const names = Object.keys(document.channels.events.messages).filter((name) => name.startsWith('sse'));
    const record = new Record(document, names);

    /** The message of a block, by what tells them apart. @param {any} block */
    function nameOf({ event, data, retry }) {
        if (data === undefined) return retry === undefined ? 'sseHeartbeat' : 'sseRetry';
        if (!event?.startsWith('vigie:')) return 'sseEvent';
        return `sse${event[6].toUpperCase()}${event.slice(7)}`;
    }

    class Stream {
        /** @param {import('node:http').IncomingMessage} response */
        constructor(response) {
            this.signal = new Signal();
            /** @type {{name: string, block: any}[]} */
            this.blocks = [];
            this.ended = false;
            const stream = new EventStream((fields) => {
                const block = fields.data === undefined ? fields : { ...fields, data: JSON.parse(fields.data) };
                this.blocks.push({ name: nameOf(block), block });
            });
            response.setEncoding('utf8').on('data', (text) => (stream.take(text), this.signal.changed())).on('error', () => {})
                .on('close', () => ((this.ended = true), this.signal.changed()));
        }

        /** @param {any} t @param {Bridge} bridge @param {string} path @param {any} options */
        static async open(t, bridge, path, options) {
            const { request, answer } = httpRequest(bridge, path, options);
            t.after(() => request.destroy());
            const response = await answer;
            assert.equal(response.statusCode, 200);
            assert.match(response.headers['content-type'] ?? '', /^text\/event-stream/);
            return new Stream(response);
        }

        /** @param {string} name */
        async until(name) {
            await this.signal.until(() => this.blocks.some((one) => one.name === name), { what: name, state: () => this.blocks });
            return this.blocks.find((one) => one.name === name)?.block;
        }

        async untilEnded() {
            await this.signal.until(() => this.ended, { what: 'end of the stream', state: () => this.blocks });
        }

        take() {
            for (const { name, block } of this.blocks) record.take(name, block);
        }
    }

    test('says each block as the document has it', async (t) => {
        const { bridge, business } = await enter(t, { heartbeat: { interval: '1s' } });
        const long = await Stream.open(t, bridge, '/events?room=conversation:9&room=project:9', { token: world.token({ company: '1' }), headers: { 'last-event-id': NOWHERE } });
        const short = await Stream.open(t, bridge, '/events', { token: world.token({ company: '1', ttl: 8 }) });
        assert.deepEqual((await long.until('sseReady')).data.rooms, ['company:1', 'user:u1', 'conversation:9']);
        await long.until('sseGap');
        await short.until('sseReady');
        await addClient(business, 1, 'seen');
        await long.until('sseEvent');
        await long.until('sseHeartbeat');
        await short.until('sseExpiring');
        assert.equal((await short.until('sseClose')).data.reason, 'token_expired');
        await short.untilEnded();
        bridge.kill('SIGTERM');
        await long.until('sseDrain');
        assert.equal((await long.until('sseClose')).data.reason, 'restart');
        await long.untilEnded();
        await bridge.untilExited();
        short.take();
        long.take();
    });

    test('has said everything that the document promises, and nothing that it does not', () => {
        record.assertComplete();
        record.assertTight();
    });

    test('examples of requests are accepted, and resume where they say so', async (t) => {
        const { bridge } = await enter(t);
        const first = await Stream.open(t, bridge, '/events', { token: world.token({ company: '1' }) });
        const { id } = await first.until('sseReady');
        for (const { name, headers } of MESSAGES.eventsRequest.examples) {
            const stream = await Stream.open(t, bridge, '/events', { headers: fill(headers, values(id)) });
            assert.equal((await stream.until('sseReady')).data.resumed, name === 'resume', name);
        }
        const { http } = document.operations.openStream.bindings;
        const query = { last_event_id: id, room: 'conversation:9', ticket: (await ask(bridge, '/ticket', { method: 'POST', token: world.token({ company: '1' }) })).body.ticket };
        assert.deepEqual(Object.keys(http.query.properties).sort(), Object.keys(query).sort());
        const stream = await Stream.open(t, bridge, `/events?${new URLSearchParams(query)}`, { method: http.method });
        const ready = (await stream.until('sseReady')).data;
        assert.equal(ready.resumed, true);
        assert.ok(ready.rooms.includes('conversation:9'));
    });
});

describe('long poll and tickets', () => {
    const record = new Record(document, ['pollAnswer', 'ticketAnswer', 'refusal']);
    /** @type {Set<string>} */
    const refusals = new Set();
    /** @param {number | undefined} status @param {any} body @param {any} headers */
    function refused(status, body, headers) {
        const known = document['x-statuses'].find((/** @type {any} */ one) => one.status === status);
        assert.ok(known?.errors.includes(body.error), `${status} ${JSON.stringify(body)}`);
        assert.equal('retry-after' in headers, [429, 503].includes(known.status), `Retry-After with ${status}`);
        record.take('refusal', body);
        refusals.add(`${status} ${body.error}`);
        return status;
    }

    test('answers as the document has it', async (t) => {
        const { bridge, business } = await enter(t, { streams: { poll_hold: '2s' } });
        const token = world.token({ company: '1' });
        /** @param {any} query @param {any} [options] */
        const polled = async (query, options = { token }) => {
            const { status, body } = await ask(bridge, `/poll?${new URLSearchParams(query)}`, options);
            assert.equal(status, MESSAGES.pollAnswer.bindings.http.statusCode);
            record.take('pollAnswer', body);
            return body;
        };
        const [example] = MESSAGES.pollRequest.examples;
        const { cursor } = await polled({}, { headers: fill(example.headers, values()) });
        await addClient(business, 1, 'seen');
        const { ticket } = (await ask(bridge, '/ticket', { token, method: 'POST' })).body;
        const query = { ticket, cursor, room: 'conversation:9' };
        assert.deepEqual(Object.keys(query), Object.keys(document.operations.poll.bindings.http.query.properties));
        const second = await polled(query, {});
        assert.equal(second.events.length, 1);
        assert.equal((await polled({ cursor: NOWHERE })).gap, 'cursor');
        assert.deepEqual(await polled({ cursor: second.cursor }), { events: [], cursor: second.cursor });
        const { http } = document.operations.takeTicket.bindings;
        for (const { headers } of MESSAGES.ticketRequest.examples) {
            const { status, body } = await ask(bridge, '/ticket', { method: http.method, headers: fill(headers, values()) });
            assert.equal(status, MESSAGES.ticketAnswer.bindings.http.statusCode);
            record.take('ticketAnswer', body);
        }
        const held = polled({ cursor: second.cursor });
        await poll(async () => (await bridge.metric('vigie_sessions', { state: 'live' })) === 1, { what: 'a poll that is held' });
        bridge.kill('SIGTERM');
        assert.notEqual((await held).retry_after_ms, undefined);
        await bridge.untilExited();
    });

    test('refuses with the statuses of the document', async (t) => {
        const { bridge } = await enter(t, { limits: { sessions_per_user: 1, sessions_per_company: 2 }, streams: { tickets: 1, poll_hold: '30s' } });
        const token = world.token({ company: '1' });
        /** @param {string} path @param {any} [options] */
        const no = async (path, options) => {
            const { status, body, headers } = await ask(bridge, path, options);
            return refused(status, body, headers);
        };
        for (const path of [`/events?token=${token}`, `/poll?token=${token}`, '/poll?ticket=short', '/poll?cursor=a&cursor=b', `/events?${'room=x&'.repeat(65)}`])
            assert.equal(await no(path, { token }), 400, path);
        assert.equal(await no(`/ticket?token=${token}`, { token, method: 'POST' }), 400);
        for (const path of ['/events', '/poll']) {
            assert.equal(await no(path), 401);
            assert.equal(await no(path, { token: 'rubbish' }), 401);
            assert.equal(await no(path, { token, headers: { origin: 'https://evil.example' } }), 403);
            assert.equal(await no(path, { token, method: 'POST' }), 405);
        }
        assert.equal(await no('/ticket', { token }), 405);
        assert.equal(await no('/ticket', { token, method: 'POST', headers: { 'transfer-encoding': 'chunked' } }), 411);
        // One that is held, and outlives its token; one that gives way to a younger one; one too many.
        const { cursor } = (await ask(bridge, '/poll', { token })).body;
        const live = (/** @type {number} */ count) =>
            poll(async () => (await bridge.metric('vigie_sessions', { state: 'live' })) === count, { what: `${count} polls that are held` });
        const expired = no(`/poll?cursor=${cursor}`, { token: world.token({ company: '1', user: 'u3', ttl: 2 }) });
        assert.equal(await expired, 401);
        const older = no(`/poll?cursor=${cursor}`, { token });
        await live(1);
        const younger = ask(bridge, `/poll?cursor=${cursor}`, { token });
        assert.equal(await older, 409);
        await live(1);
        const other = ask(bridge, `/poll?cursor=${cursor}`, { token: world.token({ company: '1', user: 'u4' }) });
        await live(2);
        assert.equal(await no(`/poll?cursor=${cursor}`, { token: world.token({ company: '1', user: 'u5' }) }), 429);
        assert.equal((await ask(bridge, '/ticket', { token, method: 'POST' })).status, 200);
        assert.equal(await no('/ticket', { token: world.token({ company: '1', user: 'u4' }), method: 'POST' }), 503);
        bridge.kill('SIGTERM');
        assert.deepEqual((await Promise.all([younger, other])).map(({ status }) => status), [200, 200]);
        await bridge.untilExited();
        assert.equal(bridge.exitCode, 0, bridge.tail());
    });

    test('has said everything that the document promises, and nothing that it does not', () => {
        record.assertComplete();
        record.assertTight();
        const seen = document['x-statuses'].map((/** @type {any} */ one) => `${one.status} `).filter((/** @type {string} */ one) => one !== '500 ');
        for (const one of seen) assert.ok([...refusals].some((refusal) => refusal.startsWith(one)), `nothing with ${one}`);
        assert.ok(refusals.has('401 token_expired'));
    });
});
