// atriumctl against a running daemon: what it prints, its JSON, its exit codes, and the line that --dev offers for pasting.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Configuration, everything, reader, twoAccounts } from '../lib/accounts.mjs';
import { assertNoSecrets } from '../lib/canary.mjs';
import { makeCertificate } from '../lib/certificate.mjs';
import { Daemon, binary, dev } from '../lib/daemon.mjs';
import { RawClient } from '../lib/raw.mjs';
import { seat } from '../lib/tcp.mjs';
import { jwt, token001 } from '../lib/tokens.mjs';

let daemon, config;

before(async () => {
  config = twoAccounts();
  daemon = await Daemon.start({ args: config.args });
  await config.makeApps(daemon);
});
after(async () => {
  await daemon?.stop();
  config?.remove();
});

const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ATRIUM_')));

function ctl(args, env = {}, input = '') {
  return new Promise((resolve) => {
    const child = execFile(binary('atriumctl'), args, { env: { ...clean, ATRIUM_URL: daemon.url, ...env } },
      (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
  }).then((run) => {
    assertNoSecrets(`what atriumctl ${args[0]} prints`, `${run.stdout}\n${run.stderr}`);
    return run;
  });
}
const devCtl = (...args) => ctl(['--dev', ...args]);

function succeeded(run) {
  assert.equal(run.code, 0, `${run.stdout}\n${run.stderr}`);
  assert.equal(run.stderr, '');
  return run.stdout;
}

describe('rooms', () => {
  test('none are said to be none', async () => {
    assert.match(succeeded(await devCtl('room', 'list')), /^No rooms/);
    assert.deepEqual(JSON.parse(succeeded(await devCtl('room', 'list', '-o', 'json'))), { Rooms: [] });
  });

  test('are listed, shown and dismissed', async () => {
    const guests = [await seat(daemon, await jwt('hall', 'ann')), await seat(daemon, await jwt('hall', 'ben'))];
    assert.match(succeeded(await devCtl('room', 'list')), /^hall +RM_\w{17} +2 /m);
    const list = JSON.parse(succeeded(await devCtl('-o', 'json', 'room', 'list')));
    assert.deepEqual(list.Rooms.map((r) => [r.RoomId, r.VisibleUsers]), [['hall', 2]]);
    const sid = list.Rooms[0].RoomSessionId;

    assert.match(succeeded(await devCtl('room', 'show', 'hall')), new RegExp(`Session +${sid}[^]*^ann [^]*^ben `, 'm'));
    const shown = JSON.parse(succeeded(await devCtl('room', 'show', 'hall', '-o', 'json')));
    assert.deepEqual(shown.Users.map((u) => u.UserId), ['ann', 'ben']);

    assert.match(succeeded(await devCtl('room', 'dismiss', 'hall', '--dry-run')), /would be dismissed.*Nothing was done/);
    assert.equal((await daemon.metrics()).get('atrium_rooms'), 1, 'a dry run does nothing');

    const other = succeeded(await devCtl('room', 'dismiss', 'hall', '--if-sid', 'RM_AAAAAAAAAAAAAAAAA'));
    assert.match(other, /is not the current one of room hall: nothing was done/);

    const text = succeeded(await devCtl('room', 'dismiss', 'hall', '--if-sid', sid, '--reason', 'end of the lesson'));
    assert.match(text, /^Room hall is dismissed\.\n[^]*2 at the fence, 2 told, 0 not told[^]*packets after the cut +0/);
    for (const guest of guests) assert.ok(await guest.until((g) => g.isEnded || g.isClosed, 3000), 'they are out');
    assert.equal((await daemon.metrics()).get('atrium_rooms'), 0);

    const operation = /OP_\w{17}/.exec(text)[0];
    const receipt = JSON.parse(succeeded(await devCtl('dismissal', 'show', operation, '-o', 'json'))).Receipt;
    assert.equal(receipt.RoomSessionId, sid);
    assert.equal(receipt.State, 'done');
    assert.equal(receipt.Reason, 'end of the lesson');
    assert.match(succeeded(await devCtl('dismissal', 'show', operation)), new RegExp(`^Dismissal of room hall: done\\.[^]*${sid}`));
  });

  test('as JSON: the receipt of a dismissal, and the server\'s refusal', async () => {
    // Not ann again: her seat had no media yet, so the same token, made in the same second, is refused once.
    const guest = await seat(daemon, await jwt('hall', 'cara'));
    const result = JSON.parse(succeeded(await devCtl('room', 'dismiss', 'hall', '-o', 'json')));
    assert.equal(result.Message, 'success');
    assert.equal(result.Receipt.UsersAtFence, 1);
    guest.end();
    const refused = await devCtl('dismissal', 'show', 'OP_AAAAAAAAAAAAAAAAA', '-o', 'json');
    assert.equal(refused.code, 1);
    assert.equal(JSON.parse(refused.stdout).Error.Code, 'InvalidParameter.NotExistOperation');
  });

  test('an unknown one is dismissed already, but cannot be shown', async () => {
    assert.match(succeeded(await devCtl('room', 'dismiss', 'nowhere')), /no room nowhere/);
    const shown = await devCtl('room', 'show', 'nowhere');
    assert.equal(shown.code, 1);
    assert.match(shown.stderr, /no room nowhere[^]*room list/);
  });
});

describe('users and bans', () => {
  test('are kicked, banned, listed and let in again', async () => {
    let guest = await seat(daemon, await jwt('lobby', 'eve', { name: 'first' }));
    assert.match(succeeded(await devCtl('user', 'kick', 'eve', '--room', 'lobby')), /^User eve is not in room lobby/);
    assert.ok(await guest.until((g) => g.isEnded || g.isClosed, 3000), 'she is out');
    guest = await seat(daemon, await jwt('lobby', 'eve', { name: 'second' }));
    assert.equal(succeeded(await devCtl('ban', 'add', '--room', 'lobby', '--user', 'eve', '--for', '600', '--reason', 'rude')), 'success\n');
    assert.ok(await guest.until((g) => g.isEnded || g.isClosed, 3000), 'she is out again');
    assert.match(succeeded(await devCtl('ban', 'list')), /^RULE +ROOM +USER +IP +UNTIL +REASON\nBN_\w{17} +lobby +eve +\S+ +rude$/m);
    const [rule] = JSON.parse(succeeded(await devCtl('ban', 'list', '-o', 'json'))).Bans;
    assert.match(succeeded(await devCtl('ban', 'lift', rule.BanId)), / is lifted/);
    assert.match(succeeded(await devCtl('ban', 'lift', rule.BanId)), / is not there/);
    assert.match(succeeded(await devCtl('ban', 'list')), /^No ban rules/);
    (await seat(daemon, await jwt('lobby', 'eve', { name: 'third' }))).end();
    const nobody = await devCtl('ban', 'add', '--for', '60');
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /InvalidParameter/);
  });
});

describe('apps', () => {
  const app = { appId: '0123456789abcdef01234567', appKey: 'appkey-that-moved-in-0000000001' };
  let folder;
  before(() => {
    folder = mkdtempSync(joinPath(tmpdir(), 'atrium-e2e-ctl-'));
    writeFileSync(joinPath(folder, 'app.key'), `${app.appKey}\n`, { mode: 0o600 });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  // The code of the refusal of a join; null: it was let in.
  async function knock(token) {
    const client = await RawClient.open(daemon, token);
    if (client.refused) return JSON.parse(client.refused.body).code;
    await client.wait('join');
    await client.stop();
    return null;
  }

  // The AppKey is known as a secret from the first token on: whatever prints it after that fails.
  test('move in with their AppKey from a file, and their tokens are good at once', async () => {
    const text = succeeded(await devCtl('app', 'create', 'moved', '--id', app.appId, '--app-key-file', joinPath(folder, 'app.key')));
    assert.match(text, new RegExp(`AppId +${app.appId}\n +AppKey +${app.appKey}\n[^]*AppKeys are secrets`));
    assert.equal(await knock(token001('room', 'ann', app)), null);
    assert.match(succeeded(await devCtl('app', 'list')), new RegExp(`^${app.appId} +moved +enabled +\\S+$`, 'm'));
    assert.match(succeeded(await devCtl('app', 'show', app.appId)), /^Name +moved$/m);
    const listed = JSON.parse(succeeded(await devCtl('app', 'list', '-o', 'json'))).AppList.find((one) => one.AppId === app.appId);
    assert.deepEqual(Object.keys(listed).filter((name) => /Key/.test(name)), []);
    const again = await devCtl('app', 'create', 'moved', '--id', app.appId);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /InvalidParameter/);
  });

  test('are disabled, which ends their rooms, and enabled again', async () => {
    const guest = await RawClient.open(daemon, token001('room', 'ben', app));
    await guest.wait('join');
    assert.match(succeeded(await devCtl('app', 'disable', app.appId)), /live rooms have ended[^]*app enable/);
    await guest.expectDismissed();
    assert.equal(await knock(token001('room', 'cat', app)), -1001);
    assert.match(succeeded(await devCtl('app', 'list')), new RegExp(`^${app.appId} +moved +disabled`, 'm'));
    assert.match(succeeded(await devCtl('app', 'enable', app.appId)), /enabled/);
    assert.equal(await knock(token001('room', 'cat', app)), null);
  });

  test('change names and keys, and get API keys from standard input', async () => {
    const secondary = 'second-key-of-the-app-000000002';
    writeFileSync(joinPath(folder, 'second.key'), secondary);
    succeeded(await devCtl('app', 'update', app.appId, '--name', 'renamed', '--secondary-app-key-file', joinPath(folder, 'second.key')));
    assert.equal(await knock(token001('room', 'dan', { ...app, appKey: secondary })), null);
    const keys = { apiKey: 'APIctl', apiSecret: 'secret-of-the-api-key-0000001' };
    const run = await ctl(['--dev', 'app', 'key', 'add', app.appId, keys.apiKey, '--secret-file', '-'], {}, `${keys.apiSecret}\n`);
    assert.match(succeeded(run), /APIctl opens app/);
    assert.equal(await knock(await jwt('room', 'eve', { keys })), null);
    assert.match(succeeded(await devCtl('app', 'show', app.appId)), /Name +renamed[^]*API keys +APIctl/);
    succeeded(await devCtl('app', 'key', 'delete', app.appId, keys.apiKey));
    assert.equal(await knock(await jwt('room', 'fay', { keys })), -1000);
    assert.equal((await devCtl('app', 'key', 'add', app.appId, 'APIb', '--secret-file', joinPath(folder, 'missing'))).code, 2);
  });
});

describe('the operator\'s listener', () => {
  test('reloads a changed configuration, and tells what is wrong with one', async () => {
    const own = new Configuration();
    const ops = { accessKey: 'AKLTctlops0000000000000000001', secretKey: 'first-secret-of-ctl-ops' };
    const next = { accessKey: 'AKLTctlops0000000000000000002', secretKey: 'second-secret-of-ctl-ops' };
    own.write(own.account('ops', [{ ...ops, scopes: everything }]));
    const other = await Daemon.start({ args: own.args });
    try {
      const env = { ATRIUM_URL: other.url, ATRIUM_OPERATOR_URL: other.operator };
      const list = (keys) => ctl(['app', 'list'], { ...env, ATRIUM_ACCESS_KEY: keys.accessKey, ATRIUM_SECRET_KEY: keys.secretKey });
      assert.match(succeeded(await list(ops)), /no apps/);
      assert.equal((await list(next)).code, 1);
      own.write(own.account('ops', [{ ...next, scopes: everything }]));
      assert.match(succeeded(await ctl(['reload'], env)), /^reloaded$/m);
      assert.match(succeeded(await list(next)), /no apps/);
      assert.equal((await list(ops)).code, 1);
      own.write('[http]\nlisen = "127.0.0.1:1"\n');
      const refused = await ctl(['reload', '-o', 'json'], env);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /not reloaded: [^]*lisen[^]*Nothing was changed/);
      assert.equal(JSON.parse(refused.stdout).Done, false);
      assert.match(succeeded(await list(next)), /no apps/);

      assert.match(succeeded(await ctl(['drain', 'start', '--operator', other.operator])), /^draining/);
      assert.equal((await fetch(`${other.operator}/readyz`)).status, 503);
      assert.match(succeeded(await ctl(['drain', 'stop'], env)), /^serving/);
      assert.equal((await fetch(`${other.operator}/readyz`)).status, 200);
      assert.equal((await ctl(['reload'], { ATRIUM_OPERATOR_URL: 'http://127.0.0.1:1' })).code, 3);
      assert.match((await ctl(['reload', '--operator', other.url])).stderr, /not the operator's listener/);
    } finally {
      await other.stop();
      own.remove();
    }
  });
});

describe('https', () => {
  let folder, secure, certificate, ca;
  before(async () => {
    folder = mkdtempSync(joinPath(tmpdir(), 'atrium-e2e-ctl-tls-'));
    certificate = makeCertificate(folder, 'ctl');
    ca = joinPath(folder, 'ctl.ca.pem');
    secure = await Daemon.start({ certificate });
  });
  after(async () => {
    await secure?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const list = (args, env = {}) => ctl(['--dev', 'room', 'list', ...args], { ATRIUM_URL: secure.url, ...env });

  test('works with the authority named, by address and by name', async () => {
    assert.match(succeeded(await list(['--ca', ca])), /^No rooms/);
    assert.match(succeeded(await list([], { ATRIUM_CA: ca })), /^No rooms/);
    assert.match(succeeded(await list(['--ca', ca, '--url', `https://localhost:${secure.httpPort}`])), /^No rooms/);
  });

  test('is refused without it, and says what to do; --insecure says what it does', async () => {
    const unknown = await list([]);
    assert.equal(unknown.code, 3);
    assert.match(unknown.stderr, /authority that is not known[^]*--ca FILE/);
    assert.doesNotMatch(unknown.stderr, /Is atriumd running/);
    assert.equal((await list(['--ca', joinPath(folder, 'missing')])).code, 3);
    const insecure = await list(['--insecure']);
    assert.equal(insecure.code, 0);
    assert.match(insecure.stderr, /not looked at/);
    assert.equal((await list(['--insecure', '--ca', ca])).code, 2);
  });

  test('where the server speaks plain HTTP, and the other way round, says which it is', async () => {
    const plain = await ctl(['--dev', 'room', 'list', '--url', daemon.url.replace('http:', 'https:'), '--ca', ca]);
    assert.equal(plain.code, 3);
    assert.match(plain.stderr, /does not speak TLS[^]*http:/);
    const tls = await list(['--url', secure.url.replace('https:', 'http:')]);
    assert.equal(tls.code, 3);
    assert.match(tls.stderr, /https:/);
  });
});

describe('exit codes', () => {
  test('2 for what is wrong on the command line', async () => {
    for (const args of [[], ['room'], ['room', 'dismiss'], ['room', 'list', '--nonsense'], ['-o', 'xml', 'room', 'list'], ['--url', 'ftp://x', '--dev', 'room', 'list']])
      assert.equal((await ctl(args)).code, 2, args.join(' '));
    const keyless = await ctl(['room', 'list']);
    assert.equal(keyless.code, 2);
    assert.match(keyless.stderr, /ATRIUM_ACCESS_KEY/);
  });

  test('1 for what the server refuses, with advice', async () => {
    const keys = { ATRIUM_ACCESS_KEY: dev.accessKey, ATRIUM_SECRET_KEY: 'wrong', ATRIUM_APP_ID: dev.appId };
    const forged = await ctl(['room', 'list'], keys);
    assert.equal(forged.code, 1);
    assert.match(forged.stderr, /SignatureDoesNotMatch[^]*ATRIUM_SECRET_KEY/);
    const readOnly = { ...keys, ATRIUM_ACCESS_KEY: reader.accessKey, ATRIUM_SECRET_KEY: reader.secretKey };
    assert.equal((await ctl(['room', 'list'], readOnly)).code, 0);
    const denied = await ctl(['room', 'dismiss', 'hall'], readOnly);
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /AccessDenied/);
  });

  test('3 for a server that does not answer, or is another one', async () => {
    assert.equal((await ctl(['--dev', '--url', 'http://127.0.0.1:1', 'room', 'list'])).code, 3);
    const operator = await ctl(['--dev', '--url', daemon.operator, 'room', 'list']);
    assert.equal(operator.code, 3);
    assert.match(operator.stderr, /not an Atrium server/);
  });
});

describe('the line that --dev prints', () => {
  test('works as it is, pasted into a shell', async () => {
    const banner = /^ +('.*atriumctl' room dismiss .*)$/m.exec(daemon.log);
    assert.ok(banner, daemon.log.slice(0, 2000));
    const guest = await seat(daemon, await jwt('demo', 'visitor'));
    const run = await new Promise((resolve) => execFile('/bin/sh', ['-c', banner[1]], { env: clean, cwd: '/' },
      (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })));
    assert.match(succeeded(run), /Room demo is dismissed/);
    assert.ok(await guest.until((g) => g.isEnded || g.isClosed, 3000), 'the visitor is out');
  });

  test('and what else it prints is true', () => {
    for (const value of [dev.appId, dev.appKey, dev.accessKey, dev.secretKey, `${daemon.url}/demo/`]) assert.ok(daemon.log.includes(value), value);
  });
});
