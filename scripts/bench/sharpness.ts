/**
 * How sharp eyes and mouths of clips are against their portraits: people that no training step has seen, with faces of several
 * sizes. A portrait whose face is smaller is enlarged and gets grain as of a camera's sensor, for enlarged ones have no fine detail
 * to keep. Frames are taken before an encoder sees them: of the warp alone, or with `--whole` with what the networks add.
 *
 *   node --import=tsx scripts/bench/sharpness.ts --data FOLDER [--people 20] [--sizes 250,500,1000] [--audio FILE]
 *       [--every 5] [--whole] [--threads N] [--output scripts/results/sharpness.md]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { boxOf } from '../../src/face/portrait-face.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { resizeImage } from '../../src/image/resize.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { MAX_VIDEO_SIDE, type Scene } from '../../src/scene/scene.ts';
import { RandomStream } from '../../src/tensor/random.ts';
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
    whole: { type: 'boolean', default: false },
    threads: { type: 'string' },
    output: { type: 'string' },
  },
});
const { data, audio } = values;
if (data === undefined) {
  console.error(
    'usage: sharpness.ts --data FOLDER [--people 20] [--sizes 250,500,1000] [--audio FILE] [--whole] [--output OUT.md]',
  );
  process.exit(2);
}
const every = Number(values.every);
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const folder = await mkdtemp(path.join(tmpdir(), 'sharpness-'));

const studio = new Studio({ device: 'cpu', ...(values.threads && { threads: Number(values.threads) }) });

/** Ratios of frames to their portrait. */
const ratios = new Map<string, number[]>();
const keyOf = (size: number, feature: Feature): string => `${size} ${feature}`;
/** Standard deviation of a portrait's grain, in levels. */
const GRAIN = 4;

/** The picture with its face `scale` times as large. */
function scaled(original: RgbImage, scale: number): RgbImage {
  const even = (length: number): number => 2 * Math.round((length * scale) / 2);
  const image = resizeImage(original, even(original.width), even(original.height), 'lanczos');
  if (scale <= 1.05) return image;
  const random = new RandomStream([7]);
  const data = new Uint8ClampedArray(image.data);
  for (let i = 0; i < data.length; i += 3) {
    const grain = GRAIN * random.normal();
    for (let c = 0; c < 3; c++) data[i + c]! += Math.round(grain);
  }
  return { ...image, data: new Uint8Array(data.buffer) };
}

/** Measures the clip of a portrait with a face of `size` pixels; false if it has no face, or is too large for a video then. */
async function measure(file: string, size: number): Promise<boolean> {
  const original = await loadImage(file);
  const [found] = await finder.find(original);
  if (found === undefined) return false;
  const scale = size / boxOf(found.landmarks).size;
  if (scale * Math.max(original.width, original.height) > MAX_VIDEO_SIDE) return false;
  const image = scaled(original, scale);
  const portrait = path.join(folder, 'portrait.png');
  await saveImage(portrait, image);
  const clip = await studio.prepare({
    portrait,
    audio,
    output: path.join(folder, 'clip.mp4'),
    overwrite: true,
  });
  try {
    const { scene, job } = clip;
    const rest = found.landmarks.map((value) => value * scale);
    const look = async (frame: number, picture: RgbImage): Promise<void> => {
      const { landmarks } = await scene.drivenFace(frame);
      const threefold = Float64Array.from({ length: (landmarks.length / 2) * 3 }, (_, i) =>
        i % 3 === 2 ? 0 : landmarks[2 * Math.floor(i / 3) + (i % 3)]!,
      );
      for (const feature of FEATURE_NAMES) {
        const key = keyOf(size, feature);
        const ratio = sharpnessOf(picture, threefold, feature) / sharpnessOf(image, rest, feature);
        ratios.set(key, [...(ratios.get(key) ?? []), ratio]);
      }
    };
    const values3 = 3 * job.bundle.description.resolution ** 2;
    for (let frame = every >> 1; frame < job.frames && !values.whole; frame += every) {
      await look(frame, await scene.compose(frame, new Float32Array(values3)));
    }
    if (values.whole) await studio.render({ ...clip, scene: watched(scene, look) });
  } finally {
    await clip.dispose();
  }
  return true;
}

/** A scene whose finished frames are looked at. */
function watched(scene: Scene, look: (frame: number, picture: RgbImage) => Promise<void>): Scene {
  const { width, height, reference } = scene;
  return {
    width,
    height,
    reference,
    conditions: (frame) => scene.conditions(frame),
    base: (frame) => scene.base(frame),
    shown: (frame) => scene.shown(frame),
    drivenFace: (frame) => scene.drivenFace(frame),
    compose: async (frame, decoded) => {
      const picture = await scene.compose(frame, decoded);
      if (frame % every === every >> 1) await look(frame, picture);
      return picture;
    },
  };
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
  await studio.dispose();
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
}
await writeReport(values.output, [
  '# Sharpness of eyes and mouth',
  '',
  'Energy in the upper half of the frequencies inside the boxes of eyes and mouth, of frames against their portrait: median, least',
  `and greatest; 1 is as sharp as the photo. ${values.whole ? 'Finished frames.' : 'Frames of the warp alone, to which the networks add what it cannot know.'}`,
  'Portraits whose face is smaller were enlarged and given grain.',
  '',
  `| face, px | people | ${FEATURE_NAMES.join(' | ')} |`,
  `| ---: | ---: | ${FEATURE_NAMES.map(() => '---:').join(' | ')} |`,
  ...rows,
]);
