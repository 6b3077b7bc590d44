// What the benchmarks share: running the generator, medians, what machine this is, where results go.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { binary, root } from '../../e2e/lib/daemon.mjs';

// Never by chance what was built with sanitizers.
process.env.ATRIUM_BIN_DIR ??= join(root, 'build/release/bin');
export const results = join(root, 'build/bench');

export const say = (text) => process.stderr.write(`${text}\n`);
export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
// The smallest number that `share` of all do not exceed.
export const percentile = (numbers, share) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))];
};
export const spread = (numbers) => Math.max(...numbers) / Math.min(...numbers);
export const round = (number, digits = 2) => Number(number.toFixed(digits));

// Runs a program to its end; yields its exit code and what it printed.
export function run(program, args, { seconds = 600, wrapper = [] } = {}) {
  const [command, ...rest] = [...wrapper, program, ...args.map(String)];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], timeout: seconds * 1000 });
  let out = '', err = '';
  child.stdout.on('data', (data) => { out += data; });
  child.stderr.on('data', (data) => { err = (err + data).slice(-20_000); });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

// User and system time of processes so far.
export const cpuSeconds = (pids) => pids.map((pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100; // clock ticks are hundredths on every Linux that Node runs on
}).reduce((a, b) => a + b, 0);
// The same of one process to the microsecond, as the scheduler counts it: for what takes some ticks only.
export const exactCpuSeconds = (pid) => readdirSync(`/proc/${pid}/task`)
  .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9).reduce((a, b) => a + b, 0);
// CPU time of one process's threads, by name.
export function threadSeconds(pid) {
  const out = {};
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
    const name = /\((.*)\)/.exec(stat)[1];
    const fields = stat.replace(/^.*\) /, '').split(' ');
    out[name] = (out[name] ?? 0) + (Number(fields[11]) + Number(fields[12])) / 100;
  }
  return out;
}
export const residentBytes = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

// One run of atriumload; throws when it showed a fault, unless `mayFault`.
export async function load(scenario, args, { mayFault = false, seconds } = {}) {
  const { code, out, err } = await run(binary('atriumload'), [scenario, '-q', '-o', 'json', ...args], { seconds });
  if (code !== 0 && !(mayFault && code === 1))
    throw new Error(`atriumload ${scenario} ${args.join(' ')}: exit code ${code}\n${out.slice(-3000)}\n${err}`);
  return JSON.parse(out);
}

// One run of a limit that we measure against (bare_forwarder, bare_dtls, sqlite_commits); yields what it found.
export const limit = async (name, args) => {
  const { code, out, err } = await run(binary(name), args);
  if (code !== 0) throw new Error(`${name} ${args.join(' ')}: exit code ${code}\n${out}${err}`);
  return JSON.parse(out);
};

const ask = (command, ...args) => {
  try { return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(); } catch { return ''; }
};
export const machine = () => ({
  at: new Date().toISOString(),
  cpu: cpus()[0].model,
  cores: cpus().length,
  kernel: ask('uname', '-r'),
  memory_gb: round(Number(/MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))[1]) / 1e6, 1),
  commit: ask('git', '-C', root, 'rev-parse', '--short=12', 'HEAD') + (ask('git', '-C', root, 'status', '--porcelain', '-uno') ? ' and changes' : ''),
  janus: ask('dpkg-query', '-W', '-f', '${Version}', 'janus'),
  nginx: ask('dpkg-query', '-W', '-f', '${Version}', 'nginx-light'),
  libcrypto: ask('dpkg-query', '-W', '-f', '${Version}', 'libssl3'),
  command: `bench/${process.argv[1].split('/').at(-1)} ${process.argv.slice(2).join(' ')}`.trim(),
});

export function keep(name, result) {
  mkdirSync(results, { recursive: true });
  const file = join(results, `${name}.json`);
  writeFileSync(file, `${JSON.stringify({ machine: machine(), ...result }, null, 1)}\n`);
  say(`written to ${file}`);
}

// Rows of arrays as a Markdown table.
export const table = (head, rows) => [head, head.map(() => '---'), ...rows]
  .map((row) => `| ${row.join(' | ')} |`).join('\n');

// --flag VALUE and --flag of this process; unknown ones end it.
export function options(known, usage) {
  const given = { ...known };
  const args = process.argv.slice(2);
  for (let i = 0; i < args.length; i += 1) {
    const name = args[i].replace(/^--/, '');
    if (name === 'help' || args[i] === '-h') { console.log(usage); process.exit(0); }
    if (!(name in known) || !args[i].startsWith('--')) { console.error(`unknown argument ${args[i]}\n${usage}`); process.exit(2); }
    given[name] = typeof known[name] === 'boolean' ? true : typeof known[name] === 'number' ? Number(args[++i]) : args[++i];
    if (given[name] === undefined || Number.isNaN(given[name])) { console.error(`--${name} wants a value\n${usage}`); process.exit(2); }
  }
  return given;
}
