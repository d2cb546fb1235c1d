/**
 * docs/asyncapi.yaml cannot lie: it is a valid AsyncAPI document that hangs together, its examples keep
 * its own schemas, and a running bridge says each message of the native door, with each member that the
 * document promises, and nothing else. asyncapi_streams.test.mjs does the same for the other doors.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import specs from '@asyncapi/specs';
import { Ajv } from 'ajv';

import { Record, expand, fill, judge, promises, readDocument, resolve } from './lib/asyncapi.mjs';
import { addClient } from './lib/business.mjs';
import { ROOT } from './lib/cluster.mjs';
import { Session } from './lib/session.mjs';
import { Issuer } from './lib/tokens.mjs';
import { OPCODE } from './lib/wsclient.mjs';
import { World } from './lib/world.mjs';

const world = new World();
const document = readDocument();
/** @param {string} file */
const source = (file) => fs.readFileSync(path.join(ROOT, file), 'utf8');
/** @type {Record<string, any>} */
const MESSAGES = document.components.messages;
/** @type {{code: number, reason: string, client: string, worded_by?: string}[]} */
const CLOSES = document['x-close-codes'];
const NATIVE = Object.keys(document.channels.native.messages);
const SAID_BY_CLIENTS = NATIVE.filter((name) => senders(name).includes('send'));
const SAID_BY_THE_BRIDGE = NATIVE.filter((name) => senders(name).includes('receive'));

/** The actions of the operations that a message is in; an answer is received. @param {string} name */
function senders(name) {
    const actions = [];
    for (const operation of Object.values(document.operations)) {
        const among = (/** @type {any[]} */ list = []) => list.some((one) => one.$ref.endsWith(`/messages/${name}`));
        if (among(operation.messages)) actions.push(operation.action);
        if (among(operation.reply?.messages)) actions.push('receive');
    }
    return actions;
}

/** All $ref of a document. @param {any} node @returns {string[]} */
function references(node) {
    if (node === null || typeof node !== 'object') return [];
    return Object.entries(node).flatMap(([key, value]) => (key === '$ref' && typeof value === 'string' ? [value] : references(value)));
}

describe('the document', () => {
    test('is valid AsyncAPI 3.0.0', () => {
        const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
        const validate = ajv.compile(specs.schemasWithoutId['3.0.0']);
        assert.ok(validate(document), JSON.stringify(validate.errors?.slice(0, 5), null, 1));
    });

    test('hangs together: each reference leads somewhere, nothing is left over', () => {
        const all = references(document);
        for (const one of all) resolve(document, one);
        for (const [kind, parts] of Object.entries(document.components))
            for (const name of Object.keys(parts)) assert.ok(all.includes(`#/components/${kind}/${name}`), `${kind} ${name} is used by nothing`);
        for (const [name, channel] of Object.entries(document.channels))
            for (const message of Object.keys(channel.messages)) {
                assert.equal(channel.messages[message].$ref, `#/components/messages/${message}`);
                assert.ok(all.includes(`#/channels/${name}/messages/${message}`), `no operation has ${message}`);
            }
        for (const [name, { channel, messages, reply }] of Object.entries(document.operations))
            for (const { $ref } of [...messages, ...(reply?.messages ?? [])])
                assert.ok($ref.startsWith(`${channel.$ref}/messages/`), `${name} has a message of another channel: ${$ref}`);
    });

    test('each message is of the client or of the bridge, never of both', () => {
        for (const name of Object.keys(MESSAGES)) assert.equal(new Set(senders(name)).size, 1, name);
    });

    test('is of the version of the bridge', () => {
        assert.equal(document.info.version, /project\(vigie VERSION (\S+)/.exec(source('CMakeLists.txt'))?.[1]);
    });

    for (const [name, { payload, headers, examples }] of Object.entries(MESSAGES))
        test(`examples of ${name} keep its schema`, () => {
            assert.ok(examples?.length, 'there is one');
            const kinds = Object.entries({ payload, headers }).filter(([, schema]) => schema !== undefined);
            for (const [kind, schema] of kinds) {
                const verdict = judge(expand(document, schema));
                for (const example of examples) assert.equal(verdict(example[kind]), '', `${example.name}: ${JSON.stringify(example[kind])}`);
            }
            assert.deepEqual([...new Set(examples.flatMap((/** @type {any} */ one) => Object.keys(one)))].filter((key) => !['name', 'summary'].includes(key)).sort(),
                kinds.map(([kind]) => kind).sort());
        });

    test('what the bridge says is closed, what a client says is open', () => {
        /** @param {any} schema @returns {boolean[]} */
        const closed = (schema) => [
            ...(schema.properties ? [schema.additionalProperties === false] : []),
            ...(Array.isArray(schema.items) ? [schema.maxItems === schema.items.length] : []),
            ...[schema.items ?? [], Object.values(schema.properties ?? {}), schema.oneOf ?? []].flat().flatMap(closed),
        ];
        for (const [name, { payload }] of Object.entries(MESSAGES)) {
            const verdicts = closed(expand(document, payload ?? {}));
            assert.ok(verdicts.every((one) => one === senders(name).includes('receive')), name);
        }
    });
});

describe('the source says the same', () => {
    test('types of messages are those of bridge/proto/native.c', () => {
        const text = source('bridge/proto/native.c');
        assert.deepEqual([...text.matchAll(/begin\("(\w+)"\)/g)].map(([, type]) => type).sort(), [...SAID_BY_THE_BRIDGE].sort());
        const heard = /names\[\] = \{(.+)\}/.exec(text)?.[1].match(/\w+/g);
        assert.deepEqual(heard?.sort(), [...SAID_BY_CLIENTS].sort());
    });

    /** The rows of the table of docs/protocol.md whose heading begins with this. @param {string} heading */
    function table(heading) {
        const rows = source('docs/protocol.md').split(`\n| ${heading}`)[1]?.split('\n\n')[0].split('\n').slice(2);
        assert.ok(rows?.length, heading);
        return rows.map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()));
    }
    /** @param {string} cell */
    const words = (cell) => cell.split(', ').map((word) => word.replaceAll('`', ''));

    test('close codes, their names and what a client does are those of docs/protocol.md', () => {
        const rows = table('code | reason').flatMap(([codes, names, client]) =>
            words(codes).map((code, n) => ({ code: Number(code), reason: words(names)[n], client })));
        assert.deepEqual(CLOSES.map(({ code, reason, client }) => ({ code, reason, client })), rows.sort((a, b) => a.code - b.code));
        const foreign = CLOSES.filter((one) => one.worded_by).map((one) => one.code).join(' and ');
        assert.ok(source('docs/protocol.md').includes(`(but for ${foreign}, which libwebsockets words itself)`), foreign);
    });

    test('close codes are those of bridge/core, but for what is never on the wire', () => {
        const text = source('bridge/core/protocol.c');
        const codes = new Map([...text.matchAll(/\[(CLOSE_\w+)\] = (\d+)/g)].map(([, name, code]) => [name, Number(code)]));
        const names = new Map([...text.matchAll(/\[(CLOSE_\w+)\] = "(\w+)"/g)].map(([, name, reason]) => [name, reason]));
        assert.ok(codes.size > 10);
        const pairs = [...codes].map(([name, code]) => `${code} ${names.get(name)}`);
        assert.deepEqual(pairs.filter((one) => !/^100[56] /.test(one)).sort(),
            CLOSES.map((one) => `${one.code} ${one.reason}`).sort());
    });

    test('the codes and reasons of the schemas are those of the table', () => {
        const { closeCode, closeReason } = document.components.schemas;
        assert.deepEqual([...closeCode.enum].sort(), CLOSES.map((one) => one.code).sort());
        assert.deepEqual([...closeReason.enum].sort(), CLOSES.map((one) => one.reason).sort());
    });

    test('errors of the refusals are those of the table of statuses, and those are the ones of docs/protocol.md', () => {
        const { error } = MESSAGES.refusal.payload.properties;
        assert.deepEqual([...error.enum].sort(), document['x-statuses'].flatMap((/** @type {any} */ one) => one.errors).sort());
        const told = source('docs/protocol.md').split('\n# What the plain HTTP doors have in common')[1].match(/\b[45]\d\d\b/g);
        assert.deepEqual([...new Set(told?.map(Number))].sort(), document['x-statuses'].map((/** @type {any} */ one) => one.status));
    });

    test('reasons of gaps and codes of errors are those of bridge/core and of docs/protocol.md', () => {
        const { gapReason, errorCode } = document.components.schemas;
        const names = /gap_reason_names\[GAP_REASON_COUNT\] = \{(.+)\}/.exec(source('bridge/core/protocol.c'))?.[1].match(/\w+/g);
        assert.deepEqual([...gapReason.enum].sort(), names?.sort());
        assert.deepEqual([...gapReason.enum].sort(), table('reason | what happened').map(([reason]) => words(reason)[0]).sort());
        assert.deepEqual([...errorCode.enum].sort(), table('error code |').map(([code]) => words(code)[0]).sort());
    });
});

// ---- against a bridge -------------------------------------------------------------------------

const MAY_JOIN = `CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN IF room = 'conversation:0' THEN RAISE 'broken'; END IF; RETURN room LIKE 'conversation:%'; END $$`;

/** @param {any} t @param {any} [config] */
async function enter(t, config = {}) {
    const strict = new Issuer({ name: 'main', key: world.issuer.key, extra: { leeway: '0s' } });
    const place = await world.enter(t, { issuers: [strict], config });
    await place.database.dba(MAY_JOIN);
    return place;
}

describe('a bridge', () => {
    const record = new Record(document, SAID_BY_THE_BRIDGE);
    /** @type {Set<string>} */
    const codes = new Set();
    /** @type {Set<string>} */
    const closes = new Set();
    /** Everything that a session heard. @param {Session} session */
    function take(session) {
        for (const message of session.messages) {
            record.take(message.type, message);
            if (message.type === 'error') codes.add(message.code);
        }
        if (session.socket.close) closes.add(`${session.socket.close.code} ${session.socket.close.reason}`);
    }
    /** The close frame, held against the table. @param {Session} session @param {number} code */
    async function closedWith(session, code) {
        const close = await session.untilClose();
        const known = CLOSES.find((one) => one.code === code);
        assert.equal(close.code, code, close.reason);
        if (known?.worded_by) assert.notEqual(close.reason, known.reason);
        else assert.equal(close.reason, known?.reason);
        take(session);
    }

    test('says each message as the document has it, from `ready` to `drain`', async (t) => {
        const { bridge, business } = await enter(t, { heartbeat: { interval: '1s' }, limits: { rooms_per_session: 4 } });
        const session = await Session.open(bridge, { token: world.token({ company: '1', ttl: 8 }), cursor: 'A'.repeat(22) });
        const expiring = session.message((one) => one.type === 'expiring', { what: 'expiring', within: 20_000 });
        await session.message((one) => one.type === 'gap', { what: 'gap' });
        await addClient(business, 1, 'seen');
        await session.untilEvents(1);

        for (const room of ['conversation:9', 'project:9', 'conversation:0']) await session.join(room);
        session.socket.send({ type: 'join', room: 'conversation:10' });
        session.socket.send({ type: 'join', room: 'conversation:11' }); // one room too many
        session.socket.send({ type: 'shout', id: 77 });
        await session.message((one) => one.id === 77, { what: 'answer to an unknown type' });
        await session.leave('conversation:9');
        session.socket.send({ type: 'leave', room: 'conversation:10' });

        await expiring;
        session.auth(world.token({ company: '1', role: 'chief' }));
        await session.message((one) => one.type === 'renewed', { what: 'renewed' });
        await session.message((one) => one.type === 'heartbeat', { what: 'heartbeat' });
        await session.roundTrip();

        bridge.kill('SIGTERM');
        await session.message((one) => one.type === 'drain', { what: 'drain' });
        await closedWith(session, 1012);
        await bridge.untilExited();
        assert.equal(bridge.exitCode, 0);
    });

    /** @type {[code: number, what: string, provoke: (session: Session) => void][]} */
    const PROVOKED = [
        [4400, 'no JSON', (session) => session.socket.send('{')],
        [4401, 'a token that is none', (session) => session.auth('rubbish')],
        [4403, 'a fresh token of somebody else', (session) => {
            session.auth(world.token({ company: '1' }));
            session.untilReady().then(() => session.auth(world.token({ company: '1', user: 'u2' })), () => {});
        }],
        [1003, 'binary', (session) => session.socket.sendFrame({ opcode: OPCODE.binary, payload: 'x' })],
        [1009, 'too much', (session) => session.socket.send('x'.repeat(100_000))],
        [1007, 'no UTF-8', (session) => session.socket.sendFrame({ payload: Buffer.from([0x22, 0xff, 0x22]) })],
        [1002, 'reserved bits', (session) => session.socket.sendFrame({ rsv: 7, payload: 'x' })],
        [4440, 'a token that runs out', (session) => session.auth(world.token({ company: '1', ttl: 2 }))],
    ];
    test('closes with the codes and reasons of the document', async (t) => {
        const { bridge } = await enter(t);
        await Promise.all(PROVOKED.map(async ([code, what, provoke]) => {
            const session = await Session.connect(bridge);
            provoke(session);
            await closedWith(session, code).catch((error) => assert.fail(`${what}: ${error.message}`));
        }));
        assert.equal(closes.size, PROVOKED.length + 1);
    });

    test('has said everything that the document promises of it', () => {
        record.assertComplete();
        assert.deepEqual([...codes].sort(), [...document.components.schemas.errorCode.enum].sort());
    });

    test('and the schemas are tight: what was said does not hold with one member more, less, or of another kind', () => {
        record.assertTight();
    });
});

describe('what a client says', () => {
    /** A session that may say this: `auth` opens one. @param {import('./lib/bridge.mjs').Bridge} bridge @param {any} message */
    async function speaker(bridge, message) {
        return message.type === 'auth' ? Session.connect(bridge) : Session.open(bridge, { token: world.token({ company: '1' }) });
    }
    /** What the bridge does with it: the first answer, 'nothing', or its close code. @param {Session} session @param {any} message */
    async function answerTo(session, message) {
        const from = session.messages.length;
        session.socket.send(message);
        if (message.type === 'ping') await session.roundTrip().catch(() => {});
        else await session.signal.until(() => session.messages.length > from || session.socket.wire.ended, { what: `answer to ${JSON.stringify(message)}` });
        if (session.socket.close) return session.socket.close.code;
        return session.messages[from] ?? 'nothing';
    }

    for (const type of SAID_BY_CLIENTS) {
        const schema = expand(document, MESSAGES[type].payload);
        const verdict = judge(schema);
        const reply = Object.values(document.operations).find((one) => one.messages.some((/** @type {any} */ m) => m.$ref.endsWith(`/messages/${type}`)))?.reply;
        const answers = (reply?.messages ?? []).map((/** @type {any} */ one) => one.$ref.split('/').at(-1)).filter((/** @type {string} */ one) => one !== 'error');

        test(`examples of ${type} are accepted, also with members that nobody knows`, async (t) => {
            const { bridge } = await enter(t);
            const first = await Session.open(bridge, { token: world.token({ company: '1' }) });
            const values = () => ({ TOKEN: world.token({ company: '1' }), CURSOR: first.cursor ?? '' });
            for (const { name, payload } of MESSAGES[type].examples)
                for (const extra of [{}, { nobody: { knows: ['this'] } }]) {
                    const message = { ...fill(payload, values()), ...extra };
                    const session = await speaker(bridge, name === 'renewal' ? {} : message);
                    if (type === 'leave') await session.join(message.room);
                    const answer = await answerTo(session, message);
                    if (type === 'ping') assert.equal(answer, 'nothing');
                    else assert.ok(answers.includes(answer.type), `${name}: ${JSON.stringify(answer)}`);
                    assert.equal(answer.id, message.id);
                    if (message.cursor) assert.equal(answer.resumed, true);
                    for (const room of message.rooms ?? []) assert.ok(answer.rooms.includes(room));
                    await session.bye();
                }
            await first.bye();
        });

        test(`what the schema of ${type} refuses the bridge refuses, and what it takes the bridge takes`, async (t) => {
            const { bridge } = await enter(t);
            const example = fill(MESSAGES[type].examples[0].payload, { TOKEN: world.token({ company: '1' }), CURSOR: '' });
            const values = [null, true, -1, 0, 1.5, 7, 2 ** 53 - 1, '', 'x', [], ['x'], [1], {}, Array(64).fill('x'), Array(65).fill('x')];
            const members = promises(schema).filter((one) => /^\.\w+$/.test(one)).map((one) => one.slice(1)).filter((one) => one !== 'type');
            /** @type {any[]} */
            const variants = [example, ...members.flatMap((member) => [
                Object.fromEntries(Object.entries(example).filter(([key]) => key !== member)),
                ...values.map((value) => ({ ...example, [member]: value })),
            ])];
            const seen = { taken: 0, refused: 0 };
            for (const message of variants) {
                const session = await speaker(bridge, message);
                const refused = (await answerTo(session, message)) === 4400;
                const wrong = verdict(message);
                assert.equal(refused, wrong !== '', `${JSON.stringify(message).slice(0, 300)}: ${wrong || 'keeps the schema'}, the bridge ${refused ? 'refuses' : 'takes'} it`);
                seen[refused ? 'refused' : 'taken']++;
                session.destroy();
            }
            assert.ok(seen.taken && (seen.refused || members.length === 0), JSON.stringify(seen));
        });
    }
});
