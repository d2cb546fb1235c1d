/** A clock that only goes on when told, and a WebSocket whose other end is the test. */

export class FakeClock {
  #now = 1_000_000;
  /** @type {Map<number, { at: number, callback: () => void }>} */
  #timers = new Map();
  #next = 1;

  now = () => this.#now;

  /** @param {() => void} callback @param {number} ms */
  setTimeout = (callback, ms) => {
    this.#timers.set(this.#next, { at: this.#now + ms, callback });
    return this.#next++;
  };

  /** @param {number} timer */
  clearTimeout = (timer) => {
    this.#timers.delete(timer);
  };

  get pending() {
    return this.#timers.size;
  }

  /** Lets `ms` pass; timers fire in their order, promises settle in between. @param {number} ms */
  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [id, { at, callback }] = due;
      this.#timers.delete(id);
      this.#now = at;
      callback();
    }
    this.#now = end;
    await settled();
  }
}

/** All promises that are ready have run. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Every socket that was dialled, in order. */
export function fakeNetwork() {
  /** @type {FakeSocket[]} */
  const sockets = [];

  class FakeSocket {
    /** @type {any[]} */ sent = [];
    /** @type {number | null} */ closedWith = null;
    /** @type {(() => void) | null} */ onopen = null;
    /** @type {((message: { data: string }) => void) | null} */ onmessage = null;
    /** @type {((close: { code: number }) => void) | null} */ onclose = null;

    /** @param {string} url @param {string} protocol */
    constructor(url, protocol) {
      this.url = url;
      this.protocol = protocol;
      sockets.push(this);
    }

    /** @param {string} text */
    send(text) {
      this.sent.push(JSON.parse(text));
    }

    /** @param {number} code */
    close(code) {
      this.closedWith = code;
    }

    // what the server does

    accept() {
      this.onopen?.();
    }

    /** @param {object | string} message */
    says(message) {
      this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
    }

    /** @param {number} code */
    hangsUp(code) {
      this.onclose?.({ code });
    }
  }

  return {
    sockets,
    WebSocket: /** @type {any} */ (FakeSocket),
    get last() {
      return sockets[sockets.length - 1];
    },
  };
}
