// Our own client in a process of its own (atriumpeer), which prints what happens to it as JSON lines.
import { spawn } from 'node:child_process';
import { binary, until } from './daemon.mjs';

export class Peer {
  // args: further flags, as `--deaf`.
  static start(daemon, token, args = []) {
    const peer = new Peer();
    peer.lines = [];
    peer.stderr = '';
    peer.child = spawn(binary('atriumpeer'), ['--url', daemon.ws, '--token', token, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let rest = '';
    peer.child.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) peer.lines.push(JSON.parse(line));
    });
    peer.child.stderr.on('data', (data) => { peer.stderr = (peer.stderr + data).slice(-20_000); });
    peer.exited = new Promise((resolve) => peer.child.once('close', (code) => {
      peer.exit = { code };
      resolve(code);
    }));
    return peer;
  }

  seen(event, match = () => true) { return this.lines.find((line) => line.event === event && match(line)); }
  all(event) { return this.lines.filter((line) => line.event === event); }

  wait(event, match = () => true, ms = 20000) {
    return until(`atriumpeer says ${event}`, () => {
      const found = this.seen(event, match);
      if (!found && this.exit) throw new Error(`atriumpeer ended with ${this.exit.code}: ${JSON.stringify(this.lines.slice(-4))}\n${this.stderr}`);
      return found;
    }, ms);
  }

  // What it counted in all; waits for its own end, which a sanitizer's report would spoil.
  async counters(ms = 30000) {
    const counters = await this.wait('counters', () => true, ms);
    const code = await this.exited;
    if (code !== 0) throw new Error(`atriumpeer ended with ${code}\n${this.stderr}`);
    return counters;
  }

  stop() {
    if (!this.exit) this.child.kill('SIGKILL');
    return this.exited;
  }
}
