// One key, one operation: however often it is asked, at once or later, before a kill and after it; and what was refused is
// not remembered.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { call, dismiss } from '../lib/api.mjs';
import { Daemon, dev } from '../lib/daemon.mjs';
import { RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

const own = { version: '2026-12-01' };
const keyed = (key, more = {}) => ({ ...more, headers: { 'Idempotency-Key': key } });
const isReplay = ({ headers }) => headers.get('idempotency-replayed') === 'true';
const requestIdOf = ({ json }) => json.ResponseMetadata.RequestId;

let lives = 0;
async function enter(daemon, room, user = 'ann') {
  // Tokens of one second and the same words would be the same token: the dismissed one's tombstone would refuse it.
  const client = await RawClient.open(daemon, await jwt(room, user, { name: `life ${++lives}` }));
  assert.equal(client.refused, null, client.refused?.body);
  await client.wait('join');
  return client;
}

function assertRefused(answer, code) {
  assert.equal(answer.status, 400, answer.text);
  assert.equal(answer.json.ResponseMetadata.Error.Code, code, answer.text);
}

describe('a hundred calls with one key', () => {
  const ROOM = 'hundred';
  let daemon, dataDir;
  before(async () => {
    dataDir = await mkdtemp(joinPath(tmpdir(), 'atrium-idempotency-'));
    daemon = await Daemon.start({ dataDir });
  });
  after(async () => {
    await daemon?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const hundred = () => Promise.all(Array.from({ length: 100 }, () => dismiss(daemon, ROOM, { Receipt: true }, keyed('the lesson is over'))));
  function operationOf(answers) {
    for (const answer of answers) assert.equal(answer.status, 200, answer.text);
    const operations = new Set(answers.map(({ json }) => json.Result.Receipt.OperationId));
    assert.equal(operations.size, 1, `one operation: ${[...operations]}`);
    assert.equal(new Set(answers.map(requestIdOf)).size, answers.length, 'each has a RequestId of its own');
    return [...operations][0];
  }

  test('are one operation, also across a kill, and harm no later life of the name', async () => {
    const ann = await enter(daemon, ROOM);
    const answers = await hundred();
    const operation = operationOf(answers);
    assert.match(operation, /^OP_/);
    assert.equal(answers.filter(isReplay).length, 99);
    await ann.expectDismissed();
    ann.stop();

    const bob = await enter(daemon, ROOM, 'bob');
    const replay = await dismiss(daemon, ROOM, { Receipt: true }, keyed('the lesson is over'));
    assert.deepEqual([replay.status, isReplay(replay), replay.json.Result.Receipt.OperationId], [200, true, operation]);
    assert.deepEqual(await onlineUsers(daemon, ROOM), ['bob'], 'the next life goes on');
    bob.stop();

    await daemon.kill9();
    daemon = await Daemon.start({ dataDir });
    const carol = await enter(daemon, ROOM, 'carol');
    const again = await hundred();
    assert.equal(operationOf(again), operation);
    assert.equal(again.filter(isReplay).length, 100);
    assert.deepEqual(await onlineUsers(daemon, ROOM), ['carol'], 'nobody of the new life was harmed');
    assert.equal(carol.seen('leave'), undefined);
    carol.stop();
  });
});

describe('a key', () => {
  let daemon;
  before(async () => { daemon = await Daemon.start(); });
  after(async () => { await daemon?.stop(); });

  test('is for one body, one action and one version', async () => {
    const ann = await enter(daemon, 'one-body');
    assert.equal((await dismiss(daemon, 'one-body', {}, keyed('one'))).status, 200);
    ann.stop();
    assertRefused(await dismiss(daemon, 'one-body', { Reason: 'another' }, keyed('one')), 'InvalidParameter.IdempotencyKeyReuse');
    assertRefused(await dismiss(daemon, 'other-body', {}, keyed('one')), 'InvalidParameter.IdempotencyKeyReuse');
    const otherVersion = await dismiss(daemon, 'other-body', {}, keyed('one', own));
    assert.deepEqual([otherVersion.status, isReplay(otherVersion)], [200, false]);
  });

  test('of a call that was refused is free again', async () => {
    assertRefused(await dismiss(daemon, 'after-refusal', { IfRoomSessionId: 'none' }, keyed('refused', own)), 'InvalidParameter');
    const ann = await enter(daemon, 'after-refusal');
    const answer = await dismiss(daemon, 'after-refusal', {}, keyed('refused', own));
    assert.deepEqual([answer.status, isReplay(answer)], [200, false], answer.text);
    await ann.expectDismissed();
    ann.stop();
  });

  test('of a success without a room is kept: a room made afterwards survives the repeat', async () => {
    const first = await dismiss(daemon, 'comes-later', {}, keyed('too early', own));
    assert.deepEqual([first.status, first.json.Result.State], [200, 'no_such_room'], first.text);
    const ann = await enter(daemon, 'comes-later');
    const again = await dismiss(daemon, 'comes-later', {}, keyed('too early', own));
    assert.deepEqual([again.status, isReplay(again)], [200, true], again.text);
    assert.deepEqual(again.json.Result, first.json.Result);
    assert.deepEqual(await onlineUsers(daemon, 'comes-later'), ['ann']);
    ann.stop();
  });

  test('of CreateApp gives the same app and the same keys', async () => {
    const first = await call(daemon, 'CreateApp', { AppName: 'twice' }, keyed('make an app', own));
    assert.equal(first.status, 200, first.text);
    const again = await call(daemon, 'CreateApp', { AppName: 'twice' }, keyed('make an app', own));
    assert.deepEqual([again.status, isReplay(again)], [200, true], again.text);
    assert.deepEqual(again.json.Result, first.json.Result);
    const apps = await call(daemon, 'ListApps', {});
    assert.equal(apps.status, 200, apps.text);
    assert.equal(JSON.stringify(apps.json.Result).split('"twice"').length - 1, 1, 'one app was made');
  });

  test('that is none is refused, and nothing is done', async () => {
    const ann = await enter(daemon, 'bad-keys');
    for (const key of ['', 'x'.repeat(129), 'a\tb', 'sch\u00f6n'])
      assertRefused(await dismiss(daemon, 'bad-keys', {}, keyed(key)), 'InvalidParameter');
    assert.deepEqual(await onlineUsers(daemon, 'bad-keys'), ['ann']);
    ann.stop();
    const answer = await dismiss(daemon, 'bad-keys', {}, keyed('x'.repeat(128)));
    assert.equal(answer.status, 200, answer.text);
  });
});
