// A lossy network: every nineteenth UDP datagram disappears (an odd number: where packets in and out alternate, an even one would
// always meet the same direction), counted off by nftables in a network namespace of this test's own.  The file runs itself again inside of it; without the right to make one it is skipped and says so.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { join, launch, openPage, received, SOUND } from '../lib/browser.mjs';
import { Daemon, sleep, until } from '../lib/daemon.mjs';
import { jwt } from '../lib/tokens.mjs';

const isInside = process.env.ATRIUM_E2E_LOSSY === '1';

function whyNot() {
  const probe = spawnSync('unshare', ['-n', 'sh', '-c', 'ip link set lo up && nft add table inet probe'], { encoding: 'utf8' });
  return probe.status === 0 ? false : `no network namespace with nftables here: ${(probe.error?.message ?? probe.stderr).trim()}`;
}

function setLoss(on) {
  execFileSync('nft', [on ? 'add rule inet lossy input meta l4proto udp numgen inc mod 19 == 0 counter drop' : 'flush chain inet lossy input']);
}
const dropped = () => Number(/packets (\d+)/.exec(execFileSync('nft', ['list chain inet lossy input'], { encoding: 'utf8' }))?.[1] ?? 0);

if (!isInside) {
  test('media survives the loss of 5 % of all datagrams', { skip: whyNot(), timeout: 120_000 }, async () => {
    const env = { ...process.env, ATRIUM_E2E_LOSSY: '1' };
    delete env.NODE_TEST_CONTEXT;
    const inner = spawn('unshare', ['-n', 'sh', '-c',
      'ip link set lo up && nft add table inet lossy && nft "add chain inet lossy input { type filter hook input priority 0; }" && exec "$0" --test --test-reporter=spec "$1"',
      process.execPath, fileURLToPath(import.meta.url)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [inner.stdout, inner.stderr]) stream.on('data', (data) => { output += data; });
    const code = await new Promise((resolve) => inner.once('exit', resolve));
    assert.equal(code, 0, output);
    assert.match(output, /pass [1-9]/, output);
  });
} else {
  let daemon, browser;
  before(async () => {
    daemon = await Daemon.start();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await daemon?.stop();
  });

  describe('with every nineteenth datagram lost', () => {
    for (const [name, camera] of [['one layer', { simulcast: false }], ['simulcast', { simulcast: true }]]) {
      test(`a 720p VP8 picture goes on, repaired by retransmissions (${name})`, async () => {
        setLoss(false);
        const room = `lossy ${name}`;
        const ann = await openPage(browser, daemon);
        const ben = await openPage(browser, daemon);
        await join(ann, daemon, await jwt(room, 'ann'), { publish: { camera: { ...camera, videoCodec: 'vp8' } } });
        await join(ben, daemon, await jwt(room, 'ben'), { publish: false });
        await until('media flows', async () => { const r = await received(ben); return r.frames > 10 && r.energy > SOUND; }, 30000, 100);

        const before = { metrics: await daemon.metrics(), ben: await received(ben) };
        setLoss(true);
        let last = { frames: before.ben.frames, at: Date.now() }, longest = 0;
        const end = Date.now() + 8000;
        while (Date.now() < end) {
          const { frames } = await received(ben);
          if (frames > last.frames) last = { frames, at: Date.now() };
          longest = Math.max(longest, Date.now() - last.at);
          await sleep(50);
        }
        assert.ok(dropped() > 20, `the network did lose datagrams: ${dropped()}`);
        setLoss(false);

        const after = { metrics: await daemon.metrics(), ben: await received(ben) };
        const grew = (family) => after.metrics.get(family) - before.metrics.get(family);
        assert.ok(longest < 2000, `frozen for ${longest} ms`);
        assert.ok(after.ben.frames - before.ben.frames > 40, `${after.ben.frames - before.ben.frames} frames in 8 s`);
        assert.ok(after.ben.energy > before.ben.energy + SOUND, 'sound goes on');
        assert.ok(after.ben.nacks > before.ben.nacks, 'the subscriber asked for lost packets');
        assert.ok(grew('atrium_nacks_received_total') > 0, 'the server heard that');
        assert.ok(grew('atrium_rtx_out_total') > 0, 'and sent them again');
        assert.ok(grew('atrium_nacks_sent_total') > 0, 'the server asked the publisher for lost packets');
        assert.ok(grew('atrium_rtx_in_total') > 0, 'and got them');
        await Promise.all([ann, ben].map((page) => page.context().close()));
      });
    }
  });
}
