// Plain TCP against the daemon: bytes that no client library would send, slowly if wanted, and just enough WebSocket
// to hold a
// seat in a room without an SDK.
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { randomBytes } from 'node:crypto';
import { sleep } from './daemon.mjs';

export class Tcp {
  static async open(daemon) {
    const { hostname, port } = new URL(daemon.url);
    const tcp = new Tcp();
    tcp.received = Buffer.alloc(0);
    tcp.socket = createConnection({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true });
    tcp.socket.on('data', (data) => { tcp.received = Buffer.concat([tcp.received, data]); });
    tcp.socket.on('error', (error) => { tcp.error = error; });
    tcp.closed = new Promise((resolve) => tcp.socket.once('close', () => { tcp.isClosed = true; resolve(); }));
    tcp.socket.on('end', () => { tcp.isEnded = true; tcp.socket.end(); });
    await once(tcp.socket, 'connect');
    return tcp;
  }

  write(data) {
    if (!this.isClosed && !this.isEnded) this.socket.write(data);
    return this;
  }

  // One byte at a time until the other side has had enough of it; yields the milliseconds until it closed.
  async trickle(data, everyMs, longest) {
    const start = Date.now();
    for (const byte of Buffer.from(data)) {
      if (this.isClosed || this.isEnded || Date.now() - start > longest) break;
      this.write(Buffer.of(byte));
      await Promise.race([sleep(everyMs), this.closed]);
    }
    while (!this.isClosed && !this.isEnded && Date.now() - start < longest) await sleep(20);
    return Date.now() - start;
  }

  get text() { return this.received.toString('latin1'); }

  // Waits until `probe(this)` is truthy; yields it, or null when the time is over or the connection is closed
  // without it.
  async until(probe, ms = 10000) {
    const end = Date.now() + ms;
    for (;;) {
      const value = probe(this);
      if (value) return value;
      if (this.isClosed || Date.now() > end) return null;
      await sleep(5);
    }
  }

  // The first HTTP answer, parsed; null: none came.
  answer(ms) { return this.until((tcp) => parseAnswers(tcp.received)[0], ms); }
  async answers(count, ms) {
    await this.until((tcp) => parseAnswers(tcp.received).length >= count, ms);
    return parseAnswers(this.received);
  }

  // A client's frame (RFC 6455 5.2), masked as it must be unless told otherwise; `size` lies about its length.
  frame(opcode, payload, { masked = true, fin = true, size } = {}) {
    const data = Buffer.from(payload);
    const length = size ?? data.length;
    const head = Buffer.alloc(length > 65535 ? 10 : length > 125 ? 4 : 2);
    head[0] = (fin ? 0x80 : 0) | opcode;
    head[1] = (masked ? 0x80 : 0) | (length > 65535 ? 127 : length > 125 ? 126 : length);
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    if (!masked) return this.write(Buffer.concat([head, data]));
    const mask = randomBytes(4);
    for (let i = 0; i < data.length; i++) data[i] ^= mask[i & 3];
    return this.write(Buffer.concat([head, mask, data]));
  }

  end() { this.socket.destroy(); }
}

// All complete HTTP/1.1 answers at the front of `bytes` (Content-Length framing only: it is what the daemon sends).
export function parseAnswers(bytes) {
  const out = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0 || rest.subarray(0, 5).toString() !== 'HTTP/') return out;
    const [line, ...fields] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const headers = Object.fromEntries(fields.map((f) => [f.slice(0, f.indexOf(':')).toLowerCase(), f.slice(f.indexOf(':') + 1).trim()]));
    const length = Number(headers['content-length'] ?? 0);
    if (rest.length < end + 4 + length) return out;
    const text = rest.subarray(end + 4, end + 4 + length).toString('utf8');
    let json = null;
    try { json = JSON.parse(text); } catch { /* plain text */ }
    out.push({ status: Number(line.split(' ')[1]), headers, text, json });
    rest = rest.subarray(end + 4 + length);
  }
}

// The head of a WebSocket upgrade to one of the signalling doors.
export const upgrade = (path, headers = {}) => [`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: Upgrade',
  'Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');

// The smallest join_request: a WrappedJoinRequest whose JoinRequest (field 2) has an empty ClientInfo (field 1).
export const smallestJoinRequest = encodeURIComponent(Buffer.from([0x12, 0x02, 0x0a, 0x00]).toString('base64'));
export const doorOf = (token) => `/rtc/v1?access_token=${encodeURIComponent(token)}&join_request=${smallestJoinRequest}`;

// A seat in a room: the upgrade is accepted and the join response is on its way.
export async function seat(daemon, token) {
  const tcp = await Tcp.open(daemon);
  tcp.write(upgrade(doorOf(token)));
  const [answer] = await tcp.answers(1, 10000);
  if (answer?.status !== 101) throw new Error(`no seat: ${tcp.text.slice(0, 400)}`);
  return tcp;
}
