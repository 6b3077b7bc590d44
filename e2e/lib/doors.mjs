// The doors of a room, the rules that keep somebody out, and the moments at which a rule may be made: each is a small object,
// and a run takes one of each.  docs/protocol/doors.md is the table that comes of it.
import assert from 'node:assert/strict';
import { call } from './api.mjs';
import { dev, sleep, until } from './daemon.mjs';
import { MediaClient, Relay } from './media_client.mjs';
import { Proxy } from './proxy.mjs';
import { onlineUsers } from './told.mjs';
import { jwt, token001 } from './tokens.mjs';

// An order of a backend; waits where the quota says so.
export async function order(daemon, action, fields, version = '2023-11-01') {
  for (;;) {
    const { status, json } = await call(daemon, action, { AppId: dev.appId, ...fields }, { version });
    if (status === 200) return json.Result;
    assert.equal(status, 429, `${action}: ${JSON.stringify(json)}`);
    await sleep(100);
  }
}

const ban = (fieldsOf) => (run) => order(run.daemon, 'BanRoomUser', { ForbiddenInterval: 600, ...fieldsOf(run) });

// code: of a refused join.  kind: 'person', 'signalling' (an address that the signalling door sees), 'media' (an address that
// packets come from) or 'publishing' (the user stays, nobody gets what it sends).  evicts: who is in must go.
export const scopes = {
  room: { kind: 'person', code: -1025, evicts: true, rule: ban(({ room }) => ({ RoomId: room })) },
  'user in room': { kind: 'person', code: -1026, evicts: true, rule: ban(({ room, user }) => ({ RoomId: room, UserId: user })) },
  'user in app': { kind: 'person', code: -1026, evicts: true, rule: ban(({ user }) => ({ UserId: user })) },
  'rule made ahead': { kind: 'person', code: -1026, evicts: false,
    rule: ({ daemon, room, user }) => order(daemon, 'UpdateBanRoomUserRule', { RoomId: room, UserId: user, ForbiddenInterval: 600 }) },
  'room rule made ahead': { kind: 'person', code: -1025, evicts: false,
    rule: ({ daemon, room }) => order(daemon, 'UpdateBanRoomUserRule', { RoomId: room, ForbiddenInterval: 600 }) },
  address: { kind: 'signalling', code: -1026, evicts: true, rule: ban(({ net }) => ({ IP: `10.${net}.7` })) },
  'range v4': { kind: 'signalling', code: -1026, evicts: true, rule: ban(({ net }) => ({ IP: `10.${net}.0/24` })) },
  'range v6': { kind: 'signalling', code: -1026, evicts: true, isV6: true,
    rule: ban(({ net }) => ({ IP: `2001:db8:${net.replace('.', ':')}::/64` })) },
  'media address': { kind: 'media', code: -1026, evicts: true, rule: ban(({ net }) => ({ IP: `127.${net}.7` })) },
  'media range v4': { kind: 'media', code: -1026, evicts: true, rule: ban(({ net }) => ({ IP: `127.${net}.0/24` })) },
  'stream ban': { kind: 'publishing',
    rule: ({ daemon, room, user }) => order(daemon, 'BanUserStream', { RoomId: room, UserId: user, Audio: true, Video: true }) },
  'limited token': { kind: 'publishing',
    rule: ({ daemon, room, user, limited }) =>
      order(daemon, 'LimitTokenPrivilege', { RoomId: room, UserId: user, Token: limited, ForbiddenInterval: 600 }) },
};

let runs = 0;

// One user on the way in, with the rule or without it, and one other in the room.
export class Run {
  constructor(daemon, scope, withRule) {
    const n = ++runs;
    Object.assign(this, { daemon, scope, withRule, room: `door-${n}`, user: `eve-${n}`, opened: [] });
    this.net = `${100 + (n >> 8)}.${n & 255}`; // two bytes of addresses that are this run's alone
    this.isPublishing = scope.kind === 'publishing';
  }

  keep(one) {
    this.opened.push(one);
    return one;
  }

  // What the rule means, and what it does not.
  get meant() {
    if (this.scope.kind === 'media') return { source: `127.${this.net}.7` };
    if (this.scope.kind !== 'signalling') return {};
    const address = this.scope.isV6 ? `2001:db8:${this.net.replace('.', ':')}::7` : `10.${this.net}.7`;
    return { headers: { 'X-Forwarded-For': `203.0.113.9, ${address}` } };
  }
  get other() {
    return this.scope.kind === 'signalling' ? { headers: { 'X-Forwarded-For': '198.51.100.7' } } : {};
  }

  // The other one talks where the user listens, and listens where the user talks.
  async start() {
    this.witness = this.keep(await MediaClient.open(this.daemon, await jwt(this.room, 'witness'), { publish: !this.isPublishing }));
  }

  async rule() { if (this.withRule) await this.scope.rule(this); }

  async open(token, more = {}) {
    const client = this.keep(await MediaClient.open(more.via ?? this.daemon, token, { publish: this.isPublishing, ...this.meant, ...more }));
    this.client = client;
    return client;
  }

  // What is on its way through this line waits for letIn().
  async line() {
    const line = this.keep(await Proxy.start(this.daemon.url));
    line.keepWaiting();
    return line;
  }
  hasComeTo(line) { return until('somebody waits on the line', () => line.waiting.length > 0, 10000, 5); }

  // Media goes the way that the door opens.
  isFlowing(packets = 10) { return (this.isPublishing ? this.witness : this.client).receives(packets); }

  async stop() { for (const one of this.opened) await one.stop(); }
}

// --- doors that are a join: `prior` says with which token.
function joining(prior) {
  return {
    before: async (run) => {
      const token = await prior(run);
      run.neverIn = true;
      await run.rule();
      await run.open(token);
    },
    waiting: async (run) => {
      const token = await prior(run);
      run.neverIn = true;
      const line = await run.line();
      const opening = run.open(token, { via: line });
      await run.hasComeTo(line);
      await run.rule();
      line.letIn();
      await opening;
    },
    mid: async (run) => {
      const client = await run.open(await prior(run), { held: true });
      run.neverIn = true;
      await run.rule();
      client.relay.release();
    },
    session: async (run) => {
      await run.open(await prior(run));
      await run.isFlowing();
      await run.rule();
    },
  };
}

// A session that ends by the client's own leave; yields the client.
async function sessionThatLeft(run, token) {
  const former = await run.open(token, { ...run.other, source: undefined });
  await run.isFlowing();
  const refreshed = (await former.signal.wait('refreshToken')).refreshToken;
  former.signal.send({ leave: { reason: 'CLIENT_INITIATED' } });
  await until('it is gone', async () => !(await onlineUsers(run.daemon, run.room)).includes(run.user));
  former.stopTone();
  return refreshed;
}

// --- doors that go back to a session: `tokens` yields the session's and the one to come back with.
function returning(tokens) {
  const begin = async (run) => {
    const [first, second] = await tokens(run);
    const { source } = run.meant;
    await run.open(first, { ...run.other, source });
    await run.isFlowing();
    return second;
  };
  const lose = async (run) => {
    run.client.loseSignalling();
    await sleep(150);
  };
  return {
    before: async (run) => {
      const token = await begin(run);
      await run.rule();
      await lose(run);
      await run.client.resume(token, run.meant);
    },
    mid: async (run) => {
      const token = await begin(run);
      await lose(run);
      await run.rule();
      await run.client.resume(token, run.meant);
    },
    waiting: async (run) => {
      const token = await begin(run);
      await lose(run);
      const line = await run.line();
      const resuming = run.client.resume(token, { ...run.meant, via: line });
      await run.hasComeTo(line);
      await run.rule();
      line.letIn();
      await resuming;
    },
    session: async (run) => {
      const token = await begin(run);
      await lose(run);
      await run.client.resume(token, run.meant);
      await run.client.signal.wait('reconnect');
      await run.isFlowing();
      await run.rule();
    },
  };
}

const soon = (seconds) => Math.floor(Date.now() / 1000) + seconds;
// Two 001 tokens, the second newer.
const pairOf001 = (run) => {
  run.limited = token001(run.room, run.user, { expireAt: soon(600) });
  return [token001(run.room, run.user, { expireAt: soon(120) }), run.limited];
};

async function begin(run, token) {
  await run.open(token, { ...run.meant, source: undefined });
  await run.isFlowing();
}
const restartIce = async (run, { held = false } = {}) => {
  const relay = run.keep({ stop: () => {}, relay: await Relay.open(run.meant.source) }).relay;
  if (held) relay.hold();
  run.formerRelay = run.client.relay;
  run.keep({ stop: () => run.formerRelay.close() });
  await run.client.restartIce(relay);
  return relay;
};

export const doors = {
  'fresh join': joining(async (run) => (run.limited = await jwt(run.room, run.user))),
  'full reconnect': joining(async (run) => {
    run.limited = await jwt(run.room, run.user);
    await sessionThatLeft(run, run.limited);
    return run.limited;
  }),
  'refreshed token': joining(async (run) => {
    run.limited = await jwt(run.room, run.user);
    return sessionThatLeft(run, run.limited);
  }),
  resume: returning(async (run) => {
    run.limited = await jwt(run.room, run.user);
    return [run.limited, run.limited];
  }),
  'resume with a newer token': returning(pairOf001),
  'ICE restart': {
    before: async (run) => {
      await begin(run, run.limited = await jwt(run.room, run.user));
      await run.rule();
      await restartIce(run);
    },
    mid: async (run) => {
      await begin(run, run.limited = await jwt(run.room, run.user));
      const relay = await restartIce(run, { held: true });
      await run.rule();
      relay.release();
    },
    session: async (run) => {
      await begin(run, run.limited = await jwt(run.room, run.user));
      await restartIce(run);
      await run.isFlowing();
      await run.rule();
    },
  },
  'renewal in session': Object.fromEntries(['before', 'mid', 'session'].map((moment) => [moment, async (run) => {
    const [first, second] = pairOf001(run);
    await run.open(first);
    await run.isFlowing();
    await until('the channel is open', () => run.client.channel.readyState === 'open');
    if (moment === 'before') await run.rule();
    run.client.sendData('atrium.token', second);
    if (moment !== 'mid') await sleep(200);
    if (moment !== 'before') await run.rule();
    assert.deepEqual(run.client.errors().filter((code) => code === -1010), [], 'the newer token is a good one');
  }])),
};

export const moments = ['before', 'waiting', 'mid', 'session'];

// Why there is no such cell; null: there is one.
export function unreachable(door, scope, moment) {
  const { kind, evicts } = scopes[scope];
  const inSession = door === 'ICE restart' || door === 'renewal in session';
  if (!doors[door][moment]) return 'nothing waits at this door: it is one message of a session';
  if (kind === 'publishing') return null;
  const moves = door === 'ICE restart' && kind === 'media'; // the door itself brings the address that is meant
  if (inSession && moment === 'before' && !moves) return evicts
    ? 'the rule ends the session, and the door with it'
    : 'the rule evicts nobody, and what goes on is no way in';
  if (evicts) return null;
  const isJoin = !inSession && !door.startsWith('resume');
  if (moment === 'session' || inSession || (moment === 'mid' && isJoin)) return 'the rule evicts nobody: who is in stays in';
  return null;
}
