/**
 * A dashboard as a good client library is: it loses its connection, comes back with its cursor, and
 * remembers what it saw. The tests compare that with what the database holds.
 */
import { Session } from './session.mjs';
import { Signal } from './wait.mjs';

const RETRY_MS = 20;

export class Follower {
    /** @param {{bridge: () => import('./bridge.mjs').Bridge, token: () => string, rooms?: string[]}} options */
    constructor({ bridge, token }) {
        this.bridge = bridge;
        this.token = token;
        this.signal = new Signal();
        /** @type {import('./session.mjs').EventSeen[]} */
        this.events = [];
        /** @type {any[]} */
        this.gaps = [];
        /** @type {(number | undefined)[]} close codes, in order */
        this.closes = [];
        this.connections = 0;
        this.refused = 0;
        /** @type {string | undefined} */
        this.cursor = undefined;
        /** @type {Session | null} */
        this.session = null;
        this.stopped = false;
        /** Asked for each new connection: after how many bytes is it to be cut? */
        this.cutAfter = () => Infinity;
        /** @type {Promise<void> | null} */
        this.running = null;
    }

    /** Connects for the first time; resolves when the first `ready` came. */
    async start() {
        this.running = this.#run();
        await this.signal.until(() => this.cursor !== undefined, { what: 'first ready' });
        return this;
    }

    async #run() {
        while (!this.stopped) {
            try {
                await this.#follow();
            } catch (error) {
                this.refused++;
                this.lastError = error;
            }
            if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
    }

    async #follow() {
        const session = await Session.connect(this.bridge(), { cutAfter: this.cutAfter() });
        this.session = session;
        let taken = 0;
        session.auth(this.token(), this.cursor);
        await session.signal.until(() => {
            for (; taken < session.messages.length; taken++) this.#take(session.messages[taken]);
            return session.socket.close || session.socket.wire.ended || this.stopped;
        }, { within: 600_000, what: 'end of a followed session' });
        this.closes.push(session.socket.close?.code);
        this.session = null;
        session.destroy();
    }

    /** @param {any} message */
    #take(message) {
        if (message.cursor !== undefined) this.cursor = message.cursor;
        if (message.type === 'ready') this.connections++;
        if (message.type === 'gap') this.gaps.push(message);
        if (message.type === 'event') this.events.push(message);
        this.signal.changed();
    }

    names() {
        return this.events.map((event) => event.data.name);
    }

    /** @param {number} count @param {{within?: number}} [options] */
    async untilEvents(count, { within = 20_000 } = {}) {
        await this.signal.until(() => this.events.length >= count,
            { within, what: `${count} events`, state: () => ({ events: this.events.length, closes: this.closes, refused: String(this.lastError) }) });
    }

    /** Loses the connection as a lorry in a tunnel does. */
    cut() {
        this.session?.destroy();
    }

    async stop() {
        this.stopped = true;
        this.session?.destroy();
        this.session?.signal.changed();
        await this.running;
    }
}
