// Many lives one after the other: join, dismissal, leave and 4011, again; several rooms at a time.  Every table is empty at the
// end and no descriptor is left behind.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dismiss } from '../lib/api.mjs';
import { Daemon, sleep, until } from '../lib/daemon.mjs';
import { RawClient } from '../lib/raw.mjs';
import { jwt } from '../lib/tokens.mjs';

const rounds = Number(process.env.ATRIUM_E2E_ROUNDS ?? 1000);
const workers = 8;
let daemon;
before(async () => { daemon = await Daemon.start(); });
after(async () => { await daemon?.stop(); });

// Dismisses under the account's quota: an answer 429 is waited out, as its Retry-After says.
async function dismissWhenAllowed(room) {
  for (;;) {
    const answer = await dismiss(daemon, room);
    if (answer.status !== 429) return answer;
    assert.equal(answer.json.ResponseMetadata.Error.Code, 'FlowLimitExceeded.QPSOverLimit');
    const seconds = Number(answer.headers.get('retry-after'));
    assert.ok(seconds >= 1 && seconds <= 2, `Retry-After ${seconds}`);
    await sleep(seconds * 1000);
  }
}

// A user of its own for each round: who was told before media stood is refused once on the same token.
async function round(room, number, lives) {
  const client = await RawClient.open(daemon, await jwt(room, `user-${number}`));
  assert.equal(client.refused, null, JSON.stringify(client.refused));
  await client.wait('join');
  lives.add(client.roomSid);
  const { status, json } = await dismissWhenAllowed(room);
  assert.equal(status, 200, JSON.stringify(json));
  await client.expectDismissed();
}

test(`${rounds} rounds of join and dismissal leave nothing behind`, { timeout: 240_000 }, async () => {
  await round('warm-up', 0, new Set());
  await sleep(600); // what lingers after a close does so for 500 ms
  const descriptors = await daemon.openDescriptors();
  const lives = new Set();
  let next = 0;
  await Promise.all(Array.from({ length: workers }, async (_, worker) => {
    while (next < rounds) await round(`round-room-${worker}`, next++, lives);
  }));
  assert.equal(lives.size, rounds, 'every round had a life of its own');
  const metrics = await daemon.metrics();
  for (const gauge of ['rooms', 'rooms_dismissing', 'users', 'tracks', 'subscriptions', 'transports', 'forwarders'])
    assert.equal(metrics.get(`atrium_${gauge}`), 0, gauge);
  assert.equal(metrics.get('atrium_dismissed_users_total'), rounds + 1);
  assert.equal(metrics.get('atrium_dismissed_users_not_notified_total'), 0);
  await until('descriptors are back at baseline', async () => (await daemon.openDescriptors()) <= descriptors + 1, 15000, 200);
});
