/**
 * A page with a stock Socket.IO client that nobody helps: it connects, comes back by itself, and
 * remembers what it saw. What it puts on the wire is read beside it, never changed.
 */
import { io } from 'socket.io-client';

import { Signal } from './wait.mjs';

/** Small pauses, so that a test is short; the rest is the client's default. */
export const QUICK = { reconnectionDelay: 20, reconnectionDelayMax: 200 };

/**
 * @typedef {object} PageOptions
 * @property {any} [auth] as the client takes it
 * @property {any} [client] the `io` of another version
 * @property {string} [namespace]
 * @property {string[]} [transports]
 * @property {any} [options] of the client
 */

export class Page {
    /** @param {any} t @param {{target: {port: number, ca?: string}}} place @param {PageOptions} how */
    constructor(t, place, { auth, client = io, namespace = '', transports, options = {} }) {
        const { port, ca } = place.target;
        this.signal = new Signal();
        /** @type {{event: string, data: any, cursor: string | undefined}[]} of the database */
        this.events = [];
        /** @type {{event: string, data: any, cursor: string | undefined}[]} vigie:… */
        this.own = [];
        /** @type {{recovered: boolean, sid: string, at: number}[]} */
        this.connects = [];
        /** @type {{reason: string, at: number}[]} */
        this.disconnects = [];
        /** @type {{message: string, code: string | undefined, status: number | undefined, active: boolean, at: number}[]} */
        this.errors = [];
        /** @type {any[]} what each CONNECT of it said */
        this.asked = [];
        this.namespace = namespace || '/';
        this.socket = client(`${ca ? 'https' : 'http'}://localhost:${port}${namespace}`, {
            forceNew: true, autoConnect: false, ca, auth, ...QUICK, ...(transports ? { transports } : {}), ...options,
        });
        this.#listen(this.socket);
        this.socket.io.on('reconnect_attempt', () => queueMicrotask(() => this.#watch()));
        t.after(() => this.close());
    }

    /** @param {any} t @param {{target: {port: number, ca?: string}}} place @param {PageOptions} how */
    static async open(t, place, how) {
        const page = new Page(t, place, how);
        page.connect();
        await page.untilConnected();
        return page;
    }

    connect() {
        this.socket.connect();
        this.#watch();
    }

    /** @param {any} socket */
    #listen(socket) {
        socket.on('connect', () => this.#note(this.connects, { recovered: socket.recovered, sid: socket.id }));
        socket.on('disconnect', (/** @type {string} */ reason) => this.#note(this.disconnects, { reason }));
        socket.on('connect_error', (/** @type {any} */ error) => this.#note(this.errors,
            { message: error.message, code: error.data?.code, status: error.description, active: socket.active }));
        socket.onAny((/** @type {string} */ event, /** @type {any[]} */ ...args) => {
            (event.startsWith('vigie:') ? this.own : this.events).push({ event, data: args[0], cursor: args.at(-1) });
            this.signal.changed();
        });
    }

    /** @param {any[]} list @param {any} what */
    #note(list, what) {
        list.push({ ...what, at: performance.now() });
        this.signal.changed();
    }

    /** For good; a manager of 4.0 stays connected for a namespace that was refused. */
    close() {
        this.socket.disconnect();
        this.socket.io.disconnect();
    }

    /** The engine of this attempt: each has its own. */
    #watch() {
        const { engine } = this.socket.io;
        if (engine === this.engine) return;
        this.engine = engine;
        engine.on('packetCreate', (/** @type {{type: string, data: any}} */ { type, data }) => {
            const found = type === 'message' && typeof data === 'string' && /^0(?:(\/[^,]*),)?(.*)$/.exec(data);
            if (found && (found[1] ?? '/') === this.namespace) this.asked.push(found[2] ? JSON.parse(found[2]) : {});
        });
        engine.on('upgrade', () => this.signal.changed());
    }

    get transport() {
        return this.socket.io.engine.transport.name;
    }

    /** Names of the clients whose events came. */
    get names() {
        return this.events.map((one) => one.data.name);
    }

    /** @param {() => any} probe @param {string} what */
    until(probe, what, within = 10_000) {
        return this.signal.until(probe, { within, what, state: () => this.state() });
    }

    async untilConnected(count = this.connects.length + 1, within = 10_000) {
        await this.until(() => this.connects.length >= count, `connection ${count}`, within);
        return this.connects[count - 1];
    }

    async untilDisconnected(count = this.disconnects.length + 1, within = 10_000) {
        await this.until(() => this.disconnects.length >= count, `end ${count}`, within);
        return this.disconnects[count - 1].reason;
    }

    async untilError(count = this.errors.length + 1, within = 10_000) {
        await this.until(() => this.errors.length >= count, `error ${count}`, within);
        return this.errors[count - 1];
    }

    async untilEvents(count, within = 10_000) {
        await this.until(() => this.events.length >= count, `${count} events`, within);
        return this.events;
    }

    /** Waits for an event of ours. @param {string} event */
    async untilOwn(event, within = 10_000) {
        return this.until(() => this.own.find((one) => one.event === event), event, within);
    }

    /** Asks, and waits for the acknowledgement. @param {string} event @param {any[]} args */
    ask(event, ...args) {
        return new Promise((resolve) => this.socket.emit(event, ...args, resolve));
    }

    state() {
        return { events: this.events.length, last: this.events.slice(-2), own: this.own, connects: this.connects,
                 disconnects: this.disconnects, errors: this.errors.slice(-3), asked: this.asked.length };
    }
}
