/**
 * The same dashboard through each door. A scenario is written once, against this:
 *
 *     const dashboard = await door.open(bridge, { token });
 *     dashboard.events    [{ event, data, cursor }]     as they came, over all connections
 *     dashboard.gaps      [reason]
 *     dashboard.cut()                                   as a network does
 *     await dashboard.resume({ token, bridge })         as a client does, with all it remembers
 *     dashboard.ends      [{ reason }]                  how the server ended a connection
 */
import http from 'node:http';
import https from 'node:https';

import { io } from 'socket.io-client';

import { Session } from './session.mjs';
import { Signal } from './wait.mjs';

/** What a request or socket of this bridge needs. @param {import('./bridge.mjs').Bridge} bridge */
function base(bridge) {
    const { port, ca } = bridge.target;
    return { port, ca, secure: ca !== undefined, url: `${ca ? 'https' : 'http'}://localhost:${port}` };
}

class Dashboard {
    /** @param {import('./bridge.mjs').Bridge} bridge @param {{token: string, cursor?: string, rooms?: string[]}} options */
    constructor(bridge, { token, cursor, rooms = [] }) {
        this.bridge = bridge;
        this.token = token;
        this.rooms = rooms;
        this.signal = new Signal();
        /** @type {{event: string, data: any, cursor: string | undefined}[]} */
        this.events = [];
        /** @type {string[]} */
        this.gaps = [];
        /** @type {{reason: string}[]} */
        this.ends = [];
        /** @type {boolean[]} one a connection: was it told that nothing was missed? */
        this.resumed = [];
        /** @type {string | undefined} */
        this.cursor = cursor;
        this.connected = false;
        this.quiet = false;
    }

    /** @param {string} event @param {any} data @param {string | undefined} cursor */
    took(event, data, cursor) {
        if (cursor) this.cursor = cursor;
        this.events.push({ event, data, cursor });
        this.signal.changed();
    }

    /** @param {string} reason @param {string | undefined} cursor */
    missed(reason, cursor) {
        if (cursor) this.cursor = cursor;
        this.gaps.push(reason);
        this.signal.changed();
    }

    /** @param {boolean} resumed @param {string | undefined} cursor */
    ready(resumed, cursor) {
        if (cursor) this.cursor = cursor;
        this.resumed.push(resumed);
        this.connected = true;
        this.signal.changed();
    }

    /** @param {string} reason */
    ended(reason) {
        this.connected = false;
        if (!this.quiet) this.ends.push({ reason });
        this.signal.changed();
    }

    /** @param {number} count @param {number} [within] */
    async untilEvents(count, within = 10_000) {
        await this.signal.until(() => this.events.length >= count, { within, what: `${count} events`, state: () => this.state() });
        return this.events;
    }

    async untilConnected(count = this.resumed.length + 1) {
        await this.signal.until(() => this.resumed.length >= count || this.ends.length > 0, { what: 'connection', state: () => this.state() });
        if (this.resumed.length < count) throw new Error(`ended: ${JSON.stringify(this.ends)}`);
    }

    async untilEnded(within = 10_000) {
        return (await this.signal.until(() => this.ends.at(-1), { within, what: 'end', state: () => this.state() })).reason;
    }

    async untilGap() {
        return this.signal.until(() => this.gaps.at(-1), { what: 'gap', state: () => this.state() });
    }

    state() {
        return { events: this.events.length, last: this.events.slice(-3), gaps: this.gaps, ends: this.ends, resumed: this.resumed };
    }
}

// ---- native ---------------------------------------------------------------------------------

class NativeDashboard extends Dashboard {
    async connect() {
        const session = await Session.connect(this.bridge);
        this.session = session;
        let taken = 0;
        const take = () => {
            for (; taken < session.messages.length; taken++) {
                const message = session.messages[taken];
                if (message.type === 'event') this.took(message.event, message.data, message.cursor);
                else if (message.type === 'gap') this.missed(message.reason, message.cursor);
                else if (message.type === 'ready') this.ready(message.resumed, message.cursor);
                else if (message.type === 'renewed') this.renewed = message.expires_in;
                else if (message.type === 'drain') this.drained = message.retry_after_ms;
                else if (message.type === 'expiring') this.expiring = message.in;
                this.signal.changed();
            }
            if (session.socket.close || session.socket.wire.ended) {
                this.ended(session.socket.close?.reason ?? '');
                return true;
            }
            return false;
        };
        session.signal.until(take, { within: 2 ** 30, what: 'the end' }).catch(() => {});
        session.socket.send({ type: 'auth', token: this.token, ...(this.cursor ? { cursor: this.cursor } : {}), ...(this.rooms.length ? { rooms: this.rooms } : {}) });
    }

    /** @param {string} token */
    renew(token) {
        this.session?.auth(token);
    }

    cut() {
        this.quiet = true;
        this.session?.destroy();
    }

    pause() {
        this.session?.socket.wire.socket.pause();
    }

    unpause() {
        this.session?.socket.wire.socket.resume();
    }
}

// ---- Socket.IO, the stock client ------------------------------------------------------------

class SocketIoDashboard extends Dashboard {
    /** @param {import('./bridge.mjs').Bridge} bridge @param {any} options */
    constructor(bridge, options) {
        super(bridge, options);
        this.transports = options.transports;
        this.client = options.client ?? io;
        this.namespace = options.namespace ?? '';
    }

    async connect() {
        const { url, ca } = base(this.bridge);
        if (this.socket) {
            this.socket.io.uri = url;
            this.socket.connect();
            return;
        }
        const socket = this.client(`${url}${this.namespace}`, {
            ...(this.transports ? { transports: this.transports } : {}), forceNew: true, reconnection: false, ca, rejectUnauthorized: true,
            // What another door remembered is given as a stock client would give its own.
            auth: (/** @type {any} */ give) => give({ token: this.token, ...(this.rooms.length ? { rooms: this.rooms } : {}) }),
        });
        this.socket = socket;
        socket.on('connect', () => this.ready(socket.recovered === true, undefined));
        socket.on('connect_error', (/** @type {any} */ error) => this.ended(error.data?.code ?? `${error.message} ${error.description ?? ''}`.trim()));
        socket.on('disconnect', (/** @type {string} */ reason) => this.ended(reason));
        socket.onAny((/** @type {string} */ event, /** @type {any[]} */ ...args) => {
            const cursor = typeof args.at(-1) === 'string' ? args.at(-1) : undefined;
            if (event === 'vigie:gap') this.missed(args[0].reason, cursor);
            else if (event === 'vigie:expiring') this.expiring = args[0].in;
            else if (event === 'vigie:drain') this.drained = args[0].retry_after_ms;
            else if (event === 'vigie:error') (this.refused ??= []).push(args[0].room);
            else if (!event.startsWith('vigie:')) this.took(event, args[0], cursor);
            this.signal.changed();
        });
    }

    /** @param {string} token */
    renew(token) {
        this.socket.timeout(5_000).emit('vigie:auth', { token }, (/** @type {any} */ error, /** @type {any} */ answer) => {
            if (!error) this.renewed = answer.expires_in;
            this.signal.changed();
        });
    }

    cut() {
        this.quiet = true;
        const { engine } = this.socket.io;
        // A network does not say goodbye: the transport is torn, not closed.
        const socket = engine.transport.ws?._socket ?? null;
        if (socket) socket.destroy();
        else engine.close();
    }

    pause() {
        this.socket.io.engine.transport.ws?._socket.pause();
    }

    unpause() {
        this.socket.io.engine.transport.ws?._socket.resume();
    }

    close() {
        this.quiet = true;
        this.socket?.disconnect();
    }
}

// ---- Server-Sent Events -----------------------------------------------------------------------

/** The parser of an event stream (WHATWG HTML, 9.2.6), as far as it is needed. */
export class EventStream {
    /** @param {(block: {id?: string, event?: string, data?: string, retry?: string, comment?: string}) => void} onBlock */
    constructor(onBlock) {
        this.onBlock = onBlock;
        this.rest = '';
    }

    /** @param {string} text */
    take(text) {
        const blocks = (this.rest + text).split('\n\n');
        this.rest = blocks.pop() ?? '';
        for (const block of blocks) {
            /** @type {Record<string, string>} */
            const fields = {};
            for (const line of block.split('\n')) {
                const [, name, value] = /^([^:]*):? ?([^]*)$/.exec(line) ?? [];
                const key = name || 'comment';
                fields[key] = key === 'data' && key in fields ? `${fields[key]}\n${value}` : value;
            }
            this.onBlock(fields);
        }
    }
}

/**
 * @param {import('./bridge.mjs').Bridge} bridge @param {string} path
 * @param {{token?: string, method?: string, headers?: Record<string, string>}} options
 */
export function httpRequest(bridge, path, { token, method = 'GET', headers = {} } = {}) {
    const { port, ca, secure } = base(bridge);
    const request = (secure ? https : http).request({
        host: '127.0.0.1', port, path, method, ca, agent: false, ...(secure ? { servername: 'localhost' } : {}),
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
    });
    const answer = new Promise((resolve, reject) => {
        request.on('response', resolve).on('error', reject);
    });
    answer.catch(() => {});
    request.end();
    return { request, answer: /** @type {Promise<http.IncomingMessage>} */ (answer) };
}

/** @param {http.IncomingMessage} answer */
export async function bodyOf(answer) {
    let body = '';
    for await (const part of answer.setEncoding('utf8')) body += part;
    return body;
}

class SseDashboard extends Dashboard {
    async connect() {
        const rooms = this.rooms.map((room) => `room=${encodeURIComponent(room)}`).join('&');
        const { request, answer } = httpRequest(this.bridge, `/events${rooms ? `?${rooms}` : ''}`,
            { token: this.token, headers: this.cursor ? { 'last-event-id': this.cursor } : {} });
        this.request = request;
        const response = await answer;
        this.response = response;
        if (response.statusCode !== 200) {
            await bodyOf(response);
            this.ended(String(response.statusCode));
            return;
        }
        let said = '';
        const stream = new EventStream(({ id, event, data, comment }) => {
            if (id !== undefined) this.cursor = id;
            if (data === undefined) {
                if (comment !== undefined) this.beats = (this.beats ?? 0) + 1;
                return;
            }
            const value = JSON.parse(data);
            if (event === 'vigie:ready') this.ready(value.resumed, id);
            else if (event === 'vigie:gap') this.missed(value.reason, id);
            else if (event === 'vigie:expiring') this.expiring = value.in;
            else if (event === 'vigie:drain') this.drained = value.retry_after_ms;
            else if (event === 'vigie:close') said = value.reason;
            else this.took(event ?? '', value, id);
        });
        response.setEncoding('utf8').on('data', (text) => stream.take(text)).on('error', () => {}).on('close', () => this.ended(said));
    }

    cut() {
        this.quiet = true;
        this.request?.destroy();
    }

    pause() {
        this.response?.pause();
        this.response?.socket.pause();
    }

    unpause() {
        this.response?.socket.resume();
        this.response?.resume();
    }
}

// ---- long poll --------------------------------------------------------------------------------

class PollDashboard extends Dashboard {
    async connect() {
        this.stopped = false;
        this.#loop(this.resumed.length).catch(() => this.ended('')); // a connection that broke
    }

    /** @param {number} life */
    async #loop(life) {
        let first = true;
        // The first answer only says where to begin: an unknown cursor asks for the present.
        while (!this.stopped) {
            const query = new URLSearchParams([...(this.cursor ? [['cursor', this.cursor]] : []), ...this.rooms.map((room) => ['room', room])]).toString();
            const { request, answer } = httpRequest(this.bridge, `/poll${query ? `?${query}` : ''}`, { token: this.token });
            this.request = request;
            const began = this.cursor;
            const response = await answer;
            const text = await bodyOf(response);
            if (response.statusCode !== 200) {
                this.ended(String(response.statusCode));
                return;
            }
            const body = JSON.parse(text);
            for (const event of body.events) this.took(event.event, event.data, event.cursor);
            if (body.gap) this.missed(body.gap, body.cursor);
            if (body.retry_after_ms !== undefined) this.drained = body.retry_after_ms;
            this.cursor = body.cursor;
            if (first && this.resumed.length === life) this.ready(began !== undefined && !body.gap, body.cursor);
            first = false;
        }
    }

    cut() {
        this.quiet = true;
        this.stopped = true;
        this.request?.destroy();
    }
}

/**
 * @typedef {object} Door
 * @property {string} name
 * @property {boolean} renews a token is renewed in band
 * @property {boolean} streams a reader may stop reading
 * @property {(bridge: import('./bridge.mjs').Bridge, options: {token: string, cursor?: string, rooms?: string[]}) => any} make
 */

/** @type {Door[]} */
export const DOORS = [
    { name: 'native', renews: true, streams: true, make: (bridge, options) => new NativeDashboard(bridge, options) },
    { name: 'Socket.IO', renews: true, streams: true, make: (bridge, options) => new SocketIoDashboard(bridge, { ...options, transports: ['websocket'] }) },
    { name: 'Socket.IO, default transports', renews: true, streams: false, make: (bridge, options) => new SocketIoDashboard(bridge, options) },
    { name: 'Socket.IO by polling', renews: true, streams: false, make: (bridge, options) => new SocketIoDashboard(bridge, { ...options, transports: ['polling'] }) },
    { name: 'SSE', renews: false, streams: true, make: (bridge, options) => new SseDashboard(bridge, options) },
    { name: 'long poll', renews: false, streams: false, make: (bridge, options) => new PollDashboard(bridge, options) },
];

/**
 * A dashboard that is connected; cut at the end of the test.
 * @param {any} t @param {Door} door @param {import('./bridge.mjs').Bridge} bridge
 * @param {{token: string, cursor?: string, rooms?: string[]}} options
 */
export async function openDashboard(t, door, bridge, options) {
    const dashboard = door.make(bridge, options);
    t.after(() => {
        dashboard.close?.();
        dashboard.cut();
    });
    await dashboard.connect();
    await dashboard.untilConnected();
    return dashboard;
}

/** Connects again with all that it remembers. @param {any} dashboard @param {{token?: string, bridge?: import('./bridge.mjs').Bridge}} [changes] */
export async function resume(dashboard, { token = dashboard.token, bridge = dashboard.bridge } = {}) {
    await dashboard.signal.until(() => !dashboard.connected || dashboard.stopped, { what: 'the end of the connection' });
    Object.assign(dashboard, { token, bridge, quiet: false, ends: [] });
    const count = dashboard.resumed.length + 1;
    await dashboard.connect();
    await dashboard.untilConnected(count);
}
