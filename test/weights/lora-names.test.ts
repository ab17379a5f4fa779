/** One LoRA in the spellings of every saver: all merge to the same weights. */
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ModelError } from '../../src/errors.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { openLora } from '../../src/weights/lora.ts';
import { withLoras } from '../../src/weights/lora-merge.ts';
import { parseLoraKey } from '../../src/weights/lora-names.ts';
import { encodeSafetensors, openSafetensors } from '../../src/weights/safetensors.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { writeTorchArchive } from '../helpers/torch-archive.ts';

const pathOf = (name: string): string => fileURLToPath(new URL(`../golden/lora/${name}`, import.meta.url));
const folder = temporaryDirectory();
const base = openSafetensors(pathOf('base.f32.safetensors'));
const MODULES = [...base.keys()]
  .filter((key) => key.endsWith('.weight') && base.info(key).dims.length > 1)
  .map((key) => key.slice(0, -'.weight'.length));

type Part = 'down' | 'up';
type Speller = (module: string, part: Part) => string;
const ab = { down: 'A', up: 'B' } as const;
const flat = (module: string): string => module.replaceAll('.', '_');
const old = (module: string): string => module.replace(/\.([^.]+?)(\.0)?$/, '.processor.$1');
const isAttention = (module: string): boolean => /\.to_(?:q|k|v|out\.0)$/.test(module);

const peft: Speller = (module, part) => `${module}.lora_${ab[part]}.weight`;
const kohya: Speller = (module, part) => `lora_unet_${flat(module)}.lora_${part}.weight`;
const before =
  (prefix: string, spell: Speller = peft): Speller =>
  (module, part) =>
    `${prefix}${spell(module, part)}`;

const SPELLINGS: Readonly<Record<string, Speller>> = {
  diffusers: before('unet.'),
  'diffusers, middle': (module, part) => `unet.${module}.lora.${part}.weight`,
  'peft, adapter named': (module, part) => `base_model.model.${module}.lora_${ab[part]}.default.weight`,
  'peft, adapter numbered': (module, part) => `unet.${module}.lora_${ab[part]}.default_0.weight`,
  'LCM distillation scripts': before('unet.base_model.model.'),
  peft: before('base_model.model.'),
  'peft around a pipeline': before('base_model.model.unet.'),
  'several GPUs': before('module.unet.'),
  'several GPUs, peft': before('base_model.model.module.'),
  'several GPUs, kohya': before('module.', kohya),
  'several GPUs inside of kohya': (module, part) => `lora_unet_module_${flat(module)}.lora_${part}.weight`,
  Lightning: before('state_dict.model.unet.'),
  'Lightning, other name': before('model.my_denoiser.'),
  'compiled, outside': before('_orig_mod.'),
  'compiled, inside of kohya': (module, part) => `lora_unet__orig_mod_${flat(module)}.lora_${part}.weight`,
  'sharded, with checkpoints': (module, part) =>
    `unet._fsdp_wrapped_module.${module.replace('.attentions.', '.attentions._checkpoint_wrapped_module.')}.lora_${ab[part]}.weight`,
  kohya,
  'kohya with A and B': (module, part) => `lora_unet_${flat(module)}.lora_${ab[part]}.weight`,
  LyCORIS: (module, part) => `lycoris_${flat(module)}.lora_${part}.weight`,
  ComfyUI: before('diffusion_model.'),
  AniPortrait: before('denoising_unet.'),
  'no prefix': peft,
  'no .weight': (module, part) => `unet.${module}.lora_${ab[part]}`,
  'old processors, new convolutions': (module, part) =>
    isAttention(module) ? `unet.${old(module)}_lora.${part}.weight` : `unet.${module}.lora.${part}.weight`,
  'processors around A and B': (module, part) =>
    `unet.${isAttention(module) ? module.replace('.to_', '.processor.to_') : module}.lora_${ab[part]}.weight`,
  'layers of LoRA': (module, part) => `unet.${module}.lora_layer.${part}.weight`,
  'linear layers of LoRA': (module, part) => `unet.${module}.lora_linear_layer.${part}.weight`,
  'out without its number': (module, part) => peft(module.replace(/to_out\.0$/, 'to_out'), part),
};

/** Factors of rank 2 for every matrix of the base: whole numbers, so that any mistake shows. */
function factorsOf(module: string): Record<Part, Tensor> {
  const [out, ...rest] = base.info(`${module}.weight`).dims;
  const numbers = (dims: readonly number[], seed: number): Tensor => ({
    data: Float32Array.from(
      { length: dims.reduce((a, b) => a * b, 1) },
      (_, i) => ((i * 7 + seed * 3 + module.length) % 11) - 5,
    ),
    dims,
  });
  return { down: numbers([2, ...rest], 1), up: numbers([out!, 2, ...rest.slice(1).map(() => 1)], 2) };
}

const tensorsOf = (spell: Speller): [string, Tensor][] =>
  MODULES.flatMap((module) =>
    (['down', 'up'] as const).map((part): [string, Tensor] => [spell(module, part), factorsOf(module)[part]]),
  );

// This spelling is compared with peft's own merges in lora-merge.test.ts.
writeFileSync(path.join(folder, 'plain.safetensors'), encodeSafetensors(tensorsOf(before('unet.'))));
const plain = openLora(path.join(folder, 'plain.safetensors'));

function assertMergesAlike(file: string): void {
  const lora = openLora(file);
  try {
    assert.equal(lora.modules.length, MODULES.length);
    const expected = withLoras(base, [{ lora: plain, scale: 1 }]);
    const merged = withLoras(base, [{ lora, scale: 1 }]);
    for (const key of base.keys()) assert.deepEqual(merged.read(key).data, expected.read(key).data, key);
  } finally {
    lora.dispose();
  }
}

for (const [saver, spell] of Object.entries(SPELLINGS)) {
  test(`as ${saver} writes it: ${spell('down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0', 'down')}`, () => {
    const file = path.join(folder, `${flat(saver)}.safetensors`);
    writeFileSync(file, encodeSafetensors(tensorsOf(spell)));
    assertMergesAlike(file);
  });
}

test('the modules that are spelled have attention, convolutions and motion modules among them', () => {
  for (const kind of [/attn\d\.to_out\.0$/, /conv|proj_in|time_emb_proj/, /motion_modules/]) {
    assert.ok(
      MODULES.some((module) => kind.test(module)),
      String(kind),
    );
  }
});

for (const wrap of [['state_dict'], ['lora_state_dict'], ['network'], ['state_dict', 'module'], []]) {
  test(`in a pickle, within ${wrap.join(' within ') || 'nothing'}`, () => {
    const file = path.join(folder, `wrapped-${wrap.join('-')}.ckpt`);
    writeTorchArchive(file, tensorsOf(before('module.unet.')), wrap);
    assertMergesAlike(file);
  });
}

test('alpha is found in every spelling, and is each module’s own', () => {
  const [module] = MODULES;
  for (const [key, spell] of [
    [`unet.${module!}.alpha`, before('unet.')],
    [`module.lora_unet_${flat(module!)}.alpha`, before('module.', kohya)],
    [`base_model.model.${module!}.lora_alpha`, before('base_model.model.')],
    [`unet.${module!}.network_alpha`, before('unet.')],
  ] as const) {
    const file = path.join(folder, 'alpha.safetensors');
    const alpha: Tensor = { data: Float32Array.of(0.5), dims: [] };
    writeFileSync(file, encodeSafetensors([...tensorsOf(spell), [key, alpha]]));
    const lora = openLora(file);
    assert.deepEqual(
      lora.modules.map(({ scale }) => scale),
      MODULES.map((_, i) => (i === 0 ? 0.25 : 1)),
      key,
    );
    lora.dispose();
  }
});

test('a scale that only a missing file has is assumed with a notice; files of other savers have theirs', () => {
  const noticesOf = (spell: Speller, file: string): string => {
    const at = path.join(folder, file);
    writeFileSync(at, encodeSafetensors(tensorsOf(spell)));
    const lora = openLora(at);
    lora.dispose();
    return lora.notices.join();
  };
  assert.match(noticesOf(before('base_model.model.'), 'bare.safetensors'), /adapter_config\.json.*:0\.125/);
  assert.match(noticesOf(before('unet.base_model.model.'), 'bare.safetensors'), /adapter_config\.json/);
  assert.equal(noticesOf(before('unet.'), 'bare.safetensors'), '');
  assert.equal(noticesOf(kohya, 'bare.safetensors'), '');
  copyFileSync(pathOf('lora_e_adapter_config.json'), path.join(folder, 'adapter_config.json'));
  // These have rank 2, the settings say 4: they are of another adapter.
  assert.throws(() => noticesOf(before('base_model.model.'), 'beside.safetensors'), /rank/);
});

test('a network that was saved with its adapters gives the adapters, and says what it leaves out', () => {
  const weight: Tensor = { data: Float32Array.of(1), dims: [1] };
  const file = path.join(folder, 'whole.safetensors');
  const own: [string, Tensor][] = [
    [`${MODULES[0]}.base_layer.weight`, weight],
    ['conv_norm_out.weight', weight],
  ];
  writeFileSync(file, encodeSafetensors([...tensorsOf(peft), ...own]));
  assertMergesAlike(file);
  const lora = openLora(file);
  assert.match(lora.notices.join(), /2 weights of the network itself are left out/);
  lora.dispose();
  // Weights that were trained next to the factors are not the network's own.
  writeFileSync(file, encodeSafetensors([...tensorsOf(peft), own[1]!]));
  assert.throws(() => openLora(file), /whole weights of a network \(conv_norm_out\.weight\)/);
});

const FOREIGN: Readonly<Record<string, readonly [key: string, dims: readonly number[], network: RegExp]>> = {
  'Stable Diffusion XL': [
    'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight',
    [4, 2048],
    /a LoRA for Stable Diffusion XL$/,
  ],
  'Stable Diffusion XL by its depth': [
    'lora_unet_down_blocks_2_attentions_1_transformer_blocks_9_attn1_to_k.lora_down.weight',
    [4, 1280],
    /a LoRA for Stable Diffusion XL$/,
  ],
  'Stable Diffusion 2': [
    'unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight',
    [4, 1024],
    /a LoRA for Stable Diffusion 2$/,
  ],
  FLUX: ['lora_unet_double_blocks_0_img_attn_proj.lora_down.weight', [4, 3072], /FLUX/],
  'FLUX of diffusers': ['transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight', [4, 3072], /FLUX/],
  'Stable Diffusion 3': [
    'transformer.transformer_blocks.0.attn.add_q_proj.lora_A.weight',
    [4, 1536],
    /Diffusion 3/,
  ],
  Wan: ['diffusion_model.blocks.0.self_attn.q.lora_A.weight', [4, 5120], /Wan/],
  'a language model': [
    'base_model.model.model.layers.0.self_attn.o_proj.lora_A.weight',
    [4, 4096],
    /a LoRA for a language model/,
  ],
  'an autoencoder': [
    'vae.decoder.up_blocks.0.resnets.0.conv1.lora_A.weight',
    [4, 512, 3, 3],
    /an autoencoder/,
  ],
  'the reference UNet': [
    'reference_unet.down_blocks.0.attentions.0.proj_in.lora_A.weight',
    [2, 8, 1, 1],
    /a reference UNet/,
  ],
};
for (const [name, [down, dims, network]] of Object.entries(FOREIGN)) {
  test(`a LoRA for ${name} is refused, and called what it is`, () => {
    const zeros = (shape: readonly number[]): Tensor => ({
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
      dims: shape,
    });
    const up = down
      .replace('lora_down', 'lora_up')
      .replace('.lora_A.', '.lora_B.')
      .replace('_lora.down.', '_lora.up.');
    const file = path.join(folder, 'foreign.safetensors');
    writeFileSync(
      file,
      encodeSafetensors([
        [down, zeros(dims)],
        [up, zeros([4, dims[0]!, ...dims.slice(2).map(() => 1)])],
      ]),
    );
    assert.throws(
      () => withLoras(base, [{ lora: openLora(file), scale: 1 }]),
      (error) => {
        assert.ok(error instanceof ModelError);
        assert.match(error.message, network);
        return true;
      },
    );
  });
}

test('a whole network in the place of a LoRA is called what it is', () => {
  const file = path.join(folder, 'unet.safetensors');
  const names = [
    'model.diffusion_model.input_blocks.0.0.weight',
    'down_blocks.0.resnets.0.conv1.weight',
    'time_embedding.linear_1.weight',
    'conv_out.weight',
  ];
  const weight: Tensor = { data: Float32Array.of(1), dims: [1] };
  writeFileSync(file, encodeSafetensors([[names[0]!, weight]]));
  assert.throws(() => openLora(file), /it looks like a checkpoint of Stable Diffusion in its original names/);
  writeFileSync(file, encodeSafetensors(names.slice(1).map((name): [string, Tensor] => [name, weight])));
  assert.throws(() => openLora(file), /whole weights.*it looks like a denoising UNet without motion modules/);
});

test('text encoders are recognised under every prefix', () => {
  for (const key of [
    'lora_te_text_model_encoder_layers_0_mlp_fc1.alpha',
    'lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight',
    'module.text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight',
    'text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.down.weight',
    'base_model.model.text_model.encoder.layers.0.mlp.fc1.lora_A.weight',
  ]) {
    assert.equal(parseLoraKey(key).kind, 'text-encoder', key);
  }
});
