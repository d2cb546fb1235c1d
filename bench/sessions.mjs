/**
 * What sessions cost the bridge: memory of an idle one, CPU of a delivery, and the time from COMMIT to
 * the client. Against a private PostgreSQL and the release binary. See bench/README.md.
 *
 *   node bench/sessions.mjs [--sessions 5000] [--plain | --tls] [--json FILE] [--write]
 */
import { fork } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { Cluster, ROOT } from '../tests/e2e/lib/cluster.mjs';
import { Session } from '../tests/e2e/lib/session.mjs';
import { Issuer, makeKey } from '../tests/e2e/lib/tokens.mjs';
import { poll } from '../tests/e2e/lib/wait.mjs';
import { cpuUs, median, quantile, round, settledPss } from './measure.mjs';

process.env.VIGIE_BINARY ??= 'build/release/bridge/vigie';
const { BINARY, Bridge } = await import('../tests/e2e/lib/bridge.mjs');

const { values: options } = parseArgs({ options: {
    sessions: { type: 'string', default: '5000' },
    plain: { type: 'boolean', default: false },
    tls: { type: 'boolean', default: false },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
} });
const SESSIONS = Number(options.sessions);
if (!Number.isInteger(SESSIONS) || SESSIONS < 20 || SESSIONS > 30_000) throw new Error('--sessions: a whole number from 20 to 30000');
const ROOM = Math.min(1000, Math.floor(SESSIONS / 2)); // members of company 1
const FELLOWS = 10; // sessions of each other company
const CROWD_PROCESS = 5000; // sessions of one client process, at most
const ROUNDS = 4;
const SINGLES = 50; // events of a round, one by one
const BURSTS = 10;
const BURST = 20; // events of one statement
const SLOW_EVENTS = 300;
const BRISK_PER_S = 200;
const BRISK_EVENTS = 2000;
const IDLE_MS = 25_000; // one heartbeat of everybody
const COMPANY = 2; // the dashboard that latency is measured at: no other session is in it

// ---- figures --------------------------------------------------------------------------------------

/** @param {number[]} numbers */
const spread = (numbers) => ({ median: round(median(numbers)), min: round(Math.min(...numbers)), max: round(Math.max(...numbers)) });

/** @param {number[]} numbers */
const latency = (numbers) => ({ p50: round(quantile(numbers, 0.5)), p99: round(quantile(numbers, 0.99)), max: round(Math.max(...numbers)) });

/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- the crowd ------------------------------------------------------------------------------------

/** All the other dashboards, in processes of their own. */
class Crowd {
    /** @param {number} count of sessions */
    constructor(count) {
        this.processes = Array.from({ length: Math.ceil(count / CROWD_PROCESS) },
            () => fork(path.join(ROOT, 'bench/crowd.mjs'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
        /** Members of the room in each process. @type {number[]} */
        this.inRoom = this.processes.map(() => 0);
        this.expected = this.processes.map(() => 0);
        /** The first session that was lost though nobody asked it to go. @type {string | null} */
        this.lost = null;
        for (const child of this.processes)
            child.on('message', (/** @type {any} */ message) => {
                if (message.did === 'failed') this.lost ??= message.why;
            });
    }

    /** Figures of a crowd that has lost members are none. */
    assertWhole() {
        if (this.lost) throw new Error(`a session was lost: ${this.lost}`);
    }

    /** @param {any} child @param {object} order @param {string} answer */
    #ask(child, order, answer) {
        return new Promise((resolve, reject) => {
            const done = (/** @type {() => void} */ act) => {
                child.off('message', heard);
                child.off('exit', ended);
                act();
            };
            const heard = (/** @type {any} */ message) => {
                if (message.did === answer) done(() => resolve(message));
                else if (message.did === 'failed') done(() => reject(new Error(message.why)));
            };
            const ended = (/** @type {number} */ code) => done(() => reject(new Error(`a client process ended with ${code}`)));
            child.on('message', heard);
            child.once('exit', ended);
            child.send(order);
        });
    }

    /** @param {InstanceType<typeof Bridge>} bridge @param {Issuer} issuer @param {{company: string, user: string}[]} who */
    async connect(bridge, issuer, who) {
        const parts = this.processes.map((_, n) => who.filter((_member, i) => i % this.processes.length === n));
        this.inRoom = parts.map((part) => part.filter(({ company }) => company === '1').length);
        const secret = String(issuer.key.file).replace('base64:', '');
        const target = { port: bridge.port, ca: bridge.target.ca ?? null };
        await Promise.all(this.processes.map((child, n) =>
            this.#ask(child, { do: 'connect', target, issuer: { name: issuer.name, secret }, who: parts[n] }, 'connect')));
    }

    /** Resolves when each member of the room has got that many events more. @param {number} events */
    async untilAll(events) {
        await Promise.all(this.processes.map((child, n) => {
            this.expected[n] += events * this.inRoom[n];
            return this.inRoom[n] ? this.#ask(child, { do: 'until', total: this.expected[n] }, 'reached') : null;
        }));
    }

    async leave() {
        await Promise.all(this.processes.map((child) => this.#ask(child, { do: 'leave' }, 'leave')));
    }

    end() {
        for (const child of this.processes) child.disconnect();
    }
}

/** One room of ROOM members, and companies of FELLOWS; each session is another user's. */
function everybody() {
    return Array.from({ length: SESSIONS }, (_, n) => ({
        company: n < ROOM ? '1' : `c${Math.floor((n - ROOM) / FELLOWS)}`,
        user: `u${n}`,
    }));
}

// ---- time from COMMIT to the client -----------------------------------------------------------------

/**
 * The time of day when performance.now() was 0. Date.now() is right at the edge of a millisecond; whoever
 * reads it late gets too little, so the largest of several is the best.
 */
function wallOffset() {
    let offset = -Infinity;
    for (let i = 0; i < 20; i++) {
        const before = Date.now();
        let now = before;
        while (now === before) now = Date.now();
        offset = Math.max(offset, now - performance.now());
    }
    return offset;
}

/** `at` has microseconds, a Date has not. @param {string} at */
const atMs = (at) => Date.parse(`${at.slice(0, 19)}Z`) + Number(`0.${at.slice(20, 26)}`) * 1000;

/**
 * Writes `count` rows, each in a transaction of its own, `next(n)` apart, and waits until all have come.
 * @param {Session} session @param {import('pg').Client} business @param {string} name @param {number} count
 * @param {(n: number) => Promise<unknown>} next
 */
async function timeEvents(session, business, name, count, next) {
    const offset = wallOffset();
    const first = session.events.length;
    /** @type {{sent: number, returned: number}[]} */
    const commits = [];
    for (let n = 0; n < count; n++) {
        await next(n);
        await business.query(`BEGIN; INSERT INTO public.clients (company_id, name, type) VALUES (${COMPANY}, '${name}${n}', 'particulier')`);
        const sent = performance.now();
        await business.query('COMMIT');
        commits.push({ sent, returned: performance.now() });
    }
    await session.untilEvents(first + count, { within: 30_000 });
    const seen = session.events.slice(first);
    seen.forEach((event, n) => {
        if (event.data.name !== `${name}${n}`) throw new Error(`event ${n} is ${event.data.name}`);
    });
    return {
        fromTrigger: latency(seen.map((event) => event.received + offset - atMs(event.at))),
        fromCommit: latency(seen.map((event, n) => event.received - commits[n].sent)),
        fromReturn: latency(seen.map((event, n) => event.received - commits[n].returned)),
        commit: latency(commits.map(({ sent, returned }) => returned - sent)),
    };
}

/** One by one, far enough apart for the bridge to sleep in between: each rings. @param {Session} session @param {import('pg').Client} business */
function slowly(session, business) {
    const first = session.events.length;
    return timeEvents(session, business, 'slow', SLOW_EVENTS, async (n) => {
        if (n > 0) await session.untilEvents(first + n);
        await pause(60 + Math.random() * 20);
    });
}

/** At a steady rate, whatever becomes of those before. @param {Session} session @param {import('pg').Client} business */
function briskly(session, business) {
    const started = performance.now();
    return timeEvents(session, business, 'brisk', BRISK_EVENTS, async (n) => {
        const wait = started + (n * 1000) / BRISK_PER_S - performance.now();
        if (wait > 0) await pause(wait);
    });
}

// ---- CPU of a delivery ------------------------------------------------------------------------------

/**
 * @param {number} pid @param {Crowd} crowd @param {import('pg').Client} business
 * @param {number} statements @param {number} events of each
 */
async function perDelivery(pid, crowd, business, statements, events) {
    const before = cpuUs(pid);
    for (let n = 0; n < statements; n++) {
        const came = crowd.untilAll(events);
        await business.query(`INSERT INTO public.clients (company_id, name, type)
            SELECT 1, 'crowd' || g, 'particulier' FROM generate_series(1, $1::int) g`, [events]);
        await came;
    }
    return (cpuUs(pid) - before) / (statements * events * ROOM);
}

/** @param {number} pid @param {Crowd} crowd @param {import('pg').Client} business */
async function deliveries(pid, crowd, business) {
    /** @type {number[]} */
    const single = [];
    /** @type {number[]} */
    const burst = [];
    await perDelivery(pid, crowd, business, 5, 1);
    for (let n = 0; n < ROUNDS; n++) {
        single.push(await perDelivery(pid, crowd, business, SINGLES, 1));
        burst.push(await perDelivery(pid, crowd, business, BURSTS, BURST));
    }
    return { single: spread(single), burst: spread(burst) };
}

// ---- one run ----------------------------------------------------------------------------------------

/** @param {Cluster} cluster @param {boolean} secure */
async function measure(cluster, secure) {
    const database = await cluster.database();
    const issuer = new Issuer({ name: 'bench', key: makeKey('HS256') });
    const bridge = await Bridge.start({ database, issuers: [issuer], config: {
        listen: { tls: secure ? 'on' : 'off' },
        limits: { sessions: SESSIONS + 100, sessions_per_address: SESSIONS + 100, sessions_per_company: SESSIONS + 100 },
    } });
    const crowd = new Crowd(SESSIONS);
    try {
        const pid = bridge.process?.pid ?? 0;
        const business = await database.connect('business');
        const open = () => Session.open(bridge, { token: issuer.mint({ company: String(COMPANY), user: 'watcher', ttl: 7200 }) });
        await (await open()).bye(); // what the first session loads is not the session's
        const session = await open();
        const empty = await settledPss(pid);

        say(`${secure ? 'tls' : 'plain'}: ${SESSIONS} sessions connect`);
        const connecting = cpuUs(pid);
        await crowd.connect(bridge, issuer, everybody());
        const connected = cpuUs(pid);
        const live = await bridge.metric('vigie_sessions', { state: 'live' });
        if (live !== SESSIONS + 1) throw new Error(`${live} sessions are live`);
        const idle = await settledPss(pid);

        say('idle');
        const [quiet, since] = [cpuUs(pid), performance.now()];
        await pause(IDLE_MS);
        const idleCpu = (cpuUs(pid) - quiet) / (performance.now() - since) / 10;
        crowd.assertWhole();

        say('latency');
        const low = await slowly(session, business);
        const high = await briskly(session, business);
        crowd.assertWhole();

        say('deliveries');
        const [bytes, count] = [await bridge.metric('vigie_sent_bytes_total'), await bridge.metric('vigie_deliveries_total')];
        const cpu = await deliveries(pid, crowd, business);
        const frame = (await bridge.metric('vigie_sent_bytes_total') - bytes) / (await bridge.metric('vigie_deliveries_total') - count);
        const overflows = await bridge.metric('vigie_queue_overflows_total');

        crowd.assertWhole();

        say('leaving');
        await crowd.leave();
        await session.bye();
        await poll(async () => (await bridge.metric('vigie_sessions')) === 0, { within: 30_000, what: 'end of all sessions' });
        const left = await settledPss(pid);
        return {
            memory: { empty, idle, left, perSession: Math.round((idle - empty) / SESSIONS) },
            cpu: { connectUs: round((connected - connecting) / SESSIONS, 1), idlePercent: round(idleCpu), perDeliveryUs: cpu, frameBytes: Math.round(frame), overflows },
            latencyMs: { low, high },
        };
    } finally {
        crowd.end();
        await bridge.stop();
        await database.drop();
    }
}

// ---- what is printed ----------------------------------------------------------------------------------

const mib = (/** @type {number} */ bytes) => `${round(bytes / 1048576, 1)} MiB`;
const us = (/** @type {{median: number, min: number, max: number}} */ one) => `${one.median} µs (${one.min} to ${one.max})`;
const ms = (/** @type {{p50: number, p99: number}} */ one) => `${one.p50} / ${one.p99} ms`;

/** @typedef {Awaited<ReturnType<typeof measure>>} Run */

/** @type {[string, (run: Run) => string][]} */
const ROWS = [
    ['memory of an idle session', (run) => `${round(run.memory.perSession / 1024, 1)} KiB`],
    ['memory of the bridge without sessions', (run) => mib(run.memory.empty)],
    [`memory with ${SESSIONS} sessions`, (run) => mib(run.memory.idle)],
    ['memory when all have left', (run) => mib(run.memory.left)],
    ['CPU to let one in', (run) => `${run.cpu.connectUs} µs`],
    [`CPU of ${SESSIONS} idle sessions`, (run) => `${run.cpu.idlePercent} % of a core`],
    [`CPU of a delivery, single events, room of ${ROOM}`, (run) => us(run.cpu.perDeliveryUs.single)],
    [`CPU of a delivery, bursts of ${BURST}, room of ${ROOM}`, (run) => us(run.cpu.perDeliveryUs.burst)],
    ['COMMIT sent to client, one by one, p50 / p99', (run) => ms(run.latencyMs.low.fromCommit)],
    ['COMMIT returned to client, one by one, p50 / p99', (run) => ms(run.latencyMs.low.fromReturn)],
    ['trigger to client, one by one, p50 / p99', (run) => ms(run.latencyMs.low.fromTrigger)],
    [`COMMIT sent to client, ${BRISK_PER_S}/s, p50 / p99`, (run) => ms(run.latencyMs.high.fromCommit)],
    [`trigger to client, ${BRISK_PER_S}/s, p50 / p99`, (run) => ms(run.latencyMs.high.fromTrigger)],
];

/** @param {Record<string, Run>} runs */
function table(runs) {
    const kinds = Object.keys(runs);
    return [`| figure | ${kinds.join(' | ')} |`, `|---|${'---|'.repeat(kinds.length)}`,
            ...ROWS.map(([name, cell]) => `| ${name} | ${kinds.map((kind) => cell(runs[kind])).join(' | ')} |`)].join('\n');
}

/** Between the markers of docs/operations.md. @param {string} text */
function writeFigures(text) {
    const file = path.join(ROOT, 'docs/operations.md');
    const page = fs.readFileSync(file, 'utf8');
    const marked = /(<!-- figures:[^\n]*-->\n)[^]*?(<!-- end of figures -->)/;
    if (!marked.test(page)) throw new Error('docs/operations.md has no table of figures');
    fs.writeFileSync(file, page.replace(marked, (_, from, to) => `${from}${text}\n${to}`));
}

const started = new Date();
const loadBefore = os.loadavg()[0];
const cluster = await Cluster.start();
/** @type {Record<string, Run>} */
const runs = {};
try {
    if (options.plain || !options.tls) runs.plain = await measure(cluster, false);
    if (options.tls || !options.plain) runs.TLS = await measure(cluster, true);
} finally {
    await cluster.destroy();
}
const machine = `${os.cpus().length} × ${os.cpus()[0]?.model.trim() || 'CPU'}, Linux ${os.release().replace(/-.*/, '')}`;
const text = `${table(runs)}\n\n${SESSIONS} sessions, ${machine}, clients and PostgreSQL (fsync off) on the same machine, ` +
    `${started.toISOString().slice(0, 10)}.`;
console.log(text);
const json = JSON.stringify({ at: started.toISOString(), binary: path.relative(ROOT, BINARY), machine, load: [round(loadBefore), round(os.loadavg()[0])],
                              sessions: SESSIONS, room: ROOM, burst: BURST, rounds: ROUNDS, runs });
console.log(json);
if (options.json) fs.writeFileSync(options.json, `${json}\n`);
if (options.write) writeFigures(text);
