/**
 * The business write is never hurt: whatever is broken on our side, it commits; what was lost is
 * counted, and seen where an operator looks.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { addClient } from './lib/business.mjs';
import { Session } from './lib/session.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

/** @typedef {import('./lib/cluster.mjs').Database} Database */

const world = new World();

/** @param {Database} database @returns {Promise<number>} */
async function lost(database) {
    const [{ count }] = await database.dba('SELECT coalesce(sum(count), 0)::bigint AS count FROM vigie.lost');
    return count;
}

/** @param {Database} database @param {string} name */
async function exists(database, name) {
    return (await database.dba('SELECT FROM public.clients WHERE name = $1', [name])).length === 1;
}

describe('a business write commits, and its loss is counted, when', () => {
    /** @type {[what: string, breakIt: string[], reason: RegExp][]} */
    const BROKEN = [
        ['a column that its rule reads is dropped', ['ALTER TABLE public.clients DROP COLUMN type CASCADE'], /column|type|field/i],
        ['a column that its rule reads is renamed', ['ALTER TABLE public.clients RENAME COLUMN type TO kind'], /column|type|field/i],
        ['the outbox is over its quota', ["UPDATE vigie.config SET value = '0' WHERE name = 'outbox_quota_rows'", 'SELECT vigie.retain()'], /quota/],
        ['EXECUTE on the door for triggers is revoked', ['REVOKE ALL ON FUNCTION vigie.emit(text, text, vigie.item[]) FROM vigie_owner CASCADE'], /may not be executed/],
        ['EXECUTE on what is behind that door is revoked', ['REVOKE ALL ON FUNCTION vigie.append(text, text, vigie.item[]) FROM vigie_owner CASCADE'], /permission denied/],
        ['the right to write the outbox is revoked', ['REVOKE INSERT ON vigie.outbox FROM vigie_owner'], /permission denied/],
        ['the sequence of the outbox is dropped', ['DROP SEQUENCE vigie.outbox_id CASCADE'], /outbox_id|null value/],
        ['a partition of the outbox is dropped', ['DROP TABLE vigie.outbox_0 CASCADE'], /partition/],
        ['the payload is over its ceiling', ["UPDATE vigie.config SET value = '64' WHERE name = 'max_payload_bytes'"], /payload/],
    ];
    for (const [what, breakIt, reason] of BROKEN) {
        test(`${what}`, async (t) => {
            const database = await world.database(t);
            const business = await database.connect('business');
            await addClient(business, 1, 'while all was well');
            for (const sql of breakIt) await database.dba(sql);
            const before = await lost(database);
            const insert = (/** @type {string} */ name) => business.query('INSERT INTO public.clients (company_id, name, type) VALUES (1, $1, \'particulier\')', [name]);
            const bare = (/** @type {string} */ name) => business.query('INSERT INTO public.clients (company_id, name) VALUES (1, $1)', [name]);
            const renamed = (/** @type {string} */ name) => business.query('INSERT INTO public.clients (company_id, name, kind) VALUES (1, $1, \'particulier\')', [name]);
            const write = /dropped$/.test(what) && /column/.test(what) ? bare : /renamed/.test(what) ? renamed : insert;
            const long = 'broken '.repeat(12);
            await write(long);
            assert.ok(await exists(database, long), 'the write is there');
            assert.equal(await lost(database) - before, 1);
            const [entry] = await database.dba('SELECT * FROM vigie.lost ORDER BY last_at DESC LIMIT 1');
            assert.equal(entry.event, 'client:created');
            assert.match(entry.reason, reason);
            // In one transaction with other writes, before and behind it, and in savepoints.
            await business.query('BEGIN');
            await business.query("UPDATE public.devis SET notes = 'first' WHERE id = 1");
            await write(`${long}2`);
            await business.query('SAVEPOINT s');
            await write(`${long}3`);
            await business.query('ROLLBACK TO SAVEPOINT s');
            await business.query("UPDATE public.devis SET notes = 'last' WHERE id = 2");
            await business.query('COMMIT');
            assert.ok(await exists(database, `${long}2`));
            assert.equal((await database.dba("SELECT FROM public.devis WHERE notes IN ('first', 'last')")).length, 2);
            assert.equal(await lost(database) - before, 2, 'what was rolled back was no loss');
        });
    }

    for (const breakIt of ['REVOKE INSERT ON vigie.outbox FROM vigie_owner', 'REVOKE ALL ON FUNCTION vigie.append(text, text, vigie.item[]) FROM vigie_owner CASCADE',
                           'REVOKE ALL ON FUNCTION vigie.emit(text, text, vigie.item[]) FROM vigie_owner CASCADE', 'DELETE FROM vigie.gate']) {
        test(`somebody runs ${breakIt} in the middle of its transaction`, async (t) => {
            const database = await world.database(t);
            const business = await database.connect('business');
            await business.query('BEGIN');
            await addClient(business, 1, 'before');
            await database.dba(breakIt);
            await addClient(business, 1, 'behind');
            await business.query('COMMIT');
            assert.ok(await exists(database, 'before'));
            assert.ok(await exists(database, 'behind'));
        });
    }

    for (const [what, breakIt] of [
        ['what counts losses is gone too', 'DROP TABLE vigie.outbox CASCADE; DROP TABLE vigie.loss CASCADE'],
        ['the state that writers read is gone', 'DELETE FROM vigie.gate'],
        ['the whole schema is gone', 'DROP SCHEMA vigie CASCADE'],
    ]) {
        test(`${what}: then a WARNING is all that is left, or nothing that could warn`, async (t) => {
            const database = await world.database(t);
            const business = await database.connect('business');
            /** @type {string[]} */
            const warnings = [];
            business.on('notice', (notice) => warnings.push(notice.message ?? ''));
            await database.dba(breakIt);
            await addClient(business, 1, 'alone');
            assert.ok(await exists(database, 'alone'));
            const triggers = await database.dba("SELECT FROM pg_trigger WHERE tgrelid = 'public.clients'::regclass AND NOT tgisinternal");
            assert.ok(triggers.length === 0 || warnings.some((text) => /vigie/.test(text)), JSON.stringify(warnings));
        });
    }
});

describe('what was lost is seen', () => {
    test('in the metrics of the bridge, and rules that are broken too', async (t) => {
        const database = await world.database(t);
        const business = await database.connect('business');
        await database.dba('ALTER TABLE public.clients RENAME COLUMN type TO kind');
        await business.query("INSERT INTO public.clients (company_id, name, kind) VALUES (1, 'a', 'syndic'), (1, 'b', 'syndic')");
        const bridge = await world.bridge(t, { database });
        await poll(async () => (await bridge.metric('vigie_outbox_lost_events_total')) === 2, { what: 'two lost events in /metrics' });
        assert.ok(await bridge.metric('vigie_rules_bad') >= 1);
        // Other events go on.
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        await business.query("UPDATE public.devis SET status = 'signed' WHERE id = (SELECT min(id) FROM public.devis WHERE company_id = 1 AND status = 'sent')");
        await session.untilEvents(1);
        assert.equal(session.events[0].event, 'devis:signed');
        await session.bye();
    });

    test('over the quota nothing is lost that was there before, and it goes on once there is room', async (t) => {
        const { database, bridge, business } = await world.enter(t);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        await addClient(business, 1, 'before');
        await session.untilEvents(1);
        await database.dba("UPDATE vigie.config SET value = '10' WHERE name = 'outbox_quota_rows'");
        await database.dba('SELECT vigie.retain()');
        // In one transaction, so that nothing of it can be sequenced meanwhile.
        await business.query('BEGIN');
        for (let n = 0; n < 40; n++) await addClient(business, 1, `flood${n}`);
        await business.query('COMMIT');
        assert.equal((await database.dba("SELECT FROM public.clients WHERE starts_with(name, 'flood')")).length, 40);
        const dropped = await lost(database);
        assert.ok(dropped >= 20, `${dropped} of the flood are over the quota`);
        await session.untilEvents(1 + 40 - dropped);
        await database.dba("UPDATE vigie.config SET value = '1000000' WHERE name = 'outbox_quota_rows'");
        await database.dba('SELECT vigie.retain()');
        await addClient(business, 1, 'after');
        await session.event((event) => event.data.name === 'after');
        await session.bye();
    });
});

describe('what others in the database can do', () => {
    test('a forged bell of any role delivers nothing and is no denial of service', async (t) => {
        const { database, bridge, business } = await world.enter(t);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        const before = await bridge.metric('vigie_deliveries_total');
        for (const payload of ['', '1', '{"company":"1","event":"forged"}', 'x'.repeat(7999), '\u00e9"\\', '9999999999'])
            for (const channel of ['vigie_feed', 'vigie_clients', 'vigie_devis'])
                await business.query('SELECT pg_notify($1, $2)', [channel, payload]);
        for (let n = 0; n < 300; n++) await business.query(`NOTIFY vigie_clients, '${n}'`);
        await addClient(business, 1, 'true');
        await session.untilEvents(1);
        assert.equal(session.events[0].data.name, 'true');
        assert.equal(await bridge.metric('vigie_deliveries_total') - before, 1);
        await session.bye();
        assert.ok(database);
    });

    test('a business role reads and calls nothing of ours, the bridge reads no table', async (t) => {
        const database = await world.database(t);
        const business = await database.connect('business');
        const bridge = await database.connect('vigie_bridge');
        for (const sql of ['SELECT * FROM vigie.outbox', 'SELECT * FROM vigie.feed', 'SELECT * FROM vigie.secret', 'SELECT * FROM vigie.pull(0, 10)', 'SELECT * FROM vigie.hello()',
                           "SELECT vigie.emit('vigie_clients', 'client:created', ARRAY[('1', ARRAY['company:1'], '{}')::vigie.item])", 'SELECT vigie.new_epoch()'])
            await assert.rejects(business.query(sql), /permission denied/, sql);
        for (const sql of ['SELECT * FROM vigie.outbox', 'SELECT * FROM vigie.feed', 'SELECT * FROM vigie.secret', 'SELECT * FROM public.clients', 'SELECT * FROM prisma."Client"',
                           "SELECT vigie.emit('vigie_clients', 'client:created', ARRAY[('1', ARRAY['company:1'], '{}')::vigie.item])", 'SELECT vigie.new_epoch()', 'CREATE TABLE public.x ()'])
            await assert.rejects(bridge.query(sql), /permission denied/, sql);
    });

    test('who holds the bell lock for ever makes nobody deaf', async (t) => {
        const { database, bridge, business } = await world.enter(t);
        const holder = await database.connect('business');
        // It waits behind the bridge that sleeps, and has the lock once that one's connection is gone.
        const [{ pid }] = (await holder.query('SELECT pg_backend_pid() AS pid')).rows;
        const taken = holder.query('SELECT pg_advisory_lock(1449748329, 1)');
        await database.dba("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'vigie_bridge'");
        await taken;
        assert.equal((await database.dba("SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = $1", [pid])).length, 1);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        for (let n = 0; n < 5; n++) {
            await addClient(business, 1, `n${n}`);
            await session.untilEvents(n + 1, { within: 3000 });
        }
        await session.bye();
    });

    test('the bridge is never found idle in a transaction', async (t) => {
        const { database, bridge, business } = await world.enter(t);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        for (let n = 0; n < 40; n++) {
            await addClient(business, 1, `n${n}`);
            const idle = await database.dba(`SELECT query FROM pg_stat_activity WHERE usename = 'vigie_bridge' AND state LIKE 'idle in transaction%'`);
            assert.deepEqual(idle, []);
        }
        await session.untilEvents(40);
        await session.bye();
    });
});
