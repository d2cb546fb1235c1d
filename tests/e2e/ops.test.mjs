/**
 * What an operator sees: health, readiness, metrics, exit codes, a configuration that says on which
 * line it is wrong, a reload that takes all or nothing, and a database that is not what it should be.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';

import { BINARY, Bridge, certificate, cleanEnvironment, toYaml } from './lib/bridge.mjs';
import { addClient } from './lib/business.mjs';
import { Session } from './lib/session.mjs';
import { Issuer, leakedSecret, makeKey } from './lib/tokens.mjs';
import { poll } from './lib/wait.mjs';
import { World } from './lib/world.mjs';
import { dial, exchange, upgradeRequest } from './lib/wsclient.mjs';

const world = new World();

/**
 * Runs the binary to its end.
 * @param {string[]} args @param {Record<string, string>} [env]
 * @returns {Promise<{code: number, stdout: string, stderr: string}>}
 */
function vigie(args, env = {}) {
    return new Promise((resolve) => {
        execFile(BINARY, args, { env: { ...cleanEnvironment(), ...env }, timeout: 10_000 }, (error, stdout, stderr) => {
            const code = error ? /** @type {any} */ (error).code : 0;
            resolve({ code: typeof code === 'number' ? code : -1, stdout, stderr });
        });
    });
}

/** A folder with a whole configuration in it. @param {any} t */
function folderOf(t) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vigie-ops-'));
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    fs.writeFileSync(path.join(folder, 'cert.pem'), certificate().certificate);
    fs.writeFileSync(path.join(folder, 'key.pem'), certificate().key, { mode: 0o600 });
    return folder;
}

/** @param {string} folder */
function goodConfig(folder) {
    const issuer = new Issuer({ name: 'main', key: makeKey('HS256') });
    return {
        listen: { address: '127.0.0.1', port: 0, certificate: 'cert.pem', private_key: 'key.pem' },
        admin: { port: 0 },
        database: { url: 'postgresql://vigie_bridge@/app?host=/nowhere' },
        channels: { devis: {} },
        issuers: [issuer.config(folder)],
    };
}

describe('the command line', () => {
    test('--version names the libraries', async () => {
        const { code, stdout, stderr } = await vigie(['--version']);
        assert.equal(code, 0);
        assert.match(stdout, /^vigie \d+\.\d+/);
        for (const library of [/libwebsockets/i, /libpq/i, /openssl/i, /jwt/i]) assert.match(stdout, library);
        assert.equal(stderr, '');
    });

    test('--help says how it is used', async () => {
        const { code, stdout } = await vigie(['--help']);
        assert.equal(code, 0);
        assert.match(stdout, /usage: vigie --config FILE/);
    });

    for (const args of [[], ['--bogus'], ['--config'], ['extra'], ['token', '--bogus'], ['--check-config']]) {
        test(`vigie ${args.join(' ')} is a usage error`, async () => {
            const { code, stderr } = await vigie(args);
            assert.equal(code, 64, stderr);
            assert.notEqual(stderr, '');
        });
    }

    test('a file that is missing is 66, one that may not be read 77', async (t) => {
        const folder = folderOf(t);
        assert.equal((await vigie(['--config', path.join(folder, 'none.yaml')])).code, 66);
        assert.equal((await vigie(['--check-config', '--config', path.join(folder, 'none.yaml')])).code, 66);
    });

    test('a minted token opens a session, and without a key there is none', async (t) => {
        const { bridge } = await world.enter(t);
        const keyFile = world.issuer.config(bridge.folder).key_file;
        const args = ['token', '--alg', 'HS256', '--iss', world.issuer.iss, '--aud', 'vigie', '--company', '4', '--user', 'minted', '--role', 'sales'];
        const minted = await vigie([...args, '--key-file', keyFile]);
        assert.equal(minted.code, 0, minted.stderr);
        const session = await Session.open(bridge, { token: minted.stdout.trim() });
        assert.deepEqual([session.ready.company, session.ready.user], ['4', 'minted']);
        assert.ok(session.ready.rooms.includes('role:sales'));
        await session.bye();
        const refused = await vigie(args);
        assert.equal(refused.code, 64);
        assert.equal(refused.stdout, '');
    });
});

describe('a bad configuration', () => {
    /**
     * @type {[what: string, change: (config: any, folder: string) => void, line: RegExp | null][]}
     */
    const BAD = [
        ['an unknown section', (c) => { c.listne = {}; }, /listne/],
        ['an unknown key', (c) => { c.listen.prot = 8443; }, /prot/],
        ['a port that is no number', (c) => { c.listen.port = '443x'; }, /443x|port/],
        ['an octal port', (c) => { c.listen.port = '010'; }, /port/],
        ['a port out of range', (c) => { c.listen.port = 65536; }, /port/],
        ['a switch that is neither on nor off', (c) => { c.listen.tls = 'maybe'; }, /tls/],
        ['TLS off on a public address', (c) => { c.listen.address = '0.0.0.0'; c.listen.tls = 'off'; }, /tls/],
        ['an address that is none', (c) => { c.listen.address = 'localhost:1'; }, /address/],
        ['a duration without a unit that is none', (c) => { c.heartbeat = { interval: '25q' }; }, /interval/],
        ['a size that is none', (c) => { c.limits = { message_bytes: '8KB!' }; }, /message_bytes/],
        ['an origin with a path', (c) => { c.listen.origins = ['https://app.example.fr/x']; }, /origin/],
        ['an origin that is a star', (c) => { c.listen.origins = ['*']; }, /origin/],
        ['no database', (c) => { delete c.database; }, null],
        ['a password in the database URL', (c) => { c.database.url = 'postgresql://u:geheim@/app'; }, /url/],
        ['a remote database without TLS', (c) => { c.database.url = 'postgresql://u@db.example.fr/app'; }, /url/],
        ['no channels', (c) => { c.channels = {}; }, null],
        ['a channel of 64 bytes', (c) => { c.channels = { ['x'.repeat(64)]: {} }; }, null],
        ['a channel with a quote', (c) => { c.channels = { 'a";drop': {} }; }, null],
        ['no issuers', (c) => { c.issuers = []; }, null],
        ['an issuer without key', (c) => { delete c.issuers[0].key_file; }, null],
        ['an issuer with a key that is missing', (c) => { c.issuers[0].key_file = 'none.key'; }, /none\.key/],
        ['an unknown algorithm', (c) => { c.issuers[0].algorithm = 'none'; }, /algorithm/],
        ['a secret that is too short', (c, folder) => { fs.writeFileSync(path.join(folder, 'main.key'), 'short'); }, null],
        ['an empty secret', (c, folder) => { fs.writeFileSync(path.join(folder, 'main.key'), ''); }, null],
        ['a PEM where a secret is meant', (c, folder) => { c.issuers[0].algorithm = 'RS256'; }, null],
        ['an RSA key of 1024 bits', (c, folder) => {
            c.issuers[0].algorithm = 'RS256';
            fs.writeFileSync(path.join(folder, 'main.key'), makeKey('RS256', { modulusLength: 1024 }).file);
        }, null],
        ['a private key where a public one is meant', (c, folder) => {
            c.issuers[0].algorithm = 'ES256';
            fs.writeFileSync(path.join(folder, 'main.key'), makeKey('ES256').sign.export({ type: 'pkcs8', format: 'pem' }));
        }, null],
        ['an EC key of another curve', (c, folder) => {
            c.issuers[0].algorithm = 'ES256';
            fs.writeFileSync(path.join(folder, 'main.key'), makeKey('ES384').file);
        }, null],
        ['two issuers of one iss', (c) => { c.issuers.push({ ...c.issuers[0], name: 'second' }); }, null],
        ['a certificate that is missing', (c) => { c.listen.certificate = 'none.pem'; }, /none\.pem/],
        ['a certificate that is rubbish', (c, folder) => { fs.writeFileSync(path.join(folder, 'cert.pem'), 'rubbish'); }, null],
        ['a key of another certificate', (c, folder) => { fs.writeFileSync(path.join(folder, 'key.pem'), makeKey('ES256').sign.export({ type: 'pkcs8', format: 'pem' })); }, null],
    ];
    for (const [what, change, names] of BAD) {
        test(`${what} ends with 78 and says where`, async (t) => {
            const folder = folderOf(t);
            const config = goodConfig(folder);
            const file = path.join(folder, 'vigie.yaml');
            fs.writeFileSync(file, toYaml(config));
            assert.deepEqual(await vigie(['--check-config', '--config', file]), { code: 0, stdout: '', stderr: '' });
            change(config, folder);
            const text = toYaml(config);
            fs.writeFileSync(file, text);
            for (const args of [['--check-config', '--config', file], ['--config', file]]) {
                const { code, stderr } = await vigie(args);
                assert.equal(code, 78, `${args[0]}: ${stderr}`);
                assert.equal(leakedSecret(stderr), null);
                assert.ok(!stderr.includes('geheim'), stderr);
                assert.ok(!/Sanitizer/.test(stderr), stderr);
                if (args.length === 2) continue;
                const place = new RegExp(`${file.replaceAll('.', '\\.')}:(\\d+): `).exec(stderr);
                assert.ok(place, `no FILE:LINE in: ${stderr}`);
                if (names) assert.match(`${text.split('\n')[Number(place[1]) - 1]} ${stderr}`, names);
            }
        });
    }

    test('the line is the right one, and every error is told at once', async (t) => {
        const folder = folderOf(t);
        const file = path.join(folder, 'vigie.yaml');
        const config = toYaml(goodConfig(folder));
        fs.writeFileSync(file, `${config}limits:\n  sessions: many\n  bogus: 1\nlog:\n  level: loud\n`);
        const first = config.split('\n').length;
        const { code, stderr } = await vigie(['--check-config', '--config', file]);
        assert.equal(code, 78);
        const lines = [...stderr.matchAll(/vigie\.yaml:(\d+): /g)].map((match) => Number(match[1])).sort((a, b) => a - b);
        assert.deepEqual(lines, [first + 1, first + 2, first + 4], stderr);
    });

    /** @type {[what: string, bytes: string | Buffer][]} */
    const RUBBISH = [
        ['an empty file', ''],
        ['a comment', '# nothing\n'],
        ['a NUL', 'listen:\0'],
        ['a byte order mark', '\ufefflisten: {}\n'],
        ['tabs', 'listen:\n\tport: 1\n'],
        ['two documents', '---\nlisten: {}\n---\nlisten: {}\n'],
        ['an alias', 'listen: &a {}\nadmin: *a\n'],
        ['a key twice', 'listen: {}\nlisten: {}\n'],
        ['a list', '- listen\n'],
        ['a word', 'listen\n'],
        ['an open bracket', 'listen: [\n'],
        ['300 KiB', `# ${'x'.repeat(300 * 1024)}\n`],
        ['UTF-16', Buffer.from('\ufefflisten: {}\n', 'utf16le')],
        ['depth', `${'a:\n'.split('').join('')}${'['.repeat(5000)}`],
    ];
    for (const [what, bytes] of RUBBISH) {
        test(`a file with ${what} ends with 78`, async (t) => {
            const file = path.join(folderOf(t), 'vigie.yaml');
            fs.writeFileSync(file, bytes);
            const { code, stderr } = await vigie(['--check-config', '--config', file]);
            assert.equal(code, 78, stderr);
            assert.ok(!/Sanitizer/.test(stderr), stderr);
            assert.match(stderr, /vigie\.yaml:\d+: /);
        });
    }

    test('the environment stands above the file, and its errors name it', async (t) => {
        const folder = folderOf(t);
        const file = path.join(folder, 'vigie.yaml');
        fs.writeFileSync(file, toYaml(goodConfig(folder)));
        const good = await vigie(['--print-config', '--config', file], { VIGIE_LIMITS_SESSIONS: '77' });
        assert.equal(good.code, 0, good.stderr);
        assert.match(good.stdout, /sessions: 77\b/);
        const bad = await vigie(['--check-config', '--config', file], { VIGIE_LIMITS_SESSIONS: 'many' });
        assert.equal(bad.code, 78);
        assert.match(bad.stderr, /VIGIE_LIMITS_SESSIONS: /);
    });

    test('--print-config is a configuration that means the same, without secrets', async (t) => {
        const folder = folderOf(t);
        const file = path.join(folder, 'vigie.yaml');
        fs.writeFileSync(file, toYaml(goodConfig(folder)));
        const first = await vigie(['--print-config', '--config', file]);
        assert.equal(first.code, 0, first.stderr);
        assert.equal(leakedSecret(first.stdout), null);
        const again = path.join(folder, 'again.yaml');
        fs.writeFileSync(again, first.stdout);
        const second = await vigie(['--print-config', '--config', again]);
        assert.equal(second.code, 0, second.stderr);
        // Behind each value stands where it came from.
        const values = (/** @type {string} */ text) => text.replaceAll(/ +# .*$/gm, '');
        assert.equal(values(second.stdout), values(first.stdout));
    });

    test('a port that is taken ends with 71 or 1 and says so', async (t) => {
        const { bridge } = await world.enter(t);
        const folder = folderOf(t);
        const file = path.join(folder, 'vigie.yaml');
        const config = goodConfig(folder);
        config.listen.port = bridge.port;
        fs.writeFileSync(file, toYaml(config));
        const { code, stderr } = await vigie(['--config', file]);
        assert.ok([1, 71].includes(code), `${code}: ${stderr}`);
        assert.match(stderr, /in use/i);
    });
});

describe('the operator’s listener', () => {
    test('health, readiness and metrics answer, and nothing else does', async (t) => {
        const { bridge } = await world.enter(t);
        assert.equal((await bridge.admin('/healthz')).status, 200);
        const ready = await poll(async () => { const answer = await bridge.admin('/readyz'); return answer.status === 200 && answer; }, { what: 'readyz 200' });
        assert.equal(ready.headers['cache-control'], 'no-store');
        for (const page of ['/', '/nowhere', '/metrics/../etc/passwd', '/ws']) assert.equal((await bridge.admin(page)).status, 404, page);
        const { body, headers } = await bridge.admin('/metrics');
        assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
        lintMetrics(body);
    });

    test('the public listener serves none of it', async (t) => {
        const { bridge } = await world.enter(t);
        // libwebsockets looks for a virtual host whose name begins with the Host header.
        for (const host of ['localhost', 'admin', 'a', 'admin:1', '127.0.0.1']) {
            for (const page of ['/metrics', '/healthz', '/readyz', '/']) {
                const answer = await exchange(bridge.target, `GET ${page} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
                assert.ok(answer.status >= 400, `${host}${page}: ${answer.text}`);
                assert.ok(!answer.text.includes('vigie_'), page);
            }
        }
        // Nor does the operator's listener let anybody in.
        const upgrade = await exchange({ port: bridge.adminPort }, upgradeRequest({ headers: { Host: 'door' } }));
        assert.notEqual(upgrade.status, 101);
    });

    test('metrics count what happens and name no company, user or room', async (t) => {
        const { bridge, business } = await world.enter(t);
        const session = await Session.open(bridge, { token: world.token({ company: '1', user: 'marianne', role: 'sales' }) });
        await addClient(business, 1, 'counted');
        await session.untilEvents(1);
        const metrics = await bridge.metrics();
        assert.equal(metrics.get('vigie_deliveries_total'), 1);
        assert.ok((metrics.get('vigie_events_received_total') ?? 0) >= 1);
        const { body } = await bridge.admin('/metrics');
        for (const word of ['marianne', 'sales', 'counted', 'company:']) assert.ok(!body.includes(word), word);
        await session.bye();
    });

    test('log lines as JSON are one object each', async (t) => {
        const database = await world.database(t);
        const bridge = new Bridge({ database, issuers: [world.issuer], config: { log: { format: 'json' } } });
        t.after(() => bridge.stop());
        const spawned = bridge.spawn().catch(() => {});
        await bridge.signal.until(() => bridge.lines.some((line) => line.includes('"db_up"')), { what: 'db_up in JSON', within: 20_000 });
        for (const line of bridge.lines) assert.equal(typeof JSON.parse(line).event, 'string', line);
        const at = bridge.lines.map((line) => JSON.parse(line));
        bridge.adminPort = at.find((line) => line.event === 'admin_listening').port;
        bridge.kill('SIGTERM');
        await bridge.untilExited();
        assert.equal(bridge.exitCode, 0);
        await spawned;
    });

    test('what a client sends cannot forge a log line', async (t) => {
        const { bridge } = await world.enter(t);
        for (const origin of ['https://x"\u001b[31m event=forged', 'https://x\tlevel=error', 'x'.repeat(2000)]) {
            const socket = await Session.connect(bridge, { headers: { Origin: origin } }).catch(() => null);
            socket?.destroy();
        }
        const session = await Session.open(bridge, { token: world.token({ company: '1" event=forged x="', user: 'é "quoted" \\ user' }) });
        await session.bye();
        await bridge.event('session_close');
        assert.ok(!bridge.log.some((line) => line.event === 'forged'));
        for (const line of bridge.lines) assert.ok(line.length < 2000 && !/[\u0000-\u001f]/.test(line), line);
    });
});

describe('SIGHUP', () => {
    test('a good configuration is taken while sessions live on', async (t) => {
        const { bridge } = await world.enter(t);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        const refused = await Session.connect(bridge, { headers: { Origin: 'https://new.example.fr' } }).catch((error) => error.status);
        assert.equal(refused, 403);
        bridge.writeConfig({ ...bridge.config, listen: { ...bridge.config.listen, origins: ['https://new.example.fr'] } });
        bridge.kill('SIGHUP');
        await bridge.event('reload_ok');
        const taken = await Session.open(bridge, { token: world.token({ company: '1' }), headers: { Origin: 'https://new.example.fr' } });
        await taken.bye();
        await session.roundTrip();
        await session.bye();
        const metrics = await bridge.metrics();
        const reload = [...metrics].find(([name]) => /reload.*success/.test(name));
        assert.equal(reload?.[1], 1, JSON.stringify(reload));
    });

    test('a bad configuration, key or certificate is refused as a whole, the old one stays, and it is told', async (t) => {
        const { bridge } = await world.enter(t);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        const good = bridge.config;
        const reload = async (/** @type {string} */ outcome) => {
            const from = bridge.log.length;
            bridge.kill('SIGHUP');
            return bridge.event(outcome, { from });
        };
        const certFile = path.join(bridge.folder, 'cert.pem');
        const keyFile = world.issuer.config(bridge.folder).key_file;
        /** @type {[string, () => void, () => void][]} */
        const faults = [
            ['syntax', () => fs.appendFileSync(bridge.configFile, 'limits: [\n'), () => bridge.writeConfig(good)],
            ['a key', () => bridge.writeConfig({ ...good, lsiten: {} }), () => bridge.writeConfig(good)],
            ['a secret', () => fs.writeFileSync(keyFile, ''), () => fs.writeFileSync(keyFile, world.issuer.key.file)],
            ['a certificate', () => fs.writeFileSync(certFile, 'rubbish'), () => fs.writeFileSync(certFile, certificate().certificate)],
            ['no file', () => fs.rmSync(bridge.configFile), () => bridge.writeConfig(good)],
        ];
        for (const [what, breakIt, mend] of faults) {
            breakIt();
            await reload('reload_fail');
            const other = await Session.open(bridge, { token: world.token({ company: '1' }) });
            await other.bye();
            await session.roundTrip();
            const metrics = await bridge.metrics();
            assert.equal([...metrics].find(([name]) => /reload.*success/.test(name))?.[1], 0, what);
            mend();
            await reload('reload_ok');
        }
        await session.bye();
    });

    test('a new certificate is served to new connections, whatever its kind', async (t) => {
        const { bridge } = await world.enter(t);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        const [cert, key] = [path.join(bridge.folder, 'cert.pem'), path.join(bridge.folder, 'key.pem')];
        execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2',
            '-subj', '/CN=renewed', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'pipe' });
        bridge.kill('SIGHUP');
        await bridge.event('reload_ok');
        const wire = await dial({ port: bridge.port, ca: fs.readFileSync(cert, 'utf8') });
        assert.equal(/** @type {any} */ (wire.socket).getPeerCertificate().subject.CN, 'renewed');
        wire.destroy();
        await session.roundTrip();
        await session.bye();
    });

    test('a hundred reloads under load lose no session and no event', async (t) => {
        const { bridge, business } = await world.enter(t);
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        for (let n = 0; n < 100; n++) {
            bridge.kill('SIGHUP');
            await addClient(business, 1, `r${n}`);
        }
        await session.untilEvents(100);
        assert.deepEqual(session.events.map((event) => event.data.name), Array.from({ length: 100 }, (_, n) => `r${n}`));
        await session.bye();
    });
});

describe('a database that is not what it should be', () => {
    test('absent at the start: healthy, not ready, nobody let in; then it comes and all is well', { timeout: 60_000 }, async (t) => {
        const database = await world.database(t);
        await world.cluster.down();
        let bridge;
        try {
            bridge = await world.bridge(t, { database, awaitReady: false });
            await bridge.event('db_down');
            assert.equal((await bridge.admin('/healthz')).status, 200);
            assert.equal((await bridge.admin('/readyz')).status, 503);
            const early = await Session.connect(bridge);
            early.auth(world.token({ company: '1' }));
            const close = await early.untilClose({ within: 15_000 });
            assert.deepEqual(close, { code: 1013, reason: 'overloaded' });
        } finally {
            await world.cluster.up();
        }
        await bridge.event('db_up');
        await poll(async () => (await bridge.admin('/readyz')).status === 200, { what: 'readyz 200' });
        const session = await Session.open(bridge, { token: world.token({ company: '1' }) });
        await addClient(await database.connect(), 1, 'at last');
        await session.untilEvents(1);
        await session.bye();
    });

    /** @type {[what: string, reason: string, words: RegExp, make: (t: any) => Promise<import('./lib/bridge.mjs').BridgeOptions>][]} */
    const WRONG = [
        ['without the schema', 'schema_missing', /migrations/, async (t) => {
            const database = await world.cluster.database({ template: 'template1' });
            t.after(() => database.drop());
            return { database };
        }],
        ['with another schema version', 'schema_version', /version 99/, async (t) => {
            const database = await world.database(t);
            await database.dba(`DROP FUNCTION vigie.hello();
                CREATE FUNCTION vigie.hello(OUT schema_version int, OUT epoch text, OUT cursor_key bytea, OUT last_seq bigint,
                    OUT floor_seq bigint, OUT in_recovery boolean, OUT server_version_num int)
                LANGUAGE sql SECURITY DEFINER AS $$ SELECT 99, 'e', decode(repeat('00', 32), 'hex'), 0::bigint, 0::bigint, false, 150000 $$;
                GRANT EXECUTE ON FUNCTION vigie.hello() TO vigie_bridge`);
            return { database };
        }],
        ['that does not let us in', 'rights', /role/, async (t) => {
            const database = await world.database(t);
            return { database: { url: () => database.url({ user: 'business' }) } };
        }],
        ['that does not know us', 'auth', /nobody/, async (t) => {
            const database = await world.database(t);
            return { database: { url: () => database.url({ user: 'nobody_of_that_name' }) } };
        }],
        ['that does not exist', 'connect', /does not exist/, async () => (
            { database: { url: () => `postgresql://vigie_bridge@/absent?host=${world.cluster.socket}` } })],
    ];
    for (const [what, reason, words, make] of WRONG) {
        test(`a database ${what} is named in the log and in readiness`, async (t) => {
            const bridge = await world.bridge(t, { ...(await make(t)), awaitReady: false });
            const line = await bridge.event('db_down');
            assert.equal(line.reason, reason, line.why);
            assert.match(line.why, words);
            const ready = await bridge.admin('/readyz');
            assert.equal(ready.status, 503);
            assert.match(ready.body, /database/);
        });
    }
});

/** @param {string} text */
function lintMetrics(text) {
    assert.ok(text.endsWith('\n'));
    /** @type {Map<string, string>} */
    const types = new Map();
    const seen = new Set();
    for (const line of text.trimEnd().split('\n')) {
        const meta = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
        if (meta) {
            if (meta[1] === 'TYPE') types.set(meta[2], meta[3]);
            continue;
        }
        const sample = /^([a-z_]+)(\{[a-z_]+="[^"\\]*"(?:,[a-z_]+="[^"\\]*")*\})? (-?[0-9.e+-]+|\+Inf)$/.exec(line);
        assert.ok(sample, `not a sample: ${line}`);
        const family = types.has(sample[1]) ? sample[1] : sample[1].replace(/_(bucket|sum|count)$/, '');
        const type = types.get(family);
        assert.ok(type, `no TYPE of ${sample[1]}`);
        assert.ok(/^(vigie|process)_/.test(family), family);
        if (type === 'counter') assert.match(family, /_total$/, `counter ${family}`);
        assert.ok(!seen.has(sample[1] + (sample[2] ?? '')), `twice: ${line}`);
        seen.add(sample[1] + (sample[2] ?? ''));
        assert.ok(Number.isFinite(Number(sample[3])), line);
    }
    for (const name of ['vigie_sessions', 'vigie_isolation_violations_total', 'vigie_auth_attempts_total', 'vigie_db_connected'])
        assert.ok(types.has(name), `no ${name}`);
}
