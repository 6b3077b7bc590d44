// How often SDKs come again after each kind of refusal and removal: what is final must be final for them, and what may pass must
// not be.  Counted in front of the daemon, for 20 s; docs/protocol/signalling.md has the numbers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { dismiss } from '../lib/api.mjs';
import { join, launch, openPage } from '../lib/browser.mjs';
import { Daemon, dev, sleep, until } from '../lib/daemon.mjs';
import { order } from '../lib/doors.mjs';
import { send } from '../lib/gateway.mjs';
import { Native } from '../lib/native.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt, token001 } from '../lib/tokens.mjs';

const WATCH_MS = 20_000;
let daemon, drained, drainedAgain, browser;
const opened = [];
const table = [];
before(async () => {
  [daemon, drained, drainedAgain, browser] = await Promise.all([Daemon.start(), Daemon.start(), Daemon.start(), launch()]);
});
after(async () => {
  console.log(['upgrades + validates in 20 s'.padEnd(44) + ' Chromium  rtc-node',
    ...table.sort().map(([kind, ...counts]) => kind.padEnd(46) + counts.map((one) => one.padEnd(10)).join(''))].join('\n'));
  for (const one of opened) await one.stop();
  await browser?.close();
  for (const one of [daemon, drained, drainedAgain]) await one?.stop();
});

function keep(one) {
  opened.push(one);
  return one;
}

// An SDK at the end of a line of its own.  begin(token): joins, and does not say what becomes of it.
async function chromium(line) {
  const page = await openPage(browser, daemon);
  keep({ stop: () => page.context().close() });
  return {
    begin: (token) => join(page, daemon, token, { publish: false, url: line.ws }).catch(() => {}),
    isIn: () => page.evaluate(() => window.room?.state === 'connected'),
  };
}
async function rtcNode(line) {
  const native = keep(await Native.start());
  return {
    begin: async (token) => native.command('join', { url: line.ws, token, publish: false }),
    isIn: async () => {
      const last = native.events.filter(({ event }) => ['joined', 'reconnecting', 'reconnected', 'disconnected'].includes(event)).at(-1);
      return last?.event === 'joined' || last?.event === 'reconnected';
    },
  };
}

const count = (line, since) => {
  const asked = line.asked.slice(since).filter(({ target }) => target.includes('/rtc'));
  const upgrades = asked.filter(({ isUpgrade }) => isUpgrade).length;
  return { upgrades, validates: asked.length - upgrades };
};

const soon = (seconds) => Math.floor(Date.now() / 1000) + seconds;
const rule = (fields) => order(daemon, 'UpdateBanRoomUserRule', { ForbiddenInterval: 600, ...fields });

// A session that lost its signalling and missed its dismissal.
async function missed(room, token) {
  const lost = keep(await RawClient.open(daemon, token));
  await lost.wait('join');
  lost.socket.terminate();
  await until('the loss is seen', async () => (await dismiss(daemon, room, { Receipt: true })).json.Result.Receipt.NotNotified === 1, 5000);
}

// Of each kind: token, what is done before the join (prepare) or to who is in (act), and the most that may be asked after it:
// [upgrades, validates] of Chromium and of rtc-node.
const kinds = {
  '401 -1000 bad token': { token: (room) => jwt(room, 'ann', { keys: { ...dev, apiSecret: 'not the secret' } }), most: [[1, 1], [1, 1]] },
  '400 -1007 illegal id': { token: () => jwt('a\nb', 'ann'), most: [[1, 1], [2, 2]] },
  '403 -1026 user banned': { prepare: (room) => rule({ RoomId: room, UserId: 'ann' }), most: [[1, 1], [1, 1]] },
  '403 -1025 room banned': { prepare: (room) => rule({ RoomId: room }), most: [[1, 1], [1, 1]] },
  '403 -1011 dismissed, not told': { prepare: missed, most: [[1, 1], [1, 1]] },
  'in session: kicked -1006': { most: [[0, 0], [0, 0]],
    act: (room) => order(daemon, 'KickUser', { RoomId: room, UserId: 'ann' }, '2020-12-01') },
  'in session: user banned -1006': { most: [[0, 0], [0, 0]],
    act: (room) => order(daemon, 'BanRoomUser', { RoomId: room, UserId: 'ann', ForbiddenInterval: 600 }) },
  'in session: dismissed -1011': { act: (room) => dismiss(daemon, room), most: [[0, 0], [0, 0]] },
  'in session: duplicate login -1004': { most: [[0, 0], [0, 0]], staysIn: true,
    act: async (room) => keep(await RawClient.open(daemon, await jwt(room, 'ann', { name: 'elsewhere' }))).wait('join') },
  'in session: token expired -1009': { token: async (room) => token001(room, 'ann', { expireAt: soon(12) }), most: [[0, 0], [0, 0]],
    act: (room) => until('it is gone', async () => !(await onlineUsers(daemon, room)).includes('ann'), 25000, 100) },
};

async function walk(kind, sdk, start) {
  const { token = (room) => jwt(room, 'ann'), prepare, act, most, staysIn = false } = kinds[kind];
  const room = `attempts ${kind} ${sdk}`.replace(/[^a-z0-9]+/g, '-');
  const line = keep(await Proxy.start(daemon.url));
  const client = await start(line);
  const text = await token(room);
  await prepare?.(room, text);
  const begun = client.begin(text);
  let since = 0;
  if (act) {
    await until('it is in', client.isIn, 30000, 50);
    since = line.asked.length;
    await act(room);
  } else {
    await until('it asks', () => count(line, 0).upgrades > 0, 30000);
  }
  await sleep(WATCH_MS);
  const { upgrades, validates } = count(line, since);
  const inRoom = kind.startsWith('400') ? [] : await onlineUsers(daemon, room);
  assert.deepEqual(inRoom, staysIn ? ['ann'] : [], 'who is in the room');
  assert.equal(await client.isIn(), false);
  if (!act) assert.ok(upgrades >= 1, 'it was refused at all');
  await Promise.race([begun, sleep(0)]);
  const [upgradesMost, validatesMost] = most[sdk === 'Chromium' ? 0 : 1];
  return { upgrades, validates, isFinal: upgrades <= upgradesMost && validates <= validatesMost };
}

const sdks = [['Chromium', chromium], ['rtc-node', rtcNode]];
const write = ({ upgrades, validates }) => `${upgrades} + ${validates}`;

describe('a refusal or a removal', { concurrency: true }, () => {
  for (const kind of Object.keys(kinds))
    test(`${kind} is final`, async () => {
      const counts = await Promise.all(sdks.map(([sdk, start]) => walk(kind, sdk, start)));
      table.push([kind, ...counts.map(write)]);
      for (const [i, { isFinal, ...asked }] of counts.entries()) assert.ok(isFinal, `${sdks[i][0]} asked ${JSON.stringify(asked)}`);
    });

  const drain = (on, method = 'POST') => send({ url: on.operator }, { method, path: '/drain' });

  test('503 of a draining server at the first join may be tried again', async () => {
    await drain(drained);
    const lines = await Promise.all(sdks.map(async ([sdk, start]) => {
      const line = keep(await Proxy.start(drained.url));
      await (await start(line)).begin(await jwt(`draining-${sdk}`, 'ann'));
      return line;
    }));
    await sleep(WATCH_MS);
    const counts = lines.map((line) => count(line, 0));
    table.push(['503 draining, first join', ...counts.map(write)]);
    for (const { upgrades } of counts) assert.ok(upgrades >= 1);
  });

  test('503 of a draining server is tried again by who had a session, until it is let in', async () => {
    const clients = await Promise.all(sdks.map(async ([sdk, start]) => {
      const line = keep(await Proxy.start(drainedAgain.url));
      const client = await start(line);
      await client.begin(await jwt(`drained-${sdk}`, 'ann'));
      await until('it is in', client.isIn, 30000, 50);
      return { ...client, line };
    }));
    const { httpPort } = drainedAgain;
    for (const { line } of clients) line.keepWaiting();
    await drainedAgain.kill9();
    drainedAgain = await Daemon.start({ httpPort });
    await drain(drainedAgain);
    const since = clients.map(({ line }) => line.asked.length);
    for (const { line } of clients) line.letIn();
    await sleep(WATCH_MS - 8000);
    const counts = clients.map(({ line }, i) => count(line, since[i]));
    table.push(['503 draining, after a restart (12 s)', ...counts.map(write)]);
    for (const [i, { upgrades }] of counts.entries()) assert.ok(upgrades >= 2, `${sdks[i][0]} asked ${upgrades} times`);
    await drain(drainedAgain, 'DELETE');
    for (const [i, client] of clients.entries()) await until(`${sdks[i][0]} is in again`, client.isIn, 30000, 100);
  });
});
