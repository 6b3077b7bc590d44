// Starts atriumd for a test, on ports of the kernel's choosing and a data directory of its own, and stops it again.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertNoSecrets, assertNoSecretsInFiles, secretKey, withoutBanner } from './canary.mjs';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const dev = {
  appId: 'a7e100000000000000000001',
  appKey: 'devappkey00000000000000000000001',
  apiKey: 'devkey',
  apiSecret: 'secret',
  accessKey: 'AKLTdevaccesskey000000000001',
  secretKey: 'ZGV2LXNlY3JldC1rZXk=',
};
secretKey('the AppKey', dev.appKey);
secretKey('the secret key', dev.secretKey); // the API secret is an ordinary word: canary.test.mjs has one that is none

export function binary(name) {
  const directory = process.env.ATRIUM_BIN_DIR ?? ['asan', 'release', 'dev'].map((p) => join(root, 'build', p, 'bin'))
    .find((candidate) => existsSync(join(candidate, 'atriumd')));
  return join(directory, name);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Polls `probe` until it yields something truthy; fails with `what` after `ms`.
export async function until(what, probe, ms = 15000, every = 25) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`timed out after ${ms} ms: ${what} (last: ${last?.stack ?? JSON.stringify(last)})`);
    await sleep(every);
  }
}

export class Daemon {
  // options: args (further flags), dataDir (kept by the caller), shards, httpPort (0: of the kernel's choosing),
  // certificate (see certificate.mjs: the public listener speaks TLS), program (a wrapper that becomes atriumd).
  static async start({ args = [], dataDir = null, shards = 2, env = {}, httpPort = 0, certificate = null,
    program = binary('atriumd') } = {}) {
    const daemon = new Daemon();
    daemon.ownsData = dataDir === null;
    daemon.dataDir = dataDir ?? (await mkdtemp(join(tmpdir(), 'atrium-e2e-')));
    daemon.log = '';
    daemon.ca = certificate?.ca;
    const tls = certificate ? ['--tls-certificate', certificate.chainFile, '--tls-key', certificate.keyFile] : [];
    daemon.child = spawn(program, ['--dev', '--http-listen', `127.0.0.1:${httpPort}`, '--operator-listen', '127.0.0.1:0',
      '--media-port', '0', '--media-shards', String(shards), '--data-dir', daemon.dataDir, ...tls, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    daemon.exited = new Promise((resolve) => daemon.child.once('exit', (code, signal) => {
      daemon.exit = { code, signal };
      resolve(daemon.exit);
    }));
    for (const stream of [daemon.child.stdout, daemon.child.stderr])
      stream.on('data', (data) => daemon.#hear(data));
    await until('atriumd is ready', () => {
      if (daemon.exit) return ['', 'ended', 'ended'];
      return /ready http=(\S+) operator=(\S+)/.exec(daemon.log);
    }, 20000).then(([, http, operator]) => {
      if (http === 'ended') throw new Error(`atriumd ended: ${JSON.stringify(daemon.exit)}\n${daemon.log}`);
      daemon.url = `${certificate ? 'https' : 'http'}://${http}`;
      daemon.ws = `${certificate ? 'wss' : 'ws'}://${http}`;
      daemon.operator = `http://${operator}`;
    });
    return daemon;
  }

  // The log's last 2 MB are kept; what is dropped was searched.
  #hear(data) {
    this.log += data;
    if (this.log.length < 4_000_000) return;
    this.#searchLog();
    this.log = this.log.slice(-2_000_000);
  }

  #searchLog() {
    try {
      assertNoSecrets('the log', withoutBanner(this.log, dev));
    } catch (error) {
      this.leak ??= error;
    }
  }

  // No secret that this process knows is in what the daemon wrote; its metrics were searched whenever they were read.
  assertDiscreet() {
    this.#searchLog();
    if (this.leak) throw this.leak;
    if (existsSync(this.dataDir)) assertNoSecretsInFiles(this.dataDir);
  }

  get pid() { return this.child.pid; }
  get httpPort() { return Number(new URL(this.url).port); }

  // Ends it as an operator would; a sanitizer's report or a crash fails the test here.
  async stop() {
    let leak = null;
    if (!this.exit && !this.child.killed) { // a test may have told it to stop already
      leak = await this.metricsPage({ signal: AbortSignal.timeout(3000) })
        .then(() => null, (error) => (error.message.startsWith('secrets') ? error : null)); // it may be past answering
      this.child.kill('SIGTERM');
    }
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 20000);
    await this.exited;
    clearTimeout(timer);
    try {
      this.assertDiscreet();
    } catch (error) {
      leak ??= error;
    }
    if (this.ownsData) await rm(this.dataDir, { recursive: true, force: true });
    if (leak) throw leak;
    if (this.exit.code !== 0) throw new Error(`atriumd ended badly: ${JSON.stringify(this.exit)}\n${this.log.slice(-8000)}`);
  }

  async kill9() {
    this.child.kill('SIGKILL');
    await this.exited;
    this.assertDiscreet();
  }

  async metricsPage(options = {}) {
    const text = await (await fetch(`${this.operator}/metrics`, options)).text();
    assertNoSecrets('the metrics', text);
    return text;
  }

  async metrics() {
    const text = await this.metricsPage();
    const values = new Map();
    for (const line of text.split('\n')) {
      const match = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
      if (match) values.set(match[1], Number(match[2]));
    }
    return values;
  }

  async openDescriptors() {
    return (await readdir(`/proc/${this.pid}/fd`)).length;
  }
}
