// The management API from a test's side: the error table of api/errors.def, requests signed in any way (also
// wrongly), and the
// checks that every answer of the gateway must pass.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { assertNoSecretsInAnswer, secretKey } from './canary.mjs';
import { dev, root } from './daemon.mjs';

// Rows of api/errors.def: name, code, codeN, status, sent, why (for those never sent).
export function errorTable() {
  const text = readFileSync(join(root, 'api/errors.def'), 'utf8').replace(/\/\/.*$/gm, '');
  const rows = [...text.matchAll(
    /API_ERROR\(\s*(\w+),\s*"([^"]+)",\s*(\d+),\s*(\d+),\s*(\w+),\s*(\w+),\s*(SENT|NEVER\(\s*((?:"[^"]*"\s*)+)\))\s*\)/g)];
  assert.equal(rows.length, (text.match(/^API_ERROR\(/gm) ?? []).length, 'every row of errors.def was understood');
  return rows.map(([, name, code, codeN, status, , , use, why]) =>
    ({ name, code, codeN: Number(codeN), status: Number(status), sent: use === 'SENT', why }));
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();
const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
export const basicTime = (date) => date.toISOString().replace(/[-:]|\.\d{3}/g, '');

// options: method, path, query, body, keys, date, region, service, covered (further headers, sent and signed).
export function sign({ method = 'POST', path = '/', query = {}, body = '', date = new Date(), keys = dev, region = 'cn-north-1',
  service = 'rtc', covered = {} }) {
  secretKey('the secret key of a call', keys.secretKey);
  const xDate = basicTime(date);
  const headers = { 'x-content-sha256': sha256(body), 'x-date': xDate, ...covered };
  const names = Object.keys(headers).sort();
  const canonicalQuery = Object.keys(query).sort().map((name) => `${escape(name)}=${escape(query[name])}`).join('&');
  const canonical = [method, path, canonicalQuery, `${names.map((name) => `${name}:${headers[name]}\n`).join('')}`,
    names.join(';'), sha256(body)].join('\n');
  const scope = `${xDate.slice(0, 8)}/${region}/${service}/request`;
  const toSign = ['HMAC-SHA256', xDate, scope, sha256(canonical)].join('\n');
  const key = hmac(hmac(hmac(hmac(keys.secretKey, xDate.slice(0, 8)), region), service), 'request');
  return { ...headers, authorization: `HMAC-SHA256 Credential=${keys.accessKey}/${scope}, SignedHeaders=${names.join(';')}, ` +
    `Signature=${createHmac('sha256', key).update(toSign).digest('hex')}` };
}

// One call on a connection of its own.  `alter` gets the signed headers and may spoil them; `fields` becomes the
// JSON body of a
// POST and the query of a GET.  Yields status, headers, text and the parsed body.
export function ask(daemon, { action = 'DismissRoom', version = '2020-12-01', method = 'POST', fields, body, query = {},
  path = '/', alter = (headers) => headers, ...signing } = {}) {
  const named = Object.fromEntries(Object.entries({ Action: action, Version: version }).filter(([, value]) => value !== null));
  const all = { ...named, ...(method === 'GET' ? fields : {}), ...query };
  const sent = body ?? (method === 'GET' || fields === undefined ? '' : JSON.stringify(fields));
  const headers = alter({ 'content-type': 'application/json', ...sign({ method, path, query: all, body: sent, ...signing }) });
  return send(daemon, { method, path: `${path}?${new URLSearchParams(all)}`, headers, body: sent });
}

export function send(daemon, { method = 'GET', path = '/', headers = {}, body = '' }) {
  const { hostname, port } = new URL(daemon.url);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path, agent: false,
      headers: { connection: 'close', ...(body ? { 'content-length': Buffer.byteLength(body) } : {}), ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (data) => { text += data; });
      answer.on('end', () => {
        let json = null;
        try { json = JSON.parse(text); } catch { /* not every answer is JSON */ }
        if (answer.statusCode >= 400) {
          try { assertNoSecretsInAnswer(`the answer ${answer.statusCode} of ${path.split('?')[0]}`, text); } catch (error) { reject(error); }
        }
        resolve({ status: answer.statusCode, headers: answer.headers, text, json });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const requestId = /^20\d{12}[0-9A-F]{18}$/;

// Exactly the envelope of vendor-contract 3.1: nothing missing, nothing more, no Result on failure, CodeN on gateway
// errors only.
export function assertRefused(answer, code, { action = 'DismissRoom', version = '2020-12-01', status, says } = {}) {
  const row = errorTable().find((r) => r.code === code);
  assert.ok(row, `${code} is in the table`);
  assert.ok(row.sent, `${code} is marked SENT`);
  assert.equal(answer.json?.ResponseMetadata?.Error?.Code, code, `${answer.status} ${answer.text.slice(0, 300)}`);
  assert.equal(answer.status, status ?? row.status, code);
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  assert.deepEqual(Object.keys(answer.json), ['ResponseMetadata'], 'no Result on failure');
  const { RequestId, Error: error, ...rest } = answer.json.ResponseMetadata;
  assert.match(RequestId, requestId);
  const echoed = { ...(action && { Action: action }), ...(version && { Version: version }) };
  assert.deepEqual(rest, { ...echoed, Service: 'rtc', Region: 'cn-north-1' });
  const { Message, ...exact } = error;
  assert.deepEqual(exact, row.codeN ? { Code: code, CodeN: row.codeN } : { Code: code });
  assert.ok(Message.length > 8 && /[.:]$|\.$/.test(Message), `a sentence: ${Message}`);
  if (says) assert.match(Message, says);
  return row;
}

export function assertDone(answer, result, { action = 'DismissRoom', version = '2020-12-01' } = {}) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  assert.deepEqual(Object.keys(answer.json), ['ResponseMetadata', 'Result']);
  const { RequestId, ...rest } = answer.json.ResponseMetadata;
  assert.match(RequestId, requestId);
  assert.deepEqual(rest, { Action: action, Version: version, Service: 'rtc', Region: 'cn-north-1' });
  if (result !== undefined) assert.deepEqual(answer.json.Result, result);
  return answer.json.Result;
}
