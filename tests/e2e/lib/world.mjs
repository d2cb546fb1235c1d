/** What a test file stands on: one cluster for the file, a database and bridges for each test. */
import { after, before } from 'node:test';

import { Bridge } from './bridge.mjs';
import { Cluster } from './cluster.mjs';
import { Issuer, makeKey } from './tokens.mjs';

const FILE_DEADLINE_MS = 280_000;

// A test that waits for ever would hold up all others; what it started dies with us.
setTimeout(() => {
    console.error(`not finished after ${FILE_DEADLINE_MS / 1000} s`);
    process.exit(1);
}, FILE_DEADLINE_MS).unref();

/** What is to be undone, in the opposite order, each whatever becomes of the others. */
export class Scope {
    /** @type {(() => unknown)[]} */
    #ends = [];

    /** @param {() => unknown} end */
    after(end) {
        this.#ends.push(end);
    }

    async end() {
        /** @type {unknown[]} */
        const errors = [];
        for (let end = this.#ends.pop(); end; end = this.#ends.pop()) {
            try {
                await end();
            } catch (error) {
                errors.push(error);
            }
        }
        if (errors.length) throw errors[0];
    }
}

/** @type {WeakMap<object, Scope>} */
const scopes = new WeakMap();

/** The scope of a test; node:test would undo in the order of doing. @param {any} t */
function scopeOf(t) {
    if (t instanceof Scope) return t;
    let scope = scopes.get(t);
    if (!scope) {
        const made = new Scope();
        scopes.set(t, (scope = made));
        t.after(() => made.end());
    }
    return scope;
}

export class World {
    /** Registers the cluster's start and end with the test file. */
    constructor() {
        /** @type {Cluster} */
        this.cluster = /** @type {any} */ (null);
        this.issuer = new Issuer({ name: 'main', key: makeKey('HS256') });
        /** What all tests of the file share. */
        this.scope = new Scope();
        before(async () => {
            this.cluster = await Cluster.start();
            this.scope.after(() => this.cluster.destroy());
        });
        after(() => this.scope.end());
    }

    /** A database of its own for this test. @param {any} t */
    async database(t) {
        const database = await this.cluster.database();
        scopeOf(t).after(() => database.drop());
        return database;
    }

    /**
     * A bridge that is stopped, and judged, at the end of this test.
     * @param {any} t
     * @param {import('./bridge.mjs').BridgeOptions} options
     */
    async bridge(t, options) {
        const bridge = new Bridge({ issuers: [this.issuer], ...options });
        scopeOf(t).after(() => bridge.stop());
        await bridge.spawn({ awaitReady: options.awaitReady });
        return bridge;
    }

    /** Both, and a business service. @param {any} t @param {import('./bridge.mjs').BridgeOptions} [options] */
    async enter(t, options = {}) {
        const database = await this.database(t);
        const bridge = await this.bridge(t, { database, ...options });
        return { database, bridge, business: await database.connect('business') };
    }

    /** @param {{company: string, user?: string, role?: unknown, ttl?: number}} who */
    token({ user = 'u1', ...who }) {
        return this.issuer.mint({ user, ...who });
    }
}
