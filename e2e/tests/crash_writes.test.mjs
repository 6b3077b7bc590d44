// The process kills itself (SIGKILL) at a numbered write of its store, while bans and dismissals come in.  Whatever was
// acknowledged is kept here, outside; the next process on the same data must know all of it, and nothing half.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { describe, test } from 'node:test';
import { call, dismiss } from '../lib/api.mjs';
import { Daemon, binary, dev, until } from '../lib/daemon.mjs';
import { RawClient } from '../lib/raw.mjs';
import { jwt } from '../lib/tokens.mjs';

const own = { version: '2026-12-01' };
const ban = (daemon, fields) => call(daemon, 'BanRoomUser', { AppId: dev.appId, ForbiddenInterval: 3600, ...fields }, { version: '2023-11-01' });

// Calls until the process is gone; yields what it acknowledged and what it left without an answer.
async function callUntilItDies(daemon) {
  const acknowledged = { users: [], rooms: [], operations: [] };
  const unanswered = [];
  const attempt = async (what, calling, note) => {
    const answer = await calling().catch(() => null);
    if (answer === null) unanswered.push(what);
    else if (answer.status === 200) note(answer);
    else assert.fail(`${what}: ${answer.text}`);
  };
  for (let round = 0; !daemon.exit && unanswered.length === 0 && round < 200; ++round) {
    const room = `room-${round}`;
    const client = await RawClient.open(daemon, await jwt(room, 'guest')).catch(() => null);
    await attempt(`user-${round}`, () => ban(daemon, { RoomId: 'closed', UserId: `user-${round}` }), () => acknowledged.users.push(`user-${round}`));
    if (unanswered.length === 0)
      await attempt(room, () => dismiss(daemon, room, { Receipt: true }), ({ json }) => acknowledged.operations.push({ room, id: json.Result.Receipt.OperationId }));
    if (unanswered.length === 0)
      await attempt(`shut-${round}`, () => ban(daemon, { RoomId: `shut-${round}` }), () => acknowledged.rooms.push(`shut-${round}`));
    client?.stop();
  }
  return { acknowledged, unanswered };
}

async function codeAt(daemon, room, user) {
  const client = await RawClient.open(daemon, await jwt(room, user));
  const code = client.refused === null ? 0 : JSON.parse(client.refused.body).code;
  client.stop();
  return code;
}

async function crashAt(step) {
  const dataDir = await mkdtemp(joinPath(tmpdir(), 'atrium-crash-writes-'));
  try {
    await (await Daemon.start({ dataDir })).stop(); // the schema is made in peace
    const first = await Daemon.start({ dataDir, args: ['--fault', `kill_at_write=${step}`] });
    const { acknowledged, unanswered } = await callUntilItDies(first);
    assert.equal((await first.exited).signal, 'SIGKILL');
    assert.equal(unanswered.length, 1, 'the call that it died of');
    const second = await Daemon.start({ dataDir });
    for (const user of acknowledged.users) assert.equal(await codeAt(second, 'closed', user), -1026, user);
    for (const room of acknowledged.rooms) assert.equal(await codeAt(second, room, 'anybody'), -1025, room);
    for (const { room, id } of acknowledged.operations) {
      const { status, json } = await call(second, 'GetDismissal', { AppId: dev.appId, OperationId: id }, own);
      assert.equal(status, 200, JSON.stringify(json));
      assert.equal(json.Result.Receipt.State, 'done');
      assert.equal(json.Result.Receipt.RoomId, room);
    }
    // The rules of the list are those at the doors: what was not acknowledged is there or is not, and nothing in between.
    const { json } = await call(second, 'ListBans', { AppId: dev.appId, Limit: 100 }, own);
    const listed = json.Result.Bans.map((rule) => rule.UserId ?? rule.RoomId);
    const known = [...acknowledged.users, ...acknowledged.rooms];
    const extra = listed.filter((name) => !known.includes(name));
    assert.deepEqual(extra.filter((name) => !unanswered.includes(name)), [], 'no rule that nobody asked for');
    assert.deepEqual(known.filter((name) => !listed.includes(name)), []);
    for (const name of unanswered.filter((one) => !one.startsWith('room-'))) {
      const code = name.startsWith('user-') ? await codeAt(second, 'closed', name) : await codeAt(second, name, 'anybody');
      assert.equal(code !== 0, listed.includes(name), `${name}: door and list agree`);
    }
    await until('it takes writes', async () => (await ban(second, { RoomId: 'closed', UserId: 'last' })).status === 200);
    await second.stop();
    return acknowledged.users.length + acknowledged.rooms.length + acknowledged.operations.length;
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

describe('killed at a numbered write of the store', { concurrency: 2 }, () => {
  for (const step of [6, 17, 29, 38, 47, 66, 83, 120, 200, 290])
    test(`write ${step}: what was acknowledged holds`, async () => {
      const acknowledged = await crashAt(step);
      if (step >= 200) assert.ok(acknowledged >= 3, `only ${acknowledged} calls were acknowledged before: the crash comes too early to say much`);
    });
});

test('the fault is for --dev alone', () => {
  const { status, stderr } = spawnSync(binary('atriumd'), ['--check-config', '--fault', 'kill_at_write=7']);
  assert.equal(status, 2);
  assert.match(String(stderr), /fault: only with --dev/);
});
