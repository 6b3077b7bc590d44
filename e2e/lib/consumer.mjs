// A backend that is told of events: an HTTP server on 127.0.0.1 that keeps what it got, and goes down and comes up again on
// the same port.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { until } from './daemon.mjs';

export const loopbackAllowed = ['--webhook-allow-networks', '127.0.0.0/8'];

export class Consumer {
  static async start() {
    const consumer = new Consumer();
    consumer.got = []; // { path, headers, text, json, status } in order of arrival
    consumer.connections = 0;
    consumer.status = () => 200; // of the answer to one request
    await consumer.up();
    return consumer;
  }

  async up() {
    this.server = createServer((request, response) => this.#hear(request, response));
    this.server.on('connection', () => { this.connections += 1; });
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.port ?? 0, '127.0.0.1', resolve);
    });
    this.port = this.server.address().port;
  }

  async down() {
    if (!this.server) return;
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    this.server = null;
    await closed;
  }

  url(path) { return `http://127.0.0.1:${this.port}${path}`; }

  #hear(request, response) {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (data) => { text += data; });
    request.on('end', () => {
      const one = { path: request.url, headers: request.headers, text, json: JSON.parse(text) };
      one.status = this.status(one);
      this.got.push(one);
      response.writeHead(one.status).end('ok');
    });
  }

  // What was acknowledged under `path` for a room, in order; of each event the first copy.
  taken(path, room) {
    const seen = new Set();
    return this.got.filter((one) => one.path === path && one.status === 200 && roomOf(one.json) === room)
      .map(({ json }) => json).filter((json) => !seen.has(idOf(json)) && seen.add(idOf(json)));
  }

  // Waits until the last of a room's events is of the type `last`; yields them all.
  async takes(path, room, last, ms = 20000) {
    await until(`the consumer gets ${last} of ${room}`, () => this.taken(path, room).map(typeOf).at(-1) === last, ms);
    return this.taken(path, room);
  }
}

const idOf = (json) => json.EventId ?? json.id;
export const typeOf = (json) => json.EventType ?? json.event;
export const dataOf = (json) => JSON.parse(json.EventData);
const roomOf = (json) => (json.EventData ? dataOf(json).RoomId : json.room?.name);

// The vendor's signature as its documentation has it (vendor-contract 6.3).
export function vendorSignature({ EventType, EventData, EventTime, EventId, AppId, Version, Nonce }, secretKey) {
  const sorted = [EventType, EventData, EventTime, EventId, AppId, Version, Nonce, secretKey].map((value) => Buffer.from(value))
    .sort(Buffer.compare);
  return createHash('sha256').update(Buffer.concat(sorted)).digest('hex');
}
