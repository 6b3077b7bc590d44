// Every door of a room against every rule that keeps somebody out, at every moment at which it can be made.  Each cell runs
// twice: with the rule nobody gets in and nothing of the room arrives any more, and without it the same steps lead in and
// media arrives.  docs/protocol/doors.md explains the table that is printed at the end.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { events, join, launch, openPage, received } from '../lib/browser.mjs';
import { Daemon, sleep, until } from '../lib/daemon.mjs';
import { doors, moments, order, Run, scopes, unreachable } from '../lib/doors.mjs';
import { MediaClient, Relay } from '../lib/media_client.mjs';
import { Native } from '../lib/native.mjs';
import { Peer } from '../lib/peer.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt, token001 } from '../lib/tokens.mjs';

// What is on its way when an order is answered: in the sockets of this process, not in the daemon.
const SETTLE_MS = 100;
const QUIET_MS = 400;

let daemon, browser;
const results = new Map(); // cell → 'ok', 'FAILED', or why there is none
before(async () => {
  daemon = await Daemon.start({ args: ['--http-trusted-proxies', '127.0.0.0/8'] });
  browser = await launch();
});
after(async () => {
  print();
  await browser?.close();
  await daemon?.stop();
});

function print() {
  const width = Math.max(...Object.keys(doors).map((name) => name.length));
  const reasons = [...new Set(results.values())].filter((text) => !['ok', 'FAILED'].includes(text));
  const sign = (door, scope, moment) => {
    const text = results.get(`${door} / ${scope} / ${moment}`) ?? 'not run';
    return reasons.includes(text) ? `(${reasons.indexOf(text) + 1})` : text;
  };
  const lines = [];
  for (const scope of Object.keys(scopes)) {
    lines.push('', `${scope.padEnd(width)}  ${moments.map((one) => one.padEnd(8)).join('')}`);
    for (const door of Object.keys(doors))
      lines.push(`  ${door.padEnd(width)}${moments.map((moment) => sign(door, scope, moment).padEnd(8)).join('')}`);
  }
  const others = [...results].filter(([name]) => name.includes(': ')).map(([name, text]) => `${text.padEnd(8)}${name}`);
  console.log([...lines, '', ...others, '', ...reasons.map((text, i) => `(${i + 1}) ${text}`)].join('\n'));
}

// --- with the rule

// Refused at the upgrade, or told to go.
async function expectOut(run) {
  const { client, scope } = run;
  if (client.refused) {
    const { code } = JSON.parse(client.refused.body);
    assert.equal(client.refused.status, 403);
    assert.ok(code === scope.code || (code === -1006 && scope.evicts), `refused with ${code}`);
    return;
  }
  await until('the user is told to go', () => client.ended, 15000);
  const { leave } = client.signal.seen('leave') ?? assert.fail('closed without a leave');
  assert.deepEqual([leave.reason, leave.action], ['PARTICIPANT_REMOVED', 'DISCONNECT']);
  assert.ok([4006, 3000 - scope.code].includes(client.ended.code), `closed with ${client.ended.code}`);
}

// Nothing of the room arrives, nobody is in, and the same way leads nowhere again.
async function expectOutForGood(run) {
  const { client, scope } = run;
  await sleep(SETTLE_MS);
  if (run.neverIn && scope.kind !== 'media') assert.equal(client.relay.rtp, 0, 'media reached a user who never was in');
  assert.equal(await client.arrivingIn(QUIET_MS), 0, 'something still arrives');
  assert.ok(!(await onlineUsers(daemon, run.room)).includes(run.user), 'the user is in the room');
  if (scope.kind === 'media') return; // the upgrade does not know where packets will come from
  for (let attempt = 1; ; attempt++) {
    const again = run.keep(await RawClient.open(daemon, run.limited, run.meant));
    assert.ok(again.refused, 'the same token walks in again');
    const { code } = JSON.parse(again.refused.body);
    if (code === scope.code) return;
    assert.deepEqual([code, attempt], [-1006, 1], 'a tombstone refuses once');
  }
}

async function expectUnheard(run) {
  await sleep(SETTLE_MS);
  await run.client.isSending();
  const { rtp } = run.witness.relay;
  await sleep(QUIET_MS);
  assert.equal(run.witness.relay.rtp - rtp, 0, 'what the user publishes still arrives');
  assert.equal(run.client.ended, undefined, 'the user stays');
}

// --- without the rule

async function expectIn(run) {
  assert.equal(run.client.refused, null, JSON.stringify(run.client.refused));
  await run.isFlowing();
  assert.ok((await onlineUsers(daemon, run.room)).includes(run.user));
  assert.equal(run.client.ended, undefined);
}

async function walk(door, scope, moment, withRule) {
  const run = new Run(daemon, scopes[scope], withRule);
  try {
    await run.start();
    await doors[door][moment](run);
    if (!withRule) return await expectIn(run);
    if (run.isPublishing) return await expectUnheard(run);
    await expectOut(run);
    await expectOutForGood(run);
  } finally {
    await run.stop();
  }
}

describe('the doors', { concurrency: Number(process.env.ATRIUM_E2E_CELLS ?? 8) }, () => {
  for (const door of Object.keys(doors)) for (const scope of Object.keys(scopes)) for (const moment of moments) {
    const cell = `${door} / ${scope} / ${moment}`;
    const why = unreachable(door, scope, moment);
    if (why) {
      results.set(cell, why);
      continue;
    }
    test(cell, async () => {
      results.set(cell, 'FAILED');
      const both = await Promise.allSettled([walk(door, scope, moment, true), walk(door, scope, moment, false)]);
      for (const [i, { status, reason }] of both.entries())
        if (status === 'rejected') throw new Error(`${i === 0 ? 'with' : 'without'} the rule: ${reason.message}`, { cause: reason });
      results.set(cell, 'ok');
    });
  }
});

// --- real clients: one binary of ours, a native SDK, and Chromium at each door

// A user of the given kind and the one who talks to it; steps(cell, rule) yields what must hold of the user in both runs.
async function twice(cell, steps) {
  results.set(cell, 'FAILED');
  await Promise.all([true, false].map(async (withRule) => {
    const run = new Run(daemon, { kind: 'person' }, withRule);
    try {
      run.witness = run.keep(await MediaClient.open(daemon, await jwt(run.room, 'witness'), { publish: true }));
      await steps(run, (action, fields) => withRule && order(daemon, action, fields));
    } finally {
      await run.stop();
    }
  }));
  results.set(cell, 'ok');
}
const isIn = async (run) => (await onlineUsers(daemon, run.room)).includes(run.user);
async function line(run, forwardedFor = null) {
  const proxy = run.keep(await Proxy.start(daemon.url));
  proxy.forwardedFor = forwardedFor;
  return proxy;
}

describe('real clients at the doors', { concurrency: 4 }, () => {
  const real = (door, scope, moment, client, steps) =>
    test(`${client}: ${door} / ${scope} / ${moment}`, () => twice(`${client}: ${door} / ${scope} / ${moment}`, steps));

  // --- atriumpeer
  real('fresh join', 'range v4', 'before', 'atriumpeer', async (run, rule) => {
    await rule('BanRoomUser', { IP: `10.${run.net}.0/24`, ForbiddenInterval: 600 });
    const peer = run.keep(Peer.start(await line(run, `10.${run.net}.7`), await jwt(run.room, run.user), ['--duration-ms', '2500']));
    if (run.withRule) {
      const { status, body } = await peer.wait('join_refused');
      assert.deepEqual([status, JSON.parse(body).code, await isIn(run)], [403, -1026, false]);
    } else {
      assert.ok((await peer.counters()).rtp_before_cut > 20);
    }
  });
  for (const [scope, fieldsOf] of [['room', ({ room }) => ({ RoomId: room })], ['user in app', ({ user }) => ({ UserId: user })],
    ['user in room', ({ room, user }) => ({ RoomId: room, UserId: user })]])
    real('fresh join', scope, 'session', 'atriumpeer that pays no heed', async (run, rule) => {
      const peer = run.keep(Peer.start(daemon, await jwt(run.room, run.user), ['--deaf', '--linger-ms', '1500', '--duration-ms', '8000']));
      await peer.wait('track');
      await sleep(1500);
      await rule('BanRoomUser', { ...fieldsOf(run), ForbiddenInterval: 600 });
      const answered = Date.now();
      const counters = await peer.counters();
      assert.ok(counters.rtp_before_cut > 20, 'media had come');
      if (run.withRule) {
        assert.equal(counters.close_code, 4006);
        assert.ok(counters.last_rtp_at_ms <= answered + SETTLE_MS, `media came ${counters.last_rtp_at_ms - answered} ms after the answer`);
        assert.deepEqual([counters.rtp_after_notice, await isIn(run)], [0, false]);
      } else {
        assert.ok(counters.last_rtp_at_ms > answered + 500, 'media goes on');
        assert.equal(counters.close_code, null);
      }
    });

  // --- rtc-node
  const nativeHears = async (native) => {
    const { energy } = await native.counts();
    await until('rtc-node hears something', async () => (await native.counts()).energy > energy + 0.01);
  };
  real('fresh join', 'user in room', 'before', 'rtc-node', async (run, rule) => {
    await rule('BanRoomUser', { RoomId: run.room, UserId: run.user, ForbiddenInterval: 600 });
    const native = run.keep(await Native.start());
    native.command('join', { url: daemon.ws, token: await jwt(run.room, run.user), publish: false });
    if (!run.withRule) return nativeHears((await native.wait('joined'), native));
    assert.match((await native.wait('failed')).message, /USER_FORBIDDEN|403|removed/i);
    assert.equal(await isIn(run), false);
  });
  real('resume', 'user in app', 'mid', 'rtc-node', async (run, rule) => {
    const proxy = await line(run);
    const native = run.keep(await Native.start());
    await native.join(proxy.ws, await jwt(run.room, run.user), { publish: false });
    await nativeHears(native);
    proxy.cut();
    await native.wait('reconnecting');
    await rule('BanRoomUser', { UserId: run.user, ForbiddenInterval: 600 });
    proxy.allow();
    if (run.withRule) {
      await native.wait('disconnected', undefined, 40000);
      assert.equal(native.seen('reconnected'), undefined);
      const { energy } = await native.counts();
      await sleep(QUIET_MS);
      assert.deepEqual([(await native.counts()).energy, await isIn(run)], [energy, false]);
    } else {
      await native.wait('reconnected', undefined, 40000);
      await nativeHears(native);
    }
  });

  // --- Chromium
  async function page(run, token, url = daemon.ws) {
    const page = await openPage(browser, daemon);
    run.keep({ stop: () => page.context().close() });
    await join(page, daemon, token, { publish: false, url });
    return page;
  }
  const pageHears = async (page) => {
    const { packets } = await received(page);
    await until('the page hears something', async () => (await received(page)).packets > packets + 10);
  };
  async function pageIsOut(run, page, reason = 'PARTICIPANT_REMOVED') {
    const gone = await until('the page is out', async () => (await events(page, 'disconnected'))[0], 40000);
    assert.equal(gone.reason, reason);
    const { packets } = await received(page);
    await sleep(QUIET_MS);
    assert.deepEqual([(await received(page)).packets, await isIn(run)], [packets, false]);
  }
  real('fresh join', 'rule made ahead', 'before', 'Chromium', async (run, rule) => {
    await rule('UpdateBanRoomUserRule', { RoomId: run.room, UserId: run.user, ForbiddenInterval: 600 });
    const joining = page(run, await jwt(run.room, run.user));
    if (!run.withRule) return pageHears(await joining);
    await assert.rejects(joining, /may not join/);
    assert.equal(await isIn(run), false);
  });
  real('resume', 'range v6', 'mid', 'Chromium', async (run, rule) => {
    const net = `2001:db8:${run.net.replace('.', ':')}`;
    const proxy = await line(run, `${net}::7`);
    const one = await page(run, await jwt(run.room, run.user), proxy.ws);
    await pageHears(one);
    proxy.cut();
    await rule('BanRoomUser', { IP: `${net}::/64`, ForbiddenInterval: 600 });
    proxy.allow();
    if (run.withRule) return pageIsOut(run, one);
    await until('it is back', async () => (await events(one, 'reconnected'))[0] ?? (await events(one, 'signalReconnecting'))[0], 30000);
    await pageHears(one);
  });
  real('ICE restart', 'user in app', 'session', 'Chromium', async (run, rule) => {
    const one = await page(run, await jwt(run.room, run.user));
    await pageHears(one);
    const ufrag = () => one.evaluate(() => /a=ice-ufrag:(\S+)/.exec(window.peers.at(-1).localDescription.sdp)[1]);
    const former = await ufrag();
    await one.evaluate(() => window.room.engine.pcManager.triggerIceRestart());
    await until('it has new credentials', async () => await ufrag() !== former);
    await pageHears(one);
    await rule('BanRoomUser', { UserId: run.user, ForbiddenInterval: 600 });
    await (run.withRule ? pageIsOut(run, one) : pageHears(one));
  });
  // The SDK joins anew with the token that the server has refreshed.
  real('full reconnect, refreshed token', 'room', 'waiting', 'Chromium', async (run, rule) => {
    const proxy = await line(run);
    const one = await page(run, await jwt(run.room, run.user), proxy.ws);
    await pageHears(one);
    proxy.keepWaiting();
    await one.evaluate(() => window.room.simulateScenario('full-reconnect'));
    await until('it comes back', () => proxy.waiting.length > 0);
    await rule('BanRoomUser', { RoomId: run.room, ForbiddenInterval: 600 });
    proxy.letIn();
    if (run.withRule) {
      await until('the page is out', async () => (await events(one, 'disconnected'))[0], 40000);
      return assert.deepEqual(await onlineUsers(daemon, run.room), []);
    }
    await until('it is back', async () => (await events(one, 'reconnected'))[0], 30000);
    await pageHears(one);
  });
  real('renewal in session', 'user in room', 'session', 'Chromium', async (run, rule) => {
    const until600 = () => Math.floor(Date.now() / 1000) + 600;
    const one = await page(run, token001(run.room, run.user, { expireAt: until600() - 500 }));
    await pageHears(one);
    const newer = token001(run.room, run.user, { expireAt: until600() });
    await one.evaluate((token) => {
      const payload = new TextEncoder().encode(token);
      return window.room.localParticipant.publishData(payload, { reliable: true, topic: 'atrium.token' });
    }, newer);
    await rule('BanRoomUser', { RoomId: run.room, UserId: run.user, ForbiddenInterval: 600 });
    await (run.withRule ? pageIsOut(run, one) : pageHears(one));
  });
});

// --- what no cell says

describe('addresses', { concurrency: true }, () => {
  test('an IPv4 address in its IPv6 form is the same address', async () => {
    const run = new Run(daemon, scopes['range v4'], true);
    await run.rule();
    const headers = { 'X-Forwarded-For': `::ffff:10.${run.net}.7` };
    const client = await RawClient.open(daemon, await jwt(run.room, run.user), { headers });
    assert.equal(client.refused?.status, 403);
  });

  test('the header of whoever is no trusted proxy is not believed', async () => {
    const run = new Run(daemon, scopes['range v4'], true);
    const alone = await Daemon.start();
    try {
      await run.scope.rule({ ...run, daemon: alone });
      const client = await RawClient.open(alone, await jwt(run.room, run.user), run.meant);
      assert.equal(client.refused, null);
      client.stop();
    } finally {
      await alone.stop();
    }
  });

  // Three ways to bring one's packets to a banned address; six talk, so that something is on its way at every moment.
  test('not one packet of media goes to an address that a rule means', async () => {
    const run = new Run(daemon, scopes['media range v4'], true);
    try {
      for (let i = 0; i < 6; i++) run.keep(await MediaClient.open(daemon, await jwt(run.room, `talker-${i}`), { publish: true }));
      await run.rule();
      const counts = [];
      for (let i = 1; i <= 12; i++) {
        const home = `127.${run.net}.${i}`;
        const source = i % 3 === 0 ? home : undefined;
        const client = run.keep(await MediaClient.open(daemon, await jwt(run.room, `eve-${i}`), { source }));
        if (i % 3 !== 0) await client.receives();
        let { relay } = client;
        if (i % 3 === 1) await client.restartIce(relay = await Relay.open(home));
        if (i % 3 === 2) await relay.moveTo(home).then(() => { relay.rtp = 0; });
        await until('it is told to go', () => client.ended, 15000);
        await sleep(SETTLE_MS);
        counts.push(relay.rtp);
      }
      assert.deepEqual(counts, counts.map(() => 0), 'packets that escaped');
    } finally {
      await run.stop();
    }
  });
});

test('a limit of a token that the server itself refreshed holds', async () => {
  const run = new Run(daemon, scopes['limited token'], true);
  try {
    await run.start();
    const first = run.keep(await MediaClient.open(daemon, await jwt(run.room, run.user)));
    const { refreshToken } = await first.signal.wait('refreshToken');
    run.limited = refreshToken;
    run.client = run.keep(await MediaClient.open(daemon, refreshToken, { publish: true }));
    await run.isFlowing();
    await run.rule();
    await expectUnheard(run);
  } finally {
    await run.stop();
  }
});

test('a limited token sends no data either', async () => {
  const run = new Run(daemon, scopes['limited token'], true);
  try {
    await run.start();
    await run.open(run.limited = await jwt(run.room, run.user));
    await run.isFlowing();
    for (const { channel } of [run.witness, run.client]) await until('the channel is open', () => channel.readyState === 'open');
    const heard = () => run.witness.heardData.filter(({ topic }) => topic === 'chat').length;
    run.client.sendData('chat', 'before');
    await until('data arrives', () => heard() === 1);
    await run.rule();
    run.client.sendData('chat', 'after');
    await sleep(QUIET_MS);
    assert.equal(heard(), 1, 'data of a limited user arrived');
  } finally {
    await run.stop();
  }
});
