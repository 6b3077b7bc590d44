// One @livekit/rtc-node participant in a process of its own (a bad message aborts the native SDK's process: the
// parent must see
// that as an exit, not die of it).  Commands come as JSON lines on stdin; events go out as JSON lines on stdout.
import { createInterface } from 'node:readline';
import {
  AudioFrame, AudioSource, AudioStream, DisconnectReason, LocalAudioTrack, LocalVideoTrack, Room, RoomEvent, TrackKind,
  TrackPublishOptions, TrackSource, VideoBufferType, VideoFrame, VideoSource, VideoStream, dispose,
} from '@livekit/rtc-node';

const say = (event, detail = {}) => process.stdout.write(`${JSON.stringify({ event, at: Date.now(), ...detail })}\n`);
const counts = []; // of each track subscribed to: { identity, kind, frames, energy, samples }
let room = null;
let stopped = false;

async function countAudio(track, count) {
  for await (const frame of new AudioStream(track)) {
    for (const sample of frame.data) count.energy += (sample / 32768) ** 2 / frame.sampleRate; // as totalAudioEnergy of getStats
    count.samples += frame.data.length;
  }
}
async function countVideo(track, count) {
  for await (const _ of new VideoStream(track)) count.frames += 1;
}
const sum = (field) => counts.reduce((total, count) => total + count[field], 0);

function watch() {
  room
    .on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
      const count = { identity: participant.identity, kind: track.kind === TrackKind.KIND_AUDIO ? 'audio' : 'video', frames: 0, energy: 0, samples: 0 };
      counts.push(count);
      say('trackSubscribed', { kind: count.kind, identity: count.identity });
      (count.kind === 'audio' ? countAudio(track, count) : countVideo(track, count)).catch(() => {});
    })
    .on(RoomEvent.DataReceived, (payload, participant, _kind, topic) =>
      say('data', { text: new TextDecoder().decode(payload), base64: Buffer.from(payload).toString('base64'), from: participant?.identity ?? null, topic: topic ?? null }))
    .on(RoomEvent.ParticipantConnected, (p) => say('participantConnected', { identity: p.identity }))
    .on(RoomEvent.ParticipantDisconnected, (p) => say('participantDisconnected', { identity: p.identity }))
    .on(RoomEvent.Reconnecting, () => say('reconnecting'))
    .on(RoomEvent.Reconnected, () => say('reconnected'))
    .on(RoomEvent.Disconnected, (reason) => say('disconnected', { reason, name: DisconnectReason[reason] ?? null }));
}

// A 440 Hz tone and a moving grey picture, until the room ends.
async function publish() {
  const audio = new AudioSource(48000, 1);
  const tone = LocalAudioTrack.createAudioTrack('tone', audio);
  await room.localParticipant.publishTrack(tone, new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE }));
  const video = new VideoSource(320, 240);
  const picture = LocalVideoTrack.createVideoTrack('picture', video);
  await room.localParticipant.publishTrack(picture, new TrackPublishOptions({ source: TrackSource.SOURCE_CAMERA, simulcast: false }));
  let phase = 0;
  (async () => {
    while (!stopped) {
      const samples = new Int16Array(480);
      for (let i = 0; i < samples.length; i++) samples[i] = 12000 * Math.sin((2 * Math.PI * 440 * phase++) / 48000);
      await audio.captureFrame(new AudioFrame(samples, 48000, 1, samples.length));
    }
  })().catch(() => {});
  let shade = 0;
  const timer = setInterval(() => {
    if (stopped) return clearInterval(timer);
    const pixels = new Uint8Array(320 * 240 * 3 / 2).fill(shade = (shade + 7) % 256);
    video.captureFrame(new VideoFrame(pixels, 320, 240, VideoBufferType.I420));
  }, 66);
  say('published');
}

const commands = {
  async join({ url, token, publish: wanted }) {
    room = new Room();
    watch();
    await room.connect(url, token, { autoSubscribe: true, dynacast: false });
    say('joined', { sid: await room.getSid?.() ?? null });
    if (wanted) await publish();
  },
  async send({ text, topic, reliable = true, to }) {
    await room.localParticipant.publishData(new TextEncoder().encode(text), { reliable, topic, destination_identities: to });
    say('sent');
  },
  counts() { say('counts', { tracks: counts, frames: sum('frames'), energy: sum('energy'), remote: room ? [...room.remoteParticipants.keys()] : [] }); },
  async leave() {
    stopped = true;
    await room?.disconnect();
    await dispose();
    process.exit(0);
  },
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { command, ...rest } = JSON.parse(line);
  try {
    await commands[command](rest);
  } catch (error) {
    say('failed', { command, message: String(error?.message ?? error) });
  }
}).on('close', () => process.exit(0));
say('ready');
