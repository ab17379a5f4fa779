/**
 * Writes the head motions that the package carries, assets/motion/*.motion, from films of the GRID corpus (CC BY 4.0): curves
 * of six numbers, nothing of a face.
 *
 *     node --import=tsx scripts/assets/make-head-motions.ts FOLDER            prints how much the heads of a folder's films move
 *     node --import=tsx scripts/assets/make-head-motions.ts FOLDER --write    writes the files
 */
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { relativePoses } from '../../src/driving/relative-pose.ts';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { deviation } from '../../src/metrics/series.ts';
import { POSE_VALUES } from '../../src/motion/motion.ts';
import { writeMotionFile } from '../../src/motion/motion-file.ts';
import type { RecordedMotion } from '../../src/motion/recorded-motion.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { trackFilm } from '../../src/tracking/track-film.ts';

/** Films of people of different liveliness, by the names of what is made of them. */
const FILMS = { calm: 's23_lrwp9a.mpg', natural: 's26_swiz3n.mpg', lively: 's3_sbia1a.mpg' } as const;
const OUTPUT = fileURLToPath(new URL('../../assets/motion/', import.meta.url));

const [folder, flag] = process.argv.slice(2);
if (folder === undefined) throw new Error('expected the folder of the films');
const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu' });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
try {
  const films =
    flag === '--write' ? Object.values(FILMS) : readdirSync(folder).filter((name) => /\.mpg$/.test(name));
  for (const film of films) {
    const track = await trackFilm(path.join(folder, film), { ffmpeg, finder });
    const head: RecordedMotion = { ...track, meshes: null, rest: { ...track.rest, mesh: null } };
    const poses = relativePoses(head);
    const spread = [0, 1, 2, 3, 4, 5].map((axis) =>
      deviation(Array.from({ length: head.frames }, (_, i) => poses[i * POSE_VALUES + axis]!)).toFixed(2),
    );
    process.stdout.write(`${film} ${spread.join(' ')}\n`);
    const name = Object.entries(FILMS).find(([, file]) => file === film)?.[0];
    if (flag !== '--write' || name === undefined) continue;
    mkdirSync(OUTPUT, { recursive: true });
    await writeMotionFile(path.join(OUTPUT, `${name}.motion`), head);
  }
} finally {
  await finder.dispose();
  await engine.dispose();
}
