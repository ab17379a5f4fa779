/**
 * Finds the faces of films with the project's own networks, for motion_data.py.
 *
 *   node --import=tsx scripts/train/track-films.ts OUT FILM...
 *
 * Writes OUT/NAME.f32, [frames, 468, 3] landmarks in pixels at 25 frames a second, NaN where no face was found, and
 * OUT/films.tsv with the size of each film's pictures.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FaceFinder, LANDMARK_COUNT } from '../../src/face/face-finder.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { trackFilm } from '../lib/track-film.ts';

const FPS = 25;

const [out, ...films] = process.argv.slice(2);
if (out === undefined || films.length === 0) {
  console.error('usage: track-films.ts OUT FILM...');
  process.exit(2);
}

/** Under its final name a file is whole. */
async function write(file: string, data: string | Uint8Array): Promise<void> {
  await writeFile(`${file}.partial`, data);
  await rename(`${file}.partial`, file);
}

await mkdir(out, { recursive: true });
const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const rows = ['name\twidth\theight\tframes\tmissing'];
try {
  for (const film of films) {
    const { name } = path.parse(film);
    const { width, height, landmarks } = await trackFilm(film, { finder, ffmpeg, fps: FPS });
    const values = new Float32Array(landmarks.length * LANDMARK_COUNT * 3).fill(Number.NaN);
    landmarks.forEach((points, frame) => {
      if (points !== undefined) values.set(points, frame * LANDMARK_COUNT * 3);
    });
    await write(path.join(out, `${name}.f32`), new Uint8Array(values.buffer));
    const missing = landmarks.filter((points) => points === undefined).length;
    rows.push([name, width, height, landmarks.length, missing].join('\t'));
    console.error(`${name}: ${landmarks.length} frames, ${missing} without a face`);
  }
  await write(path.join(out, 'films.tsv'), `${rows.join('\n')}\n`);
} finally {
  await finder.dispose();
  await engine.dispose();
}
