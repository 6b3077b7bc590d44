// Bad input, over plain TCP: each gets a clear refusal that names the field or the limit, in bounded time and memory, and nobody
// else is harmed meanwhile.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { neighbour, twoAccounts } from '../lib/accounts.mjs';
import { secretToken } from '../lib/canary.mjs';
import { Daemon, dev, sleep, until } from '../lib/daemon.mjs';
import { ask, assertDone, assertRefused, send, sign } from '../lib/gateway.mjs';
import { Tcp, doorOf, seat, smallestJoinRequest, upgrade } from '../lib/tcp.mjs';
import { jwt, token001 } from '../lib/tokens.mjs';

const fields = { AppId: dev.appId, RoomId: 'limits-room' };
const query = { Action: 'DismissRoom', Version: '2020-12-01' };
const line = 'POST /?Action=DismissRoom&Version=2020-12-01 HTTP/1.1\r\nHost: localhost\r\n';
let daemon, config, slow;

// A signed request as bytes, with Content-Length or in chunks.
function signedBytes(body, { chunked = false, close = false } = {}) {
  const headers = Object.entries({ 'content-type': 'application/json', ...sign({ query, body }) }).map(([n, v]) => `${n}: ${v}\r\n`).join('');
  const end = close ? 'Connection: close\r\n' : '';
  if (!chunked) return `${line}${headers}${end}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const chunks = body.match(/[^]{1,1000}/g).map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
  return `${line}${headers}${end}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
}

// Writes `bytes` on a connection of its own and yields the one answer to them.
async function say(bytes, ms = 10000) {
  const tcp = await Tcp.open(daemon);
  tcp.write(bytes);
  const answer = await tcp.answer(ms);
  assert.ok(answer, `an answer to ${bytes.slice(0, 60)}… (got ${tcp.text.slice(0, 100)})`);
  if (answer.headers.connection === 'close')
    assert.ok(await tcp.until((t) => t.isEnded || t.isClosed, 5000), 'what says that it closes is closed');
  tcp.end();
  return answer;
}

const plain = async () => assertDone(await ask(daemon, { action: 'GetRoomOnlineUsers', version: '2023-11-01', method: 'GET', fields }),
  { RoomExists: false }, { action: 'GetRoomOnlineUsers', version: '2023-11-01' });
const residentKb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))[1]);

// Slow senders run beside all the other tests of this file, which are the callers that must not be harmed.
async function startSlowSenders() {
  const open = () => Tcp.open(daemon);
  const [head, body, chunk, silent] = await Promise.all([open(), open(), open(), open()]);
  const timed = async (tcp, opening, rest) => {
    const start = Date.now();
    tcp.write(opening);
    await tcp.trickle(rest, 1000, 40000);
    return { tcp, ms: Date.now() - start, answer: (await tcp.answer(100)) };
  };
  silent.write('');
  return {
    head: timed(head, '', `${line}X-Slow: ${'s'.repeat(1000)}`),
    body: timed(body, `${line}Content-Length: 1000\r\n\r\n`, '{"AppId":'.padEnd(1000)),
    chunk: timed(chunk, `${line}Transfer-Encoding: chunked\r\n\r\n3e8\r\n`, '{"AppId":'.padEnd(1000)),
    silent,
  };
}

before(async () => {
  config = twoAccounts();
  daemon = await Daemon.start({ args: config.args });
  await config.makeApps(daemon);
  await plain();
  slow = await startSlowSenders();
});
after(async () => {
  await daemon?.stop();
  config?.remove();
});

describe('bodies', () => {
  test('that are no JSON say where they stop being it', async () => {
    for (const [body, says] of [['{"AppId":"x",,}', /byte 13/], ['{"AppId":"x"', /ends too early/], ['nul', /cannot be read/], ['{"a":1}x', /follows the value/],
      ['{"AppId":"\u0001"}', /cannot be read/], ['\ufeff{}', /cannot be read/]])
      assertRefused(await ask(daemon, { body }), 'InvalidParameter.Unmarshal', { says });
    assertRefused(await ask(daemon, { body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]) }), 'InvalidParameter.Unmarshal');
  });

  test('that are 10,000 levels deep', async () => {
    for (const [open, close] of [['[', ']'], ['{"a":', '}']]) {
      const body = `{"AppId":${open.repeat(10_000)}1${close.repeat(10_000)}}`;
      assertRefused(await ask(daemon, { body }), 'InvalidParameter.Unmarshal', { says: /nested too deeply/ });
    }
  });

  test('with a key twice, in whatever case', async () => {
    for (const body of ['{"AppId":"a","AppId":"b","RoomId":"r"}', '{"AppId":"a","appid":"b","RoomId":"r"}', '{"x":1,"X":2}', '{"AppId":"a","n":{"k":1,"K":2}}'])
      assertRefused(await ask(daemon, { body }), 'InvalidParameter.Unmarshal', { says: /AppId|"?x"?|k/i });
  });

  test('whose keys are written in another case are understood', async () => {
    assertDone(await ask(daemon, { fields: { appid: dev.appId, ROOMID: 'limits-room' } }), { message: 'success' });
  });

  test('with values of the wrong type name the field', async () => {
    for (const value of [1, true, [], {}, 1.5])
      assertRefused(await ask(daemon, { fields: { ...fields, RoomId: value } }), 'InvalidParameter', { says: /^RoomId must be a string/ });
    assertRefused(await ask(daemon, { fields: { ...fields, RoomId: null } }), 'InvalidParameter', { says: /^RoomId is missing/ });
  });

  test('of 1 MB, announced or in chunks, are refused before they are read', async () => {
    const big = JSON.stringify({ ...fields, Filler: 'f'.repeat(1_000_000) });
    const before = residentKb();
    for (const chunked of [false, true]) {
      const answer = await say(signedBytes(big, { chunked }));
      assertRefused(answer, 'InvalidParameter.SizeOverLimit', { status: 413 });
      assert.equal(answer.headers.connection, 'close');
    }
    const announced = await say(`${line}Content-Length: 99999999999999999999999\r\n\r\n`);
    assert.ok([400, 413].includes(announced.status), `${announced.status}`);
    assert.ok(residentKb() - before < 20_000, 'memory');
  });

  test('of just the longest length are served, in chunks too', async () => {
    const frame = JSON.stringify({ ...fields, Filler: '' }).length;
    for (const chunked of [false, true]) {
      const longest = JSON.stringify({ ...fields, Filler: 'f'.repeat(262_144 - frame) });
      assert.equal((await say(signedBytes(longest, { chunked }))).status, 200);
      assertRefused(await say(signedBytes(`${longest} `, { chunked })), 'InvalidParameter.SizeOverLimit', { status: 413 });
    }
  });
});

describe('requests', () => {
  test('that are not HTTP', async () => {
    for (const bytes of ['nonsense\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', `${line}Bad header\r\n\r\n`, `${line}Content-Length: -5\r\n\r\n`, `${line}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`]) {
      const answer = await say(bytes);
      assert.equal(answer.status, 400, bytes);
      assert.equal(answer.json.ResponseMetadata.Error.Code, 'InvalidParameter', bytes);
      assert.equal(answer.headers.connection, 'close');
    }
  });

  test('whose line is too long', async () => {
    const answer = await say(`GET /?Action=${'a'.repeat(60_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.equal(answer.status, 414);
    assert.match(answer.json.ResponseMetadata.Error.Message, /request line/);
    assert.equal((await say('x'.repeat(60_000))).status, 414, 'before a line ended');
  });

  test('with headers that are too long or too many', async () => {
    for (const headers of [`X-Long: ${'h'.repeat(70_000)}\r\n`, 'X-Many: 1\r\n'.repeat(150)]) {
      const answer = await say(`${line}${headers}\r\n`);
      assert.equal(answer.status, 431);
      assert.match(answer.json.ResponseMetadata.Error.Message, /headers/);
    }
    assert.notEqual((await say(`${line}${'X-Many: 1\r\n'.repeat(90)}Content-Length: 0\r\n\r\n`)).status, 431);
  });

  test('whose framing is unclear', async () => {
    assert.equal((await say(`${line}Transfer-Encoding: gzip, chunked\r\n\r\n`)).status, 501);
    assert.equal((await say(`${line}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`)).status, 400);
    assert.equal((await say(`${line}Transfer-Encoding: chunked\r\n\r\nzz\r\n`)).status, 400);
    assert.ok([400, 431].includes((await say(`${line}Transfer-Encoding: chunked\r\n\r\n5;${'e'.repeat(70_000)}`)).status));
  });

  test('with too many or badly escaped parameters', async () => {
    const many = Array.from({ length: 300 }, (_, i) => `p${i}=1`).join('&');
    assertRefused(await send(daemon, { path: `/?${many}` }), 'InvalidParameter', { action: null, version: null, says: /too many parameters/ });
    assertRefused(await send(daemon, { path: '/?Action=%zz&Version=1' }), 'InvalidParameter', { action: null, version: null, says: /escape/ });
    assertRefused(await send(daemon, { path: '/?Action=A&Action=B&Version=1' }), 'InvalidParameter', { action: 'A', version: '1', says: /^Action was given twice/ });
  });

  test('in a pipeline are answered in order, on one connection', async () => {
    const tcp = await Tcp.open(daemon);
    const rooms = ['', 'ok', '\n', 'ok'];
    tcp.write(rooms.map((RoomId) => signedBytes(JSON.stringify({ ...fields, RoomId }))).join(''));
    const answers = await tcp.answers(4, 10000);
    assert.deepEqual(answers.map((a) => a.status), [400, 200, 400, 200]);
    tcp.end();
  });

  test('behind one that closes the connection are not answered', async () => {
    const tcp = await Tcp.open(daemon);
    tcp.write(signedBytes(JSON.stringify(fields), { close: true }) + signedBytes(JSON.stringify(fields)));
    await tcp.until((t) => t.isEnded);
    assert.equal((await tcp.answers(2, 200)).length, 1);
    tcp.end();
  });
});

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
function jwtBy(alg, { secret = dev.apiSecret, claims = {} } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const text = `${base64url({ alg, typ: 'JWT' })}.${base64url({ iss: dev.apiKey, sub: 'mallory', nbf: now - 5, exp: now + 600, video: { roomJoin: true, room: 'doors' }, ...claims })}`;
  const hash = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }[alg];
  return secretToken('a JWT by hand', `${text}.${hash ? createHmac(hash, secret).update(text).digest('base64url') : ''}`);
}

describe('the signalling doors', () => {
  // At the upgrade and on the validate path alike: status, JSON body, CORS, and never 404.
  async function refusedAtBoth(token, status, code, { prefix = '', headers = {} } = {}) {
    const parameters = `${token === null ? '' : `access_token=${encodeURIComponent(token)}&`}join_request=${smallestJoinRequest}`;
    const atUpgrade = await say(upgrade(`${prefix}/rtc/v1?${parameters}`, headers));
    const atValidate = await send(daemon, { path: `${prefix}/rtc/v1/validate?${parameters}`, headers });
    for (const [where, answer] of [['upgrade', atUpgrade], ['validate', atValidate]]) {
      assert.equal(answer.status, status, `${where}: ${answer.text}`);
      assert.equal(answer.headers['access-control-allow-origin'], '*', where);
      assert.equal(answer.headers['content-type'], 'application/json', where);
      assert.deepEqual(Object.keys(answer.json), ['code', 'name', 'message'], where);
      assert.equal(answer.json.code, code, where);
      assert.ok(answer.json.name.length > 3 && answer.json.message.length > 3);
    }
  }

  test('refuse what is no token', async () => {
    for (const token of [null, '', 'garbage', '001', `001${dev.appId}`, `001${dev.appId}!!!`, 'a.b.c', '..', 'x'.repeat(20_000)])
      await refusedAtBoth(token, 401, -1000);
  });

  test('refuse tokens by a wrong key, of another app, or changed', async () => {
    await refusedAtBoth(token001('doors', 'mallory', { appKey: 'not the key' }), 401, -1000);
    await refusedAtBoth(token001('doors', 'mallory', { appId: neighbour.appId }), 401, -1000);
    await refusedAtBoth(token001('doors', 'mallory', { appId: 'f'.repeat(24) }), 401, -1000);
    await refusedAtBoth(jwtBy('HS256', { secret: 'not the secret' }), 401, -1000);
    await refusedAtBoth(jwtBy('HS256', { claims: { iss: 'nobody' } }), 401, -1000);
    const [head, , signature] = jwtBy('HS256').split('.');
    await refusedAtBoth(`${head}.${base64url({ iss: dev.apiKey, sub: 'admin', exp: 4e9, video: { roomJoin: true, room: 'doors' } })}.${signature}`, 401, -1000);
  });

  test('refuse tokens that are over', async () => {
    await refusedAtBoth(token001('doors', 'late', { expireAt: Math.floor(Date.now() / 1000) - 10 }), 401, -1000);
    await refusedAtBoth(jwtBy('HS256', { claims: { exp: Math.floor(Date.now() / 1000) - 120 } }), 401, -1000);
    await refusedAtBoth(jwtBy('HS256', { claims: { nbf: Math.floor(Date.now() / 1000) + 600 } }), 401, -1000);
  });

  test('refuse every algorithm but HS256, also with the right secret', async () => {
    for (const alg of ['none', 'None', 'HS384', 'HS512', 'RS256', 'hs256', '']) await refusedAtBoth(jwtBy(alg), 401, -1000);
    assert.equal((await say(upgrade(doorOf(jwtBy('HS256'))))).status, 101, 'the same token by HS256 is good');
  });

  test('refuse ids that could not be named in DismissRoom', async () => {
    for (const room of ['a\u0007b', 'r'.repeat(300)]) await refusedAtBoth(await jwt(room, 'mallory'), 400, -1007);
    for (const user of ['a\nb', 'u'.repeat(300)]) await refusedAtBoth(await jwt('doors', user), 400, -1007);
    const strict = { appId: neighbour.appId, appKey: neighbour.appKey };
    await refusedAtBoth(token001('has space', 'mallory', strict), 400, -1007);
    await refusedAtBoth(token001('doors', 'Zoë', strict), 400, -1007);
    await refusedAtBoth(token001('*', 'mallory'), 400, -1007);
  });

  test('refuse a token for another room than the path names', async () => {
    await refusedAtBoth(await jwt('doors', 'mallory'), 401, -1000, { prefix: '/r/elsewhere' });
  });

  test('refuse a join without its request, and one that is no protobuf', async () => {
    const token = encodeURIComponent(await jwt('doors', 'mallory'));
    for (const request of ['', '&join_request=%%%', '&join_request=AAAA', `&join_request=${'A'.repeat(4000)}`, '&join_request=CAESBHgAeAA']) {
      const answer = await say(upgrade(`/rtc/v1?access_token=${token}${request}`));
      assert.equal(answer.status, 400, request);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.json.code, -1001);
    }
  });

  test('the older form is answered with 404 and CORS; the newer one never is', async () => {
    for (const path of ['/rtc', '/rtc/validate']) {
      const answer = await send(daemon, { path });
      assert.equal(answer.status, 404);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
    }
    assert.equal((await send(daemon, { path: `/rtc/v1?access_token=x` })).status, 426);
    const preflight = await send(daemon, { method: 'OPTIONS', path: '/rtc/v1/validate', headers: { origin: 'https://a.example', 'access-control-request-headers': 'authorization' } });
    assert.equal(preflight.status, 204);
    assert.match(preflight.headers['access-control-allow-headers'], /authorization/i);
  });
});

describe('an open WebSocket', () => {
  for (const [name, misbehave] of [
    ['a text frame', (tcp) => tcp.frame(1, 'hello')],
    ['garbage for a message', (tcp) => tcp.frame(2, Buffer.alloc(500, 0xff))],
    ['an unmasked frame', (tcp) => tcp.frame(2, 'xx', { masked: false })],
    ['an unknown opcode', (tcp) => tcp.frame(7, 'xx')],
    ['a frame of 2 GiB, as it says', (tcp) => tcp.frame(2, 'xx', { size: 2 ** 31 })],
    ['a frame of 3 MiB', (tcp) => tcp.frame(2, Buffer.alloc(3 * 1024 * 1024))],
    ['a fragmented control frame', (tcp) => tcp.frame(9, 'x', { fin: false })],
  ]) {
    test(`${name} ends it, and only it`, async () => {
      const token = await jwt('frames', 'other');
      const other = await seat(daemon, token);
      const tcp = await seat(daemon, await jwt('frames', 'mallory'));
      misbehave(tcp);
      assert.ok(await tcp.until((t) => t.isEnded || t.isClosed, 5000), 'it is closed');
      assert.equal(other.isEnded || other.isClosed || false, false, 'the other one is not');
      tcp.end();
      other.end();
    });
  }

  test('a message in a thousand fragments is read', async () => {
    const tcp = await seat(daemon, await jwt('frames', 'patient'));
    tcp.received = Buffer.alloc(0);
    // SignalRequest.ping (field 14, int64): the answer is a pong.
    const ping = Buffer.from([0x70, 0x01]);
    tcp.frame(2, ping.subarray(0, 1), { fin: false });
    for (let i = 0; i < 998; i++) tcp.frame(0, '', { fin: false });
    tcp.frame(0, ping.subarray(1));
    assert.ok(await tcp.until((t) => t.received.length > 2, 3000), 'answered');
    assert.equal(tcp.isEnded ?? false, false);
    tcp.end();
  });
});

describe('3,000 idle connections', () => {
  test('take little memory and nobody\'s turn', async () => {
    const before = residentKb();
    const idle = [];
    for (let i = 0; i < 3000; i += 250) idle.push(...(await Promise.all(Array.from({ length: 250 }, () => Tcp.open(daemon)))));
    await until('all are accepted', async () => (await daemon.metrics()).get('atrium_http_connections') >= 3000);
    const start = Date.now();
    await plain();
    const tookMs = Date.now() - start;
    const grownKb = residentKb() - before;
    assert.ok(tookMs < 1000, `${tookMs} ms`);
    assert.ok(grownKb < 3000 * 24, `${grownKb} KB for 3,000 connections`);
    for (const tcp of idle) tcp.end();
    await until('all are gone', async () => (await daemon.metrics()).get('atrium_http_connections') < 50);
  });
});

describe('slow senders', () => {
  test('of heads and bodies are told off in time, while others are served at once', async () => {
    const latencies = [];
    let done = false;
    const all = Promise.all([slow.head, slow.body, slow.chunk]).then((values) => { done = true; return values; });
    while (!done) {
      const start = Date.now();
      await plain();
      latencies.push(Date.now() - start);
      await sleep(100);
    }
    const [head, body, chunk] = await all;
    for (const [name, { answer, ms }, low, high, says] of [['head', head, 9000, 16000, /head/], ['body', body, 18000, 27000, /body/],
      ['chunk', chunk, 18000, 27000, /body/]]) {
      assert.equal(answer?.status, 408, name);
      assert.match(answer.json.ResponseMetadata.Error.Message, says);
      assert.ok(ms > low && ms < high, `${name}: closed after ${ms} ms`);
    }
    assert.ok(Math.max(...latencies) < 1000, `the slowest of ${latencies.length} calls took ${Math.max(...latencies)} ms`);
    assert.equal(slow.silent.isEnded ?? false, false, 'one that has said nothing yet may keep its connection for a while');
    slow.silent.end();
  });
});

test('after all of this the daemon is well', async () => {
  assert.equal((await send({ url: daemon.operator }, { path: '/readyz' })).status, 200);
  assert.equal((await daemon.metrics()).get('atrium_bugs_total'), 0);
  await plain();
});
