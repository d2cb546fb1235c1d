/**
 * Commit order is not insertion order, and clients come and go: each committed event reaches each
 * dashboard of its company once, in one order for all, however late its transaction commits.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addClient, clientNames } from './lib/business.mjs';
import { Follower } from './lib/follower.mjs';
import { SEED, randomOf } from './lib/random.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

const world = new World();
const COMPANIES = [1, 2, 3];
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('concurrent writers with pauses, savepoints and rollbacks: every follower sees each committed event once, late commits too', { timeout: 120_000 }, async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const { bridge, database } = await world.enter(t);
    const writers = 8;
    const transactions = 40;
    const followers = COMPANIES.flatMap((company) => [0, 1, 2].map((n) => ({
        company,
        restless: n > 0,
        follower: new Follower({ bridge: () => bridge, token: () => world.token({ company: `${company}`, user: `f${n}` }) }),
    })));
    t.after(() => Promise.all(followers.map(({ follower }) => follower.stop())));
    for (const { follower } of followers) await follower.start();

    // Its ids come first and its commit last.
    const late = await database.connect('business');
    await late.query('BEGIN');
    for (const company of COMPANIES) await addClient(late, company, `late-${company}-first`);

    let writing = true;
    const unrest = followers.filter((one) => one.restless).map(async ({ follower, company }, index) => {
        const random = randomOf(`unrest ${company} ${index}`);
        while (writing) {
            await pause(random.below(120));
            follower.cut();
        }
    });

    const write = async (/** @type {number} */ writer) => {
        const random = randomOf(`writer ${writer}`);
        const client = await database.connect('business');
        for (let n = 0; n < transactions; n++) {
            await client.query('BEGIN');
            for (let step = 0, steps = 1 + random.below(3); step < steps; step++) {
                const name = `w${writer}-${n}-${step}`;
                const company = random.pick(COMPANIES);
                const undone = random.chance(0.2);
                if (undone || random.chance(0.2)) await client.query('SAVEPOINT s');
                await addClient(client, company, name);
                if (undone) await client.query('ROLLBACK TO SAVEPOINT s');
                if (random.chance(0.4)) await pause(random.below(30));
            }
            await client.query(random.chance(0.2) ? 'ROLLBACK' : 'COMMIT');
        }
        await client.end();
    };
    await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
    writing = false;
    await Promise.all(unrest);
    // All that was committed before is seen before: what is late comes after it.
    for (const { company, follower } of followers) await follower.untilEvents((await clientNames(database, company, 'w')).filter((name) => /^w\d/.test(name)).length);
    for (const company of COMPANIES) await addClient(late, company, `late-${company}-last`);
    await late.query('COMMIT');

    for (const company of COMPANIES) {
        const truth = await clientNames(database, company, '');
        const committed = truth.filter((name) => /^(w\d|late-)/.test(name));
        assert.ok(committed.length > 50, `company ${company}: ${committed.length} events`);
        const seen = [];
        for (const { follower } of followers.filter((one) => one.company === company)) {
            await follower.untilEvents(committed.length);
            assert.deepEqual(follower.gaps, []);
            assert.deepEqual([...follower.names()].sort(), [...committed].sort(), `company ${company}: each event once`);
            seen.push(follower.names());
        }
        for (const names of seen) assert.deepEqual(names, seen[0], 'one order for all');
        // Within a writer, in the order in which it committed; inside a transaction, as written.
        for (let writer = 0; writer < writers; writer++) {
            const own = seen[0].filter((name) => name.startsWith(`w${writer}-`)).map((name) => name.split('-').slice(1).map(Number));
            const sorted = [...own].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
            assert.deepEqual(own, sorted, `order of writer ${writer}`);
        }
        assert.deepEqual(seen[0].slice(-2), [`late-${company}-first`, `late-${company}-last`], 'the late commit comes last');
    }
    const resumed = followers.filter((one) => one.restless).reduce((sum, { follower }) => sum + follower.connections - 1, 0);
    assert.ok(resumed > 20, `only ${resumed} resumes`);
});

test('a transaction that has been running for long delays nothing but its own events', async (t) => {
    const { bridge, database, business } = await world.enter(t);
    const follower = await new Follower({ bridge: () => bridge, token: () => world.token({ company: '1' }) }).start();
    t.after(() => follower.stop());
    const long = await database.connect('business');
    await long.query('BEGIN');
    await addClient(long, 1, 'long');
    for (let n = 0; n < 20; n++) await addClient(business, 1, `short${n}`);
    await follower.untilEvents(20);
    assert.deepEqual(follower.names(), Array.from({ length: 20 }, (_, n) => `short${n}`));
    await long.query('COMMIT');
    await follower.untilEvents(21);
    assert.equal(follower.names()[20], 'long');
});

test('what is rolled back is never seen, in whole or in part', async (t) => {
    const { bridge, business } = await world.enter(t);
    const follower = await new Follower({ bridge: () => bridge, token: () => world.token({ company: '1' }) }).start();
    t.after(() => follower.stop());
    await business.query('BEGIN');
    await addClient(business, 1, 'undone');
    await business.query('ROLLBACK');
    await business.query('BEGIN');
    await addClient(business, 1, 'kept');
    await business.query('SAVEPOINT a');
    await addClient(business, 1, 'undone');
    await business.query('SAVEPOINT b');
    await addClient(business, 1, 'undone');
    await business.query('ROLLBACK TO SAVEPOINT a');
    await addClient(business, 1, 'kept too');
    await business.query('RELEASE SAVEPOINT a');
    await business.query('COMMIT');
    await assert.rejects(business.query("INSERT INTO public.clients (company_id, name, type) VALUES (1, 'undone', 'particulier'), (NULL, NULL, NULL)"));
    await addClient(business, 1, 'end');
    await follower.untilEvents(3);
    assert.deepEqual(follower.names(), ['kept', 'kept too', 'end']);
});

test('vigie.new_epoch() reaches a running bridge at once, and its clients as a gap; a forged one costs a question', async (t) => {
    const { bridge, database, business } = await world.enter(t, { config: { database: { safety_poll: '60s' } } });
    const follower = await new Follower({ bridge: () => bridge, token: () => world.token({ company: '1' }) }).start();
    t.after(() => follower.stop());
    await addClient(business, 1, 'before');
    await follower.untilEvents(1);

    await business.query("NOTIFY vigie_feed, 'epoch'");
    await addClient(business, 1, 'forged');
    await follower.untilEvents(2);
    assert.deepEqual([follower.gaps.length, bridge.log.filter((line) => line.event === 'db_down').length], [0, 0]);

    const [{ epoch }] = await database.dba('SELECT epoch FROM vigie.hello()');
    const from = bridge.log.length;
    await database.dba('SELECT vigie.new_epoch()');
    const up = await bridge.event('db_up', { from, within: 10_000 });
    assert.notEqual(up.epoch, epoch);
    await poll(async () => follower.gaps.length > 0, { what: 'a gap' });
    assert.equal(follower.gaps[0].reason, 'epoch');
    await addClient(business, 1, 'after');
    await poll(async () => follower.names().includes('after'), { what: 'the event after' });
});
