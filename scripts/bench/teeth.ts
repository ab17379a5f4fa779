/**
 * How steady the teeth of videos are: their number, place and light from one frame to the next, in the skull's own axes, while the mouth
 * is open by nearly the same. Films of people, among them, say what a camera and the landmarks add.
 *
 *   node --import=tsx scripts/bench/teeth.ts VIDEO … [--output scripts/results/teeth.md]
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { deviation, mean } from '../../src/metrics/series.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { FaceTracker } from '../../src/tracking/face-tracker.ts';
import { formatNumber, markdownTable } from '../lib/markdown-table.ts';
import { countTeeth, lightOfTeeth, type Teeth, teethOf, teethShift } from '../lib/teeth.ts';
import { writeReport } from '../lib/write-report.ts';

/** Teeth are looked at in mouths that are open by this at least, in cm, and compared where openings differ by no more than that. */
const OPEN = 0.45;
const ALIKE = 0.15;

const { values, positionals: videos } = parseArgs({
  allowPositionals: true,
  options: { output: { type: 'string' } },
});
if (videos.length === 0) {
  console.error('usage: teeth.ts VIDEO … [--output OUT.md]');
  process.exit(2);
}
const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));

async function measure(video: string): Promise<string[]> {
  const tracker = new FaceTracker(finder);
  let rest: Float64Array | undefined;
  let last: Teeth | undefined;
  const [shifts, lights, counts, changes, levels]: number[][] = [[], [], [], [], []];
  for await (const frame of readFrames(video, { ffmpeg })) {
    const found = await tracker.next(frame);
    if (found === undefined) {
      last = undefined;
      continue;
    }
    const points = Float64Array.from({ length: 936 }, (_, i) => found.landmarks[3 * (i >> 1) + (i & 1)]!);
    rest ??= points;
    const teeth = teethOf(frame, points, rest);
    if (teeth.opening < OPEN || !teeth.shown) {
      last = undefined;
      continue;
    }
    counts!.push(countTeeth(teeth));
    levels!.push(lightOfTeeth(teeth));
    if (last !== undefined && Math.abs(teeth.opening - last.opening) < ALIKE) {
      shifts!.push(teethShift(last, teeth));
      lights!.push(Math.abs(lightOfTeeth(teeth) / lightOfTeeth(last) - 1));
      changes!.push(Math.abs(counts!.at(-1)! - counts!.at(-2)!));
    }
    last = teeth;
  }
  const size = (list: number[]): number => Math.sqrt(mean(list.map((value) => value ** 2)));
  return [
    path.basename(video, path.extname(video)),
    String(shifts!.length),
    formatNumber(mean(counts!), 1),
    formatNumber(deviation(counts!), 1),
    formatNumber(mean(changes!), 2),
    formatNumber(size(shifts!), 2),
    formatNumber(100 * mean(lights!), 1),
    formatNumber((100 * deviation(levels!)) / mean(levels!), 1),
  ];
}

const rows: string[][] = [];
try {
  for (const video of videos) {
    rows.push(await measure(video));
    console.error(rows.at(-1)!.join('  '));
  }
} finally {
  await finder.dispose();
  await engine.dispose();
}
await writeReport(values.output, [
  '# Steadiness of teeth',
  '',
  `Upper teeth in the axes of the skull, a strip beneath the upper lip, in mouths that are open by ${OPEN} cm or more and show teeth over`,
  `all of the strip; pairs of frames whose openings differ by less than ${ALIKE} cm. Teeth: bright places with gaps beside them, their mean number, its`,
  'deviation, and how many come or go from frame to frame; shift: root mean square to the side; light: mean change, and its deviation over all frames.',
  'Films of people have what their camera and the landmarks add.',
  '',
  markdownTable(
    ['video', 'pairs', 'teeth', 'deviation', 'come or go', 'shift, mm', 'light, %', 'its spread, %'],
    rows,
  ),
]);
