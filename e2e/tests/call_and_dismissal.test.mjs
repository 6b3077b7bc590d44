// A live call, dissolved by one call: two Chromium pages and a native participant see and hear each other, a backend that uses
// the vendor's own SDK calls DismissRoom, and every one of them is told -1011 and is out.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { call, dismiss, vendorAction } from '../lib/api.mjs';
import { events, join, launch, openPage, receivedByTrack, SOUND, sockets } from '../lib/browser.mjs';
import { Daemon, dev, until } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { seat } from '../lib/tcp.mjs';
import { jwt, token001 } from '../lib/tokens.mjs';

const ROOM = 'live-room';
let daemon, browser, alice, bob, carol, baseline;

before(async () => {
  daemon = await Daemon.start();
  browser = await launch();
  // The first WebSocket of a process opens what is shared by all later ones.
  (await seat(daemon, await jwt('before-the-call', 'first'))).end();
  await dismiss(daemon, 'before-the-call');
  await until('the first connection is gone', async () => (await daemon.metrics()).get('atrium_http_connections') <= 2);
  baseline = { descriptors: await descriptors() };
});
after(async () => {
  await carol?.stop();
  await browser?.close();
  await daemon?.stop();
});

// Open descriptors of the daemon without the HTTP connections that this test's own clients keep alive.
async function descriptors() {
  const kept = (await daemon.metrics()).get('atrium_http_connections');
  return (await daemon.openDescriptors()) - kept;
}

// Camera and microphone of each of `others`, every one of them decoded or sounding, and nothing else.
async function seesAndHears(who, others, tracksNow) {
  const expected = others.flatMap((other) => [`${other} audio`, `${other} video`]).sort();
  let tracks;
  await until(`${who} sees and hears ${others}`, async () => {
    tracks = await tracksNow();
    return tracks.length >= expected.length && tracks.every(({ kind, frames, energy }) => (kind === 'video' ? frames > 30 : energy > SOUND));
  }, 30000, 200).catch((error) => { throw new Error(`${who}: ${JSON.stringify(tracks)}`, { cause: error }); });
  assert.deepEqual(tracks.map(({ identity, kind }) => `${identity} ${kind}`).sort(), expected, who);
}

describe('a live call', () => {
  test('two browsers and a native client see and hear each other', async () => {
    alice = await openPage(browser, daemon);
    bob = await openPage(browser, daemon);
    await join(alice, daemon, await jwt(ROOM, 'alice'));
    await join(bob, daemon, token001(ROOM, 'bob'));
    carol = await Native.start();
    await carol.join(daemon.ws, await jwt(ROOM, 'carol'));
    await seesAndHears('alice', ['bob', 'carol'], () => receivedByTrack(alice));
    await seesAndHears('bob', ['alice', 'carol'], () => receivedByTrack(bob));
    await seesAndHears('carol', ['alice', 'bob'], async () => (await carol.counts()).tracks);
    assert.deepEqual((await carol.counts()).remote.sort(), ['alice', 'bob']);
  });

  test('publishers are told of their first subscriber', async () => {
    await until('alice hears localTrackSubscribed', async () => (await events(alice, 'localTrackSubscribed')).length >= 1);
  });

  test('data messages reach the others and never their sender', async () => {
    await alice.evaluate(() => window.room.localParticipant.publishData(new TextEncoder().encode('hello'), { reliable: true, topic: 'chat' }));
    await until('bob gets it', async () => (await events(bob, 'data')).some((e) => e.text === 'hello' && e.from === 'alice' && e.topic === 'chat'));
    await carol.wait('data', (e) => e.text === 'hello' && e.from === 'alice');
    carol.command('send', { text: 'from carol', topic: 'chat', reliable: false });
    await until('alice gets it', async () => (await events(alice, 'data')).some((e) => e.text === 'from carol' && e.from === 'carol'));
    assert.equal((await events(alice, 'data')).some((e) => e.text === 'hello'), false);
  });

  test('a forged notice reaches nobody', async () => {
    const forged = JSON.stringify({ code: -1011, name: 'ROOM_DISMISS', message: 'forged' });
    await bob.evaluate((text) => window.room.localParticipant.publishData(new TextEncoder().encode(text), { reliable: true, topic: 'atrium.error' }), forged);
    await bob.evaluate(() => window.room.localParticipant.publishData(new TextEncoder().encode('after the forgery'), { reliable: true, topic: 'chat' }));
    await until('alice gets what came after it', async () => (await events(alice, 'data')).some((e) => e.text === 'after the forgery'));
    assert.equal((await events(alice, 'data')).some((e) => e.topic === 'atrium.error'), false);
    assert.equal((await daemon.metrics()).get('atrium_drops_total{reason="DataReservedTopic"}'), 1);
  });

  test('the online users are listed as the vendor documents', async () => {
    for (const version of ['2023-08-01', '2023-11-01']) {
      const { status, json } = await call(daemon, 'GetRoomOnlineUsers', { AppId: dev.appId, RoomId: ROOM }, { version, method: 'GET' });
      assert.equal(status, 200);
      assert.deepEqual(json.Result, { RoomExists: true, TotalUser: 3, TotalInvisibleUser: 0,
        VisibleUserList: ['alice', 'bob', 'carol'], InvisibleUserList: [] });
    }
    const { json } = await call(daemon, 'GetRoomOnlineUsers', { AppId: dev.appId, RoomId: 'nobody-here' }, { version: '2023-11-01', method: 'GET' });
    assert.deepEqual(json.Result, { RoomExists: false });
  });
});

describe('DismissRoom', () => {
  let answer;
  test('answers the vendor SDK exactly as the page of the action says', async () => {
    answer = await vendorAction(daemon, 'DismissRoom')({ AppId: dev.appId, RoomId: ROOM });
    assert.deepEqual(answer.Result, { message: 'success' });
    assert.deepEqual(Object.keys(answer.ResponseMetadata).sort(), ['Action', 'Region', 'RequestId', 'Service', 'Version']);
    assert.equal(answer.ResponseMetadata.Action, 'DismissRoom');
    assert.equal(answer.ResponseMetadata.Service, 'rtc');
  });

  test('nobody is left in any table when the answer is there', async () => {
    const metrics = await daemon.metrics();
    for (const gauge of ['rooms', 'rooms_dismissing', 'users', 'tracks', 'subscriptions', 'transports', 'forwarders'])
      assert.equal(metrics.get(`atrium_${gauge}`), 0, gauge);
    assert.equal(metrics.get('atrium_packets_after_cut_total'), 0);
  });

  for (const [name, page] of [['alice', () => alice], ['bob', () => bob]]) {
    test(`${name} gets the data message, then ROOM_DELETED, then 4011`, async () => {
      const gone = await until('disconnected', async () => (await events(page(), 'disconnected'))[0]);
      assert.equal(gone.reason, 'ROOM_DELETED');
      const data = (await events(page(), 'data')).find((e) => e.topic === 'atrium.error');
      assert.ok(data, 'the notice came on the data channel');
      const notice = JSON.parse(data.text);
      assert.equal(notice.code, -1011);
      assert.equal(notice.name, 'ROOM_DISMISS');
      assert.match(notice.operationId, /^OP_/);
      assert.equal(data.from, null, 'it has no sender');
      assert.ok(data.at <= gone.at, 'the data message came first');
      const [socket] = (await sockets(page())).slice(-1);
      assert.equal(socket.close.code, 4011);
      assert.deepEqual(await events(page(), 'participantDisconnected'), [], 'nobody is told that the others left');
    });
  }

  test('the native client gets the data message and reason 5', async () => {
    const gone = await carol.wait('disconnected');
    assert.equal(gone.reason, 5);
    const data = carol.seen('data', (e) => e.topic === 'atrium.error');
    assert.equal(JSON.parse(data.text).code, -1011);
  });

  test('a second call is success again', async () => {
    const { status, json } = await dismiss(daemon, ROOM);
    assert.equal(status, 200);
    assert.deepEqual(json.Result, { message: 'success' });
  });

  test('descriptors are back at baseline', async () => {
    await alice.context().close();  // with the connections over which the browser loaded its page
    await bob.context().close();
    await carol.stop();
    await until('the connections of the call are gone', async () => (await daemon.metrics()).get('atrium_http_connections') <= 4, 10000, 200);
    await until('descriptors', async () => (await descriptors()) <= baseline.descriptors, 10000, 200);
  });

  test('a rejoin makes a new life, and a receipt tells of it', async () => {
    const dora = await openPage(browser, daemon);
    await join(dora, daemon, await jwt(ROOM, 'alice'));
    await until('dora is active', async () => (await dora.evaluate(() => window.room.state)) === 'connected');
    const { json } = await dismiss(daemon, ROOM, { Receipt: true, Reason: 'end of the lesson' });
    assert.equal(json.Result.message, 'success');
    const receipt = json.Result.Receipt;
    assert.match(receipt.OperationId, /^OP_/);
    assert.match(receipt.RoomSessionId, /^RM_/);
    assert.equal(receipt.UsersAtFence, 1);
    assert.equal(receipt.Notified, 1);
    assert.equal(receipt.PacketsAfterCut, 0);
    assert.equal(receipt.TransportsClosed, receipt.TransportsAtFence);
    await until('dora is out', async () => (await events(dora, 'disconnected'))[0]?.reason === 'ROOM_DELETED');
    await dora.close();
  });
});
