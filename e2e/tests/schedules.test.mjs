// A dismissal that was ordered for later: its users see it coming, it can be moved and called off, and it belongs to one life.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon, until } from '../lib/daemon.mjs';
import { ask, done, enter } from '../lib/own_api.mjs';

let daemon, dataDir;
before(async () => {
  dataDir = await mkdtemp(joinPath(tmpdir(), 'atrium-schedules-'));
  daemon = await Daemon.start({ dataDir });
});
after(async () => {
  await daemon?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const said = (client, topic) => client.data(topic).map(({ text }) => JSON.parse(text));
const hears = (client, topic) => until(`the client hears ${topic}`, () => said(client, topic)[0]);
const schedule = (room, seconds, more = {}) => done(daemon, 'ScheduleDismissal', { RoomId: room, AfterSeconds: seconds, ...more });

test('users see the countdown, and then the dismissal', async () => {
  const ann = await enter(daemon, 'counted', 'ann', { data: true });
  const made = await schedule('counted', 2, { Reason: 'closing time' });
  const told = await hears(ann, 'atrium.dismissal_scheduled');
  assert.deepEqual([told.scheduleId, told.reason], [made.ScheduleId, 'closing time']);
  assert.ok(told.remainingMs > 0 && told.remainingMs <= 2000, JSON.stringify(told));
  assert.equal(told.dueAt, Date.parse(made.DueAt));
  await ann.expectDismissed();
  assert.ok(Date.now() >= Date.parse(made.DueAt) - 20, 'not before its time');
  const [end] = said(ann, 'atrium.error');
  assert.deepEqual([end.code, end.message], [-1011, 'closing time']);
  ann.stop();
});

test('a room that is not there has no schedule', async () => {
  const { status, json } = await ask(daemon, 'ScheduleDismissal', { RoomId: 'nobody-here', AfterSeconds: 2 });
  assert.ok(status >= 400, JSON.stringify(json));
  assert.match(json.ResponseMetadata.Error.Code, /Room/);
});

test('it is called off, and the users are told', async () => {
  const ann = await enter(daemon, 'called-off', 'ann', { data: true });
  const made = await schedule('called-off', 600);
  assert.deepEqual((await done(daemon, 'ListSchedules', {})).Schedules.map(({ ScheduleId }) => ScheduleId), [made.ScheduleId]);
  assert.deepEqual(await done(daemon, 'CancelDismissal', { ScheduleId: made.ScheduleId }), { State: 'cancelled' });
  assert.equal((await hears(ann, 'atrium.dismissal_cancelled')).scheduleId, made.ScheduleId);
  assert.deepEqual((await done(daemon, 'ListSchedules', {})).Schedules, []);
  assert.equal(ann.seen('leave'), undefined);
  ann.stop();
});

test('it is moved, later and earlier', async () => {
  const ann = await enter(daemon, 'moved', 'ann', { data: true });
  const made = await schedule('moved', 60);
  const later = await done(daemon, 'ExtendDismissal', { ScheduleId: made.ScheduleId, BySeconds: 30 });
  assert.equal(later.State, 'extended');
  assert.ok(Math.abs(Date.parse(later.DueAt) - Date.parse(made.DueAt) - 30_000) <= 2, `${made.DueAt} ${later.DueAt}`);
  const earlier = await done(daemon, 'ExtendDismissal', { ScheduleId: made.ScheduleId, BySeconds: -88 });
  await ann.expectDismissed();
  assert.ok(Date.now() >= Date.parse(earlier.DueAt) - 20);
  ann.stop();
});

test('it ends with its life, and does not touch the next', async () => {
  const ann = await enter(daemon, 'lives', 'ann');
  const made = await schedule('lives', 2);
  await done(daemon, 'DismissRoom', { RoomId: 'lives' });
  await ann.expectDismissed();
  ann.stop();
  const bob = await enter(daemon, 'lives', 'bob');
  const gone = await ask(daemon, 'CancelDismissal', { ScheduleId: made.ScheduleId });
  assert.ok(gone.status >= 400 || gone.json.Result.State === 'too_late', gone.text);
  await until('its time is over', () => Date.now() > Date.parse(made.DueAt) + 500);
  assert.equal(bob.seen('leave'), undefined, 'the next life goes on');
  assert.equal((await done(daemon, 'GetRoom', { RoomId: 'lives' })).Room.RoomSessionId, bob.roomSid);
  bob.stop();
});

test('after a restart the next life of the name takes it over', async () => {
  const ann = await enter(daemon, 'restarted', 'ann');
  const made = await schedule('restarted', 8);
  await daemon.kill9();
  ann.stop();
  daemon = await Daemon.start({ dataDir });
  const bob = await enter(daemon, 'restarted', 'bob');
  const [kept] = (await done(daemon, 'ListSchedules', {})).Schedules;
  assert.deepEqual([kept.ScheduleId, kept.RoomSessionId], [made.ScheduleId, bob.roomSid]);
  await bob.expectDismissed(20000);
  bob.stop();
});
