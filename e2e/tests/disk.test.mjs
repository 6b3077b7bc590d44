// A disk that is really full: atriumd in a mount namespace of its own, its data directory on a small tmpfs which the test fills
// from inside.  Calls go on, new joins wait, dismissals and bans are recorded from the reserve, and all is well again without a
// restart once there is room.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { call, dismiss } from '../lib/api.mjs';
import { Daemon, binary, dev, until } from '../lib/daemon.mjs';
import { RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

const unshare = process.getuid() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
const probe = spawnSync('unshare', [...unshare, 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt']);
const skip = probe.status === 0 ? false : `this kernel forbids mounts in a namespace: ${probe.stderr ?? probe.error}`;
const MIB = 1 << 20;

// The process that `unshare` becomes: a shell which mounts and then is atriumd, so that its pid is the daemon's.
function wrapper(folder, size) {
  const path = joinPath(folder, 'atriumd-on-tmpfs');
  writeFileSync(path, `#!/bin/sh\nexec unshare ${unshare.join(' ')} sh -c '\n`
    + `mount -t tmpfs -o size=${size} none "${folder}/data" && exec "${binary('atriumd')}" "$@"' atriumd "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

class TightDisk {
  static async start({ size = '24m', args = [] } = {}) {
    const tight = new TightDisk();
    tight.folder = mkdtempSync(joinPath(tmpdir(), 'atrium-e2e-disk-'));
    execFileSync('mkdir', [joinPath(tight.folder, 'data')]);
    tight.daemon = await Daemon.start({ dataDir: joinPath(tight.folder, 'data'), program: wrapper(tight.folder, size),
      args: ['--store-reserve-mib', '4', '--store-history-min-free-mib', '8', '--store-join-min-free-mib', '6', ...args] });
    // The daemon's own view of its data directory.
    tight.data = `/proc/${tight.daemon.pid}/root${tight.daemon.dataDir}`;
    return tight;
  }

  get free() {
    const { bavail, bsize } = statfsSync(this.data);
    return bavail * bsize;
  }
  // Leaves so many bytes free.
  async fillUpTo(left) {
    const name = joinPath(this.data, `filler-${this.fillers = (this.fillers ?? 0) + 1}`);
    await writeFile(name, Buffer.alloc(Math.max(0, this.free - left), 1));
    this.files = [...(this.files ?? []), name];
  }
  async fill() {
    for (;;) {
      await this.fillUpTo(0).catch((error) => assert.equal(error.code, 'ENOSPC'));
      if (this.free === 0) return;
    }
  }
  async clear() {
    for (const file of this.files ?? []) await unlink(file);
    this.files = [];
  }
  ask(path) { return fetch(this.daemon.operator + path).then(async (r) => ({ status: r.status, text: await r.text() })); }
  async metric(name) { return (await this.daemon.metrics()).get(`atrium_store_${name}`); }

  async stop() {
    await this.daemon.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const state = (tight, wanted) => until(`disk state ${wanted}`, async () => (await tight.metric('disk_state')) === wanted, 5000);
const ban = (tight, fields) => call(tight.daemon, 'BanRoomUser', { AppId: dev.appId, ForbiddenInterval: 3600, ...fields }, { version: '2023-11-01' });
let tokens = 0;
const enter = async (tight, room, user, options) =>
  RawClient.open(tight.daemon, await jwt(room, user, { name: `token ${++tokens}` }), options);

describe('a disk that fills up', { skip }, () => {
  let tight, alice;
  const opened = [];
  before(async () => {
    tight = await TightDisk.start();
    alice = await RawClient.openWithData(tight.daemon, await jwt('lesson', 'alice'));
    opened.push(alice);
  });
  after(async () => {
    for (const one of opened) one.stop();
    await tight?.stop();
  });

  test('at first all is well, and the reserve lies there', async () => {
    await state(tight, 0);
    assert.equal(await tight.metric('reserve_bytes'), 4 * MIB);
    assert.ok(Math.abs(await tight.metric('free_bytes') - tight.free) < MIB);
    assert.equal((await tight.ask('/readyz')).status, 200);
  });

  test('history stops, nothing else', async () => {
    await tight.fillUpTo(7 * MIB);
    await state(tight, 1);
    assert.equal((await tight.ask('/readyz')).status, 200);
    const bob = await enter(tight, 'lesson', 'bob');
    opened.push(bob);
    assert.equal(bob.refused, null);
  });

  test('then joins are refused with 503 and Retry-After, on both doors; calls and resumes go on', async () => {
    await tight.fillUpTo(5 * MIB);
    await state(tight, 2);
    const ready = await tight.ask('/readyz');
    assert.equal(ready.status, 503);
    assert.match(ready.text, /nearly full/);
    assert.equal((await tight.ask('/livez')).status, 200);
    assert.equal((await enter(tight, 'lesson', 'carol')).refused?.status, 503);
    const validate = await fetch(`${tight.daemon.url}/rtc/v1/validate?access_token=${await jwt('lesson', 'carol')}`);
    assert.equal(validate.status, 503);
    assert.ok(Number(validate.headers.get('retry-after')) > 0);
    assert.deepEqual((await onlineUsers(tight.daemon, 'lesson')).sort(), ['alice', 'bob']);
    // bob loses his line and comes back.
    const [, bob] = opened;
    const { sid } = bob;
    bob.socket.terminate();
    const again = await RawClient.open(tight.daemon, await jwt('lesson', 'bob'), { resume: sid });
    opened.push(again);
    await again.wait('reconnect');
  });

  test('full: bans and dismissals are recorded from the reserve', async () => {
    await tight.fill();
    assert.equal(tight.free, 0);
    let rules = 0;
    // Until the file has to grow: rules of some length.
    await until('a write needed the reserve', async () => {
      const { status, text } = await ban(tight, { RoomId: `closed-${++rules}-${'x'.repeat(100)}`, UserId: `eve-${'y'.repeat(100)}` });
      assert.equal(status, 200, text);
      return (await tight.metric('disk_state')) === 3;
    }, 60000, 0);
    assert.equal(await tight.metric('reserve_bytes'), 0);
    assert.equal(await tight.metric('reserve_releases_total'), 1);
    assert.match((await tight.ask('/readyz')).text, /reserve/);
    const dismissed = await dismiss(tight.daemon, 'lesson', { Receipt: true }, { version: '2020-12-01' });
    assert.equal(dismissed.status, 200, dismissed.text);
    await alice.expectDismissed();
    const receipt = await call(tight.daemon, 'GetDismissal', { AppId: dev.appId, OperationId: dismissed.json.Result.Receipt.OperationId },
      { version: '2026-12-01' });
    assert.equal(receipt.json.Result.Receipt.State, 'done');
    assert.equal((await ban(tight, { RoomId: 'closed', UserId: 'eve' })).status, 200);
  });

  test('the reserve used up too: InternalError, and the daemon lives', async () => {
    await tight.fill();
    await until('a write fails', async () => {
      const { status, json } = await ban(tight, { RoomId: `late-${++tokens}-${'x'.repeat(100)}`, UserId: `eve-${'y'.repeat(100)}` });
      if (status === 200) return false;
      assert.equal(status, 500);
      assert.match(json.ResponseMetadata.Error.Code, /^InternalError/);
      return true;
    }, 60000, 0);
    assert.equal((await tight.ask('/livez')).status, 200);
    assert.equal((await tight.ask('/readyz')).status, 503);
  });

  test('room again: all is well without a restart', async () => {
    await tight.clear();
    await state(tight, 0);
    assert.equal(await tight.metric('reserve_bytes'), 4 * MIB);
    assert.equal((await tight.ask('/readyz')).status, 200);
    const carol = await enter(tight, 'lesson', 'carol');
    opened.push(carol);
    assert.equal(carol.refused, null);
    assert.equal((await ban(tight, { RoomId: 'lesson', UserId: 'carol' })).status, 200);
    await carol.wait('leave');
    assert.equal((await enter(tight, 'closed', 'eve')).refused?.status, 403, 'what was recorded on the full disk holds');
  });
});

describe('a sync that fails', () => {
  // The daemon's start syncs a few times; the ban that meets the failure is found by trying.
  test('makes the store read-only for a second; calls go on, and what was refused is not heard of again', async () => {
    const daemon = await Daemon.start({ args: ['--fault', 'fail_sync=20'] });
    try {
      const alice = await RawClient.open(daemon, await jwt('lesson', 'alice'));
      await alice.wait('join');
      const outcomes = [];
      const tryBan = async () => {
        const user = `user-${outcomes.length}`;
        const { status } = await call(daemon, 'BanRoomUser', { AppId: dev.appId, RoomId: 'chat', UserId: user, ForbiddenInterval: 3600 },
          { version: '2023-11-01' });
        outcomes.push({ user, status });
        return status;
      };
      await until('a ban meets the failing sync', async () => (await tryBan()) === 500, 20000, 0);
      assert.equal(await tryBan(), 500, 'every later write is refused');
      const ready = await fetch(`${daemon.operator}/readyz`);
      assert.equal(ready.status, 503);
      assert.match(await ready.text(), /read-only/);
      assert.equal((await fetch(`${daemon.operator}/livez`)).status, 200);
      await until('it is opened anew', async () => (await fetch(`${daemon.operator}/readyz`)).status === 200, 10000);
      assert.equal(await tryBan(), 200);
      assert.deepEqual(await onlineUsers(daemon, 'lesson'), ['alice']);
      const metrics = await daemon.metrics();
      assert.equal(metrics.get('atrium_store_failed_syncs_total'), 1);
      assert.equal(metrics.get('atrium_store_reopenings_total'), 1);
      const { json } = await call(daemon, 'ListBans', { AppId: dev.appId, Limit: 100 }, { version: '2026-12-01' });
      const there = json.Result.Bans.map((rule) => rule.UserId).sort();
      assert.deepEqual(there, outcomes.filter(({ status }) => status === 200).map(({ user }) => user).sort());
      alice.stop();
    } finally {
      await daemon.stop();
    }
  });
});
