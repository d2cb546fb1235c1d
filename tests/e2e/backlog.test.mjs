/**
 * A bridge comes to a database in which far more waits than it could sequence within its
 * statement_timeout, after a long absence or after a restore: it gets through, and each event once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addClient } from './lib/business.mjs';
import { Follower } from './lib/follower.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

const world = new World();
const EVENTS = 15_000;

/** Events of four kilobytes that do not compress. @param {import('./lib/cluster.mjs').Database} database */
async function fill(database) {
    await database.dba('SELECT vigie.hello()');
    for (let first = 1; first <= EVENTS; first += 5000) {
        await database.dba(`SELECT count(vigie.emit('vigie_clients', 'client:created', ARRAY[ROW('1', ARRAY['company:1'],
                json_build_object('id', n, 'name', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 125) i)))::vigie.item]))
              FROM generate_series($1::int, $2::int) n`, [first, first + 4999]);
    }
}

/** @param {import('./lib/cluster.mjs').Database} database @param {number} events */
async function assertWhole(database, events) {
    const [feed] = await database.dba(`SELECT count(*)::int AS rows, count(DISTINCT outbox_id)::int AS events, max(seq)::int AS last,
        bool_and(ordered) AS ordered FROM (SELECT *, outbox_id >= lag(outbox_id, 1, 0::bigint) OVER (ORDER BY seq) AS ordered FROM vigie.feed) f`);
    assert.deepEqual(feed, { rows: events, events, last: events, ordered: true });
}

test('after a long absence: looks that run into their timeout are followed by smaller ones', { timeout: 120_000 }, async (t) => {
    const database = await world.database(t);
    await fill(database);
    const bridge = await world.bridge(t, { database, config: { database: { statement_timeout: '300ms' } } });
    await poll(async () => await bridge.metric('vigie_events_received_total') >= EVENTS, { within: 60_000 });
    const refused = await bridge.event('db_query_failed', { fields: { sqlstate: '57014' } });
    assert.equal(refused.statement, 'vigie.pull()', 'a full batch was too much here');
    assert.equal(await bridge.metric('vigie_events_received_total'), EVENTS);
    await assertWhole(database, EVENTS);

    const follower = await new Follower({ bridge: () => bridge, token: () => world.token({ company: '1' }) }).start();
    t.after(() => follower.stop());
    await addClient(await database.connect('business'), 1, 'and on');
    await follower.untilEvents(1);
    assert.deepEqual(follower.names(), ['and on']);
});

test('after a restore: the log moves in step by step, for two bridges at once, while the business writes', { timeout: 120_000 }, async (t) => {
    const database = await world.database(t);
    await fill(database);
    await database.dba(`UPDATE vigie.outbox SET xid = (xid::text::bigint + 1000000)::text::xid8;
        UPDATE vigie.tick SET origin = 'elsewhere', prev = '5000000:5000000:', snap = '5000000:5000000:'`);
    const options = { database, config: { database: { statement_timeout: '300ms' } } };
    const bridges = Promise.all([world.bridge(t, options), world.bridge(t, options)]);
    const business = await database.connect('business');
    let written = 0;
    let arrived = false;
    bridges.finally(() => { arrived = true; }).catch(() => {});
    while (!arrived) await addClient(business, 2, `while ${written++}`);
    const [one, other] = await bridges;

    const followers = [one, other].map((bridge) => new Follower({ bridge: () => bridge, token: () => world.token({ company: '2' }) }));
    t.after(() => Promise.all(followers.map((follower) => follower.stop())));
    for (const follower of followers) await follower.start();
    await addClient(business, 2, 'and on');
    for (const follower of followers) {
        await poll(async () => follower.names().includes('and on'), { within: 20_000 });
        assert.equal(follower.names().filter((name) => name === 'and on').length, 1);
    }
    await assertWhole(database, EVENTS + written + 1);
    const [ticks] = await database.dba("SELECT count(*)::int AS steps FROM vigie.tick WHERE origin LIKE 'underway%'");
    assert.ok(ticks.steps >= 2, `${ticks.steps} steps`);
});
