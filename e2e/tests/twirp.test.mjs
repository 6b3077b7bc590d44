// LiveKit's RoomService, called with the unmodified livekit-server-sdk (JSON) and with messages of @livekit/protocol in protobuf;
// what it orders is seen by Chromium and by a client made of its parts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  CreateRoomRequest, DataPacket_Kind, DeleteRoomRequest, ListParticipantsRequest, ListParticipantsResponse, ListRoomsRequest,
  ListRoomsResponse, ParticipantInfo_State, Room, TrackSource,
} from '@livekit/protocol';
import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';
import { call } from '../lib/api.mjs';
import { SOUND, join, launch, openPage, receivedByTrack } from '../lib/browser.mjs';
import { secretKey, secretToken } from '../lib/canary.mjs';
import { Daemon, dev, until } from '../lib/daemon.mjs';
import { RawClient } from '../lib/raw.mjs';
import { jwt } from '../lib/tokens.mjs';

let daemon, browser, rooms;
before(async () => {
  daemon = await Daemon.start();
  browser = await launch();
  rooms = clientOf(dev);
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

const clientOf = (keys) => new RoomServiceClient(daemon.url, keys.apiKey, keys.apiSecret);
async function adminToken(grants, keys = dev) {
  const token = new AccessToken(keys.apiKey, keys.apiSecret, { ttl: '5m' });
  token.addGrant(grants);
  return secretToken('a token of a backend', await token.toJwt());
}

// The error of the SDK: [status, code, message].
async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return [error.status, error.code, error.message];
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

// One request as no SDK would send it.
async function post(method, body, { token, type = 'application/json', service = 'livekit.RoomService', verb = 'POST' } = {}) {
  const response = await fetch(`${daemon.url}/twirp/${service}/${method}`, {
    method: verb, body: verb === 'GET' ? undefined : body,
    headers: { ...(type ? { 'Content-Type': type } : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) },
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, type: response.headers.get('content-type'), bytes,
    json: () => JSON.parse(bytes.toString()) };
}
const postProtobuf = async (method, request, grants) =>
  post(method, request.toBinary(), { token: await adminToken(grants), type: 'application/protobuf' });

describe('rooms', () => {
  test('a room is created before anybody joins, and is what the first one joins', async () => {
    const made = await rooms.createRoom({ name: 'made', emptyTimeout: 60, departureTimeout: 30, maxParticipants: 1, metadata: 'about cats' });
    assert.match(made.sid, /^RM_/);
    assert.deepEqual([made.name, made.emptyTimeout, made.departureTimeout, made.maxParticipants, made.metadata, made.numParticipants],
      ['made', 60, 30, 1, 'about cats', 0]);
    const again = await rooms.createRoom({ name: 'made', metadata: 'about dogs' });
    assert.deepEqual([again.sid, again.metadata], [made.sid, 'about cats'], 'an existing room is left as it is');

    const ann = await RawClient.open(daemon, await jwt('made', 'ann'));
    const { join: joined } = await ann.wait('join');
    assert.deepEqual([joined.room.sid, joined.room.metadata], [made.sid, 'about cats']);
    const bob = await RawClient.open(daemon, await jwt('made', 'bob'));
    assert.equal(bob.refused.status, 403, bob.refused.body);
    assert.equal(JSON.parse(bob.refused.body).code, -1001);

    const changed = await rooms.updateRoomMetadata('made', 'about birds');
    assert.equal(changed.metadata, 'about birds');
    await until('ann is told', () => ann.log.some(({ roomUpdate }) => roomUpdate?.room.metadata === 'about birds'));
    await rooms.deleteRoom('made');
    await ann.expectDismissed();
    ann.stop();
  });

  test('a room that nobody joins ends when its time is over', async () => {
    await rooms.createRoom({ name: 'brief', emptyTimeout: 1 });
    assert.equal((await rooms.listRooms(['brief'])).length, 1);
    await until('the room is gone', async () => (await rooms.listRooms(['brief'])).length === 0);
  });

  test('rooms are listed, all or by name, and deleting them is dismissing them', async () => {
    for (const name of ['list-a', 'list-b']) await rooms.createRoom({ name });
    assert.deepEqual((await rooms.listRooms(['list-b', 'nowhere'])).map((room) => room.name), ['list-b']);
    assert.ok((await rooms.listRooms()).length >= 2);
    const ann = await RawClient.open(daemon, await jwt('list-a', 'ann'));
    await ann.wait('join');
    await rooms.deleteRoom('list-a');
    await ann.expectDismissed();
    ann.stop();
    assert.deepEqual(await refused(rooms.deleteRoom('list-a')), [404, 'not_found', 'requested room does not exist']);
    await rooms.deleteRoom('list-b');
  });

  test('what is not served is refused rather than left out', async () => {
    const token = await adminToken({ roomCreate: true });
    const asked = await post('CreateRoom', JSON.stringify({ name: 'agents', agents: [{ agentName: 'a' }] }), { token });
    assert.deepEqual([asked.status, asked.json().code], [501, 'unimplemented']);
    assert.deepEqual((await refused(rooms.moveParticipant('a', 'b', 'c'))).slice(0, 2), [501, 'unimplemented']);
    assert.deepEqual((await refused(rooms.createRoom({ name: `x${'y'.repeat(256)}` }))).slice(0, 2), [400, 'invalid_argument']);
  });
});

describe('people', () => {
  const ROOM = 'people';
  let ann, bob;
  before(async () => {
    ann = await openPage(browser, daemon);
    await join(ann, daemon, await jwt(ROOM, 'ann', { metadata: 'm' }));
    bob = await openPage(browser, daemon);
    await join(bob, daemon, await jwt(ROOM, 'bob'), { publish: false });
    await until('bob hears ann', async () => (await receivedByTrack(bob)).some((track) => track.kind === 'audio' && track.energy > SOUND), 30000);
  });

  const seenByBob = (what) => bob.evaluate((wanted) => {
    const { name, metadata, attributes, permissions, trackPublications } = window.room.remoteParticipants.get('ann');
    return { name, metadata, attributes, canPublish: permissions?.canPublish,
      tracks: [...trackPublications.values()].map(({ kind, isMuted, isSubscribed }) => ({ kind, isMuted, isSubscribed })) }[wanted];
  }, what);
  const trackOfBob = async (kind) => (await seenByBob('tracks')).find((track) => track.kind === kind);

  test('they are listed and found with their tracks', async () => {
    const listed = await rooms.listParticipants(ROOM);
    assert.deepEqual(listed.map((one) => one.identity).sort(), ['ann', 'bob']);
    const found = await rooms.getParticipant(ROOM, 'ann');
    assert.equal(found.state, ParticipantInfo_State.ACTIVE);
    assert.equal(found.metadata, 'm');
    assert.deepEqual(found.tracks.map((track) => track.source).sort(), [TrackSource.CAMERA, TrackSource.MICROPHONE].sort());
    assert.deepEqual(await rooms.listParticipants('nowhere').catch(String), []);
    assert.deepEqual(await refused(rooms.getParticipant(ROOM, 'nobody')), [404, 'not_found', 'participant does not exist']);
  });

  test('a track is muted for all, its user is told, and only its user unmutes', async () => {
    const { tracks } = await rooms.getParticipant(ROOM, 'ann');
    const microphone = tracks.find((track) => track.source === TrackSource.MICROPHONE);
    const muted = await rooms.mutePublishedTrack(ROOM, 'ann', microphone.sid, true);
    assert.equal(muted.muted, true);
    await until('bob sees it', async () => (await trackOfBob('audio')).isMuted);
    await until('the SDK muted the microphone', () => ann.evaluate(() => !window.room.localParticipant.isMicrophoneEnabled));
    assert.deepEqual((await refused(rooms.mutePublishedTrack(ROOM, 'ann', microphone.sid, false))).slice(0, 2), [412, 'failed_precondition']);
    await ann.evaluate(() => window.room.localParticipant.setMicrophoneEnabled(true));
    await until('bob sees it unmuted', async () => !(await trackOfBob('audio')).isMuted);
    assert.deepEqual(await refused(rooms.mutePublishedTrack(ROOM, 'ann', 'TR_nothing', true)), [404, 'not_found', 'track does not exist']);
  });

  test('subscriptions are chosen for a user', async () => {
    const { tracks } = await rooms.getParticipant(ROOM, 'ann');
    const camera = tracks.find((track) => track.source === TrackSource.CAMERA).sid;
    const frames = async () => (await receivedByTrack(bob)).find((track) => track.kind === 'video').frames;
    await until('bob sees frames', async () => (await frames()) > 0, 30000);
    await rooms.updateSubscriptions(ROOM, 'bob', [camera], false);
    let last = -1;
    await until('frames stop', async () => { const now = await frames(); const is = now === last; last = now; return is; }, 15000, 1000);
    await rooms.updateSubscriptions(ROOM, 'bob', [camera], true);
    await until('frames come again', async () => (await frames()) !== last, 30000);
    assert.deepEqual((await refused(rooms.updateSubscriptions(ROOM, 'bob', [camera, 'TR_nothing'], false)))[2], 'track does not exist');
  });

  test('name, metadata and attributes are changed and told', async () => {
    const changed = await rooms.updateParticipant(ROOM, 'ann', { name: 'Ann', metadata: 'new', attributes: { hand: 'up' } });
    assert.deepEqual([changed.name, changed.metadata, changed.attributes], ['Ann', 'new', { hand: 'up' }]);
    await until('bob hears of it', async () => (await seenByBob('name')) === 'Ann');
    assert.deepEqual([await seenByBob('metadata'), await seenByBob('attributes')], ['new', { hand: 'up' }]);
    const lowered = await rooms.updateParticipant(ROOM, 'ann', { attributes: { hand: '' } });
    assert.deepEqual([lowered.name, lowered.attributes], ['Ann', {}]);
  });

  test('data reaches those it names, or everybody', async () => {
    const heard = (page, topic) => page.evaluate((wanted) => window.data.filter((one) => one.topic === wanted), topic);
    const bytes = new TextEncoder().encode('hello');
    await until('an open channel', async () => {
      await rooms.sendData(ROOM, bytes, DataPacket_Kind.RELIABLE, { topic: 'are you there' });
      return (await heard(ann, 'are you there')).length > 0 && (await heard(bob, 'are you there')).length > 0;
    }, 30000, 250);
    await rooms.sendData(ROOM, bytes, DataPacket_Kind.RELIABLE, { topic: 'to bob', destinationIdentities: ['bob', 'nobody'] });
    await rooms.sendData(ROOM, bytes, DataPacket_Kind.LOSSY, { topic: 'to all' });
    await until('all have heard', async () => (await heard(ann, 'to all')).length === 1 && (await heard(bob, 'to all')).length === 1);
    assert.deepEqual((await heard(bob, 'to bob')).map(({ from, text }) => [from, text]), [[null, 'hello']]);
    assert.deepEqual(await heard(ann, 'to bob'), []);
    assert.deepEqual((await refused(rooms.sendData(ROOM, bytes, DataPacket_Kind.RELIABLE, { topic: 'atrium.error' }))).slice(0, 2),
      [400, 'invalid_argument']);
  });

  test('a permission that is withdrawn ends what it allowed', async () => {
    const changed = await rooms.updateParticipant(ROOM, 'ann', { permission: { canSubscribe: true, canPublish: false, canPublishData: false } });
    assert.equal(changed.permission.canPublish, false);
    await until('her tracks are gone', async () => (await seenByBob('tracks')).length === 0);
    assert.equal(await seenByBob('canPublish'), false);
    const error = await ann.evaluate(() => window.room.localParticipant.publishTrack(document.createElement('canvas').captureStream().getVideoTracks()[0])
      .then(() => 'published', (e) => e.name));
    assert.notEqual(error, 'published');
  });

  test('a participant is removed, and answered once it is gone', async () => {
    await rooms.removeParticipant(ROOM, 'ann');
    assert.deepEqual((await rooms.listParticipants(ROOM)).map((one) => one.identity), ['bob']);
    await until('the SDK says so', () => ann.evaluate(() => window.events.some((e) => e.name === 'disconnected' && e.reason === 'PARTICIPANT_REMOVED')));
    assert.deepEqual(await refused(rooms.removeParticipant(ROOM, 'ann')), [404, 'not_found', 'participant does not exist']);
  });
});

describe('the protobuf form', () => {
  test('the same methods, answers of the same type', async () => {
    const created = await postProtobuf('CreateRoom', new CreateRoomRequest({ name: 'binary', metadata: 'm', emptyTimeout: 60 }), { roomCreate: true });
    assert.deepEqual([created.status, created.type], [200, 'application/protobuf']);
    const room = Room.fromBinary(created.bytes);
    assert.deepEqual([room.name, room.metadata, room.emptyTimeout], ['binary', 'm', 60]);
    const ann = await RawClient.open(daemon, await jwt('binary', 'ann'));
    await ann.wait('join');
    const listed = await postProtobuf('ListRooms', new ListRoomsRequest({ names: ['binary'] }), { roomList: true });
    assert.deepEqual(ListRoomsResponse.fromBinary(listed.bytes).rooms.map((one) => [one.sid, one.numParticipants]), [[room.sid, 1]]);
    const people = await postProtobuf('ListParticipants', new ListParticipantsRequest({ room: 'binary' }), { roomAdmin: true, room: 'binary' });
    assert.deepEqual(ListParticipantsResponse.fromBinary(people.bytes).participants.map((one) => one.identity), ['ann']);
    const deleted = await postProtobuf('DeleteRoom', new DeleteRoomRequest({ room: 'binary' }), { roomCreate: true });
    assert.deepEqual([deleted.status, deleted.bytes.length], [200, 0]);
    await ann.expectDismissed();
    ann.stop();
  });

  test('errors are JSON there, too', async () => {
    const unknown = await postProtobuf('DeleteRoom', new DeleteRoomRequest({ room: 'nowhere' }), { roomCreate: true });
    assert.deepEqual([unknown.status, unknown.type, unknown.json()],
      [404, 'application/json', { code: 'not_found', msg: 'requested room does not exist' }]);
    const broken = await post('DeleteRoom', Buffer.from([0x0a, 0x7f]), { token: await adminToken({ roomCreate: true }), type: 'application/protobuf' });
    assert.deepEqual([broken.status, broken.json().code], [400, 'malformed']);
  });
});

describe('who may call', () => {
  test('a token of the right key, with the right grant, for just this room', async () => {
    const codeOf = async (method, fields, token) => {
      const answer = await post(method, JSON.stringify(fields), { token });
      return answer.status === 200 ? 'ok' : answer.json().code;
    };
    assert.equal(await codeOf('ListRooms', {}, undefined), 'unauthenticated');
    assert.equal(await codeOf('ListRooms', {}, await adminToken({ roomList: true }, { ...dev, apiSecret: 'another secret' })), 'unauthenticated');
    assert.equal(await codeOf('ListRooms', {}, await adminToken({ roomCreate: true })), 'unauthenticated');
    assert.equal(await codeOf('ListParticipants', { room: 'here' }, await adminToken({ roomAdmin: true, room: 'there' })), 'unauthenticated');
    assert.equal(await codeOf('ListParticipants', { room: 'here' }, await adminToken({ roomAdmin: true, room: 'here' })), 'ok');
    assert.equal(await codeOf('ListRooms', {}, await jwt('here', 'ann')), 'unauthenticated', 'a token that joins');
  });

  test('a key that was not made for it opens doors and manages nothing; nor does the AppId', async () => {
    const plain = { apiKey: 'APIplain', apiSecret: secretKey('the API secret', 'secret of the plain key') };
    const boss = { apiKey: 'APIboss', apiSecret: secretKey('the API secret', 'secret of the managing key') };
    const add = (keys, more) => call(daemon, 'AddApiKey', { AppId: dev.appId, ApiKey: keys.apiKey, ApiSecret: keys.apiSecret, ...more },
      { version: '2026-12-01' });
    assert.equal((await add(plain)).status, 200);
    assert.deepEqual((await add(boss, { Management: true })).json.Result.App.ManagementKeys, ['devkey', 'APIboss']);
    assert.deepEqual((await refused(clientOf(plain).listRooms())).slice(0, 2), [403, 'permission_denied']);
    assert.deepEqual((await refused(clientOf({ apiKey: dev.appId, apiSecret: dev.appKey }).listRooms())).slice(0, 2), [403, 'permission_denied']);
    assert.ok(Array.isArray(await clientOf(boss).listRooms()));
    const ann = await RawClient.open(daemon, await jwt('plain', 'ann', { keys: plain }));
    await ann.wait('join');
    ann.stop();
  });
});

describe('routes', () => {
  test('what is not there is a bad route', async () => {
    const token = await adminToken({ roomList: true });
    for (const [method, options] of [['Nothing', {}], ['ListRooms', { service: 'livekit.Egress' }], ['ListRooms', { verb: 'GET' }],
      ['ListRooms', { type: 'text/plain' }]]) {
      const answer = await post(method, '{}', { token, ...options });
      assert.deepEqual([answer.status, answer.type, answer.json().code], [404, 'application/json', 'bad_route'], JSON.stringify([method, options]));
    }
  });

  test('a body that is too long, or is no JSON, is refused in the same form', async () => {
    const token = await adminToken({ roomList: true });
    const long = await post('ListRooms', JSON.stringify({ names: ['x'.repeat(300_000)] }), { token });
    assert.deepEqual([long.status, long.json().code], [413, 'malformed']);
    const bad = await post('ListRooms', '{"names":', { token });
    assert.deepEqual([bad.status, bad.json().code], [400, 'malformed']);
  });

  test('calls beyond the quota wait', async () => {
    const token = await adminToken({ roomList: true });
    const answers = await Promise.all(Array.from({ length: 60 }, () => post('ListRooms', '{}', { token })));
    const over = answers.filter((answer) => answer.status === 429);
    assert.ok(over.length > 0 && over.length < 60, `${over.length} of 60`);
    assert.equal(over[0].json().code, 'resource_exhausted');
  });
});
