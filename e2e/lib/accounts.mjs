// A configuration beside the development defaults: a second account with an app of its own, and a key that may only
// read.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dev } from './daemon.mjs';

export const reader = { ...dev, accessKey: 'AKLTreadonly0000000000000001', secretKey: 'cmVhZC1vbmx5' };
export const neighbour = { appId: 'b0b000000000000000000002', appKey: 'neighbourkey00000000000000000002',
  secondaryAppKey: 'neighbourkey0000000000secondary2', accessKey: 'AKLTneighbour000000000000001', secretKey: 'neighbour-secret' };

const text = `
[[account]]
id = "dev"
access_key = "${reader.accessKey}"
secret = "${reader.secretKey}"
scope = "read"

[[account]]
id = "neighbour"
access_key = "${neighbour.accessKey}"
secret = "${neighbour.secretKey}"
scope = "manage"

[[app]]
id = "${neighbour.appId}"
account = "neighbour"
key = "${neighbour.appKey}"
secondary_key = "${neighbour.secondaryAppKey}"
`;

// Flags for Daemon.start, and what removes the file again.
export function twoAccounts() {
  const directory = mkdtempSync(join(tmpdir(), 'atrium-e2e-config-'));
  const file = join(directory, 'atrium.toml');
  writeFileSync(file, text);
  return { args: ['--config', file], remove: () => rmSync(directory, { recursive: true, force: true }) };
}
