#!/usr/bin/env node
// Draws what the benchmarks left in build/bench as bench/plots/*.svg, with gnuplot.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, 'plots');
mkdirSync(out, { recursive: true });
const read = (name) => {
  const file = join(here, `../build/bench/${name}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
};

function draw(name, title, script) {
  const text = `set terminal svg size 760,420 background "white" font "sans,12"
set output ${JSON.stringify(join(out, `${name}.svg`))}
set title ${JSON.stringify(title)}
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
${script}`;
  const { status, stderr } = spawnSync('gnuplot', [], { input: text, encoding: 'utf8' });
  if (status !== 0) throw new Error(`gnuplot: ${stderr}`);
  console.log(`bench/plots/${name}.svg`);
}
const data = (name, rows) => `$${name} << END\n${rows.map((row) => row.map((cell) => (typeof cell === 'string' ? JSON.stringify(cell) : cell ?? '?')).join(' ')).join('\n')}\nEND\n`;

const forwarding = read('forwarding');
if (forwarding) draw('forwarding', 'CPU seconds of the server for a million forwarded packets', `${data('rows', forwarding.rows.map((row) => [row.name, row.atrium, row.janus, row.bare]))}
set style data histogram
set style histogram cluster gap 1
set style fill solid
set xtics rotate by -30
set yrange [0:*]
plot $rows using 2:xtic(1) title "Atrium", "" using 3 title "Janus VideoRoom", "" using 4 title "bare limit"`);

const dismissal = read('dismissal');
if (dismissal) {
  const series = (mode) => dismissal.rows.filter(({ name }) => name.startsWith('Atrium') && name.endsWith(mode))
    .map((row) => [row.users, row.cut.p99, row.notice.p99, row.answer.p99]);
  draw('dismissal', 'A dismissal, p99 from the accepted call (ms)', `${data('quiet', series('quiet'))}${data('busy', series('one video to all'))}
set logscale xy
set xlabel "users in the room"
set key outside right
plot $quiet using 1:2 with linespoints title "media cut, quiet", "" using 1:3 with linespoints title "last notice, quiet", "" using 1:4 with linespoints title "answer, quiet", \\
  $busy using 1:2 with linespoints title "media cut, video", "" using 1:3 with linespoints title "last notice, video", "" using 1:4 with linespoints title "answer, video"`);
}

const memory = read('memory');
if (memory) {
  for (const [name, points, label] of [['memory-rooms', memory.rooms, 'idle rooms'], ['memory-users', memory.idle, 'idle users'], ['memory-publishers', memory.publishing, 'publishing users']])
    draw(name, `Resident memory (MB) by ${label}`, `${data('points', points.map(({ count, bytes }) => [count, bytes / 1e6]))}
set xlabel "${label}"
set yrange [0:*]
unset key
plot $points using 1:2 with linespoints pt 7`);
}

const scaling = read('scaling');
if (scaling) draw('scaling', 'CPU seconds for a million forwarded packets', `${[1, 2].map((shards) => data(`s${shards}`, scaling.rows.filter((row) => row.shards === shards).map((row) => [row.rooms, row.per_million]))).join('')}
set logscale x
set xlabel "rooms"
set yrange [0:*]
plot $s1 using 1:2 with linespoints pt 7 title "1 shard", $s2 using 1:2 with linespoints pt 7 title "2 shards"`);
