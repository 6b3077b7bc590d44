#!/usr/bin/env node
// What the management door costs: signed reads, refused signatures and dismissals of unknown rooms per CPU second of the
// server, beside nginx answering a fixed 200 to the same requests from the same generator (wrk); and how many rooms are
// dismissed durably a second by 64 callers, beside SQLite's single commits on the same disk (bench/README.md).
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { Daemon, dev, sleep, until } from '../e2e/lib/daemon.mjs';
import { signedHeaders } from '../e2e/lib/api.mjs';
import { createRoom } from './lib/rooms.mjs';
import { cpuSeconds, keep, limit, median, options, round, run, say, table } from './lib/tools.mjs';

const usage = `bench/control_plane.mjs [--seconds S] [--repeats N] [--rooms N]
  --seconds  of each run (default 8)
  --repeats  runs of each, of which the median counts (default 3)
  --rooms    rooms that are dismissed by 64 callers (default 10000)`;
const wanted = options({ seconds: 8, repeats: 3, rooms: 10000 }, usage);
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
// The same generator, so that the callers are not the limit: each room's call once, on 64 connections.  What a connection
// asks when none is left is refused (404) and not counted; at the last room's answer the clock stops.
const durableScript = (calls) => `local ffi = require('ffi')
ffi.cdef[[ typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now); ]]
local function seconds() local now = ffi.new('moment'); ffi.C.clock_gettime(1, now); return tonumber(now.s) + tonumber(now.ns) / 1e9 end
local calls = {\n${calls.map(({ path, headers, body }) => `{${[path, headers['X-Date'], headers.Authorization, headers['X-Content-Sha256'], body].map(JSON.stringify).join(',')}}`).join(',\n')}\n}
local ready, next_call, done, began, is_checked = {}, 1, 0, nil, false
function init()
  for i, c in ipairs(calls) do
    ready[i] = wrk.format('POST', c[1], { ['Host'] = wrk.headers['Host'], ['Content-Type'] = 'application/json', ['X-Date'] = c[2],
      ['Authorization'] = c[3], ['X-Content-Sha256'] = c[4] }, c[5])
  end
end
function request()
  if not is_checked then is_checked = true return ready[1] end -- wrk looks at one before it begins, and does not send it
  began = began or seconds()
  next_call = next_call + 1
  return ready[next_call - 1] or wrk.format('GET', '/nothing')
end
function response(status)
  if status ~= 200 then
    if next_call <= #ready then io.write('REFUSED ' .. status .. '\\n'); io.flush(); os.exit(1) end
    return
  end
  done = done + 1
  if done == #ready then io.write(string.format('DONE %d %.6f\\n', done, seconds() - began)); io.flush(); os.exit(0) end
end
`;
async function dismissals(daemon) {
  const agent = new Agent({ keepAlive: true, maxSockets: kCallers });
  const rooms = Array.from({ length: wanted.rooms }, (_, i) => `durable-${i}`);
  for (let i = 0; i < rooms.length; i += kCallers)
    await Promise.all(rooms.slice(i, i + kCallers).map((room) => createRoom(daemon, room, { agent })));
  agent.destroy();
  const query = { Action: 'DismissRoom', Version: '2020-12-01' };
  const calls = rooms.map((room) => {
    const body = JSON.stringify({ AppId: dev.appId, RoomId: room });
    return { path: `/?${new URLSearchParams(query)}`, body, headers: signedHeaders({ method: 'POST', query, body, keys: dev }) };
  });
  const script = join(folder, 'durable.lua');
  await writeFile(script, durableScript(calls));
  const cpu = cpuSeconds([daemon.pid]);
  const { out, err } = await run('wrk', ['-t', 1, '-c', kCallers, '-d', '120s', '-s', script, daemon.url]);
  const done = /DONE (\d+) ([\d.]+)/.exec(out);
  if (!done || Number(done[1]) !== rooms.length) throw new Error(`wrk: ${out}${err}`);
  return { per_second: Number(done[1]) / Number(done[2]), per_cpu_second: rooms.length / (cpuSeconds([daemon.pid]) - cpu) };
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
const perSecond = median(durable.dismissals.map((one) => one.per_second)), commits = median(durable.commits);
const times = round(perSecond / commits);
bars.push({ what: 'durable dismissals at 64 callers, times SQLite\'s single commits', value: times, bar: 2, holds: times >= 2 });
console.log(table(['requests per CPU second', 'Atrium', 'nginx, fixed 200', 'share'], rows));
console.log(`\ndurable dismissals a second: ${Math.round(perSecond)}; single commits of SQLite a second: ${Math.round(commits)}\n`);
for (const one of bars) console.log(`${one.holds ? 'holds ' : 'MISSED'} ${one.what}: ${one.value} (bar ${one.bar})`);
keep('control_plane', { settings: wanted, rows, runs, durable, bars });
