#!/usr/bin/env node
// Complete joins (signalling, ICE, DTLS, SRTP) for a CPU second of the server, in rooms of 10, beside bare DTLS handshakes
// with the same groups and settings; the delay that a running call sees while others join; and what the join of one large
// room costs its control thread (bench/README.md).
import { readFileSync } from 'node:fs';
import { Daemon, until } from '../e2e/lib/daemon.mjs';
import { keep, limit, load, median, options, round, say, table, threadSeconds } from './lib/tools.mjs';

const usage = `bench/joins.mjs [--rooms N] [--repeats N] [--large N,N]
  --rooms    rooms of 10 that are joined (default 100)
  --repeats  runs of each, of which the median counts (default 5)
  --large    sizes of one large room (default 500,1000,2000,5000)`;
const wanted = options({ rooms: 100, repeats: 5, large: '500,1000,2000,5000' }, usage);

// All that both sides sent: nothing else may use loopback meanwhile.
const loopbackBytes = () => Number(/lo:\s*(\d+)/.exec(readFileSync('/proc/net/dev', 'utf8'))[1]);

// Handshakes before and after each storm: what else the machine does changes within seconds, so only neighbours are compared.
const bare = async () => (await limit('bare_dtls', ['--handshakes', 1000])).handshakes_per_cpu_second;
const storms = [], handshakes = [await bare()], shares = [], delays = { quiet: [], storm: [] };
for (let i = 0; i < wanted.repeats; i += 1) {
  say(`joins, ${i + 1} of ${wanted.repeats}`);
  const daemon = await Daemon.start({ shards: 1 });
  try {
    const found = await load('join-storm', ['--dev', '--url', daemon.ws, '--server-pid', daemon.pid, '--rooms', wanted.rooms, '--clients', 10,
      '--joins-in-flight', 20]);
    if (found.joins.failed > 0) throw new Error(`${found.joins.failed} joins failed`);
    storms.push({ per_cpu_second: found.joins.complete / found.server.cpu_s, threads: found.server.threads_cpu_s,
      per_second: found.joins.per_second, p99_ms: found.joins.complete_time.p99_ms, limited: found.generator_limited });
  } finally { await daemon.stop(); }
  handshakes.push(await bare());
  shares.push(storms.at(-1).per_cpu_second / ((handshakes.at(-2) + handshakes.at(-1)) / 2));
}

// A call of one to nine, and beside it nothing or a storm.
for (const mode of ['quiet', 'storm']) {
  for (let i = 0; i < wanted.repeats; i += 1) {
    say(`delay of a running call, ${mode}, ${i + 1} of ${wanted.repeats}`);
    const daemon = await Daemon.start({ shards: 1 });
    try {
      const call = load('one-to-many', ['--dev', '--url', daemon.ws, '--clients', 10, '--room-prefix', 'running', '--duration', 8]);
      await until('the call is on', async () => (await daemon.metrics()).get('atrium_users') === 10);
      const storm = mode === 'storm' ? load('join-storm', ['--dev', '--url', daemon.ws, '--rooms', 40, '--clients', 10, '--join-rate', 60]) : null;
      const found = await call;
      await storm;
      delays[mode].push(found.media.delay.p99_ms);
    } finally { await daemon.stop(); }
  }
}

const large = [];
for (const users of wanted.large.split(',').map(Number)) {
  for (const hidden of [true, false]) {
    if (!hidden && users > 1000) continue; // the list of everybody who sees everybody is what it is: N² entries
    say(`one room of ${users}, ${hidden ? 'invisible' : 'visible'} users`);
    const daemon = await Daemon.start({ shards: 1 });
    try {
      const before = threadSeconds(daemon.pid);
      const bytes = loopbackBytes();
      const found = await load('join-storm', ['--dev', '--url', daemon.ws, '--rooms', 1, '--clients', users, ...(hidden ? ['--hidden'] : []),
        '--joins-in-flight', 50, '--join-timeout', 60, '--small-offer'], { seconds: 300 });
      const after = threadSeconds(daemon.pid);
      large.push({ users, hidden, failed: found.joins.failed, control_cpu_s: round(after.atriumd - (before.atriumd ?? 0)),
        bytes: loopbackBytes() - bytes });
    } finally { await daemon.stop(); }
  }
}

const joins = median(storms.map((one) => one.per_cpu_second));
const share = median(shares);
const bars = [{ what: 'joins per CPU second, share of bare DTLS handshakes', value: round(share, 3), spread: shares.map((one) => round(one, 3)), bar: 0.6,
  holds: share >= 0.6 }];
const perUser = large.filter(({ hidden }) => hidden).map((one) => one.control_cpu_s / one.users);
if (perUser.length > 1) bars.push({ what: 'control CPU a join of a large room, last size to first', value: round(perUser.at(-1) / perUser[0]), bar: 2, holds: perUser.at(-1) / perUser[0] <= 2 });
console.log(`joins for a CPU second: ${Math.round(joins)}; bare handshakes: ${Math.round(median(handshakes))}, shares: ${shares.map((one) => round(one, 2)).join(', ')}; p99 delay of a running call: ${
  median(delays.quiet)} ms quiet, ${median(delays.storm)} ms during a storm of 60 joins a second\n`);
console.log(table(['one room of', 'users', 'control thread, CPU ms a join', 'all traffic, kB a join'], large.map((one) =>
  [one.users, one.hidden ? 'invisible' : 'visible', round((one.control_cpu_s * 1e3) / one.users), round(one.bytes / 1e3 / one.users, 1)])));
for (const one of bars) console.log(`${one.holds ? 'holds ' : 'MISSED'} ${one.what}: ${one.value} (bar ${one.bar})`);
keep('joins', { settings: wanted, storms, handshakes, shares, delays, large, bars });
