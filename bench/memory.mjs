#!/usr/bin/env node
// Resident memory of the server for each room, idle user and publishing user, and with 100,000 idle rooms
// (bench/README.md).
import { spawn } from 'node:child_process';
import { Agent } from 'node:http';
import { Daemon, binary, sleep, until } from '../e2e/lib/daemon.mjs';
import { createRoom } from './lib/rooms.mjs';
import { keep, options, residentBytes, round, say, table } from './lib/tools.mjs';

const usage = `bench/memory.mjs [--rooms N] [--users N]
  --rooms  idle rooms (default 100000)
  --users  idle users, and half as many publishers (default 1000)`;
const wanted = options({ rooms: 100000, users: 1000 }, usage);
const quotas = ['--quota', 'messages=1000000'];

async function settled(pid) {
  let last = 0;
  for (;;) {
    await sleep(1500);
    const now = residentBytes(pid);
    if (Math.abs(now - last) < 1e6) return now;
    last = now;
  }
}

const rooms = [];
{
  const daemon = await Daemon.start({ shards: 1, args: quotas });
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  try {
    rooms.push({ count: 0, bytes: await settled(daemon.pid) });
    const step = Math.max(1, Math.floor(wanted.rooms / 5));
    for (let made = 0; made < wanted.rooms;) {
      const until_ = Math.min(made + step, wanted.rooms);
      while (made < until_) {
        const batch = Math.min(32, until_ - made);
        await Promise.all(Array.from({ length: batch }, (_, i) => createRoom(daemon, `idle-${made + i}`, { agent })));
        made += batch;
      }
      rooms.push({ count: made, bytes: await settled(daemon.pid) });
      say(`${made} rooms: ${round(rooms.at(-1).bytes / 1e6)} MB`);
    }
  } finally { agent.destroy(); await daemon.stop(); }
}

async function users(count, publishes) {
  const daemon = await Daemon.start({ shards: 1 });
  const points = [{ count: 0, bytes: await settled(daemon.pid) }];
  const children = [];
  try {
    for (let step = 0; step < 4; step += 1) {
      const clients = Math.floor(count / 4);
      // Rooms of ten; a publisher sends audio and nobody else is there to receive it but the nine.
      children.push(spawn(binary('atriumload'), [publishes ? 'audio-rooms' : 'one-to-many', '-q', ...(publishes ? [] : ['--media', 'none']), '--dev', '--url', daemon.ws, '--rooms', String(Math.ceil(clients / 10)),
        '--clients', '10', '--room-prefix', `step${step}`, '--duration', '600', '--verify-every', '1000'], { stdio: 'ignore' }));
      const target = (step + 1) * Math.ceil(clients / 10) * 10;
      await until('all are in', async () => (await daemon.metrics()).get('atrium_users') >= target, 120000, 200);
      points.push({ count: target, bytes: await settled(daemon.pid) });
      say(`${target} ${publishes ? 'publishing' : 'idle'} users: ${round(points.at(-1).bytes / 1e6)} MB`);
    }
  } finally {
    const ended = children.map((child) => new Promise((resolve) => { child.once('exit', resolve); child.kill('SIGINT'); }));
    await Promise.all(ended);
    await daemon.stop();
  }
  return points;
}
const idle = await users(wanted.users, false);
const publishing = await users(Math.floor(wanted.users / 5), true);

// Least squares through all points; r2 says how straight the line is.
function line(points) {
  const n = points.length, sum = (f) => points.reduce((total, point) => total + f(point), 0);
  const x = sum(({ count }) => count) / n, y = sum(({ bytes }) => bytes) / n;
  const sxx = sum(({ count }) => (count - x) ** 2), sxy = sum(({ count, bytes }) => (count - x) * (bytes - y)), syy = sum(({ bytes }) => (bytes - y) ** 2);
  return { bytes_each: Math.round(sxy / sxx), r2: round((sxy * sxy) / (sxx * syy), 4) };
}
const lines = { room: line(rooms), idle_user: line(idle), publishing_user: line(publishing) };
console.log(table(['one', 'bytes', 'r²', 'points'], Object.entries(lines).map(([name, { bytes_each, r2 }]) =>
  [name, bytes_each, r2, { room: rooms, idle_user: idle, publishing_user: publishing }[name].map(({ count, bytes }) => `${count}: ${round(bytes / 1e6, 1)} MB`).join(', ')])));
const bars = Object.entries(lines).map(([name, { r2 }]) => ({ what: `${name}: growth is linear, r²`, value: r2, bar: 0.98, holds: r2 >= 0.98 }));
for (const one of bars) console.log(`${one.holds ? 'holds ' : 'MISSED'} ${one.what}: ${one.value} (bar ${one.bar})`);
keep('memory', { settings: wanted, rooms, idle, publishing, lines, bars });
