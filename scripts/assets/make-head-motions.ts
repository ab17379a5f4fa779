/**
 * Writes the head motions that the package carries, assets/motion/*.motion, from films of the GRID corpus (CC BY 4.0): curves
 * of six numbers, nothing of a face. Each is made of several films of one person, one fading into the next.
 *
 *     node --import=tsx scripts/assets/make-head-motions.ts DATA [--write]
 *
 * DATA: the folder with the films, as named below. Prints how much the heads move: deviations of the turns about x (nods), y and z
 * in degrees, and of the moves in cm.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { relativePoses } from '../../src/driving/relative-pose.ts';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { hashFile } from '../../src/files/hash-file.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { deviation } from '../../src/metrics/series.ts';
import { POSE_VALUES } from '../../src/motion/motion.ts';
import { writeMotionFile } from '../../src/motion/motion-file.ts';
import type { RecordedMotion } from '../../src/motion/recorded-motion.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { trackFilm } from '../../src/tracking/track-film.ts';

const OTHERS = 'more/grid_other_speakers/clips';
/**
 * Films of different liveliness, by the names of what is made of them. Who reads sentences for a camera moves little: heads are
 * moved by `scale` times as much, the liveliest as much as in a conversation.
 */
const MOTIONS = {
  calm: {
    films: ['lwir2n', 'bgah3a', 'lray6p', 'lbax9s'].map((code) => `talking/s1_${code}.mkv`),
    scale: 0.7,
  },
  natural: {
    films: ['swiz3n', 'bwaq8s', 'lrbi7p', 'pbbg5p'].map((code) => `${OTHERS}/s26_${code}.mpg`),
    scale: 1.8,
  },
  lively: {
    films: ['bwaa3a', 'lwae9s', 'bwba6p', 'lwafzp'].map((code) => `talking/s1_${code}.mkv`),
    scale: 2.1,
  },
} as const;
const FPS = 25;
/** Frames over which one film fades into the next. */
const FADE = 12;
const OUTPUT = fileURLToPath(new URL('../../assets/motion/', import.meta.url));

/** Rows of six numbers, one after the other; the last of each fade into the first of the next. */
function join(parts: readonly Float32Array[], scale: number): Float32Array {
  let all: number[] = [];
  for (const part of parts) {
    const fade = Math.min(FADE, all.length / POSE_VALUES);
    const kept = all.slice(0, all.length - fade * POSE_VALUES);
    const rows = Array.from(part, (value, i) => {
      const t = (Math.floor(i / POSE_VALUES) + 1) / (fade + 1);
      const share = t >= 1 ? 1 : t * t * (3 - 2 * t);
      return share * value + (share < 1 ? (1 - share) * all[kept.length + i]! : 0);
    });
    all = [...kept, ...rows];
  }
  return Float32Array.from(all, (value) => value * scale);
}

const [data, flag] = process.argv.slice(2);
if (data === undefined) throw new Error('expected the folder of the films');
const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu' });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
try {
  for (const [name, { films, scale }] of Object.entries(MOTIONS)) {
    const parts: Float32Array[] = [];
    for (const film of films) {
      parts.push(relativePoses(await trackFilm(path.join(data, film), { ffmpeg, finder, fps: FPS })));
    }
    const poses = join(parts, scale);
    const frames = poses.length / POSE_VALUES;
    const spread = [0, 1, 2, 3, 4, 5].map((axis) =>
      deviation(Array.from({ length: frames }, (_, i) => poses[i * POSE_VALUES + axis]!)).toFixed(2),
    );
    process.stdout.write(`${name} ${(frames / FPS).toFixed(1)} s  ${spread.join(' ')}\n`);
    if (flag !== '--write') continue;
    mkdirSync(OUTPUT, { recursive: true });
    const { sha256 } = await hashFile(path.join(data, films[0]!), {});
    const head: RecordedMotion = {
      fps: FPS,
      frames,
      poses,
      meshes: null,
      rest: { frame: 0, pose: new Float32Array(POSE_VALUES), mesh: null },
      origin: { name: path.basename(films[0]!), sha256 },
    };
    await writeMotionFile(path.join(OUTPUT, `${name}.motion`), head);
  }
} finally {
  await finder.dispose();
  await engine.dispose();
}
