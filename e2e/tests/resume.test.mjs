// Coming back: a lost WebSocket is resumed within the same session and media goes on, a full reconnect publishes again, and a
// second login of the same user displaces the first.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { events, join, launch, openPage, received, sockets } from '../lib/browser.mjs';
import { Daemon, until } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

let daemon, browser;
before(async () => {
  daemon = await Daemon.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

const sidOf = (page) => page.evaluate(() => window.room.localParticipant.sid);
const sees = (page, frames) => until(`${frames} more frames`, async () => (await received(page)).frames >= frames, 30000, 100);

// Two pages that see each other.
async function call(room) {
  const [ann, bob] = [await openPage(browser, daemon), await openPage(browser, daemon)];
  await join(ann, daemon, await jwt(room, 'ann'));
  await join(bob, daemon, await jwt(room, 'bob'));
  await sees(ann, 30);
  await sees(bob, 30);
  return { ann, bob };
}

describe('resume', () => {
  test('a page that loses its WebSocket keeps its session and its media', async () => {
    const { ann, bob } = await call('resumed');
    const sid = await sidOf(ann);
    await ann.evaluate(() => window.liveSockets.at(-1).close());
    await until('reconnected', async () => (await events(ann, 'reconnected')).length === 1, 30000);
    assert.equal((await events(ann, 'signalReconnecting')).length, 1);
    assert.deepEqual(await events(ann, 'reconnecting'), [], 'no full reconnect');
    assert.equal(await sidOf(ann), sid);
    assert.equal((await sockets(ann)).length, 2);
    await sees(bob, (await received(bob)).frames + 30);
    await sees(ann, (await received(ann)).frames + 30);
    assert.deepEqual(await events(bob, 'participantDisconnected'), []);
    await ann.evaluate(() => window.room.localParticipant.publishData(new TextEncoder().encode('still here'), { reliable: true }));
    await until('data goes on', async () => (await events(bob, 'data')).some((e) => e.text === 'still here'));
    for (const page of [ann, bob]) await page.close();
  });

  test('a native client that loses its connection keeps its media', async () => {
    const proxy = await Proxy.start(daemon.url);
    const native = await Native.start();
    const page = await openPage(browser, daemon);
    await join(page, daemon, await jwt('resumed-native', 'page'));
    await native.join(proxy.ws, await jwt('resumed-native', 'native'));
    await sees(page, 30);
    proxy.cut();
    await native.wait('reconnecting');
    proxy.allow();
    await native.wait('reconnected', undefined, 40000);
    await sees(page, (await received(page)).frames + 30);
    const { frames } = await native.counts();
    await until('frames grow', async () => (await native.counts()).frames > frames + 10);
    await native.stop();
    await proxy.stop();
    await page.close();
  });
});

test('a full reconnect makes a new session and publishes again', async () => {
  const { ann, bob } = await call('restarted');
  const sid = await sidOf(ann);
  await ann.evaluate(() => window.room.simulateScenario('full-reconnect'));
  await until('reconnected', async () => (await events(ann, 'reconnected')).length === 1, 40000);
  assert.notEqual(await sidOf(ann), sid);
  assert.deepEqual((await onlineUsers(daemon, 'restarted')).sort(), ['ann', 'bob']);
  await until('both tracks are there again', async () => (await events(bob, 'trackSubscribed')).length >= 4, 30000);
  await sees(bob, (await received(bob)).frames + 30);
  await sees(ann, 30);
  for (const page of [ann, bob]) await page.close();
});

describe('duplicate login', () => {
  test('the first page is told -1004 and DUPLICATE_IDENTITY, closed with 4004, and stays out', async () => {
    const [first, second] = [await openPage(browser, daemon), await openPage(browser, daemon)];
    await join(first, daemon, await jwt('twice', 'ann'));
    await join(second, daemon, await jwt('twice', 'ann'));
    const gone = await until('the first is out', async () => (await events(first, 'disconnected'))[0]);
    assert.equal(gone.reason, 'DUPLICATE_IDENTITY');
    const notice = (await events(first, 'data')).find((e) => e.topic === 'atrium.error');
    assert.ok(notice, 'the notice came on the data channel');
    assert.equal(JSON.parse(notice.text).code, -1004);
    assert.equal(notice.from, null);
    assert.equal((await sockets(first)).at(-1).close.code, 4004);
    assert.deepEqual(await onlineUsers(daemon, 'twice'), ['ann']);
    assert.equal(await second.evaluate(() => window.room.state), 'connected');
    assert.deepEqual(await events(second, 'disconnected'), []);
    for (const page of [first, second]) await page.close();
  });

  test('a raw client sees data, leave and close in this order', async () => {
    const first = await RawClient.openWithData(daemon, await jwt('twice-raw', 'ann'));
    await first.wait('join');
    await until('active', async () => (await onlineUsers(daemon, 'twice-raw')).includes('ann'));
    const second = await RawClient.open(daemon, await jwt('twice-raw', 'ann'));
    await second.wait('join');
    await first.wait('leave');
    await until('closed', () => first.seen('close'));
    const last = first.log.filter((one) => ['data', 'leave', 'close'].includes(one.kind));
    assert.deepEqual(last.map((one) => one.kind), ['data', 'leave', 'close']);
    assert.equal(last[1].leave.reason, 'DUPLICATE_IDENTITY');
    assert.equal(last[2].code, 4004);
    first.stop();
    second.stop();
  });
});
