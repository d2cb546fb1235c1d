/**
 * What a hostile or broken client can put on the wire, before and after the upgrade, and what it
 * gets: a fixed code and name, never a crash, never a byte behind the Close frame, and nobody else
 * notices.
 */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { before, describe, test } from 'node:test';

import { Session } from './lib/session.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';
import { HandshakeRefused, OPCODE, WsClient, dial, encodeFrame, exchange, upgradeRequest } from './lib/wsclient.mjs';

/** @typedef {import('./lib/bridge.mjs').Bridge} Bridge */

const world = new World();
const ORIGIN = 'https://app.example.fr';
const token = () => world.token({ company: '1' });

describe('the gate', () => {
    /** @type {Bridge} */
    let bridge;
    before(async () => {
        const database = await world.database(world.scope);
        bridge = await world.bridge(world.scope, { database, config: { listen: { hosts: ['localhost'] }, limits: { header_timeout: '1s' } } });
    });

    /** @type {[what: string, status: number, request: Parameters<typeof upgradeRequest>[0]][]} */
    const REFUSED = [
        ['a POST', 405, { method: 'POST' }],
        ['a PUT', 405, { method: 'PUT' }],
        ['version 8', 426, { headers: { 'Sec-WebSocket-Version': '8' } }],
        ['version 14', 426, { headers: { 'Sec-WebSocket-Version': '14' } }],
        ['no version', 426, { headers: { 'Sec-WebSocket-Version': null } }],
        ['a short key', 400, { headers: { 'Sec-WebSocket-Key': 'YQ==' } }],
        ['no key', 400, { headers: { 'Sec-WebSocket-Key': null } }],
        ['no Host', 400, { headers: { Host: null } }],
        ['a foreign Host', 400, { headers: { Host: 'evil.example' } }],
        ['a foreign Origin', 403, { headers: { Origin: 'https://evil.example' } }],
        ['an Origin that ends like ours', 403, { headers: { Origin: 'https://evilapp.example.fr' } }],
        ['an Origin that begins like ours', 403, { headers: { Origin: `${ORIGIN}.evil.example` } }],
        ['our Origin with another port', 403, { headers: { Origin: `${ORIGIN}:444` } }],
        ['our Origin with its default port, which no browser writes', 403, { headers: { Origin: `${ORIGIN}:443` } }],
        ['our Origin without TLS', 403, { headers: { Origin: 'http://app.example.fr' } }],
        ['Origin null', 403, { headers: { Origin: 'null' } }],
        ['two Origins', 403, { headers: { Origin: [ORIGIN, 'https://evil.example'] } }],
        ['two Origins, ours last', 403, { headers: { Origin: ['https://evil.example', ORIGIN] } }],
        ['two Origins in one line', 403, { headers: { Origin: `${ORIGIN}, https://evil.example` } }],
        ['another path', 404, { path: '/nowhere' }],
        ['a path that climbs', 404, { path: '/ws/../../etc/passwd' }],
    ];
    for (const [what, status, request] of REFUSED) {
        test(`an upgrade with ${what} is refused with ${status}`, async () => {
            const answer = await exchange(bridge.target, upgradeRequest(request));
            assert.equal(answer.status, status, answer.text);
        });
    }

    /** @type {[what: string, headers: Record<string, string | null>][]} */
    const TAKEN = [
        ['our Origin', { Origin: ORIGIN }],
        ['our Origin in capitals', { Origin: 'HTTPS://App.Example.FR' }],
        ['no Origin', {}],
        ['an empty Origin, which no browser sends', { Origin: '' }],
        ['Upgrade in capitals', { Upgrade: 'WebSocket' }],
        ['Connection with keep-alive', { Connection: 'keep-alive, Upgrade' }],
        ['a Host with a port', { Host: 'localhost:8443' }],
    ];
    for (const [what, headers] of TAKEN) {
        test(`an upgrade with ${what} is taken`, async () => {
            const session = await Session.open(bridge, { token: token(), headers });
            assert.equal(session.socket.headers.get('sec-websocket-protocol'), 'vigie.v1');
            await session.bye();
        });
    }

    test('an unknown subprotocol is not spoken', async () => {
        const refused = await WsClient.open({ ...bridge.target, headers: { 'Sec-WebSocket-Protocol': 'mqtt' } }).then(
            (socket) => { socket.destroy(); return null; }, (error) => error);
        assert.ok(refused, 'mqtt was taken');
    });

    test('compression is not negotiated', async () => {
        const session = await Session.open(bridge, { token: token(), headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } });
        assert.equal(session.socket.headers.get('sec-websocket-extensions'), undefined);
        await session.bye();
    });

    /** @type {[what: string, request: string][]} */
    const CLOSED = [
        ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
        ['an upgrade to h2c', 'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n'],
        ['an upgrade to foo', 'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n'],
        ['an upgrade to foo behind a keep-alive request', 'GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\nGET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n'],
        ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
        ['rubbish', '\u0016\u0003\u0001 rubbish\r\n\r\n'],
        ['a negative Content-Length', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n'],
        ['headers of 64 KiB', `GET /ws HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(65536)}\r\n\r\n`],
        ['a request without a Host, HTTP/1.0', 'GET /ws HTTP/1.0\r\n\r\n'],
    ];
    for (const [what, request] of CLOSED) {
        test(`${what} is closed at once and never switches protocols`, async () => {
            const answer = await exchange(bridge.target, request, { within: 3000 });
            assert.ok(!/^HTTP\/1\.[01] 101/m.test(answer.text), answer.text);
            assert.ok(answer.ms < 1000, `after ${answer.ms} ms`);
        });
    }

    test('an upgrade to foo that comes after the first answer on the same connection is closed', async () => {
        const wire = await dial(bridge.target);
        wire.write('GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n');
        await wire.signal.until(() => wire.received > 0 || wire.ended, { what: 'answer' });
        wire.write('GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n');
        await wire.untilEnded({ within: 3000 });
        assert.ok(!wire.bytes().includes(' 101 '));
    });

    test('HTTP/2 is not offered by ALPN', async () => {
        const wire = await dial({ ...bridge.target, alpn: ['h2', 'http/1.1'] });
        assert.equal(/** @type {any} */ (wire.socket).alpnProtocol, 'http/1.1');
        wire.destroy();
        const only = await dial({ ...bridge.target, alpn: ['h2'] }).then((other) => {
            const protocol = /** @type {any} */ (other.socket).alpnProtocol;
            other.destroy();
            return protocol;
        }, () => 'refused');
        assert.notEqual(only, 'h2');
    });

    test('who drips its headers, or stays silent, is closed at the deadline while others are served', async () => {
        const silent = await dial({ port: bridge.port });
        const quiet = await dial(bridge.target);
        const dripping = await dial(bridge.target);
        const started = performance.now();
        dripping.write('GET /ws HTTP/1.1\r\n');
        const drip = setInterval(() => dripping.write('X'), 100);
        try {
            const session = await Session.open(bridge, { token: token() });
            await Promise.all([silent, quiet, dripping].map((wire) => wire.untilEnded({ within: 8000 })));
            await session.roundTrip();
            await session.bye();
        } finally {
            clearInterval(drip);
        }
        assert.ok(performance.now() - started > 500);
    });

    test('each refusal is counted under its reason', async () => {
        const before = await bridge.metrics();
        await exchange(bridge.target, upgradeRequest({ headers: { Origin: 'https://evil.example' } }));
        const after = await bridge.metrics();
        const grown = [...after].filter(([series, value]) => /rejected|refused/.test(series) && value > (before.get(series) ?? 0));
        assert.ok(grown.some(([series]) => series.includes('"origin"')), JSON.stringify(grown));
    });
});

describe('frames', () => {
    /** @type {Bridge} */
    let bridge;
    before(async () => {
        const database = await world.database(world.scope);
        bridge = await world.bridge(world.scope, { database });
    });

    const auth = (/** @type {object} */ more = {}) => JSON.stringify({ type: 'auth', token: token(), ...more });

    /** @type {[what: string, code: number, reason: string | null, frames: () => Buffer[]][]} */
    const FATAL = [
        ['a binary frame', 1003, 'binary', () => [encodeFrame({ opcode: OPCODE.binary, payload: 'x' })]],
        ['an empty binary frame', 1003, 'binary', () => [encodeFrame({ opcode: OPCODE.binary })]],
        ['broken UTF-8', 1007, null, () => [encodeFrame({ payload: Buffer.from([0x7b, 0xc3, 0x28, 0x7d]) })]],
        ['an overlong UTF-8 form', 1007, null, () => [encodeFrame({ payload: Buffer.from([0xc0, 0xaf]) })]],
        ['a UTF-16 surrogate', 1007, null, () => [encodeFrame({ payload: Buffer.from([0xed, 0xa0, 0x80]) })]],
        ['UTF-8 that stops in the middle', 1007, null, () => [encodeFrame({ payload: Buffer.from([0x22, 0xc3]) })]],
        ['a message of 8193 bytes', 1009, 'too_big', () => [encodeFrame({ payload: `{"x":"${'x'.repeat(8185)}"}` })]],
        ['a message of 1 MiB', 1009, 'too_big', () => [encodeFrame({ payload: 'x'.repeat(1 << 20) })]],
        ['fragments of 9 KiB together', 1009, 'too_big', () => [
            encodeFrame({ fin: false, payload: 'x'.repeat(3000) }),
            ...Array.from({ length: 3 }, () => encodeFrame({ opcode: OPCODE.continuation, fin: false, payload: 'x'.repeat(3000) }))]],
        ['a header that announces 2^31 bytes', 1009, 'too_big', () => [encodeFrame({ length: 1n << 31n, payload: 'x'.repeat(20_000) })]],
        ['a header that announces 2^62 bytes', 1009, 'too_big', () => [encodeFrame({ length: 1n << 62n, payload: 'x'.repeat(20_000) })]],
        ['RSV1', 1002, null, () => [encodeFrame({ rsv: 4, payload: '{}' })]],
        ['RSV2', 1002, null, () => [encodeFrame({ rsv: 2, payload: '{}' })]],
        ['RSV3', 1002, null, () => [encodeFrame({ rsv: 1, payload: '{}' })]],
        ['opcode 3', 1002, null, () => [encodeFrame({ opcode: 3, payload: '{}' })]],
        ['opcode 11', 1002, null, () => [encodeFrame({ opcode: 11 })]],
        ['a continuation of nothing', 1002, null, () => [encodeFrame({ opcode: OPCODE.continuation, payload: '{}' })]],
        ['a new message inside a fragmented one', 1002, null, () => [encodeFrame({ fin: false, payload: '{' }), encodeFrame({ payload: '{}' })]],
        ['a fragmented ping', 1002, null, () => [encodeFrame({ opcode: OPCODE.ping, fin: false, payload: 'x' })]],
    ];
    for (const when of ['before', 'after']) {
        for (const [what, code, reason, frames] of FATAL) {
            test(`${what} ${when} authentication is closed with ${code}`, async () => {
                const session = when === 'after' ? await Session.open(bridge, { token: token() }) : await Session.connect(bridge);
                for (const frame of frames()) session.socket.wire.write(frame);
                const close = await session.untilClose();
                assert.equal(close.code, code);
                if (reason !== null) assert.equal(close.reason, reason);
            });
        }
    }

    test('a ping of 126 bytes ends the connection', async () => {
        const session = await Session.open(bridge, { token: token() });
        session.socket.sendFrame({ opcode: OPCODE.ping, payload: 'x'.repeat(126) });
        await session.socket.wire.untilEnded();
        assert.deepEqual(session.socket.framesAfterClose(), []);
    });

    test('a message in fragments with a ping between them is understood', async () => {
        const session = await Session.connect(bridge);
        const text = Buffer.from(auth());
        session.socket.sendFrame({ fin: false, payload: text.subarray(0, 10) });
        session.socket.sendFrame({ opcode: OPCODE.ping, payload: 'between' });
        session.socket.sendFrame({ opcode: OPCODE.continuation, fin: false, payload: '' });
        for (const byte of text.subarray(10, -1)) session.socket.sendFrame({ opcode: OPCODE.continuation, fin: false, payload: Buffer.from([byte]) });
        session.socket.sendFrame({ opcode: OPCODE.continuation, payload: text.subarray(-1) });
        await session.untilReady();
        await session.signal.until(() => session.socket.frames.some((frame) => frame.opcode === OPCODE.pong && frame.payload.toString() === 'between'), { what: 'pong' });
        await session.bye();
    });

    test('a message that comes byte by byte is understood', async () => {
        const session = await Session.connect(bridge);
        for (const byte of encodeFrame({ payload: auth() })) session.socket.wire.write(Buffer.from([byte]));
        await session.untilReady();
        await session.bye();
    });

    test('a message of exactly 8192 bytes is understood', async () => {
        const session = await Session.connect(bridge);
        const bare = auth({ pad: '' });
        session.socket.send(auth({ pad: 'x'.repeat(8192 - bare.length) }));
        await session.untilReady();
        await session.bye();
    });

    test('an unmasked frame is taken, a deviation that a newer library may end', async () => {
        const session = await Session.connect(bridge);
        session.socket.sendFrame({ mask: false, payload: auth() });
        await session.untilReady();
        await session.bye();
    });

    const NOT_A_MESSAGE = ['', 'null', '7', '"auth"', '[]', '{', '{"type":', '{"type":"auth"', '{}', '{"type":null}', '{"type":7}', '{"type":["auth"]}',
                           `${'['.repeat(4000)}${']'.repeat(4000)}`, `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`,
                           '{"type":"join"}', '{"type":"join","room":7,"id":1}', '{"type":"join","room":"company:1","id":"x"}', '{"type":"join","room":null,"id":1}',
                           '{"type":"leave"}', '{"type":"auth","token":7}', '{"type":"auth"}', '{"type":"join","type":"leave","room":"a:1","id":1}'];
    for (const text of NOT_A_MESSAGE) {
        test(`${JSON.stringify(text.slice(0, 40))} is a bad request and nobody else notices`, async () => {
            const witness = await Session.open(bridge, { token: world.token({ company: '2' }) });
            const session = await Session.open(bridge, { token: token() });
            session.socket.send(text);
            assert.deepEqual(await session.untilClose(), { code: 4400, reason: 'bad_request' });
            await witness.roundTrip();
            await witness.bye();
        });
    }

    test('an unknown type is answered with an error and the session goes on', async () => {
        const session = await Session.open(bridge, { token: token() });
        session.socket.send({ type: 'dance', id: 5 });
        const error = await session.message((message) => message.type === 'error');
        assert.equal(error.id, 5);
        assert.equal(typeof error.code, 'string');
        await session.roundTrip();
        await session.bye();
    });

    test('unknown fields are ignored', async () => {
        const session = await Session.connect(bridge);
        session.socket.send(auth({ hello: [1, { two: null }], type_: 'x' }));
        await session.untilReady();
        await session.bye();
    });

    test("a client's own close is answered with its code, and a strange code does no harm", async () => {
        for (const code of [1000, 1001, 3000, 4999]) {
            const session = await Session.open(bridge, { token: token() });
            await session.socket.bye({ code });
            assert.equal(session.socket.close?.code ?? code, code);
        }
        for (const code of [0, 999, 1005, 1006, 1015, 65535]) {
            const session = await Session.open(bridge, { token: token() });
            const payload = Buffer.alloc(2);
            payload.writeUInt16BE(code);
            session.socket.sendFrame({ opcode: OPCODE.close, payload });
            await session.socket.wire.untilEnded({ within: 8000 });
        }
    });
});

describe('behind a close there is silence', () => {
    test('no event follows a Close frame, however many were waiting', async (t) => {
        const { bridge, business } = await world.enter(t, { config: { limits: { messages_per_second: 5 } } });
        const rounds = 8;
        for (let round = 0; round < rounds; round++) {
            const session = await Session.open(bridge, { token: token() });
            const writing = business.query(`INSERT INTO clients (company_id, name, type)
                SELECT 1, 'c' || g, 'particulier' FROM generate_series(1, 400) g`);
            for (let i = 0; i < 60; i++) session.socket.send({ type: 'leave', room: 'project:1', id: i });
            // untilClose() asserts that no frame stands behind the Close frame.
            assert.deepEqual(await session.untilClose(), { code: 4429, reason: 'rate_limited' });
            await writing;
        }
        await poll(async () => (await bridge.metric('vigie_sessions')) === 0, { what: 'end of the last session' });
    });
});

describe('cursors', () => {
    const client = (/** @type {string} */ name, company = 1) =>
        `INSERT INTO clients (company_id, name, type) VALUES (${company}, '${name}', 'particulier')`;

    test('a cursor that nobody made, or another company got, is a gap, and the session goes on', async (t) => {
        const { bridge, business } = await world.enter(t);
        const other = await Session.open(bridge, { token: world.token({ company: '2' }) });
        const own = await Session.open(bridge, { token: token() });
        const good = /** @type {string} */ (own.cursor);
        const flipped = Buffer.from(good, 'base64url');
        flipped[3] ^= 1;
        const bad = ['x', '0', '42', good.slice(0, -1), `${good}A`, flipped.toString('base64url'), crypto.randomBytes(16).toString('base64url'),
                     'é'.repeat(20), 'A'.repeat(500), /** @type {string} */ (other.cursor)];
        for (const cursor of bad) {
            const session = await Session.open(bridge, { token: token(), cursor });
            assert.equal(session.ready.resumed, false, cursor);
            const gap = await session.message((message) => message.type === 'gap', { what: `gap for ${cursor}` });
            assert.equal(gap.reason, 'cursor', cursor);
            assert.equal(typeof gap.cursor, 'string');
            await business.query(client(`after ${bad.indexOf(cursor)}`));
            await session.event((event) => event.data.name === `after ${bad.indexOf(cursor)}`);
            assert.equal(session.events.length, 1);
            await session.bye();
        }
        assert.equal(other.events.length, 0);
        await other.bye();
        await own.bye();
    });

    for (const cursor of [7, null, {}, []]) {
        test(`a cursor that is ${JSON.stringify(cursor)} is a bad request`, async (t) => {
            const { bridge } = await world.enter(t);
            const session = await Session.connect(bridge);
            session.socket.send({ type: 'auth', token: token(), cursor });
            const close = await session.untilClose();
            assert.deepEqual(close, { code: 4400, reason: 'bad_request' });
        });
    }

    test('an empty cursor is as none', async (t) => {
        const { bridge } = await world.enter(t);
        const session = await Session.open(bridge, { token: token(), cursor: '' });
        await session.roundTrip();
        assert.ok(session.gaps.length <= 1);
        await session.bye();
    });

    test('a cursor of an older epoch is a gap, for who comes and for who is there', async (t) => {
        const { bridge, business, database } = await world.enter(t);
        const session = await Session.open(bridge, { token: token() });
        const old = session.cursor;
        await database.dba('SELECT vigie.new_epoch()');
        // The bridge learns of it when it connects again.
        await database.dba(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'vigie_bridge'`);
        const gap = await session.message((message) => message.type === 'gap');
        assert.equal(gap.reason, 'epoch');
        const late = await Session.open(bridge, { token: token(), cursor: old });
        assert.equal(late.ready.resumed, false);
        assert.equal((await late.message((message) => message.type === 'gap')).reason, 'epoch');
        await business.query(client('afterwards'));
        for (const one of [session, late]) {
            await one.untilEvents(1);
            assert.equal(one.events[0].data.name, 'afterwards');
            await one.bye();
        }
    });

    test('a cursor says nothing of how much other companies do', async (t) => {
        const { bridge, business } = await world.enter(t);
        const cursors = [];
        for (let round = 0; round < 3; round++) {
            const session = await Session.open(bridge, { token: token() });
            cursors.push(Buffer.from(/** @type {string} */ (session.cursor), 'base64url'));
            await session.bye();
            await business.query(client(`other ${round}`, 2));
        }
        assert.equal(new Set(cursors.map((cursor) => cursor.length)).size, 1);
        // Neighbouring positions look unrelated: about half of the bits differ.
        let differing = 0;
        for (let i = 0; i < cursors[0].length; i++) for (let bits = cursors[0][i] ^ cursors[1][i]; bits; bits &= bits - 1) differing++;
        assert.ok(cursors[0].equals(cursors[1]) || differing > cursors[0].length * 8 * 0.25, `${differing} bits differ`);
    });
});

describe('rooms on request', () => {
    test('an allowed room is joined, a forbidden and an unknown one get the same answer', async (t) => {
        const { bridge, business, database } = await world.enter(t);
        await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean
            LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
            AS $$ SELECT room = 'conversation:' || (claims->>'company') || '1' AND claims->>'user' = 'u1' AND claims->>'role' IS NOT NULL $$`);
        const session = await Session.open(bridge, { token: world.token({ company: '1', role: 'sales' }) });
        assert.deepEqual(await session.join('conversation:11').then(({ cursor, ...answer }) => answer), { type: 'joined', room: 'conversation:11', id: 1 });
        const denied = [];
        for (const room of ['conversation:21', 'conversation:999', 'project:1', 'company:2', 'user:u2', 'role:admin']) {
            const { id, ...answer } = await session.join(room);
            denied.push(answer);
        }
        for (const answer of denied) assert.deepEqual(answer, { type: 'error', code: 'forbidden' });
        const left = await session.leave('conversation:11');
        assert.deepEqual(left, { type: 'left', room: 'conversation:11', id: left.id });
        await session.bye();
        assert.ok(business);
    });

    test('a room whose question throws, or takes too long, is unavailable and stays closed', async (t) => {
        const { bridge, database } = await world.enter(t, { config: { database: { statement_timeout: '500ms' } } });
        await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean
            LANGUAGE plpgsql AS $$ BEGIN
                IF room = 'project:throw' THEN RAISE 'no'; END IF;
                IF room = 'project:slow' THEN PERFORM pg_sleep(20); END IF;
                IF room = 'project:null' THEN RETURN NULL; END IF;
                RETURN room = 'project:fine'; END $$`);
        const session = await Session.open(bridge, { token: token() });
        for (const [room, code] of [['project:throw', 'unavailable'], ['project:slow', 'unavailable'], ['project:null', 'forbidden']]) {
            const answer = await session.join(room);
            assert.deepEqual([answer.type, answer.code], ['error', code], room);
        }
        assert.equal(await bridge.metric('vigie_joins_total{result="unavailable"}'), 2);
        // The one that hung has cost its connection nothing.
        assert.equal((await session.join('project:fine')).type, 'joined');
        await session.bye();
    });

    test('a bad room name is forbidden or a bad request, never joined', async (t) => {
        const { bridge, database } = await world.enter(t);
        await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql AS 'SELECT true'`);
        for (const room of ['', 'x', '*', 'project:\n', 'project:\u0000', 'project:\u007f', `project:${'x'.repeat(200)}`, 'company:*', 'company:2', 'company:1 ', 'user:u2', 'user:*', 'role:admin']) {
            const session = await Session.open(bridge, { token: token() });
            session.socket.send({ type: 'join', room, id: 1 });
            await session.signal.until(() => session.messages.some((message) => message.id === 1) || session.socket.close || session.socket.wire.ended, { what: `answer for ${JSON.stringify(room)}` });
            assert.ok(!session.messages.some((message) => message.type === 'joined'), `joined ${JSON.stringify(room)}`);
            session.destroy();
        }
    });
});

describe('limits', () => {
    /** A bridge that takes ten frames at once, and five a second. @param {any} t */
    const strict = (t) => world.enter(t, { config: { limits: { messages_per_second: 5 } } });

    test('every part of a message is paid for, also an empty one', async (t) => {
        const { bridge } = await strict(t);
        const session = await Session.open(bridge, { token: token() });
        session.socket.sendFrame({ opcode: OPCODE.text, fin: false, payload: '{' });
        for (let i = 0; i < 60; i++) session.socket.sendFrame({ opcode: OPCODE.continuation, fin: false, payload: '' });
        assert.deepEqual(await session.untilClose(), { code: 4429, reason: 'rate_limited' });
    });

    test('a large message costs as much as a small one, however it is cut by the network', async (t) => {
        const { bridge } = await strict(t);
        const session = await Session.open(bridge, { token: token() });
        for (let i = 0; i < 5; i++) session.socket.send({ type: 'ping', padding: 'x'.repeat(8000) });
        await session.roundTrip();
        await session.bye();
    });

    test('pongs that nobody asked for are paid for', async (t) => {
        const { bridge } = await strict(t);
        const session = await Session.open(bridge, { token: token() });
        for (let i = 0; i < 60; i++) session.socket.sendFrame({ opcode: OPCODE.pong, payload: 'x' });
        assert.deepEqual(await session.untilClose(), { code: 4429, reason: 'rate_limited' });
    });

    test('renewals have a rate of their own, since a signature is dear', async (t) => {
        const { bridge } = await world.enter(t);
        const session = await Session.open(bridge, { token: token() });
        for (let i = 0; i < 10; i++) session.auth(token());
        await session.roundTrip();
        assert.equal(session.messages.filter((message) => message.type === 'renewed').length, 10);
        session.auth(token());
        assert.deepEqual(await session.untilClose(), { code: 4429, reason: 'rate_limited' });
        assert.equal(await bridge.metric('vigie_limits_hit_total{scope="renewals"}'), 1);
    });

    test('the room after the last one allowed is refused, and one left makes place', async (t) => {
        const { bridge, database } = await world.enter(t, { config: { limits: { rooms_per_session: 4 } } });
        await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql AS 'SELECT true'`);
        const session = await Session.open(bridge, { token: token() });
        const own = session.ready.rooms.length;
        for (let i = own; i < 4; i++) assert.equal((await session.join(`project:${i}`)).type, 'joined');
        const full = await session.join('project:full');
        assert.equal(full.type, 'error');
        assert.notEqual(full.code, 'forbidden');
        assert.equal((await session.leave('project:3')).type, 'left');
        assert.equal((await session.join('project:full')).type, 'joined');
        await session.bye();
    });

    test('a client that talks too much is closed with rate_limited, one that does not is not', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { messages_per_second: 10 } } });
        const calm = await Session.open(bridge, { token: token() });
        for (let i = 0; i < 9; i++) await calm.leave('project:1');
        const loud = await Session.open(bridge, { token: token() });
        for (let i = 0; i < 100; i++) loud.socket.send({ type: 'leave', room: 'project:1', id: i });
        assert.deepEqual(await loud.untilClose(), { code: 4429, reason: 'rate_limited' });
        await calm.roundTrip();
        await calm.bye();
    });

    test('one user too often loses the oldest session, which is told that it was replaced', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { sessions_per_user: 2 } } });
        const first = await Session.open(bridge, { token: token() });
        const second = await Session.open(bridge, { token: token() });
        const other = await Session.open(bridge, { token: world.token({ company: '1', user: 'u2' }) });
        const namesake = await Session.open(bridge, { token: world.token({ company: '2', user: 'u1' }) });
        const third = await Session.open(bridge, { token: token() });
        assert.deepEqual(await first.untilClose(), { code: 4409, reason: 'replaced' });
        for (const session of [second, other, namesake, third]) {
            await session.roundTrip();
            await session.bye();
        }
    });

    test('a company that has all its sessions gets no more, and others do not notice', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { sessions_per_company: 2 } } });
        const [a, b] = [await Session.open(bridge, { token: world.token({ company: '1', user: 'a' }) }), await Session.open(bridge, { token: world.token({ company: '1', user: 'b' }) })];
        const refused = await Session.connect(bridge);
        refused.auth(world.token({ company: '1', user: 'c' }));
        const close = await refused.untilClose();
        assert.ok((close.code === 4429 && close.reason === 'rate_limited') || (close.code === 1013 && close.reason === 'overloaded'), JSON.stringify(close));
        const elsewhere = await Session.open(bridge, { token: world.token({ company: '2', user: 'c' }) });
        await a.bye();
        const retry = await poll(async () => {
            const session = await Session.connect(bridge);
            session.auth(world.token({ company: '1', user: 'c' }));
            await session.signal.until(() => session.ready || session.socket.close || session.socket.wire.ended, { what: 'answer' });
            return session.ready && session;
        }, { what: 'place for another session' });
        for (const session of [b, elsewhere, retry]) await session.bye();
    });

    test('an address with all its connections is refused before TLS, another address is served', async (t) => {
        const { bridge } = await world.enter(t, { config: { listen: { address: '0.0.0.0' }, limits: { sessions_per_address: 3 } } });
        const held = [];
        for (let i = 0; i < 3; i++) held.push(await Session.open(bridge, { token: world.token({ company: '1', user: `u${i}` }) }));
        await assert.rejects(Session.connect(bridge));
        const elsewhere = await Session.open(bridge, { token: token(), localAddress: '127.0.0.2' });
        for (const session of [...held, elsewhere]) await session.roundTrip();
        await held[0].bye();
        const again = await poll(() => Session.connect(bridge).catch(() => null), { what: 'place for the address' });
        again.destroy();
        for (const session of [...held.slice(1), elsewhere]) await session.bye();
    });

    test('more sessions than allowed are refused while those that live go on', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { sessions: 3, unauthenticated: 3 } } });
        const held = [];
        for (let i = 0; i < 3; i++) held.push(await Session.open(bridge, { token: world.token({ company: `${i}` }) }));
        await assert.rejects(Session.open(bridge, { token: token() }));
        for (const session of held) await session.roundTrip();
        for (const session of held) await session.bye();
    });

    test('too many who have not said who they are keep nobody out for long', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { unauthenticated: 2, auth_timeout: '700ms' } } });
        const mute = [await Session.connect(bridge), await Session.connect(bridge)];
        await assert.rejects(Session.connect(bridge));
        for (const session of mute) assert.equal((await session.untilClose()).code, 4408);
        const session = await poll(() => Session.open(bridge, { token: token() }).catch(() => null), { what: 'place' });
        await session.bye();
    });

    test('a client that answers no ping is gone within interval and timeout', async (t) => {
        const { bridge } = await world.enter(t, { config: { heartbeat: { interval: '1s', timeout: '1s' } } });
        const dead = await Session.open(bridge, { token: token() });
        dead.socket.answerPings = false;
        const alive = await Session.open(bridge, { token: token() });
        await alive.message((message) => message.type === 'heartbeat', { within: 4000 });
        await dead.socket.wire.untilEnded({ within: 8000 });
        const beat = alive.messages.find((message) => message.type === 'heartbeat');
        assert.equal(typeof beat.cursor, 'string');
        await alive.roundTrip();
        await alive.bye();
    });
});

test('a handshake that is refused says so to the raw client too', async (t) => {
    const { bridge } = await world.enter(t);
    await assert.rejects(WsClient.open({ ...bridge.target, headers: { Origin: 'https://evil.example' } }),
        (error) => error instanceof HandshakeRefused && error.status === 403);
});
