// The load generator in a process of its own; its report is its last word.
import { spawn } from 'node:child_process';
import { binary } from './daemon.mjs';

// Runs `atriumload ARGS -o json` to its end.  Yields exit code, the report (null: there was none) and what it said on stderr.
export function atriumload(args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary('atriumload'), [...args, '-o', 'json'], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let stdout = '', stderr = '';
    child.stdout.on('data', (data) => { stdout += data; });
    child.stderr.on('data', (data) => { stderr += data; });
    child.once('error', reject);
    child.once('close', (code) => {
      let report = null;
      try { report = JSON.parse(stdout); } catch { /* it did not come to a report */ }
      resolve({ code, report, stdout, stderr });
    });
  });
}

// The same against a daemon with the development keys.
export const loadOf = (daemon, args) =>
  atriumload([...args, '--dev', '--url', daemon.ws, '--server-pid', String(daemon.pid), '--quiet', '--warm-up', '0.2', '--join-timeout', '60']);
