/**
 * Things die: the bridge, PostgreSQL, its backends, the client in the middle of a frame, the reader
 * who stops reading. Whoever comes back with a cursor has missed nothing and sees nothing twice.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { Writer, addClient, addClients, clientNames } from './lib/business.mjs';
import { Follower } from './lib/follower.mjs';
import { SEED, randomOf } from './lib/random.mjs';
import { Session } from './lib/session.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';
import { dial } from './lib/wsclient.mjs';

/** @typedef {import('./lib/bridge.mjs').Bridge} Bridge */
/** @typedef {import('./lib/cluster.mjs').Database} Database */

const world = new World();
const COMPANIES = [1, 2];

/** A dashboard of each company. @param {any} t @param {() => Bridge} bridge */
async function follow(t, bridge) {
    const followers = new Map();
    for (const company of COMPANIES) {
        const follower = new Follower({ bridge, token: () => world.token({ company: `${company}` }) });
        t.after(() => follower.stop());
        followers.set(company, await follower.start());
    }
    return followers;
}

/** Everything that was committed was seen, once, in order. @param {Map<number, Follower>} followers @param {Database} database */
async function assertNothingLost(followers, database, prefix = 'w') {
    for (const [company, follower] of followers) {
        const truth = await clientNames(database, company, prefix);
        assert.ok(truth.length > 0);
        await follower.untilEvents(truth.length);
        assert.deepEqual(follower.names(), truth, `company ${company}`);
        assert.deepEqual(follower.gaps, [], `gaps of company ${company}`);
    }
}

/** Waits until everybody has seen so many events more. @param {Map<number, Follower>} followers @param {number} more */
async function progress(followers, more) {
    await Promise.all([...followers.values()].map((follower) => follower.untilEvents(follower.events.length + more)));
}

test('a bridge killed with kill -9 under load comes back and nobody has missed anything', { timeout: 60_000 }, async (t) => {
    const { bridge, database } = await world.enter(t);
    const followers = await follow(t, () => bridge);
    const writer = new Writer(database, { companies: COMPANIES, prefix: 'w' });
    t.after(() => writer.stop());
    for (let round = 0; round < 3; round++) {
        await progress(followers, 20);
        await bridge.murder();
        const before = writer.written;
        await poll(() => writer.written > before + 10, { what: 'writes while there is no bridge' });
        await bridge.spawn();
        await progress(followers, 20);
    }
    await writer.stop();
    assert.equal(writer.failed, 0, 'no write was hurt');
    await assertNothingLost(followers, database);
    for (const follower of followers.values()) assert.ok(follower.connections >= 4, String(follower.connections));
});

for (const mode of /** @type {const} */ (['fast', 'immediate'])) {
    test(`a PostgreSQL that is restarted (${mode}) under load loses nothing, and sessions stay open`, { timeout: 60_000 }, async (t) => {
        const { bridge, database } = await world.enter(t);
        const followers = await follow(t, () => bridge);
        const writer = new Writer(database, { companies: COMPANIES, prefix: 'w' });
        t.after(() => writer.stop());
        for (let round = 0; round < 2; round++) {
            await progress(followers, 20);
            const from = bridge.log.length;
            await world.cluster.restart(mode);
            await bridge.event('db_down', { from });
            await bridge.event('db_up', { from });
            await progress(followers, 20);
        }
        await writer.stop();
        await assertNothingLost(followers, database);
        for (const follower of followers.values()) assert.equal(follower.connections, 1, 'the WebSocket never noticed');
    });
}

test('a PostgreSQL that is away for a while shows in readiness, and sessions catch up when it is back', { timeout: 60_000 }, async (t) => {
    const { bridge, database } = await world.enter(t);
    const followers = await follow(t, () => bridge);
    const from = bridge.log.length;
    await world.cluster.down('fast');
    try {
        await bridge.event('db_down', { from });
        await poll(async () => (await bridge.admin('/readyz')).status === 503, { what: 'readyz 503' });
        assert.equal((await bridge.admin('/healthz')).status, 200);
        for (const follower of followers.values()) await /** @type {Session} */ (follower.session).roundTrip();
    } finally {
        await world.cluster.up();
    }
    await bridge.event('db_up', { from });
    await poll(async () => (await bridge.admin('/readyz')).status === 200, { what: 'readyz 200' });
    const business = await database.connect('business');
    for (const company of COMPANIES) await addClient(business, company, 'w-back');
    await assertNothingLost(followers, database);
});

test('a bridge whose backends are terminated again and again loses nothing', { timeout: 60_000 }, async (t) => {
    const { bridge, database } = await world.enter(t);
    const followers = await follow(t, () => bridge);
    const writer = new Writer(database, { companies: COMPANIES, prefix: 'w' });
    t.after(() => writer.stop());
    for (let round = 0; round < 6; round++) {
        await progress(followers, 10);
        const from = bridge.log.length;
        const killed = await database.dba(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND usename = 'vigie_bridge'`);
        assert.ok(killed.length >= 1);
        await bridge.event('db_up', { from });
    }
    await progress(followers, 10);
    await writer.stop();
    assert.equal(writer.failed, 0);
    await assertNothingLost(followers, database);
    for (const follower of followers.values()) assert.equal(follower.connections, 1);
});

test('a client that is cut at any byte resumes without loss or duplicate', { timeout: 60_000 }, async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const { bridge, database, business } = await world.enter(t);
    const random = randomOf('cut');
    const follower = new Follower({ bridge: () => bridge, token: () => world.token({ company: '1' }) });
    t.after(() => follower.stop());
    await follower.start();
    follower.cutAfter = () => 600 + random.below(20_000);
    follower.cut();
    for (let batch = 0; batch < 20; batch++) await addClients(business, 1, `w${batch}-`, 100);
    await assertNothingLost(new Map([[1, follower]]), database);
    assert.ok(follower.connections > 20, `${follower.connections} connections`);
    // The bridge forgets those who are gone.
    follower.cutAfter = () => Infinity;
    await follower.stop();
    await poll(async () => (await bridge.metric('vigie_sessions')) === 0, { what: 'end of all sessions' });
});

test('two bridges on one database give the same cursors, and either serves a resume that began on the other', async (t) => {
    const { bridge: first, database, business } = await world.enter(t);
    const second = await world.bridge(t, { database });
    const here = await Session.open(first, { token: world.token({ company: '1' }) });
    const there = await Session.open(second, { token: world.token({ company: '1' }) });
    for (let batch = 0; batch < 10; batch++) {
        await addClients(business, 1, `w${batch}-`, 20);
        await addClients(business, 2, `other${batch}-`, 5);
    }
    await here.untilEvents(200);
    await there.untilEvents(200);
    assert.deepEqual(here.events.map((event) => event.text), there.events.map((event) => event.text), 'byte for byte');
    for (const at of [0, 57, 198]) {
        const resumed = await Session.open(second, { token: world.token({ company: '1' }), cursor: here.events[at].cursor });
        assert.equal(resumed.ready.resumed, true);
        await resumed.untilEvents(199 - at);
        assert.deepEqual(resumed.events.map((event) => event.text), here.events.slice(at + 1).map((event) => event.text));
        await resumed.bye();
    }
    // One that started later knows nothing from memory: the database answers.
    const third = await world.bridge(t, { database });
    const late = await Session.open(third, { token: world.token({ company: '1' }), cursor: here.events[20].cursor });
    await late.untilEvents(179);
    assert.deepEqual(late.events.map((event) => event.text), here.events.slice(21).map((event) => event.text));
    // The first dies; the others go on without it.
    await first.murder();
    await addClients(business, 1, 'after-', 5);
    for (const session of [there, late]) {
        await session.event((event) => event.data.name === 'after-5');
        await session.bye();
    }
    await database.dba('SELECT 1');
});

test('two bridges under load, each killed in turn: a client that changes between them misses nothing', { timeout: 60_000 }, async (t) => {
    const database = await world.database(t);
    const bridges = [await world.bridge(t, { database }), await world.bridge(t, { database })];
    let serving = 0;
    const followers = await follow(t, () => bridges[serving]);
    const writer = new Writer(database, { companies: COMPANIES, prefix: 'w' });
    t.after(() => writer.stop());
    for (let round = 0; round < 4; round++) {
        await progress(followers, 15);
        const dying = bridges[serving];
        serving = 1 - serving;
        await dying.murder();
        await progress(followers, 15);
        await dying.spawn();
    }
    await writer.stop();
    assert.equal(writer.failed, 0);
    await assertNothingLost(followers, database);
});

test('SIGTERM drains: each session is told when to come back and closed with 1012 within the window, the exit code is 0', async (t) => {
    const { bridge, database, business } = await world.enter(t, { config: { drain: { window: '1s' } } });
    const sessions = [];
    for (let n = 0; n < 12; n++) sessions.push(await Session.open(bridge, { token: world.token({ company: '1', user: `u${n}` }) }));
    const started = performance.now();
    bridge.kill('SIGTERM');
    await bridge.event('drain_begin');
    for (const session of sessions) {
        const drain = await session.message((message) => message.type === 'drain');
        assert.ok(drain.retry_after_ms >= 0 && drain.retry_after_ms <= 1000, JSON.stringify(drain));
    }
    assert.equal((await bridge.admin('/readyz').catch(() => ({ status: 503 }))).status, 503);
    // Whoever comes now is not let in.
    await assert.rejects(Session.open(bridge, { token: world.token({ company: '1' }) }));
    const closes = await Promise.all(sessions.map((session) => session.untilClose()));
    for (const close of closes) assert.deepEqual(close, { code: 1012, reason: 'restart' });
    await bridge.untilExited();
    assert.equal(bridge.exitCode, 0, bridge.tail());
    assert.ok(performance.now() - started < 6000);
    await bridge.event('stopped').catch((error) => assert.fail(error.message));
    // They come back to a new one with their cursors.
    await addClient(business, 1, 'meanwhile');
    await bridge.spawn();
    const back = await Session.open(bridge, { token: world.token({ company: '1' }), cursor: sessions[0].cursor });
    await back.untilEvents(1);
    assert.equal(back.events[0].data.name, 'meanwhile');
    await back.bye();
    assert.ok(database);
});

test('a second SIGTERM, and a SIGINT, stop at once', async (t) => {
    const { bridge } = await world.enter(t, { config: { drain: { window: '10m' } } });
    for (const signals of /** @type {NodeJS.Signals[][]} */ ([['SIGTERM', 'SIGTERM'], ['SIGINT']])) {
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        const started = performance.now();
        bridge.kill(signals[0]);
        if (signals[1]) {
            await bridge.event('drain_begin');
            bridge.kill(signals[1]);
        }
        const close = await session.untilClose();
        assert.ok([1001, 1012].includes(close.code), JSON.stringify(close));
        await bridge.untilExited();
        assert.equal(bridge.exitCode, 0, bridge.tail());
        assert.ok(performance.now() - started < 5000);
        await bridge.spawn();
    }
});

test('a reader that stops reading costs a bounded queue, delays nobody, and gets everything when it reads again', { timeout: 90_000 }, async (t) => {
    const { bridge, database, business } = await world.enter(t, {
        config: { limits: { queue_bytes: '64KiB', slow_timeout: '10m' }, history: { bytes: '1MiB' } },
        env: { ASAN_OPTIONS: 'detect_leaks=1:exitcode=99:quarantine_size_mb=4' },
    });
    const slow = [];
    for (let n = 0; n < 5; n++) slow.push(await Session.open(bridge, { token: world.token({ company: '1', user: `slow${n}` }) }));
    const quick = await Session.open(bridge, { token: world.token({ company: '1', user: 'quick' }) });
    for (const session of slow) session.socket.pause();
    const before = residentBytes(bridge);
    const [batches, size] = [12, 200];
    for (let batch = 0; batch < batches; batch++) {
        await addClients(business, 1, `w${batch}-`, size, { padding: 4000 });
        await quick.untilEvents((batch + 1) * size);
        const queued = await bridge.metric('vigie_queued_bytes');
        // A frame may stand above the budget; what is in the kernel is the kernel's.
        assert.ok(queued <= 5 * (64 + 8) * 1024, `${queued} bytes queued`);
    }
    const grown = residentBytes(bridge) - before;
    // Nearly 10 MB were written for each of five sleepers.
    assert.ok(grown < 24 << 20, `the bridge grew by ${grown >> 20} MiB`);
    const truth = await clientNames(database, 1, 'w');
    assert.equal(truth.length, batches * size);
    for (const session of slow) {
        session.socket.resume();
        await session.untilEvents(truth.length, { within: 30_000 });
        assert.deepEqual(session.events.map((event) => event.data.name), truth);
        assert.deepEqual(session.gaps, []);
        await session.bye();
    }
    assert.ok(await bridge.metric('vigie_queue_overflows_total') >= 5);
    await quick.bye();
});

test('a reader that takes nothing for too long is closed with slow_consumer and resumes without loss', { timeout: 60_000 }, async (t) => {
    const { bridge, database, business } = await world.enter(t, { config: { limits: { slow_timeout: '1s' } } });
    const follower = new Follower({ bridge: () => bridge, token: () => world.token({ company: '1' }) });
    t.after(() => follower.stop());
    await follower.start();
    follower.session?.socket.pause();
    for (let batch = 0; batch < 10; batch++) await addClients(business, 1, `w${batch}-`, 100, { padding: 4000 });
    await bridge.event('session_close', { fields: { reason: 'slow_consumer' } });
    follower.session?.socket.resume();
    await assertNothingLost(new Map([[1, follower]]), database);
    assert.ok(follower.closes.includes(4450) || follower.closes.includes(undefined), JSON.stringify(follower.closes));
    assert.ok(follower.connections >= 2);
});

test('a client whose network vanished is forgotten, and its place is free', async (t) => {
    const { bridge } = await world.enter(t);
    const sessions = [];
    for (let n = 0; n < 10; n++) sessions.push(await Session.open(bridge, { token: world.token({ company: '1' }) }));
    const half = await dial(bridge.target);
    half.destroy();
    for (const session of sessions) session.destroy();
    await poll(async () => (await bridge.metric('vigie_sessions')) === 0, { what: 'no session left' });
});

/** @param {Bridge} bridge */
function residentBytes(bridge) {
    const status = fs.readFileSync(`/proc/${bridge.process?.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
