import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commonWindows } from '../../src/compare/common-windows.ts';
import { type Bundle, openBundle } from '../../src/models/bundle.ts';
import { planContextWindows, planLoopedWindows } from '../../src/pipeline/context-windows.ts';
import { planKeyFrames } from '../../src/pipeline/key-frames.ts';
import { resolveOptions } from '../../src/pipeline/resolve-options.ts';

const tiny = await openBundle('tiny');
const { fast, original } = tiny.description.presets;
const options = resolveOptions({ portrait: 'a.jpg', audio: 'a.wav', output: 'a.mp4' });
const frames = 30;
const size = { contextFrames: 12, contextOverlap: 2 };
const contenders = [
  { preset: 'fast', halves: 1, every: 1 },
  { preset: 'original', halves: 2, every: 1 },
] as const;

function plan(changes: Record<'fast' | 'original', object>) {
  const presets = {
    fast: { ...fast, ...changes.fast },
    original: { ...original, ...changes.original },
  };
  const bundle = { ...tiny, description: { ...tiny.description, presets } } as Bundle;
  const { framesOf, notes } = commonWindows({ bundle, options, frames }, contenders);
  return { windows: framesOf(contenders[0]).windows, framesOf, notes };
}

test('contenders have the windows that all their presets ask for', () => {
  const open = planContextWindows(frames, size);
  const both = plan({ fast: {}, original: { windows: 'open' } });
  assert.deepEqual(both.windows, open);
  assert.deepEqual(both.notes, []);
  const looped = planLoopedWindows(frames, { ...size, overlap: 'mean' });
  assert.notDeepEqual(looped, open);
  const loop = { windows: 'loop' };
  assert.deepEqual(plan({ fast: loop, original: loop }).windows, looped);
});

test('where presets lay windows differently, or add them up differently, all contenders have open ones', () => {
  const windows = planContextWindows(frames, size);
  for (const changes of [
    { fast: {}, original: { windows: 'loop' } },
    { fast: { windows: 'loop', unguidedOverlap: 'sum' }, original: { windows: 'loop' } },
  ]) {
    const common = plan(changes);
    assert.deepEqual(common.windows, windows);
    assert.match(common.notes.join(), /presets of the bundle tiny lay their windows differently/);
  }
});

test('a contender that denoises fewer frames has windows over those, of the same kind', () => {
  const loop = { windows: 'loop' };
  const { framesOf } = plan({ fast: loop, original: loop });
  const { keyFrames, windows } = framesOf({ ...contenders[0], every: 2 });
  assert.deepEqual(keyFrames, planKeyFrames(frames, 2));
  assert.deepEqual(windows, planLoopedWindows(keyFrames.length, { ...size, overlap: 'mean' }));
});
