/**
 * Many dashboards in one process: connects, says who it is, counts what comes, answers pings. As little
 * as a client can do, so that the bridge is what is measured. Driven by bench/sessions.mjs over IPC.
 */
import crypto from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';

import { Issuer } from '../tests/e2e/lib/tokens.mjs';
import { OPCODE, encodeFrame, upgradeRequest } from '../tests/e2e/lib/wsclient.mjs';

const AT_ONCE = 64; // handshakes under way
const EVENT = Buffer.from('{"type":"ev');
const READY = Buffer.from('{"type":"re');

/** @type {Member[]} */
const members = [];
/** Events that came to all members together. */
let delivered = 0;
/** @type {{total: number} | null} what the driver waits for */
let awaited = null;

function tellWhenReached() {
    if (!awaited || delivered < awaited.total) return;
    awaited = null;
    process.send?.({ did: 'reached', delivered });
}

/** @param {Buffer} data @param {number} at @param {Buffer} start */
const begins = (data, at, start) => data.compare(start, 0, start.length, at, at + start.length) === 0;

class Member {
    /** @param {net.Socket} socket @param {string} token */
    constructor(socket, token) {
        this.socket = socket;
        this.token = token;
        this.upgraded = false;
        this.leaving = false;
        /** @type {Buffer | null} */
        this.rest = null;
        /** @type {(error?: Error) => void} */
        this.settle = () => {};
        socket.on('data', (chunk) => this.#take(chunk));
        socket.on('error', (error) => this.#lost(error));
        socket.on('close', () => this.#lost(new Error('a session was closed')));
        socket.write(upgradeRequest());
    }

    /** @param {Error} error */
    #lost(error) {
        this.settle(error);
        if (this.leaving) return;
        process.send?.({ did: 'failed', why: error.message });
        this.leaving = true;
    }

    /** @param {Buffer} chunk */
    #take(chunk) {
        let data = this.rest ? Buffer.concat([this.rest, chunk]) : chunk;
        this.rest = null;
        if (!this.upgraded) {
            const end = data.indexOf('\r\n\r\n');
            if (end < 0) {
                this.rest = data;
                return;
            }
            if (!data.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
                this.#lost(new Error(data.subarray(0, 40).toString('latin1')));
                return;
            }
            this.upgraded = true;
            this.socket.write(encodeFrame({ payload: JSON.stringify({ type: 'auth', token: this.token }) }));
            this.token = '';
            data = data.subarray(end + 4);
        }
        const used = this.#frames(data);
        if (used < data.length) this.rest = data.subarray(used);
        tellWhenReached();
    }

    /** Handles whole frames; returns how many bytes they were. @param {Buffer} data */
    #frames(data) {
        let at = 0;
        while (at + 2 <= data.length) {
            let head = 2;
            let length = data[at + 1] & 0x7f;
            if (length === 126) {
                if (at + 4 > data.length) break;
                length = data.readUInt16BE(at + 2);
                head = 4;
            } else if (length === 127) {
                throw new Error('no frame of ours is that long');
            }
            if (at + head + length > data.length) break;
            this.#frame(data, data[at] & 15, at + head, length);
            at += head + length;
        }
        return at;
    }

    /** @param {Buffer} data @param {number} opcode @param {number} at @param {number} length */
    #frame(data, opcode, at, length) {
        if (opcode === OPCODE.ping) {
            this.socket.write(encodeFrame({ opcode: OPCODE.pong, payload: data.subarray(at, at + length) }));
        } else if (opcode === OPCODE.close) {
            this.#lost(new Error(`closed: ${data.subarray(at + 2, at + length)}`));
        } else if (begins(data, at, EVENT)) {
            delivered++;
        } else if (begins(data, at, READY)) {
            this.settle();
        }
    }

    leave() {
        this.leaving = true;
        return new Promise((resolve) => {
            this.socket.once('close', resolve);
            this.socket.end(encodeFrame({ opcode: OPCODE.close, payload: Buffer.from([3, 232]) }));
        });
    }
}

/** @param {{port: number, ca: string | null}} target @returns {() => Promise<net.Socket>} */
function dialler({ port, ca }) {
    const secureContext = ca ? tls.createSecureContext({ ca }) : undefined;
    return () => new Promise((resolve, reject) => {
        const plain = net.connect({ host: '127.0.0.1', port, noDelay: true });
        const socket = ca ? tls.connect({ socket: plain, secureContext, servername: 'localhost' }) : plain;
        socket.once('error', reject);
        socket.once(ca ? 'secureConnect' : 'connect', () => {
            socket.off('error', reject);
            resolve(socket);
        });
    });
}

/**
 * @param {{target: {port: number, ca: string | null}, issuer: {name: string, secret: string},
 *         who: {company: string, user: string}[]}} order
 */
async function connect({ target, issuer: { name, secret }, who }) {
    const issuer = new Issuer({ name, key: { alg: 'HS256', sign: crypto.createSecretKey(secret, 'base64'), file: '' } });
    const dial = dialler(target);
    let next = 0;
    const series = async () => {
        while (next < who.length) {
            const token = issuer.mint({ ...who[next++], ttl: 7200 });
            const member = new Member(await dial(), token);
            await new Promise((resolve, reject) => (member.settle = (error) => (error ? reject(error) : resolve(null))));
            members.push(member);
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, series));
}

async function leave() {
    await Promise.all(members.splice(0).map((member) => member.leave()));
}

process.on('message', async (/** @type {any} */ order) => {
    try {
        if (order.do === 'until') {
            awaited = order;
            tellWhenReached();
            return;
        }
        if (order.do === 'connect') await connect(order);
        if (order.do === 'leave') await leave();
        process.send?.({ did: order.do });
    } catch (error) {
        process.send?.({ did: 'failed', why: /** @type {Error} */ (error).message });
    }
});
process.on('disconnect', () => process.exit(0));
