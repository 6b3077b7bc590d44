// The process is killed at named points of a dismissal.  What was decided outlives it: clients in their retry loops are told by
// their tombstones, the operation can be read as interrupted, and a new join works.  What was not decided leaves no trace.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { call, dismiss } from '../lib/api.mjs';
import { events, join, launch, openPage, sockets } from '../lib/browser.mjs';
import { Daemon, dev, until } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { asksToResume, RawClient } from '../lib/raw.mjs';
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
// comes after it on the same port and store.  Between the two the native client's line refuses it (the SDK then gives its session
// up and joins anew) or keeps it waiting (it then resumes).
class Crash {
  static async at(faults, line = 'refuses') {
    const crash = new Crash();
    crash.dataDir = await mkdtemp(joinPath(tmpdir(), 'atrium-crash-'));
    const first = await Daemon.start({ dataDir: crash.dataDir, args: ['--fault', faults] });
    crash.page = await openPage(browser, first);
    await join(crash.page, first, await jwt(ROOM, 'page'));
    crash.native = await Native.start();
    crash.line = await Proxy.start(first.url);
    await crash.native.join(crash.line.ws, await jwt(ROOM, 'native'));
    crash.askedBefore = crash.line.requests.length;
    if (line === 'keeps it waiting') crash.line.keepWaiting();
    const unanswered = dismiss(first, ROOM).catch(() => null);
    await until('the process has stopped itself', () => first.log.includes('stopped at a planted fault'), 20000, 5);
    await first.kill9();
    assert.equal(await unanswered, null, 'nobody was told that it succeeded');
    crash.daemon = await Daemon.start({ dataDir: crash.dataDir, httpPort: first.httpPort });
    crash.line.letIn();
    return crash;
  }

  // One outcome for each client, the page's first: { status: 'fulfilled' | 'rejected', reason }.
  outcomes() { return Promise.allSettled([pageIsTold(this.page), nativeIsToldOrRefused(this.native)]); }

  async everybodyIsTold() {
    for (const outcome of await this.outcomes()) if (outcome.status === 'rejected') throw outcome.reason;
  }

  // What the native client asked the second daemon for, and how that answered.
  nativeAsked() {
    const asked = this.line.requests.slice(this.askedBefore).filter(({ status }) => status !== null);
    const of = (isResume) => asked.filter(({ target }) => asksToResume(target) === isResume);
    return { resumes: of(true), joins: of(false), refused: asked.filter(({ status }) => status === 403) };
  }

  // A resume is told ROOM_DELETED (5) by its tombstone; JOIN_FAILURE (7) is for a fresh join alone, which the tombstone refused.
  // Yields by which way the native client was told: 'resume', 'join' or, before the crash, 'notice'.
  async nativeWay() {
    const { resumes, joins, refused } = this.nativeAsked();
    const pageResumes = (await sockets(this.page)).filter(({ opened }) => opened).length - 1;
    const metrics = await this.daemon.metrics();
    assert.equal(metrics.get('atrium_resumes_refused_total'), resumes.length + pageResumes, 'each told resume is one of theirs');
    assert.equal(metrics.get('atrium_joins_refused_total'), refused.length, 'each refused join is the native client\'s');
    assert.equal(metrics.get('atrium_joins_total') + metrics.get('atrium_resumes_total'), 0);
    assert.deepEqual(joins.map(({ status }) => status), joins.length > 0 ? [403] : [], 'refused once, and for good');
    assert.equal(this.native.seen('disconnected').reason, joins.length > 0 ? 7 : 5);
    assert.ok(pageResumes <= 1 && resumes.length <= 1, 'nobody asks again');
    const told = [pageResumes, resumes.length + joins.length].filter((count) => count > 0).length;
    return { way: joins.length > 0 ? 'join' : resumes.length > 0 ? 'resume' : 'notice', toldAfterwards: told };
  }

  async stop() {
    await this.page?.context().close();
    await this.native?.stop();
    await this.line?.stop();
    await this.daemon?.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

async function within(faults, body, line) {
  const crash = await Crash.at(faults, line);
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
  for (const [point, line] of ['after_commit', 'after_cut', 'mid_notices'].flatMap((one) => [[one, 'refuses'], [one, 'keeps it waiting']])) {
    test(`${point}: clients in their retry loops are told, the operation is interrupted, a new join works (the native one's line ${line})`, async () => {
      await within(`stop_at=${point}`, async (crash) => {
        await crash.everybodyIsTold();
        const { way, toldAfterwards } = await crash.nativeWay();
        assert.equal(toldAfterwards, point === 'mid_notices' ? 1 : 2, 'told by the second daemon');
        if (line === 'keeps it waiting') assert.ok(way === 'resume' || (way === 'notice' && point === 'mid_notices'), `it was told by a ${way}`);
        const [operation, ...others] = await operationsIn(crash.dataDir);
        assert.deepEqual(others, []);
        const { status, json } = await receiptOf(crash.daemon, operation);
        assert.equal(status, 200, JSON.stringify(json));
        const { Receipt: receipt } = json.Result;
        assert.equal(receipt.State, 'interrupted');
        assert.equal(receipt.UsersAtFence, 2);
        assert.equal(receipt.RoomId, ROOM);
        assert.ok(receipt.AcceptedAt && receipt.FencedAt, 'what was known is there');
        const beforeTheCut = point === 'after_commit' ? ['MediaCutAt'] : [];
        for (const unknown of [...beforeTheCut, 'ClosedAt', 'NotifiedAt', 'Notified', 'NotNotified', 'PacketsAfterCut', 'TransportsClosed'])
          assert.equal(receipt[unknown] ?? null, null, `${unknown} is not known and not invented`);
        await newJoinWorks(crash.daemon);
      }, line);
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
      for (const { status, reason } of await crash.outcomes()) {
        assert.equal(status, 'rejected');
        assert.match(reason.message, /walked back in/);
      }
      // Events and the audit know of the operation; its record is what was forgotten.
      for (const operation of await operationsIn(crash.dataDir))
        assert.notEqual((await receiptOf(crash.daemon, operation)).status, 200);
    });
  });
});
