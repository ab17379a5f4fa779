import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commonWindows } from '../../src/compare/common-windows.ts';
import type { VariantSpec } from '../../src/compare/variant-spec.ts';
import { chooseVariants } from '../../src/compare/variants.ts';
import {
  atEveryStep,
  planContextWindows,
  planLoopedWindows,
  planMovingWindows,
} from '../../src/denoising/context-windows.ts';
import { planDenoisedFrames } from '../../src/denoising/plan-frames.ts';
import { type Bundle, type BundlePreset, openBundle } from '../../src/models/bundle.ts';

const tiny = await openBundle('tiny');
const { fast, original } = tiny.description.presets;
const frames = 30;
const size = { contextFrames: 12, contextOverlap: 2 };

function plan(
  changes: Record<'fast' | 'original', Partial<BundlePreset>>,
  added: readonly VariantSpec[] = [],
) {
  const presets = {
    fast: { ...fast, windows: 'overlapping', ...changes.fast },
    original: { ...original, ...changes.original },
  };
  const bundle = { ...tiny, description: { ...tiny.description, presets } } as Bundle;
  const { variants } = chooseVariants(bundle, added, []);
  const { framesOf, notes } = commonWindows({ bundle, frames }, variants);
  const cut = (id: string) => framesOf(variants.find((variant) => variant.id === id)!);
  return { windows: cut('fast').windows, original: cut('original').windows, cut, notes };
}

test('variants have the windows that all their presets ask for', () => {
  const open = planContextWindows(frames, size);
  const both = plan({ fast: {}, original: { windows: 'overlapping' } });
  assert.deepEqual(both.windows, atEveryStep(open, 4));
  assert.deepEqual(both.notes, []);
  const looped = planLoopedWindows(frames, { ...size, overlap: 'mean' });
  assert.notDeepEqual(looped, open);
  const loop = { windows: 'loop' } as const;
  assert.deepEqual(plan({ fast: loop, original: loop }).windows, atEveryStep(looped, 4));
});

test('where presets lay windows differently, or add them up differently, all variants have overlapping ones', () => {
  const windows = planContextWindows(frames, size);
  for (const changes of [
    { fast: {}, original: { windows: 'loop' } },
    { fast: { windows: 'loop', unguidedOverlap: 'sum' }, original: { windows: 'loop' } },
  ] as const) {
    const common = plan(changes);
    assert.deepEqual(common.windows, atEveryStep(windows, 4));
    assert.deepEqual(common.original, atEveryStep(windows, 25));
    assert.match(common.notes.join(), /presets of the bundle tiny lay their windows differently/);
  }
});

test('a variant that denoises fewer frames has windows over those, of the same kind', () => {
  const loop = { windows: 'loop' } as const;
  const { cut } = plan({ fast: loop, original: loop }, [{ every: 2 }]);
  const { denoisedFrames, windows } = cut('lcm-4-every-2');
  assert.deepEqual(denoisedFrames, planDenoisedFrames(frames, 2));
  const expected = planLoopedWindows(denoisedFrames.length, { ...size, overlap: 'mean' });
  assert.deepEqual(windows, atEveryStep(expected, 4));
});

test('moving windows, and others that a variant is asked for, are its own', () => {
  const moving = planMovingWindows(frames, { contextFrames: 12, steps: 4 });
  const added = [{ windows: 'moving' }, { windows: 'loop' }] as const;
  const asked = plan({ fast: {}, original: {} }, added);
  assert.deepEqual(asked.notes, []);
  assert.deepEqual(asked.cut('lcm-4-moving').windows, moving);
  assert.deepEqual(
    asked.cut('lcm-4-loop').windows,
    atEveryStep(planLoopedWindows(frames, { ...size, overlap: 'mean' }), 4),
  );
  assert.deepEqual(asked.windows, atEveryStep(planContextWindows(frames, size), 4));
  const preset = plan({ fast: { windows: 'moving' }, original: { windows: 'loop' } });
  assert.deepEqual(preset.notes, []);
  assert.deepEqual(preset.windows, moving);
});
