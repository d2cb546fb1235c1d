/**
 * The native door of Vigie, `vigie.v1`, for a browser or anything that has a `WebSocket`.
 *
 * One client is one session: it authenticates with a fresh token on every dial, resumes after the
 * last cursor that it saw, notices a dead connection by silence, comes back with jitter, and stops
 * only where coming back cannot help. Events are handed out in order, each once.
 *
 * It keeps the cursor in memory only: who wants to survive a reload stores `client.cursor`.
 */

export const SUBPROTOCOL = 'vigie.v1';

/** How the client behaves when nothing else is said. Milliseconds. */
const DEFAULTS = Object.freeze({
  backoffMin: 500,
  backoffMax: 20_000,
  /** Open, authenticated and `ready` within this time, or dial again. */
  readyWithin: 10_000,
  /** Without a word for this many heartbeats the connection is dead, whatever the browser says. */
  silentHeartbeats: 1.6,
  heartbeat: 25_000,
  /** An outage starts its backoff anew only after this long online. */
  stableAfter: 5_000,
  rateLimitedMin: 30_000,
});

const TIMER_NAMES = /** @type {const} */ (['retry', 'ready', 'silence', 'stable']);

/** Cursors remembered to drop an event that comes twice. */
const SEEN_MAX = 512;

/** What a close code asks for; everything else is an outage. */
const CLOSE_ACTIONS = new Map(
  /** @type {[number, CloseAction][]} */ ([
    [1002, { stop: 'protocol' }],
    [1003, { stop: 'protocol' }],
    [1007, { stop: 'protocol' }],
    [1009, { stop: 'protocol' }],
    [4400, { stop: 'bad_request' }],
    [4401, { renew: 'unauthorized' }],
    [4403, { stop: 'forbidden' }],
    [4409, { stop: 'replaced' }],
    [4429, { wait: 'rate_limited' }],
    [4440, { renew: 'token_expired' }],
  ]),
);

/**
 * @typedef {{ stop?: StopReason, renew?: 'unauthorized' | 'token_expired', wait?: 'rate_limited' }} CloseAction
 * @typedef {'protocol' | 'bad_request' | 'unauthorized' | 'token_expired' | 'forbidden' | 'replaced'} StopReason
 */

/** @typedef {(typeof TIMER_NAMES)[number]} TimerName */

/**
 * - `idle`: not opened, or closed by its owner
 * - `connecting`: dialling, authenticating
 * - `online`: live; from here on nothing is missed
 * - `waiting`: the next dial is at `retryAt`
 * - `stopped`: dialling again cannot help; `reason` says why
 * @typedef {'idle' | 'connecting' | 'online' | 'waiting' | 'stopped'} Status
 *
 * @typedef {object} State
 * @property {Status} status
 * @property {number} attempt dials since the last stable connection
 * @property {number | null} retryAt when `waiting`: clock time of the next dial
 * @property {string | null} reason why it is not online: a close code's name, `silent`, `token`, …
 * @property {boolean} resumed the session that is online went on where the last one ended
 *
 * @typedef {object} VigieEvent
 * @property {string} event for example `devis:signed`
 * @property {string} room
 * @property {string} cursor opaque position
 * @property {string} at when the database made it, ISO 8601 UTC with microseconds
 * @property {any} data
 *
 * @typedef {object} Session what `ready` said
 * @property {string} session
 * @property {string} user
 * @property {string} company
 * @property {string[]} rooms
 *
 * @typedef {object} Clock
 * @property {() => number} now
 * @property {(callback: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 *
 * @typedef {object} Options
 * @property {string} url `wss://…/ws`
 * @property {() => Promise<string> | string} getToken asked before every dial and on `expiring`
 * @property {string | null} [cursor] resume after it
 * @property {(event: VigieEvent) => void} [onEvent]
 * @property {(gap: { reason: string }) => void} [onGap] something was missed: fetch anew, then go on
 * @property {(state: State) => void} [onState] the same object as long as nothing changed
 * @property {(session: Session) => void} [onReady]
 * @property {(error: unknown) => void} [onError] a callback or `getToken` threw
 * @property {new (url: string, protocol: string) => WebSocket} [WebSocket]
 * @property {Clock} [clock]
 * @property {() => number} [random]
 * @property {EventTarget | null} [network] tells `online` and `pageshow`; the window
 * @property {(EventTarget & { visibilityState?: string }) | null} [page] tells `visibilitychange`; the document
 * @property {Partial<typeof DEFAULTS>} [timing]
 */

/** What `getToken` throws when the user has to log in again: dialling stops. */
export class UnauthorizedError extends Error {}

export class VigieClient {
  #options;
  #timing;
  /** @type {Clock} */ #clock;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {State} */
  #state = Object.freeze({ status: 'idle', attempt: 0, retryAt: null, reason: null, resumed: false });
  /** @type {string | null} */ #cursor;
  /** @type {Set<string>} */ #seen = new Set();
  /** Counts dials: what an old one still says is not heard. */
  #dial = 0;
  #attempt = 0;
  /** A fresh token was tried since the last `ready`. */
  #renewed = false;
  #heartbeat = 0;
  #heardAt = 0;
  /** @type {number | null} */ #drainDelay = null;
  /** @type {Record<TimerName, any>} */
  #timers = { retry: null, ready: null, silence: null, stable: null };
  #listening = false;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#timing = { ...DEFAULTS, ...options.timing };
    this.#clock = options.clock ?? {
      now: () => Date.now(),
      setTimeout: (callback, ms) => setTimeout(callback, ms),
      clearTimeout: (timer) => clearTimeout(timer),
    };
    this.#cursor = options.cursor ?? null;
    this.#heartbeat = this.#timing.heartbeat;
  }

  get state() {
    return this.#state;
  }

  /** The position after which a new client would resume, or null when there is none yet. */
  get cursor() {
    return this.#cursor;
  }

  /** Starts, or tries again at once: after a stop, while waiting. No-op when it is online or dialling. */
  open() {
    if (this.#state.status === 'online' || this.#state.status === 'connecting') return;
    this.#listen(true);
    this.#renewed = false;
    this.#connect();
  }

  /** Ends the session and frees everything. `open()` starts anew after the same cursor. */
  close() {
    this.#listen(false);
    this.#hangUp(1000);
    this.#attempt = 0;
    this.#change({ status: 'idle' });
  }

  // ---- a dial, in the order it happens ------------------------------------------------------

  /** @param {string | null} [reason] why it dials again */
  #connect(reason = this.#state.reason) {
    this.#hangUp(1000);
    const dial = this.#dial;
    this.#attempt++;
    this.#change({ status: 'connecting', reason });
    this.#timers.ready = this.#clock.setTimeout(
      () => this.#outage('timeout'),
      this.#timing.readyWithin,
    );
    this.#authenticated(dial);
  }

  /** @param {number} dial */
  async #authenticated(dial) {
    try {
      const token = await this.#options.getToken();
      if (dial === this.#dial) this.#dialWith(token);
    } catch (error) {
      if (dial !== this.#dial) return;
      if (error instanceof UnauthorizedError) return this.#stop('unauthorized');
      this.#report(error);
      this.#outage('token');
    }
  }

  /** @param {string} token */
  #dialWith(token) {
    const Socket = this.#options.WebSocket ?? WebSocket;
    const socket = new Socket(this.#options.url, SUBPROTOCOL);
    this.#socket = socket;
    socket.onopen = () => {
      const cursor = this.#cursor === null ? {} : { cursor: this.#cursor };
      this.#send({ type: 'auth', token, ...cursor });
    };
    socket.onmessage = ({ data }) => this.#onMessage(data);
    socket.onclose = ({ code }) => this.#onClose(code);
  }

  /** @param {unknown} text */
  #onMessage(text) {
    let message;
    try {
      message = JSON.parse(/** @type {string} */ (text));
    } catch (error) {
      this.#report(error);
      this.#stop('protocol');
      return;
    }
    this.#heard();
    switch (message.type) {
      case 'ready':
        return this.#onReady(message);
      case 'event':
        return this.#onEvent(message);
      case 'gap':
        this.#cursor = message.cursor ?? null;
        return this.#call(this.#options.onGap, { reason: message.reason });
      case 'heartbeat':
        if (message.cursor) this.#cursor = message.cursor;
        return;
      case 'expiring':
        return this.#renew();
      case 'drain':
        this.#drainDelay = Number(message.retry_after_ms) || 0;
        return;
      case 'error':
        return this.#report(new Error(`vigie: ${message.code}`));
      default: // of a newer server: not for us
    }
  }

  /** @param {any} message */
  #onReady(message) {
    this.#stopTimer('ready');
    this.#renewed = false;
    if (message.heartbeat > 0) this.#heartbeat = message.heartbeat * 1000;
    this.#heard();
    // Resumed: events between our cursor and the server's may still be on their way.
    if (!message.resumed || this.#cursor === null) this.#cursor = message.cursor;
    this.#timers.stable = this.#clock.setTimeout(() => {
      this.#attempt = 0;
    }, this.#timing.stableAfter);
    this.#change({ status: 'online', resumed: Boolean(message.resumed) });
    const { session, user, company, rooms } = message;
    this.#call(this.#options.onReady, { session, user, company, rooms });
  }

  /** @param {any} message */
  #onEvent(message) {
    const { event, room, cursor, at, data } = message;
    if (this.#seen.has(cursor)) return;
    this.#seen.add(cursor);
    if (this.#seen.size > SEEN_MAX) this.#seen.delete(/** @type {any} */ (this.#seen.values().next().value));
    this.#cursor = cursor;
    this.#call(this.#options.onEvent, { event, room, cursor, at, data });
  }

  async #renew() {
    const dial = this.#dial;
    try {
      const token = await this.#options.getToken();
      if (dial === this.#dial) this.#send({ type: 'auth', token });
    } catch (error) {
      this.#report(error); // the server closes with 4440 in time, and that is handled
    }
  }

  // ---- how a connection ends ----------------------------------------------------------------

  /** @param {number} code */
  #onClose(code) {
    const action = CLOSE_ACTIONS.get(code) ?? {};
    if (action.stop) return this.#stop(action.stop);
    if (action.renew) {
      if (this.#renewed) return this.#stop(action.renew);
      this.#renewed = true;
      return this.#connect(action.renew);
    }
    const least = action.wait ? this.#timing.rateLimitedMin : 0;
    this.#outage(action.wait ?? `close_${code}`, least);
  }

  /**
   * Comes back later: when the server said so, else with full jitter.
   * @param {string} reason
   * @param {number} [least]
   */
  #outage(reason, least = 0) {
    const delay = this.#drainDelay ?? least + this.#backoff();
    this.#hangUp(4000);
    this.#change({ status: 'waiting', reason, retryAt: this.#clock.now() + delay });
    this.#timers.retry = this.#clock.setTimeout(() => this.#connect(), delay);
  }

  /** Even the first one after a good connection is spread: a whole company lost it together. */
  #backoff() {
    const { backoffMin, backoffMax } = this.#timing;
    const doublings = Math.min(Math.max(this.#attempt, 1), 16);
    const ceiling = Math.min(backoffMax, backoffMin * 2 ** doublings);
    return backoffMin + (this.#options.random ?? Math.random)() * (ceiling - backoffMin);
  }

  /** @param {StopReason} reason */
  #stop(reason) {
    this.#hangUp(1000);
    this.#change({ status: 'stopped', reason });
  }

  /**
   * Lets go of the socket without waiting for it: the close of a dead one takes the browser minutes.
   * @param {number} code
   */
  #hangUp(code) {
    this.#dial++;
    this.#drainDelay = null;
    for (const name of TIMER_NAMES) this.#stopTimer(name);
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  // ---- is it alive? -------------------------------------------------------------------------

  #heard() {
    this.#heardAt = this.#clock.now();
    this.#stopTimer('silence');
    this.#timers.silence = this.#clock.setTimeout(() => this.#outage('silent'), this.#patience());
  }

  #patience() {
    return this.#heartbeat * this.#timing.silentHeartbeats;
  }

  /** The page woke or the network came back: a socket may say OPEN and be dead. */
  #wake = () => {
    if (this.#options.page?.visibilityState === 'hidden') return;
    if (this.#state.status === 'waiting') this.#connect();
    else if (this.#state.status === 'online' && this.#clock.now() - this.#heardAt > this.#patience())
      this.#connect();
  };

  /** @param {boolean} on */
  #listen(on) {
    if (on === this.#listening) return;
    this.#listening = on;
    const change = on ? 'addEventListener' : 'removeEventListener';
    this.#options.network?.[change]('online', this.#wake);
    this.#options.network?.[change]('pageshow', this.#wake);
    this.#options.page?.[change]('visibilitychange', this.#wake);
  }

  // ---- small things -------------------------------------------------------------------------

  /** @param {object} message */
  #send(message) {
    this.#socket?.send(JSON.stringify(message));
  }

  /** @param {TimerName} name */
  #stopTimer(name) {
    if (this.#timers[name] !== null) this.#clock.clearTimeout(this.#timers[name]);
    this.#timers[name] = null;
  }

  /** @param {Partial<State> & { status: Status }} change */
  #change(change) {
    const next = { attempt: this.#attempt, retryAt: null, reason: null, resumed: false, ...change };
    this.#state = Object.freeze(next);
    this.#call(this.#options.onState, this.#state);
  }

  /**
   * A callback that throws harms neither the connection nor the next event.
   * @template T
   * @param {((value: T) => void) | undefined} callback
   * @param {T} value
   */
  #call(callback, value) {
    try {
      callback?.(value);
    } catch (error) {
      this.#report(error);
    }
  }

  /** @param {unknown} error */
  #report(error) {
    if (this.#options.onError) this.#options.onError(error);
    else console.error(error);
  }
}
