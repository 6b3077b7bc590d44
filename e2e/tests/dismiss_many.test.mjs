// Many rooms by one call, and the conditions of one: what is meant is settled when the call is accepted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Daemon, until } from '../lib/daemon.mjs';
import { allEvents, ask, done, enter } from '../lib/own_api.mjs';
import { onlineUsers } from '../lib/told.mjs';

let daemon;
before(async () => { daemon = await Daemon.start(); });
after(async () => { await daemon?.stop(); });

const finished = (OperationId) => until('all is done', async () => {
  const result = await done(daemon, 'GetDismissRooms', { OperationId });
  return result.State === 'finished' && result;
}, 20000, 250);

// One call a second is the quota.
const dismissRooms = (fields) => until('the quota lets it through', async () => {
  const answer = await ask(daemon, 'DismissRooms', fields);
  if (answer.status === 429) return null;
  assert.equal(answer.status, 200, answer.text);
  return answer.json.Result;
}, 5000, 300);

test('a list: each has its result, and what came after is not touched', async () => {
  const [ann, bob] = [await enter(daemon, 'list-1', 'ann'), await enter(daemon, 'list-2', 'bob')];
  const other = await enter(daemon, 'list-3', 'carol');
  const { OperationId } = await dismissRooms({ RoomIds: ['list-1', 'list-2', 'list-none'], Reason: 'all over' });
  await ann.expectDismissed();
  await bob.expectDismissed();
  const { Total, Rooms } = await finished(OperationId);
  assert.equal(Total, 3);
  const byRoom = Object.fromEntries(Rooms.map((room) => [room.RoomId, room]));
  assert.deepEqual([byRoom['list-1'].State, byRoom['list-1'].RoomSessionId], ['dismissed', ann.roomSid]);
  assert.deepEqual([byRoom['list-2'].State, byRoom['list-2'].RoomSessionId], ['dismissed', bob.roomSid]);
  assert.equal(byRoom['list-none'].State, 'not_there');
  assert.deepEqual(await onlineUsers(daemon, 'list-3'), ['carol']);
  for (const client of [ann, bob, other]) client.stop();
});

test('a prefix, paced: a later life of a name that waited its turn goes on', async () => {
  const clients = [];
  for (let i = 0; i < 4; i++) clients.push(await enter(daemon, `paced-${i}`, 'ann'));
  const outside = await enter(daemon, 'unpaced', 'ann');
  const dry = await dismissRooms({ Prefix: 'paced-', DryRun: true });
  assert.deepEqual([dry.State, dry.WouldDismiss], ['dry_run', 4]);
  const { OperationId } = await dismissRooms({ Prefix: 'paced-', PerSecond: 1 });
  const late = await enter(daemon, 'paced-late', 'bob');
  // The last in order is dismissed by hand before its turn, and begins anew.
  await done(daemon, 'DismissRoom', { RoomId: 'paced-3' });
  await clients[3].expectDismissed();
  const next = await enter(daemon, 'paced-3', 'bob');
  const { Total } = await finished(OperationId);
  assert.equal(Total, 4);
  for (const client of clients.slice(0, 3)) await client.expectDismissed();
  assert.deepEqual(await onlineUsers(daemon, 'paced-3'), ['bob'], 'the next life goes on');
  assert.deepEqual(await onlineUsers(daemon, 'paced-late'), ['bob'], 'it was not there when the call was accepted');
  assert.deepEqual(await onlineUsers(daemon, 'unpaced'), ['ann']);
  for (const client of [...clients, outside, late, next]) client.stop();
});

test('a dry run does nothing', async () => {
  const ann = await enter(daemon, 'dry', 'ann');
  await until('both events are there', async () => (await allEvents(daemon, 'dry')).length === 2, 15000, 250);
  const result = await done(daemon, 'DismissRoom', { RoomId: 'dry', DryRun: true });
  assert.deepEqual([result.State, result.WouldDismiss, result.Users], ['dry_run', true, 1]);
  assert.deepEqual(await onlineUsers(daemon, 'dry'), ['ann']);
  assert.equal((await allEvents(daemon, 'dry')).length, 2);
  ann.stop();
});

test('a condition on the life: another one is not touched', async () => {
  const ann = await enter(daemon, 'conditional', 'ann');
  const former = ann.roomSid;
  await done(daemon, 'DismissRoom', { RoomId: 'conditional', IfRoomSessionId: former });
  await ann.expectDismissed();
  const bob = await enter(daemon, 'conditional', 'bob');
  assert.equal((await done(daemon, 'DismissRoom', { RoomId: 'conditional', IfRoomSessionId: former })).State, 'not_current');
  assert.deepEqual(await onlineUsers(daemon, 'conditional'), ['bob']);
  const bad = await ask(daemon, 'DismissRoom', { RoomId: 'conditional', IfRoomSessionId: 'room' });
  assert.deepEqual([bad.status, bad.json.ResponseMetadata.Error.Code], [400, 'InvalidParameter']);
  for (const client of [ann, bob]) client.stop();
});
