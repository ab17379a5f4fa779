/**
 * Damaged files for the program itself, one process each: no status 1, no stack trace, nothing left behind, no hang.
 *
 *   node --import=tsx scripts/bench/fuzz-program.ts [--from 0] [--count 50]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { mediaSeeds } from '../lib/fuzz-media.ts';
import { fuzzProgram } from '../lib/fuzz-program.ts';
import { fuzzSeeds } from '../lib/fuzz-seeds.ts';

const { values } = parseArgs({
  options: { from: { type: 'string', default: '0' }, count: { type: 'string', default: '50' } },
});
const from = Number(values.from);
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const folder = mkdtempSync(path.join(os.tmpdir(), 'fuzz-program-'));
try {
  const seeds = [
    ...(await mediaSeeds(await locateFfmpeg({ env: process.env }), path.join(folder, 'seeds'))),
    ...fuzzSeeds(),
  ];
  const numbers = Array.from({ length: Number(values.count) }, (_, i) => from + i);
  const result = await fuzzProgram(seeds, numbers, {
    // Found from any working folder.
    command: [process.execPath, `--import=${import.meta.resolve('tsx')}`, main],
    folder: path.join(folder, 'inputs'),
  });
  console.log(JSON.stringify(result, null, 2));
  process.exitCode = result.failures.length > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
