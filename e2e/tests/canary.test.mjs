// Secrets stay where they belong: the harness that looks for them is shown to see them, and a daemon that says all it can say, in a
// run with joins, refusals, resumes, bans, messages and nonsense of every kind, gives none away.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { call, signedHeaders, vendorAction } from '../lib/api.mjs';
import { assertNoSecrets, assertNoSecretsInAnswer, assertNoSecretsInFiles, findSecrets, secret, secretKey, withoutBanner,
} from '../lib/canary.mjs';
import { binary, Daemon, dev, sleep, until } from '../lib/daemon.mjs';
import { ask, send } from '../lib/gateway.mjs';
import { MediaClient } from '../lib/media_client.mjs';
import { Native } from '../lib/native.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { joinPathOf, RawClient } from '../lib/raw.mjs';
import { jwt, token001 } from '../lib/tokens.mjs';

const random = (bytes = 24) => randomBytes(bytes).toString('base64url');
const directory = mkdtempSync(join(tmpdir(), 'atrium-canary-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const namesIn = (text) => findSecrets(text).map((one) => one.name);

describe('the search', () => {
  const key = secretKey('a planted key', random(32));

  test('sees a key as it is, in base64 wherever it lies, in base64url and in hex', () => {
    assert.deepEqual(namesIn(`level=info key=${key}\n`), ['a planted key']);
    const hex = Buffer.from(key).toString('hex');
    for (const text of [hex, hex.toUpperCase()]) assert.deepEqual(namesIn(`x'${text}'`), ['a planted key in hex']);
    for (const before of ['', 'a', 'ab', 'abc', 'key=']) for (const form of ['base64', 'base64url'])
      assert.ok(namesIn(Buffer.from(`${before}${key}after`).toString(form)).some((name) => name.startsWith('a planted key in base64')),
        `behind "${before}", ${form}`);
  });

  test('sees every piece of 23 characters, wherever it was cut off', () => {
    const token = secret('a planted token', random(120));
    for (let from = 0; from + 23 <= token.length; from++)
      assert.deepEqual(namesIn(`token=${token.slice(from, from + 23)} refused`), ['a planted token'], `from ${from}`);
    assert.deepEqual(namesIn(`token=${token.slice(0, 8)}… refused`), [], 'eight characters are a hint for operators, no secret');
  });

  test('sees tokens of both kinds, but neither the AppId nor the header of a JWT', async () => {
    const [web, vendor] = [await jwt('planted', 'ann'), token001('planted', 'ben')];
    assert.deepEqual(namesIn(web), ['the JWT of ann']);
    assert.deepEqual(namesIn(web.split('.')[2]), ['the JWT of ann'], 'its signature alone');
    assert.deepEqual(namesIn(web.split('.')[0]), []);
    assert.deepEqual(namesIn(vendor), ['the 001 token of ben']);
    assert.deepEqual(namesIn(encodeURIComponent(vendor)), ['the 001 token of ben']);
    assert.deepEqual(namesIn(vendor.slice(0, 27)), []);
  });

  test('sees what this process asks with any library: signatures, access_token and join_request', async () => {
    const server = await Daemon.start();
    try {
      const { Authorization } = signedHeaders({ query: { Action: 'ListRooms', Version: '2026-12-01' }, body: '{}' });
      const [, signature] = /Signature=(\w+)/.exec(Authorization);
      assert.deepEqual(namesIn(signature), [], 'nobody has sent it');
      await fetch(`${server.url}/?Action=ListRooms&Version=2026-12-01`, { method: 'POST', body: '{}', headers: { Authorization } });
      assert.deepEqual(namesIn(signature), ['signature of a request']);
      const path = joinPathOf('a.token-that-is-bad.for-sure-and-good-at-that');
      (await RawClient.open({ ws: server.ws }, 'a.token-that-is-bad.for-sure-and-good-at-that')).stop();
      assert.deepEqual(namesIn(path.slice(path.indexOf('join_request'))), ['join_request of a URL']);
      assert.deepEqual(namesIn('for-sure-and-good-at-that'), ['access_token of a URL']);
    } finally {
      await server.stop();
    }
  });

  test('says the name and the place, and not the value', () => {
    const text = `at=12:00 level=warning message="join refused" why=${key} user=ann`;
    assert.throws(() => assertNoSecrets('a log', text), (error) => {
      assert.match(error.message, /^secrets in a log: a planted key \(«.*join refused" why=‹a planted key› user=ann»\)$/);
      for (let i = 0; i + 6 <= key.length; i++) assert.ok(!error.message.includes(key.slice(i, i + 6)), 'no piece of it');
      return true;
    });
  });

  test('sees the key that seals the store in every file but its own', () => {
    const store = mkdtempSync(join(directory, 'sealed-'));
    const sealing = randomBytes(32);
    writeFileSync(join(store, 'store.key'), `${sealing.toString('hex')}\n`);
    assertNoSecretsInFiles(store);
    for (const form of [sealing, sealing.toString('hex'), sealing.toString('base64')]) {
      writeFileSync(join(store, 'atrium.db'), Buffer.concat([randomBytes(999), Buffer.from(form), randomBytes(999)]));
      assert.throws(() => assertNoSecretsInFiles(store), /the file atrium.db of the store: the sealing key/);
    }
  });

  test('reads files as bytes, in every folder', () => {
    const sub = join(directory, 'store', 'copies');
    mkdirSync(sub, { recursive: true });
    writeFileSync(join(sub, 'atrium.db.1'), Buffer.concat([randomBytes(5001), Buffer.from(key), randomBytes(5001)]));
    assert.throws(() => assertNoSecretsInFiles(join(directory, 'store')), /a planted key.*/);
    writeFileSync(join(sub, 'atrium.db.1'), randomBytes(10_000));
    assertNoSecretsInFiles(join(directory, 'store'));
  });

  test('lets an answer repeat a name that the request sent, and nothing else', () => {
    const name = secret('a message', 'a room of a strange name');
    assertNoSecretsInAnswer('an answer', `{"Message":"there is no room ${name}"}`, [name]);
    assert.throws(() => assertNoSecretsInAnswer('an answer', `{"Message":"no room ${name}"}`, ['another room entirely']), /a message/);
  });

  test('lets the lines of the development banner pass once, word for word', () => {
    const banner = `  AppKey         ${dev.appKey}\n  secret         ${dev.secretKey}\n\n`
      + `  '/opt/atrium/bin/atriumctl' room dismiss demo --url http://127.0.0.1:7880 --app ${dev.appId} `
      + `--access-key ${dev.accessKey} --secret ${dev.secretKey}\n`;
    assert.deepEqual(namesIn(withoutBanner(banner, dev)), []);
    assert.deepEqual(namesIn(withoutBanner(banner + banner, dev)).sort(), ['the AppKey', 'the secret key']);
    assert.deepEqual(namesIn(withoutBanner(`why="${dev.secretKey}"\n`, dev)), ['the secret key']);
    assert.deepEqual(namesIn(withoutBanner(`at=1 AppKey         ${dev.appKey} x\n`, dev)), ['the AppKey']);
  });
});

describe('the harness', () => {
  const planted = secretKey('a key planted in a daemon', random(32));

  test('fails a run whose daemon logged a secret, whichever way it ends', async () => {
    for (const end of ['stop', 'kill9']) {
      const daemon = await Daemon.start();
      daemon.child.stderr.emit('data', `level=debug token=${planted}\n`);
      await assert.rejects(daemon[end](), /secrets in the log: a key planted in a daemon/);
      rmSync(daemon.dataDir, { recursive: true, force: true });
    }
  });

  test('also when that was long ago', async () => {
    const daemon = await Daemon.start();
    daemon.child.stderr.emit('data', `level=debug token=${planted}\n`);
    for (let i = 0; i < 9; i++) daemon.child.stderr.emit('data', 'nothing to see here\n'.repeat(25_000));
    assert.ok(!daemon.log.includes(planted), 'it is forgotten');
    await assert.rejects(daemon.stop(), /secrets in the log/);
  });

  test('and one whose store holds one, whichever file', async () => {
    for (const name of ['atrium.db-wal', 'backup.bin']) {
      const dataDir = mkdtempSync(join(directory, 'store-'));
      const daemon = await Daemon.start({ dataDir });
      await daemon.kill9();
      writeFileSync(join(dataDir, name), Buffer.concat([randomBytes(999), Buffer.from(Buffer.from(planted).toString('base64'))]));
      assert.throws(() => daemon.assertDiscreet(), new RegExp(`the file ${name} of the store: a key planted in a daemon in base64`));
    }
  });

  test('and one whose metrics or answers hold one', async () => {
    const daemon = await Daemon.start();
    const { operator, url } = daemon;
    const leaky = await Leaky.start(400, `atrium_last_token{token="${planted}"} 1\n{}`);
    daemon.operator = leaky.url;
    await assert.rejects(daemon.metrics(), /secrets in the metrics: a key planted in a daemon/);
    daemon.url = leaky.url;
    await assert.rejects(call(daemon, 'KickUser', { AppId: dev.appId }), /secrets in the answer of KickUser/);
    await assert.rejects(send({ url: leaky.url }, { path: '/rtc/v1/validate' }), /secrets in the answer 400 of \/rtc\/v1\/validate/);
    await assert.rejects(RawClient.open({ ws: leaky.url.replace('http', 'ws') }, 'a token'), /secrets in the refusal of a join/);
    Object.assign(daemon, { url, operator: leaky.url });
    await assert.rejects(daemon.stop(), /secrets in the metrics/);
    daemon.operator = operator;
    leaky.stop();
  });
});

// Answers everything with this.
class Leaky {
  static async start(status, body) {
    const { createServer } = await import('node:http');
    const leaky = new Leaky();
    leaky.server = createServer((_request, response) => response.writeHead(status).end(body));
    leaky.server.on('upgrade', (_request, socket) => socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: ${body.length}\r\n\r\n${body}`));
    await new Promise((resolve) => leaky.server.listen(0, '127.0.0.1', resolve));
    leaky.url = `http://127.0.0.1:${leaky.server.address().port}`;
    return leaky;
  }
  stop() { this.server.close(); }
}

// --- a daemon that says all it can say

const app = {
  appId: 'ca0a000000000000000000ca',
  appKey: secretKey('an AppKey', random()),
  secondaryAppKey: secretKey('a second AppKey', random()),
  apiKey: 'canary',
  apiSecret: secretKey('an API secret', random()),
  accessKey: 'AKLTcanary000000000000000001',
  secretKey: secretKey('a secret key', random()),
};
const config = `
[[account]]
id = "canary"
[[account.key]]
access_key = "${app.accessKey}"
secret_file = "canary.secret"
scopes = ["read", "room", "ban", "app"]
`;
const faults = [['secret_file = "canary.secret"', `secret = "${app.secretKey}"`],
    ['"read"', '"reader"'], ['[[account.key]]', `key = "${app.appKey}"\n[[account.key]]`], ['id = "canary"', `id = "${app.appKey}`]];

async function makeApp(daemon) {
  const made = [await say(daemon, 'CreateApp', { AppName: 'canary', AppKey: app.appKey, SecondaryAppKey: app.secondaryAppKey, Ids: 'any' }, '2026-12-01'),
    await say(daemon, 'AddApiKey', { ApiKey: app.apiKey, ApiSecret: app.apiSecret }, '2026-12-01')];
  for (const answer of made) assert.equal(answer.status, 200, answer.text);
}

const say = (daemon, action, fields, version = '2023-11-01', options = {}) =>
  call(daemon, action, { AppId: app.appId, ...fields }, { version, keys: app, ...options });
const soon = (seconds) => Math.floor(Date.now() / 1000) + seconds;
const vendor = (room, user, more = {}) => token001(room, user, { appId: app.appId, appKey: app.appKey, ...more });

async function comeAndGo(daemon) {
  const ann = await MediaClient.open(daemon, await jwt('hall', 'ann', { keys: app, name: 'Ann', metadata: 'about ann' }), { publish: true });
  const ben = await MediaClient.open(daemon, vendor('hall', 'ben', { expireAt: soon(600) }));
  await ben.receives();
  await until('the channel is open', () => ben.channel.readyState === 'open');
  await ben.restartIce();
  const renewals = [vendor('hall', 'ben', { expireAt: soon(900) }), 'nonsense of a secret kind',
    vendor('hall', 'ben', { appKey: 'not the key of the app' })];
  for (const token of renewals) {
    secret('a renewal', token);
    ben.sendData('atrium.token', token);
    await sleep(1050);
  }
  ann.loseSignalling();
  await sleep(100);
  await ann.resume(await jwt('hall', 'ann', { keys: app }));
  await ann.signal.wait('reconnect');
  const native = await Native.start();
  const line = await Proxy.start(daemon.url);
  await native.join(line.ws, await jwt('hall', 'nat', { keys: app }), { publish: false });
  line.cut();
  await native.wait('reconnecting');
  line.allow();
  await native.wait('reconnected', undefined, 40000);
  await native.stop();
  await line.stop();
  return [ann, ben];
}

// Refused in every way; nothing of this may leave a trace but its reason.
async function knockInVain(daemon) {
  const good = await jwt('hall', 'eve', { keys: app });
  const tokens = [await jwt('hall', 'eve', { keys: { ...app, apiSecret: 'not the secret' } }),
    await jwt('hall', 'eve', { keys: { ...app, apiKey: random() } }), `${good.slice(0, -4)}AAAA`, good.slice(0, 90),
    `001${app.appId}${random(90)}`, vendor('hall', 'eve', { expireAt: 1 }), vendor('hall', 'a\u0001b'),
    `${random(40)}.${random(40)}.${random(40)}`];
  for (const token of tokens) {
    secret('a bad token', token.startsWith('001') ? token.slice(27) : token.slice(40));
    const client = await RawClient.open(daemon, token);
    assert.ok(client.refused.status >= 400 && client.refused.status < 404, `${client.refused.status}`);
    await send(daemon, { path: joinPathOf(token).replace('/rtc/v1?', '/rtc/v1/validate?') });
  }
  const nonsense = secret('a bad join_request', random(200));
  for (const value of [nonsense, Buffer.from(`\x12\x40${nonsense}`).toString('base64url')]) {
    secret('a bad join_request', value);
    const path = `/rtc/v1/validate?access_token=${encodeURIComponent(good)}&join_request=${value}`;
    assert.equal((await send(daemon, { path })).status, 400);
  }
  const raw = await RawClient.open(daemon, good);
  await raw.wait('join');
  raw.socket.send(Buffer.concat([Buffer.from([0x0a, 0xff]), Buffer.from(secret('a bad frame', random(90)))]));
  await raw.wait('close');
  const offering = await RawClient.open(daemon, good);
  offering.send({ offer: { type: 'offer', sdp: `v=0\r\ns=${secret('a bad offer', random(60))}\r\n`, id: 1 } });
  await offering.wait('leave');
  offering.stop();
}

async function order(daemon, token) {
  const Message = secret('a message', `in confidence: ${random(40)}`);
  const fields = { From: 'backend', Binary: false, Message };
  const done = async (...args) => {
    const answer = await say(...args);
    assert.equal(answer.status, 200, answer.text);
  };
  await done(daemon, 'SendBroadcast', { RoomId: 'hall', ...fields }, '2020-12-01');
  await done(daemon, 'SendRoomUnicast', { RoomId: 'hall', To: 'ann', ...fields }, '2020-12-01');
  await done(daemon, 'SendUnicast', { To: 'nobody', ...fields }, '2020-12-01');
  await done(daemon, 'LimitTokenPrivilege', { RoomId: 'hall', UserId: 'ben', Token: token, ForbiddenInterval: 60 });
  await done(daemon, 'BanUserStream', { RoomId: 'hall', UserId: 'ann', Audio: true, Token: token }, '2020-12-01');
  await done(daemon, 'BanRoomUser', { RoomId: 'hall', UserId: 'eve', ForbiddenInterval: 600 });
  await done(daemon, 'BanRoomUser', { IP: '203.0.113.0/24', ForbiddenInterval: 600 });
  await done(daemon, 'UpdateBanRoomUserRule', { UserId: 'mallory', ForbiddenInterval: 600 });
  await done(daemon, 'KickUser', { RoomId: 'hall', UserId: 'ben' }, '2020-12-01');
  await done(daemon, 'ListBans', {}, '2026-12-01');
  assert.ok((await vendorAction(daemon, 'SendBroadcast', '2020-12-01', app)({ AppId: app.appId, RoomId: 'hall', ...fields })).Result);
  assert.equal((await RawClient.open(daemon, await jwt('hall', 'eve', { keys: app }))).refused.status, 403);

  // Wrong in every way.
  for (const wrong of [{ Message: { text: Message } }, { Binary: true }, { From: Message }, { Message: Message.repeat(3000) }])
    assert.ok((await say(daemon, 'SendBroadcast', { RoomId: 'hall', ...fields, ...wrong }, '2020-12-01')).status >= 400);
  assert.ok((await say(daemon, 'LimitTokenPrivilege', { RoomId: 'hall', UserId: 'ben', Token: [token], ForbiddenInterval: 60 })).status >= 400);
  assert.ok((await say(daemon, 'DismissRoom', { RoomId: 'hall', [Message]: Message }, '2026-12-01', {
    body: JSON.stringify({ AppId: app.appId, RoomId: 'hall', DryRun: true, Token: token }) })).status >= 400);
  const wrongKeys = { ...app, secretKey: secretKey('a wrong secret key', random()) };
  assert.ok((await say(daemon, 'ListRooms', {}, '2026-12-01', { keys: wrongKeys })).status >= 400);
  assert.ok((await say(daemon, 'SendBroadcast', {}, '2020-12-01', { body: `{"Message":"${Message}",` })).status >= 400);
  for (const alter of [
    (headers) => ({ ...headers, authorization: headers.authorization.replace(/.$/, 'x') }),
    (headers) => ({ ...headers, authorization: headers.authorization.replace('Signature=', 'Sig=') }),
    (headers) => ({ ...headers, authorization: `Bearer ${token}` }),
  ]) assert.ok((await ask(daemon, { fields: { AppId: app.appId, RoomId: 'hall' }, keys: app, alter })).status >= 400);
  await say(daemon, 'DismissRoom', { RoomId: 'hall', Receipt: true, ForbiddenInterval: 60 }, '2020-12-01');
}

const ctl = (daemon, ...args) => new Promise((resolve) => execFile(binary('atriumctl'),
  [...args, '--url', daemon.url, '--app', app.appId, '--access-key', app.accessKey, '--secret', app.secretKey],
  (error, stdout, stderr) => resolve(`${error ? `exit ${error.code}` : ''}\n${stdout}\n${stderr}`)));

describe('a daemon at log level debug', () => {
  let daemon;
  const dataDir = join(directory, 'data');
  after(() => daemon?.stop());

  test('gives no secret away in a run of everything: log, metrics, answers, store', async () => {
    const file = join(directory, 'atrium.toml');
    writeFileSync(file, config);
    mkdirSync(dataDir);
    writeFileSync(join(directory, 'canary.secret'), `${app.secretKey}\n`, { mode: 0o600 });
    daemon = await Daemon.start({ dataDir, args: ['--config', file, '--log-level', 'debug', '--http-trusted-proxies', '127.0.0.0/8'] });
    await makeApp(daemon);
    const clients = await comeAndGo(daemon);
    await knockInVain(daemon);
    await order(daemon, await jwt('hall', 'ben', { keys: app }));
    for (const client of clients) client.stop();
    assertNoSecrets('what atriumctl prints', await ctl(daemon, 'ban', 'list'));
    assertNoSecrets('what atriumctl prints', await ctl(daemon, 'room', 'dismiss', 'nowhere', '--nonsense'));
    for (const line of ['client message refused', 'offer refused']) assert.ok(daemon.log.includes(line), `the log tells of "${line}"`);
    await daemon.kill9(); // the store as it lies there, its write-ahead log too
    daemon = await Daemon.start({ dataDir, args: ['--config', file, '--log-level', 'debug'] });
    await daemon.metrics();
    await daemon.stop();
    daemon = null;
    assert.ok(readFileSync(join(dataDir, 'atrium.db')).length > 0, 'there is a store to search');
  });

  async function checkConfig(good, bad) {
    const file = join(directory, 'faulty.toml');
    writeFileSync(file, config.replace(good, bad));
    const said = await new Promise((resolve) => execFile(binary('atriumd'), ['--config', file, '--check-config'],
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, text: `${stdout}\n${stderr}` })));
    assert.notEqual(said.code, 0, said.text);
    assertNoSecrets('what atriumd says about its configuration', said.text);
  }

  test('and configuration with a fault is not repeated with its secrets', async () => {
    for (const [good, bad] of faults) await checkConfig(good, bad);
  });

  test('nor a secret that stands where the name of its file belongs',
    () => checkConfig('secret_file = "canary.secret"', `secret_file = "${app.secretKey}"`));
});
