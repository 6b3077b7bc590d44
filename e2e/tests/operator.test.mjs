// The operator's side: what /metrics promises and that it moves, /livez and /readyz, draining; and the receipt of a dismissal,
// whose counter of late packets is shown to see one.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { dismiss } from '../lib/api.mjs';
import { join, launch, openPage, received, SOUND } from '../lib/browser.mjs';
import { Daemon, dev, sleep, until } from '../lib/daemon.mjs';
import { ask, send } from '../lib/gateway.mjs';
import { Native } from '../lib/native.mjs';
import { RawClient } from '../lib/raw.mjs';
import { Tcp, doorOf, seat, upgrade } from '../lib/tcp.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

let daemon, browser;
before(async () => {
  daemon = await Daemon.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

const operator = (path, method = 'GET', of = daemon) => send({ url: of.operator }, { method, path });

// Two pages that publish camera and microphone and see each other.
async function call(on, room) {
  const pages = [await openPage(browser, on), await openPage(browser, on)];
  await Promise.all(pages.map(async (page, i) => join(page, on, await jwt(room, `user-${i}`))));
  for (const page of pages)
    await until('media flows', async () => { const r = await received(page); return r.frames > 10 && r.energy > SOUND; }, 30000, 100);
  return pages;
}

describe('/metrics', () => {
  test('is Prometheus text with every promised family, each with help and type', async () => {
    const page = await operator('/metrics');
    assert.equal(page.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    const types = Object.fromEntries([...page.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    const promised = { atrium_rooms: 'gauge', atrium_users: 'gauge', atrium_tracks: 'gauge', atrium_datagrams_in_total: 'counter',
      atrium_datagrams_out_total: 'counter', atrium_bytes_in_total: 'counter', atrium_bytes_out_total: 'counter',
      atrium_drops_total: 'counter', atrium_dismissals_total: 'counter', atrium_packets_after_cut_total: 'counter',
      atrium_dismissal_accept_to_fence_seconds: 'histogram', atrium_dismissal_fence_to_media_cut_seconds: 'histogram',
      atrium_dismissal_fence_to_last_notice_seconds: 'histogram' };
    for (const [name, type] of Object.entries(promised)) {
      assert.equal(types[name], type, name);
      assert.match(page.text, new RegExp(`^# HELP ${name} \\S`, 'm'), name);
      assert.match(page.text, new RegExp(`^${name}[_{ ]`, 'm'), `${name} has a value`);
    }
    for (const line of page.text.split('\n').filter((l) => l && !l.startsWith('#')))
      assert.match(line, /^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+$/, line);
  });

  test('counts what happens', async () => {
    const before = await daemon.metrics();
    const pages = await call(daemon, 'measured');
    const during = await daemon.metrics();
    assert.equal(during.get('atrium_rooms'), 1);
    assert.equal(during.get('atrium_users'), 2);
    assert.equal(during.get('atrium_tracks'), 4);
    assert.equal(during.get('atrium_subscriptions'), 4);
    for (const direction of ['in', 'out']) {
      const datagrams = during.get(`atrium_datagrams_${direction}_total`) - before.get(`atrium_datagrams_${direction}_total`);
      const bytes = during.get(`atrium_bytes_${direction}_total`) - before.get(`atrium_bytes_${direction}_total`);
      assert.ok(datagrams > 50 && bytes > datagrams * 20 && bytes < datagrams * 1500, `${direction}: ${datagrams} datagrams, ${bytes} bytes`);
    }
    await pages[0].evaluate(() => window.room.localParticipant.publishData(new TextEncoder().encode('x'), { reliable: true, topic: 'atrium.forged' }));
    const dropped = 'atrium_drops_total{reason="DataReservedTopic"}';
    await until('the drop is counted under its reason', async () => (await daemon.metrics()).get(dropped) === (before.get(dropped) ?? 0) + 1, 5000);

    assert.equal((await dismiss(daemon, 'measured')).status, 200);
    const later = await daemon.metrics();
    assert.equal(later.get('atrium_rooms'), 0);
    assert.equal(later.get('atrium_users'), 0);
    assert.equal(later.get('atrium_tracks'), 0);
    assert.equal(later.get('atrium_dismissals_total{outcome="done"}'), before.get('atrium_dismissals_total{outcome="done"}') + 1);
    assert.equal(later.get('atrium_dismissed_users_total'), before.get('atrium_dismissed_users_total') + 2);
    for (const span of ['accept_to_fence', 'fence_to_media_cut', 'fence_to_last_notice']) {
      const name = `atrium_dismissal_${span}_seconds`;
      assert.equal(later.get(`${name}_count`), before.get(`${name}_count`) + 1, name);
      assert.equal(later.get(`${name}_bucket{le="+Inf"}`), later.get(`${name}_count`));
      assert.ok(later.get(`${name}_sum`) < 5, name);
    }
    assert.equal((await dismiss(daemon, 'nobody')).status, 200);
    assert.equal((await daemon.metrics()).get('atrium_dismissals_total{outcome="no_such_room"}'), before.get('atrium_dismissals_total{outcome="no_such_room"}') + 1);
    for (const name of ['atrium_bugs_total', 'atrium_lost_commands_total', 'atrium_signal_outgoing_refused_total', 'atrium_packets_after_cut_total'])
      assert.equal(later.get(name), 0, name);
    await Promise.all(pages.map((page) => page.context().close()));
  });
});

describe('draining', () => {
  test('refuses joins and says so in /readyz; calls and /livez go on; and it can be taken back', async () => {
    assert.deepEqual([(await operator('/livez')).status, (await operator('/readyz')).status], [200, 200]);
    const guest = await seat(daemon, await jwt('drained', 'early'));
    assert.equal((await operator('/drain', 'POST')).status, 200);

    const ready = await operator('/readyz');
    assert.equal(ready.status, 503);
    assert.match(ready.text, /draining/);
    assert.equal((await operator('/livez')).status, 200);
    const token = await jwt('drained', 'late');
    const refusals = [await send(daemon, { path: doorOf(token).replace('/rtc/v1', '/rtc/v1/validate') })];
    const tcp = await Tcp.open(daemon);
    tcp.write(upgrade(doorOf(token)));
    refusals.push(await tcp.answer());
    tcp.end();
    for (const refusal of refusals) {
      assert.equal(refusal.status, 503);
      assert.match(refusal.headers['retry-after'], /^[1-9]\d*$/);
      assert.equal(refusal.headers['access-control-allow-origin'], '*');
      assert.equal(refusal.json.code, -1001);
    }
    assert.equal((await daemon.metrics()).get('atrium_users'), 1, 'who is in stays in');
    assert.equal((await dismiss(daemon, 'drained')).status, 200, 'rooms still obey');
    assert.ok(await guest.until((g) => g.isEnded || g.isClosed, 3000));

    assert.equal((await operator('/drain', 'DELETE')).status, 200);
    assert.equal((await operator('/readyz')).status, 200);
    (await seat(daemon, token)).end();
  });

  test('lets those resume who lose their WebSocket meanwhile', async () => {
    const token = await jwt('drained-late', 'guest');
    const first = await RawClient.open(daemon, token);
    await first.wait('join');
    let second, stranger;
    try {
      assert.equal((await operator('/drain', 'POST')).status, 200);
      first.socket.terminate();
      second = await RawClient.open(daemon, token, { resume: first.sid });
      assert.equal(second.refused, null, JSON.stringify(second.refused));
      await second.wait('reconnect');
      assert.deepEqual(await onlineUsers(daemon, 'drained-late'), ['guest']);
      stranger = await RawClient.open(daemon, await jwt('drained-late', 'stranger'));
      assert.equal(stranger.refused?.status, 503, 'a new user is refused all the same');
    } finally {
      for (const client of [first, second, stranger]) client?.stop();
      assert.equal((await operator('/drain', 'DELETE')).status, 200);
      await dismiss(daemon, 'drained-late');
    }
  });

  test('is the operator\'s alone: the public port knows none of it', async () => {
    for (const path of ['/metrics', '/livez', '/readyz', '/drain']) assert.equal((await send(daemon, { path })).status, 404, path);
    assert.notEqual((await send(daemon, { path: '/drain', method: 'POST' })).status, 200);
    assert.equal((await operator('/readyz')).status, 200);
    assert.equal((await operator('/?Action=DismissRoom&Version=2020-12-01', 'POST')).status, 404);
  });
});

describe('a second daemon', () => {
  test('is refused a data directory that is in use, and says so', async () => {
    await assert.rejects(Daemon.start({ dataDir: daemon.dataDir }), /cannot have the data directory .*: another daemon is using it/);
    assert.equal((await operator('/readyz')).status, 200, 'the first one does not care');
  });
});

describe('the receipt', () => {
  const inOrder = (...times) => times.every((time, i) => i === 0 || times[i - 1] <= time);

  function assertComplete(receipt, room, users) {
    assert.deepEqual(Object.keys(receipt).sort(), ['AcceptedAt', 'ClosedAt', 'ElapsedMicroseconds', 'FencedAt', 'MediaCutAt', 'NotNotified',
      'NotNotifiedUsers', 'Notified', 'NotifiedAt', 'OperationId', 'Operator', 'PacketsAfterCut', 'RequestId', 'RoomExists', 'RoomId',
      'RoomSessionId', 'State', 'TransportsAtFence', 'TransportsClosed', 'UsersAtFence']);
    assert.match(receipt.OperationId, /^OP_\w{17}$/);
    assert.match(receipt.RoomSessionId, /^RM_\w{17}$/);
    assert.equal(receipt.RoomId, room);
    assert.equal(receipt.State, 'done');
    assert.equal(receipt.Operator, dev.accessKey);
    const { AcceptedAt, FencedAt, MediaCutAt, NotifiedAt, ClosedAt } = receipt;
    assert.ok(inOrder(...[AcceptedAt, FencedAt, MediaCutAt, NotifiedAt, ClosedAt].map((time) => Date.parse(time))), JSON.stringify(receipt));
    const { Fenced, MediaCut, Notified, Closed } = receipt.ElapsedMicroseconds;
    assert.ok(inOrder(0, Fenced, MediaCut, Notified, Closed, 3_000_000), JSON.stringify(receipt.ElapsedMicroseconds));
    assert.ok(Math.abs(Date.parse(AcceptedAt) - Date.now()) < 20_000);
    assert.equal(receipt.UsersAtFence, users);
    assert.equal(receipt.Notified + receipt.NotNotified, users);
    assert.equal(receipt.NotNotifiedUsers.length, receipt.NotNotified);
    assert.equal(receipt.TransportsClosed, receipt.TransportsAtFence);
  }

  test('tells all phases in order, everybody told, and no packet after the cut', async () => {
    const pages = await call(daemon, 'proven');
    const { json } = await dismiss(daemon, 'proven', { Receipt: true });
    assert.deepEqual(Object.keys(json.Result), ['message', 'Receipt']);
    assertComplete(json.Result.Receipt, 'proven', 2);
    assert.equal(json.Result.Receipt.Notified, 2, JSON.stringify(json.Result.Receipt));
    assert.equal(json.Result.Receipt.TransportsAtFence, 2);
    assert.equal(json.Result.Receipt.PacketsAfterCut, 0);
    assert.equal(json.Result.Receipt.RequestId, json.ResponseMetadata.RequestId);
    const stored = await ask(daemon, { action: 'GetDismissal', version: '2026-12-01', fields: { AppId: dev.appId, OperationId: json.Result.Receipt.OperationId } });
    assert.deepEqual(stored.json.Result.Receipt, json.Result.Receipt, 'asked for later it says the same');
    await Promise.all(pages.map((page) => page.context().close()));
  });

  test('is there only when it is asked for', async () => {
    for (const [user, more] of [['ann', {}], ['ben', { Receipt: false }]]) {
      const guest = await seat(daemon, await jwt('plain', user));
      const { text, json } = await dismiss(daemon, 'plain', more);
      assert.deepEqual(json.Result, { message: 'success' });
      assert.ok(text.endsWith('"Result":{"message":"success"}}'), text);
      guest.end();
    }
    assert.deepEqual((await dismiss(daemon, 'nowhere', { Receipt: true })).json.Result, { message: 'success', Receipt: { RoomExists: false } });
  });

  test('is the same after a restart', async () => {
    const dataDir = mkdtempSync(joinPath(tmpdir(), 'atrium-e2e-kept-'));
    try {
      let other = await Daemon.start({ dataDir });
      const guest = await seat(other, await jwt('kept', 'guest'));
      const { json } = await dismiss(other, 'kept', { Receipt: true });
      guest.end();
      await other.stop();
      other = await Daemon.start({ dataDir });
      const stored = await ask(other, { action: 'GetDismissal', version: '2026-12-01', fields: { AppId: dev.appId, OperationId: json.Result.Receipt.OperationId } });
      await other.stop();
      assert.deepEqual(stored.json.Result?.Receipt, json.Result.Receipt, stored.text);
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  test('counts a packet that leaves too late: the counter is no constant 0', async () => {
    const faulty = await Daemon.start({ args: ['--fault', 'late_send'] });
    try {
      // A third one that is stopped dead keeps the life between cut and closed for 200 ms; the two pages do not get to hear of
      // anything meanwhile, so that their media goes on coming.
      const pages = await call(faulty, 'leaky');
      const deaf = await Native.start();
      await deaf.join(faulty.ws, await jwt('leaky', 'deaf'), { publish: false });
      await deaf.wait('trackSubscribed');
      deaf.child.kill('SIGSTOP');
      const busy = pages.map((page) => page.evaluate(() => {
        const end = performance.now() + 1500;
        while (performance.now() < end);
      }));
      await sleep(200);
      const { json } = await dismiss(faulty, 'leaky', { Receipt: true });
      assertComplete(json.Result.Receipt, 'leaky', 3);
      assert.deepEqual(json.Result.Receipt.NotNotifiedUsers, [{ UserId: 'deaf', Reason: 'unacknowledged' }]);
      assert.ok(json.Result.Receipt.PacketsAfterCut >= 1, `PacketsAfterCut is ${json.Result.Receipt.PacketsAfterCut}`);
      assert.ok((await faulty.metrics()).get('atrium_packets_after_cut_total') >= 1);
      assert.match(faulty.log, /packets left after the media cut/);
      deaf.child.kill('SIGKILL');
      await Promise.all(busy);
      await Promise.all(pages.map((page) => page.context().close()));
    } finally {
      await faulty.stop();
    }
  });
});
