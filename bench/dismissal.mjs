#!/usr/bin/env node
// How long a dismissal takes, in rooms of 10 to 5,000 users: from the accepted call to the fence, to the media cut, to
// the last notice, to the answer; beside Janus's `destroy`; and what the join of those users costs (bench/README.md).
import { Daemon, binary, sleep, until } from '../e2e/lib/daemon.mjs';
import { done } from '../e2e/lib/own_api.mjs';
import { Janus } from './lib/janus.mjs';
import { spawn } from 'node:child_process';
import { exactCpuSeconds, keep, load, options, percentile, round, say, table } from './lib/tools.mjs';

const usage = `bench/dismissal.mjs [--users N,N] [--repeats N] [--no-janus]
  --users     sizes of rooms (default 10,100,1000,5000)
  --repeats   dismissals of 1,000 users, of which p99 is the largest (default 20); of fewer users half of them, of more a fifth
  --no-janus  Atrium alone`;
const wanted = options({ users: '10,100,1000,5000', repeats: 20, 'no-janus': false }, usage);
const sizes = wanted.users.split(',').map(Number);
const repeatsOf = (users) => Math.max(3, Math.round(wanted.repeats / (users > 1000 ? 5 : users < 1000 ? 2 : 1)));

// The audience is invisible to each other, as the vendor has it: 50 visible users and 10,000 invisible ones in a room.
const people = (users, isBusy) => ['--clients', users, '--publishers', isBusy ? 1 : 0, '--media', isBusy ? 'video' : 'none',
  '--hidden', '--quiet-joins', '--small-offer', '--duration', 1, '--joins-in-flight', 50, '--join-timeout', 60, '--linger', 3, '--verify-every', 100];

async function receipts(daemon) {
  const { Records } = await done(daemon, 'ListAudit', { ActionName: 'DismissRoom', Limit: 100 });
  const operations = new Set(Records.map((record) => record.OperationId).filter(Boolean));
  return Promise.all([...operations].map(async (OperationId) => (await done(daemon, 'GetDismissal', { OperationId })).Receipt));
}

// Ten users of the same room whose process stands still: they take nothing and say nothing.
async function stuckClients(daemon, users) {
  const child = spawn(binary('atriumload'), ['one-to-many', '-q', '--dev', '--url', daemon.ws, '--clients', '10', '--publishers', '0',
    '--media', 'none', '--room-prefix', 'load', '--user-prefix', 'stuck', '--hidden', '--duration', '600'], { stdio: 'ignore' });
  const all = async () => (await daemon.metrics()).get('atrium_users');
  await until('ten users are in', async () => (await all()) >= 10, 30000);
  const stopping = until('all are in', async () => (await all()) >= users + 10, 120000, 100).then(() => child.kill('SIGSTOP'));
  return { end: async () => { await stopping.catch(() => {}); child.kill('SIGKILL'); } };
}

// CPU time of a process over time.
function sampleCpu(pid) {
  const points = [];
  const timer = setInterval(() => { try { points.push([Date.now(), exactCpuSeconds(pid)]); } catch { /* it has ended */ } }, 20);
  const at = (time) => points.findLast(([when]) => when <= time)?.[1] ?? 0;
  return { between: (from, to) => at(to) - at(from), stop: () => clearInterval(timer) };
}

async function once(users, mode) {
  const daemon = await Daemon.start({ shards: 1 });
  const stuck = mode === 'stuck' ? await stuckClients(daemon, users) : null;
  const cpu = sampleCpu(daemon.pid);
  try {
    const found = await load('dismissal', ['--dev', '--url', daemon.ws, '--server-pid', daemon.pid, ...people(users, mode === 'busy'),
      '--warm-up', stuck ? 3 : 1], { seconds: 300 });
    const [receipt] = await receipts(daemon);
    const elapsed = receipt.ElapsedMicroseconds;
    const accepted = Date.parse(receipt.AcceptedAt);
    return { fence: elapsed.Fenced / 1e3, cut: elapsed.MediaCut / 1e3, notice: elapsed.Notified / 1e3, closed: elapsed.Closed / 1e3,
      answer: found.dismissal.answer.max_ms, client_notice: found.dismissal.notice.max_ms, client_close: found.dismissal.close.max_ms,
      last_media: found.dismissal.last_media_packet.max_ms, after_notice: found.dismissal.media_after_notice,
      not_notified: receipt.NotNotified, packets_after_cut: receipt.PacketsAfterCut,
      cpu_ms_per_user: (cpu.between(accepted, accepted + found.dismissal.answer.max_ms + 300) * 1e3) / users, limited: found.generator_limited };
  } finally {
    cpu.stop();
    await stuck?.end();
    await daemon.stop();
  }
}
async function onceJanus(users, isBusy) {
  const janus = await Janus.start();
  try {
    const found = await load('dismissal', ['--driver', 'janus', '--url', janus.ws, '--server-pid', janus.pid,
      ...people(users, isBusy).filter((arg) => arg !== '--hidden')], { mayFault: true, seconds: 300 });
    return { answer: found.dismissal.answer.max_ms, client_notice: found.dismissal.first_sign.max_ms,
      last_media: found.dismissal.last_media_packet.max_ms, limited: found.generator_limited, faults: found.faults };
  } finally {
    await janus.stop();
  }
}

const rows = [];
async function measure(name, users, times, one) {
  const runs = [];
  for (let i = 0; i < times; i += 1) {
    say(`${name}, ${i + 1} of ${times}`);
    runs.push(await one());
    await sleep(200);
  }
  const of = (key, share) => { const all = runs.map((run) => run[key]).filter((value) => value !== undefined); return all.length ? round(percentile(all, share), key.startsWith('cpu') ? 3 : 1) : undefined; };
  const row = { name, users, runs };
  for (const key of ['fence', 'cut', 'notice', 'answer', 'client_notice', 'client_close', 'last_media', 'cpu_ms_per_user'])
    row[key] = { p50: of(key, 0.5), p99: of(key, 0.99) };
  rows.push(row);
  say(`  ${['fence', 'cut', 'notice', 'answer'].map((key) => `${key} ${row[key].p50}/${row[key].p99}`).join(', ')} ms (p50/p99)`);
}
for (const users of sizes) {
  const times = repeatsOf(users);
  await measure(`Atrium, ${users}, quiet`, users, times, () => once(users, 'quiet'));
  await measure(`Atrium, ${users}, one video to all`, users, times, () => once(users, 'busy'));
  if (users === 1000) await measure(`Atrium, ${users}, ten stuck`, users, Math.ceil(times / 2), () => once(users, 'stuck'));
  if (!wanted['no-janus'] && users <= 1000) {
    await measure(`Janus, ${users}, quiet`, users, Math.max(3, Math.round(times / 8)), () => onceJanus(users, false));
    await measure(`Janus, ${users}, one video to all`, users, Math.max(3, Math.round(times / 8)), () => onceJanus(users, true));
  }
}

const bars = [];
const bar = (name, key, limit) => {
  const value = rows.find((row) => row.name === name)?.[key].p99;
  if (value !== undefined) bars.push({ what: `${name}: ${key}, p99 ms`, value, bar: limit, holds: value <= limit });
};
bar('Atrium, 1000, quiet', 'cut', 5);
bar('Atrium, 1000, one video to all', 'cut', 15);
for (const mode of ['quiet', 'one video to all']) {
  bar(`Atrium, 1000, ${mode}`, 'notice', 250);
  bar(`Atrium, 1000, ${mode}`, 'answer', 700);
}
bar('Atrium, 1000, ten stuck', 'answer', 1000);
const costs = rows.filter((row) => row.name.startsWith('Atrium') && row.name.endsWith('quiet') && row.users >= 100).map((row) => row.cpu_ms_per_user.p50);
if (costs.length > 1) bars.push({ what: 'CPU of a dismissal per user, most to least from 100 users on', value: round(Math.max(...costs) / Math.min(...costs)), bar: 1.5,
  holds: Math.max(...costs) / Math.min(...costs) <= 1.5 });

const both = ({ p50, p99 }) => (p50 === undefined ? '–' : `${p50} / ${p99}`);
console.log(table(['p50 / p99 in ms', 'fence', 'media cut', 'last notice', 'answer', 'last media packet at a client', 'server CPU ms a user'],
  rows.map((row) => [row.name, ...['fence', 'cut', 'notice', 'answer', 'last_media', 'cpu_ms_per_user'].map((key) => both(row[key]))])));
for (const one of bars) console.log(`${one.holds ? 'holds ' : 'MISSED'} ${one.what}: ${one.value} (bar ${one.bar})`);
keep('dismissal', { settings: wanted, rows, bars });
