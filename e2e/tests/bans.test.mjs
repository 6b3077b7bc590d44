// Kicks and bans with the vendor's npm SDK: who is in is told -1006 and is out, who is kept out is told why at every door,
// rules outlive a restart, and without the rule the same people get in.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { call, dismiss, vendorAction } from '../lib/api.mjs';
import { events, join, launch, openPage, received, sockets } from '../lib/browser.mjs';
import { Daemon, dev, sleep, until } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

let daemon, browser, dataDir;
const opened = [];
before(async () => {
  dataDir = mkdtempSync(joinPath(tmpdir(), 'atrium-e2e-bans-'));
  daemon = await Daemon.start({ dataDir });
  browser = await launch();
});
after(async () => {
  for (const one of opened) await one.stop();
  await browser?.close();
  await daemon?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const ban = (fields, version = '2023-11-01') => vendorAction(daemon, 'BanRoomUser', version)({ AppId: dev.appId, ...fields });
const update = (fields, version = '2023-11-01') => vendorAction(daemon, 'UpdateBanRoomUserRule', version)({ AppId: dev.appId, ...fields });
const kick = (room, user) => vendorAction(daemon, 'KickUser')({ AppId: dev.appId, RoomId: room, UserId: user });
let tokens = 0;
const freshToken = (room, user) => jwt(room, user, { name: `token ${++tokens}` });

async function raw(room, user, options) {
  const client = await RawClient.open(daemon, await freshToken(room, user), options);
  opened.push(client);
  return client;
}
async function refused(room, user) {
  const client = await raw(room, user);
  assert.ok(client.refused, `${user} got into ${room}`);
  return { status: client.refused.status, ...JSON.parse(client.refused.body) };
}
async function getsIn(room, user) {
  const client = await raw(room, user);
  assert.equal(client.refused, null, `${user} is kept out of ${room}: ${JSON.stringify(client.refused)}`);
  await client.wait('join');
  return client;
}
// Told by the leave and the close; `forbidden` says until when, where a data channel could say it.
async function expectKicked(client) {
  const { leave } = await client.wait('leave');
  await client.wait('close');
  assert.equal(leave.reason, 'PARTICIPANT_REMOVED');
  assert.equal(leave.action, 'DISCONNECT');
  assert.equal(client.seen('close').code, 4006);
}

describe('KickUser', () => {
  test('takes one user out, who may come back with a new token, and leaves the others in peace', async () => {
    const ann = await openPage(browser, daemon);
    const ben = await openPage(browser, daemon);
    await join(ann, daemon, await freshToken('kicked', 'ann'));
    await join(ben, daemon, await freshToken('kicked', 'ben'));
    await until('ann sees ben', async () => (await received(ann)).frames > 10, 30000, 200);
    const answer = await kick('kicked', 'ben');
    assert.deepEqual(answer.Result, { message: 'success' });
    assert.deepEqual(await onlineUsers(daemon, 'kicked'), ['ann'], 'ben is out when the answer is there');
    const gone = await until('ben is told', async () => (await events(ben, 'disconnected'))[0]);
    assert.equal(gone.reason, 'PARTICIPANT_REMOVED');
    const notice = JSON.parse((await events(ben, 'data')).find((e) => e.topic === 'atrium.error').text);
    assert.equal(notice.code, -1006);
    assert.equal(notice.name, 'KICKED_OUT');
    assert.equal((await sockets(ben)).at(-1).close.code, 4006);
    await until('ann hears that ben left', async () => (await events(ann, 'participantDisconnected')).some((e) => e.identity === 'ben'));
    assert.deepEqual(await events(ann, 'disconnected'), []);
    await join(ben, daemon, await freshToken('kicked', 'ben'));
    await until('ann sees ben again', async () => (await onlineUsers(daemon, 'kicked')).includes('ben'));
    for (const page of [ann, ben]) await page.context().close();
  });

  test('of a native client: reason and notice', async () => {
    const native = await Native.start();
    opened.push(native);
    await native.join(daemon.ws, await freshToken('kicked-native', 'nat'));
    await kick('kicked-native', 'nat');
    const gone = await native.wait('disconnected');
    assert.equal(gone.reason, 4, 'PARTICIPANT_REMOVED');
    assert.equal(JSON.parse(native.seen('data', (e) => e.topic === 'atrium.error').text).code, -1006);
  });

  test('of nobody is success', async () => {
    assert.deepEqual((await kick('nobody-is-here', 'ann')).Result, { message: 'success' });
  });

  test('does not let an old token walk back in through the reconnect window', async () => {
    const token = await freshToken('kicked-away', 'eve');
    const first = await RawClient.open(daemon, token);
    await first.wait('join');
    const { sid } = first;
    first.socket.terminate();
    await until('the daemon noticed', async () => (await daemon.metrics()).get('atrium_users') >= 1);
    await sleep(200);
    await kick('kicked-away', 'eve');
    const again = await RawClient.open(daemon, token, { resume: sid });
    opened.push(first, again);
    await expectKicked(again);
    const fresh = await RawClient.open(daemon, token);
    opened.push(fresh);
    assert.equal(fresh.refused?.status, 403);
    assert.equal(JSON.parse(fresh.refused.body).code, -1006);
  });
});

describe('BanRoomUser', () => {
  test('of a user in a room: out, kept out of this room alone, and a repeat says so', async () => {
    const eve = await getsIn('banned', 'eve');
    const start = Date.now();
    assert.deepEqual((await ban({ RoomId: 'banned', UserId: 'eve', ForbiddenInterval: 600 })).Result, { Message: 'success' });
    await expectKicked(eve);
    const refusal = await refused('banned', 'eve');
    assert.equal(refusal.status, 403);
    assert.equal(refusal.code, -1026);
    assert.equal(refusal.name, 'USER_FORBIDDEN');
    assert.ok(Math.abs(refusal.forbiddenTime - (start + 600_000)) < 30_000, `forbiddenTime ${refusal.forbiddenTime}`);
    await getsIn('banned', 'ann');
    await getsIn('another', 'eve');
    assert.deepEqual((await ban({ RoomId: 'banned', UserId: 'eve', ForbiddenInterval: 900 })).Result, { Message: 'User has been banned' });
    assert.equal((await refused('banned', 'eve')).forbiddenTime, refusal.forbiddenTime, 'the clock was not reset');
  });

  test('of a user in the whole app', async () => {
    const clients = [await getsIn('app-1', 'mallory'), await getsIn('app-2', 'mallory')];
    await ban({ UserId: 'mallory', ForbiddenInterval: 600 });
    for (const client of clients) await expectKicked(client);
    for (const room of ['app-1', 'app-2', 'app-3']) assert.equal((await refused(room, 'mallory')).code, -1026);
  });

  test('of a room: ends it with -1006 and closes its name', async () => {
    const page = await openPage(browser, daemon);
    await join(page, daemon, await freshToken('closed', 'ann'));
    await until('the data channel is there', async () => page.evaluate(() => window.room.state === 'connected'));
    assert.deepEqual((await ban({ RoomId: 'closed', ForbiddenInterval: 600 }, '2020-12-01')).Result, { message: 'success' });
    const gone = await until('she is told', async () => (await events(page, 'disconnected'))[0]);
    assert.equal(gone.reason, 'PARTICIPANT_REMOVED');
    assert.equal((await sockets(page)).at(-1).close.code, 4006);
    const refusal = await refused('closed', 'ben');
    assert.equal(refusal.code, -1025);
    assert.equal(refusal.name, 'ROOM_FORBIDDEN');
    // A browser's SDK is refused for good: it asks once and reads why.
    await assert.rejects(join(page, daemon, await freshToken('closed', 'ann')), /closed to everybody/);
    await page.context().close();
  });

  test('of an address keeps everybody from there out of the app', async () => {
    const ann = await getsIn('address', 'ann');
    await ban({ IP: '127.0.0.1', ForbiddenInterval: 600 });
    await expectKicked(ann);
    assert.equal((await refused('address', 'ben')).code, -1026);
    const { json } = await call(daemon, 'ListBans', { AppId: dev.appId }, { version: '2026-12-01' });
    const rule = json.Result.Bans.find((one) => one.IP === '127.0.0.1');
    const lifted = await call(daemon, 'DeleteBan', { AppId: dev.appId, BanId: rule.BanId }, { version: '2026-12-01' });
    assert.deepEqual(lifted.json.Result, { Message: 'success', Existed: true });
    await getsIn('address', 'ben');
  });

  test('for 0 seconds evicts and nothing more', async () => {
    const eve = await getsIn('evicted', 'eve');
    await ban({ RoomId: 'evicted', UserId: 'eve' });
    await expectKicked(eve);
    await getsIn('evicted', 'eve');
  });
});

describe('rules', () => {
  test('are made before anybody comes, last as long as they say, and are lifted', async () => {
    await update({ RoomId: 'preemptive', UserId: 'eve', ForbiddenInterval: 10 });
    assert.equal((await refused('preemptive', 'eve')).code, -1026);
    await update({ RoomId: 'preemptive', UserId: 'eve' });
    await getsIn('preemptive', 'eve');
    await ban({ RoomId: 'short', UserId: 'eve', ForbiddenInterval: 10 }); // the shortest there is
    assert.equal((await refused('short', 'eve')).code, -1026);
    await sleep(10_500);
    await getsIn('short', 'eve');
  });

  test('outlive a restart by kill -9, and are listed as they were made', async () => {
    const { json: before } = await call(daemon, 'ListBans', { AppId: dev.appId, Limit: 500 }, { version: '2026-12-01' });
    await daemon.kill9();
    daemon = await Daemon.start({ dataDir });
    const { json: listed } = await call(daemon, 'ListBans', { AppId: dev.appId, Limit: 500 }, { version: '2026-12-01' });
    assert.deepEqual(listed.Result.Bans, before.Result.Bans);
    assert.ok(listed.Result.Bans.some((rule) => rule.RoomId === 'closed' && !rule.UserId && rule.Operator === dev.accessKey));
    assert.equal((await refused('banned', 'eve')).code, -1026);
    assert.equal((await refused('closed', 'ben')).code, -1025);
    assert.equal((await refused('app-9', 'mallory')).code, -1026);
    await getsIn('banned', 'ann');
  });

  test('of a dismissal with a window keep the name closed', async () => {
    const ann = await getsIn('window', 'ann');
    const { json } = await dismiss(daemon, 'window', { ForbiddenInterval: 600, Receipt: true });
    assert.equal(json.Result.message, 'success');
    assert.ok(json.Result.Receipt.ForbiddenUntil);
    await ann.expectDismissed();
    assert.equal((await refused('window', 'ben')).code, -1025);
  });

  test('are paged', async () => {
    const seen = [];
    let Cursor;
    do {
      const { json } = await call(daemon, 'ListBans', { AppId: dev.appId, Limit: 1, ...(Cursor ? { Cursor } : {}) }, { version: '2026-12-01' });
      seen.push(...json.Result.Bans.map((rule) => rule.BanId));
      Cursor = json.Result.NextCursor;
    } while (Cursor);
    assert.equal(new Set(seen).size, seen.length);
    assert.ok(seen.length >= 4);
  });
});
