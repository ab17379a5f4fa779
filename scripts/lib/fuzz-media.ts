/** Gives damaged sounds, pictures and motion files to what reads them: each is read, or refused with a typed error. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { PipelineError } from '../../src/errors.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { readMotionFile } from '../../src/motion/motion-file.ts';
import type { FuzzResult, FuzzSeed } from './fuzz-readers.ts';
import { mutate, seededRandom } from './mutations.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** An input may take as long at most. */
const MAX_SECONDS = 20;

/** Ways of storing sound, with ffmpeg's options where the ending does not say all. */
const SOUNDS: Readonly<Record<string, readonly string[]>> = {
  'a.wav': [],
  'a.mp3': ['-b:a', '48k'],
  'a.flac': [],
  'a.m4a': ['-b:a', '48k'],
  'a.webm': ['-c:a', 'libopus'],
  'a.ogg': ['-c:a', 'libvorbis'],
  'a.mka': ['-c:a', 'pcm_f32le'],
  'a.aac': [],
};

/** A seed of every kind, made in `folder`. */
export async function mediaSeeds(ffmpeg: FfmpegInfo, folder: string): Promise<FuzzSeed[]> {
  mkdirSync(folder, { recursive: true });
  const speech = path.join(ROOT, 'assets/speech/short.wav');
  const sounds = Object.entries(SOUNDS).map(([name, options]): FuzzSeed => {
    const file = path.join(folder, name);
    const quiet = ['-v', 'error', '-nostdin', '-y'];
    execFileSync(ffmpeg.path, [...quiet, '-t', '0.4', '-i', speech, ...options, file]);
    return { name, bytes: readFileSync(file) };
  });
  // Files that were joined byte by byte have headers in the middle.
  const joined = sounds
    .filter(({ name }) => /\.(mp3|wav)$/.test(name))
    .map(({ name, bytes }): FuzzSeed => ({ name: `joined-${name}`, bytes: Buffer.concat([bytes, bytes]) }));
  const picture = () => sharp(path.join(ROOT, 'assets/portraits/ada.jpg')).resize(96, 96);
  const pictures: readonly (readonly [string, Promise<Buffer>])[] = [
    ['a.jpg', picture().jpeg().toBuffer()],
    ['b.jpg', picture().jpeg({ progressive: true }).withMetadata({ orientation: 6 }).toBuffer()],
    ['a.png', picture().png().toBuffer()],
    ['b.png', picture().withIccProfile('p3').png().toBuffer()],
    ['a.webp', picture().webp().toBuffer()],
    ['a.gif', picture().gif().toBuffer()],
    ['a.tif', picture().tiff().toBuffer()],
    ['a.avif', picture().avif({ effort: 0 }).toBuffer()],
  ];
  const drawn = await Promise.all(pictures.map(async ([name, bytes]) => ({ name, bytes: await bytes })));
  const motion = path.join(ROOT, 'assets/motion/calm.motion');
  return [...sounds, ...joined, ...drawn, { name: 'a.motion', bytes: readFileSync(motion) }];
}

function read(file: string, ffmpeg: FfmpegInfo): Promise<unknown> {
  const name = path.basename(file);
  if (/\.motion$/.test(name)) return readMotionFile(file);
  if (/\.(?:jpg|png|webp|gif|tif|avif)$/.test(name)) return loadImage(file);
  return readAudio(file, { ffmpeg });
}

/**
 * Reads damaged copies of `seeds` in `folder`, which is made and emptied.
 *
 * @param numbers - each makes one input: which file, and what is wrong with it.
 * @param onInput - called before each, so that a watcher knows what hangs.
 */
export async function fuzzMedia(
  seeds: readonly FuzzSeed[],
  numbers: Iterable<number>,
  { ffmpeg, folder }: { readonly ffmpeg: FfmpegInfo; readonly folder: string },
  onInput: (number: number, name: string) => void = () => {},
): Promise<FuzzResult> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const failures: string[] = [];
  let [tried, readable, refused, slowestSeconds] = [0, 0, 0, 0];
  for (const number of numbers) {
    const random = seededRandom(number);
    const seed = seeds[Math.floor(random() * seeds.length)]!;
    const file = path.join(folder, seed.name);
    writeFileSync(file, mutate(seed.bytes, random));
    onInput(number, seed.name);
    // Of this process, so that a busy machine is no failure.
    const begin = process.cpuUsage();
    try {
      await read(file, ffmpeg);
      readable += 1;
    } catch (error) {
      const isTold = error instanceof PipelineError && !error.message.includes('\n');
      if (isTold) refused += 1;
      else failures.push(`${number}, ${seed.name}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    const { user, system } = process.cpuUsage(begin);
    const seconds = (user + system) / 1e6;
    if (seconds > MAX_SECONDS) failures.push(`${number}, ${seed.name}: took ${seconds.toFixed(1)} s`);
    slowestSeconds = Math.max(slowestSeconds, seconds);
    const left = readdirSync(folder).filter((each) => each !== seed.name);
    if (left.length > 0) failures.push(`${number}, ${seed.name}: left ${left.join(', ')}`);
    rmSync(file, { force: true });
    tried += 1;
  }
  return { tried, read: readable, refused, failures, slowestSeconds };
}
