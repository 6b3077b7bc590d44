// Many lives one after the other: join, dismissal, leave and 4011, again; several rooms at a time, and the same users in each
// round.  In every tenth round they are two whose transports stand, in every twentieth they also publish.  Every table is empty at
// the end and no descriptor is left behind.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dismiss } from '../lib/api.mjs';
import { Daemon, sleep, until } from '../lib/daemon.mjs';
import { Peer } from '../lib/peer.mjs';
import { RawClient } from '../lib/raw.mjs';
import { jwt } from '../lib/tokens.mjs';

const rounds = Number(process.env.ATRIUM_E2E_ROUNDS ?? 1000);
const workers = 8;
const tally = { lives: new Set(), users: 0, transports: 0, unacknowledged: 0 };
let daemon;
before(async () => { daemon = await Daemon.start(); });
after(async () => { await daemon?.stop(); });

// Dismisses under the account's quota: an answer 429 is waited out, as its Retry-After says.
async function dismissWhenAllowed(room) {
  for (;;) {
    const answer = await dismiss(daemon, room, { Receipt: true });
    if (answer.status !== 429) return answer;
    assert.equal(answer.json.ResponseMetadata.Error.Code, 'FlowLimitExceeded.QPSOverLimit');
    const seconds = Number(answer.headers.get('retry-after'));
    assert.ok(seconds >= 1 && seconds <= 2, `Retry-After ${seconds}`);
    await sleep(seconds * 1000);
  }
}

// Ends the life in which these users are, of whom so many have a transport; yields who was told over its data channel.
async function dissolve(room, sid, users, transports) {
  const { status, json } = await dismissWhenAllowed(room);
  assert.equal(status, 200, JSON.stringify(json));
  const receipt = json.Result.Receipt;
  assert.deepEqual([receipt.RoomSessionId, receipt.UsersAtFence, receipt.TransportsAtFence, receipt.TransportsClosed, receipt.PacketsAfterCut],
    [sid, users.length, transports, transports, 0], JSON.stringify(receipt));
  // A machine may be too busy for an acknowledgement within 200 ms; nothing else keeps anybody here from being told.
  for (const { Reason } of receipt.NotNotifiedUsers) assert.equal(Reason, 'unacknowledged', JSON.stringify(receipt));
  assert.equal(receipt.Notified + receipt.NotNotifiedUsers.length, users.length);
  assert.ok(!tally.lives.has(sid), 'every round has a life of its own');
  tally.lives.add(sid);
  tally.users += users.length;
  tally.transports += transports;
  tally.unacknowledged += receipt.NotNotifiedUsers.length;
  return users.filter((user) => !receipt.NotNotifiedUsers.some((one) => one.UserId === user));
}

// A token of its own for each round, or it would be the same text again within a second: who was told before media stood is
// refused once on the same token.
const tokenFor = (room, user, number) => jwt(room, user, { name: `in round ${number}` });

async function enter(room, user, number, open) {
  const client = await open(daemon, await tokenFor(room, user, number));
  assert.equal(client.refused, null, JSON.stringify(client.refused));
  await client.wait('join');
  return client;
}

async function signallingRound(room, number) {
  const client = await enter(room, 'ann', number, RawClient.open);
  await dissolve(room, client.roomSid, ['ann'], 0);
  await client.expectDismissed();
}

// ICE, DTLS and a data channel each, over which they have heard each other in this life and nobody else.
async function transportsRound(room, number) {
  const users = ['ann', 'ben'];
  const clients = await Promise.all(users.map((user) => enter(room, user, number, RawClient.openWithData)));
  for (const client of clients) client.sendData('chat', `round ${number}`);
  await until('they hear each other', () => clients.every((client) => client.data('chat').length > 0), 15000, 5);
  const heard = await dissolve(room, clients[0].roomSid, users, 2);
  for (const [i, client] of clients.entries()) {
    await client.expectDismissed();
    assert.deepEqual(client.data('chat').map((one) => [one.from, one.text]), [[users[1 - i], `round ${number}`]]);
    if (heard.includes(users[i])) await until('the data message is there', () => client.data('atrium.error').length > 0);
    for (const { text } of client.data('atrium.error')) assert.equal(JSON.parse(text).code, -1011);
    client.stop();
  }
}

async function publishingRound(room, number) {
  const users = ['ann', 'ben'];
  const peers = await Promise.all(users.map(async (user) =>
    Peer.start(daemon, await tokenFor(room, user, number), ['--publish', 'audio,video', '--data-every-ms', '20'])));
  for (const peer of peers)
    await peer.wait('data', () => peer.all('track').length === 2 && peer.all('data').length >= 10);
  const heard = await dissolve(room, peers[0].seen('joined').room_sid, users, 2);
  for (const [i, peer] of peers.entries()) {
    const counters = await peer.counters();
    assert.ok(counters.rtp_before_cut > 0);
    assert.deepEqual([counters.rtp_after_notice, counters.data_after_notice, counters.leave, counters.close_code], [0, 0, 5, 4011]);
    if (heard.includes(users[i])) assert.deepEqual(counters.order, ['data', 'leave', 'close']);
  }
}

function round(room, number) {
  const kind = number % 20 === 0 ? publishingRound : number % 10 === 0 ? transportsRound : signallingRound;
  return kind(room, number);
}

test(`${rounds} rounds of join and dismissal leave nothing behind`, { timeout: 240_000 }, async () => {
  for (const warmUp of [signallingRound, transportsRound, publishingRound]) await warmUp('warm-up', warmUp.name);
  await sleep(600); // what lingers after a close does so for 500 ms
  const descriptors = await daemon.openDescriptors();
  let next = 0;
  await Promise.all(Array.from({ length: workers }, async (_, worker) => {
    while (next < rounds) await round(`round-room-${worker}`, next++);
  }));
  assert.equal(tally.lives.size, rounds + 3);
  assert.ok(tally.unacknowledged <= tally.transports / 20, `${tally.unacknowledged} of ${tally.transports} did not acknowledge`);
  const metrics = await daemon.metrics();
  for (const gauge of ['rooms', 'rooms_dismissing', 'users', 'tracks', 'subscriptions', 'transports', 'forwarders'])
    assert.equal(metrics.get(`atrium_${gauge}`), 0, gauge);
  assert.equal(metrics.get('atrium_dismissed_users_total'), tally.users);
  assert.equal(metrics.get('atrium_dismissed_users_not_notified_total'), tally.unacknowledged);
  assert.equal(metrics.get('atrium_packets_after_cut_total'), 0);
  await until('descriptors are back at baseline', async () => (await daemon.openDescriptors()) <= descriptors + 1, 15000, 200);
  if (process.env.ATRIUM_E2E_VERBOSE) console.log(JSON.stringify({ ...tally, lives: tally.lives.size }));
});
