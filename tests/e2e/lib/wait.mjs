/** Waiting for conditions, always with a deadline, never for time to pass. */

/** Something that changes; whoever waits for it is told at once. */
export class Signal {
    #checks = new Set();

    /** Tells everybody who waits that something changed. */
    changed() {
        for (const check of [...this.#checks]) check();
    }

    /**
     * The first truthy value of `probe`, asked now and after each change.
     * @template T
     * @param {() => T} probe
     * @param {{within?: number, what: string, state?: () => unknown}} options
     * @returns {Promise<NonNullable<T>>}
     */
    until(probe, { within = 10_000, what, state }) {
        return new Promise((resolve, reject) => {
            const started = new Error(`no ${what} within ${within} ms`);
            const done = () => {
                clearTimeout(timer);
                this.#checks.delete(check);
            };
            const check = () => {
                try {
                    const value = probe();
                    if (!value) return;
                    done();
                    resolve(/** @type {NonNullable<T>} */ (value));
                } catch (error) {
                    done();
                    reject(error);
                }
            };
            const timer = setTimeout(() => {
                done();
                if (state) started.message += `; it was: ${describe(state())}`;
                reject(started);
            }, within);
            this.#checks.add(check);
            check();
        });
    }
}

/**
 * The first truthy value of an asynchronous `probe` of something that cannot tell when it changes
 * (a page of metrics, a query).
 * @template T
 * @param {() => Promise<T> | T} probe
 * @param {{within?: number, every?: number, what: string}} options
 * @returns {Promise<NonNullable<T>>}
 */
export async function poll(probe, { within = 10_000, every = 20, what }) {
    const deadline = performance.now() + within;
    let last;
    for (;;) {
        last = await probe();
        if (last) return last;
        if (performance.now() > deadline) throw new Error(`no ${what} within ${within} ms`);
        await new Promise((resolve) => setTimeout(resolve, every));
    }
}

/** @param {unknown} value */
function describe(value) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return text && text.length > 2000 ? `${text.slice(0, 1000)} … ${text.slice(-1000)}` : text;
}
