/** LoRAs on AniPortrait's denoising UNet: the published LCM-LoRA's modules, motion modules, and files that are pickles. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { BundleFolder } from '../../src/bundles/bundle-folder.ts';
import { checkLora, writeLora } from '../../src/bundles/lora-part.ts';
import { ModelError } from '../../src/errors.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { ANIPORTRAIT_UNET } from '../../src/models/unet-config.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { openLora } from '../../src/weights/lora.ts';
import { withLoras } from '../../src/weights/lora-merge.ts';
import { encodeSafetensors } from '../../src/weights/safetensors.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { writeTorchArchive } from '../helpers/torch-archive.ts';

type Module = readonly [name: string, shape: readonly number[], target?: number];
const map: { readonly unet2d: readonly Module[]; readonly unet3d_motion_only: readonly Module[] } =
  JSON.parse(readFileSync(new URL('../golden/lora/unet_module_map.json', import.meta.url), 'utf8'));
const { weights: specs } = describeDenoisingUnet(ANIPORTRAIT_UNET, {
  height: 8,
  width: 8,
  frames: 1,
  reference: 'none',
  poseFeatures: true,
  imageEmbeds: 'input',
});
const folder = temporaryDirectory();

/** Factors of rank 1 for modules, in the spelling that `name` gives to their parts. */
function factors(
  modules: readonly Module[],
  name: (module: string, part: 'down' | 'up') => string,
): [string, Tensor][] {
  const zeros = (dims: readonly number[]): Tensor => ({
    data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
    dims,
  });
  return modules.flatMap(([module, [out, ...rest]]): [string, Tensor][] => [
    [name(module, 'down'), zeros([1, ...rest])],
    [name(module, 'up'), zeros([out!, 1, ...rest.slice(1).map(() => 1)])],
  ]);
}

const kohya = (module: string, part: string): string =>
  `lora_unet_${module.replaceAll('.', '_')}.lora_${part}.weight`;
const processor = (module: string, part: string): string => {
  const [, attention, projection] = /^(.*)\.(to_\w+?)(?:\.0)?$/.exec(module)!;
  return `${attention}.processor.${projection}_lora.${part}.weight`;
};

test('every adaptable weight of the published UNet is in the map, under names that stay apart when flat', () => {
  const matrices = specs.filter(({ key, dims }) => key.endsWith('.weight') && dims.length > 1);
  const mapped = [...map.unet2d, ...map.unet3d_motion_only];
  assert.deepEqual(
    matrices.map(({ key, dims }) => [key.slice(0, -'.weight'.length), dims]).sort(),
    mapped.map(([name, shape]) => [name, shape]).sort(),
  );
  assert.equal(new Set(mapped.map(([name]) => name.replaceAll('.', '_'))).size, mapped.length);
});

test('the 278 modules of the published LCM-LoRA fit', () => {
  const targets = map.unet2d.filter(([, , target]) => target === 1);
  assert.equal(targets.length, 278);
  const file = path.join(folder, 'lcm.safetensors');
  writeFileSync(file, encodeSafetensors(factors(targets, kohya), {}, 'F16'));
  assert.equal(checkLora(file, specs).path, file);
});

test('LoRAs for motion modules fit in both spellings', () => {
  const attention = map.unet3d_motion_only.filter(([name]) => /attention_blocks\.\d+\.to_/.test(name));
  assert.equal(attention.length, 21 * 8);
  for (const [name, spell] of [
    ['kohya', kohya],
    ['animatediff', processor],
  ] as const) {
    const file = path.join(folder, `motion-${name}.safetensors`);
    writeFileSync(file, encodeSafetensors(factors(attention, spell), {}, 'F16'));
    checkLora(file, specs);
    const lora = openLora(file);
    assert.equal(lora.modules.length, attention.length);
    lora.dispose();
  }
});

test('a LoRA in a pickle merges as its safetensors do', () => {
  const name = 'down_blocks.0.attentions.0.proj_in';
  const tensors: [string, Tensor][] = [
    [`unet.${name}.lora.down.weight`, { data: Float32Array.of(1, 2), dims: [1, 2] }],
    [`unet.${name}.lora.up.weight`, { data: Float32Array.of(3, 4), dims: [2, 1] }],
  ];
  const file = path.join(folder, 'pytorch_lora_weights.bin');
  writeTorchArchive(file, tensors);
  const base = {
    path: 'base',
    keys: () => [`${name}.weight`],
    has: (key: string) => key === `${name}.weight`,
    info: () => ({ dims: [2, 2, 1, 1], dtype: 'F32' }),
    read: () => ({ data: Float32Array.of(10, 20, 30, 40), dims: [2, 2, 1, 1] }),
  };
  const lora = openLora(file);
  assert.deepEqual(
    [...withLoras(base, [{ lora, scale: 0.5 }]).read(`${name}.weight`).data],
    [11.5, 23, 32, 44],
  );
  lora.dispose();
});

test('a LoRA of Stable Diffusion XL is refused by the module that has another shape', () => {
  const name = 'down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k';
  const file = path.join(folder, 'sdxl.safetensors');
  writeFileSync(file, encodeSafetensors(factors([[name, [640, 2048]]], kohya)));
  assert.throws(
    () => checkLora(file, specs),
    (error) => {
      assert(error instanceof ModelError);
      assert.match(
        error.message,
        /attn2_to_k to change \[640, 768\].*got \[640, 2048\].*Stable Diffusion XL/,
      );
      return true;
    },
  );
});

test('what a bundle takes of an adapter holds its scale, which lay in its folder', async () => {
  const store = path.join(folder, 'store');
  const [name] = map.unet2d.find(([module]) => module.endsWith('attn1.to_q'))!;
  const adapter = path.join(folder, 'peft', 'adapter_model.safetensors');
  mkdirSync(path.dirname(adapter), { recursive: true });
  mkdirSync(store);
  const spell = (module: string, part: string): string =>
    `base_model.model.${module}.lora_${part === 'down' ? 'A' : 'B'}.weight`;
  const shape = map.unet2d.find(([module]) => module === name)!;
  writeFileSync(adapter, encodeSafetensors(factors([shape], spell)));
  writeFileSync(path.join(path.dirname(adapter), 'adapter_config.json'), '{"r": 1, "lora_alpha": 0.125}');
  const bundle = await BundleFolder.begin(store, 'made', 1000);
  try {
    const { path: file } = await writeLora(bundle, checkLora(adapter, specs), undefined);
    const [partial] = readdirSync(store);
    const taken = openLora(path.join(store, partial!, file));
    assert.deepEqual(
      taken.modules.map(({ scale }) => scale),
      [0.125],
    );
    assert.deepEqual(taken.notices, []);
    taken.dispose();
  } finally {
    await bundle.discard();
  }
});
