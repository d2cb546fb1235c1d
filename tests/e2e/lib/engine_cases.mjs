/** The cases of the transport, which hold under Engine.IO's echo and under Socket.IO alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { startEcho } from './echo.mjs';

const KEYS = ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload'];

/** @param {any} open @param {string[]} upgrades */
function assertOpen(open, upgrades) {
    assert.deepEqual(Object.keys(open).sort(), [...KEYS].sort());
    assert.match(open.sid, /^[A-Za-z0-9_-]{20}$/);
    assert.deepEqual(open.upgrades, upgrades);
    assert.equal(open.pingInterval, 300);
    assert.equal(open.pingTimeout, 200);
    assert.equal(open.maxPayload, 1_000_000);
}

/** The cases that hold of both layers. @param {'engine' | 'socket'} mode @param {boolean} echoes */
export function transportCases(mode, echoes) {
    /** @param {any} t */
    const serve = (t) => startEcho(t, mode);

    test('1: a polling session opens', async (t) => {
        const server = await serve(t);
        const { status, body, headers } = await server.request('GET', { EIO: '4', transport: 'polling' });
        assert.equal(status, 200);
        assert.match(String(headers['content-type']), /^text\/plain; charset=UTF-8$/i);
        assert.equal(body[0], '0');
        assertOpen(JSON.parse(body.slice(1)), ['websocket']);
    });

    test('2: another version, or none, is refused', async (t) => {
        const server = await serve(t);
        for (const EIO of [undefined, 'abc', '3', '44', '']) {
            const { status, body } = await server.request('GET', { EIO, transport: 'polling' });
            assert.equal(status, 400);
            assert.deepEqual(JSON.parse(body), { code: 5, message: 'Unsupported protocol version' });
        }
    });

    test('3: another transport, or none, is refused', async (t) => {
        const server = await serve(t);
        for (const transport of [undefined, 'abc', 'webtransport', '']) {
            const { status, body } = await server.request('GET', { EIO: '4', transport });
            assert.equal(status, 400);
            assert.deepEqual(JSON.parse(body), { code: 0, message: 'Transport unknown' });
        }
    });

    test('4: a handshake by another method is refused', async (t) => {
        const server = await serve(t);
        for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
            const { status, body } = await server.request(method, { EIO: '4', transport: 'polling' }, { body: method === 'POST' ? '' : undefined });
            assert.equal(status, 400, method);
            assert.deepEqual(JSON.parse(body), { code: 2, message: 'Bad handshake method' }, method);
        }
        const head = await server.request('HEAD', { EIO: '4', transport: 'polling' });
        assert.equal(head.status, 400);
        assert.equal(head.body, '');
    });

    test('5: a WebSocket session opens', async (t) => {
        const server = await serve(t);
        const socket = server.socket();
        const first = String(await socket.next());
        assert.equal(first[0], '0');
        assertOpen(JSON.parse(first.slice(1)), []);
        socket.end();
    });

    test('6, 7: a WebSocket of another version or transport is refused', async (t) => {
        const server = await serve(t);
        for (const query of [{ transport: 'websocket' }, { EIO: 'abc', transport: 'websocket' }, { EIO: '4' }, { EIO: '4', transport: 'abc' }]) {
            const socket = server.socket(query);
            await socket.untilClosed();
            assert.equal(socket.status, 400, JSON.stringify(query));
            assert.deepEqual(socket.messages, []);
        }
    });

    test('17: a polling session is pinged, and stays when it answers', async (t) => {
        const server = await serve(t);
        const { sid } = await server.handshake();
        for (let n = 0; n < 3; n++) {
            const { status, body } = await server.poll(sid);
            assert.deepEqual([status, body], [200, '2']);
            assert.equal((await server.post(sid, '3')).status, 200);
        }
    });

    test('18: a polling session that answers no ping is gone', async (t) => {
        const server = await serve(t);
        const { sid } = await server.handshake();
        await delay(600); // its time is what this is about
        const { status, body } = await server.poll(sid);
        assert.equal(status, 400);
        assert.deepEqual(JSON.parse(body), { code: 1, message: 'Session ID unknown' });
    });

    test('19: a WebSocket session is pinged, and stays when it answers', async (t) => {
        const server = await serve(t);
        const socket = server.socket();
        await socket.next();
        for (let n = 0; n < 3; n++) {
            assert.equal(await socket.next(), '2');
            socket.send('3');
        }
        socket.end();
    });

    test('20: a WebSocket session that answers no ping is closed', async (t) => {
        const server = await serve(t);
        const socket = server.socket();
        const began = Date.now();
        await socket.untilClosed();
        assert.ok(Date.now() - began >= 450, 'not before its time');
    });

    test('21: a polling session closes when it says so', async (t) => {
        const server = await serve(t);
        const { sid } = await server.handshake();
        const held = server.poll(sid);
        await server.arrived(held);
        const closing = await server.post(sid, '1');
        assert.deepEqual([closing.status, closing.body], [200, 'ok']);
        const answer = await held;
        assert.deepEqual([answer.status, answer.body], [200, '6']);
        assert.equal((await server.poll(sid)).status, 400);
    });

    test('22: a WebSocket session closes when it says so', async (t) => {
        const server = await serve(t);
        const socket = server.socket();
        await socket.next();
        socket.send('1');
        await socket.untilClosed({ within: 400 });
    });

    test('23: a session moves from polling to WebSocket', async (t) => {
        const server = await serve(t);
        const { sid } = await server.handshake();
        const socket = server.socket({ EIO: '4', transport: 'websocket', sid });
        await new Promise((resolve) => socket.socket.once('open', resolve));
        socket.send('2probe');
        assert.equal(await socket.next(), '3probe');
        const { status, body } = await server.poll(sid);
        assert.deepEqual([status, body], [200, '6']);
        socket.send('5');
        if (echoes) {
            socket.send('4hello');
            assert.equal(await socket.next(), '4hello');
        } else {
            assert.equal(await socket.next(), '2');
        }
        socket.end();
    });

    test('24: after the move polling is refused and the WebSocket lives', async (t) => {
        const server = await serve(t);
        const { sid } = await server.handshake();
        const socket = server.socket({ EIO: '4', transport: 'websocket', sid });
        await new Promise((resolve) => socket.socket.once('open', resolve));
        socket.send('2probe');
        assert.equal(await socket.next(), '3probe');
        socket.send('5');
        await server.barrier();
        const { status, body } = await server.poll(sid);
        assert.ok((status === 400 && JSON.parse(body).code === 3) || body === '6', body);
        assert.equal((await server.poll(sid)).status, 400);
        if (echoes) {
            socket.send('4hello');
            assert.equal(await socket.next(), '4hello');
        } else {
            assert.equal(await socket.next(), '2');
        }
        socket.end();
    });

    test('25: a second WebSocket of a moved session is refused and the first lives', async (t) => {
        const server = await serve(t);
        const { sid } = await server.handshake();
        const socket = server.socket({ EIO: '4', transport: 'websocket', sid });
        await new Promise((resolve) => socket.socket.once('open', resolve));
        socket.send('2probe');
        assert.equal(await socket.next(), '3probe');
        socket.send('5');
        if (echoes) {
            socket.send('4there?');
            assert.equal(await socket.next(), '4there?');
        } else {
            assert.equal(await socket.next(), '2');
            socket.send('3');
        }
        const second = server.socket({ EIO: '4', transport: 'websocket', sid });
        await second.untilClosed();
        if (echoes) {
            socket.send('4hello');
            assert.equal(await socket.next(), '4hello');
        } else {
            assert.equal(await socket.next(), '2');
        }
        socket.end();
    });
}
