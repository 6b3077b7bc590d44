// A configuration beside the development defaults: a second account with an app of its own, and a key that may only
// read.  Apps live in the store: the second account makes its own with the AppId and AppKeys that it has.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call } from './api.mjs';
import { dev } from './daemon.mjs';

export const reader = { ...dev, accessKey: 'AKLTreadonly0000000000000001', secretKey: 'cmVhZC1vbmx5' };
export const neighbour = { appId: 'b0b000000000000000000002', appKey: 'neighbourkey00000000000000000002',
  secondaryAppKey: 'neighbourkey0000000000secondary2', accessKey: 'AKLTneighbour000000000000001', secretKey: 'neighbour-secret' };

// One [[account]] with its keys; each secret is written into a file beside the configuration.
export function account(directory, id, keys) {
  return `[[account]]\nid = "${id}"\n${keys.map(({ accessKey, secretKey, scopes }) => {
    writeFileSync(join(directory, `${accessKey}.secret`), `${secretKey}\n`, { mode: 0o600 });
    return `[[account.key]]\naccess_key = "${accessKey}"\nsecret_file = "${accessKey}.secret"\nscopes = ${JSON.stringify(scopes)}\n`;
  }).join('')}`;
}

export const everything = ['read', 'room', 'ban', 'app'];

// A configuration file that a test may change while the daemon runs.
export class Configuration {
  constructor() { this.directory = mkdtempSync(join(tmpdir(), 'atrium-e2e-config-')); }
  get file() { return join(this.directory, 'atrium.toml'); }
  get args() { return ['--config', this.file]; }
  write(text) { writeFileSync(this.file, text); }
  account(id, keys) { return account(this.directory, id, keys); }
  remove() { rmSync(this.directory, { recursive: true, force: true }); }
}

// Flags for Daemon.start, what makes the neighbour's app once it runs, and what removes the files again.
export function twoAccounts() {
  const config = new Configuration();
  config.write(config.account('dev', [{ ...reader, scopes: ['read'] }]) +
    config.account('neighbour', [{ ...neighbour, scopes: everything }]));
  return { args: config.args, makeApps, remove: () => config.remove() };
}

async function makeApps(daemon) {
  const made = await call(daemon, 'CreateApp', { AppName: 'neighbour', AppId: neighbour.appId, AppKey: neighbour.appKey,
    SecondaryAppKey: neighbour.secondaryAppKey }, { version: '2026-12-01', keys: neighbour });
  if (made.status !== 200) throw new Error(`the neighbour's app was not made: ${made.text}`);
}
