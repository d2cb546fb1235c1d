import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { World } from './lib/world.mjs';
import { dial } from './lib/wsclient.mjs';
const world = new World();
test('x', async (t) => {
    const { bridge } = await world.enter(t, {config:{listen: { tls: 'off', certificate: null, private_key: null }}});
    const run = async (label, ...parts) => {
        const wire = await dial(bridge.target);
        wire.write(parts.join(''));
        await sleep(1500);
        console.log(label, JSON.stringify(wire.bytes().toString().replace(/\r\n[a-z-]+: [^\r]*/g,'')));
        wire.destroy();
    };
    const G = 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n';
    const P = 'POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n42[]';
            await run('GP', G, P);
    console.log('PID', bridge.process.pid, (await import('node:fs')).readFileSync(`/proc/${bridge.process.pid}/stat`,'utf8').split(' ').slice(13,15));
 (await import('node:child_process')).execSync(`which gdb && gdb -p ${bridge.process.pid} -batch -ex bt > /tmp/vg/bt.txt 2>&1 || cat /proc/${bridge.process.pid}/stack /proc/${bridge.process.pid}/wchan > /tmp/vg/bt.txt; timeout 2 strace -f -p ${bridge.process.pid} -o /tmp/vg/st.txt || true`, {stdio:'ignore'});
 console.log('S', (await import('node:fs')).readFileSync(`/proc/${bridge.process.pid}/stat`,'utf8').split(' ').slice(13,15));const w = await dial(bridge.target); w.write(G); for (let i=0;i<20;i++){await sleep(100); console.log('w', i, w.bytes().length);};
    const sid = /"sid":"([^"]+)"/.exec(w.bytes().toString())[1];
    const Q = `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n3`;
    await run('QG', Q, G);
    await run('GQ', G, Q);
    await run('QQ', Q, Q);
    await run('QQG', Q, Q, G);
    await run('GQG', G, Q, G);
});
