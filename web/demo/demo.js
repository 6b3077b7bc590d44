// The demo call: two tabs of this page talk through Atrium; a DismissRoom ends it and the page says so.
const { Room, RoomEvent, DisconnectReason, Track } = window.LivekitClient;
const byId = (id) => document.getElementById(id);
const form = byId('join');
let room = null;
let notice = null; // what atrium.error told us, if anything

form.user.value = `user-${Math.floor(Math.random() * 9000 + 1000)}`;
const query = new URLSearchParams(location.search);
for (const name of ['room', 'user']) if (query.get(name)) form[name].value = query.get(name);

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const encode = (text) => new TextEncoder().encode(text);

async function mintToken({ key, secret, room: name, user }) {
  const seconds = Math.floor(Date.now() / 1000);
  const part = (object) => base64url(encode(JSON.stringify(object)));
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({
    iss: key, sub: user, nbf: seconds - 10, exp: seconds + 6 * 3600,
    video: { room: name, roomJoin: true, canPublish: true, canSubscribe: true, canPublishData: true },
  })}`;
  const hmac = await crypto.subtle.importKey('raw', encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return `${body}.${base64url(await crypto.subtle.sign('HMAC', hmac, encode(body)))}`;
}

function setState(state, text) {
  byId('state').dataset.state = state;
  byId('state').textContent = text;
  const inRoom = state === 'connected' || state === 'connecting';
  byId('leave').disabled = !inRoom;
  form.querySelector('button[type=submit]').disabled = inRoom;
  for (const element of byId('chat').elements) element.disabled = state !== 'connected';
}

function log(text) {
  const line = document.createElement('li');
  line.textContent = `${new Date().toLocaleTimeString()}  ${text}`;
  byId('log').prepend(line);
  while (byId('log').children.length > 200) byId('log').lastChild.remove();
}

function figureOf(identity) {
  const id = `p-${encodeURIComponent(identity)}`;
  let figure = byId(id);
  if (!figure) {
    figure = document.createElement('figure');
    figure.id = id;
    const caption = document.createElement('figcaption');
    caption.textContent = identity;
    figure.append(caption);
    byId('people').append(figure);
  }
  return figure;
}

function attach(track, identity) {
  const figure = figureOf(identity);
  const element = track.attach();
  if (track.kind === Track.Kind.Video) {
    figure.querySelector('video')?.remove();
    figure.prepend(element);
  } else {
    figure.append(element);
  }
}

function showNotice(title, detail) {
  byId('notice').replaceChildren();
  const strong = document.createElement('strong');
  strong.textContent = title;
  const text = document.createElement('div');
  text.textContent = detail;
  byId('notice').append(strong, text);
  byId('notice').hidden = false;
}

function onData(payload, participant, _kind, topic) {
  const text = new TextDecoder().decode(payload);
  if (topic === 'atrium.error' && !participant) {
    notice = JSON.parse(text);
    log(`server: ${notice.name} (${notice.code})`);
    return;
  }
  log(`${participant?.identity ?? 'server'}: ${text}`);
}

function onEnded(reason) {
  byId('people').replaceChildren();
  setState('ended', `Ended: ${DisconnectReason[reason] ?? 'unknown reason'}`);
  if (reason === DisconnectReason.CLIENT_INITIATED) {
    setState('idle', 'Not in a room');
  } else if (notice) {
    showNotice(`${notice.name} (${notice.code})`, `${notice.message} ${notice.operationId ? `Operation ${notice.operationId}.` : ''}`);
  } else {
    showNotice(`The call ended: ${DisconnectReason[reason] ?? 'connection lost'}`, 'No further detail was received.');
  }
  room = null;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  notice = null;
  byId('notice').hidden = true;
  const wanted = Object.fromEntries(new FormData(form));
  setState('connecting', 'Joining…');
  room = new Room({ adaptiveStream: false, dynacast: false });
  room
    .on(RoomEvent.TrackSubscribed, (track, _publication, participant) => attach(track, participant.identity))
    .on(RoomEvent.TrackUnsubscribed, (track) => track.detach().forEach((element) => element.remove()))
    .on(RoomEvent.LocalTrackPublished, (publication) => {
      if (publication.track?.kind === Track.Kind.Video) attach(publication.track, room.localParticipant.identity);
    })
    .on(RoomEvent.ParticipantConnected, (participant) => { figureOf(participant.identity); log(`${participant.identity} joined`); })
    .on(RoomEvent.ParticipantDisconnected, (participant) => { figureOf(participant.identity).remove(); log(`${participant.identity} left`); })
    .on(RoomEvent.DataReceived, onData)
    .on(RoomEvent.Reconnecting, () => setState('connecting', 'Reconnecting…'))
    .on(RoomEvent.Reconnected, () => setState('connected', `In ${room.name}`))
    .on(RoomEvent.Disconnected, onEnded);
  try {
    await room.connect(location.origin.replace(/^http/, 'ws'), await mintToken(wanted));
    setState('connected', `In ${room.name}`);
    figureOf(room.localParticipant.identity);
    for (const participant of room.remoteParticipants.values()) figureOf(participant.identity);
    if (wanted.media) {
      await room.localParticipant.setMicrophoneEnabled(true);
      await room.localParticipant.setCameraEnabled(true);
    }
  } catch (error) {
    if (room) {
      setState('ended', 'Could not join');
      showNotice('Could not join', String(error.message ?? error));
    }
  }
});

byId('leave').addEventListener('click', () => room?.disconnect());
byId('chat').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = event.target.text.value.trim();
  if (!text || !room) return;
  await room.localParticipant.publishData(encode(text), { reliable: true, topic: 'chat' });
  log(`me: ${text}`);
  event.target.text.value = '';
});
window.atriumDemo = () => room;
