#!/usr/bin/env node
// What the management door costs: signed reads, refused signatures and dismissals of unknown rooms per CPU second of the
// server, beside nginx answering a fixed 200 to the same requests from the same generator (wrk); and how many rooms are
// dismissed durably a second by 64 callers, beside SQLite's single commits on the same disk (bench/README.md).
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Daemon, dev, sleep, until } from '../e2e/lib/daemon.mjs';
import { signedHeaders } from '../e2e/lib/api.mjs';
import { createRoom } from './lib/rooms.mjs';
import { cpuSeconds, keep, limit, median, options, round, run, say, table } from './lib/tools.mjs';

const usage = `bench/control_plane.mjs [--seconds S] [--repeats N] [--rooms N]
  --seconds  of each run (default 8)
  --repeats  runs of each, of which the median counts (default 3)
  --rooms    rooms that are dismissed by 64 callers (default 2000)`;
const wanted = options({ seconds: 8, repeats: 3, rooms: 2000 }, usage);
const kCallers = 64;
const quotas = ['--quota', 'DismissRoom=1000000,GetRoomOnlineUsers=1000000,messages=1000000'];

// --- one request, over and over
const folder = await mkdtemp(join(tmpdir(), 'atrium-bench-control-'));
function requestOf(kind) {
  const keys = kind === 'refusal' ? { ...dev, secretKey: 'another' } : dev;
  if (kind === 'dismissal') {
    const query = { Action: 'DismissRoom', Version: '2020-12-01' };
    const body = JSON.stringify({ AppId: dev.appId, RoomId: 'nobody' });
    return { method: 'POST', query, body, headers: { 'Content-Type': 'application/json', ...signedHeaders({ method: 'POST', query, body, keys }) } };
  }
  const query = { Action: 'GetRoomOnlineUsers', Version: '2023-11-01', AppId: dev.appId, RoomId: 'nobody' };
  return { method: 'GET', query, body: '', headers: signedHeaders({ method: 'GET', query, keys }) };
}
async function wrk(url, { method, query, body, headers }) {
  const script = join(folder, 'request.lua');
  await writeFile(script, `wrk.method = ${JSON.stringify(method)}\nwrk.body = ${body ? JSON.stringify(body) : 'nil'}\n${
    Object.entries(headers).map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`).join('\n')}
done = function(summary) io.write(string.format("REQUESTS %d OTHER %d ERRORS %d\\n", summary.requests, summary.errors.status,
  summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout)) end\n`);
  const { code, out, err } = await run('wrk', ['-t', 1, '-c', kCallers, '-d', `${wanted.seconds}s`, '-s', script, `${url}/?${new URLSearchParams(query)}`]);
  const counted = /REQUESTS (\d+) OTHER (\d+) ERRORS (\d+)/.exec(out);
  if (code !== 0 || !counted) throw new Error(`wrk: ${out}${err}`);
  return { requests: Number(counted[1]), other: Number(counted[2]), errors: Number(counted[3]) };
}

async function startNginx() {
  await writeFile(join(folder, 'nginx.conf'), `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:18089; location / { default_type application/json; return 200 '{"ResponseMetadata":{"RequestId":"20240102030405CB679A74876F2AA5D0","Action":"GetRoomOnlineUsers","Version":"2023-11-01","Service":"rtc","Region":"cn-north-1"},"Result":{}}'; } } }\n`);
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' });
  await until('nginx answers', async () => (await fetch('http://127.0.0.1:18089/')).status === 200);
  const workers = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).trim().split(' ').map(Number);
  return { pids: [child.pid, ...workers], stop: () => new Promise((resolve) => { child.once('exit', resolve); child.kill('SIGTERM'); }) };
}

async function cost(url, pids, kind, expected) {
  const before = cpuSeconds(pids);
  const { requests, other, errors } = await wrk(url, requestOf(kind));
  const used = cpuSeconds(pids) - before;
  if (errors > 0 || other !== (expected === 200 ? 0 : requests)) throw new Error(`${kind}: ${other} of ${requests} answers were not ${expected}, ${errors} errors`);
  return { per_cpu_second: requests / used, requests };
}

const kinds = { read: 200, refusal: 401, dismissal: 200 };
const runs = { atrium: { read: [], refusal: [], dismissal: [] }, nginx: { read: [], refusal: [], dismissal: [] } };
for (let i = 0; i < wanted.repeats; i += 1)
  for (const [kind, status] of Object.entries(kinds)) {
    say(`${kind}, ${i + 1} of ${wanted.repeats}`);
    const nginx = await startNginx();
    try { runs.nginx[kind].push(await cost('http://127.0.0.1:18089', nginx.pids, kind, 200)); } finally { await nginx.stop(); }
    const daemon = await Daemon.start({ shards: 1, args: quotas });
    try { runs.atrium[kind].push(await cost(daemon.url, [daemon.pid], kind, status)); } finally { await daemon.stop(); }
  }

// --- durable dismissals
function post(agent, url, path, headers, body) {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${url}${path}`, { method: 'POST', agent, headers: { ...headers, 'Content-Length': Buffer.byteLength(body) } }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
async function dismissals(daemon) {
  const agent = new Agent({ keepAlive: true, maxSockets: kCallers });
  const rooms = Array.from({ length: wanted.rooms }, (_, i) => `durable-${i}`);
  for (let i = 0; i < rooms.length; i += kCallers)
    await Promise.all(rooms.slice(i, i + kCallers).map((room) => createRoom(daemon, room, { agent })));
  const query = { Action: 'DismissRoom', Version: '2020-12-01' };
  const calls = rooms.map((room) => {
    const body = JSON.stringify({ AppId: dev.appId, RoomId: room });
    return { body, headers: { 'Content-Type': 'application/json', ...signedHeaders({ method: 'POST', query, body, keys: dev }) } };
  });
  const begun = process.hrtime.bigint();
  let next = 0;
  await Promise.all(Array.from({ length: kCallers }, async () => {
    while (next < calls.length) {
      const { headers, body } = calls[next++];
      const status = await post(agent, daemon.url, `/?${new URLSearchParams(query)}`, headers, body);
      if (status !== 200) throw new Error(`a dismissal was answered with ${status}`);
    }
  }));
  agent.destroy();
  return calls.length / (Number(process.hrtime.bigint() - begun) / 1e9);
}
const durable = { dismissals: [], commits: [] };
for (let i = 0; i < wanted.repeats; i += 1) {
  say(`durable dismissals, ${i + 1} of ${wanted.repeats}`);
  const daemon = await Daemon.start({ shards: 1, args: quotas });
  try { durable.dismissals.push(await dismissals(daemon)); } finally { await daemon.stop(); }
  durable.commits.push((await limit('sqlite_commits', ['--commits', wanted.rooms, '--file', join(folder, `commits-${i}.db`)])).commits_per_second);
  await sleep(100);
}
await rm(folder, { recursive: true, force: true });

const bars = [];
const rows = Object.keys(kinds).map((kind) => {
  const of = (system) => median(runs[system][kind].map((one) => one.per_cpu_second));
  const share = round(of('atrium') / of('nginx'), 3);
  bars.push({ what: `${kind}: share of nginx's requests per CPU second`, value: share, bar: 0.4, holds: share >= 0.4 });
  return [kind, Math.round(of('atrium')), Math.round(of('nginx')), share];
});
const times = round(median(durable.dismissals) / median(durable.commits));
bars.push({ what: 'durable dismissals at 64 callers, times SQLite\'s single commits', value: times, bar: 2, holds: times >= 2 });
console.log(table(['requests per CPU second', 'Atrium', 'nginx, fixed 200', 'share'], rows));
console.log(`\ndurable dismissals a second: ${Math.round(median(durable.dismissals))}; single commits of SQLite a second: ${Math.round(median(durable.commits))}\n`);
for (const one of bars) console.log(`${one.holds ? 'holds ' : 'MISSED'} ${one.what}: ${one.value} (bar ${one.bar})`);
keep('control_plane', { settings: wanted, rows, runs, durable, bars });
