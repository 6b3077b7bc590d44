// Our own version of the management API: calls that must succeed, pages read to their end, and users who come in.
import assert from 'node:assert/strict';
import { call } from './api.mjs';
import { dev } from './daemon.mjs';
import { RawClient } from './raw.mjs';
import { jwt } from './tokens.mjs';

const byGet = new Set(['ListEvents', 'ListAudit', 'ListSchedules', 'ListWebhooks', 'GetDismissRooms']);

export const ask = (daemon, action, fields, options = {}) => call(daemon, action, { AppId: dev.appId, ...fields },
  { version: '2026-12-01', method: byGet.has(action) ? 'GET' : 'POST', ...options });

export async function done(daemon, action, fields, options) {
  const { status, json, text } = await ask(daemon, action, fields, options);
  assert.equal(status, 200, `${action}: ${text}`);
  return json.Result;
}

// Every event of a room, page by page of `limit`.
export async function allEvents(daemon, room, limit = 100) {
  const events = [];
  for (let cursor; ;) {
    const page = await done(daemon, 'ListEvents', { RoomId: room, Limit: limit, ...(cursor ? { Cursor: cursor } : {}) });
    assert.ok(page.Events.length <= limit);
    if (page.Events.length === 0) return events;
    events.push(...page.Events);
    cursor = page.NextCursor;
  }
}

let visits = 0;
// Each visit has a token of its own: one of a dismissed visit is refused.
export async function enter(daemon, room, user, { data = false } = {}) {
  const token = await jwt(room, user, { name: `visit ${++visits}` });
  const client = await (data ? RawClient.openWithData(daemon, token) : RawClient.open(daemon, token));
  assert.equal(client.refused, null, client.refused?.body);
  await client.wait('join');
  return client;
}
