// Starts Janus (the distribution's package) for a benchmark: VideoRoom over WebSockets on loopback, with a folder of
// settings of its own, and stops it again.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../e2e/lib/daemon.mjs';

const folder = () => ['/usr/lib', '/usr/local/lib'].filter(existsSync)
  .flatMap((lib) => [lib, ...readdirSync(lib).map((name) => join(lib, name))])
  .map((lib) => join(lib, 'janus')).find((path) => existsSync(join(path, 'plugins')));

const answers = (port) => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

export class Janus {
  // eventLoops: threads that carry media; 0: one for each peer connection, which is Janus's default.
  static async start({ eventLoops = 2, media = '20000-29999' } = {}) {
    const installed = folder();
    if (!installed) throw new Error('Janus is not installed: scripts/install_packages --bench');
    const janus = new Janus();
    const port = await freePort();
    janus.home = await mkdtemp(join(tmpdir(), 'atrium-bench-janus-'));
    janus.ws = `ws://127.0.0.1:${port}`;
    const write = (name, text) => writeFile(join(janus.home, name), text);
    await mkdir(join(janus.home, 'none'));
    await write('janus.jcfg', `general: {
  configs_folder = "${janus.home}"
  plugins_folder = "${join(installed, 'plugins')}"
  transports_folder = "${join(installed, 'transports')}"
  events_folder = "${join(janus.home, 'none')}"
  loggers_folder = "${join(janus.home, 'none')}"
  interface = "127.0.0.1"
  debug_level = 3
  ${eventLoops > 0 ? `event_loops = ${eventLoops}` : ''}
}
media: { rtp_port_range = "${media}" }
nat: { ice_lite = true, full_trickle = false, ice_enforce_list = "lo", nice_debug = false }
plugins: { disable = "${['audiobridge', 'duktape', 'echotest', 'lua', 'nosip', 'recordplay', 'sip', 'streaming',
    'textroom', 'videocall', 'voicemail'].map((name) => `libjanus_${name}.so`).join(',')}" }
transports: { disable = "${['http', 'mqtt', 'nanomsg', 'pfunix', 'rabbitmq'].map((name) => `libjanus_${name}.so`).join(',')}" }
events: { broadcast = false }
`);
    await write('janus.transport.websockets.jcfg', `general: { json = "compact", ws = true, ws_port = ${port}, ws_ip = "127.0.0.1" }
admin: { admin_ws = false }
`);
    await write('janus.plugin.videoroom.jcfg', 'general: { }\n');
    janus.log = '';
    janus.child = spawn('janus', ['-F', janus.home], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [janus.child.stdout, janus.child.stderr])
      stream.on('data', (data) => { janus.log = (janus.log + data).slice(-200_000); });
    janus.exited = new Promise((resolve) => janus.child.once('exit', (code) => { janus.code = code ?? 'signal'; resolve(); }));
    await until('Janus answers', async () => {
      if (janus.code !== undefined) throw new Error(`Janus ended: ${janus.code}\n${janus.log.slice(-3000)}`);
      return answers(port);
    }, 20000);
    return janus;
  }

  get pid() { return this.child.pid; }

  async stop() {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10000);
    await this.exited;
    clearTimeout(timer);
    await rm(this.home, { recursive: true, force: true });
  }
}
