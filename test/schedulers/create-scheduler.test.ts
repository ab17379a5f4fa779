import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../src/errors.ts';
import { createScheduler, SAMPLERS, type Sampler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { zeros } from '../../src/tensor/tensor.ts';

const settings = {
  numInferenceSteps: 4,
  noiseSchedule: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
  predictionType: 'v_prediction',
} as const;

for (const sampler of SAMPLERS) {
  test(`${sampler} runs from pure noise to finite latents`, () => {
    const scheduler = createScheduler({ sampler, ...settings });
    assert.equal(scheduler.timesteps[0], 999);
    let latents = zeros([1, 4, 2, 2]);
    latents.data.fill(scheduler.initNoiseSigma);
    let history = scheduler.step({ stepIndex: 0, latents, modelOutput: latents, noise: latents }).history;
    scheduler.timesteps.forEach((_, stepIndex) => {
      const modelOutput = zeros([1, 4, 2, 2]);
      const output = scheduler.step({ stepIndex, latents, modelOutput, noise: modelOutput, history });
      latents = output.prevLatents;
      history = output.history;
    });
    assert.ok(latents.data.every(Number.isFinite));
  });
}

test('a sampler that does not exist is refused, and the message lists those that do', () => {
  assert.throws(
    () => createScheduler({ sampler: 'plms' as Sampler, ...settings }),
    (error) =>
      error instanceof InvalidOptionError && /lcm, ddim, dpmsolver, tcd, euler, got plms/.test(error.message),
  );
});
