// A client whose every step a test takes by hand: the signalling of RawClient, a peer connection that sends and receives
// sound, and a relay on the way of its packets, which says where they come from, holds them back, and counts what reaches
// the user.
import { createSocket } from 'node:dgram';
import wrtc from '@roamhq/wrtc';
import { sleep, until } from './daemon.mjs';
import { dataPacket, RawClient, readDataPacket } from './raw.mjs';

const { RTCAudioSource } = wrtc.nonstandard;

const bind = (socket, address) => new Promise((resolve, reject) => {
  socket.once('error', reject);
  socket.bind(0, address, () => resolve(socket));
});

// RFC 7983: 20…63 is DTLS, 128…191 RTP or RTCP.
const isRtp = (bytes) => bytes[0] >= 128 && bytes[0] <= 191 && !(bytes[1] >= 192 && bytes[1] <= 223);

// Between one peer connection and the media port: UDP.
export class Relay {
  static async open(source = '127.0.0.1') {
    const relay = new Relay();
    Object.assign(relay, { rtp: 0, data: 0, sent: 0, isHeld: false, client: null, server: null });
    relay.inner = await bind(createSocket('udp4'), '127.0.0.1');
    relay.inner.on('message', (bytes, from) => {
      relay.client = from;
      if (!relay.isHeld && isRtp(bytes)) relay.sent += 1;
      if (!relay.isHeld && relay.server) relay.outer.send(bytes, relay.server.port, relay.server.address);
    });
    await relay.moveTo(source);
    return relay;
  }

  get port() { return this.inner.address().port; }

  // The user's packets come from this address from now on.
  async moveTo(source) {
    const outer = await bind(createSocket('udp4'), source);
    outer.on('message', (bytes) => this.#deliver(bytes));
    this.outer?.close();
    this.outer = outer;
  }

  #deliver(bytes) {
    if (isRtp(bytes)) this.rtp += 1;
    if (bytes[0] === 23) this.data += 1; // application data: SCTP
    if (!this.isHeld && this.client) this.inner.send(bytes, this.client.port, this.client.address);
  }

  hold() { this.isHeld = true; }
  release() { this.isHeld = false; }

  close() {
    this.inner.close();
    this.outer.close();
  }
}

// An answer whose candidates lead to the relay; the relay learns where they led.
function throughRelay(sdp, relay) {
  return sdp.replace(/^(a=candidate:\S+ \d+ \S+ \d+) (\S+) (\d+)/gm, (_line, head, address, port) => {
    relay.server = { address, port: Number(port) };
    return `${head} 127.0.0.1 ${relay.port}`;
  });
}

// 10 ms of a tone at a time, as long as the client lives.
function startTone(source) {
  let phase = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < 2; i++) {
      const samples = new Int16Array(480);
      for (let k = 0; k < samples.length; k++) samples[k] = 12000 * Math.sin((2 * Math.PI * 440 * phase++) / 48000);
      source.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
    }
  }, 20);
  return () => clearInterval(timer);
}

export class MediaClient {
  // options: source (address of its packets), held (packets wait for relay.release()), publish, and those of RawClient.open.
  // `refused` is that of the upgrade.
  static async open(daemon, token, { source, held = false, publish = false, ...options } = {}) {
    const client = new MediaClient();
    Object.assign(client, { daemon, options, offers: 1, offering: Promise.resolve(), past: [], stopTone: () => {} });
    client.relay = await Relay.open(source);
    if (held) client.relay.hold();
    client.peer = new wrtc.RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    client.channel = client.peer.createDataChannel('_reliable', { ordered: true });
    client.channel.binaryType = 'arraybuffer';
    client.heardData = [];
    client.channel.onmessage = ({ data }) => client.heardData.push(readDataPacket(Buffer.from(data)));
    for (let i = 0; i < 2; i++) client.peer.addTransceiver('audio', { direction: 'recvonly' });
    client.peer.ontrack = () => {};
    await client.#dial(token, options);
    if (!client.refused) {
      await client.signal.wait('join');
      if (publish) await client.#startPublishing();
      else await client.offer();
    }
    return client;
  }

  async #dial(token, { via = this.daemon, ...options }) {
    const former = this.signal;
    this.signal = await RawClient.open(via, token, { ...options, onMessage: (kind) => this.#hear(kind) });
    if (former) this.past.push(former);
  }

  #hear(kind) {
    if (kind === 'mediaSectionsRequirement' && this.peer.signalingState !== 'closed') this.offer().catch(() => {});
  }

  get refused() { return this.signal.refused; }
  get sid() { return [this.signal, ...this.past].find((one) => one.sid)?.sid; }
  get ended() { return this.signal.seen('close'); }

  async #startPublishing() {
    this.source = new RTCAudioSource();
    const track = this.source.createTrack();
    this.signal.send({ addTrack: { cid: track.id, name: 'tone', type: 'AUDIO', source: 'MICROPHONE' } });
    const first = await until('track_published, or not allowed',
      () => this.signal.seen('trackPublished') ?? this.signal.seen('requestResponse'));
    this.mayPublish = first.kind === 'trackPublished';
    if (this.mayPublish) {
      this.peer.addTrack(track);
      this.stopTone = startTone(this.source);
    }
    await this.offer();
  }

  // One offer and its answer; one at a time.  Null: the session ended before there was an answer.
  offer(options = {}) {
    const turn = this.offering.then(() => this.#offer(options));
    this.offering = turn.catch(() => {});
    return turn;
  }

  async #offer({ relay = this.relay, ...options }) {
    const id = this.offers++;
    const description = await this.peer.createOffer(options);
    await this.peer.setLocalDescription(description);
    this.signal.send({ offer: { type: 'offer', sdp: description.sdp, id } });
    const said = await until('an answer or the end', () =>
      this.signal.log.find((one) => one.kind === 'answer' && one.answer.id === id) ?? this.ended ?? this.signal.seen('leave'));
    if (said.kind !== 'answer') return null;
    await this.peer.setRemoteDescription({ type: 'answer', sdp: throughRelay(said.answer.sdp, relay) });
    this.relay = relay;
    return said.answer;
  }

  // New credentials; through another relay where one is given.
  restartIce(relay = this.relay) { return this.offer({ iceRestart: true, relay }); }

  // The signalling is gone without a word; the peer connection stays.
  loseSignalling() { this.signal.socket.terminate(); }

  // Comes back to its session.
  resume(token, options = {}) { return this.#dial(token, { ...this.options, ...options, resume: this.sid }); }

  sendData(topic, text) { this.channel.send(dataPacket(topic, text)); }
  errors() { return this.heardData.filter((one) => one.topic === 'atrium.error').map((one) => JSON.parse(one.text).code); }

  // Sound of others arrives.
  async receives(packets = 10, ms = 15000) {
    const from = this.relay.rtp;
    await until(`${packets} packets of media arrive`, () => this.relay.rtp >= from + packets, ms);
  }

  // It has a way to the server, and what it may publish is on that way.
  async isSending(packets = 40) {
    await until('the transport is up', () => this.peer.connectionState === 'connected');
    const isNegotiated = this.peer.getTransceivers().some(({ sender, currentDirection }) => sender.track && currentDirection?.startsWith('send'));
    if (!isNegotiated) return sleep(packets * 20); // the server took no track of it
    const from = this.relay.sent;
    return until(`${packets} packets of media leave`, () => this.relay.sent >= from + packets);
  }

  // How much of media and data arrives in `ms`.
  async arrivingIn(ms) {
    const from = this.relay.rtp + this.relay.data;
    await sleep(ms);
    return this.relay.rtp + this.relay.data - from;
  }

  stop() {
    this.stopTone();
    this.peer.close();
    for (const one of [this.signal, ...this.past]) one?.stop();
    this.relay.close();
  }
}
