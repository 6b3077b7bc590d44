// A client that pays no heed to its dismissal gets nothing more all the same, and nobody else notices: clients of our own that
// go on sending and listening after notice, leave and close, beside a second room on the same shard and a new life of their own.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { dismiss } from '../lib/api.mjs';
import { Daemon, sleep, until } from '../lib/daemon.mjs';
import { Peer } from '../lib/peer.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

const ROOM = 'deaf-room', OTHER = 'the-room-beside-it';
const LINGER_MS = 5000;
const talking = ['--publish', 'audio,video', '--data-every-ms', '20'];
let daemon, deaf, beside, newcomers, receipt, dismissedAt;

const start = async (room, user, args) => Peer.start(daemon, await jwt(room, user), [...talking, ...args]);
// Audio comes every 20 ms, so that 60 messages of data mean about 100 packets of media.
const talks = (peer) => until('two tracks and data arrive', () => {
  assert.equal(peer.exit, undefined, JSON.stringify(peer.lines.slice(-3)));
  return peer.all('track').length >= 2 && peer.all('data').length > 60;
}, 20000);
// Datagrams that the shard refused: of a life that is cut, of a transport on its way down, of nobody any more.
async function refusedDatagrams() {
  const metrics = await daemon.metrics();
  return ['TransportCut', 'TransportClosing', 'UnknownTuple'].reduce((sum, reason) => sum + metrics.get(`atrium_drops_total{reason="${reason}"}`), 0);
}

// Nothing was late, lost or from anybody but the one other in the room.
function assertUndisturbed(counters, untilMs) {
  assert.ok(counters.last_rtp_at_ms >= untilMs, 'media went on');
  assert.ok(counters.last_data_at_ms >= untilMs, 'data went on');
  assert.equal(counters.lost, 0);
  // A second of silence is a stall even on a loaded machine.
  assert.ok(counters.longest_rtp_silence_ms < 1000, `silent for ${counters.longest_rtp_silence_ms} ms`);
  assert.equal(counters.leave, null);
  assert.equal(counters.rtp_after_notice, 0);
}

before(async () => {
  daemon = await Daemon.start({ shards: 1 }); // both rooms on one
  deaf = [await start(ROOM, 'ann', ['--deaf', '--linger-ms', String(LINGER_MS)]), await start(ROOM, 'ben', ['--deaf', '--linger-ms', String(LINGER_MS)])];
  beside = [await start(OTHER, 'cleo', ['--duration-ms', '12000']), await start(OTHER, 'dan', ['--duration-ms', '12000'])];
});
after(async () => {
  for (const peer of [...(deaf ?? []), ...(beside ?? []), ...(newcomers ?? [])]) await peer.stop();
  await daemon?.stop();
});

describe('a deaf client', () => {
  test('talks with another until the room is dismissed', async () => {
    for (const peer of [...deaf, ...beside]) await talks(peer);
    dismissedAt = Date.now();
    const { status, json } = await dismiss(daemon, ROOM, { Receipt: true });
    assert.equal(status, 200);
    receipt = json.Result.Receipt;
    assert.equal(receipt.UsersAtFence, 2);
    assert.equal(receipt.PacketsAfterCut, 0);
  });

  test('keeps nobody from a new life of the same name', async () => {
    newcomers = [await start(ROOM, 'eva', ['--duration-ms', '8000']), await start(ROOM, 'finn', ['--duration-ms', '8000'])];
    for (const peer of newcomers) await talks(peer);
    const before = await refusedDatagrams();
    await sleep(200);
    for (const peer of deaf) assert.equal(peer.seen('counters'), undefined, 'the deaf ones are still there');
    assert.ok(await refusedDatagrams() > before + 20, 'and still send');
    assert.deepEqual((await onlineUsers(daemon, ROOM)).sort(), ['eva', 'finn']);
  });

  test('gets no media and no user data after its notice, however long it listens and sends', async () => {
    for (const peer of deaf) {
      const counters = await peer.counters();
      assert.ok(counters.rtp_before_cut > 60, `media came before: ${counters.rtp_before_cut}`);
      assert.ok(counters.data_before_cut > 60, `data came before: ${counters.data_before_cut}`);
      assert.equal(counters.rtp_after_notice, 0);
      assert.equal(counters.data_after_notice, 0);
      assert.deepEqual(counters.order, ['data', 'leave', 'close']);
      assert.equal(counters.leave, 5);
      assert.equal(counters.close_code, 4011);
      const listened = peer.seen('counters').at_ms - peer.seen('data', (line) => line.topic === 'atrium.error').at_ms;
      assert.ok(listened >= LINGER_MS - 200, `it listened for ${listened} ms only`);
    }
  });

  test('leaves the room beside it on the same shard undisturbed', async () => {
    for (const peer of beside) assertUndisturbed(await peer.counters(), dismissedAt + LINGER_MS);
  });

  test('reaches nobody in the new life, which goes on when the deaf ones are gone', async () => {
    const [eva, finn] = newcomers;
    const deafEnd = Math.max(...deaf.map((peer) => peer.seen('counters').at_ms));
    const lives = newcomers.map((peer) => peer.seen('joined').room_sid);
    assert.equal(lives[0], lives[1]);
    assert.ok(deaf.every((peer) => peer.seen('joined').room_sid === receipt.RoomSessionId));
    assert.notEqual(lives[0], receipt.RoomSessionId);
    for (const [peer, other, name] of [[eva, finn, 'finn'], [finn, eva, 'eva']]) {
      assertUndisturbed(await peer.counters(), deafEnd + 500);
      const tracks = peer.all('track');
      assert.equal(tracks.length, 2);
      assert.equal(new Set(tracks.map((one) => one.track)).size, 2);
      assert.ok(tracks.every((one) => one.stream.startsWith(other.seen('joined').participant)), JSON.stringify(tracks));
      assert.deepEqual([...new Set(peer.all('data').map((one) => one.sender))], [name]);
    }
    assert.equal((await daemon.metrics()).get('atrium_packets_after_cut_total'), 0);
  });
});
