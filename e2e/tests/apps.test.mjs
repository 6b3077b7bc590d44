// Applications and accounts while the daemon runs: made with the vendor's SDK, joined at once, switched off, kept over
// a restart under their sealing key; access keys, scopes and quotas that change without a lost call.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Configuration, everything } from '../lib/accounts.mjs';
import { call, dismiss, vendorAction } from '../lib/api.mjs';
import { Daemon, dev } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { RawClient } from '../lib/raw.mjs';
import { nativeIsTold } from '../lib/told.mjs';
import { jwt, token001 } from '../lib/tokens.mjs';

const ops = { accessKey: 'AKLTops0000000000000000001', secretKey: 'first-secret-of-ops' };
const next = { accessKey: 'AKLTops0000000000000000002', secretKey: 'second-secret-of-ops' };
const looker = { accessKey: 'AKLTlooker000000000000001', secretKey: 'secret-of-the-looker' };

let daemon, config, dataDir;
before(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'atrium-e2e-apps-'));
  config = new Configuration();
  config.write(config.account('ops', [{ ...ops, scopes: everything }]));
  daemon = await Daemon.start({ args: config.args, dataDir });
});
after(async () => {
  await daemon?.stop();
  config?.remove();
  if (dataDir) rmSync(dataDir, { recursive: true, force: true });
});

const make = async (name) => (await vendorAction(daemon, 'CreateApp', '2023-11-01', ops)({ AppName: name })).Result;
const setStatus = (app, status) =>
  vendorAction(daemon, 'ModifyAppStatus', '2020-12-01', ops)({ AppId: app.AppId, Status: status });
// LiveKit keys of an app that has no alias: its AppId and AppKey.
const keysOf = (app) => ({ apiKey: app.AppId, apiSecret: app.AppKey });
async function knock(token) {
  const client = await RawClient.open(daemon, token);
  const refused = client.refused && { status: client.refused.status, ...JSON.parse(client.refused.body) };
  if (!refused) await client.wait('join');
  await client.stop();
  return refused;
}
const reload = async () => {
  const response = await fetch(`${daemon.operator}/reload`, { method: 'POST' });
  return { status: response.status, text: await response.text() };
};

test('an app made at run time is joined at once, with tokens of both kinds and either AppKey', async () => {
  const app = await make('lessons');
  assert.match(app.AppId, /^[0-9a-f]{24}$/);
  assert.equal(app.InstanceStatus, 1);
  assert.equal(await knock(await jwt('room', 'ann', { keys: keysOf(app) })), null);
  assert.equal(await knock(token001('room', 'bob', { appId: app.AppId, appKey: app.AppKey })), null);
  assert.equal(await knock(token001('room', 'eve', { appId: app.AppId, appKey: app.SecondaryAppKey })), null);
  const other = await knock(token001('room', 'eve', { appId: app.AppId, appKey: 'another key' }));
  assert.deepEqual([other.status, other.code], [401, -1000]);
});

test('ListApps pages through the account and shows no other account', async () => {
  const made = [await make('page_1'), await make('page_2')];
  const list = vendorAction(daemon, 'ListApps', '2020-12-01', ops);
  const newest = (await list({ Limit: '2', Reverse: 1 })).Result;
  assert.deepEqual(newest.AppList.map((one) => one.AppId), made.map((one) => one.AppId).reverse());
  assert.deepEqual(newest.AppList.map((one) => one.AppKey), made.map((one) => one.AppKey).reverse());
  const all = (await list({})).Result;
  assert.equal(all.Total, all.AppList.length);
  assert.ok(!all.AppList.some((one) => one.AppId === dev.appId));
});

test('a disabled app: live rooms end as by DismissRoom, joins are refused with -1001, DismissRoom still works', async () => {
  const app = await make('switched');
  const native = await Native.start();
  const bystander = await Native.start();
  try {
    await native.join(daemon.ws, await jwt('room', 'ann', { keys: keysOf(app) }));
    await bystander.join(daemon.ws, await jwt('room-of-dev', 'ann'));
    const answer = await setStatus(app, 2);
    assert.equal(answer.Result, 'success');
    await nativeIsTold(native);
    const refused = await knock(await jwt('room', 'bob', { keys: keysOf(app) }));
    assert.deepEqual([refused.status, refused.code], [403, -1001]);
    const again = await call(daemon, 'DismissRoom', { AppId: app.AppId, RoomId: 'room' }, { keys: ops });
    assert.equal(again.status, 200, again.text);
    assert.equal(bystander.seen('disconnected'), undefined, 'the other app goes on');
    const listed = await vendorAction(daemon, 'ListApps', '2023-11-01', ops)({ AppId: app.AppId });
    assert.equal(listed.Result.AppList[0].Status, 98);
    await setStatus(app, 1);
    assert.equal(await knock(await jwt('room', 'bob', { keys: keysOf(app) })), null);
  } finally {
    await native.stop();
    await bystander.stop();
  }
});

test('apps, their status and keys outlive kill -9; without the sealing key the store is refused, and nothing is lost', async () => {
  const kept = await make('kept');
  const off = await make('off');
  await setStatus(off, 2);
  await daemon.kill9();
  for (const name of readdirSync(dataDir).filter((one) => one.startsWith('atrium.db')))
    for (const secret of [kept.AppKey, off.SecondaryAppKey, dev.appKey])
      assert.equal(readFileSync(join(dataDir, name)).indexOf(secret), -1, `an AppKey stands in ${name}`);
  renameSync(join(dataDir, 'store.key'), join(dataDir, 'moved.key'));
  await assert.rejects(Daemon.start({ args: config.args, dataDir }), /sealed the AppKeys of this store is missing/);
  renameSync(join(dataDir, 'moved.key'), join(dataDir, 'store.key'));
  daemon = await Daemon.start({ args: config.args, dataDir });
  assert.equal(await knock(await jwt('room', 'ann', { keys: keysOf(kept) })), null);
  const refused = await knock(await jwt('room', 'ann', { keys: keysOf(off) }));
  assert.deepEqual([refused.status, refused.code], [403, -1001]);
});

test('an app moves in with the AppId and AppKeys that it has; API keys come and go', async () => {
  const own = (action, fields) => call(daemon, action, fields, { version: '2026-12-01', keys: ops });
  const AppId = '5f5f5f5f5f5f5f5f5f5f5f5f';
  const made = await own('CreateApp', { AppName: 'moved', AppId, AppKey: 'the key that its backends sign with' });
  assert.equal(made.status, 200, made.text);
  assert.equal((await own('CreateApp', { AppName: 'moved', AppId })).status, 400);
  assert.equal(await knock(token001('room', 'ann', { appId: AppId, appKey: 'the key that its backends sign with' })), null);
  const alias = { apiKey: 'APImoved', apiSecret: 'hush' };
  assert.equal((await knock(await jwt('room', 'ann', { keys: alias }))).code, -1000);
  assert.equal((await own('AddApiKey', { AppId, ApiKey: alias.apiKey, ApiSecret: alias.apiSecret })).status, 200);
  assert.equal(await knock(await jwt('room', 'ann', { keys: alias })), null);
  assert.equal((await own('DeleteApiKey', { AppId, ApiKey: alias.apiKey })).status, 200);
  assert.equal((await knock(await jwt('room', 'ann', { keys: alias }))).code, -1000);
});

test('access keys rotate without a lost call: two are valid at once, then the old one is not', async () => {
  const app = await make('rotating');
  const ask = (keys) => call(daemon, 'GetApp', { AppId: app.AppId }, { version: '2026-12-01', keys });
  let going = true, lost = 0, asked = 0, keys = ops;
  const caller = (async () => {
    while (going) {
      const answer = await ask(keys);
      if (answer.status !== 200 && answer.status !== 429) ++lost;
      ++asked;
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  })();
  config.write(config.account('ops', [{ ...ops, scopes: everything }, { ...next, scopes: everything }]));
  assert.deepEqual(await reload(), { status: 200, text: 'reloaded\n' });
  assert.equal((await ask(ops)).status, 200);
  assert.equal((await ask(next)).status, 200);
  keys = next;
  await new Promise((resolve) => setTimeout(resolve, 200));
  config.write(config.account('ops', [{ ...next, scopes: everything }]));
  process.kill(daemon.pid, 'SIGHUP');
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal((await ask(ops)).json.ResponseMetadata.Error.Code, 'InvalidAccessKey');
  going = false;
  await caller;
  assert.equal(lost, 0);
  assert.ok(asked > 5);
  config.write(config.account('ops', [{ ...ops, scopes: everything }]));
  assert.equal((await reload()).status, 200);
});

test('scopes and quotas change with a reload; settings that cannot be used change nothing', async () => {
  const app = await make('scoped');
  const both = [{ ...ops, scopes: everything }, { ...looker, scopes: ['read'] }];
  config.write(config.account('ops', both));
  assert.equal((await reload()).status, 200);
  const closed = await dismiss(daemon, 'room', { AppId: app.AppId }, { keys: looker });
  assert.equal(closed.json.ResponseMetadata.Error.Code, 'AccessDenied');
  assert.match(closed.json.ResponseMetadata.Error.Message, /"room"/);
  both[1].scopes = ['read', 'room'];
  config.write(config.account('ops', both));
  assert.equal((await reload()).status, 200);
  assert.equal((await dismiss(daemon, 'room', { AppId: app.AppId }, { keys: looker })).status, 200);

  config.write(`[quota]\nDismissRoom = 1\n[media]\nshards = 3\n${config.account('ops', both)}`);
  const reloaded = await reload();
  assert.equal(reloaded.status, 200);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const burst = await Promise.all(Array.from({ length: 5 }, () => dismiss(daemon, 'room', { AppId: app.AppId }, { keys: ops })));
  assert.ok(burst.filter((one) => one.status === 429).length >= 3, 'the quota of one a second holds');

  config.write('[[account]]\nid = "ops"\n');
  const bad = await reload();
  assert.equal(bad.status, 422);
  assert.match(bad.text, /not reloaded: .*account\.key/);
  assert.equal((await call(daemon, 'GetApp', { AppId: app.AppId }, { version: '2026-12-01', keys: ops })).status, 200);
  config.write(config.account('ops', [{ ...ops, scopes: everything }]));
  assert.equal((await reload()).status, 200);
});
