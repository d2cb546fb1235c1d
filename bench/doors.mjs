/**
 * What each door costs on the same work: memory of an idle session, CPU of a delivery, the time of an
 * upgrade from polling to WebSocket, and the lines of code. One bridge after the other, each with one
 * door's clients, which do as little as a client can. See bench/README.md.
 *
 *   node bench/doors.mjs [--sessions 500] [--rounds 5] [--json FILE]
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { Cluster, ROOT } from '../tests/e2e/lib/cluster.mjs';
import { EngineServer } from '../tests/e2e/lib/engine.mjs';
import { Issuer, makeKey } from '../tests/e2e/lib/tokens.mjs';
import { Signal } from '../tests/e2e/lib/wait.mjs';
import { encodeFrame, upgradeRequest } from '../tests/e2e/lib/wsclient.mjs';
import { cpuUs, quantile, round, settledPss } from './measure.mjs';

process.env.VIGIE_BINARY ??= 'build/release/bridge/vigie';
const { Bridge } = await import('../tests/e2e/lib/bridge.mjs');

const { values: options } = parseArgs({ options: {
    sessions: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
} });
const [SESSIONS, ROUNDS] = [Number(options.sessions), Number(options.rounds)];
const SINGLES = 30; // events of a round, one by one
const BURSTS = 10;
const BURST = 20; // events of one statement
const UPGRADES = 200;
const MARK = Buffer.from('"bench');

// ---- clients --------------------------------------------------------------------------------------

/** Counts the events in what comes, and lets `onData` see it. */
class Client {
    /** @param {number} port @param {{signal: Signal, events: number, ready: number}} crowd */
    constructor(port, crowd) {
        this.crowd = crowd;
        this.tail = Buffer.alloc(0);
        this.leaving = false;
        this.socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
        this.socket.on('data', (chunk) => this.#take(chunk));
        this.socket.on('error', () => {});
        this.socket.on('close', () => {
            if (!this.leaving) throw new Error('a session was lost');
        });
    }

    /** @param {Buffer} chunk */
    #take(chunk) {
        const data = this.tail.length ? Buffer.concat([this.tail, chunk]) : chunk;
        let at = -1;
        let from = 0;
        while ((at = data.indexOf(MARK, from)) >= 0) {
            this.crowd.events++;
            from = at + MARK.length;
        }
        this.tail = Buffer.from(data.subarray(Math.max(from, data.length - MARK.length + 1)));
        this.onData(chunk);
        this.crowd.signal.changed();
    }

    /** @param {Buffer} _chunk */
    onData(_chunk) {}

    isReady() {
        this.onData = () => {};
        this.crowd.ready++;
    }

    leave() {
        this.leaving = true;
        this.socket.destroy();
    }
}

/** @param {string} path */
const upgrade = (path) => Buffer.from(upgradeRequest().toString().replace('/ws', path));

class NativeClient extends Client {
    /** @param {string} token */
    begin(token) {
        this.socket.write(upgradeRequest());
        this.onData = (chunk) => {
            if (chunk.includes('101 ')) this.socket.write(encodeFrame({ payload: JSON.stringify({ type: 'auth', token }) }));
            if (chunk.includes('"type":"ready"')) this.isReady();
        };
    }
}

class SocketIoClient extends Client {
    /** @param {string} token */
    begin(token) {
        this.socket.write(upgrade('/socket.io/?EIO=4&transport=websocket'));
        this.onData = (chunk) => {
            if (chunk.includes('101 ')) this.socket.write(encodeFrame({ payload: `40${JSON.stringify({ token })}` }));
            if (chunk.includes('40{"sid"')) this.isReady();
        };
    }
}

/** One request after the other on one connection. */
class HttpClient extends Client {
    /** @param {string} method @param {string} path @param {{body?: string, headers?: string}} [more] @returns {Promise<string>} the body */
    ask(method, path, { body = '', headers = '' } = {}) {
        this.socket.write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}${body ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : ''}\r\n${body}`);
        let text = '';
        return new Promise((resolve) => {
            this.onData = (chunk) => {
                text += chunk.toString('latin1');
                const end = text.indexOf('\r\n\r\n');
                if (end < 0) return;
                const length = Number(/content-length: *(\d+)/i.exec(text.slice(0, end))?.[1]);
                if (text.length - end - 4 >= length) resolve(text.slice(end + 4));
            };
        });
    }
}

class EnginePollingClient extends HttpClient {
    /** @param {string} token */
    async begin(token) {
        const base = '/socket.io/?EIO=4&transport=polling';
        const { sid } = JSON.parse((await this.ask('GET', base)).slice(1));
        await this.ask('POST', `${base}&sid=${sid}`, { body: `40${JSON.stringify({ token })}` });
        await this.ask('GET', `${base}&sid=${sid}`);
        this.crowd.ready++;
        this.crowd.signal.changed();
        while (!this.leaving) await this.ask('GET', `${base}&sid=${sid}`);
    }
}

class PollClient extends HttpClient {
    /** @param {string} token */
    async begin(token) {
        const headers = `Authorization: Bearer ${token}\r\n`;
        let { cursor } = JSON.parse(await this.ask('GET', '/poll', { headers }));
        this.crowd.ready++;
        this.crowd.signal.changed();
        while (!this.leaving) ({ cursor } = JSON.parse(await this.ask('GET', `/poll?cursor=${cursor}`, { headers })));
    }
}

class SseClient extends Client {
    /** @param {string} token */
    begin(token) {
        this.socket.write(`GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
        this.onData = (chunk) => {
            if (chunk.includes('vigie:ready')) this.isReady();
        };
    }
}

/** @type {{name: string, client: new (...args: any[]) => any, files: string[]}[]} */
const DOORS = [
    { name: 'native', client: NativeClient, files: ['proto/native.c', 'proto/native.h', 'proto/wsframe.c', 'proto/wsframe.h', 'ws/conn_native.c'] },
    { name: 'Socket.IO, WebSocket', client: SocketIoClient, files: ['proto/engineio*.[ch]', 'proto/socketio*.[ch]', 'ws/door_engine.c', 'ws/door_engine.h'] },
    { name: 'Socket.IO, polling', client: EnginePollingClient, files: [] },
    { name: 'SSE', client: SseClient, files: ['proto/sse.c', 'proto/sse.h'] },
    { name: 'long poll', client: PollClient, files: ['proto/poll.c', 'proto/poll.h'] },
    { name: 'what the HTTP doors share', client: /** @type {any} */ (null), files: ['ws/exchange*.[ch]', 'ws/door_stream.c', 'ws/door_stream.h', 'proto/stream.c', 'proto/stream.h', 'core/ticket.c', 'core/ticket.h'] },
];

/** Lines that are neither blank nor comment. @param {string[]} patterns */
function linesOf(patterns) {
    let lines = 0;
    for (const pattern of patterns) {
        const [folder, name] = pattern.split('/');
        const wanted = new RegExp(`^${name.replace('.', '\\.').replace('*', '[a-z_]*')}$`);
        for (const file of fs.readdirSync(path.join(ROOT, 'bridge', folder)).filter((one) => wanted.test(one)))
            lines += fs.readFileSync(path.join(ROOT, 'bridge', folder, file), 'utf8').replace(/\/\*[^]*?\*\//g, '').split('\n').filter((line) => line.trim()).length;
    }
    return lines;
}

// ---- measuring --------------------------------------------------------------------------------------

/** @param {number} pid @param {any} crowd @param {import('pg').Client} business @param {number} statements @param {number} events */
async function perDelivery(pid, crowd, business, statements, events) {
    const before = cpuUs(pid);
    for (let n = 0; n < statements; n++) {
        const total = crowd.events + events * SESSIONS;
        await business.query(`INSERT INTO public.clients (company_id, name, type) SELECT 1, 'bench' || g, 'particulier' FROM generate_series(1, $1::int) g`, [events]);
        await crowd.signal.until(() => crowd.events >= total, { within: 30_000, what: 'deliveries' });
    }
    return (cpuUs(pid) - before) / (statements * events * SESSIONS);
}

/** From `2probe` until the client may say `5`, with a GET held. @param {number} port @param {Issuer} issuer */
async function upgrades(port, issuer) {
    const server = new EngineServer({ port });
    const times = [];
    for (let n = 0; n < UPGRADES; n++) {
        const { sid } = await server.handshake();
        await server.post(sid, `40${JSON.stringify({ token: issuer.mint({ company: '2', user: `u${n}` }) })}`);
        await server.poll(sid);
        const held = server.poll(sid);
        await held.sent;
        const socket = server.socket({ EIO: '4', transport: 'websocket', sid });
        await new Promise((resolve) => socket.socket.once('open', resolve));
        const began = performance.now();
        socket.send('2probe');
        if ((await socket.next()) !== '3probe') throw new Error('no 3probe');
        await held;
        times.push(performance.now() - began);
        socket.send('5');
        socket.end();
    }
    server.close();
    return { p50: round(quantile(times, 0.5)), p99: round(quantile(times, 0.99)) };
}

/** @param {Cluster} cluster @param {typeof DOORS[number]} door */
async function measure(cluster, door) {
    const database = await cluster.database();
    const issuer = new Issuer({ name: 'bench', key: makeKey('HS256') });
    const room = SESSIONS + UPGRADES + 100;
    const bridge = await Bridge.start({ database, issuers: [issuer], config: {
        listen: { tls: 'off' }, heartbeat: { interval: '120s', timeout: '60s' },
        limits: { sessions: room, sessions_per_address: room, sessions_per_company: room, unauthenticated: room },
    } });
    const crowd = { signal: new Signal(), events: 0, ready: 0 };
    /** @type {any[]} */
    const clients = [];
    const connect = async (/** @type {number} */ count) => {
        for (let n = 0; n < count; n++) {
            const client = new door.client(bridge.port, crowd);
            clients.push(client);
            const begun = client.begin(issuer.mint({ company: '1', user: `u${clients.length}`, ttl: 7200 }));
            Promise.resolve(begun).catch(() => {});
            if (n % 50 === 49 || n === count - 1) await crowd.signal.until(() => crowd.ready >= clients.length, { what: 'sessions', state: () => crowd.ready });
        }
    };
    try {
        const pid = bridge.process?.pid ?? 0;
        const business = await database.connect('business');
        await connect(1); // what the first loads is not the session's
        const empty = await settledPss(pid);
        await connect(SESSIONS - 1);
        const idle = await settledPss(pid);
        await perDelivery(pid, crowd, business, 5, 1);
        const [single, burst] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
        for (let n = 0; n < ROUNDS; n++) {
            single.push(await perDelivery(pid, crowd, business, SINGLES, 1));
            burst.push(await perDelivery(pid, crowd, business, BURSTS, BURST));
        }
        for (const client of clients) client.leave();
        const upgrade = door.name === 'Socket.IO, polling' ? await upgrades(bridge.port, issuer) : null;
        return { memory: Math.round((idle - empty) / (SESSIONS - 1)), single: round(quantile(single, 0.5)), burst: round(quantile(burst, 0.5)), upgrade };
    } finally {
        for (const client of clients) client.leave();
        await bridge.stop();
        await database.drop();
    }
}

const cluster = await Cluster.start();
/** @type {Record<string, any>} */
const runs = {};
try {
    for (const door of DOORS.filter((one) => one.client)) {
        process.stderr.write(`${door.name}\n`);
        runs[door.name] = await measure(cluster, door);
    }
} finally {
    await cluster.destroy();
}

console.log('| door | memory of an idle session | CPU of a delivery, single | in bursts of 20 | of native | lines of code |');
console.log('|---|---|---|---|---|---|');
for (const { name, files } of DOORS) {
    const run = runs[name];
    const cells = run ? [`${round(run.memory / 1024, 1)} KiB`, `${run.single} µs`, `${run.burst} µs`,
                         `${round(run.single / runs.native.single)} / ${round(run.burst / runs.native.burst)}`] : ['', '', '', ''];
    console.log(`| ${name} | ${cells.join(' | ')} | ${files.length ? linesOf(files) : 'as above'} |`);
}
const { upgrade: upgraded } = runs['Socket.IO, polling'];
console.log(`\nAn upgrade with a GET held, from 2probe to 5: p50 ${upgraded.p50} ms, p99 ${upgraded.p99} ms (${UPGRADES}).`);
console.log(`${SESSIONS} sessions of one room, no TLS, medians of ${ROUNDS} rounds, clients and PostgreSQL on the same machine.`);
if (options.json) fs.writeFileSync(options.json, `${JSON.stringify({ at: new Date().toISOString(), sessions: SESSIONS, runs })}\n`);
