/** Engine.IO by hand: requests and sockets as they are on the wire, without a client that would hide them. */
import http from 'node:http';
import https from 'node:https';

import { WebSocket } from 'ws';

import { Signal } from './wait.mjs';

/** @typedef {{status: number, body: string, headers: http.IncomingHttpHeaders}} Answer */

export class EngineServer {
    /** @param {{port: number, tls?: boolean, path?: string, headers?: Record<string, string>}} options */
    constructor({ port, tls = false, path = '/socket.io/', headers = {} }) {
        this.port = port;
        this.tls = tls;
        this.path = path;
        this.headers = headers;
        this.agent = new (tls ? https : http).Agent({ keepAlive: true, maxSockets: 1000, rejectUnauthorized: false });
    }

    /** @param {Record<string, string | undefined>} query */
    #target(query) {
        const entries = Object.entries(query).filter(([, value]) => value !== undefined);
        const text = new URLSearchParams(/** @type {any} */ (entries)).toString();
        return `${this.path}${text ? `?${text}` : ''}`;
    }

    /**
     * One request. `abort` of the promise cuts its connection.
     * @param {string} method
     * @param {Record<string, string | undefined>} query
     * @param {{body?: string | Buffer, headers?: Record<string, string>, agent?: http.Agent}} [options]
     * @returns {Promise<Answer> & {abort: () => void, sent: Promise<void>}}
     */
    request(method, query, { body, headers = {}, agent = this.agent } = {}) {
        /** @type {http.ClientRequest} */
        let request;
        const answer = new Promise((resolve, reject) => {
            request = (this.tls ? https : http).request({
                host: '127.0.0.1', port: this.port, method, agent, path: this.#target(query),
                headers: { ...this.headers, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers },
                rejectUnauthorized: false, ...(this.tls ? { servername: 'localhost' } : {}),
            }, (response) => {
                /** @type {Buffer[]} */
                const parts = [];
                response.on('data', (part) => parts.push(part)).on('error', reject)
                    .on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(parts).toString('utf8'), headers: response.headers }));
            });
            request.on('error', reject);
            request.end(body);
        });
        answer.catch(() => {}); // whoever awaits it sees it; an aborted one nobody may await
        const sent = new Promise((resolve) => request.once('finish', resolve));
        return /** @type {any} */ (Object.assign(answer, { abort: () => request.destroy(), sent }));
    }

    /** Waits until what `held` asks has been read: what was sent before is read before. @param {{sent: Promise<void>}} held */
    async arrived(held) {
        await held.sent;
        await this.barrier();
    }

    /** One question answered: all that the kernel had before it was seen. */
    async barrier() {
        await this.request('OPTIONS', {});
    }

    /** @param {string} sid */
    poll(sid) {
        return this.request('GET', { EIO: '4', transport: 'polling', sid });
    }

    /** @param {string} sid @param {string | Buffer} body @param {Record<string, string>} [headers] */
    post(sid, body, headers = { 'content-type': 'text/plain;charset=UTF-8' }) {
        return this.request('POST', { EIO: '4', transport: 'polling', sid }, { body, headers });
    }

    /** A polling session. @returns {Promise<any>} what the open packet says */
    async handshake() {
        const { status, body } = await this.request('GET', { EIO: '4', transport: 'polling' });
        if (status !== 200) throw new Error(`handshake: ${status} ${body}`);
        return JSON.parse(body.slice(1));
    }

    /** @param {Record<string, string | undefined>} [query] @param {Record<string, string>} [headers] */
    socket(query = { EIO: '4', transport: 'websocket' }, headers = {}) {
        return new EngineSocket(new WebSocket(`${this.tls ? 'wss' : 'ws'}://127.0.0.1:${this.port}${this.#target(query)}`,
            { rejectUnauthorized: false, headers: { ...this.headers, ...headers } }));
    }

    close() {
        this.agent.destroy();
    }
}

/** A WebSocket whose messages are taken one by one. */
export class EngineSocket {
    /** @param {WebSocket} socket */
    constructor(socket) {
        this.socket = socket;
        this.signal = new Signal();
        /** @type {(string | Buffer)[]} */
        this.messages = [];
        this.taken = 0;
        /** @type {{code: number, reason: string} | null} */
        this.closed = null;
        this.status = 0;
        socket.on('message', (data, binary) => {
            this.messages.push(binary ? /** @type {Buffer} */ (data) : data.toString());
            this.signal.changed();
        });
        socket.on('unexpected-response', (_request, response) => {
            this.status = response.statusCode ?? 0;
            response.resume();
            socket.terminate();
        });
        socket.on('close', (code, reason) => {
            this.closed = { code, reason: reason.toString() };
            this.signal.changed();
        });
        socket.on('error', () => {});
    }

    /** The next message. @param {{within?: number}} [options] */
    async next({ within = 5_000 } = {}) {
        await this.signal.until(() => this.messages.length > this.taken || this.closed,
            { within, what: 'a message', state: () => this.messages.slice(-3) });
        if (this.messages.length <= this.taken) throw new Error(`closed (${JSON.stringify(this.closed)}) while a message was awaited`);
        return this.messages[this.taken++];
    }

    /** @param {{within?: number}} [options] */
    async untilClosed({ within = 5_000 } = {}) {
        return this.signal.until(() => this.closed, { within, what: 'the end of the socket', state: () => this.messages.slice(-3) });
    }

    /** @param {string | Buffer} data */
    send(data) {
        this.socket.send(data);
    }

    end() {
        this.socket.terminate();
    }
}
