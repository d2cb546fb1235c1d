/**
 * A page of its own process, for what would end ours: the listener throws at the event whose name is
 * given. Arguments: URL, CA file, token file, that name. A line of JSON for each thing that happens;
 * `cut` on standard input tears the connection.
 */
import fs from 'node:fs';
import readline from 'node:readline';

import { io } from 'socket.io-client';

const [url, ca, tokenFile, bad] = process.argv.slice(2);
const say = (/** @type {object} */ what) => process.stdout.write(`${JSON.stringify(what)}\n`);
process.on('uncaughtException', (error) => say({ what: 'thrown', message: error.message }));

let thrown = false;
const socket = io(url, /** @type {any} */ ({
    transports: ['websocket'], reconnectionDelay: 20, ca: fs.readFileSync(ca), auth: { token: fs.readFileSync(tokenFile, 'utf8') },
}));
socket.on('connect', () => say({ what: 'connect', recovered: socket.recovered }));
socket.on('client:created', (/** @type {any} */ data) => {
    say({ what: 'event', name: data.name });
    if (data.name !== bad || thrown) return;
    thrown = true;
    throw new Error('a bug of the page');
});
readline.createInterface({ input: process.stdin }).on('line', () => /** @type {any} */ (socket.io.engine.transport).ws._socket.destroy());
