// What "told of the dismissal" means for each kind of client, and the watch over rooms that must stay empty.
import assert from 'node:assert/strict';
import { call } from './api.mjs';
import { events } from './browser.mjs';
import { dev, sleep, until } from './daemon.mjs';

// How long rooms are watched for somebody who walks back in; 60000 in a thorough run.
export const watchMs = Number(process.env.ATRIUM_E2E_WATCH_MS ?? 8000);

export async function onlineUsers(daemon, room) {
  const { json } = await call(daemon, 'GetRoomOnlineUsers', { AppId: dev.appId, RoomId: room },
    { version: '2023-11-01', method: 'GET' });
  return json.Result.RoomExists ? json.Result.VisibleUserList : [];
}

// Throws when the page came back into a room, or says anything but ROOM_DELETED.
export async function pageIsTold(page, ms = 40000) {
  const end = await until('the page is disconnected', async () => {
    const [gone] = await events(page, 'disconnected');
    if (gone) return gone;
    const [back] = await events(page, 'reconnected');
    return back ? { walkedBackIn: true } : null;
  }, ms, 50);
  assert.equal(end.walkedBackIn, undefined, 'the page walked back in');
  assert.equal(end.reason, 'ROOM_DELETED');
}

// Native SDKs turn some failed resumes into a fresh join with the same token; its refusal (403, JOIN_FAILURE) is as
// final.
export async function nativeIsTold(native, ms = 40000, reasons = [5]) {
  const end = await until('the native client is disconnected', () =>
    native.seen('disconnected') ?? (native.seen('reconnected') && { walkedBackIn: true }), ms, 50);
  assert.equal(end.walkedBackIn, undefined, 'the native client walked back in');
  assert.ok(reasons.includes(end.reason), `its reason is ${end.reason}`);
}

export const nativeIsToldOrRefused = (native, ms = 40000) => nativeIsTold(native, ms, [5, 7]);

// Nobody comes into any of `rooms` for the time of the watch.
export async function nobodyReturns(daemon, rooms) {
  const end = Date.now() + watchMs;
  while (Date.now() < end) {
    for (const room of rooms) assert.deepEqual(await onlineUsers(daemon, room), [], `somebody walked back into ${room}`);
    await sleep(500);
  }
}
