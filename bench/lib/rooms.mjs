// Rooms without users, made by LiveKit's RoomService.
import { request } from 'node:http';
import { dev } from '../../e2e/lib/daemon.mjs';
import { createHmac } from 'node:crypto';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const head = part({ alg: 'HS256', typ: 'JWT' });
function token() {
  const body = `${head}.${part({ iss: dev.apiKey, exp: Math.floor(Date.now() / 1000) + 3600, video: { roomCreate: true, roomAdmin: true } })}`;
  return `${body}.${createHmac('sha256', dev.apiSecret).update(body).digest('base64url')}`;
}

// It stands empty for `seconds`.
export function createRoom(daemon, name, { agent, seconds = 3000 } = {}) {
  const body = JSON.stringify({ name, empty_timeout: seconds, departure_timeout: seconds });
  return new Promise((resolve, reject) => {
    const sent = request(`${daemon.url}/twirp/livekit.RoomService/CreateRoom`, { method: 'POST', agent,
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token()}`, 'Content-Length': Buffer.byteLength(body) } }, (answer) => {
      let text = '';
      answer.on('data', (data) => { text += data; });
      answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`CreateRoom: ${answer.statusCode} ${text}`))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
