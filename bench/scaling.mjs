#!/usr/bin/env node
// What a forwarded packet costs as rooms go from 1 to 1,000 and shards from 1 to 2 (bench/README.md).
import { Daemon } from '../e2e/lib/daemon.mjs';
import { keep, load, median, options, round, say, table } from './lib/tools.mjs';

const usage = `bench/scaling.mjs [--rooms N,N] [--seconds S] [--repeats N]
  --rooms    numbers of rooms of one publisher and two others (default 1,10,100,1000)
  --seconds  measured in each run (default 8)
  --repeats  runs of each, of which the median counts (default 3)`;
const wanted = options({ rooms: '1,10,100,1000', seconds: 8, repeats: 3 }, usage);

// Frames of two packets everywhere; the more rooms, the fewer frames a second of each.
const pace = { 1: [120, 1920], 10: [60, 960], 100: [30, 480], 1000: [5, 80] };
const rows = [];
for (const rooms of wanted.rooms.split(',').map(Number))
  for (const shards of [1, 2]) {
    const [fps, kbps] = pace[rooms] ?? [10, 160];
    const runs = [];
    for (let i = 0; i < wanted.repeats; i += 1) {
      say(`${rooms} rooms, ${shards} shards, ${i + 1} of ${wanted.repeats}`);
      const daemon = await Daemon.start({ shards });
      try {
        const found = await load('one-to-many', ['--dev', '--url', daemon.ws, '--server-pid', daemon.pid, '--rooms', rooms, '--clients', 3, '--fps', fps,
          '--video-kbps', kbps, '--duration', wanted.seconds, '--no-gro', '--verify-every', 20, '--join-timeout', 60], { seconds: 300 });
        runs.push({ per_million: found.server.cpu_s_per_million_forwarded, per_second: found.media.packets_received_per_second, lost: found.media.lost,
          limited: found.generator_limited });
      } finally { await daemon.stop(); }
    }
    const per_million = median(runs.map((one) => one.per_million));
    rows.push({ rooms, shards, per_million, packets_per_second: Math.round(median(runs.map((one) => one.per_second))), runs });
    say(`  ${round(per_million)} CPU seconds a million packets at ${rows.at(-1).packets_per_second} a second`);
  }
console.log(table(['rooms', 'shards', 'CPU seconds a million forwarded packets', 'packets a second'],
  rows.map((row) => [row.rooms, row.shards, round(row.per_million), row.packets_per_second])));
keep('scaling', { settings: wanted, rows });
