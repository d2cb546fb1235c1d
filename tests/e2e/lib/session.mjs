/** A dashboard: a session of the native protocol over the raw client. */
import assert from 'node:assert/strict';

import { OPCODE, WsClient } from './wsclient.mjs';

/** @typedef {{event: string, room: string, cursor: string, at: string, data: any, text: string, received: number}} EventSeen */

export class Session {
    /** @param {WsClient} socket */
    constructor(socket) {
        this.socket = socket;
        this.signal = socket.signal;
        /** @type {any[]} all messages, in order */
        this.messages = [];
        /** @type {string[]} the same as they were written */
        this.texts = [];
        /** @type {EventSeen[]} */
        this.events = [];
        /** @type {any[]} */
        this.gaps = [];
        /** @type {string | undefined} what a client would resume from */
        this.cursor = undefined;
        /** @type {any} */
        this.ready = null;
        this.nextId = 1;
        socket.onText = (text, frame) => this.#take(text, frame.at);
    }

    /** @param {string} text @param {number} received */
    #take(text, received) {
        const message = JSON.parse(text);
        this.messages.push(message);
        this.texts.push(text);
        if (message.cursor !== undefined) this.cursor = message.cursor;
        if (message.type === 'event') this.events.push({ ...message, text, received });
        else if (message.type === 'gap') this.gaps.push(message);
        else if (message.type === 'ready') this.ready = message;
    }

    /**
     * Connects without saying who we are.
     * @param {import('./bridge.mjs').Bridge} bridge
     * @param {{headers?: Record<string, string | string[] | null>, cutAfter?: number, localAddress?: string}} [options]
     */
    static async connect(bridge, { headers, cutAfter, localAddress } = {}) {
        return new Session(await WsClient.open({ ...bridge.target, headers, cutAfter, localAddress }));
    }

    /**
     * Connects, authenticates, and is live.
     * @param {import('./bridge.mjs').Bridge} bridge
     * @param {{token: string, cursor?: string, headers?: Record<string, string | string[] | null>,
     *         cutAfter?: number, localAddress?: string, rooms?: string[]}} options
     */
    static async open(bridge, { token, cursor, rooms = [], ...options }) {
        const session = await Session.connect(bridge, options);
        session.auth(token, cursor);
        await session.untilReady();
        for (const room of rooms) {
            const answer = await session.join(room);
            assert.equal(answer.type, 'joined', `join of ${room}: ${JSON.stringify(answer)}`);
        }
        return session;
    }

    /** @param {string} token @param {string} [cursor] */
    auth(token, cursor) {
        this.socket.send({ type: 'auth', token, ...(cursor === undefined ? {} : { cursor }) });
    }

    /** @param {{within?: number}} [options] */
    async untilReady({ within = 10_000 } = {}) {
        return this.#until(() => this.ready, within, 'ready');
    }

    /**
     * @template T
     * @param {() => T} probe @param {number} within @param {string} what
     */
    #until(probe, within, what) {
        return this.signal.until(() => {
            const value = probe();
            if (!value && (this.socket.close || this.socket.wire.ended))
                throw new Error(`session closed (${JSON.stringify(this.socket.close)}) while waiting for ${what}`);
            return value;
        }, { within, what, state: () => this.messages.slice(-5) });
    }

    /**
     * The first message that `pick` takes, from message `from` on.
     * @param {(message: any) => boolean} pick
     * @param {{from?: number, within?: number, what?: string}} [options]
     */
    async message(pick, { from = 0, within = 10_000, what = 'message' } = {}) {
        return this.#until(() => this.messages.slice(from).find(pick), within, what);
    }

    /** Waits until `count` events have come (or more). */
    /** @param {number} count @param {{within?: number}} [options] */
    async untilEvents(count, { within = 10_000 } = {}) {
        await this.#until(() => this.events.length >= count, within, `${count} events (${this.events.length} came)`);
        return this.events;
    }

    /** @param {(event: EventSeen) => boolean} pick @param {{within?: number, what?: string}} [options] */
    async event(pick, { within = 10_000, what = 'event' } = {}) {
        return this.#until(() => this.events.find(pick), within, what);
    }

    /** @param {'join' | 'leave'} type @param {string} room */
    async #ask(type, room) {
        const id = this.nextId++;
        this.socket.send({ type, room, id });
        return this.message((message) => message.id === id, { what: `answer to ${type} ${room}` });
    }

    /** @param {string} room */
    join(room) {
        return this.#ask('join', room);
    }

    /** @param {string} room */
    leave(room) {
        return this.#ask('leave', room);
    }

    /** Waits for the server's close and checks what must hold of every close. */
    async untilClose({ within = 10_000 } = {}) {
        const close = await this.socket.untilClose({ within });
        await this.socket.wire.untilEnded();
        assert.deepEqual(this.socket.framesAfterClose().map((frame) => frame.opcode), [], 'frames behind the Close frame');
        return close;
    }

    /**
     * A round trip: what the server wrote before it answered has come.
     */
    async roundTrip() {
        const pongs = () => this.socket.frames.filter((frame) => frame.opcode === OPCODE.pong).length;
        const before = pongs();
        this.socket.sendFrame({ opcode: OPCODE.ping, payload: 'x' });
        await this.#until(() => pongs() > before, 10_000, 'pong');
    }

    async bye() {
        await this.socket.bye();
    }

    destroy() {
        this.socket.destroy();
    }

    /** Everything that came over the socket, decrypted. */
    bytes() {
        return this.socket.wire.bytes();
    }
}
