import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { checkLoras } from '../../src/bundles/check-loras.ts';
import { ModelError } from '../../src/errors.ts';
import { type Bundle, openBundle } from '../../src/models/bundle.ts';
import { latentSize } from '../../src/models/bundle-description.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { encodeSafetensors, openSafetensors } from '../../src/weights/safetensors.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const LIMIT = { timeout: 120_000 };
const folder = temporaryDirectory();
let bundle: Bundle;
before(async () => {
  bundle = await openBundle('tiny');
});

function noticesOf(
  files: readonly string[],
  precision: 'float32' | 'int8' = 'float32',
  of: Bundle = bundle,
): string[] {
  const notices: string[] = [];
  const loras = files.map((file) => ({ path: file }));
  checkLoras(of, { loras, precision }, (message) => notices.push(message));
  return notices;
}

test('the file of a denoising UNet has the names and shapes that the network reads', LIMIT, () => {
  const { weights } = describeDenoisingUnet(bundle.description.denoisingUnet, {
    ...{ ...latentSize(bundle.description), frames: 1, reference: 'none', poseFeatures: true },
  });
  const file = openSafetensors(bundle.pathOf('denoisingUnet'));
  const stored = Array.from(file.keys(), (key) => [key, file.info(key).dims] as const);
  file.dispose();
  const names = (list: readonly (readonly [string, readonly number[]])[]) =>
    list.map(([key, dims]) => `${key} ${dims}`).sort();
  assert.deepEqual(names(stored), names(weights.map(({ key, dims }) => [key, dims] as const)));
});

test('a LoRA of the network fits; with integers it comes with a notice', LIMIT, () => {
  const lora = bundle.pathOf('lcmLora');
  assert.deepEqual(noticesOf([lora]), []);
  const [notice, ...others] = noticesOf([lora], 'int8');
  assert.match(notice!, /^the ranges for int8 were measured without these LoRAs/);
  assert.deepEqual(others, []);
});

test('a LoRA of another network is refused by file and module', LIMIT, () => {
  const file = path.join(folder, 'foreign.safetensors');
  const factor = (dims: readonly number[]) => ({ data: new Float32Array(dims[0]! * dims[1]!), dims });
  writeFileSync(
    file,
    encodeSafetensors([
      ['lora_unet_somewhere_else.lora_down.weight', factor([1, 4])],
      ['lora_unet_somewhere_else.lora_up.weight', factor([4, 1])],
    ]),
  );
  assert.throws(() => noticesOf([bundle.pathOf('lcmLora'), file]), {
    code: 'MODEL',
    message: /foreign\.safetensors: expected modules of the denoising UNet, got somewhere_else/,
  });
});

test('without LoRAs the file is left alone; with one, a damaged file is an error', LIMIT, () => {
  const damaged = path.join(folder, 'damaged.safetensors');
  writeFileSync(damaged, 'no weights');
  const lora = path.join(folder, 'lora.safetensors');
  copyFileSync(bundle.pathOf('lcmLora'), lora);
  const broken: Bundle = { ...bundle, pathOf: () => damaged };
  assert.deepEqual(noticesOf([], 'int8', broken), []);
  assert.throws(() => noticesOf([lora], 'float32', broken), ModelError);
});
