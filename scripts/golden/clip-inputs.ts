/**
 * Writes what scripts/golden/clip.py makes the reference clips of to a folder: bundle, adapter and recording, the portrait as a PNG,
 * and in inputs.json which face of it is animated, and how.
 *
 *   node --import=tsx scripts/golden/clip-inputs.ts FOLDER [--bundle FOLDER --lora FILE [--resolution 256] [--seconds 0.1]]
 *
 * Without a bundle it is the small one of test/golden/clip, with all of its clips; of another, which may be a full-size one, a
 * short clip is wanted: LCM with the LoRA.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { FramedFace } from '../../src/scene/framed-face.ts';
import { openPortrait } from '../../src/scene/open-portrait.ts';
import {
  CLIP_LORA_SCALE,
  CLIP_PORTRAIT,
  CLIP_SEED,
  writeClipInputs,
} from '../../test/helpers/golden-clip.ts';
import { chirps, encodeWav } from '../../test/helpers/media.ts';
import { loadOrtNetwork } from '../../test/helpers/ort-network.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bundle: { type: 'string' },
    lora: { type: 'string' },
    resolution: { type: 'string', default: '256' },
    seconds: { type: 'string', default: '0.1' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('expected a folder');
mkdirSync(folder, { recursive: true });
const small = values.bundle === undefined;
const resolution = small ? 128 : Number(values.resolution);
if (small) {
  writeClipInputs(folder);
} else {
  if (values.lora === undefined) throw new Error('--bundle needs --lora');
  symlinkSync(path.resolve(values.bundle!), path.join(folder, 'bundle'));
  symlinkSync(path.resolve(values.lora), path.join(folder, 'lora.safetensors'));
  writeFileSync(path.join(folder, 'speech.wav'), encodeWav(chirps(Number(values.seconds), 16_000), 16_000));
}
await sharp(CLIP_PORTRAIT).png().toFile(path.join(folder, 'portrait.png'));
const { width, height, mesh, transform } = await openPortrait({
  path: CLIP_PORTRAIT,
  resolution,
  framing: 'paste-back',
  view: { type: 'warp' },
  finder: await FaceFinder.open(loadOrtNetwork),
  onNotice: () => {},
});
const { square } = new FramedFace({ width, height }, { mesh, transform });
const inside =
  square.x >= 0 && square.y >= 0 && Math.max(square.x, square.y) + square.side <= Math.min(width, height);
if (!inside) throw new Error(`the face's square reaches over the edge: ${JSON.stringify(square)}`);
const inputs = {
  seed: CLIP_SEED,
  resolution,
  clips: small ? ['original', 'lcm', 'lcm-without-lora'] : ['lcm'],
  loraScale: small ? CLIP_LORA_SCALE : 1,
  square,
  mesh: Array.from(mesh),
  transform: Array.from(transform),
};
writeFileSync(path.join(folder, 'inputs.json'), JSON.stringify(inputs));
process.exit();
