/**
 * Four doors, one product: the same scenarios through each of them. What a door cannot do by its
 * nature (a token is not renewed over a stream that only the server writes) it does not promise, and is
 * left out by what DOORS says of it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { addClient, addClients } from './lib/business.mjs';
import { DOORS, openDashboard, resume } from './lib/doors.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

const world = new World();
const SHORT = { config: { streams: { poll_hold: '1s' }, issuers: undefined } };

/** @param {any} t @param {any} [config] */
const enter = (t, config = {}) => world.enter(t, { config: { ...SHORT.config, ...config } });
/** @param {any} dashboard */
const names = (dashboard) => dashboard.events.map((/** @type {any} */ one) => one.data.name);
/** @param {string} prefix @param {number} count */
const numbered = (prefix, count) => Array.from({ length: count }, (_, n) => `${prefix}${n + 1}`);

for (const door of DOORS) {
    describe(door.name, () => {
        test('delivers what was committed, with the same payload and in the same order, and nothing of another company', async (t) => {
            const { bridge, business } = await enter(t);
            const mine = await openDashboard(t, door, bridge, { token: world.token({ company: '1' }) });
            const other = await openDashboard(t, door, bridge, { token: world.token({ company: '2' }) });
            await business.query(`INSERT INTO clients (company_id, name, type) VALUES (1, $1, 'syndic')`, ['é "\\ \u2028 </script> \n fin']);
            for (let n = 0; n < 20; n++) await addClients(business, 1, `tx${n}-`, 10);
            await business.query('BEGIN');
            await addClient(business, 1, 'never');
            await business.query('ROLLBACK');
            await addClient(business, 2, 'other');
            await mine.untilEvents(201);
            await other.untilEvents(1);
            assert.deepEqual(mine.events[0].event, 'client:created');
            assert.deepEqual(Object.keys(mine.events[0].data), ['id', 'name', 'type']);
            assert.equal(mine.events[0].data.name, 'é "\\ \u2028 </script> \n fin');
            assert.deepEqual(names(mine).slice(1), Array.from({ length: 20 }, (_, n) => numbered(`tx${n}-`, 10)).flat());
            assert.deepEqual(names(other), ['other']);
            assert.ok(mine.events.every((/** @type {any} */ one) => /^[A-Za-z0-9_-]{22}$/.test(one.cursor)));
            assert.deepEqual([mine.gaps, other.gaps], [[], []]);
        });

        test('goes on after a cut where it was, once and in order', async (t) => {
            const { bridge, business } = await enter(t);
            const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1' }) });
            let count = 0;
            for (let round = 0; round < 4; round++) {
                await addClients(business, 1, `seen${round}-`, 5);
                await dashboard.untilEvents((count += 5));
                dashboard.cut();
                await addClients(business, 1, `missed${round}-`, 7);
                await resume(dashboard);
                assert.equal(dashboard.resumed.at(-1), true);
                await dashboard.untilEvents((count += 7));
            }
            assert.deepEqual(names(dashboard), [0, 1, 2, 3].flatMap((round) => [...numbered(`seen${round}-`, 5), ...numbered(`missed${round}-`, 7)]));
            assert.deepEqual(dashboard.gaps, []);
        });

        test('goes on although nothing had come yet', async (t) => {
            const { bridge, business } = await enter(t);
            const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1' }) });
            dashboard.cut();
            await addClients(business, 1, 'missed', 3);
            await resume(dashboard);
            assert.equal(dashboard.resumed.at(-1), true);
            await dashboard.untilEvents(3);
            assert.deepEqual(names(dashboard), numbered('missed', 3));
        });

        test('goes on with another bridge, and with one that was killed and started again, from the database', async (t) => {
            const { bridge, business, database } = await enter(t, { history: { bytes: '64KiB' } });
            const second = await world.bridge(t, { database, config: SHORT.config });
            const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1' }) });
            await addClients(business, 1, 'a', 5);
            await dashboard.untilEvents(5);
            await bridge.murder();
            await addClients(business, 1, 'b', 300);
            await resume(dashboard, { bridge: second });
            assert.equal(dashboard.resumed.at(-1), true);
            await dashboard.untilEvents(305);
            dashboard.cut();
            await addClients(business, 1, 'c', 5);
            await bridge.spawn();
            await resume(dashboard, { bridge });
            await dashboard.untilEvents(310);
            assert.deepEqual(names(dashboard), [...numbered('a', 5), ...numbered('b', 300), ...numbered('c', 5)]);
            assert.deepEqual(dashboard.gaps, []);
        });

        test('is told plainly when the way back is not certain, and goes on from there', async (t) => {
            const { bridge, business, database } = await enter(t);
            const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1' }) });
            await addClient(business, 1, 'before');
            await dashboard.untilEvents(1);
            dashboard.cut();
            await bridge.murder();
            // As after a restore: positions mean something else now.
            await database.dba('SELECT vigie.new_epoch()');
            await bridge.spawn();
            await addClient(business, 1, 'lost');
            await poll(async () => (await bridge.metric('vigie_events_published_total')) >= 1, { what: 'the event in the bridge' });
            await resume(dashboard);
            assert.equal(await dashboard.untilGap(), 'epoch');
            assert.equal(dashboard.resumed.at(-1), false);
            await addClient(business, 1, 'after');
            await dashboard.untilEvents(2);
            assert.deepEqual(names(dashboard), ['before', 'after']);
            dashboard.cut();
            await addClient(business, 1, 'later');
            await resume(dashboard);
            await dashboard.untilEvents(3);
            assert.deepEqual(dashboard.gaps, ['epoch'], 'told once');
        });

        test('another company does not get in with the memory of this one', async (t) => {
            const { bridge, business } = await enter(t);
            const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1' }) });
            await addClient(business, 1, 'mine');
            await dashboard.untilEvents(1);
            dashboard.cut();
            await addClient(business, 1, 'also mine');
            await resume(dashboard, { token: world.token({ company: '2' }) });
            assert.equal(await dashboard.untilGap(), 'cursor');
            assert.equal(dashboard.resumed.at(-1), false);
            await addClient(business, 2, 'theirs');
            await dashboard.untilEvents(2);
            assert.deepEqual(names(dashboard), ['mine', 'theirs']);
        });

        test('rooms on request are there with the first word, and only those that are allowed', async (t) => {
            const { bridge, business, database } = await enter(t, { channels: { messages: { rooms: ['conversation:*'] } } });
            await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql AS $$ SELECT room = 'conversation:77' $$`);
            const token = world.token({ company: '1' });
            // What is refused is said: where the first word lists the rooms, there; by an event; by a status.
            const wanted = door.name === 'long poll' ? ['conversation:77'] : ['conversation:77', 'conversation:78', 'company:2'];
            const dashboard = await openDashboard(t, door, bridge, { token, rooms: wanted });
            await business.query(`INSERT INTO messages (company_id, conversation_id, client_id, sender, body) VALUES (1, 78, 1, 'client', 'x'), (1, 77, 1, 'client', 'x')`);
            await dashboard.untilEvents(1);
            await addClient(business, 1, 'proof');
            await dashboard.untilEvents(2);
            assert.deepEqual(dashboard.events.map((/** @type {any} */ one) => one.data.conversationId ?? one.data.name), [77, 'proof']);
            if (door.name === 'long poll') {
                const refused = door.make(bridge, { token, rooms: ['conversation:78'], cursor: dashboard.cursor });
                await refused.connect();
                assert.equal(await refused.untilEnded(), '403');
            }
            if (door.name.startsWith('Socket.IO')) assert.deepEqual(dashboard.refused.sort(), ['company:2', 'conversation:78']);
        });

        test('a bad token is told as such and nothing else', async (t) => {
            const { bridge } = await enter(t);
            for (const token of ['rubbish', world.token({ company: '1' }).slice(0, -3), world.token({ company: '1', ttl: -3600 })]) {
                const dashboard = door.make(bridge, { token });
                await dashboard.connect();
                assert.match(await dashboard.untilEnded(), /^(unauthorized|401)$/);
                dashboard.close?.();
            }
        });

        test('a token that runs out ends the connection; a fresh one goes on where it was', async (t) => {
            const { bridge, business } = await world.enter(t, {
                config: SHORT.config, issuers: [Object.assign(Object.create(Object.getPrototypeOf(world.issuer)), world.issuer, { extra: { leeway: '0s' } })],
            });
            const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1', ttl: 3 }) });
            await addClient(business, 1, 'one');
            await dashboard.untilEvents(1);
            await dashboard.untilEnded();
            await addClient(business, 1, 'two');
            await resume(dashboard, { token: world.token({ company: '1' }) });
            await dashboard.untilEvents(2);
            assert.deepEqual(names(dashboard), ['one', 'two']);
        });

        if (door.renews)
            test('a token is renewed in band, and the connection outlives the old one', async (t) => {
                const { bridge, business } = await world.enter(t, {
                    config: SHORT.config, issuers: [Object.assign(Object.create(Object.getPrototypeOf(world.issuer)), world.issuer, { extra: { leeway: '0s' } })],
                });
                const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1', ttl: 4 }) });
                await dashboard.signal.until(() => dashboard.expiring !== undefined, { what: 'warning' });
                const [, renewed] = [dashboard.renew(world.token({ company: '1', ttl: 900 })),
                                     await dashboard.signal.until(() => dashboard.renewed, { what: 'renewal', state: () => dashboard.state() })];
                assert.ok(renewed > 800);
                const began = Date.now();
                for (let n = 1; Date.now() - began < 4_500; n++) { // past the end of the old token, and busy
                    await addClient(business, 1, 'tick');
                    await dashboard.untilEvents(n);
                }
                assert.deepEqual(dashboard.ends, []);
            });

        test('a bridge that goes down says so, and another takes over without a loss', async (t) => {
            const { bridge, business, database } = await enter(t);
            const second = await world.bridge(t, { database, config: SHORT.config });
            const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1' }) });
            await addClient(business, 1, 'one');
            await dashboard.untilEvents(1);
            bridge.kill('SIGTERM');
            await dashboard.untilEnded();
            await bridge.untilExited();
            assert.equal(bridge.exitCode, 0);
            await addClient(business, 1, 'two');
            await resume(dashboard, { bridge: second });
            await dashboard.untilEvents(2);
            assert.deepEqual(names(dashboard), ['one', 'two']);
        });

        if (door.streams)
            test('who does not read costs a bounded queue, and gets everything once it reads again', async (t) => {
                const { bridge, business } = await enter(t, { limits: { queue_bytes: '128KiB', sessions_per_address: 1000, messages_per_second: 1000, slow_timeout: '60s' } });
                const dashboard = await openDashboard(t, door, bridge, { token: world.token({ company: '1' }) });
                const quick = await openDashboard(t, DOORS[0], bridge, { token: world.token({ company: '1', user: 'u2' }) });
                dashboard.pause();
                await addClients(business, 1, 'big', 4000, { padding: 1000 });
                await quick.untilEvents(4000, 30_000);
                assert.ok((await bridge.metric('vigie_queued_bytes')) <= 2 * 160 * 1024, 'the queue stays within its limit');
                dashboard.unpause();
                await dashboard.untilEvents(4000, 30_000);
                assert.deepEqual(names(dashboard).map((/** @type {string} */ name) => name.replace(/x+$/, '')), numbered('big', 4000));
                assert.deepEqual(dashboard.gaps, []);
            });

        test('one user has so many sessions and no more: the oldest gives way', async (t) => {
            const { bridge } = await enter(t, { limits: { sessions_per_user: 2, sessions_per_address: 1000, messages_per_second: 1000 } });
            const token = world.token({ company: '1' });
            const [first, second] = [await openDashboard(t, door, bridge, { token }), await openDashboard(t, door, bridge, { token })];
            const third = await openDashboard(t, door, bridge, { token });
            assert.match(await first.untilEnded(), /replaced|io server disconnect|409|429/);
            assert.deepEqual([second.ends, third.ends], [[], []]);
        });

        test('one company has so many sessions and no more', async (t) => {
            const { bridge } = await enter(t, { limits: { sessions_per_company: 1, sessions_per_address: 1000, messages_per_second: 1000 } });
            await openDashboard(t, DOORS[0], bridge, { token: world.token({ company: '1' }) });
            const late = door.make(bridge, { token: world.token({ company: '1', user: 'u2' }) });
            await late.connect();
            assert.match(await late.untilEnded(), /rate_limited|429/);
            late.close?.();
            await openDashboard(t, door, bridge, { token: world.token({ company: '2' }) });
        });

        test('while the database is away it is told to come back, and does', async (t) => {
            const { bridge, database, business } = await enter(t);
            await addClient(business, 1, 'warm');
            const dashboard = door.make(bridge, { token: world.token({ company: '1' }) });
            t.after(() => (dashboard.close?.(), dashboard.cut()));
            await database.dba('ALTER ROLE vigie_bridge NOLOGIN');
            try {
                await database.dba(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vigie_bridge' AND datname = current_database()`);
                await bridge.event('db_down');
                await dashboard.connect();
                if (door.name.startsWith('Socket.IO')) assert.match(await dashboard.untilEnded(), /503|websocket error/);
            } finally {
                await database.dba('ALTER ROLE vigie_bridge LOGIN');
            }
            await bridge.event('db_up', { from: bridge.log.findLastIndex((line) => line.event === 'db_down') });
            if (!dashboard.connected) {
                await poll(async () => (await bridge.admin('/readyz')).status === 200, { what: 'a bridge that is ready' });
                await resume(dashboard);
            }
            await addClient(business, 1, 'there again');
            await dashboard.signal.until(() => names(dashboard).includes('there again'), { what: 'the event', state: () => dashboard.state() });
        });
    });
}
