// Backends are told of events: in the vendor's words by both ways to ask for them, in LiveKit's as its server SDK verifies
// them; nothing is lost while the backend is down, and nothing goes where it may not.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WebhookReceiver } from 'livekit-server-sdk';
import { call, dismiss, vendorAction } from '../lib/api.mjs';
import { secretKey } from '../lib/canary.mjs';
import { Consumer, dataOf, loopbackAllowed, typeOf, vendorSignature } from '../lib/consumer.mjs';
import { Daemon, dev, sleep, until } from '../lib/daemon.mjs';
import { ask } from '../lib/gateway.mjs';
import { RawClient } from '../lib/raw.mjs';
import { jwt } from '../lib/tokens.mjs';

const own = { version: '2026-12-01' };
const SECRET = secretKey('the SecretKey of a webhook', 'Wh00kSecretOfOurs-4711-abcdefghijk');
const CALLBACK_SECRET = secretKey('the SecretKey of a callback', 'CallbackSecret-of-the-vendor-0815-xyz');

let consumer, daemon;
before(async () => {
  consumer = await Consumer.start();
  daemon = await Daemon.start({ args: loopbackAllowed });
});
after(async () => {
  await daemon?.stop();
  await consumer?.down();
});

async function done(answer) {
  const { status, json, text } = await answer;
  assert.equal(status, 200, text);
  return json.Result;
}
const createWebhook = (fields, on = daemon) => done(call(on, 'CreateWebhook', { AppId: dev.appId, ...fields }, own));
const remove = (id, on = daemon) => done(call(on, 'DeleteWebhook', { AppId: dev.appId, WebhookId: id }, own));

async function enter(room, ...users) {
  const clients = [];
  for (const [i, user] of users.entries()) {
    const client = await RawClient.open(daemon, await jwt(room, user, { name: `${user}-${i}-${Math.random()}` }));
    await client.wait('join');
    clients.push(client);
  }
  return clients;
}

// A room's life: two users come, and it is dismissed.
async function lifeOf(room) {
  const clients = await enter(room, 'ann', 'bob');
  const answer = await dismiss(daemon, room, { Receipt: true, Reason: 'the lesson is over' });
  assert.equal(answer.status, 200, answer.text);
  for (const client of clients) {
    await client.expectDismissed();
    client.stop();
  }
  return { sid: clients[0].roomSid, operation: answer.json.Result.Receipt.OperationId };
}

const LIFE = ['UserJoinRoom', 'UserJoinRoom', 'UserLeaveRoom', 'UserLeaveRoom', 'RoomDestroy'];

function assertVendorEnvelope(json, secret) {
  assert.equal(json.Signature, vendorSignature(json, secret));
  assert.match(json.Nonce, /^\d{4}$/);
  assert.equal(json.Noce, json.Nonce, 'both spellings');
  assert.equal(json.Version, '2020-12-01');
  assert.equal(json.AppId, dev.appId);
  assert.match(json.EventTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
}

function assertVendorLife(events, room, { sid, operation }, secret) {
  assert.deepEqual(events.map(typeOf), LIFE);
  for (const event of events) {
    assertVendorEnvelope(event, secret);
    assert.equal(event.RoomSessionId, sid);
    assert.equal(dataOf(event).RoomId, room);
  }
  assert.deepEqual(events.slice(0, 2).map((event) => dataOf(event).UserId), ['ann', 'bob']);
  assert.deepEqual(events.slice(2, 4).map((event) => dataOf(event).UserId).sort(), ['ann', 'bob']);
  for (const event of events.slice(2, 4)) assert.equal(dataOf(event).Reason, 'roomDismissByAdmin');
  for (const event of events.slice(2)) assert.deepEqual(dataOf(event).ReasonDetail,
    { Code: -1011, Name: 'ROOM_DISMISS', Text: 'the lesson is over', OperationId: operation, Operator: dev.accessKey });
  assert.equal(new Set(events.map(({ EventId }) => EventId)).size, events.length);
}

describe('the vendor\'s callbacks', () => {
  test('asked for by CreateWebhook: joins, leaves by the dismissal, the end; each signed', async () => {
    const made = await createWebhook({ Url: consumer.url('/own'), Dialect: 'vendor', SecretKey: SECRET });
    assert.match(made.Webhook.WebhookId, /^WH_/);
    assert.ok(!JSON.stringify(made).includes(SECRET), 'the secret is not said again');
    const tried = await done(call(daemon, 'TestWebhook', { AppId: dev.appId, WebhookId: made.Webhook.WebhookId }, own));
    assert.deepEqual([tried.Delivered, tried.Status], [true, 200]);
    const life = await lifeOf('vendor-own');
    assertVendorLife(await consumer.takes('/own', 'vendor-own', 'RoomDestroy'), 'vendor-own', life, SECRET);
    await remove(made.Webhook.WebhookId);
  });

  test('asked for by CreateCallback, with the vendor\'s SDK: only the events that were chosen', async () => {
    const action = (name) => vendorAction(daemon, name);
    const fields = { AppId: dev.appId, BusinessId: 'school', URL: consumer.url('/callback'), SecretKey: CALLBACK_SECRET,
      EventList: ['UserLeaveRoom', 'RoomDestroy'] };
    assert.equal((await action('CreateCallback')(fields)).Result, 'success');
    const got = await call(daemon, 'GetCallback', { AppId: dev.appId }, { method: 'GET' });
    assert.deepEqual(got.json.Result.Callbacks.map(({ BusinessId, URL }) => [BusinessId, URL]), [['school', consumer.url('/callback')]]);
    const { operation } = await lifeOf('vendor-callback');
    const events = await consumer.takes('/callback', 'vendor-callback', 'RoomDestroy');
    assert.deepEqual(events.map(typeOf), LIFE.slice(2));
    for (const event of events) {
      assertVendorEnvelope(event, CALLBACK_SECRET);
      assert.equal(event.BusinessId, 'school');
      assert.equal(dataOf(event).ReasonDetail.OperationId, operation);
    }
    const dropped = await ask(daemon, { action: 'DeleteCallback', query: { AppId: dev.appId, BusinessId: 'school' } });
    assert.deepEqual([dropped.status, dropped.json?.Result], [200, 'success'], dropped.text);
    const left = await call(daemon, 'GetCallback', { AppId: dev.appId }, { method: 'GET' });
    assert.deepEqual(left.json.Result.Callbacks, []);
  });
});

describe('LiveKit\'s webhooks', () => {
  test('are what the server SDK\'s receiver believes, in order', async () => {
    const made = await createWebhook({ Url: consumer.url('/livekit'), Dialect: 'livekit' });
    const { sid } = await lifeOf('livekit-room');
    await consumer.takes('/livekit', 'livekit-room', 'room_finished');
    const receiver = new WebhookReceiver(dev.appId, dev.appKey);
    const events = [];
    for (const one of consumer.got.filter(({ path }) => path === '/livekit')) {
      assert.equal(one.headers['content-type'], 'application/webhook+json');
      events.push(await receiver.receive(one.text, one.headers.authorization));
      await assert.rejects(() => receiver.receive(`${one.text} `, one.headers.authorization), 'another body');
    }
    assert.deepEqual(events.map(({ event }) => event), ['room_started', 'participant_joined', 'participant_joined',
      'participant_left', 'participant_left', 'room_finished']);
    for (const event of events) assert.deepEqual([event.room.name, event.room.sid], ['livekit-room', sid]);
    assert.deepEqual(events.slice(1, 3).map(({ participant }) => participant.identity), ['ann', 'bob']);
    await remove(made.Webhook.WebhookId);
  });
});

describe('a consumer that is away', () => {
  test('misses nothing: order kept in each room, ids the same at each try, signatures made anew', async () => {
    const made = await createWebhook({ Url: consumer.url('/away'), Dialect: 'vendor', SecretKey: SECRET });
    const rooms = ['away-1', 'away-2', 'away-3'];
    consumer.status = ({ path }) => (path === '/away' ? 503 : 200);
    await lifeOf(rooms[0]);
    await until('it was tried more than once', () => consumer.got.filter(({ path }) => path === '/away').length >= 2);
    await consumer.down();
    for (const room of rooms.slice(1)) await lifeOf(room);
    await lifeOf(rooms[0]); // and another life of a name that has something waiting
    const listed = await done(call(daemon, 'ListWebhooks', { AppId: dev.appId }, { ...own, method: 'GET' }));
    const waiting = listed.Webhooks.find(({ WebhookId }) => WebhookId === made.Webhook.WebhookId);
    assert.ok(waiting.Waiting >= 10, `they wait: ${JSON.stringify(waiting)}`);
    assert.equal(waiting.DeadLetters, 0);
    consumer.status = () => 200;
    await consumer.up();
    await until('all has come', () => rooms.every((room, i) =>
      consumer.taken('/away', room).length === LIFE.length * (i === 0 ? 2 : 1)), 60000);
    for (const [i, room] of rooms.entries()) {
      const events = consumer.taken('/away', room);
      assert.deepEqual(events.map(typeOf), i === 0 ? [...LIFE, ...LIFE] : LIFE);
      const sequences = events.map(({ Sequence }) => Sequence);
      assert.deepEqual(sequences, sequences.slice().sort((a, b) => a - b), 'in order');
    }
    const { EventId: firstId } = consumer.taken('/away', rooms[0])[0];
    const first = consumer.got.filter(({ json, path }) => path === '/away' && json.EventId === firstId);
    assert.ok(first.length >= 2, 'the first was tried again under its id');
    assert.equal(new Set(first.map(({ json }) => json.EventData)).size, 1);
    assert.ok(new Set(first.map(({ json }) => `${json.Nonce} ${json.Signature}`)).size >= 2, 'signed anew');
    await remove(made.Webhook.WebhookId);
  });
});

describe('a destination that is not allowed', () => {
  test('sees no connection, and the test of the webhook says why', async () => {
    const strict = await Daemon.start();
    const untouched = await Consumer.start();
    try {
      const made = await createWebhook({ Url: untouched.url('/refused'), Dialect: 'vendor', SecretKey: SECRET }, strict);
      const tried = await done(call(strict, 'TestWebhook', { AppId: dev.appId, WebhookId: made.Webhook.WebhookId }, own));
      assert.equal(tried.Delivered, false);
      assert.match(tried.Why, /address 127\.0\.0\.1 is not allowed/);
      const ann = await RawClient.open(strict, await jwt('refused', 'ann'));
      await ann.wait('join');
      ann.stop();
      await until('the event waits', async () => {
        await sleep(100);
        const { Webhooks: [webhook] } = await done(call(strict, 'ListWebhooks', { AppId: dev.appId }, { ...own, method: 'GET' }));
        return webhook.Waiting > 0;
      });
      assert.equal(untouched.connections, 0);
    } finally {
      await untouched.down();
      await strict.stop();
    }
  });
});
