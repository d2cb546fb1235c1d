/**
 * A throw-away PostgreSQL cluster: its own folder, a unix socket and nothing else, an unprivileged
 * user. A template database holds the migrations and both demo schemas; each test takes a copy.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

import pg from 'pg';

import { Signal, poll } from './wait.mjs';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const run = promisify(execFile);
const TEMPLATE = 'vigie_template';
const BINARIES = process.env.PG_BINDIR ?? newestBinaries();

function newestBinaries() {
    const versions = fs.readdirSync('/usr/lib/postgresql').map(Number).filter(Boolean).sort((a, b) => b - a);
    return `/usr/lib/postgresql/${versions[0]}/bin`;
}

/** The user PostgreSQL runs as; null: ourselves. */
const USER = process.getuid?.() === 0 ? process.env.VIGIE_TEST_USER ?? 'postgres' : null;

/** @param {string[]} command */
function unprivileged(command) {
    const death = ['setpriv', '--pdeathsig', 'INT'];
    const rest = USER ? ['--reuid', USER, '--regid', execFileSync('id', ['-g', USER], { encoding: 'utf8' }).trim(), '--init-groups'] : [];
    return [...death, ...rest, '--', ...command];
}

// Numbers as numbers: the tests' keys are small. Times as text.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => text);

/** Names of the changes of the sqitch plan, in order. */
export function planned() {
    return fs.readFileSync(path.join(ROOT, 'migrations/sqitch.plan'), 'utf8')
        .split('\n')
        .filter((line) => /^[a-z]/.test(line))
        .map((line) => line.split(' ')[0]);
}

export class Cluster {
    /** @param {string} folder */
    constructor(folder) {
        this.folder = folder;
        this.data = path.join(folder, 'data');
        this.socket = path.join(folder, 'socket');
        this.logFile = path.join(folder, 'postgres.log');
        /** @type {import('node:child_process').ChildProcess | null} */
        this.process = null;
        this.exited = new Signal();
        this.databases = 0;
    }

    /** A running cluster with the template database in it. */
    static async start({ template = true } = {}) {
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vigie-e2e-'));
        fs.chmodSync(folder, 0o755);
        const cluster = new Cluster(folder);
        for (const one of [cluster.data, cluster.socket]) {
            fs.mkdirSync(one);
            if (USER) execFileSync('chown', [USER, one]);
        }
        fs.writeFileSync(cluster.logFile, '');
        try {
            const [command, ...args] = unprivileged([path.join(BINARIES, 'initdb'), '--pgdata', cluster.data,
                '--username', 'dba', '--auth', 'trust', '--no-sync', '--encoding', 'UTF8', '--locale', 'C.UTF-8']);
            await run(command, args, { cwd: '/' });
            await cluster.up();
            if (template) await cluster.#makeTemplate();
        } catch (error) {
            await cluster.destroy();
            throw error;
        }
        return cluster;
    }

    /** Starts the server and waits until it answers. */
    async up() {
        const log = fs.openSync(this.logFile, 'a');
        const settings = {
            listen_addresses: '',
            unix_socket_directories: this.socket,
            fsync: 'off',
            full_page_writes: 'off',
            max_connections: '120',
            shared_buffers: '32MB',
            log_min_messages: 'warning',
            log_line_prefix: '%m [%p] %a ',
            max_wal_size: '256MB',
        };
        const [command, ...args] = unprivileged([path.join(BINARIES, 'postgres'), '-D', this.data,
            ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]);
        const child = spawn(command, args, { cwd: '/', stdio: ['ignore', log, log] });
        fs.closeSync(log);
        this.process = child;
        child.once('exit', () => {
            if (this.process === child) this.process = null;
            this.exited.changed();
        });
        await poll(async () => {
            if (this.process !== child) throw new Error(`PostgreSQL ended: ${this.logTail()}`);
            const client = this.#client('postgres');
            try {
                await client.connect();
                return true;
            } catch {
                return false;
            } finally {
                await client.end().catch(() => {});
            }
        }, { within: 30_000, what: 'answer from PostgreSQL' });
    }

    /** Stops the server. @param {'fast' | 'immediate'} mode */
    async down(mode = 'fast') {
        const child = this.process;
        if (!child) return;
        child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
        await this.exited.until(() => this.process !== child, { within: 30_000, what: 'end of PostgreSQL' });
    }

    /** @param {'fast' | 'immediate'} mode */
    async restart(mode) {
        await this.down(mode);
        await this.up();
    }

    async destroy() {
        await this.down('immediate').catch((error) => console.error(error.message));
        fs.rmSync(this.folder, { recursive: true, force: true });
    }

    logTail() {
        return fs.readFileSync(this.logFile, 'utf8').split('\n').slice(-15).join('\n');
    }

    /** @param {string} database */
    #client(database, user = 'dba') {
        return new pg.Client({ host: this.socket, database, user, application_name: 'test' });
    }

    /** @param {string} database @param {string} file */
    async psqlFile(database, file) {
        try {
            await run('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', this.socket, '-U', 'dba', '-d', database, '-f', file],
                { maxBuffer: 16 << 20, env: { ...process.env, PGOPTIONS: '-c client_min_messages=warning' } });
        } catch (error) {
            throw new Error(`psql -f ${path.relative(ROOT, file)}: ${/** @type {any} */ (error).stderr}`);
        }
    }

    /** The migrations as a DBA without sqitch runs them: psql -f, in the plan's order. */
    async #makeTemplate() {
        await this.sql('postgres', `CREATE DATABASE ${TEMPLATE}`);
        const deploy = (/** @type {string} */ change) => this.psqlFile(TEMPLATE, path.join(ROOT, 'migrations/deploy', `${change}.sql`));
        const changes = planned();
        for (const change of changes.filter((name) => !name.startsWith('event_'))) await deploy(change);
        await this.psqlFile(TEMPLATE, path.join(ROOT, 'sql/demo/field_service.sql'));
        for (const change of changes.filter((name) => name.startsWith('event_'))) await deploy(change);
        await this.psqlFile(TEMPLATE, path.join(ROOT, 'sql/demo/prisma.sql'));
        await this.psqlFile(TEMPLATE, path.join(ROOT, 'sql/demo/prisma_rules.sql'));
        // The business service knows nothing of us: it may write its tables, and that is all.
        await this.sql(TEMPLATE, `
            CREATE ROLE business LOGIN;
            GRANT USAGE ON SCHEMA public, prisma TO business;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, prisma TO business;
            GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, prisma TO business;`);
    }

    /** One statement (or several) on a connection of its own. @param {string} database @param {string} text */
    async sql(database, text) {
        const client = this.#client(database);
        await client.connect();
        try {
            return await client.query(text);
        } finally {
            await client.end();
        }
    }

    /** A fresh copy of the template (or an empty database). */
    async database({ template = TEMPLATE } = {}) {
        const name = `t${++this.databases}`;
        await this.sql('postgres', `CREATE DATABASE ${name} TEMPLATE ${template}`);
        return new Database(this, name);
    }
}

/** One database of a cluster. */
export class Database {
    /** @param {Cluster} cluster @param {string} name */
    constructor(cluster, name) {
        this.cluster = cluster;
        this.name = name;
        /** @type {Set<pg.Client>} */
        this.clients = new Set();
        /** @type {pg.Client | null} */
        this.dbaClient = null;
    }

    /** What the bridge connects with. */
    url({ user = 'vigie_bridge' } = {}) {
        return `postgresql://${user}@/${this.name}?host=${this.cluster.socket}`;
    }

    /** A connection that the caller may lose; closed with the database. */
    async connect(user = 'business') {
        const client = new pg.Client({ host: this.cluster.socket, database: this.name, user, application_name: `test ${user}` });
        client.on('error', () => this.clients.delete(client));
        await client.connect();
        this.clients.add(client);
        return client;
    }

    /** As the DBA. @param {string} text @param {unknown[]} [values] @returns {Promise<any[]>} */
    async dba(text, values) {
        if (!this.dbaClient || !this.clients.has(this.dbaClient)) this.dbaClient = await this.connect('dba');
        const answer = await this.dbaClient.query(text, values);
        return (Array.isArray(answer) ? answer[answer.length - 1] : answer).rows;
    }

    async drop() {
        for (const client of this.clients) await client.end().catch(() => {});
        this.clients.clear();
        await this.cluster.sql('postgres', `DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
    }
}
