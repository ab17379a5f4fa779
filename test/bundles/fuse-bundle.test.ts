import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type FuseOptions, fuseBundle } from '../../src/bundles/fuse-bundle.ts';
import { chooseVariants } from '../../src/compare/variants.ts';
import { EnvironmentError, InvalidOptionError, ModelError } from '../../src/errors.ts';
import { type Bundle, openBundle, verifyBundle } from '../../src/models/bundle.ts';
import { presetOf } from '../../src/pipeline/resolve-sampling.ts';
import { decodeHalf, encodeHalf } from '../../src/tensor/float16.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();
const LORAS = fileURLToPath(new URL('../golden/lora/', import.meta.url));
const golden = (name: string): string => path.join(LORAS, name);

let stores = 0;
function options(changes: Partial<FuseOptions> = {}): FuseOptions {
  return { store: path.join(folder, `store-${stores++}`), name: 'fused', ...changes };
}

const tiny = await openBundle('tiny');

/** The embedded bundle with the golden base as its denoising UNet. */
function withBase(base: string): Bundle {
  return { ...tiny, pathOf: (part) => (part === 'denoisingUnet' ? golden(base) : tiny.pathOf(part)) };
}

/** Compares a fused UNet with a golden merge; weights that it does not name are the base's, bit by bit. */
async function assertFused(
  made: string,
  expectedFile: string,
  baseFile: string,
  exact: boolean,
): Promise<void> {
  const bundle = await openBundle(made);
  await verifyBundle(bundle);
  const fused = openSafetensors(bundle.pathOf('denoisingUnet'));
  const expected = openSafetensors(golden(expectedFile));
  const base = openSafetensors(golden(baseFile));
  for (const key of base.keys()) {
    const changed = expected.has(key);
    const { data } = changed ? expected.read(key) : base.read(key);
    const found = fused.read(key);
    assert.deepEqual(fused.info(key), base.info(key));
    if (exact || !changed) assert.deepEqual(found.data, data, key);
    else assertAllClose(found.data, data, { rtol: 0, atol: 1e-6 }, key);
  }
  for (const file of [fused, expected, base]) file.dispose();
}

for (const type of ['f32', 'f16', 'bf16']) {
  test(`a LoRA is fused into ${type} weights and rounded once`, async () => {
    const bundle = withBase(`base.${type}.safetensors`);
    const loras = [{ path: golden('lora_a_kohya.safetensors'), scale: 1 }];
    const { folder: made } = await fuseBundle(bundle, options({ loras }));
    await assertFused(made, `expected_a1.${type}.safetensors`, `base.${type}.safetensors`, type !== 'f32');
  });
}

test('several LoRAs with scales, one of them for motion modules, are fused together', async () => {
  const loras = [
    { path: golden('lora_a_kohya.safetensors'), scale: 0.8 },
    { path: golden('lora_b_diffusers_peft.safetensors'), scale: 1 },
  ];
  const { folder: made } = await fuseBundle(withBase('base.f16.safetensors'), options({ loras }));
  await assertFused(made, 'expected_a08_b1.f16.safetensors', 'base.f16.safetensors', true);
});

test('half precision may be asked for', async () => {
  const loras = [{ path: golden('lora_a_kohya.safetensors'), scale: 1 }];
  const { folder: made } = await fuseBundle(withBase('base.f32.safetensors'), options({ loras, half: true }));
  const fused = openSafetensors((await openBundle(made)).pathOf('denoisingUnet'));
  const expected = openSafetensors(golden('expected_a1.f32.safetensors'));
  for (const key of expected.keys()) {
    assert.equal(fused.info(key).dtype, 'F16');
    const rounded = decodeHalf(encodeHalf(expected.read(key).data, 'F16'), 'F16');
    // A value on the boundary between two may go either way: the expectation itself is rounded to float32.
    assertAllClose(fused.read(key).data, rounded, { rtol: 2 ** -10, atol: 0 }, key);
  }
});

test('a preset’s own LoRA is fused and leaves the presets and files; the other files are taken over', async () => {
  const given = options({ preset: 'fast' });
  const result = await fuseBundle(tiny, given);
  const { presets, files, name } = result.description;
  assert.equal(name, 'fused');
  assert.deepEqual(presets.fast, { ...tiny.description.presets.fast, loras: [] });
  assert.deepEqual(presets.faster, { ...tiny.description.presets.faster, loras: [] }); // has the same LoRA
  assert.equal(files.lcmLora, undefined);
  assert.deepEqual(files.calibration, tiny.description.files.calibration); // measured with this LoRA, too
  const bundle = await openBundle('fused', given.store);
  await verifyBundle(bundle);
  assert(readFileSync(bundle.pathOf('codec')).equals(readFileSync(tiny.pathOf('codec'))));
  assert.equal(statSync(bundle.pathOf('denoisingUnet')).size, files.denoisingUnet!.bytes);
});

test('a preset that the LoRAs are not for is left out, with a notice, and asking for it names what there is', async () => {
  const notices: string[] = [];
  const given = options({
    preset: 'fast',
    onProgress: (event) => event.type === 'notice' && notices.push(event.message),
  });
  const { description } = await fuseBundle(tiny, given);
  assert.deepEqual(Object.keys(description.presets), ['fast', 'faster']);
  assert.match(
    notices.join('\n'),
    /no preset original: .*bundle tiny .*still has it .*--sampler ddim --steps 25/,
  );
  const fused = await openBundle('fused', given.store);
  assert.throws(
    () => presetOf(fused, 'original'),
    /expected one of bundle fused, fast, faster, got original/,
  );
  const { variants, notes } = chooseVariants(fused, [], []);
  assert.deepEqual(
    variants.map(({ preset }) => preset),
    ['fast'],
  );
  assert.match(notes.join('\n'), /bundle fused has no preset original/);
});

test('fused for the preset original, a bundle has no preset fast, nor its LoRA', async () => {
  const loras = [{ path: tiny.pathOf('lcmLora'), scale: 0.5 }];
  const notices: string[] = [];
  const given = options({
    ...{ loras, preset: 'original' },
    onProgress: (event) => event.type === 'notice' && notices.push(event.message),
  });
  const { description } = await fuseBundle(tiny, given);
  assert.deepEqual(Object.keys(description.presets), ['original']);
  assert.equal(description.files.lcmLora, undefined);
  assert.equal(description.files.calibration, undefined); // of other activations
  assert.match(notices.join('\n'), /no calibration for int8/);
  const fast = { sampler: 'tcd', steps: 8, guidance: 2 } as const;
  await assert.rejects(fuseBundle(tiny, options({ loras, preset: 'original', fast })), InvalidOptionError);
});

test('what the preset fast does can be changed', async () => {
  const loras = [{ path: tiny.pathOf('lcmLora'), scale: 0.5 }];
  const { description } = await fuseBundle(
    tiny,
    options({ loras, fast: { sampler: 'tcd', steps: 8, guidance: 2 } }),
  );
  const { fast } = description.presets;
  assert.deepEqual([fast?.sampler, fast?.steps, fast?.guidance], ['tcd', 8, 2]);
  assert.match(description.description, /Fused with lcm_lora\.safetensors/);
});

test('nothing to fuse, a LoRA for another network, or a name that is taken is refused, and nothing is left', async () => {
  const given = options();
  await assert.rejects(fuseBundle(tiny, given), InvalidOptionError);
  const loras = [{ path: golden('lora_a_kohya.safetensors'), scale: 1 }];
  await assert.rejects(fuseBundle(tiny, { ...given, loras }), /it was made for another network/);
  const own = { ...given, preset: 'fast' as const };
  await fuseBundle(tiny, own);
  await assert.rejects(fuseBundle(tiny, own), /taken by .*overwrite: true/);
  await fuseBundle(tiny, { ...own, overwrite: true });
  assert.deepEqual(readdirSync(given.store), ['fused']);
});

test('a disk that fills up leaves nothing', async () => {
  const given = options({
    preset: 'fast',
    createFile: async () =>
      ({
        write: async () => {
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        },
        sync: async () => {},
        close: async () => {},
      }) as never,
  });
  await assert.rejects(fuseBundle(tiny, given), EnvironmentError);
  assert.deepEqual(readdirSync(given.store), []);
});

test('a damaged bundle is an error that names the file', async () => {
  const copy = path.join(folder, 'copy');
  await cp(tiny.folder, copy, { recursive: true });
  const bundle = await openBundle(copy);
  const cut = { ...bundle, pathOf: () => path.join(copy, 'bundle.json') };
  await assert.rejects(fuseBundle(cut, options({ preset: 'fast' })), ModelError);
});
