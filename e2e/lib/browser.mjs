// Chromium pages that join rooms with the unmodified livekit-client, with their WebSockets watched.
import { chromium } from 'playwright-core';
import { secretsOfRequest } from './canary.mjs';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
  '--allow-loopback-in-peer-connection', '--autoplay-policy=no-user-gesture-required',
  '--disable-features=WebRtcHideLocalIpsWithMdns'];

export function launch(more = []) {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: [...flags, ...more] });
}

// Runs before the page's own scripts: every WebSocket is recorded with its close, and peer connections are kept for
// getStats.
function watch() {
  window.sockets = [];
  window.peers = [];
  window.liveSockets = []; // the sockets themselves, for a test to close
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...args) {
      super(...args);
      const record = { url: String(args[0]), opened: false, messages: [], close: null };
      window.sockets.push(record);
      window.liveSockets.push(this);
      this.addEventListener('open', () => { record.opened = true; });
      this.addEventListener('message', (event) => record.messages.push({ at: performance.now(), size: event.data.byteLength ?? event.data.size }));
      this.addEventListener('close', (event) => { record.close = { code: event.code, at: performance.now() }; });
    }
  };
  const NativePeer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends NativePeer {
    constructor(...args) { super(...args); window.peers.push(this); }
  };
}

// A page of the daemon's own origin with livekit-client loaded and nothing joined.
export async function openPage(browser, daemon) {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  page.lines = [];
  page.on('console', (message) => page.lines.push(message.text()));
  page.on('pageerror', (error) => page.lines.push(`pageerror: ${error.stack}`));
  page.on('websocket', (socket) => secretsOfRequest(socket.url()));
  page.on('request', (request) => secretsOfRequest(request.url()));
  await page.addInitScript(watch);
  await page.goto(`${daemon.url}/demo/`);
  return page;
}

// Joins; publishes microphone and camera when asked; records events in window.events.
export async function join(page, daemon, token, { publish = true, url = daemon.ws, connect = {} } = {}) {
  await page.evaluate(async ({ url, token, publish, connect }) => {
    const { Room, RoomEvent, DisconnectReason } = window.LivekitClient;
    const room = new Room({ adaptiveStream: false, dynacast: false });
    window.room = room;
    window.events = [];
    window.data = [];
    const note = (name, detail) => window.events.push({ name, at: performance.now(), ...detail });
    room.on(RoomEvent.Disconnected, (reason) => note('disconnected', { reason: DisconnectReason[reason] ?? null }));
    room.on(RoomEvent.Reconnecting, () => note('reconnecting'));
    room.on(RoomEvent.SignalReconnecting, () => note('signalReconnecting'));
    room.on(RoomEvent.Reconnected, () => note('reconnected'));
    room.on(RoomEvent.ParticipantConnected, (p) => note('participantConnected', { identity: p.identity }));
    room.on(RoomEvent.ParticipantDisconnected, (p) => note('participantDisconnected', { identity: p.identity }));
    room.on(RoomEvent.LocalTrackSubscribed, () => note('localTrackSubscribed'));
    room.on(RoomEvent.TrackSubscribed, (track, _pub, p) => {
      note('trackSubscribed', { kind: track.kind, identity: p.identity });
      const element = track.attach();
      element.muted = track.kind === 'audio' ? false : true;
      document.body.append(element);
    });
    room.on(RoomEvent.DataReceived, (payload, p, _kind, topic) => {
      const text = new TextDecoder().decode(payload);
      window.data.push({ at: performance.now(), from: p?.identity ?? null, topic, text });
      note('data', { from: p?.identity ?? null, topic, text });
    });
    await room.connect(url, token, connect);
    if (publish) {
      await room.localParticipant.setMicrophoneEnabled(true);
      await room.localParticipant.setCameraEnabled(true, {}, publish.camera ?? {});
    }
  }, { url, token, publish, connect });
}

// An energy that only sound has: comfort noise comes to 1e-9 a second, Chromium's beeps and rtc-node's tone to 0.05 and more.
export const SOUND = 1e-3;

// What arrives, of all remote tracks together.
export function received(page) {
  return page.evaluate(async () => {
    const result = { frames: 0, energy: 0, samples: 0, audioTracks: 0, videoTracks: 0, packets: 0, nacks: 0, keyFrames: 0 };
    for (const peer of window.peers) {
      if (peer.connectionState === 'closed') continue;
      for (const report of (await peer.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        result.packets += report.packetsReceived;
        if (report.kind === 'video') {
          result.videoTracks += 1;
          result.frames += report.framesDecoded ?? 0;
          result.nacks += report.nackCount ?? 0;
          result.keyFrames += report.keyFramesDecoded ?? 0;
        } else {
          result.audioTracks += 1;
          result.energy += report.totalAudioEnergy ?? 0;
          result.samples += report.totalSamplesReceived ?? 0;
        }
      }
    }
    return result;
  });
}

// What arrives of each remote track: { identity, kind, frames (decoded), energy }; also of those of which nothing arrives.
export function receivedByTrack(page) {
  return page.evaluate(async () => {
    const inbound = new Map();
    for (const peer of window.peers)
      for (const report of (await peer.getStats()).values())
        if (report.type === 'inbound-rtp') inbound.set(report.trackIdentifier, report);
    return [...window.room.remoteParticipants.values()].flatMap(({ identity, trackPublications }) =>
      [...trackPublications.values()].map(({ kind, track }) => {
        const report = inbound.get(track?.mediaStreamTrack.id);
        return { identity, kind, frames: report?.framesDecoded ?? 0, energy: report?.totalAudioEnergy ?? 0 };
      }));
  });
}

export const events = (page, name) => page.evaluate((wanted) => window.events.filter((e) => e.name === wanted), name);
export const sockets = (page) => page.evaluate(() => window.sockets);
