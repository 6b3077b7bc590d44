// The process is killed at named points of a dismissal.  What was decided outlives it: clients in their retry loops are told by
// their tombstones, the operation can be read as interrupted, and a new join works.  What was not decided leaves no trace.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { call, dismiss } from '../lib/api.mjs';
import { events, join, launch, openPage } from '../lib/browser.mjs';
import { Daemon, dev, until } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { RawClient } from '../lib/raw.mjs';
import { nativeIsToldOrRefused, onlineUsers, pageIsTold } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

const ROOM = 'crashed-room';
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

// Ids of the operations in a store, read from its files: after a crash nobody was given one.
async function operationsIn(dataDir) {
  const found = new Set();
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith('atrium.db') || name.endsWith('-shm')) continue;
    for (const [id] of (await readFile(joinPath(dataDir, name), 'latin1')).matchAll(/OP_[0-9A-Za-z]{17}/g)) found.add(id);
  }
  return [...found];
}

// A page and a native client in a room that is dismissed by a daemon which is killed at `faults`' point, and the daemon that
// comes after it on the same port and store.
class Crash {
  static async at(faults) {
    const crash = new Crash();
    crash.dataDir = await mkdtemp(joinPath(tmpdir(), 'atrium-crash-'));
    const first = await Daemon.start({ dataDir: crash.dataDir, args: ['--fault', faults] });
    crash.page = await openPage(browser, first);
    await join(crash.page, first, await jwt(ROOM, 'page'));
    crash.native = await Native.start();
    await crash.native.join(first.ws, await jwt(ROOM, 'native'));
    const unanswered = dismiss(first, ROOM).catch(() => null);
    await until('the process has stopped itself', () => first.log.includes('stopped at a planted fault'), 20000, 5);
    await first.kill9();
    assert.equal(await unanswered, null, 'nobody was told that it succeeded');
    crash.daemon = await Daemon.start({ dataDir: crash.dataDir, httpPort: first.httpPort });
    return crash;
  }

  async everybodyIsTold() { await Promise.all([pageIsTold(this.page), nativeIsToldOrRefused(this.native)]); }

  async stop() {
    await this.page?.context().close();
    await this.native?.stop();
    await this.daemon?.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

async function within(faults, body) {
  const crash = await Crash.at(faults);
  try { await body(crash); } finally { await crash.stop(); }
}

async function receiptOf(daemon, operation) {
  return call(daemon, 'GetDismissal', { AppId: dev.appId, OperationId: operation }, { version: '2026-12-01' });
}

async function newJoinWorks(daemon) {
  const raw = await RawClient.open(daemon, await jwt(ROOM, 'newcomer'));
  await raw.wait('join');
  assert.deepEqual(await onlineUsers(daemon, ROOM), ['newcomer']);
  raw.stop();
}

describe('killed once the record is durable', { concurrency: 2 }, () => {
  for (const point of ['after_commit', 'after_cut', 'mid_notices']) {
    test(`${point}: clients in their retry loops are told, the operation is interrupted, a new join works`, async () => {
      await within(`stop_at=${point}`, async (crash) => {
        await crash.everybodyIsTold();
        const [operation, ...others] = await operationsIn(crash.dataDir);
        assert.deepEqual(others, []);
        const { status, json } = await receiptOf(crash.daemon, operation);
        assert.equal(status, 200, JSON.stringify(json));
        const { Receipt: receipt } = json.Result;
        assert.equal(receipt.State, 'interrupted');
        assert.equal(receipt.UsersAtFence, 2);
        assert.equal(receipt.RoomId, ROOM);
        assert.ok(receipt.AcceptedAt && receipt.FencedAt, 'what was known is there');
        for (const unknown of ['ClosedAt', 'NotifiedAt', 'Notified', 'NotNotified', 'PacketsAfterCut', 'TransportsClosed'])
          assert.equal(receipt[unknown] ?? null, null, `${unknown} is not known and not invented`);
        await newJoinWorks(crash.daemon);
      });
    });
  }
});

describe('killed before the record is durable', { concurrency: 2 }, () => {
  test('before_commit: nothing was decided, so the clients go on in a new life', async () => {
    await within('stop_at=before_commit', async (crash) => {
      await until('the page is back', async () => (await events(crash.page, 'reconnected')).length > 0, 40000);
      await crash.native.wait('reconnected', undefined, 40000);
      assert.deepEqual(await events(crash.page, 'disconnected'), []);
      assert.deepEqual((await onlineUsers(crash.daemon, ROOM)).sort(), ['native', 'page']);
      assert.deepEqual(await operationsIn(crash.dataDir), []);
      // Where the notice's data message had arrived, its operation is unknown.
      const [heard] = (await events(crash.page, 'data')).filter((one) => one.topic === 'atrium.error');
      const operation = heard ? JSON.parse(heard.text).operationId : 'OP_00000000000000000';
      assert.notEqual((await receiptOf(crash.daemon, operation)).status, 200);
    });
  });

  test('without the record\'s write the clients are not told: the tests above can fail', async () => {
    await within('no_record_write,stop_at=after_commit', async (crash) => {
      await assert.rejects(crash.everybodyIsTold(), /walked back in/);
      assert.deepEqual(await operationsIn(crash.dataDir), []);
    });
  });
});
