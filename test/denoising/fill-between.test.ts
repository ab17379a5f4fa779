import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atEveryStep, planContextWindows } from '../../src/denoising/context-windows.ts';
import { type DenoisedFrame, denoiseClip } from '../../src/denoising/denoise-clip.ts';
import { blendBetween, fillBetween } from '../../src/denoising/fill-between.ts';
import { planDenoisedFrames } from '../../src/denoising/plan-frames.ts';
import { createScheduler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** Changes each value alone, so that a frame does not depend on which others are denoised. */
async function pointwise({ data, dims }: Tensor, timestep: number): Promise<Tensor> {
  return { data: data.map((x) => (0.8 * x) / (1 + 0.1 * x * x) + Math.sin(0.01 * timestep)), dims };
}

async function* numbered(
  frames: AsyncIterable<DenoisedFrame>,
  numbers: readonly number[],
): AsyncGenerator<DenoisedFrame> {
  for await (const { frame, latents } of frames) yield { frame: numbers[frame]!, latents };
}

function blend({ latents: a }: DenoisedFrame, { latents: b }: DenoisedFrame, share: number) {
  return { latents: { data: blendBetween(a.data, b.data, share), dims: a.dims } };
}

async function render(frames: number, every: number): Promise<Float32Array[]> {
  const denoisedFrames = planDenoisedFrames(frames, every);
  const denoised = denoiseClip({
    denoiser: { conditional: pointwise },
    scheduler: createScheduler({
      sampler: 'lcm',
      numInferenceSteps: 4,
      noiseSchedule: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
      predictionType: 'v_prediction',
      timestepSpacing: 'trailing',
    }),
    guidanceScale: 1,
    windows: atEveryStep(
      planContextWindows(denoisedFrames.length, { contextFrames: 6, contextOverlap: 2 }),
      4,
    ),
    frameShape: [3, 4, 4],
    seed: 7,
    sharedFraction: 0.5,
    frameNumbers: denoisedFrames,
  });
  const clip: Float32Array[] = [];
  for await (const { frame, latents } of fillBetween(numbered(denoised, denoisedFrames), blend)) {
    assert.equal(frame, clip.length, 'frames come in order');
    assert.deepEqual(latents.dims, [1, 3, 1, 4, 4]);
    clip.push(latents.data);
  }
  return clip;
}

for (const every of [2, 3]) {
  test(`with every ${every}: denoised frames are those of the whole clip, from the same noise; between them latents change evenly`, async () => {
    const frames = 23;
    const whole = await render(frames, 1);
    const sparse = await render(frames, every);
    assert.equal(sparse.length, frames);
    const denoisedFrames = planDenoisedFrames(frames, every);
    for (const frame of denoisedFrames) {
      sparse[frame]!.forEach((value, i) => {
        assert.ok(Math.abs(value - whole[frame]![i]!) < 1e-5, `frame ${frame}, value ${i}`);
      });
    }
    for (let frame = 0; frame < frames; frame++) {
      if (denoisedFrames.includes(frame)) continue;
      const before = denoisedFrames.findLast((key) => key < frame)!;
      const after = denoisedFrames.find((key) => key > frame)!;
      const share = (frame - before) / (after - before);
      sparse[frame]!.forEach((value, i) => {
        const expected = (1 - share) * sparse[before]![i]! + share * sparse[after]![i]!;
        assert.ok(Math.abs(value - expected) < 1e-6, `frame ${frame}, value ${i}`);
      });
    }
  });
}
