/**
 * The plain HTTP side of the public listener, as clients, browsers and attackers meet it: CORS also on
 * errors, connections used again, requests held without cost, bodies with a ceiling, sockets that drip,
 * leave, or say two things at once.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { certificate } from './lib/bridge.mjs';
import { addClient } from './lib/business.mjs';
import { Issuer } from './lib/tokens.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';
import { HandshakeRefused, WsClient, dial } from './lib/wsclient.mjs';

const world = new World();
const ORIGIN = 'https://app.example.fr';
const COMPANY = '1';

/** Plain TCP, or TLS as it ships. */
const PLAIN = { listen: { tls: 'off', certificate: null, private_key: null } };

/** @typedef {{status: number, headers: http.IncomingHttpHeaders, body: string, socket: any}} Answer */

/**
 * One request through node's own client.
 * @param {import('./lib/bridge.mjs').Bridge} bridge
 * @param {string} path
 * @param {{method?: string, headers?: Record<string, string>, body?: string, agent?: any}} [options]
 * @returns {Promise<Answer>}
 */
function ask(bridge, path, { method = 'GET', headers = {}, body, agent = false } = {}) {
    const { port, ca } = bridge.target;
    return new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port, path, method, headers, agent, timeout: 20_000 };
        const take = (/** @type {http.IncomingMessage} */ answer) => {
            let text = '';
            const { socket } = answer;
            answer.setEncoding('utf8').on('data', (part) => (text += part));
            answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text, socket }));
            answer.on('error', reject);
        };
        const request = ca ? https.request({ ...options, ca, servername: 'localhost' }, take) : http.request(options, take);
        request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer`)));
        request.on('error', reject);
        request.end(body);
    });
}

/** @param {Record<string, unknown>} options */
const agentFor = (bridge, options) => (bridge.target.ca ? new https.Agent(options) : new http.Agent(options));

const bearer = (ttl = 900) => ({ authorization: `Bearer ${world.token({ company: COMPANY, ttl })}` });

/** The text of a request. @param {string} path @param {Record<string, string>} [headers] */
function text(path, headers = {}, { method = 'GET', body = '' } = {}) {
    const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** User and system time of the bridge so far, in ticks of 10 ms. */
function ticks(bridge) {
    const fields = fs.readFileSync(`/proc/${bridge.process.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return Number(fields[11]) + Number(fields[12]);
}

/** What the bridge burns in two seconds. */
async function burnt(bridge) {
    const before = ticks(bridge);
    await sleep(2000);
    return ticks(bridge) - before;
}

const sessions = async (bridge) =>
    await bridge.metric('vigie_sessions', { state: 'live' }) + await bridge.metric('vigie_sessions', { state: 'catching_up' });

/** @param {Awaited<ReturnType<typeof dial>>} wire @param {string} needle */
const until = (wire, needle, within = 10_000) =>
    wire.signal.until(() => wire.bytes().includes(needle), { within, what: JSON.stringify(needle), state: () => wire.bytes().toString().slice(-500) });

/** A cursor to go on from. */
async function cursorOf(bridge) {
    const answer = await ask(bridge, '/poll', { headers: bearer() });
    assert.equal(answer.status, 200, answer.body);
    return JSON.parse(answer.body).cursor;
}

describe('what every answer says to a browser', () => {
    test('the origin is allowed on answers and on errors alike', async (t) => {
        const { bridge } = await world.enter(t);
        const cases = [
            ['/poll', {}, 200], ['/poll', { authorization: 'Bearer nonsense' }, 401], ['/poll', { authorization: 'Basic xxx' }, 401],
            ['/poll?cursor=a&cursor=b', {}, 400], ['/events?token=x', {}, 400],
        ];
        for (const [path, headers, status] of cases) {
            const answer = await ask(bridge, path, { headers: { ...bearer(), origin: ORIGIN, ...headers } });
            assert.equal(answer.status, status, `${path}: ${answer.body}`);
            assert.equal(answer.headers['access-control-allow-origin'], ORIGIN, path);
            assert.equal(answer.headers['access-control-allow-credentials'], 'true', path);
            assert.equal(answer.headers.vary, 'Origin', path);
            assert.equal(answer.headers['x-content-type-options'], 'nosniff', path);
            assert.equal(answer.headers['cache-control'], 'no-store', path);
            assert.equal(answer.headers['www-authenticate'], status === 401 ? 'Bearer' : undefined, path);
        }
    });

    test('another origin is refused, and not told why', async (t) => {
        const { bridge } = await world.enter(t);
        for (const path of ['/events', '/poll', '/ticket']) {
            const answer = await ask(bridge, path, { method: path === '/ticket' ? 'POST' : 'GET', headers: { ...bearer(), origin: 'https://evil.example' } });
            assert.equal(answer.status, 403, path);
            assert.equal(answer.headers['access-control-allow-origin'], undefined, path);
            assert.equal(answer.headers.connection, 'close', path);
        }
        assert.equal((await ask(bridge, enginePath(''), { headers: { origin: 'https://evil.example' } })).status, 403);
        await bridge.event('handshake_refused', { fields: { reason: 'origin' } });
        assert.equal(await bridge.metric('vigie_handshakes_refused_total', { reason: 'origin' }), 4);
        assert.equal(await bridge.metric('vigie_engine_errors_total', { error: 'forbidden' }), 1);
    });

    test('a preflight says what may be sent, and needs no token', async (t) => {
        const { bridge } = await world.enter(t);
        for (const [path, methods] of [['/events', 'GET'], ['/poll', 'GET'], ['/ticket', 'POST']]) {
            const answer = await ask(bridge, path, { method: 'OPTIONS', headers: { origin: ORIGIN, 'access-control-request-method': 'GET' } });
            assert.equal(answer.status, 204);
            assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
            assert.equal(answer.headers['access-control-allow-methods'], methods);
            assert.equal(answer.headers['access-control-allow-headers'], 'authorization, content-type, last-event-id, cache-control');
            assert.equal(answer.headers['access-control-max-age'], '7200');
        }
    });

    test('a method that has no meaning is answered, and a HEAD has no body', async (t) => {
        const { bridge } = await world.enter(t);
        for (const method of ['PUT', 'DELETE', 'PATCH', 'POST']) {
            const answer = await ask(bridge, '/poll', { method, headers: { ...bearer(), 'content-length': '0' } });
            assert.equal(answer.status, 405, method);
            assert.equal(answer.headers.allow, 'GET', method);
        }
        const wire = await dial(bridge.target);
        wire.write(text('/poll', { ...bearer() }, { method: 'HEAD' }) + text('/ticket', { ...bearer(), 'Content-Length': '0' }, { method: 'POST' }));
        await until(wire, '"ticket"');
        assert.match(wire.bytes().toString(), /^HTTP\/1.1 405 [^{]*HTTP\/1.1 200 OK/s);
        wire.destroy();
    });
});

describe('a connection', () => {
    test('serves one request after another', async (t) => {
        const { bridge } = await world.enter(t);
        const agent = agentFor(bridge, { keepAlive: true, maxSockets: 1 });
        const ports = new Set();
        for (let i = 0; i < 20; i++) {
            const answer = await ask(bridge, i % 2 ? '/ticket' : '/poll', { method: i % 2 ? 'POST' : 'GET', headers: bearer(), agent, body: i % 4 === 1 ? 'ignored' : undefined });
            assert.equal(answer.status, 200);
            ports.add(answer.socket.localPort);
        }
        assert.ok(ports.size < 20 / 2, `${ports.size} connections for 20 requests`);
        agent.destroy();
    });

    test('is closed when the client asks for it, and says so', async (t) => {
        const { bridge } = await world.enter(t);
        for (const connection of ['close', 'Close, TE']) {
            const wire = await dial(bridge.target);
            wire.write(text('/poll', { ...bearer(), Connection: connection }));
            await wire.untilEnded();
            assert.match(wire.bytes().toString(), /connection: close\r\n/);
            assert.match(wire.bytes().toString(), /"cursor"/);
        }
    });

    test('answers requests that were sent in one go, in their order', async (t) => {
        const { bridge, business } = await world.enter(t);
        const cursor = await cursorOf(bridge);
        const wire = await dial(bridge.target);
        wire.write(text('/ticket', { ...bearer(), 'Content-Length': '0' }, { method: 'POST' }) + text(`/poll?cursor=${cursor}`, bearer())
            + text('/poll', bearer()) + text('/poll', { ...bearer(), Connection: 'close' }));
        await until(wire, '"ticket"');
        await addClient(business, Number(COMPANY), 'pipelined');
        await wire.untilEnded();
        const bodies = wire.bytes().toString().split('\r\n\r\n').slice(1);
        assert.match(bodies[0], /^\{"ticket"/);
        assert.match(bodies[1], /pipelined/);
        assert.match(bodies[2], /^\{"events":\[\]/);
        assert.match(bodies[3], /^\{"events":\[\]/);
    });

    test('is closed after a token that does not hold', async (t) => {
        const { bridge } = await world.enter(t);
        const wire = await dial(bridge.target);
        wire.write(text('/poll', { Authorization: 'Bearer x' }));
        await wire.untilEnded();
        assert.match(wire.bytes().toString(), /^HTTP\/1.1 401 .*connection: close\r\n/s);
    });

    test('that the client closed on its side is still answered, if the answer is there at once', async (t) => {
        for (const config of [{}, PLAIN]) {
            const { bridge } = await world.enter(t, { config });
            const wire = await dial(bridge.target);
            wire.socket.end(text('/ticket', { ...bearer(), 'Content-Length': '0' }, { method: 'POST' }));
            await wire.untilEnded();
            assert.match(wire.bytes().toString(), /\{"ticket":"/);
            const idle = await dial(bridge.target);
            idle.write(text('/ticket', { ...bearer(), 'Content-Length': '0' }, { method: 'POST' }));
            await until(idle, '"ticket"');
            idle.socket.end();
            await idle.untilEnded();
            assert.ok(await burnt(bridge) < 5);
        }
    });

    test('is cut when a second request drips in, as a first one is', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { header_timeout: '1s' } } });
        const wire = await dial(bridge.target);
        wire.write(text('/poll', bearer()));
        await until(wire, '"cursor"');
        const started = performance.now();
        const slowly = [...text('/poll', { ...bearer(), 'X-Long': 'x'.repeat(500) })];
        const drip = setInterval(() => wire.write(slowly.shift() ?? ''), 100);
        await wire.untilEnded({ within: 5000 });
        clearInterval(drip);
        assert.ok(performance.now() - started < 3000);
    });

    test('is cut when a body drips in', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { header_timeout: '1s' } } });
        const wire = await dial(bridge.target);
        wire.write(text('/ticket', { ...bearer(), 'Content-Length': '1000' }, { method: 'PUT' }));
        const drip = setInterval(() => wire.write('x'), 100);
        await wire.untilEnded({ within: 5000 });
        clearInterval(drip);
    });

    test('a body that cannot be framed is refused', async (t) => {
        const { bridge } = await world.enter(t);
        const cases = [
            [{ 'Content-Length': '-5' }, 400], [{ 'Content-Length': '1, 2' }, 400], [{ 'Content-Length': '99999999999999999999' }, 400],
            [{ 'Transfer-Encoding': 'chunked' }, 411], [{}, 411],
        ];
        for (const [headers, status] of cases) {
            const wire = await dial(bridge.target);
            wire.write(text('/ticket', { ...bearer(), ...headers }, { method: 'POST' }));
            await until(wire, '\r\n\r\n');
            assert.match(wire.bytes().toString(), new RegExp(`^HTTP/1.1 ${status} `), JSON.stringify(headers));
            assert.match(wire.bytes().toString(), /connection: close/);
            wire.destroy();
        }
    });
});

for (const [name, config] of [['over TLS', {}], ['in the clear', PLAIN]]) {
    describe(`a client that leaves, ${name}`, () => {
        test('a held poll whose client left costs nothing', async (t) => {
            const { bridge } = await world.enter(t, { config });
            const cursor = await cursorOf(bridge);
            const wires = await Promise.all(Array.from({ length: 5 }, () => dial(bridge.target)));
            for (const wire of wires) wire.write(text(`/poll?cursor=${cursor}`, bearer()));
            await poll(async () => await sessions(bridge) === 5, { what: 'five held polls' });
            const held = await burnt(bridge);
            assert.ok(held < 5, `${held} ticks while held`);
            for (const wire of wires.slice(0, 3)) wire.socket.end();
            for (const wire of wires.slice(3)) wire.destroy();
            const left = await burnt(bridge);
            assert.ok(left < 5, `${left} ticks after they left`);
            assert.equal(await sessions(bridge), 0);
        });

        test('a stream whose client left costs nothing', async (t) => {
            const { bridge } = await world.enter(t, { config });
            const wires = await Promise.all(Array.from({ length: 5 }, () => dial(bridge.target)));
            for (const wire of wires) wire.write(text('/events', bearer()));
            for (const wire of wires) await until(wire, 'vigie:ready');
            const held = await burnt(bridge);
            assert.ok(held < 5, `${held} ticks while open`);
            for (const wire of wires.slice(0, 3)) wire.socket.end();
            for (const wire of wires.slice(3)) wire.destroy();
            const left = await burnt(bridge);
            assert.ok(left < 5, `${left} ticks after they left`);
            assert.equal(await sessions(bridge), 0);
        });

        test('a polling engine whose client left costs nothing, and is closed', async (t) => {
            const { bridge } = await world.enter(t, { config });
            const sids = await Promise.all(Array.from({ length: 5 }, () => enterEngine(bridge)));
            const wires = await Promise.all(sids.map(() => dial(bridge.target)));
            wires.forEach((wire, i) => wire.write(text(enginePath(sids[i]))));
            const held = await burnt(bridge);
            assert.ok(held < 5, `${held} ticks while held`);
            assert.equal(await engines(bridge), 5);
            for (const wire of wires.slice(0, 3)) wire.socket.end();
            for (const wire of wires.slice(3)) wire.destroy();
            const left = await burnt(bridge);
            assert.ok(left < 5, `${left} ticks after they left`);
            assert.equal(await engines(bridge), 0);
        });

        test('a client that goes on talking while it should wait is cut, and costs nothing', async (t) => {
            const { bridge } = await world.enter(t, { config });
            const cursor = await cursorOf(bridge);
            for (const path of [`/poll?cursor=${cursor}`, '/events']) {
                const wire = await dial(bridge.target);
                wire.write(text(path, bearer()));
                await poll(async () => await sessions(bridge) === 1, { what: 'a held request' });
                wire.write('more');
                await wire.untilEnded();
                await poll(async () => await sessions(bridge) === 0, { what: 'its end' });
            }
        });

        test('what was said in one go with a held request costs nothing either', async (t) => {
            const { bridge } = await world.enter(t, { config });
            const cursor = await cursorOf(bridge);
            const wires = [];
            for (const path of [`/poll?cursor=${cursor}`, '/events']) {
                const wire = await dial(bridge.target);
                wires.push(wire);
                wire.write(text('/poll', bearer()) + text(path, bearer()) + text(path, bearer()) + 'GET /');
            }
            await poll(async () => await sessions(bridge) === 2, { what: 'two held requests' });
            const held = await burnt(bridge);
            assert.ok(held < 5, `${held} ticks`);
            for (const wire of wires) wire.destroy();
            await poll(async () => await sessions(bridge) === 0, { what: 'their end' });
        });
    });
}

describe('events', () => {
    test('come over a stream, with where to go on', async (t) => {
        const { bridge, business } = await world.enter(t);
        const wire = await dial(bridge.target);
        wire.write(text('/events', { ...bearer(), Origin: ORIGIN }));
        await until(wire, 'vigie:ready');
        const head = wire.bytes().toString().split('\r\n\r\n')[0];
        assert.match(head, /content-type: text\/event-stream/);
        assert.match(head, /connection: close/);
        assert.doesNotMatch(head, /content-length/i);
        assert.match(wire.bytes().toString(), /\r\n\r\nretry: 2000\n/);
        await addClient(business, Number(COMPANY), 'over the stream');
        await until(wire, 'over the stream');
        const id = wire.bytes().toString().match(/id: (\S+)\nevent: client:created/)?.[1];
        assert.ok(id, wire.bytes().toString());
        wire.destroy();
        await addClient(business, Number(COMPANY), 'while away');
        const again = await dial(bridge.target);
        again.write(text('/events?last_event_id=nonsense', { ...bearer(), 'Last-Event-ID': id }));
        await until(again, 'while away');
        assert.doesNotMatch(again.bytes().toString(), /over the stream|vigie:gap/);
        again.destroy();
    });

    test('come to a poll that waits', async (t) => {
        const { bridge, business } = await world.enter(t);
        const cursor = await cursorOf(bridge);
        const waiting = ask(bridge, `/poll?cursor=${cursor}`, { headers: bearer() });
        await poll(async () => await sessions(bridge) === 1, { what: 'a held poll' });
        await addClient(business, Number(COMPANY), 'polled');
        const answer = await waiting;
        const { events, cursor: next } = JSON.parse(answer.body);
        assert.deepEqual(events.map((event) => event.data.name), ['polled']);
        assert.notEqual(next, cursor);
    });

    test('a poll is answered empty when it was held long enough', async (t) => {
        const { bridge } = await world.enter(t, { config: { streams: { poll_hold: '300ms' } } });
        const cursor = await cursorOf(bridge);
        const answer = await ask(bridge, `/poll?cursor=${cursor}`, { headers: bearer() });
        assert.equal(answer.status, 200);
        assert.deepEqual(JSON.parse(answer.body).events, []);
    });

    test('a ticket opens one stream, once', async (t) => {
        const { bridge } = await world.enter(t);
        const answer = await ask(bridge, '/ticket', { method: 'POST', headers: { ...bearer(), 'content-length': '0' } });
        const { ticket, expires_in: expiresIn } = JSON.parse(answer.body);
        assert.equal(expiresIn, 30);
        const wire = await dial(bridge.target);
        wire.write(text(`/events?ticket=${ticket}`));
        await until(wire, 'vigie:ready');
        const second = await ask(bridge, `/events?ticket=${ticket}`);
        assert.equal(second.status, 401);
        wire.destroy();
        assert.ok(!bridge.lines.join('\n').includes(ticket), 'the ticket is in the log');
    });

    test('a token that ends ends the stream with a word, and a poll with 401', async (t) => {
        const strict = new Issuer({ name: 'main', key: world.issuer.key, extra: { leeway: '0s' } });
        const { bridge } = await world.enter(t, { issuers: [strict] });
        const cursor = await cursorOf(bridge);
        const wire = await dial(bridge.target);
        const headers = bearer(2);
        wire.write(text('/events', headers));
        const waiting = ask(bridge, `/poll?cursor=${cursor}`, { headers });
        await wire.untilEnded({ within: 60_000 });
        assert.match(wire.bytes().toString(), /event: vigie:close\ndata: \{"code":4440,"reason":"token_expired"\}\n\n$/);
        assert.equal((await waiting).status, 401);
    });

    test('a slow reader of a stream is choked, catches up, and misses nothing', async (t) => {
        const { bridge, business } = await world.enter(t, { config: { limits: { queue_bytes: '64KiB', slow_timeout: '5s' } } });
        const wire = await dial(bridge.target);
        wire.write(text('/events', bearer()));
        await until(wire, 'vigie:ready');
        wire.socket.pause();
        await business.query(`INSERT INTO public.clients (company_id, name, type)
            SELECT $1, 'n' || g || repeat('x', 3000), 'particulier' FROM generate_series(1, 2000) g`, [Number(COMPANY)]);
        await poll(async () => await bridge.metric('vigie_queue_overflows_total') >= 1, { within: 20_000, what: 'a full queue' });
        const held = await burnt(bridge);
        assert.ok(held < 20, `${held} ticks while choked`);
        wire.socket.resume();
        await until(wire, 'n2000x', 30_000);
        const names = [...wire.bytes().toString().matchAll(/"n(\d+)x/g)].map(([, n]) => Number(n));
        assert.deepEqual(names, Array.from({ length: 2000 }, (_, i) => i + 1));
        await sleep(6500); // one that reads again is no slow reader any more
        assert.equal(wire.ended, false, wire.bytes().toString().slice(-300));
        wire.destroy();
    });
});

/** The path of a polling request. @param {string} [sid] */
const enginePath = (sid, more = '') => `/socket.io/?EIO=4&transport=polling${sid ? `&sid=${sid}` : ''}${more}`;

/** Opens an engine by polling; nobody is known yet. */
async function openEngine(bridge, options = {}) {
    const answer = await ask(bridge, enginePath(), options);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
    return JSON.parse(answer.body.slice(1)).sid;
}

/** And says who it is; waits until it is let in. */
async function enterEngine(bridge, options = {}) {
    const sid = await openEngine(bridge, options);
    const token = world.token({ company: COMPANY });
    const said = await ask(bridge, enginePath(sid), { ...options, method: 'POST', body: `40${JSON.stringify({ token })}`, headers: { ...options.headers, 'content-type': 'text/plain;charset=UTF-8' } });
    assert.deepEqual([said.status, said.body], [200, 'ok']);
    const heard = await ask(bridge, enginePath(sid), options);
    assert.match(heard.body, /^40\{"sid":/);
    return sid;
}

const engines = (bridge, transport = 'polling') => bridge.metric('vigie_engines', { transport });
/** A path and what it must answer. @type {[string, string, number, number | null][]} */
const ENGINE_ERRORS = [
    ['GET', '/socket.io/?EIO=4', 400, 0], ['GET', '/socket.io/?EIO=4&transport=x', 400, 0],
    ['GET', enginePath('AAAAAAAAAAAAAAAAAAAA'), 400, 1], ['POST', enginePath('AAAAAAAAAAAAAAAAAAAA'), 400, 1],
    ['POST', enginePath(), 400, 2], ['PUT', enginePath(), 400, 2], ['DELETE', enginePath(), 400, 2],
    ['GET', '/socket.io/?EIO=4&transport=websocket', 400, 3], ['GET', enginePath(undefined, '&token=x'), 400, 3],
    ['GET', '/socket.io/?EIO=3&transport=polling', 400, 5], ['GET', '/socket.io?EIO=3&transport=polling', 400, 5],
];

describe('an engine by polling', () => {
    test('errors are those of the protocol, and a page may read them', async (t) => {
        const { bridge } = await world.enter(t);
        const agent = agentFor(bridge, { keepAlive: true, maxSockets: 1 });
        for (const [method, path, status, code] of ENGINE_ERRORS) {
            const body = method === 'POST' || method === 'PUT' ? '40' : undefined;
            const answer = await ask(bridge, path, { method, body, agent, headers: { origin: ORIGIN } });
            assert.equal(answer.status, status, `${method} ${path}`);
            assert.equal(JSON.parse(answer.body).code, code, `${method} ${path}`);
            assert.equal(answer.headers['content-type'], 'application/json');
            assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
        }
        agent.destroy();
        const evil = await ask(bridge, enginePath(), { headers: { origin: 'https://evil.example' } });
        assert.equal(evil.status, 403);
        assert.equal(JSON.parse(evil.body).code, 4);
        assert.equal(evil.headers['access-control-allow-origin'], undefined);
        assert.equal(await bridge.metric('vigie_engine_errors_total'), ENGINE_ERRORS.length + 1);
    });

    test('a preflight allows the headers that a page asks for, if they can be headers', async (t) => {
        const { bridge } = await world.enter(t);
        for (const [asked, allowed] of [['x-mine, Authorization', 'x-mine, Authorization'], ['x"y', 'authorization, content-type, last-event-id, cache-control']]) {
            const answer = await ask(bridge, enginePath(), { method: 'OPTIONS', headers: { origin: ORIGIN, 'access-control-request-headers': asked } });
            assert.equal(answer.status, 204);
            assert.equal(answer.headers['access-control-allow-methods'], 'GET, POST');
            assert.equal(answer.headers['access-control-allow-headers'], allowed);
        }
    });

    test('lives over one connection that is used again and again', async (t) => {
        const { bridge, business } = await world.enter(t);
        const agent = agentFor(bridge, { keepAlive: true, maxSockets: 1 });
        const sid = await enterEngine(bridge, { agent });
        const ports = new Set();
        for (let i = 0; i < 10; i++) {
            await addClient(business, Number(COMPANY), `turn ${i}`);
            const answer = await ask(bridge, enginePath(sid), { agent });
            assert.match(answer.body, new RegExp(`turn ${i}`));
            ports.add(answer.socket.localPort);
        }
        assert.equal(ports.size, 1);
        assert.equal((await ask(bridge, enginePath(sid), { agent, method: 'POST', body: '1' })).body, 'ok');
        assert.equal((await ask(bridge, enginePath(sid), { agent })).status, 400);
        assert.equal(await engines(bridge), 0);
        agent.destroy();
    });

    test('closes each connection whose client asks for it', async (t) => {
        const { bridge } = await world.enter(t);
        const sid = await enterEngine(bridge, { headers: { connection: 'close' } });
        assert.equal((await ask(bridge, enginePath(sid), { method: 'POST', body: '3', headers: { connection: 'close' } })).headers.connection, 'close');
    });

    test('a body that is too long is refused, and the engine lives', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { message_bytes: '2KiB' } } });
        const sid = await enterEngine(bridge);
        for (const length of [2049, 5000, 300_000]) {
            const answer = await ask(bridge, enginePath(sid), { method: 'POST', body: `42["${'x'.repeat(length - 6)}"]`, headers: { origin: ORIGIN } });
            assert.equal(answer.status, 413, String(length));
            assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
        }
        const fits = await ask(bridge, enginePath(sid), { method: 'POST', body: `42["${'x'.repeat(2042)}"]` });
        assert.deepEqual([fits.status, fits.body], [200, 'ok']);
        const wire = await dial(bridge.target);
        wire.write(text(enginePath(sid), { 'Content-Length': '10000000000' }, { method: 'POST' }));
        await until(wire, 'HTTP/1.1 413');
        wire.destroy();
        assert.equal(await engines(bridge), 1);
    });

    test('requests sent in one go are answered in their order', async (t) => {
        const { bridge, business } = await world.enter(t);
        const sid = await enterEngine(bridge);
        const wire = await dial(bridge.target);
        wire.write(text(enginePath(sid), { 'Content-Length': '7' }, { method: 'POST', body: '42["a"]' }) + text(enginePath(sid))
            + text(enginePath(undefined, '&x=1'), { Connection: 'close' }));
        await until(wire, 'ok');
        await addClient(business, Number(COMPANY), 'in one go');
        await wire.untilEnded();
        assert.match(wire.bytes().toString(), /\r\n\r\nok.*in one go.*\r\n\r\n0\{"sid"/s);
    });

    // libwebsockets 4.1.6 takes the headers of such a request for its body, and its loop for an endless one.
    test('a body sent in one go with the request before it is not read: the connection ends there', async (t) => {
        for (const config of [{}, PLAIN]) {
            const { bridge } = await world.enter(t, { config });
            const sid = await enterEngine(bridge);
            const post = (/** @type {string} */ body) => text(enginePath(sid), { 'Content-Length': String(body.length) }, { method: 'POST', body });
            for (const ending of [false, true]) {
                for (const [first, second] of [[text(enginePath()), post('3')], [post('3'), post('42["a"]')], [text(enginePath()), post('3') + post('3')],
                                               [text('/poll', bearer()), text('/ticket', { 'Content-Length': '100000' }, { method: 'PUT' })]]) {
                    const wire = await dial(bridge.target);
                    wire.write(first + second);
                    if (ending) wire.socket.end();
                    await wire.untilEnded();
                    assert.equal(wire.bytes().toString().split('HTTP/1.1 ').length, 2, wire.bytes().toString());
                }
            }
            assert.ok(await engines(bridge) >= 1);
            assert.equal((await ask(bridge, enginePath(sid), { method: 'POST', body: '3' })).body, 'ok');
        }
    });

    test('a second GET ends both, a second POST cuts the first', async (t) => {
        const { bridge } = await world.enter(t);
        const sid = await enterEngine(bridge);
        const first = ask(bridge, enginePath(sid));
        await sleep(100);
        const second = await ask(bridge, enginePath(sid));
        assert.equal(second.status, 400);
        assert.deepEqual([(await first).status, (await first).body], [200, '1']);
        const other = await enterEngine(bridge);
        const wire = await dial(bridge.target);
        wire.write(text(enginePath(other), { 'Content-Length': '10' }, { method: 'POST', body: '42["a' }));
        await sleep(100);
        assert.equal((await ask(bridge, enginePath(other), { method: 'POST', body: '3' })).status, 400);
        await wire.untilEnded();
        assert.equal(wire.bytes().length, 0);
        assert.equal(await engines(bridge), 0);
    });

    test('is refused with 503 while the database is not there', async (t) => {
        const database = { url: () => 'postgresql://vigie_bridge@/none?host=/nowhere' };
        const bridge = await world.bridge(t, { database, awaitReady: false });
        const answer = await ask(bridge, enginePath(), { headers: { origin: ORIGIN } });
        assert.equal(answer.status, 503);
        assert.equal(JSON.parse(answer.body).code, 6);
        assert.ok(Number(answer.headers['retry-after']) > 0);
        assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
    });

    test('a thousand that were opened and left are forgotten', async (t) => {
        const { bridge } = await world.enter(t, { config: { heartbeat: { interval: '1s', timeout: '1s' }, limits: { unauthenticated: 2000, sessions: 3000, auth_timeout: '2s' } } });
        const agent = agentFor(bridge, { keepAlive: true, maxSockets: 8 });
        await Promise.all(Array.from({ length: 1000 }, () => openEngine(bridge, { agent })));
        assert.ok(await engines(bridge) > 0);
        agent.destroy();
        await poll(async () => await engines(bridge) === 0, { within: 20_000, what: 'none of them' });
        await poll(async () => await bridge.metric('vigie_sessions', { state: 'accepted' }) === 0, { what: 'no session' });
    });

    test('one that is known does not count as a stranger, over all its connections', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { unauthenticated: 3 } } });
        const held = [];
        for (let i = 0; i < 6; i++) {
            const agent = agentFor(bridge, { keepAlive: true, maxSockets: 1 });
            const sid = await enterEngine(bridge, { agent });
            held.push(ask(bridge, enginePath(sid), { agent }).catch(() => {}), () => agent.destroy());
            await poll(async () => await engines(bridge) === i + 1, { what: 'one more' });
        }
        for (const end of held) if (typeof end === 'function') end();
    });
});

describe('an engine by WebSocket', () => {
    test('a refused upgrade says why', async (t) => {
        const { bridge } = await world.enter(t);
        const cases = /** @type {[string, Record<string, any>, number, number | undefined][]} */ ([
            ['/socket.io/?EIO=4&transport=websocket', { Origin: 'https://evil.example' }, 403, 4],
            ['/socket.io/?EIO=3&transport=websocket', {}, 400, 5],
            ['/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA', {}, 400, 1],
            ['/socket.io/?EIO=4&transport=polling', {}, 400, 3],
            ['/socket.io/?EIO=4', {}, 400, 0],
            ['/socket.io/?EIO=4&transport=websocket&access_token=x', {}, 400, undefined],
            ['/socket.io/?EIO=4&transport=websocket', { 'Sec-WebSocket-Version': '8' }, 426, undefined],
        ]);
        for (const [path, headers, status, code] of cases) {
            const error = await WsClient.open({ ...bridge.target, path, headers: { 'Sec-WebSocket-Protocol': null, ...headers } }).then(() => null, (caught) => caught);
            assert.ok(error instanceof HandshakeRefused, `${path}: ${error}`);
            assert.equal(error.status, status, path);
            if (status === 426) assert.deepEqual([error.headers.get('upgrade'), error.headers.get('sec-websocket-version')], ['websocket', '13']);
            assert.doesNotMatch(error.text, /<html/i, path);
            if (code !== undefined) assert.equal(JSON.parse(error.text.split('\r\n\r\n')[1].split('}')[0] + '}').code, code, path);
        }
        assert.equal(await bridge.metric('vigie_engine_errors_total'), 5, 'each counted once');
        const plain = await ask(bridge, '/ws');
        assert.deepEqual([plain.status, plain.headers.upgrade, plain.body], [426, 'websocket', 'this is a WebSocket']);
    });

    test('pongs that nobody asked for have their price', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { messages_per_second: 5 } } });
        const socket = await WsClient.open({ ...bridge.target, path: '/socket.io/?EIO=4&transport=websocket', headers: { 'Sec-WebSocket-Protocol': null } });
        for (let n = 0; n < 200 && !socket.close; n++) socket.sendFrame({ opcode: 10, payload: 'x' });
        assert.equal((await socket.untilClose()).code, 4429);
    });

    test('a message that is too long ends it with 1009, many empty frames with 4429, a binary one is taken', async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { message_bytes: '2KiB' } } });
        const open = async () => {
            const client = await WsClient.open({ ...bridge.target, path: '/socket.io/?EIO=4&transport=websocket', headers: { 'Sec-WebSocket-Protocol': null } });
            await client.signal.until(() => client.frames.length, { what: 'the open packet' });
            assert.match(client.frames[0].payload.toString(), /^0\{"sid":"[A-Za-z0-9_-]{20}","upgrades":\[\],/);
            return client;
        };
        const long = await open();
        long.sendFrame({ payload: 'x'.repeat(2049) });
        assert.equal((await long.untilClose()).code, 1009);
        const empty = await open();
        empty.sendFrame({ opcode: 1, fin: false, payload: '' });
        for (let i = 0; i < 2000; i++) empty.sendFrame({ opcode: 0, fin: false, payload: '' });
        assert.equal((await empty.untilClose()).code, 4429);
        const binary = await open();
        binary.send(`40${JSON.stringify({ token: world.token({ company: COMPANY }) })}`);
        await binary.signal.until(() => binary.frames.length > 1, { what: 'CONNECT' });
        binary.send('451-0["up",{"_placeholder":true,"num":0}]');
        binary.sendFrame({ opcode: 2, payload: Buffer.alloc(1000) });
        await binary.signal.until(() => binary.frames.some((frame) => frame.payload.toString().startsWith('430[')), { what: 'an acknowledgement' });
        await binary.bye();
        await poll(async () => await engines(bridge, 'websocket') === 0, { what: 'no engine' });
    });

    test('a slow reader is choked, catches up, and misses nothing', async (t) => {
        const { bridge, business } = await world.enter(t, { config: { limits: { queue_bytes: '64KiB' }, heartbeat: { interval: '30s', timeout: '30s' } } });
        const client = await WsClient.open({ ...bridge.target, path: '/socket.io/?EIO=4&transport=websocket', headers: { 'Sec-WebSocket-Protocol': null } });
        client.send(`40${JSON.stringify({ token: world.token({ company: COMPANY }) })}`);
        await client.signal.until(() => client.frames.length > 1, { what: 'CONNECT' });
        client.pause();
        await business.query(`INSERT INTO public.clients (company_id, name, type)
            SELECT $1, 'n' || g || repeat('x', 3000), 'particulier' FROM generate_series(1, 2000) g`, [Number(COMPANY)]);
        await poll(async () => await bridge.metric('vigie_queue_overflows_total') >= 1, { within: 20_000, what: 'a full queue' });
        const held = await burnt(bridge);
        assert.ok(held < 20, `${held} ticks while choked`);
        client.resume();
        const numbers = () => client.frames.map((frame) => /"n(\d+)x/.exec(frame.payload.toString())?.[1]).filter(Boolean).map(Number);
        await client.signal.until(() => client.frames.at(-1)?.payload.includes('n2000x'), { within: 30_000, what: 'the last event' });
        assert.deepEqual(numbers(), Array.from({ length: 2000 }, (_, i) => i + 1));
        client.destroy();
    });
});

describe('arguments and rates', () => {
    test('an empty argument hides none behind it', async (t) => {
        const { bridge, business } = await world.enter(t);
        assert.equal((await ask(bridge, '/poll?x=1&&token=a', { headers: bearer() })).status, 400);
        assert.equal((await ask(bridge, '/poll?&&&access_token=a&', { headers: bearer() })).status, 400);
        const cursor = await cursorOf(bridge);
        await addClient(business, 1, 'between');
        const answer = await ask(bridge, `/poll?&&cursor=${cursor}&`, { headers: bearer() });
        assert.deepEqual(JSON.parse(answer.body).events.map((/** @type {any} */ one) => one.data.name), ['between']);
        const engine = await ask(bridge, '/socket.io/?&EIO=4&&transport=polling');
        assert.equal(engine.status, 200);
        for (const query of ['?', '?&', '?&&&', '?=', '?=&=']) assert.equal((await ask(bridge, `/poll${query}`, { headers: bearer() })).status, 200, query);
    });

    test('who polls without pause is answered more slowly, and who wants ticket after ticket is told 429', async (t) => {
        const { bridge } = await world.enter(t);
        const agent = agentFor(bridge, { keepAlive: true, maxSockets: 1 });
        t.after(() => agent.destroy());
        const began = performance.now();
        for (let n = 0; n < 65; n++) assert.equal((await ask(bridge, '/poll', { agent, headers: bearer() })).status, 200);
        assert.ok(performance.now() - began >= 1000, 'the last ones waited');
        const statuses = [];
        for (let n = 0; n < 3; n++) statuses.push((await ask(bridge, '/ticket', { method: 'POST', agent, headers: { ...bearer(), 'content-length': '0' } })).status);
        assert.ok(statuses.includes(429), statuses.join());
        // Another connection pays for itself.
        assert.equal((await ask(bridge, '/ticket', { method: 'POST', headers: { ...bearer(), 'content-length': '0' } })).status, 200);
        assert.equal(bridge.log.filter((line) => line.event === 'session_open').length, 0, 'polls are logged for debugging only');
    });
});

test('the client file is served below the path, if there is one', async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vigie-client-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'socket.io.js');
    fs.writeFileSync(file, `/* ${'x'.repeat(200_000)} */`);
    const { bridge } = await world.enter(t, { config: { socketio: { client_file: file } } });
    for (const name of ['socket.io.js', 'socket.io.min.js']) {
        const answer = await ask(bridge, `/socket.io/${name}`);
        assert.deepEqual([answer.status, answer.body.length], [200, 200_006]);
        assert.match(String(answer.headers['content-type']), /^application\/javascript/);
    }
    assert.equal((await ask(bridge, '/socket.io/socket.io.js.map')).status, 404);
    assert.equal((await ask(bridge, '/socket.io/../socket.io.js/x')).status, 404);
    assert.equal((await ask(bridge, '/socket.io/socket.io.js', { method: 'POST', body: 'x' })).status, 405);
});

describe('going down', () => {
    test('a held poll, a stream and an engine are told, and the bridge ends', async (t) => {
        const { bridge } = await world.enter(t);
        const cursor = await cursorOf(bridge);
        const wire = await dial(bridge.target);
        wire.write(text('/events', bearer()));
        await until(wire, 'vigie:ready');
        const waiting = ask(bridge, `/poll?cursor=${cursor}`, { headers: bearer() });
        const agent = agentFor(bridge, { keepAlive: true, maxSockets: 1 });
        const sid = await enterEngine(bridge, { agent });
        const engine = ask(bridge, enginePath(sid), { agent });
        await poll(async () => await sessions(bridge) === 3, { what: 'all three' });
        bridge.kill('SIGTERM');
        const answer = await waiting;
        assert.equal(answer.status, 200, answer.body);
        assert.ok(JSON.parse(answer.body).retry_after_ms >= 0);
        await wire.untilEnded();
        assert.match(wire.bytes().toString(), /vigie:drain/);
        assert.match((await engine).body, /vigie:drain/);
        assert.equal((await engine).headers.connection, 'close');
        await bridge.untilExited();
    });
});
