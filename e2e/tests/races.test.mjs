// Dismissals at the worst moments: before the client has heard of its join, before media stands, while publishing, within the
// resume window, and with a client that never reads.  Everybody is told, nobody walks back in, a new token joins at once.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { dismiss } from '../lib/api.mjs';
import { join, launch, openPage, sockets } from '../lib/browser.mjs';
import { Daemon, sleep, until } from '../lib/daemon.mjs';
import { Native } from '../lib/native.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { openDeaf, RawClient } from '../lib/raw.mjs';
import { nativeIsTold, nativeIsToldOrRefused, nobodyReturns, onlineUsers, pageIsTold } from '../lib/told.mjs';
import { jwt } from '../lib/tokens.mjs';

let daemon, browser;
const rooms = []; // all that were dismissed here; watched at the end, the clients still alive
const opened = [];

before(async () => {
  daemon = await Daemon.start();
  browser = await launch();
});
after(async () => {
  for (const one of opened) await one.stop();
  await browser?.close();
  await daemon?.stop();
});

async function dissolve(room) {
  rooms.push(room);
  const { status, json } = await dismiss(daemon, room, { Receipt: true });
  assert.equal(status, 200, JSON.stringify(json));
  return json.Result.Receipt;
}
async function startNative() {
  const native = await Native.start();
  opened.push(native);
  return native;
}
async function startProxy() {
  const proxy = await Proxy.start(daemon.url);
  opened.push(proxy);
  return proxy;
}
async function startRaw(room, user, options) {
  const raw = await RawClient.open(daemon, await jwt(room, user), options);
  opened.push(raw);
  return raw;
}
const inRoom = (room, user) => until(`${user} is in ${room}`, async () => (await onlineUsers(daemon, room)).includes(user));

describe('a raw client', () => {
  test('sees the data message, the leave and the close in this order', async () => {
    const raw = await RawClient.openWithData(daemon, await jwt('raw-order', 'ann'));
    opened.push(raw);
    await sleep(300); // the daemon learns of the open channel
    await dissolve('raw-order');
    await raw.expectDismissed();
    const last = raw.log.filter((one) => ['data', 'leave', 'close'].includes(one.kind));
    assert.deepEqual(last.map((one) => one.kind), ['data', 'leave', 'close']);
    const [data] = last;
    assert.equal(data.topic, 'atrium.error');
    assert.equal(data.from, '', 'no sender');
    assert.equal(JSON.parse(data.text).code, -1011);
    assert.equal(raw.log.at(-1).kind, 'close', 'nothing comes after the close');
  });

  test('that never sends anything after its upgrade is told by signalling', async () => {
    const raw = await startRaw('raw-silent', 'ann');
    await raw.wait('join');
    const receipt = await dissolve('raw-silent');
    await raw.expectDismissed();
    assert.equal(receipt.RoomSessionId, raw.roomSid);
  });

  test('that resumes after a dismissal that it missed is told', async () => {
    const first = await startRaw('raw-resume', 'ann');
    await first.wait('join');
    const { sid } = first;
    first.socket.terminate();
    await until('the loss is seen', async () => (await dissolve('raw-resume')).NotNotified === 1, 5000);
    const second = await startRaw('raw-resume', 'ann', { resume: sid });
    await second.wait('close');
    assert.deepEqual(second.log.map((one) => one.kind), ['reconnect', 'leave', 'close']);
    await second.expectDismissed();
  });
});

// A client that is told while it connects takes its time (the browser SDK waits 15 s for media before it says so), hence all at
// once.  A native SDK makes a second attempt by itself, with the same token: that one must be refused for good.
describe('while the client connects', { concurrency: true }, () => {
  for (const [name, when] of [['before the client has heard of its join', 'unheard'], ['between join and media', 'join']]) {
    test(`the browser is told: ${name}`, async () => {
      const room = `${when}-page`;
      const line = await startProxy();
      const page = await openPage(browser, daemon);
      await page.evaluate(() => {
        window.RTCPeerConnection.prototype.setRemoteDescription = () => {
          window.hasAnswer = true;
          return new Promise(() => {});
        };
      });
      if (when === 'unheard') line.hold();
      const joining = join(page, daemon, await jwt(room, 'ann'), { publish: false, url: line.ws }).catch((error) => error);
      // Not at the first message: until the SDK acts on the answer it has no ear for a leave.
      if (when === 'join') await until('the join and the answer are heard', () => page.evaluate(() => window.hasAnswer === true));
      await inRoom(room, 'ann');
      await dissolve(room);
      line.release();
      await joining;
      await pageIsTold(page);
      assert.equal((await sockets(page)).length, 1, 'it makes no second attempt');
    });

    test(`the native client is told, and its second attempt refused: ${name}`, async () => {
      const room = `${when}-native`;
      const line = await startProxy();
      const native = await startNative();
      if (when === 'unheard') line.hold();
      native.command('join', { url: line.ws, token: await jwt(room, 'ann'), publish: false });
      await inRoom(room, 'ann');
      await dissolve(room);
      line.release();
      const end = await until('it gives up', () => native.seen('disconnected') ?? native.seen('failed'), 40000);
      // On a busy machine media may have come up before the dismissal: then it is told as anybody is.
      if (native.seen('joined')) assert.equal(end.reason, 5);
    });
  }
});

describe('while publishing', () => {
  for (const delay of [0, 30, 120]) {
    test(`the browser is told ${delay} ms after its camera was asked for`, async () => {
      const room = `publishing-page-${delay}`;
      const page = await openPage(browser, daemon);
      await join(page, daemon, await jwt(room, 'ann'), { publish: false });
      await page.evaluate(() => { window.publishing = window.room.localParticipant.setCameraEnabled(true).catch(() => {}); });
      await sleep(delay);
      await dissolve(room);
      await pageIsTold(page);
    });
  }

  test('the native client is told', async () => {
    const native = await startNative();
    native.command('join', { url: daemon.ws, token: await jwt('publishing-native', 'ann'), publish: true });
    await native.wait('joined');
    await dissolve('publishing-native');
    await nativeIsTold(native);
  });
});

describe('within the resume window', () => {
  test('the browser is told when it comes back', async () => {
    const proxy = await startProxy();
    const page = await openPage(browser, daemon);
    await join(page, daemon, await jwt('resume-page', 'ann'), { publish: true, url: proxy.ws });
    proxy.cut();
    await page.evaluate(() => window.liveSockets.at(-1).close());
    await until('it tries to resume', async () => (await page.evaluate(() => window.events)).some((e) => e.name === 'signalReconnecting'));
    const receipt = await dissolve('resume-page');
    assert.deepEqual(receipt.NotNotifiedUsers, [{ UserId: 'ann', Reason: 'reconnecting' }]);
    proxy.allow();
    await pageIsTold(page);
    assert.equal((await sockets(page)).at(-1).close.code, 4011);
  });

  test('the native client is told when it comes back', async () => {
    const proxy = await startProxy();
    const native = await startNative();
    await native.join(proxy.ws, await jwt('resume-native', 'ann'));
    proxy.cut();
    await native.wait('reconnecting', undefined, 40000);
    const receipt = await dissolve('resume-native');
    assert.deepEqual(receipt.NotNotifiedUsers, [{ UserId: 'ann', Reason: 'reconnecting' }]);
    proxy.allow();
    await nativeIsToldOrRefused(native);
  });
});

describe('a client that never reads', () => {
  test('delays neither the answer beyond its deadline nor the others', async () => {
    const room = 'deaf';
    const talker = await RawClient.open(daemon, await jwt(room, 'talker', { grants: { canUpdateOwnMetadata: true } }));
    opened.push(talker);
    await talker.wait('join');
    const deaf = await openDeaf(daemon, await jwt(room, 'deaf'));
    // As much as fills the kernel's buffers, and not as much as the daemon's bound for one client (4 MiB) on top of it.
    const kernelHolds = Number((await readFile('/proc/sys/net/ipv4/tcp_wmem', 'utf8')).trim().split(/\s+/)[2]);
    const updates = Math.ceil((kernelHolds + 2_000_000) / 126_000);
    for (let i = 0; i < updates; i++) {
      talker.send({ updateMetadata: { metadata: String(i).padEnd(126_000, '.'), requestId: i + 1 } });
      await sleep(5);
    }
    await until('the daemon has heard all', () => talker.log.filter((one) => one.kind === 'update').length >= updates);
    const started = performance.now();
    const told = talker.expectDismissed().then(() => performance.now() - started);
    const receipt = await dissolve(room);
    const took = performance.now() - started;
    deaf.socket.destroy();
    assert.ok(took < 3500, `answered after ${took} ms`);
    assert.ok(await told < 1500, 'the other was told at once');
    assert.deepEqual(receipt.NotNotifiedUsers, [{ UserId: 'deaf', Reason: 'notWritable' }]);
  });
});

describe('afterwards', () => {
  test('nobody walks back in', async () => nobodyReturns(daemon, rooms));

  test('a new token joins at once', async () => {
    for (const room of rooms) {
      const raw = await startRaw(room, 'ann', {});
      assert.equal(raw.refused, null, room);
      await raw.wait('join');
    }
    assert.equal((await daemon.metrics()).get('atrium_packets_after_cut_total'), 0);
  });
});
