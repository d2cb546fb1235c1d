/**
 * Stock clients as they are, in the ways they are used: socket.io-client of three ages, the engine
 * below it, Debian's for Python, and curl. Through all of it no request of theirs is one that the bridge
 * did not expect.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { Socket as EngineClient } from 'engine.io-client';
import { io } from 'socket.io-client';
import { io as io40 } from 'socket.io-client-4-0';
import { io as io46 } from 'socket.io-client-4-6';

import { Writer, addClient, addClients, clientNames } from './lib/business.mjs';
import { sumOf } from './lib/bridge.mjs';
import { ROOT } from './lib/cluster.mjs';
import { EngineServer } from './lib/engine.mjs';
import { Page } from './lib/page.mjs';
import { Relay } from './lib/relay.mjs';
import { remember } from './lib/tokens.mjs';
import { Signal, poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

const world = new World();
const run = promisify(execFile);

const CLIENTS = [
    { version: '4.8.4', client: io, recovers: true },
    { version: '4.6.2', client: io46, recovers: true },
    { version: '4.0.2', client: io40, recovers: false },
];
const MODES = [
    { mode: 'default', transports: undefined, ends: 'websocket' },
    { mode: 'WebSocket only', transports: ['websocket'], ends: 'websocket' },
    { mode: 'polling only', transports: ['polling'], ends: 'polling' },
];

/** @param {string} prefix @param {number} count */
const numbered = (prefix, count) => Array.from({ length: count }, (_, n) => `${prefix}${n + 1}`);
/** @param {any} bridge */
const engines = async (bridge) => bridge.metric('vigie_engines');

/**
 * Nothing that a stock client sent was refused, and none of its upgrades failed: but for those of clients
 * that were cut or left, which may have been in the middle of one.
 * @param {any} bridge @param {{left?: boolean}} [options]
 */
async function assertNothingRefused(bridge, { left = false } = {}) {
    const metrics = await bridge.metrics();
    for (const name of ['vigie_engine_errors_total', 'vigie_handshakes_refused_total', 'vigie_socketio_packets_refused_total',
                        'vigie_connections_rejected_total', 'vigie_engine_limits_hit_total', 'vigie_handshakes_late_total'])
        assert.equal(sumOf(metrics, name), 0, `${name}: ${JSON.stringify([...metrics].filter(([series, value]) => series.startsWith(name) && value))}`);
    for (const reason of ['bad_request', 'auth_timeout', 'slow_consumer', 'internal'])
        assert.equal(sumOf(metrics, 'vigie_engines_closed_total', { reason }), 0, reason);
    for (const result of left ? ['timeout'] : ['failed', 'timeout']) assert.equal(sumOf(metrics, 'vigie_engine_upgrades_total', { result }), 0, `upgrades ${result}`);
}

describe('one bridge for all', () => {
    /** @type {any} */ let bridge;
    /** @type {any} */ let business;
    let prefixes = 0;
    const prefix = () => `p${++prefixes}-`;

    before(async () => {
        ({ bridge, business } = await world.enter(world.scope, {
            config: { socketio: { namespaces: ['/messaging'] }, streams: { poll_hold: '1s' }, heartbeat: { interval: '1s', timeout: '3s' }, limits: { sessions_per_user: 100 } },
        }));
    });

    /** @param {any} config */
    const reload = async (config) => {
        const from = bridge.log.length;
        bridge.writeConfig(config);
        bridge.kill('SIGHUP');
        await bridge.event('reload_ok', { from });
    };

    for (const { version, client, recovers } of CLIENTS)
        for (const { mode, transports, ends } of MODES) {
            const how = { client, transports };

            test(`socket.io-client ${version}, ${mode}: connects, hears everything once in order, asks, leaves and comes back`, async (t) => {
                const mine = prefix();
                const page = await Page.open(t, bridge, { ...how, auth: { token: world.token({ company: '1' }) } });
                assert.match(page.socket.id, /^[A-Za-z0-9_-]{20}$/);
                await page.until(() => page.transport === ends, ends);
                for (let n = 0; n < 10; n++) await addClients(business, 1, `${mine}${n}-`, 5);
                await addClient(business, 2, 'of another company');
                await page.untilEvents(50);
                assert.deepEqual(page.names, Array.from({ length: 10 }, (_, n) => numbered(`${mine}${n}-`, 5)).flat());
                assert.ok(page.events.every((one) => one.event === 'client:created' && /^[A-Za-z0-9_-]{22}$/.test(String(one.cursor))));
                assert.deepEqual(await page.ask('vigie:join', 'company:2'), { error: { code: 'forbidden' } });
                assert.deepEqual(await page.ask('hello', { anybody: Buffer.from('there') }), { error: { code: 'unsupported' } });
                assert.ok((/** @type {any} */ (await page.ask('vigie:auth', { token: world.token({ company: '1' }) }))).expires_in > 800);
                page.socket.disconnect();
                assert.equal(await page.untilDisconnected(1), 'io client disconnect');
                await poll(async () => (await engines(bridge)) === 0, { what: 'an engine that is gone' });
                page.connect();
                await page.untilConnected(2);
                await addClient(business, 1, `${mine}again`);
                await page.untilEvents(51);
                assert.equal(page.names.at(-1), `${mine}again`);
                assert.deepEqual([page.own.map((one) => one.event), page.errors], [['vigie:renewed'], []]);
            });

            test(`socket.io-client ${version}, ${mode}: namespaces are apart, and one that there is not hurts no other`, async (t) => {
                const mine = prefix();
                const auth = { token: world.token({ company: '1' }) };
                const page = await Page.open(t, bridge, { ...how, auth, namespace: '/messaging' });
                const signal = new Signal();
                /** @type {string[]} */ const main = [];
                /** @type {any} */ let refused;
                const other = page.socket.io.socket('/', { auth });
                other.on('client:created', (/** @type {any} */ data) => (main.push(data.name), signal.changed()));
                other.on('connect', () => signal.changed());
                const nowhere = page.socket.io.socket('/nope', { auth });
                nowhere.on('connect_error', (/** @type {any} */ error) => ((refused = error), signal.changed()));
                for (const socket of [other, nowhere]) if (!socket.active) socket.connect(); // autoConnect is off
                await signal.until(() => refused && other.connected, { what: 'both answers' });
                assert.equal(refused.message, 'Invalid namespace');
                assert.notEqual(other.id, page.socket.id);
                await addClients(business, 1, mine, 5);
                await page.untilEvents(5);
                await signal.until(() => main.length >= 5, { what: 'the same in the main namespace' });
                assert.deepEqual([page.names, main], [numbered(mine, 5), numbered(mine, 5)]);
                other.disconnect();
                assert.deepEqual(await page.ask('vigie:join', 'company:2'), { error: { code: 'forbidden' } }, 'the other lives on');
                await addClient(business, 1, `${mine}after`);
                await page.untilEvents(6);
                assert.equal(main.length, 5);
            });

            test(`socket.io-client ${version}, ${mode}: a cut is healed by itself${recovers ? ', and nothing is missed' : ''}`, async (t) => {
                const mine = prefix();
                const relay = await Relay.start(t, bridge);
                const page = await Page.open(t, relay, { ...how, auth: { token: world.token({ company: '1' }) } });
                await page.until(() => page.transport === ends, ends);
                let seen = 0;
                for (let round = 0; round < 3; round++) {
                    await addClient(business, 1, `${mine}${round}-before`);
                    await page.untilEvents(++seen);
                    relay.down();
                    assert.match(await page.untilDisconnected(round + 1), /^transport (close|error)$/);
                    await addClient(business, 1, `${mine}${round}-away`);
                    relay.up();
                    const connection = await page.untilConnected(round + 2);
                    await page.until(() => page.transport === ends, ends);
                    if (!recovers) continue;
                    assert.equal(connection.recovered, true);
                    await page.untilEvents(++seen);
                }
                await addClient(business, 1, `${mine}last`);
                await page.until(() => page.names.at(-1) === `${mine}last`, 'the last');
                if (recovers) assert.deepEqual(page.names, [...[0, 1, 2].flatMap((n) => [`${mine}${n}-before`, `${mine}${n}-away`]), `${mine}last`]);
                else assert.equal(new Set(page.names).size, page.names.length, 'nothing comes twice');
                assert.deepEqual(page.own, []);
                page.close();
                await page.untilDisconnected(4);
            });
        }

    for (const { mode, transports, ends } of MODES)
        test(`engine.io-client 6.6.8, ${mode}: packets as they are, alive over several pings`, async (t) => {
            const mine = prefix();
            const { port, ca } = bridge.target;
            const signal = new Signal();
            /** @type {string[]} */ const heard = [];
            let pings = 0;
            /** @type {string | undefined} */ let ended;
            const engine = new EngineClient(`https://localhost:${port}`, /** @type {any} */ ({ path: '/socket.io/', ca, ...(transports ? { transports } : {}) }));
            t.after(() => engine.close());
            engine.on('open', () => engine.send(`0${JSON.stringify({ token: world.token({ company: '1' }) })}`));
            engine.on('message', (/** @type {any} */ text) => (heard.push(text), signal.changed()));
            engine.on('ping', () => (pings++, signal.changed()));
            engine.on('close', (/** @type {string} */ reason) => ((ended = reason), signal.changed()));
            await signal.until(() => heard.length === 1, { what: 'the CONNECT', state: () => ({ ended, heard }) });
            assert.match(heard[0], /^0\{"sid":"[A-Za-z0-9_-]{20}","pid":"[^"]+"\}$/);
            await addClients(business, 1, mine, 3);
            await signal.until(() => heard.length === 4, { what: '3 events', state: () => heard });
            await signal.until(() => pings >= 2 || ended, { what: 'two pings' });
            assert.equal(/** @type {any} */ (engine.transport).name, ends);
            await addClient(business, 1, `${mine}4`);
            await signal.until(() => heard.length === 5, { what: 'an event after the pings', state: () => heard });
            for (const [n, text] of heard.slice(1).entries()) {
                assert.match(text, /^2\["client:created",\{.*\},"[A-Za-z0-9_-]{22}"\]$/);
                assert.equal(JSON.parse(text.slice(1))[1].name, `${mine}${n + 1}`);
            }
            assert.equal(ended, undefined);
        });

    for (const transport of ['polling', 'websocket'])
        test(`python3-socketio of Debian, ${transport}: connects, hears, asks, comes back after a cut, leaves`, async (t) => {
            const mine = prefix();
            const relay = await Relay.start(t, bridge);
            const ca = path.join(bridge.folder, 'cert.pem');
            // By WebSocket it names the bridge itself as its origin, always with http.
            await reload({ ...bridge.config, listen: { ...bridge.config.listen, origins: [`http://localhost:${relay.target.port}`] } });
            const tokenFile = path.join(bridge.folder, `python-${transport}`);
            fs.writeFileSync(tokenFile, world.token({ company: '1' }), { mode: 0o600 });
            const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', '/usr/bin/python3', path.join(ROOT, 'tests/e2e/lib/python_client.py'),
                `https://localhost:${relay.target.port}`, ca, transport, tokenFile], {
                stdio: ['pipe', 'pipe', 'pipe'],
                env: { PATH: process.env.PATH, REQUESTS_CA_BUNDLE: ca }, // what stands there otherwise goes before `verify`
            });
            t.after(() => child.kill('SIGKILL'));
            const signal = new Signal();
            /** @type {any[]} */ const said = [];
            let errors = '';
            let rest = '';
            /** @type {number | null | undefined} */ let status;
            child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
            child.stdout.setEncoding('utf8').on('data', (text) => {
                const lines = (rest + text).split('\n');
                rest = lines.pop() ?? '';
                said.push(...lines.map((/** @type {string} */ line) => JSON.parse(line)));
                signal.changed();
            });
            child.once('close', (code) => ((status = code), signal.changed()));
            const of = (/** @type {string} */ what, /** @type {string | undefined} */ namespace) => said.filter((one) => one.what === what && one.namespace === namespace);
            const until = (/** @type {() => any} */ probe, /** @type {string} */ what) => signal.until(() => {
                if (status !== undefined && !probe()) throw new Error(`python ended with ${status} before ${what}: ${errors}`);
                return probe();
            }, { what, within: 20_000, state: () => ({ said, errors }) });

            await until(() => of('connect', undefined).length === 1 && of('connect', '/messaging').length === 1, 'both namespaces');
            assert.equal(of('connect', undefined)[0].transport, transport);
            await until(() => of('joined', undefined)[0] && of('answered', undefined)[0], 'acknowledgements');
            assert.deepEqual(of('joined', undefined)[0].answer, { error: { code: 'forbidden' } });
            assert.deepEqual(of('answered', undefined)[0].answer, { error: { code: 'unsupported' } });
            await addClients(business, 1, mine, 5);
            await until(() => of('event', undefined).length === 5 && of('event', '/messaging').length === 5, 'events');
            for (const namespace of [undefined, '/messaging'])
                assert.deepEqual(of('event', namespace).map((one) => one.data.name), numbered(mine, 5));
            assert.match(of('event', undefined)[0].cursor, /^[A-Za-z0-9_-]{22}$/);
            relay.down();
            await until(() => of('disconnect', undefined).length === 1, 'the cut');
            relay.up();
            await until(() => of('connect', undefined).length === 2 && of('connect', '/messaging').length === 2, 'a second connection');
            await addClient(business, 1, `${mine}6`);
            await until(() => of('event', undefined).length === 6 && of('event', '/messaging').length === 6, 'an event after the cut');
            child.stdin.end('leave\n');
            await until(() => status !== undefined, 'the end');
            assert.deepEqual([status, said.at(-1).what], [0, 'end'], errors);
        });

    test('curl: a stream with what it missed, a poll, a ticket', async (t) => {
        const mine = prefix();
        const token = world.token({ company: '1' });
        const at = `https://localhost:${bridge.port}`;
        // As -H @FILE: an argument could be read by anybody on the machine.
        const header = path.join(bridge.folder, 'authorization');
        fs.writeFileSync(header, `Authorization: Bearer ${token}\n`, { mode: 0o600 });
        const common = ['-sS', '--cacert', path.join(bridge.folder, 'cert.pem')];
        const curl = async (/** @type {string[]} */ ...args) => (await run('curl', [...common, ...args])).stdout;
        /** A stream, until it has said as much as is asked for. @param {RegExp} last @param {string[]} args */
        const stream = async (last, ...args) => {
            const child = spawn('curl', [...common, '-N', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
            const signal = new Signal();
            let text = '';
            child.stdout.setEncoding('utf8').on('data', (part) => ((text += part), signal.changed()));
            t.after(() => child.kill());
            return { until: () => signal.until(() => last.test(text) && text, { what: String(last), state: () => text }) };
        };

        const start = JSON.parse(await curl('-H', `@${header}`, `${at}/poll`));
        assert.deepEqual(start.events, []);
        await addClients(business, 1, mine, 3);
        const polled = JSON.parse(await curl('-H', `@${header}`, `${at}/poll?cursor=${start.cursor}`));
        assert.ok(polled.events.length >= 1);
        assert.equal(polled.events[0].data.name, `${mine}1`);

        const third = new RegExp(`"${mine}3"[^\\n]*\\n\\n`);
        const resumed = await (await stream(third, '-H', `@${header}`, '-H', `Last-Event-ID: ${start.cursor}`, `${at}/events`)).until();
        assert.deepEqual([...resumed.matchAll(/"name": ?"([^"]+)"/g)].map((one) => one[1]), numbered(mine, 3));

        const { ticket, expires_in: expires } = JSON.parse(await curl('-d', '', '-H', `@${header}`, `${at}/ticket`));
        remember(ticket);
        assert.equal(expires, 30);
        const url = `${at}/events?ticket=${ticket}&last_event_id=${start.cursor}`;
        await (await stream(third, url)).until();
        assert.equal(await curl('-o', '/dev/null', '-w', '%{http_code}', url), '401', 'once');
        assert.equal(await curl('-o', '/dev/null', '-w', '%{http_code}', `${at}/events`), '401');
    });

    test('after a reload of the configuration the namespaces are there as before', async (t) => {
        const auth = { token: world.token({ company: '1' }) };
        await reload(bridge.config);
        const page = await Page.open(t, bridge, { auth, namespace: '/messaging' });
        const nowhere = new Page(t, bridge, { auth, namespace: '/messagin' });
        nowhere.connect();
        assert.equal((await nowhere.untilError()).message, 'Invalid namespace');
        await addClient(business, 1, 'after the reload');
        await page.untilEvents(1);
    });

    test('none of all this was refused, and nothing is left of it', async () => {
        await poll(async () => (await engines(bridge)) === 0, { what: 'engines gone' });
        await assertNothingRefused(bridge, { left: true });
        const metrics = await bridge.metrics();
        assert.ok(sumOf(metrics, 'vigie_engine_upgrades_total', { result: 'ok' }) >= 15);
        assert.ok(sumOf(metrics, 'vigie_socketio_connects_total', { result: 'recovered' }) >= 18);
        assert.equal(sumOf(metrics, 'vigie_socketio_connects_total', { result: 'gap' }), 0);
    });
});

describe('many at once', () => {
    test('200 default clients: all connected, and each gets one event exactly once', { timeout: 60_000 }, async (t) => {
        const { bridge, business } = await world.enter(t);
        const began = performance.now();
        const pages = Array.from({ length: 200 }, (_, n) => new Page(t, bridge, { auth: { token: world.token({ company: `${1 + n % 4}`, user: `u${n}` }) } }));
        for (const page of pages) page.connect();
        await Promise.all(pages.map((page) => page.untilConnected(1, 30_000)));
        const connected = performance.now() - began;
        await Promise.all(pages.map((page) => page.until(() => page.transport === 'websocket', 'upgrade', 30_000)));
        const upgraded = performance.now() - began;
        const wrote = performance.now();
        for (let company = 1; company <= 4; company++) await addClient(business, company, `to ${company}`);
        await Promise.all(pages.map((page) => page.untilEvents(1)));
        t.diagnostic(`200 clients: connected after ${connected.toFixed(0)} ms, upgraded after ${upgraded.toFixed(0)} ms, event with all after ${(performance.now() - wrote).toFixed(0)} ms`);
        // What had come twice would be ahead of this.
        for (let company = 1; company <= 4; company++) await addClient(business, company, `end ${company}`);
        await Promise.all(pages.map((page) => page.untilEvents(2)));
        for (const [n, page] of pages.entries()) {
            assert.deepEqual(page.names, [`to ${1 + n % 4}`, `end ${1 + n % 4}`]);
            assert.deepEqual([page.disconnects, page.errors, page.connects.length], [[], [], 1]);
        }
        assert.ok(connected < 15_000, `${connected} ms`);
        await assertNothingRefused(bridge);
        assert.equal(await bridge.metric('vigie_engine_upgrades_total', { result: 'ok' }), 200);
        for (const page of pages) page.socket.disconnect();
        await poll(async () => (await engines(bridge)) === 0, { what: 'no engine' });
        await poll(async () => (await bridge.metric('vigie_sessions')) === 0, { what: 'no session' });
    });

    test('1,000 polling engines that are opened and left cost nothing once their time is over', { timeout: 60_000 }, async (t) => {
        const { bridge } = await world.enter(t, { config: { limits: { auth_timeout: '3s', unauthenticated: 3000, sessions_per_address: 3000 } } });
        const server = new EngineServer({ port: bridge.port, tls: true });
        server.agent.maxSockets = 40;
        t.after(() => server.close());
        const began = performance.now();
        const opened = await Promise.all(Array.from({ length: 1000 }, () => server.handshake()));
        assert.equal(new Set(opened.map((one) => one.sid)).size, 1000);
        t.diagnostic(`1000 handshakes in ${(performance.now() - began).toFixed(0)} ms; engines then: ${await engines(bridge)}`);
        await poll(async () => (await engines(bridge)) === 0, { what: 'no engine left', within: 15_000 });
        t.diagnostic(`none left after ${(performance.now() - began).toFixed(0)} ms`);
        assert.equal(await bridge.metric('vigie_engines_closed_total', { reason: 'auth_timeout' }), 1000);
        const { status, body } = await server.poll(opened[0].sid);
        assert.deepEqual([status, JSON.parse(body).code], [400, 1]);
    });

    test('an upgrade in the middle of a stream of events loses none and doubles none', { timeout: 60_000 }, async (t) => {
        const { bridge, database } = await world.enter(t);
        const writer = new Writer(database, { companies: [1], prefix: 'w' });
        t.after(() => writer.stop());
        const pages = Array.from({ length: 20 }, (_, n) => new Page(t, bridge, { auth: { token: world.token({ company: '1', user: `u${n}` }) } }));
        let upgrades = 0;
        for (let round = 1; round <= 3; round++) {
            for (const page of pages) page.connect();
            await Promise.all(pages.map((page) => page.until(() => page.connects.length === round && page.transport === 'websocket', 'upgrade')));
            upgrades += pages.length;
            await Promise.all(pages.map((page) => page.untilEvents(page.events.length + 20)));
            if (round < 3) for (const page of pages) page.socket.disconnect();
        }
        await writer.stop();
        const truth = await clientNames(database, 1, 'w');
        await Promise.all(pages.map((page) => page.until(() => page.names.at(-1) === truth.at(-1), 'the last event')));
        for (const page of pages) {
            assert.ok(page.connects.slice(1).every((one) => one.recovered === true));
            // From the first that it heard on, all there is: the rounds after the first were recovered.
            assert.deepEqual(page.names, truth.slice(truth.indexOf(page.names[0])));
        }
        t.diagnostic(`${upgrades} upgrades during ${truth.length} events`);
        assert.equal(await bridge.metric('vigie_engine_upgrades_total', { result: 'ok' }), upgrades);
        await assertNothingRefused(bridge);
    });
});
