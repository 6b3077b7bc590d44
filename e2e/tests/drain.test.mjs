// SIGTERM: calls go on until the last has left; at the deadline who is left is sent elsewhere and comes back to the next server; a
// second signal ends it at once.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { call, dismiss } from '../lib/api.mjs';
import { events, join, launch, openPage, received } from '../lib/browser.mjs';
import { Daemon, dev, until } from '../lib/daemon.mjs';
import { send } from '../lib/gateway.mjs';
import { Native } from '../lib/native.mjs';
import { RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

const ROOM = 'last-lesson';
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

// A daemon of its own for each test, and whatever the test opened closed after it, in the order of opening.
async function within(deadlineMs, body) {
  const dataDir = mkdtempSync(joinPath(tmpdir(), 'atrium-drain-'));
  const opened = [];
  const keep = (thing) => { opened.push(thing); return thing; };
  const start = async (options = {}) => keep(await Daemon.start({ dataDir, args: ['--server-drain-deadline-ms', String(deadlineMs)], ...options }));
  try {
    await body(await start(), keep, start);
  } finally {
    for (const one of opened) {
      if (one instanceof Daemon && !one.exit) one.child.kill('SIGTERM');
      await (one.stop ? one.stop() : one.context().close());
    }
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const stopSignal = (daemon, signal = 'SIGTERM') => { daemon.child.kill(signal); return performance.now(); };

// Milliseconds from `since` to the end of the process, which must be a good one.
async function endsWell(daemon, since, ms = 20000) {
  await until('atriumd has ended', () => daemon.exit, ms, 5);
  assert.deepEqual(daemon.exit, { code: 0, signal: null }, daemon.log.slice(-4000));
  return performance.now() - since;
}

async function aCall(daemon, keep) {
  const page = keep(await openPage(browser, daemon));
  await join(page, daemon, await jwt(ROOM, 'page'));
  const native = keep(await Native.start());
  await native.join(daemon.ws, await jwt(ROOM, 'native'));
  await until('the page sees the native client', async () => (await received(page)).frames > 10, 30000, 100);
  return { page, native };
}

describe('the first SIGTERM', () => {
  test('lets the call go on, refuses who is new, and ends when the last has left', async () => {
    await within(60000, async (daemon, keep) => {
      const { page, native } = await aCall(daemon, keep);
      stopSignal(daemon);
      await until('it says so', () => /draining.*deadline_ms=60000 users=2/.test(daemon.log), 5000, 5);
      const ready = await send({ url: daemon.operator }, { method: 'GET', path: '/readyz' });
      assert.deepEqual([ready.status, /draining/.test(ready.text)], [503, true]);
      assert.equal((await send({ url: daemon.operator }, { method: 'DELETE', path: '/drain' })).status, 409, 'no way back');
      const stranger = keep(await RawClient.open(daemon, await jwt(ROOM, 'stranger')));
      assert.equal(stranger.refused?.status, 503);
      assert.deepEqual((await onlineUsers(daemon, ROOM)).sort(), ['native', 'page'], 'management calls are served');
      const { frames } = await received(page);
      await until('pictures go on', async () => (await received(page)).frames > frames + 20, 20000, 100);
      await until('progress is logged', () => /draining users=2 calls_waiting=0 left_ms=\d+/.test(daemon.log), 10000, 50);

      await native.stop();
      await until('the native client is gone', async () => (await onlineUsers(daemon, ROOM)).length === 1, 5000);
      assert.equal(daemon.exit, undefined, 'the page is still there');
      assert.deepEqual(await events(page, 'reconnecting'), []);
      const left = performance.now();
      await page.evaluate(() => window.room.disconnect());
      assert.ok(await endsWell(daemon, left) < 3000, 'it ends with the last user');
      assert.match(daemon.log, /drained/);
    });
  });

  test('ends a server without users at once', async () => {
    await within(60000, async (daemon) => {
      assert.ok(await endsWell(daemon, stopSignal(daemon, 'SIGINT')) < 3000);
    });
  });

  test('lets a dismissal under way answer, and its room is gone by then', async () => {
    await within(60000, async (daemon, keep) => {
      const guest = keep(await RawClient.openWithData(daemon, await jwt(ROOM, 'guest')));
      const answer = dismiss(daemon, ROOM, { Receipt: true });
      stopSignal(daemon);
      const { status, json } = await answer;
      assert.equal(status, 200, JSON.stringify(json));
      await guest.expectDismissed();
      await endsWell(daemon, performance.now());
    });
  });
});

describe('the deadline', () => {
  test('sends who is left elsewhere: livekit-client and rtc-node reconnect to the next server, told of nothing else', async () => {
    await within(3000, async (daemon, keep, start) => {
      const { page, native } = await aCall(daemon, keep);
      const raw = keep(await RawClient.open(daemon, await jwt(ROOM, 'raw')));
      await raw.wait('join');
      const told = performance.now();
      stopSignal(daemon);
      const { leave, at } = await raw.wait('leave', 10000);
      assert.ok(at - told >= 2900, `not before the deadline: ${at - told} ms`);
      assert.deepEqual([leave.reason, leave.action, leave.canReconnect], ['SERVER_SHUTDOWN', 'RECONNECT', true]);
      await until('the raw client is closed', () => raw.seen('close'), 5000);
      assert.equal(raw.seen('close').code, 1001);
      assert.ok(!raw.log.some(({ kind, at: when }) => kind === 'update' && when > told), 'nobody hears that others left');
      assert.ok(await endsWell(daemon, told) < 3000 + 1000 + 2000, 'told in bounded time');
      assert.match(daemon.log, /drain deadline.*users=3/);

      await until('the page reconnects', async () => (await events(page, 'reconnecting')).length > 0, 5000);
      await native.wait('reconnecting');
      const next = await start({ httpPort: daemon.httpPort });
      await until('the page is back', async () => (await events(page, 'reconnected')).length > 0, 40000, 50);
      await native.wait('reconnected', undefined, 40000);
      assert.deepEqual(await events(page, 'disconnected'), []);
      assert.equal(native.seen('disconnected'), undefined);
      assert.deepEqual((await onlineUsers(next, ROOM)).sort(), ['native', 'page']);
      const { frames } = await received(page);
      await until('and pictures flow', async () => (await received(page)).frames > frames + 10, 30000, 100);
    });
  });
});

describe('the second SIGTERM', () => {
  test('stops at once, with a good exit code, and what was decided is kept', async () => {
    await within(60000, async (daemon, keep, start) => {
      const raw = keep(await RawClient.open(daemon, await jwt(ROOM, 'raw')));
      await raw.wait('join');
      stopSignal(daemon);
      await until('it drains', () => daemon.log.includes('draining'), 5000, 5);
      const ban = { AppId: dev.appId, UserId: 'eve', ForbiddenInterval: 3600 };
      assert.equal((await call(daemon, 'BanRoomUser', ban, { version: '2023-11-01' })).status, 200);
      assert.ok(await endsWell(daemon, stopSignal(daemon)) < 3000);
      assert.match(daemon.log, /stopping at once users=1/);
      const next = await start();
      const eve = keep(await RawClient.open(next, await jwt(ROOM, 'eve')));
      assert.equal(eve.refused?.status, 403, 'the ban was written');
    });
  });

  test('is what a development server does with the first, unless told otherwise', async () => {
    const daemon = await Daemon.start();
    const raw = await RawClient.open(daemon, await jwt(ROOM, 'raw'));
    try {
      await raw.wait('join');
      assert.ok(await endsWell(daemon, stopSignal(daemon)) < 3000);
    } finally {
      raw.stop();
      await daemon.stop();
    }
  });
});
