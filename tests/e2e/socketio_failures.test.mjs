/**
 * What a stock client does on each failure decides what it is told: whom a page must ask for another
 * token, who comes back at once, who ever more slowly, and who stays away. Everything here is what the
 * page sees, which is all that counts.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { addClient } from './lib/business.mjs';
import { EngineServer } from './lib/engine.mjs';
import { Page } from './lib/page.mjs';
import { Relay } from './lib/relay.mjs';
import { Issuer } from './lib/tokens.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

const world = new World();
/** No jitter: pauses can be compared. */
const STEADY = { reconnectionDelay: 50, reconnectionDelayMax: 1_600, randomizationFactor: 0 };
const TIME = { timeout: 60_000 };
const MODES = [['default', undefined], ['WebSocket only', ['websocket']], ['polling only', ['polling']]];

/** A bridge to which the end of a token is its end. @param {any} t @param {any} [config] */
function strict(t, config = {}) {
    return world.enter(t, { issuers: [new Issuer({ name: 'main', key: world.issuer.key, extra: { leeway: '0s' } })], config });
}

/** @param {any} place */
async function databaseGoes({ database, bridge }) {
    const from = bridge.log.length;
    await database.dba('ALTER ROLE vigie_bridge NOLOGIN');
    await database.dba(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vigie_bridge' AND datname = current_database()`);
    await bridge.event('db_down', { from });
}

/** The role is the cluster's: it must be back whatever becomes of the test. @param {any} place */
async function databaseComes({ database }) {
    await database.dba('ALTER ROLE vigie_bridge LOGIN');
}

/** Pauses between attempts, as a page feels them. @param {Page} page */
const pauses = (page) => page.errors.slice(1).map((one, n) => Math.round(one.at - page.errors[n].at));

/** Each pause about twice the one before. @param {number[]} list */
function assertGrowing(list) {
    for (let n = 1; n < list.length; n++) assert.ok(list[n] > 1.4 * list[n - 1], `pauses in ms: ${list}`);
}

/**
 * A page that is past the handshake, and says who it is only when it is let: say() now and for the
 * next times, until wait(), which is done when the next one asks.
 * @param {any} t @param {any} place @param {string[] | undefined} transports
 */
async function asksLate(t, place, transports) {
    /** @type {(() => void) | null} */ let hold = null;
    /** @type {() => void} */ let asked = () => {};
    let free = false;
    const page = new Page(t, place, {
        transports, options: STEADY,
        auth: (/** @type {any} */ give) => {
            const go = () => give({ token: world.token({ company: '1' }) });
            if (free) return go();
            hold = go;
            asked();
        },
    });
    const wait = () => {
        free = false;
        return new Promise((resolve) => (asked = () => resolve(undefined)));
    };
    const first = wait();
    page.connect();
    await first;
    const say = () => {
        free = true;
        hold?.();
        hold = null;
    };
    return { page, say, wait };
}

for (const [mode, transports] of /** @type {[string, string[] | undefined][]} */ (MODES))
    describe(mode, () => {
        test('a token that is none, or is over, is refused in words, and the page is the one who comes back', TIME, async (t) => {
            const { bridge } = await world.enter(t);
            const good = world.token({ company: '1' });
            for (const bad of ['rubbish', `Bearer ${good}`, '', 17, good.slice(0, -3), world.token({ company: '1', ttl: -3600 })]) {
                /** @type {any} */ let token = bad;
                const page = new Page(t, bridge, { transports, auth: (/** @type {any} */ give) => give({ token }) });
                page.connect();
                const { message, code, active } = await page.untilError();
                assert.deepEqual({ message, code, active }, { message: 'unauthorized', code: 'unauthorized', active: false });
                token = good;
                page.connect();
                await page.untilConnected();
                assert.equal(page.errors.length, 1);
                page.close();
            }
            const without = new Page(t, bridge, { transports });
            without.connect();
            assert.equal((await without.untilError()).code, 'unauthorized');
        });

        test('a refusal in one namespace leaves the other alone', TIME, async (t) => {
            const { bridge, business } = await world.enter(t, { config: { socketio: { namespaces: ['/messaging'] } } });
            const page = await Page.open(t, bridge, { transports, auth: { token: world.token({ company: '1' }) } });
            const other = page.socket.io.socket('/messaging', { auth: { token: 'rubbish' } });
            const refused = new Promise((resolve) => other.once('connect_error', resolve));
            other.connect();
            assert.equal(/** @type {any} */ (await refused).data.code, 'unauthorized');
            await addClient(business, 1, 'still here');
            await page.untilEvents(1);
            assert.deepEqual(page.disconnects, []);
        });

        test('at the end of a token the page comes back by itself with a fresh one, and has missed nothing', TIME, async (t) => {
            const { bridge, business } = await strict(t);
            let ttl = 3;
            const page = await Page.open(t, bridge, { transports, auth: (/** @type {any} */ give) => give({ token: world.token({ company: '1', ttl }) }) });
            await addClient(business, 1, 'one');
            await page.untilEvents(1);
            ttl = 900;
            assert.equal(await page.untilDisconnected(1), 'transport close');
            await addClient(business, 1, 'two');
            assert.equal((await page.untilConnected(2)).recovered, true);
            await page.untilEvents(2);
            assert.deepEqual(page.names, ['one', 'two']);
            assert.deepEqual(page.errors, []);
        });

        test('at the end of a token that stays the same the page is refused, and stays away', TIME, async (t) => {
            const { bridge } = await strict(t);
            const page = await Page.open(t, bridge, { transports, auth: { token: world.token({ company: '1', ttl: 2 }) } });
            assert.equal(await page.untilDisconnected(1), 'transport close');
            const { code, active } = await page.untilError();
            assert.deepEqual({ code, active }, { code: 'unauthorized', active: false });
            assert.equal(page.connects.length, 1);
        });

        test('while the database is away it is 503, the pauses grow, and it connects once there is one', TIME, async (t) => {
            const place = await world.enter(t);
            await addClient(place.business, 1, 'warm');
            const page = new Page(t, place.bridge, { transports, options: STEADY, auth: { token: world.token({ company: '1' }) } });
            await databaseGoes(place);
            try {
                page.connect();
                await page.untilError(5);
            } finally {
                await databaseComes(place);
            }
            for (const { message, status, active } of page.errors) {
                assert.equal(active, true);
                if (transports?.[0] === 'websocket') assert.equal(message, 'websocket error');
                else assert.deepEqual({ message, status }, { message: 'xhr poll error', status: 503 });
            }
            t.diagnostic(`pauses: ${pauses(page)} ms`);
            assertGrowing(pauses(page).slice(0, 4));
            await page.untilConnected(1, 20_000);
            assert.ok((await place.bridge.metric('vigie_engine_errors_total', { error: 'unavailable' })) >= 5);
        });

        test('a database that goes between handshake and CONNECT: who needs it not is let in, and hears what comes later', TIME, async (t) => {
            const place = await world.enter(t);
            await addClient(place.business, 1, 'warm');
            const { page, say } = await asksLate(t, place.bridge, transports);
            await databaseGoes(place);
            try {
                say();
                assert.equal((await page.untilConnected(1)).recovered, false);
            } finally {
                await databaseComes(place);
            }
            await addClient(place.business, 1, 'later');
            await page.untilEvents(1);
            assert.deepEqual([page.names, page.disconnects, page.errors], [['later'], [], []]);
        });

        test('a database that does not answer: a CONNECT that waits for it is answered all the same, in time', TIME, async (t) => {
            const { bridge, database, business } = await world.enter(t, { config: { limits: { auth_timeout: '1s' }, database: { statement_timeout: '1s' } } });
            await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql AS $$ SELECT pg_sleep(600) IS NULL $$`);
            const page = new Page(t, bridge, { transports, auth: { token: world.token({ company: '1' }), rooms: ['conversation:77'] } });
            const closed = new Promise((resolve) => page.socket.io.once('close', resolve));
            const connected = page.untilConnected(1).then(() => 'connect');
            const began = performance.now();
            page.connect();
            const answer = await Promise.race([closed, connected]);
            const took = performance.now() - began;
            t.diagnostic(`${answer} after ${Math.round(took)} ms`);
            assert.ok(took < 4_000, `${took} ms`);
            await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$`);
            await database.dba(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'vigie_bridge' AND datname = current_database() AND state = 'active'`);
            await connected;
            await addClient(business, 1, 'there');
            await page.untilEvents(1);
        });

        test('too many sessions of one user: the oldest is sent away and stays away', TIME, async (t) => {
            const { bridge, business } = await world.enter(t, { config: { limits: { sessions_per_user: 1 } } });
            const auth = { token: world.token({ company: '1' }) };
            const first = await Page.open(t, bridge, { transports, auth });
            await first.until(() => first.transport === (transports?.[0] ?? 'websocket'), 'its transport');
            const second = await Page.open(t, bridge, { transports, auth });
            assert.equal(await first.untilDisconnected(1), 'io server disconnect');
            assert.equal(first.socket.active, false);
            for (let n = 1; n <= 20; n++) { // many times its pause
                await addClient(business, 1, `${n}`);
                await second.untilEvents(n);
            }
            await poll(async () => (await bridge.metric('vigie_engines')) === 1, { what: 'only the other' });
            assert.deepEqual([first.connects.length, first.asked.length, first.events, first.errors, second.disconnects], [1, 1, [], [], []]);
            first.connect(); // a person who wants it back has it
            await first.untilConnected(2);
            assert.equal(await second.untilDisconnected(1), 'io server disconnect');
        });

        test('a bridge that stops: the pages hear it, leave one after the other, and are recovered by the next one', TIME, async (t) => {
            const { bridge, business } = await world.enter(t, { config: { drain: { window: '3s' } } });
            const relay = await Relay.start(t, bridge);
            const pages = await Promise.all(Array.from({ length: 12 }, (_, n) =>
                Page.open(t, relay, { transports, auth: { token: world.token({ company: '1', user: `u${n}` }) } })));
            await Promise.all(pages.map((page) => page.until(() => page.transport === (transports?.[0] ?? 'websocket'), 'its transport')));
            await addClient(business, 1, 'one');
            await Promise.all(pages.map((page) => page.untilEvents(1)));
            bridge.kill('SIGTERM');
            await Promise.all(pages.map((page) => page.untilDisconnected(1)));
            for (const page of pages) assert.match(page.disconnects[0].reason, /^transport (close|error)$/);
            const told = pages.filter((page) => page.own.some((one) => one.event === 'vigie:drain' && one.data.retry_after_ms >= 0));
            await bridge.untilExited();
            assert.equal(bridge.exitCode, 0);
            const times = bridge.log.filter((line) => line.event === 'session_close').map((line) => Date.parse(line.ts)).sort((a, b) => a - b);
            assert.equal(times.length, 12);
            const spread = times[11] - times[0];
            t.diagnostic(`12 pages left over ${spread} ms of 3000, ${told.length} were told, reasons ${[...new Set(pages.map((page) => page.disconnects[0].reason))]}`);
            assert.ok(spread > 1_000, `${spread} ms`);
            assert.equal(told.length, 12);
            await addClient(business, 1, 'two');
            await bridge.spawn();
            await Promise.all(pages.map((page) => page.untilConnected(2, 20_000)));
            await addClient(business, 1, 'three');
            await Promise.all(pages.map((page) => page.untilEvents(3)));
            for (const page of pages) {
                assert.equal(page.connects[1].recovered, true);
                assert.deepEqual(page.names, ['one', 'two', 'three']);
            }
        });
    });

test('a database that goes between handshake and CONNECT: who needs it is sent back, then told 503, then recovered', TIME, async (t) => {
    const place = await world.enter(t, { config: { limits: { auth_timeout: '1500ms' } } });
    const relay = await Relay.start(t, place.bridge);
    const { page, say, wait } = await asksLate(t, relay, undefined);
    say();
    await page.untilConnected(1);
    relay.down();
    await page.untilDisconnected(1);
    await addClient(place.business, 1, 'missed');
    // It has not what the page missed: it must ask.
    const second = await world.bridge(t, { database: place.database, config: place.bridge.config });
    await poll(async () => (await place.bridge.metric('vigie_events_published_total')) >= 1, { what: 'position of the event' });
    const asked = wait();
    relay.bridge = second;
    relay.up();
    await asked;
    await databaseGoes({ ...place, bridge: second });
    const before = page.errors.length;
    try {
        const began = performance.now();
        const closed = new Promise((resolve) => page.socket.io.once('close', resolve));
        say();
        assert.equal(await closed, 'transport close');
        const took = performance.now() - began;
        t.diagnostic(`answered after ${Math.round(took)} ms`);
        assert.ok(took < 13_000, `${took} ms`); // a question may wait for 10 s
        const { status, active } = await page.untilError(before + 1);
        assert.equal(active, true);
        assert.equal(status, 503);
    } finally {
        await databaseComes(place);
    }
    assert.equal((await page.untilConnected(2, 20_000)).recovered, true);
    await page.untilEvents(1);
    assert.deepEqual(page.names, ['missed']);
});

test('no room for more: 503, growing pauses, and in once there is room', TIME, async (t) => {
    const { bridge } = await world.enter(t, { config: { limits: { unauthenticated: 3, auth_timeout: '2s' } } });
    const server = new EngineServer({ port: bridge.port, tls: true });
    for (let n = 0; n < 3; n++) await server.handshake();
    server.close(); // their sockets are free again, the engines are there
    const page = new Page(t, bridge, { options: STEADY, auth: { token: world.token({ company: '1' }) } });
    page.connect();
    const { message, status, active } = await page.untilError();
    assert.deepEqual({ message, status, active }, { message: 'xhr poll error', status: 503, active: true });
    await page.untilConnected(1);
    t.diagnostic(`pauses: ${pauses(page)} ms`);
    assert.ok(page.errors.length >= 3);
    assertGrowing(pauses(page));
    assert.equal(await bridge.metric('vigie_engine_limits_hit_total', { scope: 'unauthenticated' }), page.errors.length);
});

test('who has no session left in its company is refused in words', TIME, async (t) => {
    const { bridge } = await world.enter(t, { config: { limits: { sessions_per_company: 1 } } });
    await Page.open(t, bridge, { auth: { token: world.token({ company: '1' }) } });
    const late = new Page(t, bridge, { auth: { token: world.token({ company: '1', user: 'u2' }) } });
    late.connect();
    const { code, active } = await late.untilError();
    assert.deepEqual({ code, active }, { code: 'rate_limited', active: false });
});
