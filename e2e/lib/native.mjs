// A native participant (rtc-node) driven from a test; see native_child.mjs.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from './daemon.mjs';

export class Native {
  static async start() {
    const native = new Native();
    native.events = [];
    native.stderr = '';
    native.child = spawn(process.execPath, [fileURLToPath(new URL('./native_child.mjs', import.meta.url))],
      { stdio: ['pipe', 'pipe', 'pipe'] });
    let rest = '';
    native.child.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        try { native.events.push(JSON.parse(line)); } catch { native.stderr += `${line}\n`; }
      }
    });
    native.child.stderr.on('data', (data) => { native.stderr = (native.stderr + data).slice(-200_000); });
    native.child.once('exit', (code, signal) => { native.exit = { code, signal }; });
    await native.wait('ready');
    return native;
  }

  command(command, detail = {}) { this.child.stdin.write(`${JSON.stringify({ command, ...detail })}\n`); }

  seen(name, match = () => true) { return this.events.find((e) => e.event === name && match(e)); }

  wait(name, match = () => true, ms = 20000) {
    return until(`rtc-node says ${name}`, () => {
      const found = this.seen(name, match);
      if (found) return found;
      const failed = this.seen('failed');
      if (failed && name !== 'failed' && name !== 'disconnected') throw new Error(`${failed.command}: ${failed.message}`);
      if (this.exit) throw new Error(`rtc-node ended: ${JSON.stringify(this.exit)}\n${this.stderr.slice(-3000)}`);
      return null;
    }, ms);
  }

  async join(url, token, { publish = true } = {}) {
    this.command('join', { url, token, publish });
    await this.wait('joined');
    if (publish) await this.wait('published');
  }

  async counts() {
    const before = this.events.length;
    this.command('counts');
    return until('counts', () => this.events.slice(before).find((e) => e.event === 'counts'), 5000);
  }

  async stop() {
    if (this.exit) return;
    this.command('leave');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    await new Promise((resolve) => { if (this.exit) resolve(); else this.child.once('exit', resolve); });
    clearTimeout(timer);
  }
}
