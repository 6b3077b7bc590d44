// Stream bans and limited tokens, ordered through the vendor's npm SDK, as two Chromium pages see them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { vendorAction } from '../lib/api.mjs';
import { events, join, launch, openPage, received } from '../lib/browser.mjs';
import { Daemon, dev, sleep, until } from '../lib/daemon.mjs';
import { jwt } from '../lib/tokens.mjs';

const ROOM = 'streams';
let daemon, browser, ann, ben, annToken;
before(async () => {
  daemon = await Daemon.start();
  browser = await launch();
  ann = await openPage(browser, daemon);
  ben = await openPage(browser, daemon);
  annToken = await jwt(ROOM, 'ann');
  await join(ann, daemon, annToken);
  await join(ben, daemon, await jwt(ROOM, 'ben'));
  for (const page of [ann, ben])
    await until('media flows', async () => { const r = await received(page); return r.frames > 10 && r.samples > 1000; }, 30000, 100);
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

const order = (action, fields, version = '2023-11-01') => vendorAction(daemon, action, version)({ AppId: dev.appId, RoomId: ROOM, UserId: 'ann', ...fields });
const toldOf = async (page) => (await events(page, 'data')).filter((e) => e.topic === 'atrium.stream_banned').map((e) => JSON.parse(e.text));
// Frames and sound of ann that reach ben in a second and a half.
async function arriving() {
  const count = async () => { const r = await received(ben); return { frames: r.frames, packets: r.packets, energy: r.energy }; };
  const first = await count();
  await sleep(1500);
  const last = await count();
  return { frames: last.frames - first.frames, packets: last.packets - first.packets };
}
const muted = (kind) => ben.evaluate((wanted) => [...window.room.remoteParticipants.get('ann').trackPublications.values()]
  .find((p) => p.kind === wanted).isMuted, kind);

describe('BanUserStream', () => {
  test('stops one kind for everybody, says so to everybody, and gives it back', async () => {
    assert.deepEqual((await order('BanUserStream', { Video: true })).Result, { Message: 'success' });
    for (const page of [ann, ben])
      await until('it is told', async () => (await toldOf(page)).some((one) => one.userId === 'ann' && one.video && !one.audio));
    await until('the picture shows as muted', () => muted('video'));
    assert.equal(await muted('audio'), false);
    await sleep(500); // what was on its way
    const still = await arriving();
    assert.equal(still.frames, 0, 'no frame of ann comes');
    assert.ok(still.packets > 20, 'her sound goes on');
    assert.deepEqual(await ann.evaluate(() => window.room.localParticipant.isCameraEnabled), true, 'she goes on publishing');
    assert.deepEqual((await order('UnbanUserStream', { Video: true })).Result, { Message: 'success' });
    await until('the picture is back', async () => (await arriving()).frames > 5, 15000);
    assert.equal(await muted('video'), false);
    assert.deepEqual((await toldOf(ben)).at(-1), { userId: 'ann', audio: false, video: false });
  });

  test('holds for who leaves and comes back, in both families', async () => {
    await order('BanUserStream', { Audio: true, Video: true, Token: 'a join token' }, '2020-12-01');
    await ann.evaluate(() => window.room.disconnect());
    await join(ann, daemon, annToken);
    await until('she hears of it', async () => (await toldOf(ann)).some((one) => one.audio && one.video));
    await until('ben has her tracks again', () => ben.evaluate(() => window.room.remoteParticipants.get('ann')?.trackPublications.size === 2));
    await sleep(1000);
    assert.equal((await arriving()).packets, 0, 'nothing of her comes');
    await order('UnbanUserStream', { Audio: true, Video: true, Token: 'a join token' }, '2020-12-01');
    await until('all is back', async () => (await arriving()).frames > 5, 15000);
  });
});

describe('LimitTokenPrivilege', () => {
  test('stops who joined with the token, who is told -1002', async () => {
    const before = Math.floor(Date.now() / 1000);
    const { Result } = await order('LimitTokenPrivilege', { Token: annToken, ForbiddenInterval: 60 });
    assert.equal(Result.Message, 'Success');
    assert.ok(Math.abs(Result.EndTime - before - 60) <= 2, `EndTime ${Result.EndTime}`);
    await until('she is told', async () => (await events(ann, 'data')).some((e) => e.topic === 'atrium.error' && JSON.parse(e.text).code === -1002));
    await until('ben has none of her tracks', () => ben.evaluate(() => window.room.remoteParticipants.get('ann').trackPublications.size === 0));
    assert.equal(await ann.evaluate(() => window.room.localParticipant.permissions.canPublish), false);
    assert.equal(await ann.evaluate(() => window.room.state), 'connected', 'she stays');
  });
});
