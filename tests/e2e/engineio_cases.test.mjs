/**
 * Engine.IO, case by case: what the official suite of the protocol asks for (numbers as in its order),
 * written anew, against our implementation with an echo on top. The times are the suite's.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startEcho } from './lib/echo.mjs';
import { transportCases } from './lib/engine_cases.mjs';

describe('Engine.IO', () => {
    transportCases('engine', true);

    test('8: a text message by polling', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        const sent = await server.post(sid, '4hello');
        assert.deepEqual([sent.status, sent.body], [200, 'ok']);
        const got = await server.poll(sid);
        assert.deepEqual([got.status, got.body], [200, '4hello']);
    });

    test('9: several messages in one body come back in one body', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        assert.equal((await server.post(sid, '4test1\x1e4test2\x1e4test3')).body, 'ok');
        assert.equal((await server.poll(sid)).body, '4test1\x1e4test2\x1e4test3');
    });

    test('10: text and binary by polling', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        assert.equal((await server.post(sid, '4hello\x1ebAQIDBA==')).body, 'ok');
        assert.equal((await server.poll(sid)).body, '4hello\x1ebAQIDBA==');
    });

    for (const bad of ['abc', '', '4a\x1e', '\x1e4a', '4a\x1e\x1e4b', '9', 'b!!!!', 'bAQIDBA', '2'])
        test(`11: ${JSON.stringify(bad)} as a body ends the session`, async (t) => {
            const server = await startEcho(t, 'engine');
            const { sid } = await server.handshake();
            await server.post(sid, bad);
            const { status } = await server.poll(sid);
            assert.equal(status, 400);
        });

    test('12: a second GET ends the session: the first hears 1, the second 400', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        const first = server.poll(sid);
        await server.arrived(first);
        const second = await server.poll(sid);
        assert.equal(second.status, 400);
        const { status, body } = await first;
        assert.deepEqual([status, body], [200, '1']);
        assert.equal((await server.poll(sid)).status, 400);
    });

    test('13: a GET that is given up ends the session', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        const held = server.poll(sid);
        await server.arrived(held);
        held.abort();
        await server.barrier();
        await server.barrier(); // the end of a connection may be seen a turn later
        assert.equal((await server.poll(sid)).status, 400);
    });

    test('14, 15, 16: text and binary come back by WebSocket, anything else closes it', async (t) => {
        const server = await startEcho(t, 'engine');
        const socket = server.socket();
        await socket.next();
        socket.send('4hello');
        assert.equal(await socket.next(), '4hello');
        socket.send(Buffer.from([1, 2, 3, 4]));
        assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3, 4]));
        socket.send('abc');
        await socket.untilClosed({ within: 400 });
    });

    test('an overlapping POST ends the session', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        const first = server.request('POST', { EIO: '4', transport: 'polling', sid }, { body: '4a', headers: { 'content-length': '10' } });
        await server.arrived(first); // its body stays incomplete
        const second = await server.post(sid, '4b');
        assert.deepEqual([second.status, second.body], [400, '']);
        await assert.rejects(first);
        assert.equal((await server.poll(sid)).status, 400);
    });

    test('a body over maxPayload is 413, and the session lives', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        const { status } = await server.post(sid, `4${'x'.repeat(1_000_000)}`);
        assert.equal(status, 413);
        await server.post(sid, '4hello');
        assert.equal((await server.poll(sid)).body, '4hello');
    });

    test('a WebSocket message over maxPayload is 1009', async (t) => {
        const server = await startEcho(t, 'engine');
        const socket = server.socket();
        await socket.next();
        socket.send(`4${'x'.repeat(1_000_000)}`);
        assert.equal((await socket.untilClosed())?.code, 1009);
    });

    test('a body of bytes ends the session', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        const { status, body } = await server.post(sid, '4a', { 'content-type': 'application/octet-stream' });
        assert.deepEqual([status, body], [400, '']);
        assert.equal((await server.poll(sid)).status, 400);
    });

    test('another method on a session is refused, and the session lives', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        for (const method of ['PUT', 'DELETE']) assert.ok((await server.request(method, { EIO: '4', transport: 'polling', sid })).status >= 400);
        await server.post(sid, '4hello');
        assert.equal((await server.poll(sid)).body, '4hello');
    });

    test('transport=websocket without an upgrade is refused with code 3, and the session lives', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        for (const query of [{ EIO: '4', transport: 'websocket', sid }, { EIO: '4', transport: 'websocket' }]) {
            const { status, body } = await server.request('GET', query);
            assert.deepEqual([status, JSON.parse(body).code], [400, 3]);
        }
        await server.post(sid, '4hello');
        assert.equal((await server.poll(sid)).body, '4hello');
    });

    test('a GET that waits when the probe comes is answered at once, and so is every one after it', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        const held = server.poll(sid);
        await server.arrived(held);
        const socket = server.socket({ EIO: '4', transport: 'websocket', sid });
        await new Promise((resolve) => socket.socket.once('open', resolve));
        const began = performance.now();
        socket.send('2probe');
        assert.equal(await socket.next(), '3probe');
        assert.equal((await held).body, '6');
        for (let n = 0; n < 3; n++) assert.equal((await server.poll(sid)).body, '6');
        assert.ok(performance.now() - began < 250, 'not only with the next ping');
        // What is sent meanwhile still goes by polling.
        await server.post(sid, '4by polling');
        assert.equal((await server.poll(sid)).body, '4by polling');
        socket.send('5');
        socket.send('4by socket');
        assert.equal(await socket.next(), '4by socket');
        socket.end();
    });

    test('a probe that says anything else is closed, and the session goes on by polling', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        for (const word of ['4hello', '2other', 'abc', '5']) {
            const socket = server.socket({ EIO: '4', transport: 'websocket', sid });
            await new Promise((resolve) => socket.socket.once('open', resolve));
            socket.send(word);
            await socket.untilClosed({ within: 400 });
        }
        await server.post(sid, '4hello');
        assert.equal((await server.poll(sid)).body, '4hello');
    });

    test('a probe that leaves does no harm', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        const socket = server.socket({ EIO: '4', transport: 'websocket', sid });
        await new Promise((resolve) => socket.socket.once('open', resolve));
        socket.send('2probe');
        assert.equal(await socket.next(), '3probe');
        socket.end();
        await server.post(sid, '4hello');
        const answers = [(await server.poll(sid)).body];
        if (answers[0] === '6') answers.push((await server.poll(sid)).body);
        assert.equal(answers.at(-1), '4hello');
    });

    test('two requests on one connection, and one that asks to close it', async (t) => {
        const server = await startEcho(t, 'engine');
        const { sid } = await server.handshake();
        for (let n = 0; n < 5; n++) {
            await server.post(sid, `4m${n}`);
            const { body, headers } = await server.poll(sid);
            assert.equal(body, `4m${n}`);
            assert.notEqual(headers.connection, 'close');
        }
        const { headers } = await server.request('POST', { EIO: '4', transport: 'polling', sid }, { body: '4x', headers: { connection: 'close' } });
        assert.equal(headers.connection, 'close');
    });
});
