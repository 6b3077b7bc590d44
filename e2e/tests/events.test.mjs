// The events of a room: read by cursor, without gaps across lives, closed after a kill before the next life begins; and one
// reason, the same wherever it is told.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon, dev, until } from '../lib/daemon.mjs';
import { allEvents, done, enter } from '../lib/own_api.mjs';

let daemon, dataDir;
before(async () => {
  dataDir = await mkdtemp(joinPath(tmpdir(), 'atrium-events-'));
  daemon = await Daemon.start({ dataDir });
});
after(async () => {
  await daemon?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const LIFE = ['RoomStarted', 'UserJoined', 'UserJoined', 'UserLeft', 'UserLeft', 'RoomEnded'];
const kinds = (events) => events.map(({ Kind }) => Kind);

// Polls below the quota until so many events are there.
const eventsOf = (room, count, limit) => until(`${count} events of ${room}`, async () => {
  const events = await allEvents(daemon, room, limit);
  return events.length >= count && events;
}, 15000, 250);

function assertNumbered(events) {
  assert.deepEqual(events.map(({ Sequence }) => Sequence), events.map((_, i) => i + 1), 'from 1, without gaps');
  assert.equal(new Set(events.map(({ EventId }) => EventId)).size, events.length);
}

test('two lives are read page by page, numbered without gaps', async () => {
  const sids = [];
  for (let life = 0; life < 2; life++) {
    const clients = [await enter(daemon, 'paged', 'ann'), await enter(daemon, 'paged', 'bob')];
    sids.push(clients[0].roomSid);
    await done(daemon, 'DismissRoom', { RoomId: 'paged' });
    for (const client of clients) {
      await client.expectDismissed();
      client.stop();
    }
  }
  const events = await eventsOf('paged', 12, 5);
  assert.deepEqual(kinds(events), [...LIFE, ...LIFE]);
  assert.deepEqual(events.map(({ RoomSessionId }) => RoomSessionId), [...Array(6).fill(sids[0]), ...Array(6).fill(sids[1])]);
  assertNumbered(events);
  for (const { At } of events) assert.match(At, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const behind = await done(daemon, 'ListEvents', { RoomId: 'paged', Cursor: events[7].Cursor });
  assert.deepEqual(behind.Events, events.slice(8), 'what was read can be read again from any place');
});

test('the reason of a dismissal is the same to the client, in events and in the audit', async () => {
  const ann = await enter(daemon, 'reasons', 'ann', { data: true });
  const { Receipt: receipt } = await done(daemon, 'DismissRoom', { RoomId: 'reasons', Reason: 'the lesson is over' });
  await ann.expectDismissed();
  const [notice] = ann.data('atrium.error').map(({ text }) => JSON.parse(text));
  ann.stop();
  const toldToUsers = { Number: -1011, Name: 'ROOM_DISMISS', Text: 'the lesson is over', OperationId: receipt.OperationId };
  const reason = { ...toldToUsers, Operator: dev.accessKey };
  assert.deepEqual({ Number: notice.code, Name: notice.name, Text: notice.message, OperationId: notice.operationId }, toldToUsers);
  const events = await eventsOf('reasons', 4);
  for (const event of events.slice(-2)) {
    const { Why, ...told } = event.Reason;
    assert.equal(Why, 'room_dismissed');
    assert.deepEqual(told, reason, event.Kind);
  }
  const finished = await until('the audit has the outcome', async () => {
    const { Records } = await done(daemon, 'ListAudit', { OperationId: receipt.OperationId });
    return Records.find(({ Phase }) => Phase === 'finished');
  }, 15000, 250);
  const { Why, ...told } = finished.Reason;
  assert.equal(Why, 'room_dismissed');
  assert.deepEqual(told, reason);
});

test('a life that a kill cut off is closed before the next one begins', async () => {
  const clients = [await enter(daemon, 'killed', 'ann'), await enter(daemon, 'killed', 'bob')];
  await eventsOf('killed', 3);
  const sid = clients[0].roomSid;
  await daemon.kill9();
  for (const client of clients) client.stop();
  daemon = await Daemon.start({ dataDir });
  const carol = await enter(daemon, 'killed', 'carol');
  const events = await eventsOf('killed', 8);
  assert.deepEqual(kinds(events), [...LIFE, 'RoomStarted', 'UserJoined']);
  assert.deepEqual(events.map(({ RoomSessionId }) => RoomSessionId), [...Array(6).fill(sid), carol.roomSid, carol.roomSid]);
  assertNumbered(events);
  carol.stop();
});
