/**
 * Damaged sounds, pictures and motion files, as many as there is time for: none may end in anything but a picture, a sound or a
 * typed error, take longer than 20 s of the processor, or leave anything behind.
 *
 *   node --import=tsx scripts/bench/fuzz-media.ts [--from 0] [--count 1000]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { fuzzMedia, mediaSeeds } from '../lib/fuzz-media.ts';

const { values } = parseArgs({
  options: { from: { type: 'string', default: '0' }, count: { type: 'string', default: '1000' } },
});
const from = Number(values.from);
const ffmpeg = await locateFfmpeg({ env: process.env });
const folder = mkdtempSync(path.join(os.tmpdir(), 'fuzz-media-'));
try {
  const seeds = await mediaSeeds(ffmpeg, path.join(folder, 'seeds'));
  const numbers = Array.from({ length: Number(values.count) }, (_, i) => from + i);
  const result = await fuzzMedia(seeds, numbers, { ffmpeg, folder: path.join(folder, 'inputs') });
  console.log(JSON.stringify(result, null, 2));
  process.exitCode = result.failures.length > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
