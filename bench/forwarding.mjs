#!/usr/bin/env node
// CPU seconds of the server for a million forwarded packets: Atrium, Janus and the bare limit, one after the other in
// the same run on the same cores, the same packets from the same generator (bench/README.md).
import { Daemon } from '../e2e/lib/daemon.mjs';
import { Janus } from './lib/janus.mjs';
import { keep, limit, load, median, options, round, say, spread, table } from './lib/tools.mjs';

const usage = `bench/forwarding.mjs [--seconds S] [--repeats N] [--only NAME] [--profiles gcm,cm] [--event-loops N] [--gro]
  --seconds      measured in each run (default 10)
  --repeats      runs of each, of which the median counts (default 3)
  --only         one case alone, as "video 1-50"
  --profiles     AEAD_AES_128_GCM (gcm), AES_CM_128_HMAC_SHA1_80 (cm) or, by default, both
  --event-loops  Janus's threads for media (default 2; 0: one for each peer connection, its own default)
  --gro          receivers take runs of datagrams unsplit; then the split is paid by nobody`;
const wanted = options({ seconds: 10, repeats: 3, only: '', profiles: 'gcm,cm', 'event-loops': 2, gro: false }, usage);

const cases = [];
for (const profile of wanted.profiles.split(',')) {
  const suffix = profile === 'gcm' ? '' : ' CM_SHA1_80';
  for (const receivers of [10, 50, 500]) cases.push({ name: `video 1-${receivers}${suffix}`, profile, media: 'video', receivers });
  cases.push({ name: `video 20x20${suffix}`, profile, media: 'video', mesh: 20 });
  for (const receivers of [10, 50]) cases.push({ name: `audio 1-${receivers}${suffix}`, profile, media: 'audio', receivers });
}

const scenarioOf = (one) => (one.mesh
  ? ['many-to-many', '--clients', one.mesh]
  : ['one-to-many', '--clients', one.receivers + 1, '--publishers', 1]);
const profiles = { gcm: 'aead_aes_128_gcm', cm: 'aes128_cm_sha1_80' };

async function measure(one, where) {
  const [scenario, ...who] = scenarioOf(one);
  const found = await load(scenario, [...who, ...where, '--media', one.media, '--srtp-profile', profiles[one.profile],
    '--duration', wanted.seconds, '--verify-every', 10, wanted.gro ? '--gro' : '--no-gro']);
  if (found.generator_limited) say(`  the generator was the limit: ${JSON.stringify(found.limits ?? found.generator_limits)}`);
  return { per_million: found.server.cpu_s_per_million_forwarded, received: found.media.packets_received,
    lost: found.media.lost, limited: found.generator_limited };
}
const bareLimit = async (one) => {
  const found = await limit('bare_forwarder', [...(one.mesh ? ['--mesh', '--publishers', one.mesh, '--receivers', one.mesh] : ['--receivers', one.receivers]),
    ...(one.media === 'audio' ? ['--audio'] : []), '--srtp-profile', one.profile, '--seconds', wanted.seconds]);
  return { per_million: found.cpu_seconds_per_million, received: found.packets_received, lost: 0, limited: false };
};

const rows = [];
for (const one of cases.filter(({ name }) => wanted.only === '' || name === wanted.only)) {
  const runs = { atrium: [], janus: [], bare: [] };
  for (let i = 0; i < wanted.repeats; i += 1) {
    say(`${one.name}, ${i + 1} of ${wanted.repeats}`);
    const atrium = await Daemon.start({ shards: 1 });
    try { runs.atrium.push(await measure(one, ['--dev', '--url', atrium.ws, '--server-pid', atrium.pid])); } finally { await atrium.stop(); }
    const janus = await Janus.start({ eventLoops: wanted['event-loops'] });
    try { runs.janus.push(await measure(one, ['--driver', 'janus', '--url', janus.ws, '--server-pid', janus.pid])); } finally { await janus.stop(); }
    runs.bare.push(await bareLimit(one));
  }
  const of = (system) => median(runs[system].map((run) => run.per_million));
  const row = { name: one.name, atrium: of('atrium'), janus: of('janus'), bare: of('bare'), runs };
  row.to_janus = round(row.atrium / row.janus, 3);
  row.of_bare = round(row.bare / row.atrium, 3);
  rows.push(row);
  say(`  CPU seconds a million packets: Atrium ${round(row.atrium)}, Janus ${round(row.janus)}, bare ${round(row.bare)}`);
}

// The bars of the project (docs/decisions/benchmarks.md).
const bars = [];
const bar = (name, what, value, limitOf, isMost) => {
  if (value !== undefined) bars.push({ what: `${name}: ${what}`, value, bar: limitOf, holds: isMost ? value <= limitOf : value >= limitOf });
};
for (const row of rows) {
  const isVideo = row.name.startsWith('video');
  bar(row.name, 'Atrium beside Janus', row.to_janus, isVideo ? 0.5 : 0.75, true);
  if (row.name === 'video 1-50') bar(row.name, 'share of the bare limit', row.of_bare, 0.6, false);
}
console.log(table(['case', 'Atrium', 'Janus', 'bare limit', 'Atrium / Janus', 'bare / Atrium', 'spread of runs (A, J, b)'],
  rows.map((row) => [row.name, round(row.atrium), round(row.janus), round(row.bare), row.to_janus, row.of_bare,
    ['atrium', 'janus', 'bare'].map((system) => round(spread(row.runs[system].map((run) => run.per_million)), 2)).join(', ')])));
for (const one of bars) console.log(`${one.holds ? 'holds ' : 'MISSED'} ${one.what}: ${one.value} (bar ${one.bar})`);
keep(wanted.gro ? 'forwarding-gro' : 'forwarding', { unit: 'CPU seconds of the server per million forwarded packets', settings: wanted, rows, bars });
