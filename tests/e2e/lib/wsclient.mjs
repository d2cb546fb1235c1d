/**
 * A WebSocket client (RFC 6455) that hides nothing: every header and every bit of a frame is the
 * test's to choose, and every byte that comes out of TLS is kept.
 */
import crypto from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';

import { Signal } from './wait.mjs';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const HANDSHAKE_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The server answered the upgrade with something else than 101. */
export class HandshakeRefused extends Error {
    /** @param {{status: number, headers: Map<string, string>, text: string}} answer */
    constructor(answer) {
        super(`upgrade refused with ${answer.status}`);
        this.status = answer.status;
        this.headers = answer.headers;
        this.text = answer.text;
    }
}

/**
 * @typedef {object} Target
 * @property {number} port
 * @property {string} [host]
 * @property {string | Buffer} [ca] certificate to trust; absent: plain TCP
 * @property {string} [localAddress] loopback address to come from
 */

/**
 * One connection with everything that came over it.
 */
export class Wire {
    /** @param {net.Socket} socket */
    constructor(socket) {
        this.socket = socket;
        this.signal = new Signal();
        /** @type {Buffer[]} */
        this.chunks = [];
        this.received = 0;
        this.ended = false;
        /** @type {Error | null} */
        this.error = null;
        /** @type {(chunk: Buffer) => void} */
        this.onData = () => {};
        /** Destroy the socket as soon as this many bytes have come. */
        this.cutAfter = Infinity;
        socket.on('data', (chunk) => this.#take(chunk));
        socket.on('error', (error) => {
            this.error = error;
            this.#end();
        });
        socket.on('end', () => this.#end());
        socket.on('close', () => this.#end());
    }

    /** @param {Buffer} chunk */
    #take(chunk) {
        if (this.received >= this.cutAfter) return;
        const cut = this.received + chunk.length > this.cutAfter;
        if (cut) chunk = chunk.subarray(0, this.cutAfter - this.received);
        this.chunks.push(chunk);
        this.received += chunk.length;
        this.onData(chunk);
        if (this.received >= this.cutAfter) this.socket.destroy();
        this.signal.changed();
    }

    #end() {
        this.ended = true;
        this.signal.changed();
    }

    /** Everything that came, decrypted. */
    bytes() {
        if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
        return this.chunks[0] ?? Buffer.alloc(0);
    }

    /** @param {string | Buffer} data */
    write(data) {
        if (!this.socket.destroyed) this.socket.write(data);
    }

    /** Waits until the other side has closed the connection. */
    async untilEnded({ within = 10_000 } = {}) {
        await this.signal.until(() => this.ended, { within, what: 'end of the connection' });
    }

    destroy() {
        this.socket.destroy();
    }
}

/**
 * Opens a connection, TLS when there is a certificate to trust.
 * @param {Target & {alpn?: string[], within?: number}} target
 * @returns {Promise<Wire>}
 */
export function dial({ host = '127.0.0.1', port, ca, alpn, localAddress, within = 10_000 }) {
    return new Promise((resolve, reject) => {
        const connected = () => {
            clearTimeout(timer);
            socket.off('error', failed);
            resolve(new Wire(socket));
        };
        const socket = ca
            ? tls.connect({ socket: net.connect({ host, port, localAddress, noDelay: true }),
                            ca, servername: 'localhost', ALPNProtocols: alpn }, connected)
            : net.connect({ host, port, localAddress, noDelay: true }, connected);
        const failed = (/** @type {Error} */ error) => {
            clearTimeout(timer);
            reject(error);
        };
        socket.on('error', failed);
        socket.once('close', () => failed(new Error('connection closed while it was being opened')));
        const timer = setTimeout(() => {
            socket.destroy();
            failed(new Error(`no connection within ${within} ms`));
        }, within);
    });
}

/**
 * Sends bytes as they are and returns what came back until the other side closed.
 * @param {Target} target
 * @param {string | Buffer} data
 * @returns {Promise<{text: string, status: number, ms: number}>}
 */
export async function exchange(target, data, { within = 10_000 } = {}) {
    const wire = await dial(target);
    const started = performance.now();
    wire.write(data);
    try {
        await wire.untilEnded({ within });
    } finally {
        wire.destroy();
    }
    const text = wire.bytes().toString('latin1');
    return { text, status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), ms: performance.now() - started };
}

/**
 * The text of an upgrade request. A header given as null is left out, as a list is sent that often.
 * @param {{method?: string, path?: string, headers?: Record<string, string | string[] | null>}} options
 */
export function upgradeRequest({ method = 'GET', path = '/ws', headers = {} } = {}) {
    /** @type {Record<string, string | string[] | null>} */
    const all = {
        Host: 'localhost',
        Upgrade: 'websocket',
        Connection: 'Upgrade',
        'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64'),
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Protocol': 'vigie.v1',
        ...headers,
    };
    const lines = [`${method} ${path} HTTP/1.1`];
    for (const [name, value] of Object.entries(all)) {
        if (value === null) continue;
        for (const one of [value].flat()) lines.push(`${name}: ${one}`);
    }
    return `${lines.join('\r\n')}\r\n\r\n`;
}

/** @param {Buffer} head */
function parseHead(head) {
    const [first, ...rest] = head.toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1]);
    if (!status) throw new Error(`not an HTTP answer: ${first.slice(0, 80)}`);
    /** @type {Map<string, string>} */
    const headers = new Map();
    for (const line of rest) {
        const colon = line.indexOf(':');
        if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    return { status, headers };
}

/**
 * @typedef {object} FrameSent
 * @property {number} [opcode]
 * @property {boolean} [fin]
 * @property {number} [rsv] three bits, 4 = RSV1
 * @property {boolean} [mask]
 * @property {string | Buffer} [payload]
 * @property {bigint | number} [length] announced instead of the true one
 */

/**
 * The bytes of one frame of a client.
 * @param {FrameSent} frame
 */
export function encodeFrame({ opcode = OPCODE.text, fin = true, rsv = 0, mask = true, payload = '', length }) {
    const body = Buffer.from(/** @type {Buffer} */ (payload));
    const announced = BigInt(length ?? body.length);
    const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
    const bit = mask ? 0x80 : 0;
    if (announced < 126n) {
        head.push(bit | Number(announced));
    } else if (announced < 65536n) {
        head.push(bit | 126, Number(announced >> 8n), Number(announced & 255n));
    } else {
        head.push(bit | 127);
        for (let shift = 56n; shift >= 0n; shift -= 8n) head.push(Number((announced >> shift) & 255n));
    }
    if (!mask) return Buffer.concat([Buffer.from(head), body]);
    const key = crypto.randomBytes(4);
    for (let i = 0; i < body.length; i++) body[i] ^= key[i & 3];
    return Buffer.concat([Buffer.from(head), key, body]);
}

/**
 * @typedef {object} FrameReceived
 * @property {number} opcode
 * @property {boolean} fin
 * @property {number} rsv
 * @property {boolean} masked
 * @property {Buffer} payload
 * @property {number} at performance.now() when its last byte was read
 */

/** An open WebSocket. */
export class WsClient {
    /**
     * @param {Wire} wire
     * @param {Map<string, string>} headers
     * @param {Buffer} rest what came behind the answer to the upgrade
     */
    constructor(wire, headers, rest) {
        this.wire = wire;
        this.signal = wire.signal;
        this.headers = headers;
        /** @type {FrameReceived[]} */
        this.frames = [];
        /** @type {{code: number, reason: string} | null} */
        this.close = null;
        /** @type {(text: string, frame: FrameReceived) => void} */
        this.onText = () => {};
        this.answerPings = true;
        this.saidBye = false;
        /** @type {Buffer} */
        this.pending = Buffer.alloc(0);
        /** @type {Buffer[]} */
        this.fragments = [];
        wire.onData = (chunk) => this.#feed(chunk);
        this.#feed(rest);
    }

    /**
     * Connects and upgrades; throws HandshakeRefused for any other answer than 101.
     * @param {Target & {path?: string, headers?: Record<string, string | string[] | null>,
     *         within?: number, cutAfter?: number}} options
     */
    static async open({ path, headers, within = 10_000, cutAfter = Infinity, ...target }) {
        const wire = await dial({ ...target, within });
        const request = upgradeRequest({ path, headers });
        wire.write(request);
        const end = await wire.signal.until(
            () => wire.bytes().indexOf('\r\n\r\n') + 1 || (wire.ended && -1),
            { within, what: 'answer to the upgrade' },
        );
        if (end === -1) throw new Error('connection closed without an answer to the upgrade');
        const bytes = wire.bytes();
        const answer = parseHead(bytes.subarray(0, end - 1));
        if (answer.status !== 101) {
            await wire.untilEnded({ within }).catch(() => {});
            wire.destroy();
            throw new HandshakeRefused({ ...answer, text: wire.bytes().toString('latin1') });
        }
        const key = /Sec-WebSocket-Key: (\S+)/.exec(request)?.[1] ?? '';
        const accept = crypto.createHash('sha1').update(key + HANDSHAKE_GUID).digest('base64');
        if (answer.headers.get('sec-websocket-accept') !== accept)
            throw new Error('wrong Sec-WebSocket-Accept');
        wire.cutAfter = wire.received + cutAfter;
        return new WsClient(wire, answer.headers, bytes.subarray(end + 3));
    }

    /** @param {Buffer} chunk */
    #feed(chunk) {
        this.pending = this.pending.length ? Buffer.concat([this.pending, chunk]) : chunk;
        for (;;) {
            const frame = this.#parse();
            if (!frame) return;
            this.frames.push(frame);
            this.#handle(frame);
        }
    }

    /** @returns {FrameReceived | null} */
    #parse() {
        const data = this.pending;
        if (data.length < 2) return null;
        let at = 2;
        let length = data[1] & 0x7f;
        if (length === 126) {
            if (data.length < 4) return null;
            length = data.readUInt16BE(2);
            at = 4;
        } else if (length === 127) {
            if (data.length < 10) return null;
            length = Number(data.readBigUInt64BE(2));
            at = 10;
        }
        const masked = (data[1] & 0x80) !== 0;
        if (masked) at += 4;
        if (data.length < at + length) return null;
        this.pending = data.subarray(at + length);
        return { opcode: data[0] & 15, fin: (data[0] & 0x80) !== 0, rsv: (data[0] >> 4) & 7, masked,
                 payload: data.subarray(at, at + length), at: performance.now() };
    }

    /** @param {FrameReceived} frame */
    #handle(frame) {
        if (frame.opcode === OPCODE.close) {
            if (this.close) return;
            this.close = frame.payload.length < 2
                ? { code: 1005, reason: '' }
                : { code: frame.payload.readUInt16BE(0), reason: frame.payload.subarray(2).toString('utf8') };
            // As a browser does: the code comes back.
            if (!this.saidBye) this.sendFrame({ opcode: OPCODE.close, payload: frame.payload.subarray(0, 2) });
        } else if (frame.opcode === OPCODE.ping) {
            if (this.answerPings) this.sendFrame({ opcode: OPCODE.pong, payload: frame.payload });
        } else if (frame.opcode === OPCODE.text || frame.opcode === OPCODE.continuation) {
            this.fragments.push(frame.payload);
            if (!frame.fin) return;
            const text = Buffer.concat(this.fragments).toString('utf8');
            this.fragments = [];
            this.onText(text, frame);
        }
    }

    /** @param {FrameSent} frame */
    sendFrame(frame) {
        this.wire.write(encodeFrame(frame));
    }

    /** @param {unknown} message */
    send(message) {
        this.sendFrame({ payload: typeof message === 'string' ? message : JSON.stringify(message) });
    }

    /** Frames that came behind a Close frame: there must be none. */
    framesAfterClose() {
        const close = this.frames.findIndex((frame) => frame.opcode === OPCODE.close);
        return close < 0 ? [] : this.frames.slice(close + 1);
    }

    /** Waits for the server's Close frame and returns it. */
    async untilClose({ within = 10_000 } = {}) {
        return this.signal.until(() => this.close ?? (this.wire.ended && { code: 1006, reason: '' }), {
            within,
            what: 'Close frame',
            state: () => this.frames.slice(-3).map((frame) => frame.payload.toString('utf8')),
        });
    }

    /** Closes as a browser does, and waits for the answer. */
    async bye({ code = 1000, within = 10_000 } = {}) {
        if (this.wire.ended) return;
        this.saidBye = true;
        const payload = Buffer.alloc(2);
        payload.writeUInt16BE(code);
        this.sendFrame({ opcode: OPCODE.close, payload });
        await this.signal.until(() => this.close || this.wire.ended, { within, what: 'answer to our Close' });
        this.wire.destroy();
    }

    /** Stops reading, so that the peer meets a full socket. */
    pause() {
        this.wire.socket.pause();
    }

    resume() {
        this.wire.socket.resume();
    }

    destroy() {
        this.wire.destroy();
    }
}
