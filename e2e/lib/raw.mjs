// A client made of its parts (a WebSocket, protobuf, and a peer connection where a test wants one): it notes
// everything that
// arrives in the order in which it arrived, which no SDK shows.
import { connect } from 'node:net';
import { join as joinPath } from 'node:path';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import WebSocket from 'ws';
import { assertNoSecrets, secret, secretToken } from './canary.mjs';
import { root, until } from './daemon.mjs';

const signal = await protobuf.load(joinPath(root, 'api/livekit_signal.proto'));
const type = (name) => signal.lookupType(`atrium.signal.pb.${name}`);
const WrappedJoinRequest = type('WrappedJoinRequest');
const JoinRequest = type('JoinRequest');
const SignalRequest = type('SignalRequest');
const SignalResponse = type('SignalResponse');
// What of a DataPacket a notice uses.
const { root: dataRoot } = protobuf.parse(`syntax = "proto3";
  message DataPacket { UserPacket user = 2; string participant_identity = 4; }
  message UserPacket { bytes payload = 2; string topic = 4; }`);
const DataPacket = dataRoot.lookupType('DataPacket');

// A data message as a test reads it, and the bytes of one.
export function readDataPacket(bytes) {
  const packet = DataPacket.decode(bytes);
  const { topic = null, payload = [] } = packet.user ?? {};
  return { topic, text: Buffer.from(payload).toString(), from: packet.participantIdentity };
}
export const dataPacket = (topic, text) => DataPacket.encode({ user: { payload: Buffer.from(text), topic } }).finish();

// The path and query of a v1 join.  prefix: '/r/<RoomId>', percent-encoded; inHeader: the token travels in `Authorization`.
export function joinPathOf(token, { resume = null, offer = null, prefix = '', inHeader = false } = {}) {
  const request = JoinRequest.encode(JoinRequest.fromObject({
    clientInfo: { sdk: 'CPP', version: '1', protocol: 17, os: 'linux' },
    connectionSettings: { autoSubscribe: true },
    ...(resume ? { reconnect: true, participantSid: resume } : {}),
    ...(offer ? { publisherOffer: { type: 'offer', sdp: offer, id: 1 } } : {}),
  })).finish();
  const wrapped = WrappedJoinRequest.encode(WrappedJoinRequest.fromObject({ joinRequest: request })).finish();
  const query = new URLSearchParams({ ...(inHeader ? {} : { access_token: token }), join_request: Buffer.from(wrapped).toString('base64url') });
  return `${prefix}/rtc/v1?${query}`;
}

// Whether a request to the v1 door asks for a resume; null: it is none.
export function asksToResume(target) {
  const wrapped = /\/rtc\/v1\?/.test(target) && new URLSearchParams(target.slice(target.indexOf('?'))).get('join_request');
  if (!wrapped) return null;
  const { joinRequest, compression } = WrappedJoinRequest.decode(Buffer.from(wrapped, 'base64url'));
  return JoinRequest.decode(compression ? gunzipSync(joinRequest) : joinRequest).reconnect;
}

export class RawClient {
  // Opens the WebSocket; resolves once it is open, or was refused (then `refused` is {status, body}).  options: those of
  // joinPathOf, headers (further ones of the upgrade), onMessage (told the kind of whatever is noted).
  static async open(daemon, token, options = {}) {
    const client = new RawClient();
    client.log = []; // {kind: message's name | 'data' | 'close', …} in order of arrival
    client.refused = null;
    client.onMessage = options.onMessage ?? (() => {});
    const headers = { ...(options.inHeader ? { Authorization: `Bearer ${token}` } : {}), ...options.headers };
    client.socket = new WebSocket(daemon.ws + joinPathOf(token, options), { perMessageDeflate: false, headers, ca: daemon.ca });
    client.socket.binaryType = 'nodebuffer';
    client.socket.on('message', (data) => client.#hear(data));
    client.socket.on('close', (code) => client.#note('close', { code }));
    client.socket.on('error', () => {});
    await new Promise((resolve) => {
      client.socket.once('open', resolve);
      client.socket.once('close', resolve);
      client.socket.once('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (data) => { body += data; });
        response.on('end', () => {
          client.refused = { status: response.statusCode, body };
          client.socket.terminate();
          resolve();
        });
      });
    });
    if (client.refused) assertNoSecrets('the refusal of a join', client.refused.body);
    return client;
  }

  // Opens with a data channel `_reliable` offered in the join, and waits until that is open.
  static async openWithData(daemon, token, options = {}) {
    const { default: wrtc } = await import('@roamhq/wrtc');
    const peer = new wrtc.RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    const channel = peer.createDataChannel('_reliable', { ordered: true });
    const offer = await peer.createOffer();
    await peer.setLocalDescription(offer);
    const client = await RawClient.open(daemon, token, { ...options, offer: offer.sdp });
    client.peer = peer;
    client.channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.onmessage = (event) => client.#hearData(Buffer.from(event.data));
    const { answer } = await client.wait('answer');
    await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
    for (const { trickle } of client.log.filter((one) => one.kind === 'trickle'))
      await peer.addIceCandidate(JSON.parse(trickle.candidateInit));
    await until('the data channel is open', () => channel.readyState === 'open');
    return client;
  }

  #note(kind, detail) {
    this.log.push({ kind, at: performance.now(), ...detail });
    this.onMessage(kind);
  }

  #hear(data) {
    const message = SignalResponse.decode(data);
    const plain = SignalResponse.toObject(message, { enums: String, longs: Number, defaults: true, oneofs: true });
    if (plain.refreshToken) secretToken('a refreshed token', plain.refreshToken);
    for (const [, password] of (plain.answer?.sdp ?? '').matchAll(/^a=ice-pwd:(\S+)/gm)) secret('an ICE password', password);
    this.#note(plain.message, { [plain.message]: plain[plain.message] });
  }

  #hearData(bytes) { this.#note('data', readDataPacket(bytes)); }

  send(request) { this.socket.send(SignalRequest.encode(SignalRequest.fromObject(request)).finish()); }

  // A reliable message of this user to all others, over the data channel.
  sendData(topic, text) { this.channel.send(dataPacket(topic, text)); }

  // The data messages under `topic`, payloads as text.
  data(topic) { return this.log.filter((one) => one.kind === 'data' && one.topic === topic); }

  seen(kind) { return this.log.find((one) => one.kind === kind); }

  wait(kind, ms = 15000) {
    return until(`the raw client gets ${kind}`, () => {
      const found = this.seen(kind);
      if (!found && this.seen('close')) throw new Error(`closed: ${JSON.stringify(this.log.slice(-4))}`);
      return found;
    }, ms, 5);
  }

  get sid() { return this.seen('join')?.join.participant.sid; }
  get roomSid() { return this.seen('join')?.join.room.sid; }

  // Throws unless the room's dismissal was told: the leave, then 4011.
  async expectDismissed(ms = 15000) {
    const { leave } = await this.wait('leave', ms);
    await this.wait('close', ms);
    const close = this.seen('close');
    if (leave.reason !== 'ROOM_DELETED' || leave.action !== 'DISCONNECT' || close.code !== 4011)
      throw new Error(`not told of a dismissal: ${JSON.stringify({ leave, close })}`);
  }

  stop() {
    this.peer?.close();
    this.socket.terminate();
  }
}

// A TCP client that completes the upgrade and then reads nothing, ever.  `socket` is for the test to destroy.
export async function openDeaf(daemon, token) {
  const { hostname, port } = new URL(daemon.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(`GET ${joinPathOf(token)} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
    + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhpcyBpcyBhIG5vbmNlIQ==\r\n\r\n');
  const head = await new Promise((resolve) => socket.once('data', (data) => { socket.pause(); resolve(String(data)); }));
  if (!head.startsWith('HTTP/1.1 101')) throw new Error(`no upgrade: ${head.slice(0, 200)}`);
  return { socket };
}
