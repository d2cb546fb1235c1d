/**
 * Tokens on the wire: every trap of libjwt and of a careless policy, as a vector against the real
 * bridge. Whatever is wrong, the peer learns one thing: 4401 unauthorized. The operator learns which.
 */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { Session } from './lib/session.mjs';
import { Issuer, assemble, base64url, makeKey, now, remember, signature } from './lib/tokens.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';
import { HandshakeRefused, OPCODE, WsClient, exchange, upgradeRequest } from './lib/wsclient.mjs';

const world = new World();
const main = world.issuer;
const ALGORITHMS = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'];
const byAlgorithm = new Map(ALGORITHMS.map((alg) => [alg, new Issuer({
    name: alg.toLowerCase(), key: makeKey(alg, { kid: `${alg}-1` }) })]));
const rs256 = /** @type {Issuer} */ (byAlgorithm.get('RS256'));
const es256 = /** @type {Issuer} */ (byAlgorithm.get('ES256'));
const sso = new Issuer({ name: 'sso', key: makeKey('HS256', { kid: 'sso-1' }), companies: ['1'] });
const nest = new Issuer({ name: 'nest', key: makeKey('HS256', { kid: 'nest-1' }), claims: { company: 'companyId', user: 'userId', role: 'role' } });
const strict = new Issuer({ name: 'main', key: main.key, extra: { leeway: '0s' } });
const twin = new Issuer({ name: 'twin', key: makeKey('HS256', { kid: 'sso-1' }) });

/** @param {Issuer} issuer */
const publicPem = (issuer) => crypto.createSecretKey(Buffer.from(/** @type {string} */ (issuer.key.file)));
/** @param {Issuer} issuer */
const publicDer = (issuer) => crypto.createSecretKey(crypto.createPublicKey(/** @type {string} */ (issuer.key.file)).export({ type: 'spki', format: 'der' }));

const who = { company: '1', user: 'u1' };
const honest = () => main.mint(who);

/** A token of `issuer` with another algorithm in its header, signed with another key. */
/** @param {Issuer} issuer @param {string} alg @param {crypto.KeyObject} key @param {string} [signedAs] */
function confused(issuer, alg, key, signedAs = alg) {
    return assemble({ header: { alg, typ: 'JWT', ...(issuer.key.kid ? { kid: issuer.key.kid } : {}) },
                      payload: issuer.claims(who), sign: (input) => signature(signedAs, key, input) });
}

/** @param {string} alg @param {string} third */
function unsigned(alg, third) {
    const input = `${base64url(JSON.stringify({ alg, typ: 'JWT' }))}.${base64url(JSON.stringify(main.claims(who)))}`;
    return remember(`${input}.${third}`);
}

/** The last character of a 32-byte signature has two bits that mean nothing: another spelling of it. */
/** @param {string} token */
function respelled(token) {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) ?? '') ^ 1];
}

const segments = (/** @type {string} */ token) => token.split('.');
const claims = (/** @type {Record<string, unknown>} */ change) => main.mint({ ...who, claims: change });
const header = (/** @type {Record<string, unknown>} */ change) => main.mint({ ...who, header: change });
/** The payload as text, with one member replaced by text that JSON.stringify would never write. */
const payloadText = (/** @type {string} */ name, /** @type {string} */ text) =>
    main.signText('{"alg":"HS256","typ":"JWT"}', JSON.stringify({ ...main.claims(who), [name]: '@@' }).replace('"@@"', text));

/** An honest token of a given length. @param {number} bytes */
function tokenOf(bytes) {
    for (const x of ['', 'x', 'xx']) {
        const bare = main.mint({ ...who, header: { x }, claims: { pad: '' } }).length;
        const guess = Math.floor((bytes - bare) * 3 / 4);
        for (let pad = guess - 3; pad < guess + 4; pad++) {
            const token = main.mint({ ...who, header: { x }, claims: { pad: 'x'.repeat(pad) } });
            if (token.length === bytes) return token;
        }
    }
    throw new Error(`no token of ${bytes} bytes`);
}

/** @type {[name: string, reason: string, token: () => string][]} */
const VECTORS = [
    // algorithm
    ['alg none with an empty signature', 'malformed', () => unsigned('none', '')],
    ...['none', 'None', 'nOnE', '', ' none', 'hs256', 'HS256 ', 'PS256', 'EdDSA', 'HS1'].map((alg) =>
        /** @type {[string, string, () => string]} */ ([`alg ${JSON.stringify(alg)} with a signature`, 'algorithm', () => unsigned(alg, base64url('bogus'))])),
    ['no alg', 'algorithm', () => header({ alg: undefined })],
    ['alg a number', 'algorithm', () => header({ alg: 256 })],
    ['alg a list', 'algorithm', () => header({ alg: ['HS256'] })],
    ['HS256 keyed with the public RSA key as PEM', 'algorithm', () => confused(rs256, 'HS256', publicPem(rs256))],
    ['HS256 keyed with the public RSA key as DER', 'algorithm', () => confused(rs256, 'HS256', publicDer(rs256))],
    ['HS512 keyed with the public EC key as PEM', 'algorithm', () => confused(es256, 'HS512', publicPem(es256))],
    ['HS512 with the secret of an HS256 key', 'algorithm', () => confused(main, 'HS512', main.key.sign)],
    ['RS512 with the key of an RS256 issuer', 'algorithm', () => confused(rs256, 'RS512', rs256.key.sign)],
    ['PS256 with the key of an RS256 issuer', 'algorithm', () => confused(rs256, 'PS256', rs256.key.sign)],
    ['RS256 whose signature is PSS', 'signature', () => confused(rs256, 'RS256', rs256.key.sign, 'PS256')],
    ['ES256 signed on P-384', 'signature', () => confused(es256, 'ES256', makeKey('ES384').sign)],
    // signature
    ['signature of another key', 'signature', () => confused(main, 'HS256', makeKey('HS256').sign)],
    ['signature of another RSA key', 'signature', () => confused(rs256, 'RS256', makeKey('RS256').sign)],
    ['signature of another EC key', 'signature', () => confused(es256, 'ES256', makeKey('ES256').sign)],
    ['signature of an empty key', 'signature', () => confused(main, 'HS256', crypto.createSecretKey(Buffer.alloc(0)))],
    ['signature of zero bytes', 'signature', () => segments(honest()).slice(0, 2).join('.') + `.${base64url(Buffer.alloc(32))}`],
    ['signature one byte short', 'signature', () => { const t = segments(honest()); return remember(`${t[0]}.${t[1]}.${base64url(Buffer.from(t[2], 'base64url').subarray(1))}`); }],
    ['signature one byte long', 'signature', () => { const t = segments(honest()); return remember(`${t[0]}.${t[1]}.${base64url(Buffer.concat([Buffer.from(t[2], 'base64url'), Buffer.from('x')]))}`); }],
    ['EC signature in DER', 'signature', () => assemble({ header: { alg: 'ES256', typ: 'JWT', kid: es256.key.kid }, payload: es256.claims(who), sign: (input) => crypto.sign('sha256', Buffer.from(input), es256.key.sign) })],
    ['EC signature of zeros', 'signature', () => assemble({ header: { alg: 'ES256', typ: 'JWT', kid: es256.key.kid }, payload: es256.claims(who), sign: () => Buffer.alloc(64) })],
    ['a payload changed after it was signed', 'signature', () => { const t = segments(honest()); return remember(`${t[0]}.${base64url(JSON.stringify(main.claims({ ...who, company: '2' })))}.${t[2]}`); }],
    ['a header changed after it was signed', 'signature', () => { const t = segments(honest()); return remember(`${base64url('{"typ":"JWT","alg":"HS256"}')}.${t[1]}.${t[2]}`); }],
    // key
    ['no kid where the key has one', 'key|algorithm', () => rs256.mint({ ...who, header: { kid: undefined } })],
    ['an unknown kid', 'key', () => header({ kid: 'unknown' })],
    ['a kid of 300 bytes', 'key', () => header({ kid: 'k'.repeat(300) })],
    ['a kid that is a number', 'key', () => header({ kid: 7 })],
    ['an empty kid', 'key', () => header({ kid: '' })],
    ['a kid that is a path', 'key', () => header({ kid: '../../../dev/null' })],
    ['a kid that is SQL', 'key', () => header({ kid: "x' UNION SELECT 'key" })],
    ["the kid of one issuer with the issuer name of another", 'key|issuer|signature|algorithm', () => header({ kid: 'sso-1' })],
    ["another issuer's key of the same kid", 'signature|issuer', () => twin.mint({ ...who, claims: { iss: sso.iss } })],
    // header
    ['crit', 'header', () => header({ crit: ['exp'] })],
    ['crit of an unknown extension', 'header', () => header({ crit: ['x'], x: 1 })],
    ['b64 false', 'header', () => header({ b64: false })],
    ['typ at+jwt where JWT is configured', 'header', () => header({ typ: 'at+jwt' })],
    ['typ a number', 'header', () => header({ typ: 1 })],
    ['two alg members', 'header', () => main.signText('{"alg":"none","alg":"HS256","typ":"JWT"}', JSON.stringify(main.claims(who)))],
    ['a header that is a list', 'header', () => main.signText('[]', JSON.stringify(main.claims(who)))],
    ['a header that is not JSON', 'header', () => main.signText('alg=HS256', JSON.stringify(main.claims(who)))],
    ['a header 2100 deep', 'header', () => main.signText(`{"alg":"HS256","x":${'['.repeat(2100)}${']'.repeat(2100)}}`, '{}')],
    // form
    ['one segment', 'malformed', () => segments(honest())[0]],
    ['two segments', 'malformed', () => segments(honest()).slice(0, 2).join('.')],
    ['four segments', 'malformed', () => `${honest()}.AAAA`],
    ['five segments', 'malformed', () => `${honest()}.AAAA.AAAA`],
    ['two dots', 'malformed', () => '..'],
    ['an empty header', 'malformed', () => `.${segments(honest()).slice(1).join('.')}`],
    ['an empty payload', 'malformed', () => `${segments(honest())[0]}..${segments(honest())[2]}`],
    ['an empty signature', 'malformed', () => `${segments(honest()).slice(0, 2).join('.')}.`],
    ['padding', 'malformed', () => `${honest()}=`],
    ['padding of four', 'malformed', () => `${rs256.mint(who)}====`],
    ['a line end inside the signature', 'malformed', () => { const t = honest(); return remember(`${t.slice(0, -5)}\n${t.slice(-5)}`); }],
    ['a blank in front', 'malformed', () => ` ${honest()}`],
    ['a blank behind', 'malformed', () => `${honest()} `],
    ['the base64 alphabet with + and /', 'malformed', () => { const t = segments(honest()); return remember(`${t[0]}.${t[1]}.${'+/'.repeat(21)}A`); }],
    ['stray bits behind the signature', 'malformed', () => respelled(honest())],
    ['no token at all', 'size|malformed', () => ''],
    ['8193 bytes', 'size', () => tokenOf(8193)],
    // claims
    ['a payload that is a list', 'claims', () => main.signText('{"alg":"HS256"}', '[]')],
    // libjwt reads the payload as well, and says no more than no.
    ['a payload that is not JSON', 'claims|signature', () => main.signText('{"alg":"HS256"}', 'company=1')],
    ['a payload with two company members', 'claims', () => main.signText('{"alg":"HS256"}', JSON.stringify(main.claims(who)).replace('{', '{"company":"2",'))],
    ['a payload of broken UTF-8', 'claims|signature', () => main.signText('{"alg":"HS256"}', Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]))],
    ['a payload 2500 deep', 'claims|signature', () => main.signText('{"alg":"HS256"}', `{"x":${'['.repeat(2500)}${']'.repeat(2500)}}`)],
    ['a payload with a number that is none', 'claims|signature', () => payloadText('exp', '1e999')],
    ['a NUL inside the company', 'claims|company|signature', () => payloadText('company', '"1\\u0000"')],
    // iss
    ['no iss', 'issuer', () => claims({ iss: undefined })],
    ['iss a number', 'issuer', () => claims({ iss: 1 })],
    ['iss without its last slash', 'issuer', () => claims({ iss: main.iss.slice(0, -1) })],
    ['iss with more behind', 'issuer', () => claims({ iss: `${main.iss}x` })],
    ['iss in capitals', 'issuer', () => claims({ iss: main.iss.toUpperCase() })],
    ['iss of another issuer', 'issuer|key|signature|algorithm', () => claims({ iss: rs256.iss })],
    // aud
    ['no aud', 'audience', () => claims({ aud: undefined })],
    ['aud null', 'audience', () => claims({ aud: null })],
    ['aud empty list', 'audience', () => claims({ aud: [] })],
    ['aud another', 'audience', () => claims({ aud: 'vigie2' })],
    ['aud in capitals', 'audience', () => claims({ aud: 'VIGIE' })],
    ['aud an object', 'audience', () => claims({ aud: { vigie: true } })],
    ['aud a list of 17', 'audience', () => claims({ aud: [...Array(16).fill('other'), 'vigie'] })],
    ['aud a list with a number in it', 'audience', () => claims({ aud: ['vigie', 7] })],
    // exp, nbf, iat
    ['no exp', 'lifetime', () => claims({ exp: undefined })],
    ['exp a text', 'lifetime', () => claims({ exp: String(now() + 900) })],
    ['exp null', 'lifetime', () => claims({ exp: null })],
    ['exp true', 'lifetime', () => claims({ exp: true })],
    ['exp -1', 'lifetime|expired', () => claims({ exp: -1 })],
    ['exp 0', 'lifetime|expired', () => claims({ exp: 0 })],
    ['exp 1e300', 'lifetime', () => payloadText('exp', '1e300')],
    ['exp 2^63', 'lifetime|claims|signature', () => payloadText('exp', '9223372036854775808')],
    ['exp 31 seconds ago', 'expired', () => claims({ exp: now() - 31 })],
    ['exp ten years ahead', 'lifetime', () => claims({ exp: now() + 315_360_000 })],
    ['nbf a minute ahead', 'not_yet', () => claims({ nbf: now() + 60 })],
    ['iat a minute ahead', 'not_yet', () => claims({ iat: now() + 60 })],
    ['nbf a text', 'not_yet|lifetime|claims', () => claims({ nbf: 'now' })],
    // who
    ['no sub', 'user', () => claims({ sub: undefined })],
    ['an empty sub', 'user', () => claims({ sub: '' })],
    ['sub a list', 'user', () => claims({ sub: ['u1'] })],
    ['sub of 129 bytes', 'user', () => claims({ sub: 'u'.repeat(129) })],
    ['sub with a line end', 'user', () => claims({ sub: 'u1\nevent=forged' })],
    ['no company', 'company', () => claims({ company: undefined })],
    ['an empty company', 'company', () => claims({ company: '' })],
    ['company null', 'company', () => claims({ company: null })],
    ['company a list', 'company', () => claims({ company: ['1'] })],
    ['company of 65 bytes', 'company', () => claims({ company: 'c'.repeat(65) })],
    ['company with a tab', 'company', () => claims({ company: '1\t' })],
    ['role an object', 'role', () => claims({ role: {} })],
    ['a company that this issuer may not speak for', 'company_refused', () => sso.mint({ ...who, company: '2' })],
];

describe('a bridge that trusts many issuers', () => {
    /** @type {import('./lib/bridge.mjs').Bridge} */
    let bridge;

    before(async () => {
        const database = await world.database(world.scope);
        bridge = await world.bridge(world.scope, {
            database,
            issuers: [main, ...byAlgorithm.values(), sso, nest, twin],
            // Room for a token of the full size in a message.
            config: { limits: { message_bytes: '16KiB' } },
        });
    });

    for (const [name, reason, mint] of VECTORS) {
        test(`a token with ${name} is told unauthorized and nothing else`, async () => {
            const from = bridge.log.length;
            const before = await failures(bridge);
            const session = await Session.connect(bridge);
            session.auth(mint());
            assert.deepEqual(await session.untilClose(), { code: 4401, reason: 'unauthorized' });
            assert.deepEqual(session.messages, [], 'nothing was said before the close');
            const line = await bridge.event('auth_fail', { from });
            assert.match(line.reason, new RegExp(`^(${reason})$`));
            const after = await failures(bridge);
            assert.equal((after.get(line.reason) ?? 0) - (before.get(line.reason) ?? 0), 1,
                `vigie_auth_attempts_total of ${line.reason}`);
        });
    }

    for (const [alg, issuer] of byAlgorithm) {
        test(`an honest ${alg} token is taken`, async () => {
            const session = await Session.open(bridge, { token: issuer.mint({ company: '3', user: 'u9', role: 'admin' }) });
            assert.equal(session.ready.company, '3');
            assert.equal(session.ready.user, 'u9');
            assert.deepEqual([...session.ready.rooms].sort(), ['company:3', 'role:admin', 'user:u9']);
            await session.bye();
        });
    }

    /** @type {[name: string, token: () => string][]} */
    const TAKEN = [
        ['aud a list with ours in it', () => claims({ aud: ['other', 'vigie'] })],
        ['exp a real number', () => payloadText('exp', `${now() + 100}.5`)],
        ['exp just past, within the leeway', () => claims({ exp: now() - 20 })],
        ['nbf within the leeway', () => claims({ nbf: now() + 20 })],
        ['no typ', () => header({ typ: undefined })],
        ['no iat', () => claims({ iat: undefined })],
        ['a company of 64 bytes', () => claims({ company: 'c'.repeat(64) })],
        ['claims of other names', () => nest.mint(who)],
        ['a company that its issuer may speak for', () => sso.mint(who)],
        ['the same kid at another issuer', () => twin.mint(who)],
        ['a list of roles', () => claims({ role: ['admin', 'sales'] })],
    ];
    for (const [name, mint] of TAKEN) {
        test(`a token with ${name} is taken`, async () => {
            const session = await Session.open(bridge, { token: mint() });
            await session.bye();
        });
    }

    test('a token of exactly 8192 bytes is taken', async () => {
        const session = await Session.open(bridge, { token: tokenOf(8192) });
        await session.bye();
    });

    test('jku and x5u are never followed', async (t) => {
        let asked = 0;
        const server = http.createServer((_, answer) => { asked++; answer.end('{}'); });
        await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
        t.after(() => server.close());
        const url = `http://127.0.0.1:${/** @type {any} */ (server.address()).port}/keys`;
        const session = await Session.connect(bridge);
        const other = makeKey('RS256');
        session.auth(assemble({
            header: { alg: 'RS256', typ: 'JWT', kid: rs256.key.kid, jku: url, x5u: url, jwk: crypto.createPublicKey(/** @type {string} */ (other.file)).export({ format: 'jwk' }) },
            payload: rs256.claims(who), sign: (input) => signature('RS256', other.sign, input) }));
        assert.deepEqual(await session.untilClose(), { code: 4401, reason: 'unauthorized' });
        assert.equal(asked, 0);
    });

    test('three hundred forged RSA tokens do not disturb a session beside them', async () => {
        const session = await Session.open(bridge, { token: honest() });
        const forged = confused(rs256, 'RS256', makeKey('RS256').sign);
        for (let round = 0; round < 15; round++) {
            await Promise.all(Array.from({ length: 20 }, async () => {
                const bad = await Session.connect(bridge);
                bad.auth(forged);
                assert.equal((await bad.untilClose()).code, 4401);
            }));
            await session.roundTrip();
        }
        await session.bye();
    });

    test('a JSON message that is no auth comes back as unauthorized or bad request before there is a session', async () => {
        const session = await Session.connect(bridge);
        session.socket.send({ type: 'join', room: 'company:1', id: 1 });
        const close = await session.untilClose();
        assert.ok([4400, 4401].includes(close.code), String(close.code));
        assert.ok(!session.messages.some((message) => message.type === 'joined'));
    });

    for (const [name, token] of /** @type {[string, unknown][]} */ ([['a number', 7], ['null', null], ['an object', {}], ['absent', undefined]])) {
        test(`an auth message whose token is ${name} ends the session`, async () => {
            const session = await Session.connect(bridge);
            session.socket.send({ type: 'auth', token });
            const close = await session.untilClose();
            assert.ok((close.code === 4400 && close.reason === 'bad_request') || (close.code === 4401 && close.reason === 'unauthorized'), JSON.stringify(close));
        });
    }

    test('an Authorization header opens a session without a message', async () => {
        const session = await Session.connect(bridge, { headers: { Authorization: `Bearer ${honest()}` } });
        const ready = await session.untilReady();
        assert.equal(ready.company, '1');
        await session.bye();
    });

    test('a bad Authorization header is a real 401 that invites a token', async () => {
        for (const value of [`Bearer ${confused(main, 'HS256', makeKey('HS256').sign)}`, 'Bearer x', 'Bearer ', 'Basic dTpw', 'bearer']) {
            const refused = await WsClient.open({ ...bridge.target, headers: { Authorization: value } }).then(
                () => assert.fail(`${value.slice(0, 10)} was taken`), (error) => error);
            assert.ok(refused instanceof HandshakeRefused, refused.message);
            assert.equal(refused.status, 401);
            assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer/);
        }
    });

    test('two Authorization headers are refused', async () => {
        const answer = await exchange(bridge.target, upgradeRequest({ headers: { Authorization: [`Bearer ${honest()}`, `Bearer ${honest()}`] } }));
        assert.ok([400, 401].includes(answer.status), answer.text);
    });

    test('a token in the URL is refused', async () => {
        for (const name of ['access_token', 'token']) {
            const answer = await exchange(bridge.target, upgradeRequest({ path: `/ws?${name}=${honest()}` }));
            assert.equal(answer.status, 400, answer.text);
        }
    });
});

/** Failed attempts by reason. @param {import('./lib/bridge.mjs').Bridge} bridge */
async function failures(bridge) {
    /** @type {Map<string, number>} */
    const byReason = new Map();
    for (const [series, value] of await bridge.metrics()) {
        const label = /^vigie_auth_attempts_total\{.*?(?:reason|result)="([a-z_]+)"/.exec(series)?.[1];
        if (label) byReason.set(label, value);
    }
    return byReason;
}

test('who says nothing is closed with auth_timeout, whatever else it sends', async (t) => {
    const { bridge } = await world.enter(t, { config: { limits: { auth_timeout: '500ms' } } });
    const silent = await Session.connect(bridge);
    const pinging = await Session.connect(bridge);
    const started = performance.now();
    const pings = setInterval(() => pinging.socket.sendFrame({ opcode: OPCODE.ping }), 50);
    t.after(() => clearInterval(pings));
    const dripping = await WsClient.open(bridge.target);
    dripping.wire.write(Buffer.from([0x81, 0xfe]));
    for (const session of [silent, pinging])
        assert.deepEqual(await session.untilClose(), { code: 4408, reason: 'auth_timeout' });
    assert.equal((await dripping.untilClose()).code, 4408);
    const took = performance.now() - started;
    assert.ok(took > 400 && took < 2500, `closed after ${took} ms`);
});

test('a session is warned before its token expires and renewed in band', async (t) => {
    const { bridge, business } = await world.enter(t, { issuers: [strict] });
    const session = await Session.open(bridge, { token: world.token({ company: '1', ttl: 8 }) });
    assert.ok(session.ready.expires_in >= 6 && session.ready.expires_in <= 8, String(session.ready.expires_in));
    const warning = await session.message((message) => message.type === 'expiring');
    assert.ok(warning.in > 0 && warning.in <= 60, JSON.stringify(warning));
    session.auth(world.token({ company: '1', ttl: 900 }));
    const renewed = await session.message((message) => message.type === 'renewed');
    assert.ok(renewed.expires_in > 800 && renewed.expires_in <= 900, JSON.stringify(renewed));
    await business.query("INSERT INTO clients (company_id, name, type) VALUES (1, 'Dupont', 'particulier')");
    await session.untilEvents(1);
    await session.bye();
});

test('a session whose token runs out is closed with token_expired', async (t) => {
    const { bridge } = await world.enter(t, { issuers: [strict] });
    const session = await Session.open(bridge, { token: world.token({ company: '1', ttl: 5 }) });
    const close = await session.untilClose();
    assert.deepEqual(close, { code: 4440, reason: 'token_expired' });
    assert.ok(session.messages.some((message) => message.type === 'expiring'));
});

test('a renewal may not change user, company or issuer', async (t) => {
    const second = new Issuer({ name: 'second', key: makeKey('HS256', { kid: 'second-1' }) });
    const { bridge, business } = await world.enter(t, { issuers: [main, second] });
    for (const token of [world.token({ company: '2' }), world.token({ company: '1', user: 'u2' }), second.mint(who)]) {
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        session.auth(token);
        assert.deepEqual(await session.untilClose(), { code: 4403, reason: 'forbidden' });
        assert.ok(!session.messages.some((message) => message.type === 'renewed'));
    }
    const bad = await Session.open(bridge, { token: world.token({ company: '1' }) });
    bad.auth(confused(main, 'HS256', makeKey('HS256').sign));
    assert.deepEqual(await bad.untilClose(), { code: 4401, reason: 'unauthorized' });
    assert.ok(business);
});

test('a renewal without a role leaves the room of the role', async (t) => {
    const { bridge } = await world.enter(t);
    const session = await Session.open(bridge, { token: world.token({ company: '1', role: 'admin' }) });
    assert.ok(session.ready.rooms.includes('role:admin'));
    session.auth(world.token({ company: '1' }));
    await session.message((message) => message.type === 'renewed');
    await session.message((message) => message.type === 'left' && message.room === 'role:admin');
    await session.bye();
});

test('a key set can be rotated without a restart, and a hostile one is refused while the old one stays', async (t) => {
    const [first, second] = [makeKey('RS256', { kid: 'first' }), makeKey('ES256', { kid: 'second' })];
    const jwk = (/** @type {import('./lib/tokens.mjs').Key} */ key) => ({
        ...crypto.createPublicKey(/** @type {string} */ (key.file)).export({ format: 'jwk' }), kid: key.kid, alg: key.alg, use: 'sig' });
    const folder = fs.mkdtempSync('/tmp/vigie-jwks-');
    t.after(() => fs.rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'main.jwks');
    const publish = (/** @type {unknown} */ set) => fs.writeFileSync(file, typeof set === 'string' ? set : JSON.stringify(set));
    publish({ keys: [jwk(first)] });
    const issuer = new Issuer({ name: 'main', key: first });
    const { key_file: _, algorithm: __, kid: ___, ...config } = /** @type {any} */ (issuer.config(folder));
    const { bridge } = await world.enter(t, { issuers: [], config: { issuers: [{ ...config, jwks_file: file }] } });
    const rotated = new Issuer({ name: 'main', key: second });
    const attempt = async (/** @type {string} */ token) => {
        const session = await Session.connect(bridge);
        session.auth(token);
        await session.signal.until(() => session.ready || session.socket.close || session.socket.wire.ended, { what: 'answer' });
        const taken = session.ready !== null;
        session.destroy();
        return taken;
    };
    const reload = async (/** @type {'reload_ok' | 'reload_fail'} */ outcome) => {
        const from = bridge.log.length;
        bridge.kill('SIGHUP');
        await bridge.event(outcome, { from });
    };
    assert.equal(await attempt(issuer.mint(who)), true);
    assert.equal(await attempt(rotated.mint(who)), false);
    publish({ keys: [jwk(first), jwk(second)] });
    await reload('reload_ok');
    assert.equal(await attempt(issuer.mint(who)), true);
    assert.equal(await attempt(rotated.mint(who)), true);
    const hostile = [
        '', '[]', '{"keys":', '{"keys":[]}',
        { keys: [jwk(first), { kty: 'oct', k: base64url(crypto.randomBytes(32)), kid: 'oct', alg: 'HS256' }] },
        { keys: [{ ...second.sign.export({ format: 'jwk' }), kid: 'second', alg: 'ES256' }] },
        { keys: [jwk(first), { ...jwk(second), kid: 'first' }] },
        { keys: [{ ...jwk(first), e: 'AQ' }] },
        { keys: [{ ...jwk(second), y: /** @type {any} */ (jwk(second)).x }] },
        { keys: [jwk(makeKey('RS256', { kid: 'weak', modulusLength: 1024 }))] },
        { keys: [jwk(first)], pad: 'x'.repeat(65 * 1024) },
        { keys: Array.from({ length: 33 }, (_, i) => ({ ...jwk(first), kid: `k${i}` })) },
    ];
    for (const set of hostile) {
        publish(set);
        await reload('reload_fail');
        assert.equal(await attempt(issuer.mint(who)), true, JSON.stringify(set).slice(0, 100));
    }
    publish({ keys: [jwk(second)] });
    await reload('reload_ok');
    assert.equal(await attempt(issuer.mint(who)), false);
    assert.equal(await attempt(rotated.mint(who)), true);
});

test('an attempt that went well is counted as ok', async (t) => {
    const { bridge } = await world.enter(t);
    const session = await Session.open(bridge, { token: honest() });
    await session.bye();
    await poll(async () => (await failures(bridge)).get('ok') === 1, { what: 'one attempt that went well' });
});
