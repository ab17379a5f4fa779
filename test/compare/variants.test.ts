import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseVariants, fusedLoras } from '../../src/compare/variants.ts';
import { ModelError } from '../../src/errors.ts';
import { type Bundle, openBundle } from '../../src/models/bundle.ts';

const tiny = await openBundle('tiny');

function bundleWith(changes: Record<string, unknown>): Bundle {
  return { ...tiny, description: { ...tiny.description, ...changes } as Bundle['description'] };
}

const idsOf = (
  bundle: Bundle,
  ...more: [Parameters<typeof chooseVariants>[1]?, Parameters<typeof chooseVariants>[2]?]
) => chooseVariants(bundle, more[0] ?? [], more[1] ?? []).variants.map(({ id }) => id);

test('the presets take part, the original one also as it was published', () => {
  const { variants, notes } = chooseVariants(tiny, [], []);
  assert.deepEqual(
    variants.map(({ id, title, form, steps }) => [id, title, form, steps]),
    [
      ['fast', 'LCM, 4 steps, moving windows, int8', 'lean', 4],
      ['original', 'DDIM, 25 steps, guidance 3.5', 'lean', 25],
      ['original-as-published', 'DDIM, 25 steps, guidance 3.5, as published', 'published', 25],
    ],
  );
  assert.deepEqual(notes, []);
});

test("presets are compared in the precision that they have on the device, a caller's choice as it is", () => {
  const added = [{ steps: 2 }, { precision: 'int8' }, { precision: 'float32' }] as const;
  const found = (onDevice: 'int8' | 'auto') =>
    chooseVariants(tiny, added, [{ setting: 'steps', values: [1] }], undefined, (precision) =>
      precision === 'int8' ? onDevice : precision,
    ).variants.map(({ id, precision }) => [id, precision]);
  assert.deepEqual(found('int8'), [
    ['fast-steps-1', 'int8'],
    ['lcm-2', 'int8'],
    ['fast', 'int8'],
    ['lcm-4-float32', 'float32'],
    ['original', undefined],
    ['original-as-published', undefined],
  ]);
  assert.deepEqual(found('auto'), [
    ['fast-steps-1', undefined],
    ['lcm-2', undefined],
    ['fast', undefined],
    ['lcm-4-int8', 'int8'],
    ['lcm-4-float32', 'float32'],
    ['original', undefined],
    ['original-as-published', undefined],
  ]);
});

test('a sweep passes through the preset, and duplicates are reported', () => {
  const added = [{ sampler: 'dpmsolver', steps: 8 } as const, { sampler: 'lcm', steps: 4 } as const];
  const { variants, notes } = chooseVariants(tiny, added, [{ setting: 'steps', values: [1, 4, 8] }]);
  assert.deepEqual(
    variants.map(({ id, swept }) => `${id}${swept ? '*' : ''}`),
    ['fast-steps-1*', 'fast*', 'fast-steps-8*', 'dpmsolver-8-g3.5', 'original', 'original-as-published'],
  );
  assert.deepEqual(notes, ['lcm-4 is the same as fast and was left out']);
});

test('a bundle without its original preset or its LoRA shows what there is and says so', () => {
  const { fast, original } = tiny.description.presets;
  assert.deepEqual(idsOf(bundleWith({ presets: { fast } })), ['fast']);
  const withoutFast = bundleWith({ presets: { original } });
  const { variants, notes } = chooseVariants(withoutFast, [{ steps: 2 }], []);
  assert.deepEqual(
    variants.map(({ id }) => id),
    ['original', 'original-as-published'],
  );
  assert.match(notes[0]!, /has no preset fast: compared is what there is/);
  assert.match(notes[1]!, /starts from the preset fast and was left out/);
  const undistilled = bundleWith({ presets: { original, fast: { ...fast, loras: [] } } });
  assert.match(chooseVariants(undistilled, [], []).notes[0]!, /preset fast of the bundle tiny has no LoRA/);
  const unguided = bundleWith({ presets: { fast, original: { ...original, guidance: 1 } } });
  assert.deepEqual(idsOf(unguided), ['fast', 'original']);
  assert.throws(() => idsOf(bundleWith({ presets: {} })), ModelError);
});

test('a preset whose LoRA is not there is compared without it, and says so', () => {
  const lacking = { ...tiny, missing: new Set(['lcmLora'] as const) };
  const { variants, notes } = chooseVariants(lacking, [], []);
  assert.deepEqual(
    variants.map(({ id, title, loras }) => [id, title, loras.length]),
    [
      ['fast', 'LCM, 4 steps, moving windows, int8, without its LoRA', 0],
      ['original', 'DDIM, 25 steps, guidance 3.5', 0],
      ['original-as-published', 'DDIM, 25 steps, guidance 3.5, as published', 0],
    ],
  );
  assert.match(
    notes.join(),
    /names the LoRA lcmLora, which is not among the bundle's files: it is compared without/,
  );
  const { fast } = tiny.description.presets;
  const alone = { ...bundleWith({ presets: { fast } }), missing: lacking.missing };
  assert.throws(() => idsOf(alone), /expected the preset original, or fast with its LoRA, got neither/);
});

test('a LoRA that is fused into the weights is in all variants, and that is said', () => {
  const { fast, original } = tiny.description.presets;
  const fused = bundleWith({ presets: { original, fast: { ...fast, loras: [] } } });
  const { variants, notes } = chooseVariants(fused, [], [], 'style.safetensors:0.8');
  assert.equal(variants[0]!.title, 'LCM, 4 steps, moving windows, int8');
  assert.equal(notes.length, 1);
  assert.match(notes[0]!, /has style\.safetensors:0\.8 fused into it, and all variants run on it/);
  assert.equal(fusedLoras(tiny), undefined);
});

test('guidance that the denoiser takes as an input is one evaluation, and has no published form', () => {
  const { denoisingUnet } = tiny.description;
  const embedded = bundleWith({ denoisingUnet: { ...denoisingUnet, timeCondProjDim: 64 } });
  const { variants, notes } = chooseVariants(embedded, [], []);
  assert.deepEqual(
    variants.map(({ id, branches, guidance }) => [id, branches, guidance]),
    [
      ['fast', 1, 1],
      ['original', 1, 3.5],
    ],
  );
  assert.match(notes.join(), /has no second branch for guidance/);
});
