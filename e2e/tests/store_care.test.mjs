// `atriumctl store`: a backup under load does not hold the server up, a damaged file is named, and what was decided holds on a
// server that is started on a restored store.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { call } from '../lib/api.mjs';
import { Daemon, binary, dev, sleep } from '../lib/daemon.mjs';
import { send } from '../lib/gateway.mjs';
import { RawClient } from '../lib/raw.mjs';
import { jwt } from '../lib/tokens.mjs';

const MANY = 25000;
let folder, dataDir, daemon;
const file = (name) => joinPath(folder, name);

const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ATRIUM_')));
function ctl(...args) {
  return new Promise((resolve) => execFile(binary('atriumctl'), ['store', ...args], { env: clean, cwd: folder },
    (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })));
}
async function succeeds(...args) {
  const run = await ctl(...args);
  assert.equal(run.code, 0, `${args}: ${run.stdout}\n${run.stderr}`);
  return run;
}
const json = async (...args) => {
  const run = await succeeds(...args, '-o', 'json');
  assert.equal(run.stderr, '', 'programs get no progress');
  return JSON.parse(run.stdout);
};

const ban = (user, on = daemon) => call(on, 'BanRoomUser', { AppId: dev.appId, UserId: user, ForbiddenInterval: 3600, Reason: 'load' }, { version: '2023-11-01' });
async function joins(on, user) {
  const client = await RawClient.open(on, await jwt('class', user));
  try { return client.refused ? JSON.parse(client.refused.body).code : Boolean(await client.wait('join')); } finally { client.stop(); }
}
// Ban rules by the thousand, as a server of some years has them.
function fill(directory, rules) {
  execFileSync('python3', ['-c', `
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
now = int(time.time() * 1e6)
db.executemany("INSERT INTO bans (id, app, user, operator_id, reason, created_at, expires_at) VALUES (?, ?, ?, 'AK', ?, ?, ?)",
  ((f'BN_{i:017}', '${dev.appId}', f'old-{i}', 'y' * 1000, now, now + 10**12) for i in range(int(sys.argv[2]))))
db.commit()`, joinPath(directory, 'atrium.db'), String(rules)]);
}

before(async () => {
  folder = mkdtempSync(joinPath(tmpdir(), 'atrium-care-'));
  dataDir = file('data');
  mkdirSync(dataDir);
  await (await Daemon.start({ dataDir })).stop();
  fill(dataDir, MANY);
  daemon = await Daemon.start({ dataDir });
  assert.equal((await ban('eve')).status, 200);
});
after(async () => {
  await daemon?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('a backup', () => {
  test('under load is good and holds the server up no more than its disk does', async () => {
    assert.ok(statSync(joinPath(dataDir, 'atrium.db')).size > 25_000_000, 'some tens of megabytes');
    const made = [];
    let isOver = false;
    const load = (async () => {
      for (let i = 0; !isOver; ++i) {
        const start = performance.now();
        const { status } = await ban(`during-${i}`);
        made.push({ start, end: performance.now(), status });
        await sleep(30);
      }
    })();
    await sleep(500);
    const start = performance.now();
    const run = await succeeds('backup', 'monday.db', '--data-dir', 'data');
    const end = performance.now();
    isOver = true;
    await load;
    assert.deepEqual([...new Set(made.map(({ status }) => status))], [200], 'each was written and answered');
    const during = made.filter((one) => one.start > start && one.end < end);
    assert.ok(during.length >= 5, `${during.length} calls in ${end - start} ms`);
    const slowest = Math.max(...during.map((one) => one.end - one.start));
    assert.ok(slowest < 2000, `${slowest} ms`);
    assert.match(run.stderr, /^(copied \d+ %\n)+$/);
    assert.match(run.stdout, /the copy is good/);
    assert.deepEqual(readdirSync(folder).sort(), ['data', 'monday.db'], 'and nothing else is left');
    const held = await json('check', 'monday.db');
    assert.equal(held.Verdict, 'good');
    assert.ok(held.Rows.bans > MANY, 'eve\'s too');
    assert.ok(held.Rows.bans <= MANY + 1 + made.length);
    assert.ok((await json('check', '--data-dir', 'data')).Rows.bans === MANY + 1 + made.length, 'the running store has all');
    assert.ok(!readFileSync(file('monday.db')).includes('store.key'));
  });

  test('overwrites only when told to, and says so', async () => {
    const run = await ctl('backup', 'monday.db', '--data-dir', 'data');
    assert.equal(run.code, 1);
    assert.match(run.stderr, /is there already[^]*--force/);
    assert.equal((await json('backup', 'monday.db', '--data-dir', 'data', '--force')).Verdict, 'good');
    assert.equal((await ctl('backup', 'data/atrium.db', '--data-dir', 'data', '--force')).code, 1, 'never the store itself');
    assert.equal((await send({ url: daemon.operator }, { method: 'GET', path: '/readyz' })).status, 200);
  });
});

describe('a check', () => {
  test('names a damaged file, and ends with 1', async () => {
    copyFileSync(file('monday.db'), file('bent.db'));
    const page = 4096 * Math.floor(statSync(file('bent.db')).size / 4096 / 2);
    const bytes = readFileSync(file('bent.db')).subarray(page, page + 4096).map((byte) => byte ^ 0xff);
    const handle = openSync(file('bent.db'), 'r+');
    writeSync(handle, bytes, 0, bytes.length, page);
    closeSync(handle);
    const run = await ctl('check', 'bent.db');
    assert.equal(run.code, 1);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, /bent\.db: damaged\.\n {2}\S[^]*store restore FILE/);
    const told = await ctl('check', 'bent.db', '-o', 'json');
    assert.equal(told.code, 1);
    assert.equal(JSON.parse(told.stdout).Verdict, 'damaged');
    assert.ok(JSON.parse(told.stdout).Problems.length > 0);
    const refused = await ctl('restore', 'bent.db', '--data-dir', 'fresh-bent');
    assert.equal(refused.code, 1);
    assert.ok(!existsSync(joinPath(folder, 'fresh-bent', 'atrium.db')), 'it is not restored either');
  });

  test('tells other files from stores', async () => {
    writeFileSync(file('text.db'), 'x'.repeat(10000));
    assert.match((await ctl('check', 'text.db')).stderr, /not a store/);
    assert.match((await ctl('check', 'none.db')).stderr, /unreadable/);
  });
});

describe('a restore', () => {
  test('is refused while a daemon runs there, with what to do', async () => {
    const run = await ctl('restore', 'monday.db', '--data-dir', 'data');
    assert.equal(run.code, 1);
    assert.match(run.stderr, /atriumd is running on data[^]*Stop it first/);
    assert.equal(JSON.parse((await ctl('restore', 'monday.db', '--data-dir', 'data', '-o', 'json')).stdout).Error.length > 0, true);
    assert.equal((await send({ url: daemon.operator }, { method: 'GET', path: '/readyz' })).status, 200);
    assert.equal(await joins(daemon, 'eve'), -1026);
  });

  test('into a fresh directory: a ban of before holds there, one of after does not', async () => {
    assert.equal((await ban('mallory')).status, 200);
    const run = await succeeds('restore', 'monday.db', '--data-dir', 'fresh');
    assert.match(run.stdout, /is now the store in fresh[^]*no store\.key/);
    await assert.rejects(Daemon.start({ dataDir: file('fresh') }), /key that sealed the AppKeys of this store is missing/);
    for (const key of ['store.key', 'audit.key']) copyFileSync(joinPath(dataDir, key), joinPath(file('fresh'), key));
    const second = await Daemon.start({ dataDir: file('fresh') });
    try {
      assert.equal(await joins(second, 'eve'), -1026);
      assert.equal(await joins(second, 'mallory'), true);
      assert.equal(await joins(daemon, 'mallory'), -1026);
      assert.equal((await ban('trudy', second)).status, 200, 'it can be written');
    } finally {
      await second.stop();
    }
  });

  test('over a store keeps what it replaced, also when the daemon was killed', async () => {
    await daemon.kill9();
    assert.ok(statSync(joinPath(dataDir, 'atrium.db-wal')).size > 0, 'its log is still there');
    const { Kept: kept } = await json('restore', 'monday.db', '--data-dir', 'data');
    assert.match(kept, /^data\/atrium\.db\.before-restore-\d{8}T\d{6}Z$/);
    assert.ok(!existsSync(joinPath(dataDir, 'atrium.db-wal')));
    daemon = await Daemon.start({ dataDir });
    assert.equal(await joins(daemon, 'eve'), -1026);
    assert.equal(await joins(daemon, 'mallory'), true);
    await succeeds('restore', kept, '--data-dir', 'former');
    for (const key of ['store.key', 'audit.key']) copyFileSync(joinPath(dataDir, key), joinPath(file('former'), key));
    const former = await Daemon.start({ dataDir: file('former') });
    try { assert.equal(await joins(former, 'mallory'), -1026, 'it was only in the log'); } finally { await former.stop(); }
  });
});

test('--help tells of each, and wrong usage ends with 2', async () => {
  for (const [verb, word] of [['backup', '--force'], ['restore', 'must be stopped'], ['check', 'Exit code 0: good']])
    assert.ok((await succeeds(verb, '--help')).stdout.includes(word), verb);
  for (const args of [[], ['backup'], ['restore'], ['restore', 'monday.db'], ['check', '--nonsense'], ['check', 'a', 'b']])
    assert.equal((await ctl(...args)).code, 2, args.join(' '));
});
