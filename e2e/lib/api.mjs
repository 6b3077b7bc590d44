// The management API as backends call it: with the vendor's own npm SDK, and raw where a test needs to send what no
// SDK would.
import { createHash, createHmac } from 'node:crypto';
import volc from '@volcengine/openapi';
import { assertNoSecretsInAnswer, secretKey, secretsOfOrder, secretsOfResult } from './canary.mjs';
import { dev } from './daemon.mjs';

const { Service } = volc;

// A service of the vendor's SDK that talks to `daemon`.
export function vendorService(daemon, keys = dev) {
  const { host, protocol } = new URL(daemon.url);
  secretKey('the secret key of a call', keys.secretKey);
  return new Service({ host, protocol, region: 'cn-north-1', serviceName: 'rtc',
    accessKeyId: keys.accessKey, secretKey: keys.secretKey });
}

export function vendorAction(daemon, action, version = '2020-12-01', keys = dev) {
  const ask = vendorService(daemon, keys).createJSONAPI(action, { Version: version, method: 'POST' });
  return async (fields, ...more) => {
    secretsOfOrder(fields);
    const answer = await ask(fields, ...more);
    secretsOfResult(answer.Result);
    return answer;
  };
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();
const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

// The headers that sign one request (vendor-contract 2.2), x-date and the body's hash covered.
export function signedHeaders({ method = 'POST', query, body = '', date = new Date(), keys = dev, region = 'cn-north-1' }) {
  secretKey('the secret key of a call', keys.secretKey);
  const xDate = date.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = xDate.slice(0, 8);
  const canonicalQuery = Object.keys(query).sort().map((name) => `${escape(name)}=${escape(query[name])}`).join('&');
  const signed = 'x-content-sha256;x-date';
  const canonical = [method, '/', canonicalQuery, `x-content-sha256:${sha256(body)}\nx-date:${xDate}\n`, signed, sha256(body)].join('\n');
  const scope = `${day}/${region}/rtc/request`;
  const toSign = ['HMAC-SHA256', xDate, scope, sha256(canonical)].join('\n');
  const key = hmac(hmac(hmac(hmac(keys.secretKey, day), region), 'rtc'), 'request');
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  return {
    'X-Date': xDate,
    'X-Content-Sha256': sha256(body),
    Authorization: `HMAC-SHA256 Credential=${keys.accessKey}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
  };
}

// One signed call; yields the status, the parsed envelope and the headers.
export async function call(daemon, action, fields, { version = '2020-12-01', method = 'POST', keys = dev, headers = {},
  body = method === 'POST' ? JSON.stringify(fields) : '' } = {}) {
  const query = { Action: action, Version: version, ...(method === 'GET' ? fields : {}) };
  secretsOfOrder(fields);
  const response = await fetch(`${daemon.url}/?${new URLSearchParams(query)}`, {
    method, body: method === 'POST' ? body : undefined,
    headers: { 'Content-Type': 'application/json', ...signedHeaders({ method, query, body, keys }), ...headers },
  });
  const text = await response.text();
  if (response.status >= 400) assertNoSecretsInAnswer(`the answer of ${action}`, text, Object.entries(fields ?? {})
    .flatMap(([name, value]) => (name.endsWith('Id') ? [value] : [])));
  const json = text ? JSON.parse(text) : null;
  if (response.status < 400) secretsOfResult(json?.Result);
  return { status: response.status, json, headers: response.headers, text };
}

export const dismiss = (daemon, room, more = {}, options = {}) =>
  call(daemon, 'DismissRoom', { AppId: dev.appId, RoomId: room, ...more }, options);
