import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluationsOf, networkWork, variantWork } from '../../src/compare/work.ts';
import { atEveryStep, planContextWindows } from '../../src/denoising/context-windows.ts';
import { openBundle } from '../../src/models/bundle.ts';

const { description } = await openBundle('tiny');
const size = { frames: 33, windowSteps: 100, poseRuns: 3, windowFrames: 12, decodeFrames: 4 };
const network = networkWork(description, size);
const original = { form: 'lean', branches: 2 } as const;

test('evaluations of the original preset are 12.5 times those of the fast one', () => {
  const windows = planContextWindows(33, { contextFrames: 12, contextOverlap: 2 });
  assert.equal(windows.length, 4);
  const of = (branches: 1 | 2, steps: number): number =>
    evaluationsOf({ variant: { branches }, job: { windows: atEveryStep(windows, steps) } });
  assert.equal(of(2, 25), 200);
  assert.equal(of(1, 4), 16);
});

test('work of a clip is that of its runs', () => {
  const fast = variantWork({ form: 'lean', branches: 1 }, network, { ...size, windowSteps: 16 });
  assert.equal(fast.denoise, 16 * network.conditional);
  assert.equal(fast.pose, 3 * network.poseGuider);
  assert.equal(fast.decode, 9 * network.decoder); // 33 frames, four at a time
  const lean = variantWork(original, network, size);
  assert.equal(lean.denoise, 100 * (network.conditional + network.unconditional));
});

test('the published form does more: the unconditional branch twice, references for every frame, poses at every step', () => {
  const published = variantWork({ ...original, form: 'published' }, network, size);
  assert.equal(published.pose, 200 * network.poseGuider);
  assert.equal(published.denoise, 100 * network.published);
  assert.ok(network.published > 2 * network.conditional);
  // Banks leave the projections to the denoiser.
  assert.ok(published.reference < variantWork(original, network, size).reference);
});
