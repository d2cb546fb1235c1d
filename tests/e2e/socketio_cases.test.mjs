/**
 * Socket.IO, case by case: what the official suite of the protocol asks for, written anew, against our
 * implementation with an echo of three events on top. Its first sixteen cases are those of the
 * transport, once more at this layer.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startEcho } from './lib/echo.mjs';
import { transportCases } from './lib/engine_cases.mjs';

/** A WebSocket past the open packet. @param {any} t */
async function openSocket(t) {
    const server = await startEcho(t, 'socket');
    const socket = server.socket();
    assert.equal(String(await socket.next())[0], '0');
    return socket;
}

/** A CONNECT and its two answers. @param {any} socket @param {string} packet @param {string} namespace as it stands in a packet */
async function connect(socket, packet, namespace = '') {
    socket.send(packet);
    const answer = String(await socket.next());
    assert.ok(answer.startsWith(`40${namespace}{`), answer);
    assert.deepEqual(Object.keys(JSON.parse(answer.slice(2 + namespace.length))), ['sid']);
    return socket.next();
}

describe('Socket.IO', () => {
    transportCases('socket', false);

    describe('connect', () => {
        test('to the main namespace', async (t) => {
            const socket = await openSocket(t);
            assert.equal(await connect(socket, '40'), '42["auth",{}]');
        });

        test('to the main namespace, with what the token is in', async (t) => {
            const socket = await openSocket(t);
            assert.equal(await connect(socket, '40{"token":"123"}'), '42["auth",{"token":"123"}]');
        });

        for (const packet of ['40/custom,', '40/custom'])
            test(`to another namespace, as ${packet}`, async (t) => {
                const socket = await openSocket(t);
                assert.equal(await connect(socket, packet, '/custom,'), '42/custom,["auth",{}]');
            });

        test('to another namespace, with what the token is in', async (t) => {
            const socket = await openSocket(t);
            assert.equal(await connect(socket, '40/custom,{"token":"abc"}', '/custom,'), '42/custom,["auth",{"token":"abc"}]');
        });

        test('to one that there is not', async (t) => {
            const socket = await openSocket(t);
            socket.send('40/random');
            assert.equal(await socket.next(), '44/random,{"message":"Invalid namespace"}');
        });

        test('rubbish closes', async (t) => {
            const socket = await openSocket(t);
            socket.send('4abc');
            await socket.untilClosed({ within: 400 });
        });

        test('who joins no namespace is closed', async (t) => {
            const socket = await openSocket(t);
            const began = Date.now();
            for (;;) {
                const packet = await socket.next({ within: 2_000 }).catch(() => null);
                if (packet === null) break;
                if (packet === '2') socket.send('3'); // alive, only silent
            }
            await socket.untilClosed();
            assert.ok(Date.now() - began >= 900, 'it was given its time');
        });
    });

    describe('disconnect', () => {
        test('from the main namespace: nothing is answered', async (t) => {
            const socket = await openSocket(t);
            await connect(socket, '40');
            socket.send('41');
            assert.equal(await socket.next(), '2');
        });

        test('from another: the main one stays', async (t) => {
            const socket = await openSocket(t);
            await connect(socket, '40');
            await connect(socket, '40/custom', '/custom,');
            socket.send('41/custom');
            socket.send('42["message","message to main namespace"]');
            assert.equal(await socket.next(), '42["message-back","message to main namespace"]');
        });
    });

    describe('message', () => {
        test('of plain values', async (t) => {
            const socket = await openSocket(t);
            await connect(socket, '40');
            socket.send('42["message",1,"2",{"3":[true]}]');
            assert.equal(await socket.next(), '42["message-back",1,"2",{"3":[true]}]');
        });

        test('of bytes', async (t) => {
            const socket = await openSocket(t);
            await connect(socket, '40');
            socket.send('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
            socket.send(Buffer.from([1, 2, 3]));
            socket.send(Buffer.from([4, 5, 6]));
            assert.equal(await socket.next(), '452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
            assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3]));
            assert.deepEqual(await socket.next(), Buffer.from([4, 5, 6]));
        });

        test('of plain values, acknowledged', async (t) => {
            const socket = await openSocket(t);
            await connect(socket, '40');
            socket.send('42456["message-with-ack",1,"2",{"3":[false]}]');
            assert.equal(await socket.next(), '43456[1,"2",{"3":[false]}]');
        });

        test('of bytes, acknowledged', async (t) => {
            const socket = await openSocket(t);
            await connect(socket, '40');
            socket.send('452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
            socket.send(Buffer.from([1, 2, 3]));
            socket.send(Buffer.from([4, 5, 6]));
            assert.equal(await socket.next(), '462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
            assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3]));
            assert.deepEqual(await socket.next(), Buffer.from([4, 5, 6]));
        });

        for (const bad of ['4abc', '42{}', '42abc["message-with-ack",1,"2",{"3":[false]}]',
                           // what the official suite leaves out
                           '42[]', '42[{}]', '42["message"', '42["connect"]', '42["disconnect",1]', '42["newListener"]', '40', '44{"message":"no"}',
                           '41{}', '42/custom,["message"]', '4511-["message"]', '45-["message"]', '451["message"]', '40[]', '40"x"', '4',
                           '47', '421234567890123456789012["message"]'])
            test(`${bad} closes`, async (t) => {
                const socket = await openSocket(t);
                await connect(socket, '40');
                socket.send(bad);
                await socket.untilClosed({ within: 400 });
            });

        test('text while bytes are missing closes', async (t) => {
            const socket = await openSocket(t);
            await connect(socket, '40');
            socket.send('451-["message",{"_placeholder":true,"num":0}]');
            socket.send('42["message",1]');
            await socket.untilClosed({ within: 400 });
        });

        test('bytes that nobody announced close', async (t) => {
            const socket = await openSocket(t);
            await connect(socket, '40');
            socket.send(Buffer.from([1]));
            await socket.untilClosed({ within: 400 });
        });
    });
});
