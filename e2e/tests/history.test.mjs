// Lives and visits are remembered: the vendor's own SDK lists them while they last, after they end, and after the process was
// killed and started again.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { dismiss, vendorService } from '../lib/api.mjs';
import { join, launch, openPage } from '../lib/browser.mjs';
import { binary, Daemon, dev, until } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { jwt } from '../lib/tokens.mjs';

const ROOM = 'history-room';
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

const rfc3339 = (ms) => new Date(ms).toISOString().replace(/\.\d{3}Z$/, '+00:00');
const window = () => ({ StartTime: rfc3339(Date.now() - 3600_000), EndTime: rfc3339(Date.now() + 60_000) });

async function list(daemon, action, fields, version) {
  const get = vendorService(daemon).createAPI(action, { Version: version, method: 'GET' });
  const answer = await get({ AppId: dev.appId, ...window(), ...fields });
  assert.equal(answer.ResponseMetadata.Error, undefined, JSON.stringify(answer));
  return answer.Result;
}
const rooms = (daemon, fields = {}, version = '2023-11-01') => list(daemon, 'ListRoomInfo', { RoomId: ROOM, ...fields }, version);
const users = (daemon, fields = {}, version = '2020-12-01') =>
  list(daemon, 'ListUserInfo', { RoomId: ROOM, ExcludeServerUser: 'false', ...fields }, version);
const byName = (result, name) => result.UserList.find(({ UserId }) => UserId === name);
// Below the quota of ten calls a second.
const poll = (what, probe, ms = 15000) => until(what, probe, ms, 250);
const types = (user) => user.Record.map(({ Type }) => Type);

test('two lives of one room and their visitors, over a dismissal and a kill', async () => {
  const dataDir = await mkdtemp(joinPath(tmpdir(), 'atrium-history-'));
  let daemon = await Daemon.start({ dataDir });
  let native;
  try {
    const page = await openPage(browser, daemon);
    await join(page, daemon, await jwt(ROOM, 'page'));
    native = await Native.start();
    await native.join(daemon.ws, await jwt(ROOM, 'native'), { publish: false });

    const live = await poll('both are listed', async () => {
      const result = await rooms(daemon);
      return result.RoomList[0]?.ActiveUserNum === 2 && result;
    });
    assert.deepEqual([live.Total, live.HasMore, live.PageNum, live.PageSize], [1, false, 1, 20]);
    assert.equal(live.RoomList[0].IsFinished, false);
    assert.equal(live.RoomList[0].DestroyTime, '');
    assert.ok(Math.abs(Date.parse(live.RoomList[0].CreatedTime) - Date.now()) < 60_000);
    assert.deepEqual((await rooms(daemon, {}, '2020-12-01')).RoomList, live.RoomList, 'both versions say the same');

    const here = await poll('the page has published', async () => {
      const result = await users(daemon);
      return byName(result, 'page')?.Pub && result;
    });
    assert.equal(here.Total, 2);
    const pageRow = byName(here, 'page');
    assert.deepEqual(types(pageRow), ['join_room']);
    assert.deepEqual([pageRow.Finished, pageRow.LeaveAt, pageRow.OS, pageRow.RoomId], [false, '', 'web', ROOM]);
    assert.match(pageRow.SdkVersion, /^js 2\./);
    assert.equal(byName(here, 'native').Pub, false);
    assert.deepEqual((await users(daemon, { UserId: 'native,nobody' })).UserList.map(({ UserId }) => UserId), ['native']);

    // The page comes and goes once more within the same life.
    await page.evaluate(() => window.room.disconnect());
    await poll('the page has left', async () => byName(await users(daemon), 'page').Finished);
    await join(page, daemon, await jwt(ROOM, 'page'), { publish: false });
    await poll('the page is back', async () => !byName(await users(daemon), 'page').Finished);
    assert.deepEqual(types(byName(await users(daemon), 'page')), ['join_room', 'leave_room', 'join_room']);
    assert.equal((await users(daemon)).Total, 2, 'still one row each');

    assert.equal((await dismiss(daemon, ROOM)).status, 200);
    const over = await poll('the dismissed life has ended', async () => {
      const { RoomList: [life] } = await rooms(daemon);
      return life.IsFinished && life;
    }, 2000);
    assert.notEqual(over.DestroyTime, '');
    assert.equal(over.ActiveUserNum, 0);
    const { Rooms: [told] } = await rooms(daemon, {}, '2026-12-01');
    assert.deepEqual([told.RoomSessionId, told.Interrupted, told.Reason.Name, told.Reason.Operator],
      [over.CallId, false, 'ROOM_DISMISS', dev.accessKey], 'our own version says why it ended');
    const gone = await users(daemon);
    assert.deepEqual(types(byName(gone, 'page')), ['join_room', 'leave_room', 'join_room', 'leave_room']);
    assert.deepEqual(types(byName(gone, 'native')), ['join_room', 'leave_room']);

    // The room is made again: another life.
    const again = await openPage(browser, daemon);
    // A token of its own: one minted in the same second from the same words would be the dismissed page's token.
    await join(again, daemon, await jwt(ROOM, 'page', { name: 'again' }), { publish: false });
    const two = await poll('two lives are listed', async () => {
      const result = await rooms(daemon);
      return result.Total === 2 && result;
    });
    const calls = two.RoomList.map(({ CallId }) => CallId);
    assert.equal(new Set(calls).size, 2);
    assert.deepEqual(two.RoomList.map(({ IsFinished }) => IsFinished), [true, false]);
    const first = await rooms(daemon, { PageSize: 1 });
    assert.deepEqual([first.HasMore, first.RoomList.length, first.RoomList[0].CallId], [true, 1, calls[0]]);
    const second = await rooms(daemon, { PageSize: 1, PageNum: 2 });
    assert.deepEqual([second.HasMore, second.RoomList[0].CallId], [false, calls[1]]);
    await poll('the new visit is listed', async () => (await users(daemon)).Total === 3);

    await daemon.kill9();
    await again.context().close();
    daemon = await Daemon.start({ dataDir });
    const kept = await rooms(daemon);
    assert.deepEqual(kept.RoomList.map(({ CallId, IsFinished, ActiveUserNum }) => [CallId, IsFinished, ActiveUserNum]),
      [[calls[0], true, 0], [calls[1], true, 0]], 'what was open is closed');
    assert.equal(kept.RoomList[0].DestroyTime, over.DestroyTime);
    assert.notEqual(kept.RoomList[1].DestroyTime, '');
    const all = await users(daemon);
    assert.equal(all.Total, 3);
    assert.ok(all.UserList.every(({ Finished, LeaveAt }) => Finished && LeaveAt !== ''));
    assert.deepEqual(types(all.UserList[2]), ['join_room', 'leave_room']);

    const { stdout } = await promisify(execFile)(binary('atriumctl'),
      ['--dev', '--url', daemon.url, '-o', 'json', 'history', 'rooms', '--room', ROOM]);
    assert.deepEqual(JSON.parse(stdout).RoomList.map(({ CallId }) => CallId), calls);
    const people = await promisify(execFile)(binary('atriumctl'), ['--dev', '--url', daemon.url, 'history', 'users']);
    assert.match(people.stdout, /^native +history-room/m);
    const metrics = await daemon.metrics();
    assert.equal(metrics.get('atrium_events_lost_total'), 0);
  } finally {
    await native?.stop();
    await daemon.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});
