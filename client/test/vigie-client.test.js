import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UnauthorizedError, VigieClient } from '../vigie-client.js';
import { FakeClock, fakeNetwork, settled } from './fakes.mjs';

/** A client, its clock, its network and everything that it told. */
function stage(options = {}) {
  const clock = new FakeClock();
  const network = fakeNetwork();
  const told = { events: [], gaps: [], states: [], errors: [], ready: [] };
  const tokens = [];
  const client = new VigieClient({
    url: 'wss://vigie.test/ws',
    getToken: async () => {
      tokens.push(`token-${tokens.length + 1}`);
      return tokens[tokens.length - 1];
    },
    onEvent: (event) => told.events.push(event),
    onGap: (gap) => told.gaps.push(gap),
    onState: (state) => told.states.push(state),
    onReady: (session) => told.ready.push(session),
    onError: (error) => told.errors.push(error),
    WebSocket: network.WebSocket,
    clock,
    random: () => 0.5,
    ...options,
  });
  return { client, clock, network, told, tokens };
}

const READY = {
  type: 'ready',
  session: 's1',
  user: 'u1',
  company: '1',
  rooms: ['company:1', 'user:u1'],
  cursor: 'c0',
  resumed: false,
  expires_in: 900,
  heartbeat: 25,
};

const event = (n, data = { id: n }) => ({
  type: 'event',
  event: 'devis:signed',
  room: 'company:1',
  cursor: `c${n}`,
  at: '2026-11-21T06:12:07.123456Z',
  data,
});

async function online(options) {
  const all = stage(options);
  all.client.open();
  await settled();
  all.network.last.accept();
  all.network.last.says(READY);
  return all;
}

/** Lets the time to the next dial pass. */
const redial = ({ client, clock }) => clock.advance(client.state.retryAt - clock.now());

/** Dials again and is let in, resuming. */
async function back(all, ready = { resumed: true, cursor: 'c99' }) {
  const { network } = all;
  await redial(all);
  network.last.accept();
  network.last.says({ ...READY, ...ready });
}

test('the token travels in the first message, never in the URL', async () => {
  const { network } = await online();
  assert.equal(network.last.url, 'wss://vigie.test/ws');
  assert.equal(network.last.protocol, 'vigie.v1');
  assert.deepEqual(network.last.sent, [{ type: 'auth', token: 'token-1' }]);
});

test('it is online when the server says ready, not when the socket opens', async () => {
  const { client, network } = stage();
  client.open();
  await settled();
  network.last.accept();
  assert.equal(client.state.status, 'connecting');
  network.last.says(READY);
  assert.equal(client.state.status, 'online');
  assert.equal(client.state.resumed, false);
});

test('opening twice dials once', async () => {
  const { client, network } = stage();
  client.open();
  client.open();
  await settled();
  client.open();
  assert.equal(network.sockets.length, 1);
});

test('events are handed out in order, with their data and time', async () => {
  const { network, told } = await online();
  network.last.says(event(1, { id: 7, clientName: 'Dupont' }));
  network.last.says(event(2));
  assert.deepEqual(told.events.map(({ cursor }) => cursor), ['c1', 'c2']);
  assert.deepEqual(told.events[0], {
    event: 'devis:signed',
    room: 'company:1',
    cursor: 'c1',
    at: '2026-11-21T06:12:07.123456Z',
    data: { id: 7, clientName: 'Dupont' },
  });
});

test('it resumes after the last event that it saw', async () => {
  const all = await online();
  all.network.last.says(event(1));
  all.network.last.hangsUp(1006);
  assert.equal(all.client.state.status, 'waiting');
  await back(all);
  assert.deepEqual(all.network.last.sent, [{ type: 'auth', token: 'token-2', cursor: 'c1' }]);
  assert.equal(all.client.state.resumed, true);
});

test('one that has received nothing resumes after the cursor of ready', async () => {
  const all = await online();
  all.network.last.hangsUp(1006);
  await back(all);
  assert.equal(all.network.last.sent[0].cursor, 'c0');
});

test('a cut in the middle of a replay loses nothing: the cursor follows events, not ready', async () => {
  const all = await online();
  all.network.last.says(event(1));
  all.network.last.hangsUp(1006);
  await back(all, { resumed: true, cursor: 'c50' });
  all.network.last.says(event(2));
  all.network.last.hangsUp(1006);
  await back(all);
  assert.equal(all.network.last.sent[0].cursor, 'c2');
});

test('a heartbeat moves the cursor', async () => {
  const all = await online();
  all.network.last.says({ type: 'heartbeat', cursor: 'c30' });
  assert.equal(all.client.cursor, 'c30');
});

test('an event that comes twice is handed out once', async () => {
  const all = await online();
  all.network.last.says(event(1));
  all.network.last.says(event(1));
  all.network.last.hangsUp(1006);
  await back(all);
  all.network.last.says(event(1));
  all.network.last.says(event(2));
  assert.deepEqual(all.told.events.map(({ cursor }) => cursor), ['c1', 'c2']);
});

test('a gap is told and moves the cursor', async () => {
  const { client, network, told } = await online();
  network.last.says({ type: 'gap', reason: 'retention', cursor: 'c80' });
  assert.deepEqual(told.gaps, [{ reason: 'retention' }]);
  assert.equal(client.cursor, 'c80');
});

test('a session that did not resume starts from the cursor of its ready', async () => {
  const all = await online();
  all.network.last.says(event(1));
  all.network.last.hangsUp(1006);
  await back(all, { resumed: false, cursor: 'c70' });
  assert.equal(all.client.cursor, 'c70');
});

test('what an abandoned connection still says is not heard', async () => {
  const all = await online();
  const old = all.network.last;
  const { onmessage, onclose } = old;
  await all.clock.advance(41_000);
  onmessage?.({ data: JSON.stringify(event(9)) });
  onclose?.({ code: 4403 });
  assert.equal(old.onmessage, null);
  assert.notEqual(all.client.state.status, 'online');
});

test('backoff is jittered between its minimum and a doubling ceiling that ends at its maximum', async () => {
  for (const [random, delays] of /** @type {[number, number[]][]} */ ([
    [0, [500, 500, 500, 500, 500, 500, 500]],
    [1, [1000, 2000, 4000, 8000, 16000, 20000, 20000]],
  ])) {
    const { client, clock, network } = stage({ random: () => random });
    client.open();
    for (const delay of delays) {
      await settled();
      network.last.hangsUp(1006);
      assert.equal(client.state.retryAt - clock.now(), delay);
      await clock.advance(delay);
    }
  }
});

test('the backoff starts anew after five seconds online, not before', async () => {
  const all = stage({ random: () => 1 });
  const { client, clock, network } = all;
  client.open();
  await settled();
  for (let outage = 0; outage < 5; outage++) {
    network.last.hangsUp(1006);
    await redial(all);
  }
  network.last.accept();
  network.last.says(READY);
  await clock.advance(4_000);
  network.last.hangsUp(1006);
  assert.equal(client.state.retryAt - clock.now(), 20_000);
  await back(all);
  await clock.advance(6_000);
  network.last.hangsUp(1006);
  assert.equal(client.state.retryAt - clock.now(), 1000);
});

test('forty seconds of silence are the end of a connection', async () => {
  const { client, clock, network } = await online();
  await clock.advance(39_000);
  assert.equal(client.state.status, 'online');
  network.last.says({ type: 'heartbeat', cursor: 'c1' });
  await clock.advance(39_999);
  assert.equal(client.state.status, 'online');
  await clock.advance(1);
  assert.equal(client.state.status, 'waiting');
  assert.equal(client.state.reason, 'silent');
  assert.notEqual(network.sockets[0].closedWith, null);
});

test('a server that lets it in but never says ready is dialled again', async () => {
  const { client, clock, network } = stage();
  client.open();
  await settled();
  network.last.accept();
  await clock.advance(10_000);
  assert.equal(client.state.status, 'waiting');
  assert.equal(client.state.reason, 'timeout');
});

for (const [code, reason] of /** @type {[number, string][]} */ ([
  [1002, 'protocol'],
  [1003, 'protocol'],
  [1007, 'protocol'],
  [1009, 'protocol'],
  [4400, 'bad_request'],
  [4403, 'forbidden'],
  [4409, 'replaced'],
]))
  test(`close ${code} stops for good: ${reason}`, async () => {
    const { client, clock, network } = await online();
    network.last.hangsUp(code);
    assert.equal(client.state.status, 'stopped');
    assert.equal(client.state.reason, reason);
    await clock.advance(3_600_000);
    assert.equal(network.sockets.length, 1);
  });

for (const code of [1000, 1001, 1006, 1011, 1012, 1013, 4408, 4450, 4500, 4999])
  test(`close ${code} is an outage: it comes back and resumes`, async () => {
    const all = await online();
    all.network.last.says(event(1));
    all.network.last.hangsUp(code);
    assert.equal(all.client.state.status, 'waiting');
    await back(all);
    assert.equal(all.client.state.status, 'online');
    assert.equal(all.network.last.sent[0].cursor, 'c1');
  });

for (const [code, reason] of /** @type {[number, string][]} */ ([
  [4401, 'unauthorized'],
  [4440, 'token_expired'],
]))
  test(`close ${code} asks for one fresh token at once, then stops`, async () => {
    const { client, clock, network } = await online();
    network.last.hangsUp(code);
    await settled();
    assert.equal(network.sockets.length, 2);
    network.last.accept();
    assert.equal(network.last.sent[0].token, 'token-2');
    network.last.hangsUp(code);
    await clock.advance(3_600_000);
    assert.equal(network.sockets.length, 2);
    assert.equal(client.state.status, 'stopped');
    assert.equal(client.state.reason, reason);
  });

test('a token that was renewed successfully may expire again', async () => {
  const { client, network } = await online();
  for (let times = 0; times < 3; times++) {
    network.last.hangsUp(4440);
    await settled();
    network.last.accept();
    network.last.says({ ...READY, resumed: true });
    assert.equal(client.state.status, 'online');
  }
});

test('after 4429 it waits thirty seconds or more', async () => {
  const { client, clock, network } = await online({ random: () => 0 });
  network.last.hangsUp(4429);
  assert.ok(client.state.retryAt - clock.now() >= 30_000);
});

test('a draining server names the time to come back', async () => {
  const { client, clock, network } = await online();
  network.last.says({ type: 'drain', retry_after_ms: 1830 });
  assert.equal(client.state.status, 'online');
  network.last.hangsUp(1012);
  assert.equal(client.state.retryAt - clock.now(), 1830);
});

test('the delay of a drain does not outlive its connection', async () => {
  const all = await online();
  all.network.last.says({ type: 'drain', retry_after_ms: 1 });
  all.network.last.hangsUp(1012);
  await back(all);
  await all.clock.advance(6_000);
  all.network.last.hangsUp(1006);
  assert.equal(all.client.state.retryAt - all.clock.now(), 750);
});

test('an expiring token is renewed in the same connection', async () => {
  const { client, network } = await online();
  network.last.says({ type: 'expiring', in: 60 });
  await settled();
  assert.deepEqual(network.last.sent[1], { type: 'auth', token: 'token-2' });
  network.last.says({ type: 'renewed', expires_in: 900 });
  assert.equal(client.state.status, 'online');
  assert.equal(network.sockets.length, 1);
});

test('a token service that is down is an outage, told', async () => {
  let down = true;
  const all = stage({
    getToken: () => {
      if (down) throw new Error('no token today');
      return 'token';
    },
  });
  all.client.open();
  await settled();
  assert.equal(all.client.state.status, 'waiting');
  assert.equal(all.client.state.reason, 'token');
  assert.equal(all.told.errors[0].message, 'no token today');
  down = false;
  await back(all);
  assert.equal(all.client.state.status, 'online');
});

test('a user who has to log in again is not dialled for', async () => {
  const { client, clock, network } = stage({
    getToken: () => {
      throw new UnauthorizedError('logged out');
    },
  });
  client.open();
  await clock.advance(3_600_000);
  assert.equal(client.state.status, 'stopped');
  assert.equal(client.state.reason, 'unauthorized');
  assert.equal(network.sockets.length, 0);
});

test('opening a stopped client tries again, with its cursor', async () => {
  const { client, network } = await online();
  network.last.says(event(1));
  network.last.hangsUp(4403);
  client.open();
  await settled();
  network.last.accept();
  assert.equal(network.last.sent[0].cursor, 'c1');
});

test('opening a waiting client dials at once, and only once', async () => {
  const { client, clock, network } = await online();
  network.last.hangsUp(1006);
  client.open();
  await settled();
  assert.equal(network.sockets.length, 2);
  network.last.accept();
  network.last.says(READY);
  await clock.advance(30_000);
  assert.equal(network.sockets.length, 2);
});

test('closing frees every timer and keeps the cursor', async () => {
  const { client, clock, network } = await online();
  network.last.says(event(1));
  client.close();
  assert.equal(network.last.closedWith, 1000);
  assert.equal(clock.pending, 0);
  assert.equal(client.state.status, 'idle');
  assert.equal(client.cursor, 'c1');
});

test('closing while a token is on its way dials nobody', async () => {
  const { client, network } = stage();
  client.open();
  client.close();
  await settled();
  assert.equal(network.sockets.length, 0);
  assert.equal(client.state.status, 'idle');
});

test('a page that wakes dials at once when it was waiting', async () => {
  const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  const { client, network } = await online({ page });
  network.last.hangsUp(1006);
  page.dispatchEvent(new Event('visibilitychange'));
  await settled();
  assert.equal(network.sockets.length, 2);
  assert.equal(client.state.status, 'connecting');
});

test('a page that wakes does not trust a socket that has been silent too long', async () => {
  const page = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  // A machine that slept: time has passed, no timer has fired.
  let slept = 0;
  const clock = new FakeClock();
  const { client, network } = await online({
    page,
    clock: { ...clock, now: () => clock.now() + slept, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout },
  });
  page.visibilityState = 'visible';
  page.dispatchEvent(new Event('visibilitychange'));
  assert.equal(client.state.status, 'online');
  slept = 60_000;
  page.dispatchEvent(new Event('visibilitychange'));
  assert.equal(client.state.status, 'connecting');
  await settled();
  assert.equal(network.sockets.length, 2);
});

test('a network that comes back is used at once; a closed client no longer listens', async () => {
  const window = new EventTarget();
  const { client, network } = await online({ network: window });
  network.last.hangsUp(1006);
  window.dispatchEvent(new Event('online'));
  await settled();
  assert.equal(network.sockets.length, 2);
  client.close();
  window.dispatchEvent(new Event('online'));
  await settled();
  assert.equal(network.sockets.length, 2);
});

test('a callback that throws harms neither the connection nor the next event', async () => {
  const seen = [];
  const { client, network, told } = await online({
    onEvent: ({ cursor }) => {
      seen.push(cursor);
      throw new Error('in the page');
    },
  });
  network.last.says(event(1));
  network.last.says(event(2));
  assert.deepEqual(seen, ['c1', 'c2']);
  assert.equal(told.errors.length, 2);
  assert.equal(client.state.status, 'online');
});

test('messages of a newer server are ignored', async () => {
  const { client, network, told } = await online();
  network.last.says({ type: 'presence', who: 'u2' });
  network.last.says({ ...event(1), colour: 'blue' });
  assert.equal(client.state.status, 'online');
  assert.equal(told.events.length, 1);
});

test('a frame that is not JSON stops it: that is a bug, and it is told', async () => {
  const { client, network, told } = await online();
  network.last.says('{"type":');
  assert.equal(client.state.status, 'stopped');
  assert.equal(client.state.reason, 'protocol');
  assert.equal(told.errors.length, 1);
});

test('an error of the server is told', async () => {
  const { network, told } = await online();
  network.last.says({ type: 'error', code: 'forbidden' });
  assert.equal(told.errors[0].message, 'vigie: forbidden');
});
