// atriumctl against a running daemon: what it prints, its JSON, its exit codes, and the line that --dev offers for pasting.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { reader, twoAccounts } from '../lib/accounts.mjs';
import { assertNoSecrets } from '../lib/canary.mjs';
import { Daemon, binary, dev } from '../lib/daemon.mjs';
import { seat } from '../lib/tcp.mjs';
import { jwt } from '../lib/tokens.mjs';

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

function ctl(args, env = {}) {
  return new Promise((resolve) => execFile(binary('atriumctl'), args, { env: { ...clean, ATRIUM_URL: daemon.url, ...env } },
    (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }))).then((run) => {
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

    const wrong = await devCtl('room', 'dismiss', 'hall', '--if-sid', 'RM_AAAAAAAAAAAAAAAAA');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /RoomSessionMismatch[^]*room show/);

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
