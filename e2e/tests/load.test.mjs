// The load generator against a live daemon: each scenario with a few clients, and what its report must and must not say.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { call, dismiss } from '../lib/api.mjs';
import { Daemon, dev, until } from '../lib/daemon.mjs';
import { atriumload, loadOf } from '../lib/load.mjs';

let daemon;
before(async () => { daemon = await Daemon.start({ shards: 2 }); });
after(async () => { await daemon?.stop(); });

// Everybody came, nothing was damaged on the way, and every packet that left arrived `copies` times.
function assertSound({ code, report, stderr }, { joins, copies }) {
  assert.ok(report, stderr);
  assert.deepEqual(report.faults, [], JSON.stringify(report));
  assert.equal(code, 0);
  assert.equal(report.joins.complete, joins);
  assert.equal(report.joins.failed, 0);
  assert.equal(report.joins.complete_time.count, joins);
  const { media } = report;
  for (const what of ['lost', 'duplicated', 'corrupted', 'undecryptable', 'stale']) assert.equal(media[what], 0, what);
  if (copies === undefined) return;
  assert.ok(media.packets_sent > 0);
  // A packet may be on its way when the measured time begins or ends.
  const expected = media.packets_sent * copies;
  assert.ok(Math.abs(media.packets_received - expected) <= expected * 0.2, `${media.packets_received} of ${expected}`);
  assert.ok(media.verified >= media.packets_received);
  assert.ok(media.delay.count > 0 && media.delay.p50_ms <= media.delay.p99_ms && media.delay.p99_ms <= media.delay.max_ms);
}

describe('a load', () => {
  test('one to many: one video reaches everybody whole, and the server\'s CPU time is told', async () => {
    const found = await loadOf(daemon, ['one-to-many', '--clients', '5', '--duration', '2', '--room-prefix', 'one']);
    assertSound(found, { joins: 5, copies: 4 });
    const { report } = found;
    const perSecond = report.media.frames_sent / report.run.measured_s;
    assert.ok(perSecond > 25 && perSecond < 35, `${perSecond} frames a second`);
    assert.ok(report.media.packets_sent >= report.media.frames_sent * 4 && report.media.packets_sent <= report.media.frames_sent * 5);
    assert.deepEqual(report.joins.srtp_profiles, { aead_aes_128_gcm: 5 });
    assert.ok(report.server.resident_bytes > 0);
    assert.ok('shard-0' in report.server.threads_cpu_s);
    assert.equal(report.server.cpu_s_per_million_forwarded >= 0, true);
    assert.equal(report.generator_limited, report.generator_limited_why.length > 0);
  });

  test('many to many, on two threads and the other SRTP profile', async () => {
    const found = await loadOf(daemon, ['many-to-many', '--clients', '4', '--media', 'both', '--duration', '1.5', '--threads', '2',
      '--srtp-profile', 'aes128_cm_sha1_80', '--room-prefix', 'many']);
    assertSound(found, { joins: 4, copies: 3 });
    assert.deepEqual(found.report.joins.srtp_profiles, { aes128_cm_sha1_80: 4 });
    assert.equal(found.report.generator.threads_busy_percent.length, 2);
  });

  test('audio rooms do not hear each other', async () => {
    const found = await loadOf(daemon, ['audio-rooms', '--rooms', '3', '--clients', '2', '--duration', '1.5', '--room-prefix', 'audio', '--no-gro']);
    assertSound(found, { joins: 6, copies: 1 });
  });

  test('headers alone are checked of clients that do not decrypt', async () => {
    const { report, code } = await loadOf(daemon, ['one-to-many', '--clients', '5', '--duration', '1', '--verify-every', '5', '--room-prefix', 'headers']);
    assert.equal(code, 0);
    assert.ok(report.media.packets_received > 0);
    assert.equal(report.media.verified, 0, 'the first client is the publisher, the only one that would verify');
    assert.equal(report.media.lost, 0);
  });

  test('data messages reach all others once', async () => {
    const found = await loadOf(daemon, ['data', '--clients', '3', '--duration', '1.5', '--data-rate', '20', '--room-prefix', 'data']);
    assertSound(found, { joins: 3 });
    const { data } = found.report;
    assert.ok(data.messages_sent >= 3 * 20, `${data.messages_sent} sent`);
    assert.ok(Math.abs(data.messages_received - data.messages_sent * 2) <= data.messages_sent, JSON.stringify(data));
    for (const what of ['lost', 'duplicated', 'corrupted', 'reordered']) assert.equal(data[what], 0, what);
  });

  test('churn: who left comes back, and those who stay lose nothing', async () => {
    const { report, code } = await loadOf(daemon, ['churn', '--clients', '4', '--stay', '0.5', '--duration', '4', '--token', '001', '--room-prefix', 'churn']);
    assert.equal(code, 0, JSON.stringify(report));
    assert.ok(report.joins.complete > 4, `${report.joins.complete} joins`);
    assert.equal(report.joins.started, report.joins.complete);
    assert.equal(report.media.lost, 0);
  });

  test('a join storm is timed from the first connect to the last complete join', async () => {
    const found = await loadOf(daemon, ['join-storm', '--rooms', '4', '--clients', '5', '--room-prefix', 'storm']);
    assertSound(found, { joins: 20 });
    assert.ok(found.report.joins.per_second > 0);
    assert.ok(found.report.run.measured_s >= found.report.run.joining_s);
  });
});

describe('a dismissal under load', () => {
  test('is told by notice, leave and close, and media stops though its publisher goes on', async () => {
    const { report, code } = await loadOf(daemon, ['dismissal', '--rooms', '2', '--clients', '5', '--publishers', '1', '--duration', '1',
      '--linger', '2', '--room-prefix', 'dismissed']);
    assert.deepEqual(report?.faults, [], JSON.stringify(report));
    assert.equal(code, 0);
    const { dismissal } = report;
    assert.deepEqual(dismissal.codes, { done: 2 });
    for (const sign of ['clients_noticed', 'clients_left', 'clients_closed']) assert.equal(dismissal[sign], 10, sign);
    assert.deepEqual(report.leave_reasons, { 5: 10 });
    assert.deepEqual(report.close_codes, { 4011: 10 });
    assert.equal(dismissal.clients_without_any_sign, 0);
    assert.equal(dismissal.media_after_notice, 0);
    assert.equal(dismissal.last_media_packet.count, 8, 'all that listened had media before');
    assert.ok(dismissal.last_media_packet.max_ms < 2000, 'the publishers went on for two seconds and reached nobody');
    assert.ok(report.media.whole_run_packets_sent > report.media.packets_sent * 2, 'they did go on');
    assert.equal(dismissal.answer.count, 2);
  });
});

describe('a fault', () => {
  test('of the server shows: a room that ends during the load fails the run', async () => {
    const running = loadOf(daemon, ['one-to-many', '--clients', '3', '--duration', '4', '--room-prefix', 'cut']);
    // Of this room: someone of an earlier one may still be awaited back.
    const fields = { AppId: dev.appId, RoomId: 'cut-0' };
    await until('the room has everybody', async () =>
      (await call(daemon, 'GetRoomOnlineUsers', fields, { version: '2023-11-01', method: 'GET' })).json.Result.TotalUser === 3);
    assert.equal((await dismiss(daemon, 'cut-0')).status, 200);
    const { report, code } = await running;
    assert.equal(code, 1);
    assert.ok(report.faults.some((fault) => fault.includes('sent away')), JSON.stringify(report.faults));
    assert.deepEqual(report.close_codes, { 4011: 3 });
  });

  test('of the caller is named: wrong keys fail the joins', async () => {
    const { report, code } = await atriumload(['one-to-many', '--clients', '2', '--duration', '0.1', '--warm-up', '0', '--url', daemon.ws, '--quiet',
      '--api-key', 'devkey'], { ATRIUM_API_SECRET: 'not-the-secret-of-devkey' });
    assert.equal(code, 1);
    assert.equal(report.joins.failed, 2);
    assert.deepEqual(report.joins.failures, { 'HTTP 401': 2 });
  });

  test('of the command line names option and range, and runs nothing', async () => {
    for (const [args, says] of [
      [['one-to-many', '--dev', '--duration', '0'], /--duration.*0\.1/],
      [['one-to-many', '--dev', '--url', 'ws://192.0.2.77:7880'], /--url.*--allow-remote/],
      [['one-to-many', '--dev', '--server-pid', '999999999'], /--server-pid/],
      [['dismissal', '--api-key', 'k'], /--api-secret-file/],
      [['dismissal', '--dev', '--management-url', 'http://192.0.2.77:7880'], /--management-url.*--allow-remote/],
    ]) {
      const { code, stderr, stdout } = await atriumload(args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
      assert.equal(stdout, '');
    }
  });

  test('of the network: nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => { server.once('listening', resolve); });
    const { port } = server.address();
    await new Promise((resolve) => { server.close(resolve); });
    const { code, stderr } = await atriumload(['one-to-many', '--dev', '--url', `ws://127.0.0.1:${port}`]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /nobody listens/);
  });
});
