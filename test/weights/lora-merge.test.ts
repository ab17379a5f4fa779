import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ModelError } from '../../src/errors.ts';
import { encodeHalf } from '../../src/tensor/float16.ts';
import { type LoraAdapter, openLora } from '../../src/weights/lora.ts';
import { withLoras } from '../../src/weights/lora-merge.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { encodeSafetensorsHeader } from '../../src/weights/safetensors-header.ts';
import type { WeightSource } from '../../src/weights/weight-source.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

/** Expectations are rounded to float32 once; so is the merge. */
const FLOAT32 = { rtol: 0, atol: 1e-6 };

const pathOf = (name: string): string => fileURLToPath(new URL(`../golden/lora/${name}`, import.meta.url));
const readJson = (name: string) => JSON.parse(readFileSync(pathOf(name), 'utf8'));
const manifest = readJson('manifest.json');

const FILES: Readonly<Record<string, string>> = {
  a: 'lora_a_kohya.safetensors',
  at: 'lora_a_kohya_with_text_encoder.safetensors',
  b: 'lora_b_diffusers_peft.safetensors',
  c: 'lora_c_diffusers_peft_metadata.safetensors',
  d: 'lora_d_diffusers_old.safetensors',
  e: 'lora_e_peft_plain.safetensors',
  f: 'lora_f_2d_on_conv1x1.safetensors',
};

function open(letter: string): LoraAdapter {
  const options = letter === 'e' ? { configPath: pathOf('lora_e_adapter_config.json') } : {};
  return openLora(pathOf(FILES[letter]!), options);
}

type Merge = readonly [expected: string, storage: 'f32' | 'f16' | 'bf16', loras: readonly [string, number][]];
const merges: readonly Merge[] = [
  ['a1', 'f32', [['a', 1]]],
  ['a1', 'f32', [['at', 1]]],
  ['a08', 'f32', [['a', 0.8]]],
  ['b1', 'f32', [['b', 1]]],
  ['c1', 'f32', [['c', 1]]],
  ['d1', 'f32', [['d', 1]]],
  ['e1', 'f32', [['e', 1]]],
  ['f1', 'f32', [['f', 1]]],
  [
    'a08_b1',
    'f32',
    [
      ['a', 0.8],
      ['b', 1],
    ],
  ],
  [
    'a1_minus_a1',
    'f32',
    [
      ['a', 1],
      ['a', -1],
    ],
  ],
  ['a1', 'f16', [['a', 1]]],
  [
    'a08_b1',
    'f16',
    [
      ['a', 0.8],
      ['b', 1],
    ],
  ],
  ['a1', 'bf16', [['a', 1]]],
];

function compare(merged: WeightSource, expected: WeightSource, key: string, storage: Merge[1]): void {
  const actual = merged.read(key);
  const { data, dims } = expected.read(key);
  assert.deepEqual(actual.dims, dims, key);
  if (storage === 'f32') {
    assertAllClose(actual.data, data, FLOAT32, key);
    return;
  }
  const type = storage === 'f16' ? 'F16' : 'BF16';
  assert.deepEqual(encodeHalf(actual.data, type), encodeHalf(data, type), key);
}

for (const [name, storage, list] of merges) {
  test(`${list.map(([letter, scale]) => `${FILES[letter]} × ${scale}`).join(' + ')} merges into ${storage}`, () => {
    const base = openSafetensors(pathOf(`base.${storage}.safetensors`));
    const file = `expected_${name}.${storage}.safetensors`;
    const expected = openSafetensors(pathOf(file));
    const loras = list.map(([letter, scale]) => ({ lora: open(letter), scale }));
    const merged = withLoras(base, loras);
    assert.deepEqual([...expected.keys()].sort(), [...manifest.expected[file].changed].sort());
    for (const key of merged.keys()) {
      if (expected.has(key)) compare(merged, expected, key, storage);
      else assert.deepEqual(merged.read(key).data, base.read(key).data, `${key} is untouched`);
      assert.deepEqual(merged.info(key), base.info(key));
    }
    for (const open of [base, expected, ...loras.map(({ lora }) => lora)]) open.dispose();
  });
}

test('opposite scales leave the base bit by bit', () => {
  const base = openSafetensors(pathOf('base.f32.safetensors'));
  const lora = open('a');
  const merged = withLoras(base, [
    { lora, scale: 1 },
    { lora, scale: -1 },
  ]);
  for (const key of base.keys()) assert.deepEqual(merged.read(key).data, base.read(key).data, key);
  base.dispose();
  lora.dispose();
});

for (const [letter, modules] of Object.entries<Record<string, { rank: number; scale: number }>>(
  manifest.adapters,
)) {
  test(`${FILES[letter]} has the modules, ranks and scales of the manifest`, () => {
    const lora = open(letter);
    const spell = (name: string): string => (lora.modules[0]!.flat ? name.replaceAll('.', '_') : name);
    assert.deepEqual(
      new Map(lora.modules.map(({ name, rank, scale }) => [name, { rank, scale }])),
      new Map(Object.entries(modules).map(([name, module]) => [spell(name), module])),
    );
    lora.dispose();
  });
}

test('tensors for a text encoder are listed', () => {
  const lora = open('at');
  assert.equal(lora.skippedKeys.length, 3);
  lora.dispose();
});

const REASONS: Readonly<Record<string, RegExp>> = {
  reject_dora_kohya: /DoRA.*dora_scale/,
  reject_dora_peft: /DoRA.*lora_magnitude_vector/,
  reject_dora_metadata: /use_dora to be false/,
  reject_loha: /LoHa.*hada_w1_a/,
  reject_lokr: /LoKr/,
  reject_glora: /GLoRA/,
  reject_ia3: /\(IA\)³/,
  reject_oft: /OFT/,
  reject_full_diff: /full weight differences/,
  reject_locon_mid: /Tucker.*lora_mid/,
  reject_missing_up: /a down and an up factor for .*attn1_to_q, got .*lora_down.weight only/,
  reject_shape: /expected .*attn1_to_q to change \[8, 8\].*got \[8, 9\]/,
  reject_rank: /one rank in .* shapes \[4, 8\] and \[8, 3\]/,
  reject_unknown_module: /got down_blocks_9_attentions_0_proj_in; it was made for another network/,
  reject_sgm_names: /names of the original UNet/,
  reject_text_encoder_only: /text encoder only/,
  reject_lora_bias: /a bias .*lora_B.bias/,
};

for (const [file, why] of Object.entries(manifest.reject)) {
  test(`${file} is refused: ${why}`, () => {
    const base = openSafetensors(pathOf('base.f32.safetensors'));
    const path = pathOf(file);
    const merge = (): void => {
      const lora = openLora(path);
      try {
        withLoras(base, [{ lora, scale: 1 }]);
      } finally {
        lora.dispose();
      }
    };
    assert.throws(merge, (error) => {
      assert.ok(error instanceof ModelError);
      assert.equal(error.modelPath, path);
      assert.match(error.message, REASONS[file.replace('.safetensors', '')]!);
      return true;
    });
    base.dispose();
  });
}

test('an adapter of peft without its settings has the scale 1, and says so; settings that are named must be there', () => {
  const lora = openLora(pathOf(FILES.e!));
  assert.deepEqual([...new Set(lora.modules.map(({ scale }) => scale))], [1]);
  assert.match(lora.notices.join(), /no adapter_config\.json next to it.*alpha is taken to be its rank/);
  lora.dispose();
  const options = { configPath: pathOf('no_config.json') };
  assert.throws(() => openLora(pathOf(FILES.e!), options), /no_config.json, got no such file/);
});

test('the header of the published LCM-LoRA can be rebuilt to its digest', () => {
  const layout = readJson('lcm_lora_sdv1_5_layout.json');
  const { rank, dtype } = layout;
  const tensors = new Map<string, readonly number[]>();
  for (const [module, [outputs, ...inputs]] of layout.modules as [string, number[]][]) {
    const name = `lora_unet_${module.replaceAll('.', '_')}`;
    tensors.set(`${name}.alpha`, []);
    tensors.set(`${name}.lora_down.weight`, [rank, ...inputs]);
    tensors.set(`${name}.lora_up.weight`, inputs.length === 1 ? [outputs!, rank] : [outputs!, rank, 1, 1]);
  }
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.equal(sorted.length, layout.tensor_count);
  const header = encodeSafetensorsHeader(
    sorted.map(([name, dims]) => [name, { dims, dtype }]),
    layout.metadata,
  );
  const digest = createHash('sha256').update(header.subarray(8)).digest('hex');
  assert.equal(header.length - 8, layout.header_bytes);
  assert.equal(digest, layout.header_sha256);
});
