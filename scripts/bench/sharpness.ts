/**
 * How sharp eyes and mouths of clips are against their portraits: people that no training step has seen, with faces of several
 * sizes, their frames as PNGs so that no encoder takes part. Portraits whose face is smaller are left out: enlarged ones have no
 * detail to keep.
 *
 *   node --import=tsx scripts/bench/sharpness.ts --data FOLDER [--people 20] [--sizes 250,500,1000] [--audio FILE]
 *       [--every 5] [--threads N] [--output scripts/results/sharpness.md]
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { boxOf } from '../../src/face/portrait-face.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { resizeImage } from '../../src/image/resize.ts';
import { animate } from '../../src/pipeline/animate.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { listPortraits } from '../lib/held-out.ts';
import { FEATURE_NAMES, type Feature, sharpnessOf } from '../lib/sharpness.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    people: { type: 'string', default: '20' },
    sizes: { type: 'string', default: '250,500,1000' },
    audio: { type: 'string', default: 'assets/speech/short.wav' },
    every: { type: 'string', default: '5' },
    threads: { type: 'string' },
    output: { type: 'string' },
  },
});
const { data, audio } = values;
if (data === undefined) {
  console.error(
    'usage: sharpness.ts --data FOLDER [--people 20] [--sizes 250,500,1000] [--audio FILE] [--output OUT.md]',
  );
  process.exit(2);
}
const every = Number(values.every);
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const folder = await mkdtemp(path.join(tmpdir(), 'sharpness-'));

/** Ratios of frames to their portrait. */
const ratios = new Map<string, number[]>();
const keyOf = (size: number, feature: Feature): string => `${size} ${feature}`;

/** Renders a portrait with a face of `size` pixels; false if its own face is smaller. */
async function measure(file: string, size: number): Promise<boolean> {
  const original = await loadImage(file);
  const [found] = await finder.find(original);
  if (found === undefined) return false;
  const { size: own } = boxOf(found.landmarks);
  if (own < 0.95 * size) return false;
  const scale = Math.min(1, size / own);
  const image = resizeImage(
    original,
    2 * Math.round((original.width * scale) / 2),
    2 * Math.round((original.height * scale) / 2),
    'lanczos',
  );
  const portrait = path.join(folder, 'portrait.png');
  await saveImage(portrait, image);
  const output = `${path.join(folder, 'frames')}${path.sep}`;
  const threads = values.threads === undefined ? {} : { threads: Number(values.threads) };
  await animate({ portrait, audio, output, overwrite: true, ...threads });
  const rest = (await finder.find(image))[0]!.landmarks;
  const names = (await readdir(output)).sort().filter((_, i) => i % every === 0);
  for (const name of names) {
    const frame = await loadImage(path.join(output, name));
    const face = (await finder.find(frame))[0];
    if (face === undefined) continue;
    for (const feature of FEATURE_NAMES) {
      const key = keyOf(size, feature);
      const ratio = sharpnessOf(frame, face.landmarks, feature) / sharpnessOf(image, rest, feature);
      ratios.set(key, [...(ratios.get(key) ?? []), ratio]);
    }
  }
  return true;
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;
const rows: string[] = [];
try {
  const portraits = await listPortraits(data, 'test', Number(values.people));
  for (const size of values.sizes.split(',').map(Number)) {
    let people = 0;
    for (const file of portraits) if (await measure(file, size)) people++;
    const cells = FEATURE_NAMES.map((feature) => {
      const list = ratios.get(keyOf(size, feature)) ?? [];
      if (list.length === 0) return '';
      return `${median(list).toFixed(2)} (${Math.min(...list).toFixed(2)} to ${Math.max(...list).toFixed(2)})`;
    });
    rows.push(`| ${size} | ${people} | ${cells.join(' | ')} |`);
    console.log(rows.at(-1));
  }
} finally {
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
}
await writeReport(values.output, [
  '# Sharpness of eyes and mouth',
  '',
  'Energy in the upper half of the frequencies inside the boxes of eyes and mouth, of frames against their portrait: median, least',
  'and greatest. 1 is as sharp as the photo. A size without people has none whose face is so large.',
  '',
  `| face, px | people | ${FEATURE_NAMES.join(' | ')} |`,
  `| ---: | ---: | ${FEATURE_NAMES.map(() => '---:').join(' | ')} |`,
  ...rows,
]);
