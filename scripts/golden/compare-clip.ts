/**
 * Renders the LCM clip whose inputs scripts/golden/clip-inputs.ts has written to a folder, and says what it differs by from the
 * frames that scripts/golden/clip.py has made of them. For bundles of any size; those of test/golden/clip are compared by a test.
 *
 *   node --import=tsx scripts/golden/compare-clip.ts FOLDER CLIP.json [--low-memory]
 *
 * Exit status 1 where a frame differs by more than a level.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openBundle } from '../../src/models/bundle.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import {
  CLIP_PORTRAIT,
  type GoldenClip,
  levelDifferences,
  renderLevels,
} from '../../test/helpers/golden-clip.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'low-memory': { type: 'boolean', default: false } },
});
const [folder, reference] = positionals;
if (folder === undefined || reference === undefined)
  throw new Error('expected a folder and the file of clip.py');
const golden = JSON.parse(readFileSync(reference, 'utf8')) as GoldenClip;
const { seed, resolution, loraScale } = JSON.parse(
  readFileSync(path.join(folder, 'inputs.json'), 'utf8'),
) as { seed: number; resolution: number; loraScale: number };
const { presets } = (await openBundle(path.join(folder, 'bundle'))).description;
const lowMemory = values['low-memory'];
const studio = new Studio({ device: 'cpu', onNotice: (text) => console.error(text) });
const begin = performance.now();
try {
  const frames = await renderLevels(studio, golden, {
    ...{
      portrait: CLIP_PORTRAIT,
      audio: path.join(folder, 'speech.wav'),
      bundle: path.join(folder, 'bundle'),
    },
    ...{ output: `${path.join(folder, lowMemory ? 'low-memory' : 'frames')}/` },
    ...{ preset: 'fast', framing: 'crop', windows: 'loop', seed, lowMemory },
    ...(resolution === 128 ? {} : { resolution }),
    // One that the preset has is merged anyway.
    loras:
      presets.fast!.loras.length > 0
        ? []
        : [{ path: path.join(folder, 'lora.safetensors'), scale: loraScale }],
  });
  const { most, mean } = levelDifferences(frames, golden, 'lcm');
  const memory = process.resourceUsage().maxRSS * 1024;
  console.log(
    `${golden.frames} frames of ${golden.size} × ${golden.size}: at most ${most.toFixed(2)} levels, ${mean.toFixed(3)} on average; ` +
      `${((performance.now() - begin) / 1000).toFixed(0)} s, peak ${(memory / 1e9).toFixed(1)} GB`,
  );
  process.exitCode = most <= 1 ? 0 : 1;
} finally {
  await studio.dispose();
}
process.exit();
