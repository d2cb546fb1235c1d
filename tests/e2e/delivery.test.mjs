/**
 * From a commit to a dashboard: each event that ships, with exactly the payload of its rule, over wss,
 * to the company it belongs to, in milliseconds; and the transcripts of docs/protocol.md as they stand.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { addClient } from './lib/business.mjs';
import { ROOT } from './lib/cluster.mjs';
import { Session } from './lib/session.mjs';
import { Issuer } from './lib/tokens.mjs';
import { World } from './lib/world.mjs';
import { WsClient } from './lib/wsclient.mjs';

const world = new World();

describe('the nine events', () => {
    /** @type {import('./lib/bridge.mjs').Bridge} */
    let bridge;
    /** @type {import('./lib/cluster.mjs').Database} */
    let database;
    /** @type {import('pg').Client} */
    let business;
    before(async () => {
        ({ bridge, database, business } = await world.enter(world.scope));
        await database.dba(`
            INSERT INTO public.clients (id, company_id, name, type, email) VALUES (9001, 1, 'Dupont "& fils" é\\n', 'particulier', 'd@example.fr');
            INSERT INTO public.users (id, company_id, name, role, email, password_hash) VALUES (9002, 1, 'Zoé Martin', 'technician', 'z@example.fr', 'hash');
            INSERT INTO public.devis (id, company_id, client_id, number, status, amount) VALUES (9003, 1, 9001, 'D-9003', 'sent', 1234.50), (9004, 1, 9001, 'D-9004', 'sent', 1);
            INSERT INTO public.factures (id, company_id, client_id, number, status, amount) VALUES (9005, 1, 9001, 'F-9005', 'sent', 99.90);
            INSERT INTO public.interventions (id, company_id, client_id, assignee_id, status, address) VALUES
                (9006, 1, 9001, 9002, 'planned', '1 rue des Lilas'), (9007, 1, 9001, NULL, 'planned', '2 rue'), (9008, 1, 9001, 9002, 'started', '3 rue')`);
    });

    const name = 'Dupont "& fils" é\\n';
    /** @type {[event: string, sql: string, data: object][]} */
    const EVENTS = [
        ['devis:created', `INSERT INTO devis (id, company_id, client_id, number, amount, margin, notes) VALUES (9013, 1, 9001, 'D-1', 1234.50, 33, 'secret')`,
            { id: 9013, clientName: name, amount: 1234.5 }],
        ['devis:signed', `UPDATE devis SET status = 'signed' WHERE id = 9003`, { id: 9003, clientName: name }],
        ['devis:rejected', `UPDATE devis SET status = 'rejected', reason = 'Trop cher' WHERE id = 9004`, { id: 9004, clientName: name, reason: 'Trop cher' }],
        ['facture:created', `INSERT INTO factures (id, company_id, client_id, number, amount, iban) VALUES (9015, 1, 9001, 'F-1', 0.10, 'FR76')`,
            { id: 9015, clientName: name, amount: 0.1 }],
        ['facture:paid', `UPDATE factures SET status = 'paid', paid_at = now() WHERE id = 9005`, { id: 9005, clientName: name, amount: 99.9 }],
        ['intervention:started', `UPDATE interventions SET status = 'started' WHERE id = 9006`, { id: 9006, address: '1 rue des Lilas', assignee: 'Zoé Martin' }],
        ['intervention:started', `UPDATE interventions SET status = 'started' WHERE id = 9007`, { id: 9007, address: '2 rue', assignee: null }],
        ['intervention:completed', `UPDATE interventions SET status = 'completed', duration = 95 WHERE id = 9008`, { id: 9008, address: '3 rue', duration: 95 }],
        ['client:created', `INSERT INTO clients (id, company_id, name, type, email, phone, iban, notes) VALUES (9011, 1, 'Petit', 'syndic', 'e', 'p', 'i', 'n')`,
            { id: 9011, name: 'Petit', type: 'syndic' }],
        ['message:received', `INSERT INTO messages (id, company_id, conversation_id, client_id, sender, body) VALUES (9019, 1, 77, 9001, 'client', 'Le code est 1234')`,
            { id: 9019, conversationId: 77, clientName: name }],
    ];
    for (const [event, sql, data] of EVENTS) {
        test(`${event} reaches its company with exactly ${Object.keys(data).join(', ')}, and no other company`, async () => {
            const [mine, other] = [await Session.open(bridge, { token: world.token({ company: '1' }) }), await Session.open(bridge, { token: world.token({ company: '2' }) })];
            const started = Date.now();
            await business.query(sql);
            await mine.untilEvents(1);
            const [seen] = mine.events;
            assert.equal(seen.event, event);
            assert.equal(seen.room, 'company:1');
            assert.deepEqual(seen.data, data);
            assert.deepEqual(Object.keys(seen.data), Object.keys(data), 'in the order of the rule');
            assert.deepEqual(Object.keys(JSON.parse(seen.text)), ['type', 'event', 'room', 'cursor', 'at', 'data']);
            assert.match(seen.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
            assert.ok(Math.abs(Date.parse(seen.at) - started) < 5000, seen.at);
            // What goes to another company's dashboard afterwards proves that it would have come.
            await addClient(business, 2, 'proof');
            await other.untilEvents(1);
            assert.deepEqual(other.events.map((one) => one.data.name), ['proof']);
            assert.equal(mine.events.length, 1);
            await mine.bye();
            await other.bye();
        });
    }

    /** @type {[what: string, sql: string][]} */
    const SILENT = [
        ['an update that changes no status', `UPDATE devis SET amount = amount + 1, notes = 'x' WHERE id = 9003`],
        ['an update that writes the same status, as ORMs do', `UPDATE devis SET status = status, amount = amount WHERE id = 9003`],
        ['a status that no rule names', `UPDATE factures SET status = 'overdue' WHERE id = 9015`],
        ['a message of the company itself', `INSERT INTO messages (company_id, conversation_id, client_id, sender, body) VALUES (1, 77, 9001, 'company', 'x')`],
        ['a delete', `DELETE FROM messages WHERE id = 9019`],
        ['a muted load', `SET vigie.mute = on; INSERT INTO clients (company_id, name, type) VALUES (1, 'muted', 'syndic'); RESET vigie.mute`],
    ];
    for (const [what, sql] of SILENT) {
        test(`${what} is no event`, async () => {
            const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
            await business.query(sql);
            await addClient(business, 1, 'proof');
            await session.untilEvents(1);
            assert.deepEqual(session.events.map((one) => one.data.name), ['proof']);
            await session.bye();
        });
    }

    test('a statement of five hundred rows is five hundred events in the order of the rows', async () => {
        const session = await Session.open(bridge, { token: world.token({ company: '3' }) });
        await business.query(`INSERT INTO clients (company_id, name, type) SELECT 3, 'bulk' || g, 'syndic' FROM generate_series(1, 500) g`);
        await session.untilEvents(500);
        assert.deepEqual(session.events.map((one) => one.data.name), Array.from({ length: 500 }, (_, g) => `bulk${g + 1}`));
        await session.bye();
    });

    test('from commit to dashboard it takes milliseconds, idle and busy', async (t) => {
        const session = await Session.open(bridge, { token: world.token({ company: '4' }) });
        for (const [state, gap] of /** @type {[string, number][]} */ ([['busy', 0], ['idle', 120]])) {
            const latencies = [];
            for (let n = 0; n < 30; n++) {
                // Long enough for the bridge to fall asleep: the bell has to wake it.
                if (gap) await new Promise((resolve) => setTimeout(resolve, gap));
                await addClient(business, 4, `${state}${n}`);
                const committed = performance.now();
                const seen = await session.event((one) => one.data.name === `${state}${n}`);
                latencies.push(seen.received - committed);
            }
            latencies.sort((a, b) => a - b);
            t.diagnostic(`${state}: p50 ${latencies[15].toFixed(1)} ms, max ${latencies[29].toFixed(1)} ms after the commit was known`);
            assert.ok(latencies[15] < 50, `${state}: p50 ${latencies[15]} ms`);
        }
        await session.bye();
    });

    test('a room of a conversation brings its messages to who may join it, once also for who is in two rooms of the event', async () => {
        await database.dba(`CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql AS $$ SELECT room = 'conversation:77' $$`);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }), rooms: ['conversation:77'] });
        await business.query(`INSERT INTO messages (company_id, conversation_id, client_id, sender, body) VALUES (1, 77, 9001, 'client', 'x')`);
        await addClient(business, 1, 'proof');
        await session.untilEvents(2);
        assert.deepEqual(session.events.map((one) => one.event), ['message:received', 'client:created']);
        await session.bye();
    });
});

test('the operator narrows and adds rooms by the configuration, never across companies', async (t) => {
    const { bridge, business } = await world.enter(t, {
        config: { channels: { interventions: { rooms: ['user:*'] }, clients: { rooms: ['wall:{company}', 'role:office'] }, devis: null } },
    });
    const technician = await Session.open(bridge, { token: world.token({ company: '1', user: '3' }) });
    const office = await Session.open(bridge, { token: world.token({ company: '1', user: '2', role: 'office' }) });
    const elsewhere = await Session.open(bridge, { token: world.token({ company: '2', user: '3', role: 'office' }) });
    await business.query(`UPDATE interventions SET status = 'started', assignee_id = 3 WHERE id = 6 AND company_id = 1`);
    await addClient(business, 1, 'for the office');
    await business.query(`INSERT INTO devis (company_id, client_id, number, amount) VALUES (1, 1, 'D-x', 1)`);
    await business.query(`INSERT INTO factures (company_id, client_id, number, amount) VALUES (1, 1, 'F-x', 1), (2, 31, 'F-x', 2)`);
    await technician.untilEvents(2);
    await office.untilEvents(2);
    await elsewhere.untilEvents(1);
    assert.deepEqual(technician.events.map((one) => [one.event, one.room]), [['intervention:started', 'user:3'], ['facture:created', 'company:1']]);
    assert.deepEqual(office.events.map((one) => [one.event, one.room]), [['client:created', 'role:office'], ['facture:created', 'company:1']]);
    assert.deepEqual(elsewhere.events.map((one) => [one.event, one.data.amount]), [['facture:created', 2]]);
    for (const session of [technician, office, elsewhere]) await session.bye();
});

test('a token of another way of naming its company reaches that company', async (t) => {
    const { bridge, business } = await world.enter(t);
    for (const company of ['01', '1 ', ' 1', '1.0', 'company:1', '*', '%', '١']) {
        const session = await Session.connect(bridge);
        session.auth(world.token({ company }));
        await session.signal.until(() => session.ready || session.socket.close || session.socket.wire.ended, { what: 'answer' });
        if (!session.ready) {
            assert.deepEqual(await session.untilClose(), { code: 4401, reason: 'unauthorized' });
            continue;
        }
        await addClient(business, 1, 'for 1 alone');
        const proof = await Session.open(bridge, { token: world.token({ company: '1' }), cursor: undefined });
        await addClient(business, 1, 'proof');
        await proof.event((event) => event.data.name === 'proof');
        await session.roundTrip();
        assert.deepEqual(session.events, [], JSON.stringify(company));
        await session.bye();
        await proof.bye();
    }
});

test('a service that says who it is in a header says in the query where it was', async (t) => {
    const { bridge, business } = await world.enter(t);
    const token = world.token({ company: '1' });
    const first = await Session.open(bridge, { token });
    const { cursor } = first;
    await first.bye();
    await addClient(business, 1, 'between');
    for (const [query, resumed] of /** @type {[string, boolean][]} */ ([[`?cursor=${cursor}`, true], [`?&x=1&cursor=${cursor}`, true], ['?x=1', false], ['', false]])) {
        const session = new Session(await WsClient.open({ ...bridge.target, path: `/ws${query}`, headers: { Authorization: `Bearer ${token}` } }));
        await session.untilReady();
        await session.roundTrip();
        assert.deepEqual([session.ready.resumed, session.events.map((one) => one.data.name), session.gaps], [resumed, resumed ? ['between'] : [], []], query);
        await session.bye();
    }
});

// ---- docs/protocol.md -----------------------------------------------------------------------

/**
 * The blocks of transcripts: `> ` the client says, `< ` the bridge answers, `$ ` the business commits,
 * `! reconnect` opens the connection anew.
 * @param {string} text
 * @returns {{name: string, steps: {kind: string, text: string}[]}[]}
 */
function readTranscripts(text) {
    const transcripts = [];
    for (const [, name, block] of text.matchAll(/^### transcript: (.+)\n```[a-z]*\n([^]*?)^```$/gm)) {
        const steps = block.trimEnd().split('\n').map((line) => {
            const step = /^([><$!]) (.+)$/.exec(line);
            assert.ok(step, `transcript ${name}: not understood: ${line}`);
            return { kind: step[1], text: step[2] };
        });
        transcripts.push({ name: name.trim(), steps });
    }
    return transcripts;
}

/** … is any text, CURSOR as well, but that one is kept. @param {string} pattern */
function regexOf(pattern) {
    const escaped = pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${escaped.replaceAll('…', '.*').replace('CURSOR', '(?<cursor>[A-Za-z0-9_-]+)').replaceAll('CURSOR', '[A-Za-z0-9_-]+')}$`);
}

const PROTOCOL = path.join(ROOT, 'docs/protocol.md');

describe('docs/protocol.md', () => {
    const text = fs.readFileSync(PROTOCOL, 'utf8');
    const transcripts = readTranscripts(text);

    test('it has transcripts, and each heading of one has its block', () => {
        assert.ok(transcripts.length >= 5);
        assert.equal(transcripts.length, [...text.matchAll(/^### transcript:/gm)].length);
    });

    for (const { name, steps } of transcripts) {
        test(`transcript: ${name}`, async (t) => {
            const strict = new Issuer({ name: 'main', key: world.issuer.key, extra: { leeway: '0s' } });
            const { bridge, business } = await world.enter(t, { issuers: [strict] });
            let session = await Session.connect(bridge);
            let cursor = '';
            let next = 0;
            for (const { kind, text: line } of steps) {
                if (kind === '>') {
                    session.socket.send(line
                        .replaceAll('SHORT_TOKEN', () => world.token({ company: '1', ttl: 8 }))
                        .replaceAll('CHIEF_TOKEN', () => world.token({ company: '1', role: 'chief' }))
                        .replaceAll('TOKEN', () => world.token({ company: '1' }))
                        .replaceAll('CURSOR', () => cursor));
                } else if (kind === '$') {
                    await business.query(line);
                } else if (kind === '!') {
                    assert.equal(line, 'reconnect');
                    session.destroy();
                    session = await Session.connect(bridge);
                    next = 0;
                } else {
                    await session.signal.until(() => {
                        if (session.messages[next]?.type === 'heartbeat') next++;
                        return session.messages.length > next || session.socket.wire.ended;
                    }, { what: `message like ${line}`, state: () => session.texts });
                    const match = regexOf(line).exec(session.texts[next] ?? '');
                    assert.ok(match, `${session.texts[next]}\nis not\n${line}`);
                    cursor = match.groups?.cursor ?? cursor;
                    next++;
                }
            }
            await session.roundTrip();
            assert.equal(session.messages.length, next, `more than the transcript tells: ${session.texts.slice(next)}`);
            await session.bye();
        });
    }
});

test('the replayer of transcripts sees a difference', () => {
    const [{ name, steps }] = readTranscripts('### transcript: a b\n```\n> {"type":"x"}\n< {"type":"y",…,"cursor":"CURSOR"}\n```\n');
    assert.equal(name, 'a b');
    assert.deepEqual(steps.map((step) => step.kind), ['>', '<']);
    const pattern = regexOf(steps[1].text);
    assert.equal(pattern.exec('{"type":"y","n":7,"cursor":"abc"}')?.groups?.cursor, 'abc');
    for (const wrong of ['{"type":"z","n":7,"cursor":"abc"}', '{"type":"y","n":7,"cursor":""}', '{"type":"y","n":7,"cursor":"abc"} ', 'x{"type":"y","n":7,"cursor":"abc"}'])
        assert.doesNotMatch(wrong, pattern);
});
