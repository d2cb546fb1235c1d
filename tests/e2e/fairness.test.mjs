/**
 * Nobody waits behind somebody else: a slow question of one company, a client that asks for much, a
 * database that is away.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addClient, addClients } from './lib/business.mjs';
import { Session } from './lib/session.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';

const world = new World();

/** Every permission takes so long. @param {import('./lib/cluster.mjs').Database} database @param {number} seconds */
const slowPermissions = (database, seconds) =>
    database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql AS $$ SELECT true FROM pg_sleep(${seconds}) $$`);

const waiting = 'vigie_db_questions_waiting{line="permission"}';

test('a slow permission of one company delays a resume of another by one question, not by all of them', async (t) => {
    const { bridge: first, database, business } = await world.enter(t);
    const before = await Session.open(first, { token: world.token({ company: '1' }) });
    await addClient(business, 1, 'missed');
    await before.untilEvents(1);
    const cursor = /** @type {string} */ (before.ready.cursor);
    await before.bye();
    await slowPermissions(database, 0.5);
    // Another bridge has no memory of it: it must ask the database.
    const bridge = await world.bridge(t, { database });
    const greedy = await Session.open(bridge, { token: world.token({ company: '2' }) });
    for (let i = 0; i < 40; i++) greedy.socket.send({ type: 'join', room: `project:${i}`, id: i });
    await poll(async () => (await bridge.metric(waiting)) > 30, { what: 'a line of permissions' });
    const started = performance.now();
    const session = await Session.open(bridge, { token: world.token({ company: '1' }), cursor });
    assert.equal(session.ready.resumed, true);
    await session.event((event) => event.data.name === 'missed');
    assert.ok(performance.now() - started < 2000, `${performance.now() - started} ms`);
    // And a permission of its own waits for two of the others', not for forty.
    assert.equal((await session.join('project:1')).type, 'joined');
    assert.ok(performance.now() - started < 4000, `${performance.now() - started} ms`);
    await session.bye();
    greedy.destroy();
});

test('what a client has asked is forgotten when it goes', async (t) => {
    const { bridge, database } = await world.enter(t);
    await slowPermissions(database, 0.3);
    const greedy = await Session.open(bridge, { token: world.token({ company: '2' }) });
    for (let i = 0; i < 50; i++) greedy.socket.send({ type: 'join', room: `project:${i}`, id: i });
    await poll(async () => (await bridge.metric(waiting)) > 40, { what: 'a line of permissions' });
    greedy.destroy();
    const started = performance.now();
    await poll(async () => (await bridge.metric(waiting)) === 0, { what: 'an empty line' });
    assert.ok(performance.now() - started < 2000, `${performance.now() - started} ms`);
});

test('a question that merely waited in line is unavailable, not forbidden', async (t) => {
    const { bridge, database } = await world.enter(t, { config: { database: { statement_timeout: '700ms' } } });
    await slowPermissions(database, 0.4);
    const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
    for (let i = 0; i < 10; i++) session.socket.send({ type: 'join', room: `project:${i}`, id: i });
    const answers = await session.signal.until(() => {
        const all = session.messages.filter((message) => message.id !== undefined);
        return all.length === 10 && all;
    }, { what: 'ten answers' });
    assert.equal(answers[0].type, 'joined');
    assert.deepEqual(new Set(answers.filter((answer) => answer.type === 'error').map((answer) => answer.code)), new Set(['unavailable']));
    assert.ok(answers.some((answer) => answer.type === 'error'));
    await session.bye();
});

test('a join that is taken back is answered by the leave alone', async (t) => {
    const { bridge, database } = await world.enter(t);
    await slowPermissions(database, 0.3);
    const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
    session.socket.send({ type: 'join', room: 'conversation:7', id: 101 });
    session.socket.send({ type: 'leave', room: 'conversation:7', id: 102 });
    assert.equal((await session.join('project:1')).type, 'joined'); // asked after it, so it has been answered
    assert.deepEqual(session.messages.filter((message) => message.id > 100), [{ type: 'left', room: 'conversation:7', id: 102 }]);
    assert.equal((await session.leave('conversation:7')).code, 'forbidden');
    await session.bye();
});

test('without its database a bridge says of a room that it is unavailable', async (t) => {
    const { bridge, database } = await world.enter(t, { config: { database: { statement_timeout: '300ms', reconnect_min: '20s', reconnect_max: '20s' } } });
    const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
    await database.dba(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'vigie_bridge'`);
    await bridge.event('db_ask_down');
    const { type, code } = await session.join('project:1');
    assert.deepEqual([type, code], ['error', 'unavailable']);
    await session.bye();
});

test('a reader that stopped is closed also when nothing waits in its queue', { timeout: 60_000 }, async (t) => {
    const { bridge, business } = await world.enter(t, { config: { limits: { slow_timeout: '1s' } } });
    const stopped = async () => {
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        session.socket.pause();
        return session;
    };
    const large = () => addClients(business, 1, 'large', 1, { padding: 15_000 });
    const sent = () => bridge.metric('vigie_deliveries_total');
    // The kernel and the library take so many, each by itself: the next one waits in the queue.
    const probe = await stopped();
    let taken = 0;
    for (; (await bridge.metric('vigie_queued_bytes')) === 0; taken++) {
        const before = await sent();
        await large();
        await poll(async () => (await sent()) > before, { what: 'delivery' });
    }
    probe.destroy();
    await poll(async () => (await bridge.metric('vigie_sessions')) === 0, { what: 'end of the probe' });
    const session = await stopped();
    for (let i = 0; i < taken - 1; i++) {
        const before = await sent();
        await large();
        await poll(async () => (await sent()) > before, { what: 'delivery' });
    }
    assert.equal(await bridge.metric('vigie_queued_bytes'), 0);
    await bridge.event('session_close', { fields: { reason: 'slow_consumer' }, within: 6000 });
    session.destroy();
});
