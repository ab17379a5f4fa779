/**
 * Writes what scripts/golden/clip.py makes the reference clips of to a folder: bundle, adapter and recording, the portrait as a PNG,
 * and in inputs.json which face of it is animated, and how.
 *
 *   node --import=tsx scripts/golden/clip-inputs.ts FOLDER
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { FramedFace } from '../../src/scene/framed-face.ts';
import { openPortrait } from '../../src/scene/open-portrait.ts';
import { CLIP_LORA_SCALE, CLIP_PORTRAIT, CLIP_SEED, writeClipInputs } from '../../test/helpers/golden-clip.ts';
import { loadOrtNetwork } from '../../test/helpers/ort-network.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('expected a folder');
mkdirSync(folder, { recursive: true });
writeClipInputs(folder);
await sharp(CLIP_PORTRAIT).png().toFile(path.join(folder, 'portrait.png'));
const { width, height, mesh, transform } = await openPortrait({
  path: CLIP_PORTRAIT,
  resolution: 128,
  framing: 'paste-back',
  view: { type: 'warp' },
  finder: await FaceFinder.open(loadOrtNetwork),
  onNotice: () => {},
});
const { square } = new FramedFace({ width, height }, { mesh, transform });
const inside = square.x >= 0 && square.y >= 0 && Math.max(square.x, square.y) + square.side <= Math.min(width, height);
if (!inside) throw new Error(`the face's square reaches over the edge: ${JSON.stringify(square)}`);
const inputs = {
  seed: CLIP_SEED,
  loraScale: CLIP_LORA_SCALE,
  square,
  mesh: Array.from(mesh),
  transform: Array.from(transform),
};
writeFileSync(path.join(folder, 'inputs.json'), JSON.stringify(inputs));
process.exit();
