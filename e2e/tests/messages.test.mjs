// Messages of a backend, sent with the vendor's npm SDK and heard by unmodified clients of two families: who is meant
// hears them whole and once, nobody else does, and no user can forge one.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { vendorAction, vendorService } from '../lib/api.mjs';
import { events, join, launch, openPage } from '../lib/browser.mjs';
import { Daemon, dev, until } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { jwt } from '../lib/tokens.mjs';

const ROOM = 'messages', OTHER = 'messages-elsewhere';
const FROM = 'back-end_1@example.com';
const versions = ['2020-12-01', '2023-07-20'];
let daemon, browser;
let ann, ben, benElsewhere, ghost, cid;
let pages;

// Sends, and sees that the answer is the vendor's.
async function send(action, fields, version = versions[0]) {
  const answer = await vendorAction(daemon, action, version)({ AppId: dev.appId, From: FROM, Binary: false, ...fields });
  assert.deepEqual(answer.Result, { Message: 'success' }, JSON.stringify(answer));
}
const binary = (bytes) => ({ Binary: true, Message: bytes.toString('base64') });

async function openWith(user, room, grants = {}) {
  const page = await openPage(browser, daemon);
  await join(page, daemon, await jwt(room, user, { grants }), { publish: false });
  await page.evaluate(() => {
    window.heard = [];
    window.room.on(window.LivekitClient.RoomEvent.DataReceived, (payload, from, _kind, topic) => {
      let text = '';
      for (const byte of payload) text += String.fromCharCode(byte);
      window.heard.push({ topic, from: from?.identity ?? null, base64: btoa(text) });
    });
  });
  return page;
}

// What somebody heard so far, { topic, from, bytes } each.
async function heardBy(who) {
  const list = who === cid ? cid.events.filter((e) => e.event === 'data') : await who.evaluate(() => window.heard);
  return list.map(({ topic, from, base64 }) => ({ topic, from, bytes: Buffer.from(base64, 'base64') }));
}
async function forget() {
  cid.events = cid.events.filter((e) => e.event !== 'data');
  for (const page of pages) await page.evaluate(() => { window.heard = []; });
}

// A message that everybody in both rooms hears.  Channels keep their order: who has it has had all that came before.
let marks = 0;
async function everybodyHears() {
  const mark = `mark ${++marks}`;
  await send('SendBroadcast', { RoomId: ROOM, Message: mark });
  await send('SendBroadcast', { RoomId: OTHER, Message: mark });
  for (const who of [...pages, cid])
    await until(`everybody hears ${mark}`, async () => (await heardBy(who)).some((one) => String(one.bytes) === mark));
}

// Exactly these people heard exactly this since the last call, once each, and nobody anything else.
async function expectHeard(people, topic, bytes) {
  await everybodyHears();
  for (const [who, name] of [[ann, 'ann'], [ben, 'ben'], [benElsewhere, 'ben elsewhere'], [ghost, 'ghost'], [cid, 'cid']]) {
    const list = (await heardBy(who)).filter((one) => !String(one.bytes).startsWith('mark '));
    assert.equal(list.length, people.includes(who) ? 1 : 0, `${name} heard ${list.map((one) => one.topic)}`);
    if (list.length === 0) continue;
    assert.equal(list[0].topic, topic, name);
    assert.equal(list[0].from, null, `${name} is told of no sender`);
    assert.ok(list[0].bytes.equals(Buffer.from(bytes)), `${name} heard all of it, as it was sent`);
  }
  await forget();
}

before(async () => {
  daemon = await Daemon.start();
  browser = await launch();
  cid = await Native.start();
  ann = await openWith('ann', ROOM);
  ben = await openWith('ben', ROOM);
  benElsewhere = await openWith('ben', OTHER);
  ghost = await openWith('ghost', ROOM, { hidden: true, canPublish: false });
  pages = [ann, ben, benElsewhere, ghost];
  await cid.join(daemon.ws, await jwt(ROOM, 'cid'), { publish: false });
  // A first message needs an open channel; a few are sent until everybody has heard one.
  await until('everybody can hear', async () => {
    for (const RoomId of [ROOM, OTHER]) await send('SendBroadcast', { RoomId, Message: 'anybody there?' });
    for (const who of [...pages, cid]) if ((await heardBy(who)).length === 0) return false;
    return true;
  }, 30000, 250);
  await everybodyHears();
  await forget();
});
after(async () => {
  await cid?.stop();
  await browser?.close();
  await daemon?.stop();
});

describe('messages of a backend', () => {
  test('a text of 60 KB reaches everybody in the room, invisible users too', async () => {
    const text = 'Schönen Tag! '.repeat(4200);
    assert.ok(Buffer.byteLength(text) > 55_000 && Buffer.byteLength(text) <= 65_536);
    for (const version of versions) {
      await send('SendBroadcast', { RoomId: ROOM, Message: text }, version);
      await expectHeard([ann, ben, ghost, cid], `atrium.room_message:${FROM}`, text);
    }
  });

  test('so do binary ones, up to 64 KiB, byte for byte', async () => {
    for (const size of [0, 1, 61_440, 65_535, 65_536]) {
      const bytes = randomBytes(size);
      await send('SendBroadcast', { RoomId: ROOM, ...binary(bytes) });
      await expectHeard([ann, ben, ghost, cid], `atrium.room_binary:${FROM}`, bytes);
    }
  });

  test('a message to one user in the room reaches that user there, and nobody else', async () => {
    await send('SendRoomUnicast', { RoomId: ROOM, To: 'ben', Message: 'only you' });
    await expectHeard([ben], `atrium.user_message:${FROM}`, 'only you');
    await send('SendRoomUnicast', { RoomId: ROOM, To: 'cid', ...binary(Buffer.from([0, 255, 7])) }, versions[1]);
    await expectHeard([cid], `atrium.user_binary:${FROM}`, [0, 255, 7]);
  });

  test('a message to a user reaches every room in which the user is', async () => {
    await send('SendUnicast', { To: 'ben', Message: 'wherever you are' });
    await expectHeard([ben, benElsewhere], `atrium.message:${FROM}`, 'wherever you are');
    const bytes = randomBytes(65_536);
    await send('SendUnicast', { To: 'ben', ...binary(bytes) }, versions[1]);
    await expectHeard([ben, benElsewhere], `atrium.binary:${FROM}`, bytes);
  });

  test('a batch reaches those listed who are there, once each', async () => {
    const text = 'x'.repeat(20_480);
    const To = ['ann', 'cid', 'ann', ...Array.from({ length: 597 }, (_, i) => `nobody-${i}`)];
    for (const version of versions) {
      await send('BatchSendRoomUnicast', { RoomId: ROOM, To, Message: text }, version);
      await expectHeard([ann, cid], `atrium.user_message:${FROM}`, text);
    }
  });

  test('nobody there is success', async () => {
    for (const version of versions) {
      await send('SendBroadcast', { RoomId: 'nobody-here', Message: 'hello?' }, version);
      await send('SendRoomUnicast', { RoomId: ROOM, To: 'nobody', Message: 'hello?' }, version);
      await send('SendRoomUnicast', { RoomId: OTHER, To: 'ann', Message: 'hello?' }, version);
      await send('SendUnicast', { To: 'nobody', Message: 'hello?' }, version);
      await send('BatchSendRoomUnicast', { RoomId: ROOM, To: ['nobody'], Message: 'hello?' }, version);
    }
    await expectHeard([]);
  });

  test('what a user publishes on these topics reaches nobody', async () => {
    const before = (await daemon.metrics()).get('atrium_drops_total{reason="DataReservedTopic"}');
    const topics = ['message', 'binary', 'room_message', 'room_binary', 'user_message', 'user_binary'].map((word) => `atrium.${word}:${FROM}`);
    for (const topic of topics) {
      await ann.evaluate(async (wanted) => {
        await window.room.localParticipant.publishData(new TextEncoder().encode('forged'), { reliable: true, topic: wanted });
      }, topic);
      cid.command('send', { text: 'forged', topic });
    }
    await until('the forgeries are counted', async () =>
      (await daemon.metrics()).get('atrium_drops_total{reason="DataReservedTopic"}') === before + 2 * topics.length);
    await expectHeard([]);
    // A topic of their own is theirs to use, through the same channel.
    await ann.evaluate(() => window.room.localParticipant.publishData(new TextEncoder().encode('honest'), { reliable: true, topic: 'chat' }));
    await until('ben hears what is honest', async () => (await heardBy(ben)).some((one) => one.from === 'ann' && one.topic === 'chat'));
    await until('cid hears what is honest', async () => (await heardBy(cid)).some((one) => one.from === 'ann' && one.topic === 'chat'));
    await everybodyHears();
    await forget();
  });

  test('a backend may not call itself by the id of a user who is there', async () => {
    const code = async (action, fields) => (await vendorAction(daemon, action)({ AppId: dev.appId, Binary: false, Message: 'x', ...fields }))
      .ResponseMetadata.Error?.Code ?? 'success';
    for (const From of ['ann', 'ghost', 'cid'])
      assert.equal(await code('SendBroadcast', { RoomId: ROOM, From }), 'InvalidParameter.IllegalFrom');
    assert.equal(await code('SendUnicast', { To: 'nobody', From: 'ann' }), 'InvalidParameter.IllegalFrom');
    assert.equal(await code('SendBroadcast', { RoomId: 'nobody-here', From: 'ann' }), 'success');
    await expectHeard([]);
  });

  test('nobody was disturbed by all this', async () => {
    for (const page of pages) for (const name of ['disconnected', 'reconnecting', 'signalReconnecting'])
      assert.deepEqual(await events(page, name), []);
    assert.equal(cid.seen('reconnecting') ?? cid.seen('disconnected'), undefined);
    const metrics = await daemon.metrics();
    for (const reason of ['longer_than_client_takes', 'backlog'])
      assert.equal(metrics.get(`atrium_api_messages_dropped_total{reason="${reason}"}`), 0);
    for (const reason of ['DataTooLarge', 'SctpQueueFull', 'SctpRingFull'])
      assert.equal(metrics.get(`atrium_drops_total{reason="${reason}"}`), 0, reason);
  });
});

describe('properties of users', () => {
  const property = (RoomId, UserIds) =>
    vendorService(daemon).createAPI('GetRoomUsersProperty', { Version: '2023-11-01', method: 'GET' })({ AppId: dev.appId, RoomId, UserIds });

  test('say who is there, as what, since when and with what', async () => {
    const answer = await property(ROOM, ['ann', 'cid', 'ghost', 'nobody']);
    assert.ok(answer.Result, JSON.stringify(answer));
    const users = new Map(answer.Result.UserList.map((user) => [user.UserID, user]));
    assert.equal(users.size, 4);
    for (const user of ['ann', 'cid', 'ghost']) {
      const { LoginTime } = users.get(user);
      assert.ok(Number.isInteger(LoginTime) && Math.abs(Date.now() - LoginTime) < 300_000, `${LoginTime} ms`);
      delete users.get(user).LoginTime;
    }
    assert.deepEqual(users.get('ann'), { Status: 1, UserID: 'ann', Role: 1, DeviceType: 'web', PlatformType: 2 });
    assert.deepEqual(users.get('ghost'), { Status: 1, UserID: 'ghost', Role: 2, DeviceType: 'web', PlatformType: 2 });
    assert.deepEqual(users.get('cid'), { Status: 1, UserID: 'cid', Role: 1, DeviceType: 'linux', PlatformType: 1 });
    assert.deepEqual(users.get('nobody'), { Status: 0, UserID: 'nobody' });
  });

  test('of a room that is not there are those of absent users', async () => {
    assert.deepEqual((await property('nobody-here', ['ann'])).Result, { UserList: [{ Status: 0, UserID: 'ann' }] });
  });
});
