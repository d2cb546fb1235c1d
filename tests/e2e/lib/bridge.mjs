/**
 * The real bridge as a child process: a configuration made for the test, a development
 * certificate, its log lines and its metrics. Each run ends with the same questions: did it exit with
 * 0, are the sanitizers silent, was the last gate never needed, is no secret in the log?
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';

import { CANARY } from './canary.mjs';
import { ROOT } from './cluster.mjs';
import { leakedSecret } from './tokens.mjs';
import { Signal } from './wait.mjs';

export const BINARY = path.resolve(ROOT, process.env.VIGIE_BINARY ?? 'build/asan/bridge/vigie');

/** Every channel of the two demo schemas. */
export const TABLES = ['devis', 'factures', 'interventions', 'clients', 'messages',
                       'client', 'invoice', 'intervention', 'message'];

/** Ours, without what the bridge would take for its configuration. */
export function cleanEnvironment() {
    return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VIGIE_')));
}

/** @type {{certificate: string, key: string} | null} */
let pair = null;

/** A certificate for localhost, made once a process. */
export function certificate() {
    if (!pair) {
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vigie-cert-'));
        const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
        execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
            '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost',
            '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], { stdio: 'pipe' });
        pair = { certificate: fs.readFileSync(cert, 'utf8'), key: fs.readFileSync(key, 'utf8') };
        fs.rmSync(folder, { recursive: true });
    }
    return pair;
}

/**
 * A value as YAML. Texts are quoted as JSON does, which YAML reads; raw() leaves them bare.
 * @param {any} value
 * @param {string} indent
 * @returns {string}
 */
function yaml(value, indent = '') {
    if (Array.isArray(value)) {
        if (value.length === 0) return ' []\n';
        if (value.every((one) => typeof one !== 'object')) return ` [${value.map(scalar).join(', ')}]\n`;
        return `\n${value.map((one) => `${indent}  -${yaml(one, `${indent}    `).replace(/^\n\s*/, ' ')}`).join('')}`;
    }
    if (value !== null && typeof value === 'object') {
        const entries = Object.entries(value).filter(([, one]) => one !== undefined);
        if (entries.length === 0) return ' {}\n';
        return `\n${entries.map(([key, one]) => `${indent}${key}:${yaml(one, `${indent}  `)}`).join('')}`;
    }
    return ` ${scalar(value)}\n`;
}

/** @param {unknown} value */
function scalar(value) {
    const text = String(value);
    return /^[A-Za-z0-9_./-]+$/.test(text) ? text : JSON.stringify(text);
}

/** @param {object} config */
export const toYaml = (config) => yaml(config).replace(/^\n/, '');

/** null takes away what the base has. @param {any} base @param {any} over @returns {any} */
function merge(base, over) {
    if (over === undefined) return base;
    if (Array.isArray(over) || over === null || typeof over !== 'object') return over;
    const result = { ...base };
    for (const [key, value] of Object.entries(over)) {
        if (value === null) delete result[key];
        else result[key] = merge(result[key], value);
    }
    return result;
}

/** One line of logfmt. @param {string} line */
export function parseLogLine(line) {
    /** @type {Record<string, string>} */
    const fields = {};
    for (const [, key, quoted, bare] of line.matchAll(/([A-Za-z0-9_]+)=(?:("(?:[^"\\]|\\.)*")|(\S*))/g))
        fields[key] = quoted === undefined ? bare : quoted.slice(1, -1).replace(/\\(.)/g, '$1');
    return fields;
}

/**
 * @typedef {object} BridgeOptions
 * @property {{url: () => string}} [database]
 * @property {import('./tokens.mjs').Issuer[]} [issuers]
 * @property {any} [config] merged over the test configuration
 * @property {Record<string, string>} [env]
 * @property {boolean} [awaitReady] default true: wait until the database is up
 */

export class Bridge {
    /** @param {BridgeOptions} options */
    constructor({ database, issuers = [], config = {}, env = {} }) {
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vigie-bridge-'));
        this.configFile = path.join(this.folder, 'vigie.yaml');
        this.env = env;
        this.signal = new Signal();
        this.issuers = issuers;
        const { certificate: cert, key } = certificate();
        fs.writeFileSync(path.join(this.folder, 'cert.pem'), cert);
        fs.writeFileSync(path.join(this.folder, 'key.pem'), key, { mode: 0o600 });
        this.config = merge({
            listen: { address: '127.0.0.1', port: 0, tls: 'on', certificate: 'cert.pem', private_key: 'key.pem',
                      origins: ['https://app.example.fr'] },
            admin: { address: '127.0.0.1', port: 0 },
            database: { url: database?.url(), reconnect_min: '20ms', reconnect_max: '300ms' },
            channels: Object.fromEntries(TABLES.map((name) => [name, {}])),
            issuers: issuers.map((issuer) => issuer.config(this.folder)),
            // Every session of a test comes from one address.
            limits: { sessions_per_address: 1000, messages_per_second: 1000 },
            drain: { window: '300ms' },
        }, config);
        this.writeConfig();
        /** @type {string[]} all lines of stderr of all runs */
        this.lines = [];
        this.stdout = '';
        this.#forget();
    }

    /** A bridge that listens and, unless told otherwise, has its database. @param {BridgeOptions} options */
    static async start(options) {
        const bridge = new Bridge(options);
        await bridge.spawn({ awaitReady: options.awaitReady });
        return bridge;
    }

    #forget() {
        /** @type {Record<string, string>[]} log lines of this run */
        this.log = [];
        this.port = 0;
        this.adminPort = 0;
        /** @type {number | null} */
        this.exitCode = null;
        /** @type {NodeJS.Signals | null} */
        this.exitSignal = null;
        this.exited = false;
    }

    writeConfig(config = this.config) {
        this.config = config;
        fs.writeFileSync(this.configFile, toYaml(config));
    }

    /** Starts the process (again, after it has ended), on ports that the kernel chooses. */
    async spawn({ awaitReady = true } = {}) {
        this.#forget();
        let rest = '';
        const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', BINARY, '--config', this.configFile], {
            cwd: '/',
            stdio: ['ignore', 'pipe', 'pipe'],
            env: {
                ...cleanEnvironment(),
                ASAN_OPTIONS: 'detect_leaks=1:exitcode=99:detect_stack_use_after_return=1',
                UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
                ...this.env,
            },
        });
        this.process = child;
        child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
        child.stderr.setEncoding('utf8').on('data', (text) => {
            const lines = (rest + text).split('\n');
            rest = lines.pop() ?? '';
            for (const line of lines) this.#line(line);
            this.signal.changed();
        });
        child.once('close', (code, signal) => {
            if (rest) this.#line(rest);
            this.exitCode = code;
            this.exitSignal = signal;
            this.exited = true;
            this.signal.changed();
        });
        const listening = await this.event('listening');
        const admin = await this.event('admin_listening');
        this.port = Number(listening.port);
        this.adminPort = Number(admin.port);
        if (awaitReady) await this.event('db_up');
        return this;
    }

    /** @param {string} line */
    #line(line) {
        this.lines.push(line);
        this.log.push(parseLogLine(line));
    }

    get target() {
        return { port: this.port, ca: this.config.listen.tls === 'off' ? undefined : certificate().certificate };
    }

    /**
     * Waits for a log line with this event and fields, from line `from` of this run on.
     * @param {string} event
     * @param {{fields?: Record<string, string | number | RegExp>, from?: number, within?: number}} [options]
     */
    async event(event, { fields = {}, from = 0, within = 20_000 } = {}) {
        return this.signal.until(() => {
            const found = this.log.slice(from).find((line) => line.event === event && Object.entries(fields).every(
                ([key, value]) => value instanceof RegExp ? value.test(line[key] ?? '') : line[key] === String(value)));
            if (!found && this.exited)
                throw new Error(`the bridge ended (${this.exitCode ?? this.exitSignal}) before ${event}: ${this.tail()}`);
            return found;
        }, { within, what: `log line ${event} ${Object.entries(fields).map(([k, v]) => `${k}=${v}`).join(' ')}`, state: () => this.tail() });
    }

    tail() {
        return this.lines.slice(-40).join('\n');
    }

    /** @param {string} page @returns {Promise<{status: number, body: string, headers: http.IncomingHttpHeaders}>} */
    admin(page) {
        return new Promise((resolve, reject) => {
            const request = http.get({ host: '127.0.0.1', port: this.adminPort, path: page, agent: false, timeout: 10_000 }, (answer) => {
                let body = '';
                answer.setEncoding('utf8').on('data', (text) => (body += text));
                answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }));
                answer.on('error', reject);
            });
            request.on('timeout', () => request.destroy(new Error(`${page}: no answer within 10 s`)));
            request.on('error', reject);
        });
    }

    /** All metrics: name with its labels as printed -> value. */
    async metrics() {
        const { body } = await this.admin('/metrics');
        return parseMetrics(body);
    }

    /**
     * The sum of a family over all series whose labels include these.
     * @param {string} name
     * @param {Record<string, string>} [labels]
     */
    async metric(name, labels = {}) {
        return sumOf(await this.metrics(), name, labels);
    }

    /** @param {NodeJS.Signals} signal */
    kill(signal) {
        this.process?.kill(signal);
    }

    /** @param {{within?: number}} [options] */
    async untilExited({ within = 20_000 } = {}) {
        await this.signal.until(() => this.exited, { within, what: 'end of the bridge', state: () => this.tail() });
    }

    /** kill -9: nothing is said, nothing is written. */
    async murder() {
        this.kill('SIGKILL');
        await this.untilExited();
    }

    /** Ends the run as an operator does, and asks the questions every run ends with. */
    async stop() {
        try {
            if (this.process && !this.exited) {
                const metrics = await this.metrics();
                this.kill('SIGTERM');
                await this.untilExited();
                const violations = sumOf(metrics, 'vigie_isolation_violations_total');
                assert.equal(violations, 0, 'vigie_isolation_violations_total');
                assert.equal(this.exitCode, 0, `exit code (${this.exitSignal}): ${this.tail()}`);
            }
            this.assertCleanLog();
        } finally {
            if (this.process && !this.exited) {
                this.kill('SIGKILL');
                await this.untilExited();
            }
            fs.rmSync(this.folder, { recursive: true, force: true });
        }
    }

    /** No sanitizer report, no token, no key, no business content. */
    assertCleanLog() {
        const text = this.lines.join('\n');
        const report = text.search(/AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:/);
        assert.equal(report, -1, `sanitizer report: ${text.slice(Math.max(report, 0), report + 4000)}`);
        assert.equal(leakedSecret(text), null, 'a token or key is in the log');
        assert.ok(!text.includes(CANARY), 'a canary is in the log');
        assert.equal(this.stdout, '', 'nothing on stdout');
    }
}

/** @param {string} text */
export function parseMetrics(text) {
    /** @type {Map<string, number>} */
    const metrics = new Map();
    for (const line of text.split('\n')) {
        if (!line || line.startsWith('#')) continue;
        const space = line.lastIndexOf(' ');
        metrics.set(line.slice(0, space), Number(line.slice(space + 1)));
    }
    return metrics;
}

/**
 * @param {Map<string, number>} metrics
 * @param {string} name
 * @param {Record<string, string>} [labels]
 */
export function sumOf(metrics, name, labels = {}) {
    let sum = 0;
    let seen = false;
    for (const [series, value] of metrics) {
        if (series !== name && !series.startsWith(`${name}{`)) continue;
        seen = true;
        if (Object.entries(labels).every(([key, want]) => series.includes(`${key}="${want}"`))) sum += value;
    }
    assert.ok(seen, `no metric ${name}`);
    return sum;
}
