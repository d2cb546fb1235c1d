/**
 * scripts/demo as a command: what it refuses, what it starts and leaves, and where passwords go.
 * The page that it serves is the matter of demo_page.test.mjs.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

import { Cluster, ROOT } from './lib/cluster.mjs';
import { poll } from './lib/wait.mjs';

const BINARY = path.resolve(ROOT, process.env.VIGIE_BINARY ?? 'build/asan/bridge/vigie');
const DEMO = path.join(ROOT, 'scripts/demo');
const READY = 'Ctrl-C stops all of it.';

/** Runs of scripts/demo with a state folder of their own. */
class Demo {
    constructor() {
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vigie-command-test-'));
        fs.chmodSync(this.folder, 0o755);
        this.state = path.join(this.folder, 'demo');
        /** All that any run has printed. */
        this.printed = '';
        /** @type {Map<import('node:child_process').ChildProcess, Promise<unknown>>} */
        this.running = new Map();
    }

    /**
     * A run that may still be going on.
     * @param {string[]} args @param {Record<string, string>} [env]
     */
    spawn(args, env = {}) {
        const { PGPASSWORD, ...ours } = process.env;
        const child = spawn(DEMO, args, {
            env: { ...ours, VIGIE_DEMO_DIR: this.state, VIGIE_BINARY: BINARY, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
        });
        const one = { child, output: '', wake: () => {}, ended: /** @type {Promise<number | string | null>} */ (Promise.resolve(null)) };
        for (const stream of [child.stdout, child.stderr]) {
            stream.on('data', (text) => {
                one.output += text;
                this.printed += text;
                one.wake();
            });
        }
        // 'close' and not 'exit': then all of its output has been read.
        one.ended = new Promise((resolve) => child.once('close', (code, signal) => {
            this.running.delete(child);
            resolve(signal ?? code);
        }));
        this.running.set(child, one.ended);
        return one;
    }

    /** A run to its end. @param {string[]} args @param {Record<string, string>} [env] */
    async run(args, env) {
        const one = this.spawn(args, env);
        return { code: await one.ended, output: one.output };
    }

    /** A demo, when it is ready. @param {string[]} args @param {Record<string, string>} [env] */
    async start(args = [], env = {}) {
        const one = this.spawn(['--no-open', '--port', '0', ...args], env);
        const ready = new Promise((resolve) => {
            one.wake = () => one.output.includes(READY) && resolve('ready');
        });
        const how = await Promise.race([ready, one.ended]);
        assert.equal(how, 'ready', `scripts/demo ended: ${one.output}`);
        return one;
    }

    /** What SQL prints. @param {string} statement */
    async sql(statement) {
        const { code, output } = await this.run(['sql', `COPY (${statement}) TO STDOUT`]);
        assert.equal(code, 0, output);
        return output.trim();
    }

    /** Until psql plays the writes of scripts/demo --activity. */
    async played() {
        const query = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'demo activity' AND state = 'active'`;
        await poll(async () => await this.sql(query) === '1', { within: 20_000, what: 'business writes' });
    }

    /** Command lines of processes that have this text in theirs. */
    processes(text = this.folder) {
        return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
            try {
                const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
                return command.includes(text) ? [command] : [];
            } catch {
                return []; // it ended meanwhile
            }
        });
    }

    /** Files that hold one of these texts, with the rights that others have. @param {string[]} texts */
    filesWith(...texts) {
        return fs.readdirSync(this.state, { recursive: true, encoding: 'utf8' })
            .filter((name) => !name.startsWith('pg/') && fs.lstatSync(path.join(this.state, name)).isFile())
            .filter((name) => texts.some((text) => fs.readFileSync(path.join(this.state, name)).includes(text)))
            .map((name) => `${name} ${(fs.statSync(path.join(this.state, name)).mode & 0o777).toString(8)}`).sort();
    }

    async remove() {
        for (const child of this.running.keys()) child.kill('SIGTERM');
        await Promise.all(this.running.values());
        await this.run(['clean']);
        fs.rmSync(this.folder, { recursive: true, force: true });
    }
}

/** @type {{remove(): Promise<void>}[]} */
const used = [];
after(async () => {
    for (const one of used) await one.remove();
});

function demoOf() {
    const demo = new Demo();
    used.push(demo);
    return demo;
}

test('what it does not understand is refused in a line, before any work', { timeout: 30_000 }, async () => {
    const demo = demoOf();
    /** @type {[string[], RegExp][]} */
    const refusals = [
        [['--nonsense'], /unknown argument: --nonsense/],
        [['clean', 'up'], /unknown argument: up/],
        [['--port'], /--port wants a value/],
        [['--port', 'http'], /--port wants a number/],
        [['--port=70000'], /--port wants a number/],
        [['--origin', 'http://localhost:5173/'], /--origin wants what a browser sends, such as http:\/\/localhost:5173, not/],
        [['--channel=Devis'], /--channel wants a table's name in lower case/],
        [['--activity', '0'], /--activity wants seconds/],
        [['--activity=soon'], /--activity wants seconds/],
        [['--activity=100000'], /--activity wants seconds/],
        [['--database', 'app'], /--database wants postgresql:/],
        [['--database', 'postgresql://u:hunter2/x@h/app'], /in a password, \/ is written %2F/],
        [['--database=postgresql://u@h/app?password=hunter2'], /--database wants user and password as in/],
        [['postgresql://u:hunter2@h/app'], /unknown argument: postgresql:\/\/u:…@h\/app/],
        [['--bridge-url', 'postgresql://vigie_bridge:hunter2@h/app'], /--bridge-url goes with --database/],
        [['sql'], /sql wants a statement/],
        [['sql', 'SELECT 1'], /no demo is running; start one/],
        [['token', '--company', '1'], /token wants --company and --user/],
        [['token', '--company', '1', '--user', '1', '--ttl', '86401'], /--ttl wants seconds from 1 to 86400/],
        [['token', '--company', '1', '--user', '1'], /no demo has been started here/],
    ];
    for (const [args, why] of refusals) {
        const { code, output } = await demo.run(args);
        assert.equal(code, 1, args.join(' '));
        assert.match(output, why);
        assert.equal(output.trimEnd().split('\n').length, 1, output);
    }
    assert.ok(!demo.printed.includes('hunter2'), demo.printed);
    assert.equal((await demo.run(['clean'])).output, 'Nothing to clean.\n');
    assert.ok(!fs.existsSync(demo.state), 'nothing was begun');
});

test('help is help of the command that was asked', { timeout: 10_000 }, async () => {
    const demo = demoOf();
    const token = await demo.run(['token', '--help']);
    assert.equal(token.code, 0);
    assert.match(token.output, /^scripts\/demo token --company C/);
    assert.match(token.output, /900 unless given/);
    assert.doesNotMatch(token.output, /--key-file/);
    for (const args of [['--help'], ['clean', '--help'], ['sql', '--help']]) {
        const { code, output } = await demo.run(args);
        assert.equal(code, 0);
        assert.match(output, /keeps what the demo put there/);
    }
});

test('a demo from its start to its removal', { timeout: 120_000 }, async (t) => {
    const demo = demoOf();
    const origin = 'http://localhost:5173';
    let run = await demo.start(['--origin', origin, '--channel=notes', '--channel=devis']);
    const url = /https:\/\/localhost:\d+\//.exec(run.output)?.[0] ?? assert.fail(run.output);

    await t.test('takes SQL of the business', async () => {
        assert.equal(await demo.sql('SELECT current_user'), 'business');
        const { code, output } = await demo.run(['sql', `INSERT INTO clients (company_id, name, type) VALUES (1, 'Kept', 'particulier')`]);
        assert.deepEqual({ code, output }, { code: 0, output: 'INSERT 0 1\n' });
    });

    await t.test('lets pages of another origin in, serves another table, and says who its DBA is', async () => {
        const config = fs.readFileSync(path.join(demo.state, 'vigie.yaml'), 'utf8');
        assert.ok(config.includes(`    - "${origin}"\n`), config);
        assert.equal(config.match(/^  (notes|devis): \{\}$/gm)?.length, 2, config);
        assert.match(run.output, /As its DBA.*\n +psql "postgresql:\/\/postgres@\/vigie_demo\?/);
    });

    await t.test('prints tokens for 900 seconds', async () => {
        const { code, output } = await demo.run(['token', '--company=1', '--user', '1', '--role', 'admin']);
        assert.equal(code, 0, output);
        const claims = JSON.parse(Buffer.from(output.split('.')[1], 'base64url').toString());
        assert.equal(claims.exp - claims.iat, 900);
        assert.deepEqual([claims.company, claims.sub, claims.role], ['1', '1', 'admin']);
    });

    await t.test('a second start finds it; what only a start heeds is refused', async () => {
        const again = await demo.run(['--no-open']);
        assert.deepEqual(again, { code: 0, output: `A demo is running already: ${url}\n` });
        for (const args of [['--port', '9000'], ['--activity=1', '--port', '9000']]) {
            const { code, output } = await demo.run(args);
            assert.equal(code, 1);
            assert.match(output, /a demo is running already .* stop it first .* give it --port/);
        }
        assert.match((await demo.run(['clean'])).output, /a demo is running: stop it first/);
    });

    await t.test('--activity joins it', async () => {
        const count = async () => Number(await demo.sql(`SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables`));
        for (const args of [['--activity=1'], ['--activity', '1', '--no-open']]) {
            const { code, output } = await demo.run(args);
            assert.equal(code, 0, output);
            assert.match(output, /^Business writes for 1 seconds; .*\nThe business writes are over\.\n$/);
        }
        assert.ok(await count() > 0);
    });

    await t.test('Ctrl-C ends it, and the writes that joined it, without noise', async () => {
        const joined = demo.spawn(['--activity=60']);
        await demo.played();
        run.child.kill('SIGINT');
        assert.equal(await run.ended, 0);
        assert.equal(await joined.ended, 1);
        assert.match(joined.output, /\n[^\n]*the demo was stopped, and the business writes with it\n$/);
        assert.deepEqual(demo.processes(), []);
        assert.match((await demo.run(['sql', 'SELECT 1'])).output, /no demo is running/);
    });

    await t.test('its password is in files of the owner alone', () => {
        const password = fs.readFileSync(path.join(demo.state, 'business.password'), 'utf8');
        assert.deepEqual(demo.filesWith(password), ['business.password 600', 'business.pgpass 600']);
        assert.ok(!demo.printed.includes(password));
    });

    await t.test('the next start finds its data; a killed one is said to have been killed', async () => {
        run = await demo.start(['--activity', '60']);
        assert.equal(await demo.sql(`SELECT count(*) FROM clients WHERE name = 'Kept'`), '1');
        await demo.played();
        run.child.kill('SIGKILL');
        await run.ended;
        assert.notDeepEqual(demo.processes(), []);
        const { code, output } = await demo.run(['sql', 'SELECT 1']);
        assert.equal(code, 1);
        assert.match(output, /a killed demo left processes behind: scripts\/demo restarts it, scripts\/demo clean removes it/);
    });

    await t.test('clean ends what was left and removes all of it', async () => {
        assert.deepEqual(await demo.run(['clean']), { code: 0, output: `Deleted ${demo.state}\n` });
        assert.deepEqual(demo.processes(), []);
        assert.ok(!fs.existsSync(demo.state));
    });
});

test('a database that wants a password: it is never printed, nor an argument, nor in a file that others read', { timeout: 120_000 }, async (t) => {
    const demo = demoOf();
    const cluster = await Cluster.start({ template: false });
    used.push({ remove: () => cluster.destroy() });
    const [password, written] = ['s3:c@r/t?%\\ é', 's3%3Ac%40r%2Ft%3F%25%5C%20%C3%A9'];
    const bridge = 'br1dge-s3cret';
    const secrets = [password, password.replace(/[\\:]/g, '\\$&') /* in a password file */, written, bridge];
    const address = `/app?host=${cluster.socket}`;
    const withPassword = `postgresql://dba:${written}@${address}`;
    await cluster.sql('postgres', 'CREATE DATABASE app');
    await cluster.sql('postgres', `ALTER ROLE dba PASSWORD '${password}'`);
    fs.writeFileSync(path.join(cluster.data, 'pg_hba.conf'), 'local all all scram-sha-256\n');
    await cluster.sql('postgres', 'SELECT pg_reload_conf()');
    await poll(async () => cluster.sql('app', 'SELECT 1').then(() => false, () => true), { within: 10_000, what: 'refusal without a password' });

    // What the demo starts to reach the database says its arguments first.
    const shims = fs.mkdtempSync(path.join(os.tmpdir(), 'vigie-command-shims-'));
    fs.chmodSync(shims, 0o755);
    used.push({ remove: async () => fs.rmSync(shims, { recursive: true, force: true }) });
    const log = path.join(shims, 'log');
    fs.writeFileSync(log, '');
    fs.chmodSync(log, 0o666);
    for (const name of ['psql', 'sqitch', 'sed', 'env', 'setpriv']) {
        const real = process.env.PATH?.split(':').map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
        fs.writeFileSync(path.join(shims, name), `#!/bin/sh\nprintf '%s\\n' "${name} $*" >>${log}\nexec ${real} "$@"\n`, { mode: 0o755 });
    }
    const env = { PATH: `${shims}:${process.env.PATH}` };

    /**
     * Ready with these; then nothing shows a secret.
     * @param {string[]} args @param {Record<string, string>} [more] @param {() => Promise<void>} [meanwhile]
     */
    const starts = async (args, more = {}, meanwhile = async () => {}) => {
        const run = await demo.start(args, { ...env, ...more });
        for (const secret of secrets) assert.deepEqual(demo.processes(secret), [], 'nothing that runs shows a password in ps');
        const files = demo.filesWith(...secrets);
        assert.ok(files.length > 0 && files.every((file) => / 600$/.test(file)), files.join(', '));
        await meanwhile();
        run.child.kill('SIGINT');
        assert.equal(await run.ended, 0);
        assert.deepEqual(demo.processes(), []);
    };

    await t.test('refuses one that it cannot reach before the work, and masks its password', async () => {
        for (const url of [`postgresql://dba:hunter2@${address}`, `postgresql://dba@${address}`, `postgresql://dba:hunter2@localhost:1/app`]) {
            const { code, output } = await demo.run(['--no-open', '--database', url]);
            assert.equal(code, 1);
            assert.match(output, /^\S+ no connection to postgresql:\/\/dba@\S+app\S*: /);
            assert.doesNotMatch(output, /hunter2|== Bridge/);
        }
    });

    await t.test('starts with it in the URL, and again with it in PGPASSWORD', async () => {
        await starts(['--database', withPassword]);
        await starts([`--database=postgresql://dba@${address}`], { PGPASSWORD: password });
    });

    /** The bridge's password is not what the demo knows: it says so, and what to do about it. */
    const advises = async () => {
        const { code, output } = await demo.run(['--no-open', '--database', withPassword]);
        assert.equal(code, 1);
        assert.match(output, /the role vigie_bridge exists there with a password that this demo does not know/);
        assert.match(output, /ALTER ROLE vigie_bridge PASSWORD '…'/);
        assert.ok(output.includes(`--bridge-url 'postgresql://vigie_bridge:…@${address}'`), output);
        assert.doesNotMatch(output, /FATAL|psql|== Bridge/);
    };

    await t.test('says what to do when the bridge\'s password was changed', async () => {
        const altered = spawn('psql', ['-XqAtw', '-h', cluster.socket, '-U', 'dba', '-d', 'app', '-c', `ALTER ROLE vigie_bridge PASSWORD '${bridge}'`],
            { env: { ...process.env, PGPASSWORD: password }, stdio: 'inherit' });
        assert.equal(await new Promise((resolve) => altered.once('exit', resolve)), 0);
        await advises();
    });

    await t.test('clean says what stays, and the next start what to do about it', async () => {
        const { output } = await demo.run(['clean']);
        assert.match(output, /keep what the demo put there: the schemas vigie, vigie_gen and vigie_sqitch/);
        assert.ok(output.includes(`\n  postgresql://dba@${address}\n`), output);
        assert.match(output, /ALTER ROLE.*--bridge-url/s);
        await advises();
    });

    await t.test('starts with what it advised; when it stops, so do the writes that joined it', async () => {
        /** @type {ReturnType<Demo['spawn']> | undefined} */
        let joined;
        await starts(['--database', withPassword, '--bridge-url', `postgresql://vigie_bridge:${bridge}@${address}`], {}, async () => {
            joined = demo.spawn(['--activity=60']);
            await demo.played();
        });
        assert.equal(await joined?.ended, 1);
        assert.match(joined?.output ?? '', /\n[^\n]*the demo was stopped, and the business writes with it\n$/);
    });

    const said = fs.readFileSync(log, 'utf8');
    assert.match(said, /^sqitch deploy/m, 'the arguments were recorded');
    for (const secret of secrets) {
        assert.ok(!said.includes(secret), 'a password was an argument');
        assert.ok(!demo.printed.includes(secret), 'a password was printed');
    }
});
