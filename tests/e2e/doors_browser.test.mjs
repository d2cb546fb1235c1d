/**
 * The doors as a browser meets them: headless Chromium, a page at https://app.example.fr, the bridge at
 * https://live.example.fr, as docs/dashboard.md has it. The names are Chromium's own affair
 * (--host-resolver-rules); behind them are a small server of pages and, before the bridge, a network that
 * can be cut. What the documents tell pages to write is taken from them and run as it stands there.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { chromium } from 'playwright-core';

import { certificate } from './lib/bridge.mjs';
import { addClient, addClients } from './lib/business.mjs';
import { ROOT } from './lib/cluster.mjs';
import { Signal, poll } from './lib/wait.mjs';
import { Scope, World } from './lib/world.mjs';

const world = new World();
const PAGE = 'https://app.example.fr';
const STRANGER = 'https://elsewhere.example.fr'; // is in nobody's listen.origins
const LIVE = 'https://live.example.fr';
const CLIENT_FILE = path.join(ROOT, 'node_modules/socket.io-client/dist/socket.io.js');

// ---- the places ---------------------------------------------------------------------------------

/** Where pages come from: an empty one at any address, and the native client. */
class Pages {
    async start() {
        const { certificate: cert, key } = certificate();
        this.server = https.createServer({ cert, key }, (request, response) => {
            const script = request.url === '/vigie-client.js';
            response.setHeader('content-type', script ? 'text/javascript' : 'text/html; charset=utf-8');
            response.end(script ? fs.readFileSync(path.join(ROOT, 'client/vigie-client.js'))
                                : '<!doctype html><title>Dashboard</title><link rel="icon" href="data:,"><ul id="list"></ul>');
        });
        await new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => resolve(true)));
        this.port = /** @type {net.AddressInfo} */ (this.server.address()).port;
    }

    stop() {
        this.server?.closeAllConnections();
        this.server?.close();
    }
}

/** What lies between browser and bridge. Cut, it resets what is open and lets nothing in. */
class Network {
    /** @type {Set<net.Socket>} */
    #sockets = new Set();
    #isCut = false;
    target = 0;
    /** What the bridge says goes nowhere, and is counted. */
    swallowing = false;
    swallowed = 0;
    signal = new Signal();

    async start() {
        this.server = net.createServer((near) => {
            if (this.#isCut || !this.target) return near.resetAndDestroy();
            const far = net.connect(this.target, '127.0.0.1');
            for (const [one, other] of [[near, far], [far, near]]) {
                this.#sockets.add(one.setNoDelay());
                one.on('error', () => {}).on('close', () => {
                    this.#sockets.delete(one);
                    other.destroy();
                });
            }
            near.pipe(far);
            far.on('data', (bytes) => (this.swallowing ? this.#swallow(bytes) : near.write(bytes)));
        });
        await new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => resolve(true)));
        this.port = /** @type {net.AddressInfo} */ (this.server.address()).port;
    }

    /** @param {Buffer} bytes */
    #swallow(bytes) {
        this.swallowed += bytes.length;
        this.signal.changed();
    }

    cut() {
        this.#isCut = true;
        for (const socket of this.#sockets) socket.resetAndDestroy();
    }

    mend() {
        this.#isCut = this.swallowing = false;
    }

    stop() {
        this.cut();
        this.server?.close();
    }
}

const pages = new Pages();
const network = new Network();
/** @type {import('playwright-core').Browser} */
let browser;

before(async () => {
    await pages.start();
    await network.start();
    const rules = [[PAGE, pages.port], [STRANGER, pages.port], [LIVE, network.port]]
        .map(([origin, port]) => `MAP ${new URL(String(origin)).hostname}:443 127.0.0.1:${port}`);
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
               '--disable-component-update', '--disable-sync', `--host-resolver-rules=${rules.join(', ')}`],
    });
}, { timeout: 60_000 });

after(async () => {
    await browser?.close();
    network.stop();
    pages.stop();
});

// ---- a page -------------------------------------------------------------------------------------

/** One response of the bridge as it came over the wire. @typedef {{url: string, method: string, type: string, status: number, headers: Record<string, string>}} Response */

/**
 * A page and what it tells: `tell(kind, value)` there is `told` here, in its order.
 */
class Visitor {
    /** @param {string} origin @param {() => string} token */
    constructor(origin, token) {
        this.origin = origin;
        this.token = token;
        this.signal = new Signal();
        /** @type {{kind: string, value: any}[]} */
        this.told = [];
        /** @type {string[]} what the console complains of */
        this.complaints = [];
        /** @type {Map<string, Partial<Response>>} by the browser's id of the request */
        this.requests = new Map();
    }

    async arrive() {
        this.context = await browser.newContext({ ignoreHTTPSErrors: true });
        this.page = await this.context.newPage();
        this.page.on('console', (message) => message.type() === 'error' && this.complaints.push(message.text()));
        this.page.on('pageerror', (error) => this.#tell('pageerror', String(error)));
        await this.page.exposeFunction('tell', (/** @type {string} */ kind, /** @type {any} */ value) => this.#tell(kind, value));
        await this.page.exposeFunction('freshToken', () => this.token());
        await this.#listen();
        await this.page.goto(this.origin);
    }

    /** @param {string} kind @param {any} value */
    #tell(kind, value) {
        this.told.push({ kind, value });
        this.signal.changed();
    }

    /** Preflights are seen here and nowhere else. */
    async #listen() {
        const wire = await this.context.newCDPSession(this.page);
        const note = (/** @type {string} */ id, /** @type {Partial<Response>} */ seen) => {
            this.requests.set(id, { ...this.requests.get(id), ...seen });
            this.signal.changed();
        };
        wire.on('Network.requestWillBeSent', ({ requestId, request, type }) => note(requestId, { url: request.url, method: request.method, type }));
        wire.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode, headers }) => note(requestId, { status: statusCode, headers: lower(headers) }));
        await wire.send('Network.enable');
    }

    /** All that the bridge answered by HTTP. */
    responses() {
        return /** @type {Response[]} */ ([...this.requests.values()].filter(({ url, status }) => url?.startsWith(LIVE) && status !== undefined));
    }

    preflights() {
        return this.responses().filter(({ method }) => method === 'OPTIONS');
    }

    /** @param {string} kind */
    all(kind) {
        return this.told.filter((one) => one.kind === kind).map((one) => one.value);
    }

    /** The value of the n-th such word, the first being 1. @param {string} kind @param {number} [count] */
    async until(kind, count = 1, within = 15_000) {
        await this.signal.until(() => this.all(kind).length >= count,
            { within, what: `${kind} number ${count}`, state: () => ({ told: this.told.slice(-12), complaints: this.complaints.slice(-4) }) });
        return this.all(kind)[count - 1];
    }

    /** @template A, R @param {(argument: A) => R} run @param {A} [argument] @returns {Promise<Awaited<R>>} */
    run(run, argument) {
        return /** @type {any} */ (this.page.evaluate(/** @type {any} */ (run), argument));
    }

    /** Runs a text as a script of the page, as <script> would. @param {string} text */
    async script(text) {
        await this.page.addScriptTag({ content: text });
    }

    /** The client that the bridge serves. */
    async loadSocketIo() {
        await this.page.addScriptTag({ url: `${LIVE}/socket.io/socket.io.js` });
    }

    /** A page of a listed origin never meets CORS: each answer says that it may read it. */
    assertNoCors() {
        for (const { url, status, headers } of this.responses()) {
            if (url.endsWith('.js')) continue; // a script is no request of an origin
            assert.equal(headers['access-control-allow-origin'], this.origin, `${status} ${url}`);
            assert.equal(headers['access-control-allow-credentials'], 'true', `${status} ${url}`);
            assert.match(headers.vary ?? '', /origin/i, `${status} ${url}`);
        }
        assert.deepEqual(this.complaints.filter((text) => text.includes('CORS')), []);
        assert.deepEqual(this.all('pageerror'), []);
    }
}

/** @param {Record<string, string>} headers */
const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/**
 * A test with a bridge behind the network; what it opened is closed in the opposite order.
 * @param {string} name
 * @param {(place: {scope: Scope, bridge: import('./lib/bridge.mjs').Bridge, business: import('pg').Client,
 *         visit: (options?: {origin?: string, token?: () => string}) => Promise<Visitor>}) => Promise<void>} run
 * @param {any} [config]
 */
function browserTest(name, run, config = {}) {
    test(name, { timeout: 60_000 }, async () => {
        const scope = new Scope();
        try {
            const { bridge, business } = await world.enter(scope, { config: { listen: { origins: [PAGE] }, socketio: { client_file: CLIENT_FILE },
                                                                             streams: { poll_hold: '10s' }, ...config } });
            network.target = bridge.port;
            network.mend();
            const visit = async ({ origin = PAGE, token = () => world.token({ company: '1' }) } = {}) => {
                const visitor = new Visitor(origin, token);
                scope.after(() => visitor.context?.close());
                await visitor.arrive();
                return visitor;
            };
            await run({ scope, bridge, business, visit });
        } finally {
            await scope.end();
        }
    });
}

/** The first JavaScript block under a heading, as it stands there. @param {string} file @param {string} heading */
function snippet(file, heading) {
    const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
    const at = text.search(new RegExp(`^#+ ${heading}$`, 'm'));
    assert.notEqual(at, -1, `${file} has no heading ${heading}`);
    const section = text.slice(at).split(/\n#+ /, 2)[0];
    return /```js\n([^]*?)```/.exec(section)?.[1] ?? assert.fail(`${file}: no JavaScript under ${heading}`);
}

/** A signed quote. @param {import('pg').Client} business @param {string} client @returns {Promise<number>} its id */
async function sign(business, client) {
    const { rows: [{ id }] } = await business.query(`WITH client AS (INSERT INTO clients (company_id, name, type) VALUES (1, $1, 'syndic') RETURNING id)
        INSERT INTO devis (company_id, client_id, number, status, amount) SELECT 1, id, 'D-' || id, 'sent', 10 FROM client RETURNING id`, [client]);
    await business.query(`UPDATE devis SET status = 'signed' WHERE id = $1`, [id]);
    return Number(id);
}

/** Sessions of the bridge that hear events. @param {import('./lib/bridge.mjs').Bridge} bridge */
const live = (bridge) => bridge.metric('vigie_sessions', { state: 'live' });

/** What runs in the page has these. @type {any} */
const { tell, freshToken, io } = /** @type {any} */ (globalThis);

// ---- Socket.IO ----------------------------------------------------------------------------------

/** Runs in the page: a dashboard that shows each client, and tells all it hears. @param {any} options */
function dashboard({ url, options }) {
    const socket = io(url, { auth: async (/** @type {any} */ give) => give({ token: await freshToken() }), ...options });
    /** @type {any} */ (window).socket = socket;
    socket.io.on('open', () => {
        const { engine } = socket.io;
        tell('open', engine.transport.name);
        engine.once('upgrade', (/** @type {any} */ transport) => tell('upgrade', transport.name));
    });
    socket.on('connect', () => tell('connect', { recovered: socket.recovered }));
    socket.on('disconnect', (/** @type {string} */ reason) => tell('disconnect', reason));
    socket.on('connect_error', (/** @type {any} */ error) => tell('connect_error', { message: error.message, status: error.description ?? null, code: error.data?.code ?? null }));
    socket.on('vigie:gap', (/** @type {any} */ gap) => tell('gap', gap.reason));
    socket.on('client:created', (/** @type {any} */ client, /** @type {string} */ cursor) => {
        document.querySelector('#list')?.append(Object.assign(document.createElement('li'), { textContent: client.name }));
        tell('event', { name: client.name, cursor });
    });
}

/** What the list of the page shows. @param {Visitor} visitor */
const shown = (visitor) => visitor.page.locator('#list li').allTextContents();

describe('socket.io-client in a page of another origin', () => {
    const modes = [{ name: 'default transports', transports: undefined, first: 'polling', last: 'websocket' },
                   { name: 'WebSocket only', transports: ['websocket'], first: 'websocket', last: 'websocket' },
                   { name: 'polling only', transports: ['polling'], first: 'polling', last: 'polling' }];
    for (const { name, transports, first, last } of modes)
        for (const withCredentials of [false, true])
            browserTest(`${name}, ${withCredentials ? 'with' : 'without'} credentials: events are shown, and after two cuts each is there once`, async ({ business, visit }) => {
                const visitor = await visit();
                await visitor.loadSocketIo();
                await visitor.run(dashboard, { url: LIVE, options: { withCredentials, ...(transports ? { transports } : {}) } });
                assert.equal(await visitor.until('open'), first);
                assert.equal((await visitor.until('connect')).recovered, false);
                if (first !== last) assert.equal(await visitor.until('upgrade'), last);
                await addClient(business, 1, 'seen');
                await addClient(business, 2, 'of somebody else');
                await visitor.until('event');

                // A network that fails without a word, and one whose end the browser tells.
                network.cut();
                await visitor.until('disconnect');
                await addClients(business, 1, 'missed', 3);
                network.mend();
                assert.equal((await visitor.until('connect', 2)).recovered, true);
                await visitor.until('event', 4);
                if (first !== last) await visitor.until('upgrade', 2);

                await visitor.context?.setOffline(true);
                network.cut();
                await visitor.until('disconnect', 2);
                await addClients(business, 1, 'again', 2);
                network.mend();
                await visitor.context?.setOffline(false);
                assert.equal((await visitor.until('connect', 3)).recovered, true);
                await addClient(business, 1, 'live');
                await visitor.until('event', 7);

                assert.deepEqual(await shown(visitor), ['seen', 'missed1', 'missed2', 'missed3', 'again1', 'again2', 'live']);
                assert.deepEqual(visitor.all('gap'), []);
                assert.equal(new Set(visitor.all('event').map(({ cursor }) => cursor)).size, 7);
                visitor.assertNoCors();
            });

    browserTest('an answer that was lost on the way is not lost for the page, although the browser asks again by itself', async ({ business, visit }) => {
        // Chromium repeats, unasked, what it sent over a connection that was used before; the bridge has answered it.
        const visitor = await visit();
        await visitor.loadSocketIo();
        await visitor.run(dashboard, { url: LIVE, options: { transports: ['polling'] } });
        await visitor.until('connect');
        await addClient(business, 1, 'seen');
        await visitor.until('event');
        network.swallowing = true;
        const before = network.swallowed;
        await addClient(business, 1, 'swallowed');
        await network.signal.until(() => network.swallowed > before, { what: 'the answer' });
        network.cut();
        network.mend();
        await addClient(business, 1, 'next');
        await visitor.signal.until(() => visitor.all('event').some(({ name }) => name === 'next'), { what: 'next', state: () => visitor.told });
        assert.deepEqual(await shown(visitor), ['seen', 'swallowed', 'next']);
        assert.deepEqual(visitor.all('connect').map(({ recovered }) => recovered), [false, true]);
    });

    browserTest('a CONNECT whose answer was lost, and that the browser sends again by itself, connects in the end', async ({ business, visit }) => {
        let times = 0;
        const visitor = await visit({ token: () => {
            network.swallowing = ++times === 1;
            return world.token({ company: '1' });
        } });
        await visitor.loadSocketIo();
        const before = network.swallowed;
        await visitor.run(dashboard, { url: LIVE, options: { transports: ['polling'] } });
        await network.signal.until(() => network.swallowed > before, { what: 'the answer' });
        network.cut();
        network.mend();
        await visitor.until('connect');
        await addClient(business, 1, 'seen');
        await visitor.until('event');
        assert.deepEqual(await shown(visitor), ['seen']);
    });

    browserTest('headers of its own are asked for and allowed', async ({ business, visit }) => {
        const visitor = await visit();
        await visitor.loadSocketIo();
        await visitor.run(dashboard, { url: LIVE, options: { transports: ['polling'], withCredentials: true, extraHeaders: { 'X-Tenant': 'nord', x_request_id: '7' } } });
        await visitor.until('connect');
        await addClient(business, 1, 'seen');
        await visitor.until('event');
        visitor.assertNoCors();
        const preflights = visitor.preflights();
        assert.ok(preflights.length > 0, 'there were preflights');
        for (const { status, headers } of preflights) {
            assert.equal(status, 204);
            assert.match(headers['access-control-allow-headers'], /x-tenant/i);
            assert.match(headers['access-control-allow-headers'], /x_request_id/);
        }
    });

    browserTest('as docs/dashboard.md writes it: tokens expire, and what was missed is fetched', async ({ business, visit }) => {
        let good = true;
        const visitor = await visit({ token: () => (good ? world.token({ company: '1' }) : 'of.no.worth') });
        await visitor.loadSocketIo();
        await visitor.script(`const login = () => tell('login'), refetch = () => tell('refetch'), show = (devis) => tell('show', devis);`);
        await visitor.script(snippet('docs/dashboard.md', 'Tokens expire'));
        await visitor.script(snippet('docs/dashboard.md', 'Did I miss something\\?'));
        await visitor.script(`socket.on('devis:signed', (devis) => show(devis)); socket.on('disconnect', () => tell('disconnect'));`);
        await visitor.until('refetch');
        const id = await sign(business, 'Dupont');
        assert.deepEqual(await visitor.until('show'), { id, clientName: 'Dupont' });

        network.cut();
        await visitor.until('disconnect');
        await sign(business, 'Morvan');
        network.mend();
        assert.equal((await visitor.until('show', 2)).clientName, 'Morvan');
        assert.equal(visitor.all('refetch').length, 1, 'nothing was missed');

        good = false;
        network.cut();
        await visitor.until('disconnect', 2);
        network.mend();
        await visitor.until('login');
        assert.equal(await visitor.page.evaluate('socket.active'), false, 'it does not try again by itself');
    });
});

// ---- Server-Sent Events and long poll -------------------------------------------------------------

/** Runs in the page: what any page can write for itself. */
function helpers() {
    const page = /** @type {any} */ (window);
    page.bearer = async () => ({ authorization: `Bearer ${await freshToken()}` });
    /** What a fetch came to, as a page sees it. */
    page.attempt = async (/** @type {string} */ url, /** @type {any} */ options) => {
        try {
            const response = await fetch(url, options);
            return { status: response.status, type: response.type, body: await response.text(), challenge: response.headers.get('www-authenticate'), retry: response.headers.get('retry-after') };
        } catch (error) {
            return { failed: /** @type {Error} */ (error).name };
        }
    };
    page.ticket = async (/** @type {string} */ live) =>
        (await (await fetch(`${live}/ticket`, { method: 'POST', headers: await page.bearer() })).json()).ticket;
    page.cursor = async (/** @type {string} */ live) => (await (await fetch(`${live}/poll`, { headers: await page.bearer() })).json()).cursor;
    /** A stream read with fetch: each block is told as { id, event, data }. */
    page.stream = async (/** @type {string} */ url, /** @type {any} */ options) => {
        const response = await fetch(url, options);
        tell('stream', { status: response.status, type: response.headers.get('content-type') });
        const reader = /** @type {any} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
        let text = '';
        try {
            for (;;) {
                const { value, done } = await reader.read();
                if (done) break;
                const blocks = (text + value).split('\n\n');
                text = blocks.pop() ?? '';
                for (const block of blocks) {
                    const fields = Object.fromEntries(block.split('\n').map((line) => /^(\w*): ?(.*)$/.exec(line)?.slice(1) ?? []));
                    if (fields.data) tell(fields.event, { id: fields.id, data: JSON.parse(fields.data) });
                }
            }
            tell('end', 'closed');
        } catch (error) {
            tell('end', /** @type {Error} */ (error).name);
        }
    };
}

describe('EventSource in a page of another origin', () => {
    const STAGE = `const show = (devis) => tell('show', devis), refetch = () => tell('refetch'), login = () => tell('login'), stopped = (why) => tell('stopped', why);
        Math.random = () => 0; // the shortest of its waits
        const Source = EventSource;
        EventSource = class extends Source { constructor(url) { super(url); tell('source', url); } };`;

    browserTest('as docs/dashboard.md writes it: a ticket for each connection, and it goes on where it was', async ({ business, visit }) => {
        const visitor = await visit();
        await visitor.script(STAGE);
        await visitor.script(snippet('docs/dashboard.md', 'EventSource'));
        await visitor.until('refetch');
        const id = await sign(business, 'Dupont');
        assert.deepEqual(await visitor.until('show'), { id, clientName: 'Dupont' });
        for (const [n, client] of ['Morvan', 'Le Goff'].entries()) {
            network.cut();
            await sign(business, client);
            network.mend();
            assert.equal((await visitor.until('show', n + 2)).clientName, client);
        }
        await sign(business, 'Kervella');
        await visitor.until('show', 4);
        assert.deepEqual(visitor.all('show').map(({ clientName }) => clientName), ['Dupont', 'Morvan', 'Le Goff', 'Kervella']);
        assert.equal(visitor.all('refetch').length, 1, 'nothing was missed');
        const tickets = visitor.all('source').map((url) => new URL(url).searchParams.get('ticket'));
        assert.equal(new Set(tickets).size, tickets.length, 'no ticket is used twice');
        visitor.assertNoCors();
    });

    browserTest('as docs/dashboard.md writes it: a token that is not taken asks for a login, and not again and again', async ({ bridge, visit }) => {
        const visitor = await visit({ token: () => 'of.no.worth' });
        await visitor.script(STAGE);
        await visitor.script(snippet('docs/dashboard.md', 'EventSource'));
        await visitor.until('login');
        assert.deepEqual(visitor.all('source'), [], 'no stream was tried without a ticket');
        assert.equal(await live(bridge), 0);
        visitor.assertNoCors();
    });

    browserTest('as docs/dashboard.md writes it: a session that was replaced stays away', async ({ bridge, visit }) => {
        const old = await visit();
        await old.script(STAGE);
        await old.script(snippet('docs/dashboard.md', 'EventSource'));
        await old.until('refetch');
        const young = await visit();
        await young.script(STAGE);
        await young.script(snippet('docs/dashboard.md', 'EventSource'));
        await young.until('refetch');
        assert.equal(await old.until('stopped'), 'replaced');
        // One that came back would have ended the other, which would have come back…
        assert.equal(old.all('source').length, 1);
        assert.equal(young.all('source').length, 1);
        assert.equal(await live(bridge), 1);
    }, { limits: { sessions_per_user: 1 } });

    browserTest('left to itself the browser comes back with the ticket that it used, and stops', async ({ business, visit }) => {
        const visitor = await visit();
        await visitor.run(helpers);
        await visitor.run(async (live) => {
            const source = new EventSource(`${live}/events?ticket=${await (/** @type {any} */ (window)).ticket(live)}`, { withCredentials: true });
            source.addEventListener('vigie:ready', () => tell('ready'));
            source.addEventListener('client:created', (event) => tell('event', { data: JSON.parse(event.data), id: event.lastEventId }));
            source.onerror = () => tell('error', source.readyState);
        }, LIVE);
        await visitor.until('ready');
        await addClient(business, 1, 'seen');
        assert.match((await visitor.until('event')).id, /^[\w-]{22}$/);
        network.cut();
        assert.equal(await visitor.until('error'), 0, 'connecting');
        network.mend();
        await visitor.signal.until(() => visitor.all('error').includes(2), { what: 'the end', state: () => visitor.told });
        const again = visitor.responses().filter(({ url }) => url.includes('/events')).at(-1);
        assert.equal(again?.status, 401);
        visitor.assertNoCors();
    }, { streams: { retry: '200ms' } });
});

describe('fetch in a page of another origin', () => {
    browserTest('reads /events as a stream, with a header for the token and one for where to go on', async ({ bridge, business, visit }) => {
        const visitor = await visit();
        await visitor.run(helpers);
        const open = (/** @type {string | undefined} */ id) => visitor.run(async ([url, last]) => {
            const page = /** @type {any} */ (window);
            void page.stream(url, { headers: { ...(await page.bearer()), ...(last ? { 'last-event-id': last } : {}), 'cache-control': 'no-cache' } });
        }, [`${LIVE}/events`, id]);
        await open(undefined);
        assert.deepEqual(await visitor.until('stream'), { status: 200, type: 'text/event-stream' });
        await visitor.until('vigie:ready');
        await addClient(business, 1, 'seen');
        const { id } = await visitor.until('client:created');
        network.cut();
        assert.equal(await visitor.until('end'), 'TypeError');
        await addClients(business, 1, 'missed', 2);
        network.mend();
        await open(id);
        assert.equal((await visitor.until('vigie:ready', 2)).data.resumed, true);
        await visitor.until('client:created', 3);
        assert.deepEqual(visitor.all('client:created').map(({ data }) => data.name), ['seen', 'missed1', 'missed2']);
        assert.ok(visitor.preflights().length > 0);
        visitor.assertNoCors();

        // A page that is left takes its sessions with it.
        await visitor.page.close();
        await poll(async () => (await live(bridge)) === 0, { what: 'the end of the session' });
    });

    browserTest('polls, waits, gives up waiting, and asks once for leave', async ({ bridge, business, visit }) => {
        const visitor = await visit();
        await visitor.run(helpers);
        const ask = (/** @type {string} */ cursor) => visitor.run(async ([url]) => {
            const page = /** @type {any} */ (window);
            page.control = new AbortController();
            const answer = await page.attempt(url, { headers: await page.bearer(), signal: page.control.signal });
            tell('poll', answer.failed ?? JSON.parse(answer.body));
        }, [`${LIVE}/poll${cursor ? `?cursor=${cursor}` : ''}`]);
        await ask('');
        const { cursor } = await visitor.until('poll');
        const held = ask(cursor);
        await poll(async () => (await live(bridge)) === 1, { what: 'the poll that waits' });
        await addClient(business, 1, 'seen');
        await held;
        const { events: [event], cursor: next } = await visitor.until('poll', 2);
        assert.equal(event.data.name, 'seen');

        const given = ask(next);
        await poll(async () => (await live(bridge)) === 1, { what: 'the poll that waits' });
        await visitor.run(() => (/** @type {any} */ (window)).control.abort());
        await given;
        assert.equal(await visitor.until('poll', 3), 'AbortError');
        await poll(async () => (await live(bridge)) === 0, { what: 'the end of the poll' });
        await addClient(business, 1, 'missed');
        await ask(next);
        assert.deepEqual((await visitor.until('poll', 4)).events.map((/** @type {any} */ one) => one.data.name), ['missed']);

        const asked = visitor.preflights().length;
        await ask(next);
        await visitor.until('poll', 5);
        assert.equal(visitor.preflights().length, asked, 'the browser remembers what it may do');
        visitor.assertNoCors();
    });
});

// ---- refusals -------------------------------------------------------------------------------------

describe('a request that is refused', () => {
    /** @param {Visitor} visitor @param {string} where @param {any} [options] */
    const attempt = (visitor, where, options) => visitor.run(async ([url, init]) => {
        const page = /** @type {any} */ (window);
        if (init.bearer) init.headers = { ...init.headers, ...(await page.bearer()) };
        if (init.bytes) init.body = 'x'.repeat(init.bytes);
        return page.attempt(url, init);
    }, [`${LIVE}${where}`, options ?? {}]);

    const wrong = { headers: { authorization: 'Bearer of.no.worth' } };
    const nowhere = 'A'.repeat(22);

    browserTest('is seen by the page with its status and its reason', async ({ visit }) => {
        const visitor = await visit();
        await visitor.run(helpers);
        const engine = '/socket.io/?EIO=4&transport=polling';
        for (const [where, options, status, reason] of /** @type {[string, any, number, string | number][]} */ ([
            ['/events', wrong, 401, 'unauthorized'],
            ['/events', {}, 401, 'unauthorized'],
            ['/events?ticket=x', {}, 400, 'bad_request'],
            [`/events?ticket=${'A'.repeat(43)}`, {}, 401, 'unauthorized'],
            ['/poll', wrong, 401, 'unauthorized'],
            [`/poll?cursor=${nowhere}&cursor=${nowhere}`, { bearer: true }, 400, 'bad_request'],
            ['/poll?token=x', {}, 400, 'bad_request'],
            ['/poll', { method: 'POST' }, 405, 'method'],
            ['/ticket', { ...wrong, method: 'POST' }, 401, 'unauthorized'],
            ['/ticket', {}, 405, 'method'],
            [`${engine}&sid=${'x'.repeat(20)}`, { credentials: 'include' }, 400, 1],
            [`${engine}&sid=${'x'.repeat(20)}`, { method: 'POST', bytes: 3 }, 400, 1],
            ['/socket.io/?EIO=3&transport=polling', {}, 400, 5],
            ['/socket.io/?EIO=4&transport=carrier-pigeon', {}, 400, 0],
        ])) {
            const seen = await attempt(visitor, where, options);
            assert.equal(seen.status, status, `${where}: ${JSON.stringify(seen)}`);
            assert.equal(seen.type, 'cors', where);
            assert.equal(seen.challenge, status === 401 ? 'Bearer' : null, where);
            const body = JSON.parse(seen.body);
            assert.equal(body.error ?? body.code, reason, `${where}: ${seen.body}`);
        }
        visitor.assertNoCors();
    });

    for (const bytes of [9_000, 100_000, 5_000_000])
        browserTest(`also 413, for a body of ${bytes} bytes that the browser is still sending`, async ({ visit }) => {
            const visitor = await visit();
            await visitor.run(helpers);
            const open = await attempt(visitor, '/socket.io/?EIO=4&transport=polling');
            const { sid } = JSON.parse(open.body.slice(1));
            const seen = await attempt(visitor, `/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', bytes });
            assert.equal(seen.status, 413, JSON.stringify(seen));
            visitor.assertNoCors();
        });

    browserTest('also 503, while the database was never reached', async ({ scope, visit }) => {
        const bridge = await world.bridge(scope, { database: { url: () => 'postgresql://vigie@127.0.0.1:1/nowhere' }, awaitReady: false,
                                                   config: { listen: { origins: [PAGE] }, socketio: { client_file: CLIENT_FILE } } });
        network.target = bridge.port;
        const visitor = await visit();
        await visitor.run(helpers);
        for (const where of ['/poll', '/events', '/socket.io/?EIO=4&transport=polling']) {
            const seen = await attempt(visitor, where, { bearer: true });
            assert.equal(seen.status, 503, `${where}: ${JSON.stringify(seen)}`);
            assert.equal(seen.retry, '2', where);
        }
        await visitor.loadSocketIo();
        await visitor.run(dashboard, { url: LIVE, options: {} });
        assert.deepEqual(await visitor.until('connect_error'), { message: 'xhr poll error', status: 503, code: null });
        await visitor.until('connect_error', 2);
        visitor.assertNoCors();
    });

    browserTest('by Socket.IO: connect_error has the code', async ({ visit }) => {
        const visitor = await visit({ token: () => 'of.no.worth' });
        await visitor.loadSocketIo();
        await visitor.run(dashboard, { url: LIVE, options: {} });
        assert.equal((await visitor.until('connect_error')).code, 'unauthorized');
        visitor.assertNoCors();
    });
});

describe('a page of an origin that is not listed', () => {
    /** Runs in the page, or in a frame of it: all ways in. @param {any} argument */
    async function tryAll({ live, token }) {
        const headers = { authorization: `Bearer ${token}` };
        const engine = `${live}/socket.io/?EIO=4&transport=polling`;
        /** @type {[string, any][]} */
        const requests = [[`${live}/events`, { headers }], [`${live}/poll`, { headers }], [`${live}/ticket`, { method: 'POST', headers }],
                          [`${live}/events`, {}], [`${live}/ticket`, { method: 'POST' }], [engine, {}], [engine, { credentials: 'include' }],
                          [`${engine}&sid=${'x'.repeat(20)}`, { method: 'POST', body: '40' }], [`${live}/socket.io/socket.io.js`, {}]];
        const fetched = [];
        for (const [url, options] of requests) fetched.push(await fetch(url, options).then(({ status }) => String(status), (error) => error.name));
        const socket = (/** @type {string} */ url) => new Promise((resolve) => {
            const one = new WebSocket(url);
            one.onopen = () => resolve('open');
            one.onclose = ({ code }) => resolve(code);
        });
        const wss = live.replace('https', 'wss');
        const sockets = [await socket(`${wss}/ws`), await socket(`${wss}/socket.io/?EIO=4&transport=websocket`)];
        const source = await new Promise((resolve) => {
            const one = new EventSource(`${live}/events?ticket=${'A'.repeat(43)}`);
            one.onopen = () => resolve('open');
            one.onerror = () => resolve(one.readyState);
        });
        return { fetched, sockets, source };
    }
    const NOTHING = { fetched: Array(9).fill('TypeError'), sockets: [1006, 1006], source: 2 };

    /** @param {Visitor} visitor */
    const assertNothing = (visitor) => {
        for (const { url, status, headers } of visitor.responses()) {
            assert.equal(status, 403, url);
            assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith('access-control')), [], url);
        }
    };

    browserTest('gets nothing by any door, and is told nothing of CORS', async ({ bridge, visit }) => {
        const visitor = await visit({ origin: STRANGER });
        assert.deepEqual(await visitor.run(tryAll, { live: LIVE, token: world.token({ company: '1' }) }), NOTHING);
        assertNothing(visitor);
        assert.ok(visitor.preflights().length >= 3);
        assert.equal(await bridge.metric('vigie_sessions'), 0);
    });

    browserTest('nor does a sandboxed frame of a listed page, whose origin is null', async ({ visit }) => {
        const visitor = await visit();
        const answer = await visitor.run(({ code, argument }) => new Promise((resolve) => {
            window.onmessage = ({ data }) => resolve(data);
            const frame = document.createElement('iframe');
            frame.sandbox.add('allow-scripts');
            frame.srcdoc = `<script>(${code})(${JSON.stringify(argument)}).then((all) => parent.postMessage(all, '*'))</script>`;
            document.body.append(frame);
        }), { code: String(tryAll), argument: { live: LIVE, token: world.token({ company: '1' }) } });
        assert.deepEqual(answer, NOTHING);
        assertNothing(visitor);
    });

    browserTest('its socket.io-client says why, as docs/dashboard.md has it', async ({ visit }) => {
        const visitor = await visit({ origin: STRANGER });
        await visitor.loadSocketIo(); // a script needs no leave
        await visitor.run(dashboard, { url: LIVE, options: { reconnection: false } });
        assert.deepEqual(await visitor.until('connect_error'), { message: 'xhr poll error', status: 0, code: null });
        assert.ok(visitor.complaints.some((text) => text.includes('CORS')), 'the console names CORS');
        await visitor.run(dashboard, { url: LIVE, options: { reconnection: false, forceNew: true, transports: ['websocket'] } });
        assert.equal((await visitor.until('connect_error', 2)).message, 'websocket error');
        assertNothing({ ...visitor, responses: () => visitor.responses().filter(({ url }) => !url.endsWith('.js')) });
    });
});

// ---- six connections, and the native door ---------------------------------------------------------

/** Runs in the page: the client of this repository. @param {string} url */
async function native(url) {
    const { VigieClient } = await import(/** @type {any} */ ('/vigie-client.js'));
    const page = /** @type {any} */ (window);
    page.client = new VigieClient({
        url, getToken: freshToken,
        onEvent: (/** @type {any} */ { data }) => tell('native', data.name),
        onGap: (/** @type {any} */ { reason }) => tell('gap', reason),
        onState: (/** @type {any} */ { status, resumed }) => tell(status, resumed),
    });
    page.client.open();
}

browserTest('the native client works from another origin, and comes back', async ({ business, visit }) => {
    const visitor = await visit();
    await visitor.run(native, 'wss://live.example.fr/ws');
    assert.equal(await visitor.until('online'), false);
    await addClient(business, 1, 'seen');
    await visitor.until('native');
    network.cut();
    await visitor.until('waiting');
    await addClients(business, 1, 'missed', 3);
    network.mend();
    assert.equal(await visitor.until('online', 2), true);
    await addClient(business, 1, 'live');
    await visitor.until('native', 5);
    assert.deepEqual(visitor.all('native'), ['seen', 'missed1', 'missed2', 'missed3', 'live']);
    assert.deepEqual([visitor.all('gap'), visitor.all('pageerror')], [[], []]);
});

browserTest('five streams leave one connection for requests, and sockets do not count; with six streams a request waits', async ({ bridge, business, visit }) => {
    const visitor = await visit();
    await visitor.run(helpers);
    await visitor.loadSocketIo();
    const open = (/** @type {number} */ n) => visitor.run(async ([live]) => {
        const page = /** @type {any} */ (window);
        const source = new EventSource(`${live}/events?ticket=${await page.ticket(live)}`);
        source.addEventListener('vigie:ready', () => tell('ready'));
        source.addEventListener('client:created', (event) => tell('streamed', JSON.parse(event.data).name));
        (page.sources ??= []).push(source);
    }, [LIVE]).then(() => visitor.until('ready', n));
    for (let n = 1; n <= 4; n++) await open(n);
    await visitor.run(dashboard, { url: LIVE, options: { transports: ['polling'] } }); // one to hear, one to speak
    await visitor.until('connect');
    await visitor.run(() => (/** @type {any} */ (window)).socket.disconnect());
    await visitor.until('disconnect');
    await open(5);
    await visitor.run(native, 'wss://live.example.fr/ws');
    await visitor.until('online');
    await visitor.run(dashboard, { url: LIVE, options: { forceNew: true } }); // comes by polling, beside five streams
    assert.equal(await visitor.until('upgrade'), 'websocket');
    await addClient(business, 1, 'to all');
    await Promise.all([visitor.until('streamed', 5), visitor.until('native'), visitor.until('event')]);
    const { status } = await visitor.run((live) => (/** @type {any} */ (window)).attempt(`${live}/poll`), LIVE);
    assert.equal(status, 401, 'a request gets through');

    await open(6);
    await visitor.run((live) => void (/** @type {any} */ (window)).attempt(`${live}/poll`).then(() => tell('answered')), LIVE);
    await addClient(business, 1, 'to all again');
    await Promise.all([visitor.until('streamed', 11), visitor.until('native', 2), visitor.until('event', 2)]);
    assert.deepEqual(visitor.all('answered'), [], 'the seventh waits');
    assert.equal(await live(bridge), 8);
    await visitor.run(() => (/** @type {any} */ (window)).sources[0].close());
    await visitor.until('answered');
    visitor.assertNoCors();
});
