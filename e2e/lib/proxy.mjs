// A TCP proxy between a client and the daemon whose line a test cuts, holds or closes to newcomers.
import { connect, createServer } from 'node:net';
import { secretsOfRequest } from './canary.mjs';

export class Proxy {
  // Listens on a port of the kernel's choosing and passes everything on to `url`'s host and port.  header: sent to the
  // daemon ahead of each client's bytes (a Buffer; proxy.header may be changed for the connections that follow).
  static async start(url, { header = null } = {}) {
    const proxy = new Proxy();
    proxy.header = header;
    const { hostname, port, protocol } = new URL(url);
    proxy.target = { host: hostname, port: Number(port) };
    proxy.pairs = new Set();
    proxy.isRefusing = false;
    proxy.isHolding = false;
    proxy.isKeepingWaiting = false;
    proxy.forwardedFor = null; // an address: said in X-Forwarded-For of the first request on each connection
    proxy.waiting = [];
    proxy.connections = 0;
    proxy.asked = []; // {at, target, isUpgrade} of every HTTP request, in order
    proxy.requests = []; // {target, status} of the first request on each connection; status null: not answered
    proxy.server = createServer((client) => proxy.#accept(client));
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${proxy.server.address().port}`;
    proxy.url = `${protocol}//${address}`;
    proxy.ws = `${protocol === 'https:' ? 'wss' : 'ws'}://${address}`;
    return proxy;
  }

  #accept(client) {
    client.on('error', () => {});
    if (this.isRefusing) return client.destroy();
    if (this.isKeepingWaiting) return this.waiting.push(client);
    this.connections += 1;
    const server = connect(this.target);
    if (this.header) server.write(this.header);
    const pair = { client, server, held: [] };
    const request = { target: null, status: null };
    client.once('data', (data) => {
      request.target = String(data).split(' ')[1];
      this.requests.push(request);
    });
    client.on('data', (data) => this.#note(data));
    server.once('data', (data) => { request.status = Number(String(data).split(' ')[1]); });
    this.pairs.add(pair);
    const end = () => {
      if (pair.held.length > 0 || this.isHolding) return; // what was held is delivered first
      client.destroy();
      server.destroy();
      this.pairs.delete(pair);
    };
    server.on('error', () => {});
    client.once('data', (data) => server.write(this.forwardedFor === null ? data : this.#withAddress(data)));
    client.once('data', () => client.on('data', (data) => server.write(data)));
    server.on('data', (data) => { if (this.isHolding) pair.held.push(data); else client.write(data); });
    client.on('close', () => { server.destroy(); this.pairs.delete(pair); });
    server.on('close', () => { pair.isOver = true; end(); });
  }

  // A request of an SDK begins a segment; a WebSocket frame does not begin like one.
  #note(data) {
    const [head, target] = /^(?:GET|POST|HEAD) (\S+) HTTP\/1\.1\r\n/.exec(data.toString('latin1')) ?? [];
    if (!head) return;
    secretsOfRequest(target);
    this.asked.push({ at: Date.now(), target, isUpgrade: /^upgrade: *websocket\r$/im.test(data.toString('latin1')) });
  }

  #withAddress(data) {
    const end = data.indexOf('\r\n') + 2;
    return Buffer.concat([data.subarray(0, end), Buffer.from(`X-Forwarded-For: ${this.forwardedFor}\r\n`), data.subarray(end)]);
  }

  // What the daemon says is kept back from now on; what clients say goes through.
  hold() { this.isHolding = true; }

  // Delivers what was kept back, in order, then goes on as before.
  release() {
    this.isHolding = false;
    for (const pair of this.pairs) {
      for (const data of pair.held.splice(0)) pair.client.write(data);
      if (pair.isOver) pair.client.end();
    }
  }

  // Newcomers are accepted and not passed on, until letIn().
  keepWaiting() { this.isKeepingWaiting = true; }

  letIn() {
    this.isKeepingWaiting = false;
    for (const client of this.waiting.splice(0)) if (!client.destroyed) this.#accept(client);
  }

  bytesHeld() {
    let sum = 0;
    for (const pair of this.pairs) for (const data of pair.held) sum += data.length;
    return sum;
  }

  // Cuts every connection, and each new one at once, until allow().
  cut() {
    this.isRefusing = true;
    for (const pair of this.pairs) { pair.client.destroy(); pair.server.destroy(); }
    this.pairs.clear();
    for (const client of this.waiting.splice(0)) client.destroy();
  }

  allow() { this.isRefusing = false; }

  async stop() {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
