/** The conformance server: our Engine.IO and Socket.IO over sockets, with an echo in place of the product. */
import { spawn } from 'node:child_process';
import path from 'node:path';

import { cleanEnvironment } from './bridge.mjs';
import { ROOT } from './cluster.mjs';
import { EngineServer } from './engine.mjs';

const PROGRAM = path.resolve(ROOT, process.env.VIGIE_ECHO ?? 'build/asan/tests/conformance/vigie_echo');

/**
 * Times are those of the official suites: a ping each 300 ms, 200 ms to answer, 1 s to connect.
 * @param {any} t
 * @param {'engine' | 'socket'} mode engine: every message comes back; socket: `auth`, `message`, `message-with-ack`
 */
export async function startEcho(t, mode) {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', PROGRAM, mode], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...cleanEnvironment(), ASAN_OPTIONS: 'detect_leaks=1:exitcode=99', UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' },
    });
    const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
    const port = await new Promise((resolve, reject) => {
        let text = '';
        child.stdout.setEncoding('utf8').on('data', (part) => {
            text += part;
            const found = /^port (\d+)\n/m.exec(text);
            if (found) resolve(Number(found[1]));
        });
        ended.then((how) => reject(new Error(`the echo ended: ${JSON.stringify(how)}`)));
    });
    const server = new EngineServer({ port });
    t.after(async () => {
        server.close();
        child.kill('SIGTERM');
        const how = /** @type {any} */ (await ended);
        if (how.code !== 0) throw new Error(`the echo ended: ${JSON.stringify(how)}`);
    });
    return server;
}
