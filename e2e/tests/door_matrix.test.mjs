// Every door of a room against every rule that keeps somebody out, at every moment at which it can be made.  Each cell runs
// twice: with the rule nobody gets in and nothing of the room arrives any more, and without it the same steps lead in and
// media arrives.  docs/protocol/doors.md explains the table that is printed at the end.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Daemon, sleep, until } from '../lib/daemon.mjs';
import { doors, moments, Run, scopes, unreachable } from '../lib/doors.mjs';
import { RawClient } from '../lib/raw.mjs';
import { onlineUsers } from '../lib/told.mjs';

// What is on its way when an order is answered: in the sockets of this process, not in the daemon.
const SETTLE_MS = 100;
const QUIET_MS = 400;

// Cells that the daemon does not stand yet: tests marked `todo`.
const todo = {};

let daemon;
const results = new Map(); // cell → 'ok', 'FAILED', or why there is none
before(async () => { daemon = await Daemon.start({ args: ['--http-trusted-proxies', '127.0.0.0/8'] }); });
after(async () => {
  print();
  await daemon?.stop();
});

function print() {
  const width = Math.max(...Object.keys(doors).map((name) => name.length));
  const reasons = [...new Set(results.values())].filter((text) => !['ok', 'todo', 'FAILED'].includes(text));
  const sign = (door, scope, moment) => {
    const text = results.get(`${door} / ${scope} / ${moment}`) ?? 'not run';
    return reasons.includes(text) ? `(${reasons.indexOf(text) + 1})` : text;
  };
  const lines = [];
  for (const scope of Object.keys(scopes)) {
    lines.push('', `${scope.padEnd(width)}  ${moments.map((one) => one.padEnd(8)).join('')}`);
    for (const door of Object.keys(doors))
      lines.push(`  ${door.padEnd(width)}${moments.map((moment) => sign(door, scope, moment).padEnd(8)).join('')}`);
  }
  console.log([...lines, '', ...reasons.map((text, i) => `(${i + 1}) ${text}`)].join('\n'));
}

// --- with the rule

// Refused at the upgrade, or told to go.
async function expectOut(run) {
  const { client, scope } = run;
  if (client.refused) {
    const { code } = JSON.parse(client.refused.body);
    assert.equal(client.refused.status, 403);
    assert.ok(code === scope.code || (code === -1006 && scope.evicts), `refused with ${code}`);
    return;
  }
  await until('the user is told to go', () => client.ended, 15000);
  const { leave } = client.signal.seen('leave') ?? assert.fail('closed without a leave');
  assert.deepEqual([leave.reason, leave.action], ['PARTICIPANT_REMOVED', 'DISCONNECT']);
  assert.ok([4006, 3000 - scope.code].includes(client.ended.code), `closed with ${client.ended.code}`);
}

// Nothing of the room arrives, nobody is in, and the same way leads nowhere again.
async function expectOutForGood(run) {
  const { client, scope } = run;
  await sleep(SETTLE_MS);
  assert.equal(await client.arrivingIn(QUIET_MS), 0, 'something still arrives');
  assert.ok(!(await onlineUsers(daemon, run.room)).includes(run.user), 'the user is in the room');
  if (scope.kind === 'media') return; // the upgrade does not know where packets will come from
  for (let attempt = 1; ; attempt++) {
    const again = run.keep(await RawClient.open(daemon, run.limited, run.meant));
    assert.ok(again.refused, 'the same token walks in again');
    const { code } = JSON.parse(again.refused.body);
    if (code === scope.code) return;
    assert.deepEqual([code, attempt], [-1006, 1], 'a tombstone refuses once');
  }
}

async function expectUnheard(run) {
  await sleep(SETTLE_MS);
  const { rtp } = run.witness.relay;
  await sleep(QUIET_MS);
  assert.equal(run.witness.relay.rtp - rtp, 0, 'what the user publishes still arrives');
  assert.equal(run.client.ended, undefined, 'the user stays');
}

// --- without the rule

async function expectIn(run) {
  assert.equal(run.client.refused, null, JSON.stringify(run.client.refused));
  await run.isFlowing();
  assert.ok((await onlineUsers(daemon, run.room)).includes(run.user));
  assert.equal(run.client.ended, undefined);
}

async function walk(door, scope, moment, withRule) {
  const run = new Run(daemon, scopes[scope], withRule);
  try {
    await run.start();
    await doors[door][moment](run);
    if (!withRule) return await expectIn(run);
    if (run.isPublishing) return await expectUnheard(run);
    await expectOut(run);
    await expectOutForGood(run);
  } finally {
    await run.stop();
  }
}

describe('the doors', { concurrency: Number(process.env.ATRIUM_E2E_CELLS ?? 8) }, () => {
  for (const door of Object.keys(doors)) for (const scope of Object.keys(scopes)) for (const moment of moments) {
    const cell = `${door} / ${scope} / ${moment}`;
    const why = unreachable(door, scope, moment);
    if (why) {
      results.set(cell, why);
      continue;
    }
    test(cell, { todo: todo[cell] ?? false }, async () => {
      results.set(cell, todo[cell] ? 'todo' : 'FAILED');
      const both = await Promise.allSettled([walk(door, scope, moment, true), walk(door, scope, moment, false)]);
      for (const [i, { status, reason }] of both.entries())
        if (status === 'rejected') throw new Error(`${i === 0 ? 'with' : 'without'} the rule: ${reason.message}`, { cause: reason });
      results.set(cell, 'ok');
    });
  }
});
