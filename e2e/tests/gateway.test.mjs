// The management API over HTTP: every error code that is marked as sent is provoked here, with the exact envelope; the vendor's
// npm SDK in all its call styles; the order of the checks; clocks, sessions tokens and quotas.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import volc from '@volcengine/openapi';
import { neighbour, reader, twoAccounts } from '../lib/accounts.mjs';
import { vendorAction, vendorService } from '../lib/api.mjs';
import { Daemon, dev, sleep, until } from '../lib/daemon.mjs';
import { ask, assertDone, assertRefused, errorTable, send, sign } from '../lib/gateway.mjs';
import { Tcp, seat } from '../lib/tcp.mjs';
import { lockStore, spoilStore } from '../lib/store.mjs';
import { jwt } from '../lib/tokens.mjs';

const seen = new Set();
const refused = (answer, code, detail) => { assertRefused(answer, code, detail); seen.add(code); };

const fields = { AppId: dev.appId, RoomId: 'gateway-room' };
const own = '2026-12-01';
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

const without = (name) => (headers) => Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
const withHeader = (name, value) => (headers) => ({ ...headers, [name]: typeof value === 'function' ? value(headers[name]) : value });
const ago = (seconds) => new Date(Date.now() - seconds * 1000);

describe('what the gateway refuses before an action is asked', () => {
  test('a call without Action or Version', async () => {
    refused(await ask(daemon, { action: null, fields }), 'MissingParameter', { action: null, says: /\bAction\b/ });
    refused(await ask(daemon, { version: null, fields }), 'MissingParameter', { version: null, says: /\bVersion\b/ });
  });

  test('a call that is not signed', async () => {
    refused(await ask(daemon, { fields, alter: without('authorization') }), 'MissingAuthenticationToken');
  });

  test('a call that is signed without a signature', async () => {
    refused(await ask(daemon, { fields, alter: withHeader('authorization', (v) => v.replace(/Signature=\w+/, 'Signature=')) }), 'MissingSignature');
  });

  test('a call without a date', async () => {
    refused(await ask(daemon, { fields, alter: without('x-date') }), 'MissingRequestInfo', { says: /timestamp/ });
  });

  test('an Authorization header of another kind', async () => {
    for (const value of ['Bearer abc', 'HMAC-SHA256', 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=x-date, Signature=00'])
      refused(await ask(daemon, { fields, alter: withHeader('authorization', value) }), 'InvalidAuthorization');
  });

  test('a credential with parts missing, of another service or of another region', async () => {
    refused(await ask(daemon, { fields, alter: withHeader('authorization', (v) => v.replace('/request', '')) }), 'InvalidCredential');
    refused(await ask(daemon, { fields, service: 'ecs' }), 'InvalidCredential', { says: /service/ });
    refused(await ask(daemon, { fields, region: 'mars-1' }), 'InvalidCredential', { says: /region/ });
    refused(await ask(daemon, { fields, alter: withHeader('x-date', '20200101T000000Z') }), 'InvalidCredential', { says: /day/ });
  });

  test('an access key that nobody has', async () => {
    refused(await ask(daemon, { fields, keys: { ...dev, accessKey: 'AKLTnobody' } }), 'InvalidAccessKey', { says: /AKLTnobody/ });
  });

  test('a wrong secret, an altered body and an altered query are one and the same error', async () => {
    const messages = new Set();
    for (const answer of [
      await ask(daemon, { fields, keys: { ...dev, secretKey: 'not the secret' } }),
      await ask(daemon, { fields, alter: (headers) => ({ ...headers, ...without('authorization')(headers),
        authorization: sign({ query: { Action: 'DismissRoom', Version: '2020-12-01' }, body: '{"AppId":"x"}' }).authorization }) }),
      await ask(daemon, { fields, alter: withHeader('x-content-sha256', 'e'.repeat(64)) }),
      await send(daemon, { method: 'POST', path: `/?Action=DismissRoom&Version=2020-12-01&More=1`, body: JSON.stringify(fields),
        headers: sign({ query: { Action: 'DismissRoom', Version: '2020-12-01' }, body: JSON.stringify(fields) }) }),
    ]) {
      refused(answer, 'SignatureDoesNotMatch');
      messages.add(answer.json.ResponseMetadata.Error.Message);
    }
    assert.equal(messages.size, 1);
  });

  test('a session token that it did not issue, in the header and in the query', async () => {
    refused(await ask(daemon, { fields, covered: { 'x-security-token': 'STS2abc' } }), 'InvalidSecretToken', { says: /X-Security-Token/ });
    refused(await ask(daemon, { fields, query: { 'X-Security-Token': 'STS2abc' } }), 'InvalidSecretToken');
  });

  test('an action or a version that does not exist', async () => {
    refused(await ask(daemon, { action: 'DissolveRoom', fields }), 'InvalidActionOrVersion', { action: 'DissolveRoom', says: /DissolveRoom/ });
    refused(await ask(daemon, { version: '2023-11-01', fields }), 'InvalidActionOrVersion', { version: '2023-11-01', says: /2020-12-01/ });
    refused(await ask(daemon, { action: 'dismissroom', fields }), 'InvalidActionOrVersion', { action: 'dismissroom' });
  });

  test('a wrong method, with the right one in Allow', async () => {
    const wrong = await ask(daemon, { method: 'GET', fields });
    refused(wrong, 'MethodNotAllowed', { says: /POST/ });
    assert.equal(wrong.headers.allow, 'POST');
    const other = { action: 'GetRoomOnlineUsers', version: '2023-11-01' };
    const answer = await ask(daemon, { ...other, fields });
    refused(answer, 'MethodNotAllowed', { ...other, says: /GET/ });
    assert.equal(answer.headers.allow, 'GET');
  });

  test('a call at another path', async () => {
    refused(await ask(daemon, { path: '/openapi', fields }), 'ServiceNotFound', { says: /\/openapi/ });
    assert.equal((await send(daemon, { path: '/openapi' })).status, 404, 'no Action: an ordinary page that is not there');
  });

  test('a key that may only read, asked to dismiss', async () => {
    refused(await ask(daemon, { fields, keys: reader }), 'AccessDenied', { says: /DismissRoom/ });
    refused(await ask(daemon, { fields, keys: reader, version: own }), 'AccessDenied', { version: own });
    assertDone(await ask(daemon, { action: 'GetRoom', version: own, fields, keys: reader }), { RoomExists: false }, { action: 'GetRoom', version: own });
  });
});

describe('clocks', () => {
  test('a signature is good for 900 s and up to 300 s ahead', async () => {
    for (const seconds of [0, 880, -280]) assertDone(await ask(daemon, { fields, date: ago(seconds) }), { message: 'success' });
    for (const seconds of [920, 100_000]) refused(await ask(daemon, { fields, date: ago(seconds) }), 'InvalidTimestamp', { says: /expired/ });
    for (const seconds of [-330, -100_000]) refused(await ask(daemon, { fields, date: ago(seconds) }), 'InvalidTimestamp', { says: /future/ });
    const text = await ask(daemon, { fields, alter: (h) => ({ ...h, 'x-date': `${h['x-date'].slice(0, 8)}Tnoon` }) });
    refused(text, 'InvalidTimestamp', { says: /X-Date/ });
  });

  test('X-Expires shortens or lengthens that when it is signed, and does nothing when it is not', async () => {
    assertDone(await ask(daemon, { fields, date: ago(1800), query: { 'X-Expires': '3600' } }));
    assertDone(await ask(daemon, { fields, date: ago(1800), covered: { 'x-expires': '3600' } }));
    refused(await ask(daemon, { fields, date: ago(60), query: { 'X-Expires': '30' } }), 'InvalidTimestamp');
    refused(await ask(daemon, { fields, date: ago(60), covered: { 'x-expires': '30' } }), 'InvalidTimestamp');
    refused(await ask(daemon, { fields, date: ago(1800), alter: withHeader('x-expires', '3600') }), 'InvalidTimestamp');
    assertDone(await ask(daemon, { fields, date: ago(60), alter: withHeader('x-expires', '30') }));
    for (const outOfRange of ['3601', '0', '-5', 'soon']) {
      refused(await ask(daemon, { fields, date: ago(1800), query: { 'X-Expires': outOfRange } }), 'InvalidTimestamp');
      assertDone(await ask(daemon, { fields, date: ago(60), query: { 'X-Expires': outOfRange } }));
    }
  });
});

describe('what the actions refuse', () => {
  test('an empty body', async () => {
    refused(await ask(daemon, {}), 'InvalidParameter.BodyIsEmpty');
    refused(await ask(daemon, { body: ' \r\n' }), 'InvalidParameter.BodyIsEmpty');
  });

  test('a body that is not a JSON object', async () => {
    for (const body of ['{', '[]', '"text"', '{"AppId":}', 'AppId=x&RoomId=y', '{} {}', '\u0000'])
      refused(await ask(daemon, { body }), 'InvalidParameter.Unmarshal');
  });

  test('a missing field and a field of a wrong type, by name', async () => {
    refused(await ask(daemon, { fields: { AppId: dev.appId } }), 'InvalidParameter', { says: /^RoomId is missing/ });
    refused(await ask(daemon, { fields: { RoomId: 'a' } }), 'InvalidParameter', { says: /^AppId is missing/ });
    refused(await ask(daemon, { fields: { ...fields, RoomId: 5 } }), 'InvalidParameter', { says: /^RoomId must be a string/ });
    refused(await ask(daemon, { fields: { ...fields, Receipt: 'yes' } }), 'InvalidParameter', { says: /^Receipt must be true or false/ });
    refused(await ask(daemon, { fields: { ...fields, Reason: 'r'.repeat(1025) } }), 'InvalidParameter', { says: /^Reason.*1024/ });
  });

  test('fields that would mean something else in another version', async () => {
    for (const name of ['DryRun', 'IfRoomSessionId'])
      refused(await ask(daemon, { fields: { ...fields, [name]: name === 'DryRun' ? true : 'RM_x' } }), 'InvalidParameter', { says: new RegExp(`^${name}.*2026-12-01`) });
    assertDone(await ask(daemon, { fields: { ...fields, Surprise: 1 } }), { message: 'success' });
    refused(await ask(daemon, { version: own, fields: { ...fields, Surprise: 1 } }), 'InvalidParameter', { version: own, says: /^Surprise/ });
  });

  test('an app id that cannot be, that is not, and that is another account\'s', async () => {
    refused(await ask(daemon, { fields: { ...fields, AppId: 'short' } }), 'InvalidParameter.IllegalAppId', { says: /24/ });
    refused(await ask(daemon, { fields: { ...fields, AppId: 'f'.repeat(24) } }), 'InvalidParameter.NotExistAppId');
    refused(await ask(daemon, { fields: { ...fields, AppId: neighbour.appId } }), 'InvalidParameter.AccountIdMismatch', { says: /owner/ });
    refused(await ask(daemon, { fields, keys: neighbour }), 'InvalidParameter.AccountIdMismatch');
    assertDone(await ask(daemon, { fields: { ...fields, AppId: neighbour.appId }, keys: neighbour }), { message: 'success' });
  });

  test('illegal room ids, by the rule of the app', async () => {
    for (const RoomId of ['', 'a\nb', 'x'.repeat(257)])
      refused(await ask(daemon, { fields: { ...fields, RoomId } }), 'InvalidParameter.IllegalRoomID', { says: /^RoomId/ });
    for (const RoomId of ['', 'has space', 'Zürich', 'a/b', 'x'.repeat(129)])
      refused(await ask(daemon, { fields: { AppId: neighbour.appId, RoomId }, keys: neighbour }), 'InvalidParameter.IllegalRoomID', { says: /^RoomId.*128/ });
    assertDone(await ask(daemon, { fields: { ...fields, RoomId: 'Zürich, hall 3' } }), { message: 'success' });
  });

  test('messages from or to nobody who could be, and to too many', async () => {
    const action = 'BatchSendRoomUnicast';
    const message = { ...fields, From: 'backend', To: ['a', 'b'], Binary: false, Message: 'hello' };
    const is = (change, code, says) => ask(daemon, { action, fields: { ...message, ...change } })
      .then((answer) => refused(answer, code, { action, says }));
    for (const From of ['', 'a:b', 'x'.repeat(129)]) await is({ From }, 'InvalidParameter.IllegalFrom', /^From.*128/);
    for (const To of [[], ['a', ''], ['a\nb']]) await is({ To }, 'InvalidParameter.IllegalTo', /^To/);
    await is({ To: Array.from({ length: 601 }, (_, i) => `u${i}`) }, 'InvalidParameter.UserCountOverLimit', /600/);
    await is({ Message: 'x'.repeat(20_481) }, 'InvalidParameter.SizeOverLimit', /20480/);
    await is({ Message: '?', Binary: true }, 'InvalidParameter', /Base64/);
    assertDone(await ask(daemon, { action, fields: message }), { Message: 'success' }, { action });
  });

  test('a body that is too long', async () => {
    const body = JSON.stringify({ ...fields, Filler: 'f'.repeat(300_000) });
    refused(await ask(daemon, { body }), 'InvalidParameter.SizeOverLimit', { status: 413, says: /262144/ });
  });

  test('a key of another request, and a schedule, a webhook and a room that are not there', async () => {
    const alter = (headers) => ({ ...headers, 'Idempotency-Key': 'one key' });
    await ask(daemon, { fields: { ...fields, RoomId: 'nobody-here' }, alter });
    refused(await ask(daemon, { fields: { ...fields, RoomId: 'nobody-else' }, alter }), 'InvalidParameter.IdempotencyKeyReuse', { says: /another request/ });
    const own_ = (action, more) => ask(daemon, { action, version: own, fields: { AppId: dev.appId, ...more } });
    refused(await own_('ScheduleDismissal', { RoomId: 'nobody-here', AfterSeconds: 60 }), 'InvalidParameter.NoSuchRoom',
      { action: 'ScheduleDismissal', version: own });
    refused(await own_('CancelDismissal', { ScheduleId: 'SD_AAAAAAAAAAAAAAAAA' }), 'InvalidParameter.NotExistSchedule',
      { action: 'CancelDismissal', version: own });
    refused(await own_('TestWebhook', { WebhookId: 'WH_AAAAAAAAAAAAAAAAA' }), 'InvalidParameter.NotExistWebhook',
      { action: 'TestWebhook', version: own });
  });

  test('the wrong session and an operation that is not there', async () => {
    assertDone(await ask(daemon, { version: own, fields: { ...fields, IfRoomSessionId: 'RM_AAAAAAAAAAAAAAAAA' } }),
      { Message: 'success', State: 'not_current' }, { version: own });
    refused(await ask(daemon, { version: own, fields: { ...fields, IfRoomSessionId: 'RM_1' } }), 'InvalidParameter',
      { version: own, says: /IfRoomSessionId/ });
    refused(await ask(daemon, { action: 'GetDismissal', version: own, fields: { AppId: dev.appId, OperationId: 'OP_AAAAAAAAAAAAAAAAA' } }),
      'InvalidParameter.NotExistOperation', { action: 'GetDismissal', version: own });
    refused(await ask(daemon, { action: 'GetDismissal', version: own, fields: { AppId: dev.appId, OperationId: 'nonsense' } }),
      'InvalidParameter', { action: 'GetDismissal', version: own, says: /^OperationId/ });
  });

  test('another app\'s operation does not exist for its neighbour', async () => {
    const guest = await seat(daemon, await jwt('owned', 'guest'));
    const { json } = await ask(daemon, { fields: { ...fields, RoomId: 'owned', Receipt: true } });
    const OperationId = json.Result.Receipt.OperationId;
    const named = { action: 'GetDismissal', version: own };
    assert.equal(assertDone(await ask(daemon, { ...named, fields: { AppId: dev.appId, OperationId } }), undefined, named).Receipt.State, 'done');
    refused(await ask(daemon, { ...named, fields: { AppId: neighbour.appId, OperationId }, keys: neighbour }), 'InvalidParameter.NotExistOperation', named);
    guest.end();
  });
});

describe('two faults at once: the earlier check answers (DESIGN section 4)', () => {
  const both = [
    ['no Version before a body that is too long', { version: null, body: 'x'.repeat(300_000) }, 'MissingParameter', { version: null }],
    ['a body that is too long before a missing signature', { body: 'x'.repeat(300_000), alter: without('authorization') }, 'InvalidParameter.SizeOverLimit', { status: 413 }],
    ['a bad signature before an unknown action', { action: 'Nonsense', fields, keys: { ...dev, secretKey: 'x' } }, 'SignatureDoesNotMatch', { action: 'Nonsense' }],
    ['an unknown action before a wrong method', { action: 'Nonsense', method: 'PUT', fields }, 'InvalidActionOrVersion', { action: 'Nonsense' }],
    ['a wrong method before a key that may not', { method: 'GET', fields, keys: reader }, 'MethodNotAllowed', {}],
    ['a key that may not before a broken body', { body: '{', keys: reader }, 'AccessDenied', {}],
    ['a broken body before an unknown app', { body: `{"AppId":"${'f'.repeat(24)}"`, }, 'InvalidParameter.Unmarshal', {}],
    ['another account\'s app before an illegal room id', { fields: { AppId: neighbour.appId, RoomId: '' } }, 'InvalidParameter.AccountIdMismatch', {}],
  ];
  // On plain TCP: the server closes before such a request is sent to its end.
  for (const [name, target, header, action, status, says] of [
    ['a line that is too long before no Version', `/?Action=DismissRoom&More=${'m'.repeat(60_000)}`, 'X: 1', null, 414, /request line/],
    ['headers that are too long before no Version', '/?Action=DismissRoom', `X-Long: ${'h'.repeat(70_000)}`, 'DismissRoom', 431, /headers/],
    ['headers that are too many before no Version', '/?Action=DismissRoom', 'X-Many: 1\r\n'.repeat(150).trim(), 'DismissRoom', 431, /headers/],
  ]) {
    test(name, async () => {
      const tcp = await Tcp.open(daemon);
      tcp.write(`POST ${target} HTTP/1.1\r\nHost: localhost\r\n${header}\r\nContent-Length: 0\r\n\r\n`);
      const answer = await tcp.answer();
      assert.ok(answer, 'it is answered');
      refused(answer, 'InvalidParameter.SizeOverLimit', { action, version: null, status, says });
      tcp.end();
    });
  }
  for (const [name, call, code, detail] of both) test(name, async () => refused(await ask(daemon, call), code, detail));
});

describe('the vendor\'s npm SDK', () => {
  const plain = (answer) => {
    assert.deepEqual(answer.Result, { message: 'success' });
    assert.deepEqual(Object.keys(answer.ResponseMetadata).sort(), ['Action', 'Region', 'RequestId', 'Service', 'Version']);
  };

  test('createJSONAPI', async () => plain(await vendorAction(daemon, 'DismissRoom')(fields)));

  test('createAPI, whose contentType is json', async () => {
    plain(await vendorService(daemon).createAPI('DismissRoom', { Version: '2020-12-01', method: 'POST', contentType: 'json' })(fields));
  });

  test('fetchOpenAPI with a JSON text, which it sends under a form content type', async () => {
    plain(await vendorService(daemon).fetchOpenAPI({ Action: 'DismissRoom', Version: '2020-12-01', method: 'POST', data: JSON.stringify(fields) }));
    plain(await vendorService(daemon).fetchOpenAPI({ Action: 'DismissRoom', Version: '2020-12-01', method: 'POST', data: fields,
      headers: { 'content-type': 'application/json' } }));
  });

  test('GET with a query, values that need escaping included', async () => {
    const get = vendorService(daemon).createAPI('GetRoomOnlineUsers', { Version: '2023-11-01', method: 'GET' });
    for (const RoomId of ['gateway-room', "it's (a) *room*! ~ü+/=&"]) {
      const answer = await get({ AppId: dev.appId, RoomId });
      assert.deepEqual(answer.Result, { RoomExists: false }, JSON.stringify(answer));
    }
  });

  test('a form body is no JSON, and the SDK hands the error to its caller', async () => {
    const answer = await vendorService(daemon).createUrlEncodeAPI('DismissRoom', { Version: '2020-12-01', method: 'POST' })(fields);
    assert.equal(answer.ResponseMetadata.Error.Code, 'InvalidParameter.Unmarshal');
    assert.equal('Result' in answer, false);
  });

  test('temporary keys of its own making are refused', async () => {
    const made = vendorService(daemon).signSts2(undefined, 60_000);
    const { host } = new URL(daemon.url);
    const temporary = new volc.Service({ host, protocol: 'http:', region: 'cn-north-1', serviceName: 'rtc',
      accessKeyId: made.AccessKeyId, secretKey: made.SecretAccessKey, sessionToken: made.SessionToken });
    const answer = await temporary.createJSONAPI('DismissRoom', { Version: '2020-12-01', method: 'POST' })(fields);
    assert.equal(answer.ResponseMetadata.Error.Code, 'InvalidSecretToken');
    assert.equal(answer.ResponseMetadata.Error.CodeN, 100026);
    seen.add('InvalidSecretToken');
  });

  test('the second account with its own keys', async () => {
    plain(await vendorAction(daemon, 'DismissRoom', '2020-12-01', neighbour)({ AppId: neighbour.appId, RoomId: 'theirs' }));
    const stolen = await vendorAction(daemon, 'DismissRoom', '2020-12-01', neighbour)(fields);
    assert.equal(stolen.ResponseMetadata.Error.Code, 'InvalidParameter.AccountIdMismatch');
  });
});

describe('the vendor\'s shell example', () => {
  test('sends a GET with {} for a body, which it hashes and signs', async () => {
    const covered = { 'content-type': 'application/json', host: new URL(daemon.url).host };
    const get = { action: 'GetRoomOnlineUsers', version: '2023-11-01', method: 'GET', fields, body: '{}', covered };
    assertDone(await ask(daemon, get), { RoomExists: false }, get);
    const asIfEmpty = sign({ method: 'GET', query: { Action: get.action, Version: get.version, ...fields }, covered });
    refused(await ask(daemon, { ...get, alter: () => asIfEmpty }), 'SignatureDoesNotMatch', { action: get.action, version: get.version });
  });
});

describe('RequestId', () => {
  test('is another one for each of two byte-identical calls', async () => {
    const date = new Date();
    const ids = (await Promise.all([1, 2, 3].map(() => ask(daemon, { fields, date })))).map((a) => a.json.ResponseMetadata.RequestId);
    assert.equal(new Set(ids).size, 3);
  });
});

describe('quota', () => {
  function bytesOf(body) {
    const query = { Action: 'DismissRoom', Version: '2020-12-01' };
    const headers = Object.entries(sign({ query, body })).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    return `POST /?${new URLSearchParams(query)} HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
  }

  // In one write on one connection: however busy this machine is, the server meets them within a moment.
  async function burst(count, more = []) {
    await sleep(1100);
    const tcp = await Tcp.open(daemon);
    tcp.write(bytesOf(JSON.stringify(fields)).repeat(count) + more.map((one) => bytesOf(JSON.stringify(one))).join(''));
    const answers = await tcp.answers(count + more.length, 10000);
    assert.equal(answers.length, count + more.length);
    tcp.end();
    return answers;
  }

  test('60 calls a second pass, a burst of 100 does not, and says when to come back', async () => {
    const answers = await burst(100);
    const over = answers.filter((a) => a.status === 429);
    assert.deepEqual(answers.slice(0, 60).map((a) => a.status), Array(60).fill(200), 'one second\'s worth passes');
    assert.ok(over.length > 0 && over.length <= 40, `${over.length} of 100 refused`);
    for (const answer of over) {
      refused(answer, 'FlowLimitExceeded.QPSOverLimit', { says: /60 requests per second/ });
      assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
    }
    await sleep(Number(over[0].headers['retry-after']) * 1000);
    assertDone(await ask(daemon, { fields }), { message: 'success' });
  });

  test('is looked at after the app and before the room', async () => {
    const ten = (wrong) => Array(10).fill({ ...fields, ...wrong });
    const answers = await burst(200, [...ten({ AppId: neighbour.appId }), ...ten({ RoomId: '' })]);
    for (const answer of answers.slice(200, 210)) refused(answer, 'InvalidParameter.AccountIdMismatch');
    // One of them may meet the moment at which the account has a call again.
    assert.ok(answers.slice(210).filter((answer) => answer.status === 429).length >= 8, JSON.stringify(answers.slice(210).map((a) => a.status)));
  });

  test('belongs to the account and the action', async () => {
    assert.equal((await burst(200)).at(-1).status, 429);
    assert.equal((await ask(daemon, { fields: { ...fields, AppId: neighbour.appId }, keys: neighbour })).status, 200);
    assert.equal((await ask(daemon, { action: 'GetRoom', version: own, fields })).status, 200);
  });
});

describe('when the server itself fails', () => {
  test('a record that cannot be written is InternalError with the operation, and the room is cut all the same', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'atrium-e2e-spoilt-'));
    const other = await Daemon.start({ dataDir });
    try {
      const guest = await seat(other, await jwt('doomed', 'guest'));
      spoilStore(dataDir);
      const answer = await ask(other, { fields: { ...fields, RoomId: 'doomed' } });
      refused(answer, 'InternalError', { says: /could not be stored.*OP_\w{17}/ });
      assert.equal((await other.metrics()).get('atrium_rooms'), 0);
      assert.equal((await other.metrics()).get('atrium_dismissals_total{outcome="failed"}'), 1);
      assert.equal((await send({ url: other.operator }, { path: '/readyz' })).status, 503, 'not ready while the store fails');
      const OperationId = 'OP_AAAAAAAAAAAAAAAAA';
      refused(await ask(other, { action: 'GetDismissal', version: own, fields: { AppId: dev.appId, OperationId } }), 'InternalError',
        { action: 'GetDismissal', version: own, says: /could not be read/ });
      guest.end();
    } finally {
      await other.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  test('a call that still waits when the server stops is told to come back', async () => {
    let answer = null;
    for (let attempt = 0; attempt < 4 && answer?.status !== 503; attempt++) {
      const dataDir = mkdtempSync(join(tmpdir(), 'atrium-e2e-locked-'));
      const other = await Daemon.start({ dataDir });
      let unlock = () => {};
      try {
        const guest = await seat(other, await jwt('waiting', 'guest'));
        unlock = await lockStore(dataDir);  // the store waits at most 200 ms for it: the reason for further attempts
        const waiting = ask(other, { fields: { ...fields, RoomId: 'waiting' } });
        await until('the dismissal runs', async () => (await other.metrics()).get('atrium_rooms') === 0, 5000, 1);
        other.child.kill('SIGTERM');
        answer = await waiting;
        guest.end();
      } finally {
        unlock();
        await other.stop();
        rmSync(dataDir, { recursive: true, force: true });
      }
    }
    refused(answer, 'ServiceUnavailableTemp', { says: /try again/ });
    assert.equal(answer.headers['retry-after'], '1');
  });
});

test('every code that api/errors.def marks as sent was provoked above, and every other one has a reason', () => {
  const table = errorTable();
  seen.add('FlowLimitExceeded.TaskNumberOverLimit'); // sixteen DismissRooms at once: provoked in openapi_test alone
  assert.deepEqual(table.filter((row) => row.sent && !seen.has(row.code)).map((row) => row.code), []);
  for (const row of table.filter((r) => !r.sent)) assert.ok(row.why?.length > 10, `${row.code} says why it is never sent`);
});
