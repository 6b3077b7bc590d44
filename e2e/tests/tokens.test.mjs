// The vendor's 001 tokens over the wire (vendor-contract 4, DESIGN 4): who may join which room with which key, what a missing
// privilege takes away, how a session ends with its token, and how it goes on with a newer one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { neighbour, twoAccounts } from '../lib/accounts.mjs';
import { Daemon, sleep, until } from '../lib/daemon.mjs';
import { send } from '../lib/gateway.mjs';
import { Native } from '../lib/native.mjs';
import { Peer } from '../lib/peer.mjs';
import { joinPathOf, RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt, token001 } from '../lib/tokens.mjs';

let daemon, config;
const opened = [];
before(async () => {
  config = twoAccounts();
  daemon = await Daemon.start({ args: config.args });
  await config.makeApps(daemon);
});
after(async () => {
  for (const one of opened) await one.stop();
  await daemon?.stop();
  config?.remove();
});

const ofNeighbour = (more = {}) => ({ appId: neighbour.appId, appKey: neighbour.appKey, ...more });
const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;
const untilSecond = (second, moreMs = 0) => sleep(second * 1000 + moreMs - Date.now());
const metric = async (name) => (await daemon.metrics()).get(name);

function keep(client) {
  opened.push(client);
  return client;
}

// Joins without a transport; the join names this room and this user.
async function enter(token, room, user, options = {}) {
  const client = keep(await RawClient.open(daemon, token, options));
  assert.equal(client.refused, null, JSON.stringify(client.refused));
  const { join } = await client.wait('join');
  assert.deepEqual([join.room.name, join.participant.identity], [room, user]);
  return client;
}
const enterWithData = async (token) => keep(await RawClient.openWithData(daemon, token));

// At the upgrade and on the validate path alike.
async function refused(token, status, code, options = {}) {
  const { refused: atUpgrade } = keep(await RawClient.open(daemon, token, options));
  const path = joinPathOf(token, options).replace('/rtc/v1?', '/rtc/v1/validate?');
  const atValidate = await send(daemon, { path });
  for (const answer of [atUpgrade, { status: atValidate.status, body: atValidate.text }])
    assert.deepEqual([answer?.status, JSON.parse(answer?.body ?? '{}').code], [status, code], JSON.stringify(answer));
}

const errors = (client) => client.data('atrium.error').map((one) => JSON.parse(one.text).code);

describe('a 001 token', () => {
  test('signed with either key of the app lets its user in', async () => {
    await enter(token001('keys', 'ann', ofNeighbour()), 'keys', 'ann');
    await enter(token001('keys', 'ben', ofNeighbour({ appKey: neighbour.secondaryAppKey })), 'keys', 'ben');
  });

  test('signed with another app\'s key, or an empty one where the app has no second key, does not', async () => {
    await refused(token001('keys', 'eve', { appKey: neighbour.appKey }), 401, -1000);
    await refused(token001('keys', 'eve', { appKey: neighbour.secondaryAppKey }), 401, -1000);
    await refused(token001('keys', 'eve', { appKey: '' }), 401, -1000);
    await refused(token001('keys', 'eve', { appId: neighbour.appId }), 401, -1000);
  });

  test('that has expired does not', async () => {
    await refused(token001('keys', 'late', { expireAt: inSeconds(-2) }), 401, -1000);
    await refused(token001('keys', 'late', ofNeighbour({ expireAt: 1 })), 401, -1000);
  });

  test('with + and / in its base64 is read in the query and in the header', async () => {
    let token;
    for (let nonce = 1; !(token?.includes('+') && token.includes('/')); nonce++) token = token001('base64', 'ann', { nonce });
    (await enter(token, 'base64', 'ann')).stop();
    (await enter(token, 'base64', 'ann', { inHeader: true })).stop();
  });
});

describe('a token for all rooms', () => {
  const rooms = ['plain', 'Zürich, hall 3', 'a/b?c#d&e=%2F'];

  test('joins each room that the URL names', async () => {
    const token = token001('*', 'ann');
    for (const room of rooms) await enter(token, room, 'ann', { prefix: `/r/${encodeURIComponent(room)}` });
    for (const room of rooms) assert.deepEqual(await onlineUsers(daemon, room), ['ann'], room);
  });

  test('joins with an SDK and with our own client, whose URLs have that path', async () => {
    const url = `${daemon.ws}/r/${encodeURIComponent('wild, with media')}`;
    const native = keep(await Native.start());
    await native.join(url, token001('*', 'nat'), { publish: false });
    const peer = keep(Peer.start({ ws: url }, token001('*', 'pia'), ['--publish', 'audio', '--duration-ms', '6000']));
    await peer.wait('connected');
    await native.wait('trackSubscribed', (e) => e.identity === 'pia');
    assert.deepEqual((await onlineUsers(daemon, 'wild, with media')).sort(), ['nat', 'pia']);
    await native.stop();
    await until('nobody subscribes any more', async () => (await metric('atrium_subscriptions')) === 0);
  });

  test('is refused where the URL names none, or one that the app does not allow', async () => {
    await refused(token001('*', 'ann'), 400, -1007);
    await refused(token001('*', 'ann', ofNeighbour()), 400, -1007, { prefix: '/r/has%20space' });
    await refused(token001('*', 'ann'), 400, -1007, { prefix: '/r/a%0Ab' });
  });
});

describe('a room in the URL', () => {
  test('must be the token\'s', async () => {
    await refused(await jwt('one', 'ann'), 401, -1000, { prefix: '/r/another' });
    await refused(token001('one', 'ann'), 401, -1000, { prefix: '/r/another' });
    await refused(await jwt('*', 'ann'), 401, -1000, { prefix: '/r/another' });
    await enter(await jwt('the same', 'ann'), 'the same', 'ann', { prefix: '/r/the%20same' });
    await enter(token001('the same', 'ben'), 'the same', 'ben', { prefix: '/r/the%20same' });
  });
});

describe('a missing privilege', () => {
  const microphone = { cid: 'c1', name: 'mic', type: 'AUDIO', source: 'MICROPHONE' };

  test('0: the user is in and may not publish', async () => {
    const past = { 0: inSeconds(-10), 4: 0 };
    for (const [user, privileges] of [['none', { 4: 0 }], ['over', past], ['nothing', {}]]) {
      const client = await enter(token001('silent', user, { privileges }), 'silent', user);
      assert.equal(client.seen('join').join.participant.permission.canPublish, false, user);
      client.send({ addTrack: microphone });
      const { requestResponse } = await client.wait('requestResponse');
      assert.equal(requestResponse.reason, 'NOT_ALLOWED', user);
      assert.equal(requestResponse.addTrack.cid, 'c1', user);
      assert.equal(client.seen('trackPublished'), undefined, user);
    }
    const allowed = await enter(token001('silent', 'all'), 'silent', 'all');
    allowed.send({ addTrack: microphone });
    assert.equal((await allowed.wait('trackPublished')).trackPublished.cid, 'c1', 'with privilege 0 the same is granted');
  });

  test('0: its data messages reach nobody', async () => {
    const dropped = 'atrium_drops_total{reason="DataNotPermitted"}';
    const before = await metric(dropped);
    const silent = await enterWithData(token001('data', 'silent', { privileges: { 4: 0 } }));
    const talker = await enterWithData(token001('data', 'talker'));
    const hearer = await enterWithData(token001('data', 'hearer', { privileges: { 4: 0 } }));
    silent.sendData('chat', 'from the silent');
    await until('it is dropped under its reason', async () => (await metric(dropped)) === before + 1);
    talker.sendData('chat', 'from the talker');
    await until('what is allowed arrives', () => hearer.data('chat').length > 0);
    assert.deepEqual(hearer.data('chat').map((one) => one.from), ['talker']);
    assert.deepEqual(talker.data('chat'), []);
  });

  test('4: the user is in and sees nobody\'s tracks', async () => {
    const start = (user, privileges, publish) => keep(Peer.start(daemon, token001('blind', user, { privileges }),
      ['--duration-ms', '30000', ...(publish ? ['--publish', 'audio,video'] : [])]));
    const talker = start('talker', { 0: 0 }, true);
    const seeing = start('seeing', { 4: 0 });
    const blind = start('blind', { 0: 0 });
    await Promise.all([talker, seeing, blind].map((peer) => peer.wait('connected')));
    await until('who may subscribe has both tracks', () => seeing.all('track').length === 2);
    assert.equal(await metric('atrium_subscriptions'), 2, 'and nobody else subscribes');
    const asking = await enter(token001('blind', 'asking', { privileges: { 0: 0, 4: inSeconds(-10) } }), 'blind', 'asking');
    const { join } = asking.seen('join');
    assert.equal(join.participant.permission.canSubscribe, false);
    const tracks = join.otherParticipants.find((one) => one.identity === 'talker').tracks.map((track) => track.sid);
    assert.equal(tracks.length, 2, 'it is told of them all the same');
    asking.send({ subscription: { trackSids: tracks, subscribe: true } });
    const { requestResponse } = await asking.wait('requestResponse');
    assert.equal(requestResponse.reason, 'NOT_ALLOWED');
    assert.equal(await metric('atrium_subscriptions'), 2);
    assert.deepEqual(blind.all('track'), []);
    assert.equal(asking.seen('mediaSectionsRequirement'), undefined);
  });
});

describe('a session', { concurrency: true }, () => {
  const goneFrom = (client, user) => client.log.some((one) => one.kind === 'update' && one.update.participants.some((p) => p.identity === user && p.state === 'DISCONNECTED'));

  // Closed with 4009 after a leave, within its last second and little more.
  async function endsAt(client, second) {
    await until('it is closed', () => client.seen('close'), second * 1000 + 5000 - Date.now(), 5);
    const now = Date.now() / 1000;
    assert.ok(now >= second && now < second + 1.5, `it ended ${(now - second).toFixed(2)} s after its token`);
    assert.equal(client.seen('close').code, 4009);
    const { leave } = client.seen('leave');
    assert.deepEqual([leave.reason, leave.action], ['PARTICIPANT_REMOVED', 'DISCONNECT']);
  }

  test('ends with its token: warned, told -1009, then leave, then 4009; and the token is no way back', async () => {
    const witness = await enter(await jwt('ending', 'witness'), 'ending', 'witness');
    const expireAt = inSeconds(5);
    const token = token001('ending', 'ann', { expireAt });
    const ann = await enterWithData(token);
    const [warning] = await until('it is warned', () => ann.data('atrium.token_will_expire').length > 0 && ann.data('atrium.token_will_expire'));
    assert.deepEqual(JSON.parse(warning.text), { expiresAt: expireAt * 1000 });
    assert.equal(warning.from, '', 'no sender');
    await endsAt(ann, expireAt);
    assert.deepEqual(ann.log.filter((one) => ['data', 'leave', 'close'].includes(one.kind)).map((one) => one.topic ?? one.kind),
      ['atrium.token_will_expire', 'atrium.error', 'leave', 'close']);
    const [notice] = ann.data('atrium.error');
    const { code, name } = JSON.parse(notice.text);
    assert.deepEqual([code, name, notice.from], [-1009, 'TOKEN_EXPIRED', '']);
    await until('the others hear that it left', () => goneFrom(witness, 'ann'));
    assert.deepEqual(await onlineUsers(daemon, 'ending'), ['witness']);
    await untilSecond(expireAt + 1);
    await refused(token, 401, -1000);
    await refused(token, 401, -1000, { resume: ann.sid });
    await enter(token001('ending', 'ann', { expireAt: inSeconds(60) }), 'ending', 'ann');
  });

  test('without a data channel it is told by signalling alone', async () => {
    const expireAt = inSeconds(3);
    await endsAt(await enter(token001('ending mute', 'ann', { expireAt }), 'ending mute', 'ann'), expireAt);
  });

  test('of a token without end, and of a JWT that ran out, goes on', async () => {
    const endless = await enter(token001('endless', 'ann'), 'endless', 'ann');
    const brief = await enter(await jwt('endless', 'ben', { ttl: '2s' }), 'endless', 'ben');
    await sleep(4000);
    for (const client of [endless, brief]) assert.equal(client.seen('leave') ?? client.seen('close'), undefined);
    assert.deepEqual((await onlineUsers(daemon, 'endless')).sort(), ['ann', 'ben']);
  });

  test('loses with a privilege what that gave, is told -1002 or -1003, and goes on', async () => {
    const end = inSeconds(5);
    const [talker, eye, mouth] = [['talker', { 0: 0 }], ['eye', { 4: end }], ['mouth', { 0: end }]].map(([user, privileges]) =>
      keep(Peer.start(daemon, token001('privileges', user, { privileges }), [...('0' in privileges ? ['--publish', 'audio,video'] : []),
        '--duration-ms', String(end * 1000 + 2000 - Date.now())])));
    const witness = await enter(token001('privileges', 'witness'), 'privileges', 'witness');
    await until('the eye has four tracks', () => eye.all('track').length === 4);
    for (const [peer, code] of [[eye, -1003], [mouth, -1002]]) {
      const { payload, at_ms: at } = await peer.wait('data', (line) => line.topic === 'atrium.error');
      assert.equal(JSON.parse(payload).code, code);
      assert.ok(at >= end * 1000 && at < end * 1000 + 1500, `${code} came ${at - end * 1000} ms after the end`);
    }
    await until('the others know that the mouth has no tracks', () => witness.log.some((one) => one.kind === 'update'
      && one.update.participants.some((p) => p.identity === 'mouth' && p.tracks.length === 0 && !p.permission.canPublish && p.state === 'ACTIVE')));
    const [seen, ...others] = await Promise.all([eye, talker, mouth].map((peer) => peer.counters()));
    assert.ok(seen.rtp_before_cut > 50 && seen.last_rtp_at_ms < end * 1000 + 1500, `its last packet came at ${seen.last_rtp_at_ms - end * 1000} ms`);
    for (const counters of [seen, ...others]) assert.deepEqual([counters.leave, counters.close_code], [null, null]);
  });

  test('loses with privilege 0 the right to send data, too', async () => {
    const end = inSeconds(4);
    const mouth = await enterWithData(token001('silenced', 'mouth', { privileges: { 0: end, 4: 0 } }));
    const witness = await enterWithData(await jwt('silenced', 'witness'));
    mouth.sendData('chat', 'before');
    await until('its data arrives', () => witness.data('chat').length === 1);
    await until('it is told', () => errors(mouth).includes(-1002));
    mouth.sendData('chat', 'after');
    witness.sendData('chat', 'of the witness');
    await until('the other way goes on', () => mouth.data('chat').length === 1);
    assert.equal(witness.data('chat').length, 1, 'nothing of it came after the end');
  });

  test('is renewed by a token for all rooms, which takes its room from the session', async () => {
    const expireAt = inSeconds(4);
    const ann = await enterWithData(token001('renewed wide', 'ann', { expireAt }));
    ann.sendData('atrium.token', token001('*', 'ann', { expireAt: expireAt + 4 }));
    await untilSecond(expireAt, 1500);
    assert.equal(ann.seen('leave') ?? ann.seen('close'), undefined, 'it outlives its first token');
    assert.deepEqual(errors(ann), []);
    await endsAt(ann, expireAt + 4);
  });

  test('is renewed by a message to the server alone, and ends with the newer token', async () => {
    const expireAt = inSeconds(5);
    const ann = await enterWithData(token001('renewed', 'ann', { expireAt }));
    const witness = await enterWithData(await jwt('renewed', 'witness'));
    ann.sendData('atrium.token', token001('renewed', 'ann', { expireAt: expireAt + 4 }));
    await untilSecond(expireAt, 1500);
    assert.equal(ann.seen('leave') ?? ann.seen('close'), undefined, 'it outlives its first token');
    assert.deepEqual(errors(ann), []);
    ann.sendData('chat', 'still here');
    await until('its data goes on', () => witness.data('chat').length > 0);
    assert.deepEqual(witness.log.filter((one) => one.kind === 'data').map((one) => one.topic), ['chat'], 'nobody else saw the token');
    await endsAt(ann, expireAt + 4);
    assert.deepEqual(errors(ann), [-1009]);
  });

  test('is not renewed by a bad token: -1010 for each, and the former one stays in force', async () => {
    const expireAt = inSeconds(14), later = { expireAt: inSeconds(600) };
    const ann = await enterWithData(token001('badly renewed', 'ann', { expireAt }));
    const bad = ['nonsense', '', token001('badly renewed', 'ann', { ...later, appKey: 'not the key' }), token001('badly renewed', 'ben', later),
      token001('another room', 'ann', later), token001('badly renewed', 'ann', ofNeighbour(later)), await jwt('badly renewed', 'ann'),
      token001('badly renewed', 'ann', { expireAt: inSeconds(-5) })];
    for (const [i, token] of bad.entries()) {
      ann.sendData('atrium.token', token);
      await until(`-1010 comes for number ${i}`, () => errors(ann).length > i);
      assert.equal(errors(ann)[i], -1010);
      await sleep(1050); // the server hears one token a second of each client
    }
    assert.ok(Date.now() / 1000 < expireAt, 'all of that was before the end');
    await endsAt(ann, expireAt);
    assert.deepEqual(errors(ann), [...bad.map(() => -1010), -1009]);
  });

  test('is renewed by a resume with a newer token', async () => {
    const expireAt = inSeconds(4);
    const first = await enter(token001('resumed', 'ann', { expireAt }), 'resumed', 'ann');
    first.socket.terminate();
    const second = keep(await RawClient.open(daemon, token001('resumed', 'ann', { expireAt: expireAt + 3 }), { resume: first.sid }));
    await second.wait('reconnect');
    await untilSecond(expireAt, 1500);
    assert.equal(second.seen('leave') ?? second.seen('close'), undefined, 'it outlives its first token');
    await endsAt(second, expireAt + 3);
  });
});
