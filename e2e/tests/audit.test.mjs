// The audit: what a call leaves, and that whoever changes a record is found out.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { binary, Daemon, dev, until } from '../lib/daemon.mjs';
import { ask, done, enter } from '../lib/own_api.mjs';

let daemon, dataDir;
before(async () => {
  dataDir = await mkdtemp(joinPath(tmpdir(), 'atrium-audit-'));
  daemon = await Daemon.start({ dataDir });
});
after(async () => {
  await daemon?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const records = async (fields) => {
  const result = await done(daemon, 'ListAudit', fields);
  return result.Records;
};
const recorded = (what, fields, isRight) => until(what, async () => {
  const found = await records(fields);
  return isRight(found) && found;
}, 15000, 250);

// Yields the exit code and the report of `atriumctl audit verify`.
const verify = () => new Promise((resolve) => execFile(binary('atriumctl'), ['audit', 'verify', '--data-dir', dataDir, '-o', 'json'],
  (error, stdout) => resolve({ code: error?.code ?? 0, report: JSON.parse(stdout) })));

test('a changing call leaves two records, a read and a refusal one each', async () => {
  const ann = await enter(daemon, 'audited', 'ann');
  const { Receipt: receipt } = await done(daemon, 'DismissRoom', { RoomId: 'audited', Reason: 'over' });
  await ann.expectDismissed();
  ann.stop();
  const two = await recorded('both records', { OperationId: receipt.OperationId }, (found) => found.length >= 2);
  assert.deepEqual(two.map(({ Phase, OperationId }) => [Phase, OperationId]),
    [['accepted', receipt.OperationId], ['finished', receipt.OperationId]]);
  for (const record of two) assert.deepEqual([record.Action, record.AccessKey, record.RoomId, record.Door],
    ['DismissRoom', dev.accessKey, 'audited', 'openapi']);
  assert.equal(two[1].Status, 200);

  await done(daemon, 'ListSchedules', {});
  const [read, ...moreReads] = await recorded('the read', { ActionName: 'ListSchedules' }, (found) => found.length > 0);
  assert.deepEqual([read.Phase, read.Status, moreReads], ['read', 200, []]);

  const bad = await ask(daemon, 'DismissRoom', { RoomId: 'audited', IfRoomSessionId: 'none' });
  assert.deepEqual([bad.status, bad.json.ResponseMetadata.Error.Code], [400, 'InvalidParameter'], bad.text);
  const dismissals = await recorded('the refusal', { ActionName: 'DismissRoom' }, (found) => found.length > 2);
  assert.deepEqual(dismissals.map(({ Phase }) => Phase), ['accepted', 'finished', 'refused']);
  assert.equal(dismissals[2].Status, 400);

  const dry = await done(daemon, 'DismissRoom', { RoomId: 'audited', DryRun: true });
  assert.equal(dry.State, 'dry_run');
  const [, , , dryRecord] = await recorded('the dry run', { ActionName: 'DismissRoom' }, (found) => found.length > 3);
  assert.equal(dryRecord.DryRun, true);
});

test('a read that is asked by POST is a read, too', async () => {
  await done(daemon, 'ListRooms', {});
  const found = await recorded('the read', { ActionName: 'ListRooms' }, (all) => all.length > 0);
  assert.deepEqual(found.map(({ Phase, Status }) => [Phase, Status]), [['read', 200]]);
});

test('verify finds the log intact, and names the record that was altered', async () => {
  const running = await verify();
  assert.deepEqual([running.code, running.report.Verdict], [0, 'intact'], JSON.stringify(running));
  await daemon.stop();
  try {
    const intact = await verify();
    assert.deepEqual([intact.code, intact.report.Verdict, intact.report.Finding], [0, 'intact', null], JSON.stringify(intact));
    assert.ok(intact.report.RecordsIntact >= 5);
    execFileSync('python3', ['-c', `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE audit SET body = replace(body, 'audited', 'another') WHERE sequence = 2")
assert db.execute('SELECT changes()').fetchone() == (1,)
db.commit()`, joinPath(dataDir, 'atrium.db')]);
    const { code, report } = await verify();
    assert.deepEqual([code, report.Verdict, report.Finding.Sequence, report.Finding.Fault], [4, 'tampered', 2, 'altered']);
  } finally {
    daemon = null;
  }
});
