import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError, ShapeError } from '../../src/errors.ts';
import { LcmScheduler } from '../../src/schedulers/lcm.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import type { PredictionLimit } from '../../src/schedulers/prediction-limit.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { checkRun } from './check-run.ts';
import { type GoldenRun, readGolden, replay, scheduleOf } from './replay.ts';

const runs: readonly GoldenRun[] = readGolden('lcm.json').runs;

function limitOf({ config }: GoldenRun): PredictionLimit | undefined {
  if (config.thresholding) {
    return { dynamicThreshold: config.dynamic_thresholding_ratio, maxValue: config.sample_max_value };
  }
  return config.clip_sample ? { clip: config.clip_sample_range } : undefined;
}

function schedulerOf(run: GoldenRun): LcmScheduler {
  const limit = limitOf(run);
  const { original_inference_steps, timestep_scaling } = run.config;
  const { num_inference_steps = 1, strength = 1, timesteps } = run.set_timesteps;
  return new LcmScheduler({
    numInferenceSteps: num_inference_steps,
    noiseSchedule: scheduleOf(run),
    predictionType: run.config.prediction_type,
    strength,
    ...(original_inference_steps && { originalInferenceSteps: original_inference_steps }),
    ...(timestep_scaling && { timestepScaling: timestep_scaling }),
    ...(timesteps && { timesteps }),
    ...(limit && { limit }),
  });
}

/** Its last step adds noise, against the method: the library counts the steps that strength has cut off. */
const QUIRK = 'lcm_custom_strength05_bug';

for (const run of runs) {
  if (run.finite === false || run.id === QUIRK) continue;
  test(`${run.id} matches the reference`, () => {
    const scheduler = schedulerOf(run);
    checkRun(run, scheduler, limitOf(run));
    run.steps.forEach((step, i) => {
      const { latents, predicted } = scheduler.coefficients(i).denoised;
      assertAllClose([latents, predicted], [step.c_skip!, step.c_out!], { rtol: 3e-7, atol: 0 }, 'boundary');
    });
  });
}

test('after a cut list of timesteps the last step returns the denoised latents', () => {
  const run = runs.find(({ id }) => id === QUIRK)!;
  const outputs = replay(run, schedulerOf(run));
  const tolerance = { rtol: 6e-6, atol: 6e-6 };
  run.steps.forEach((step, i) => {
    assertAllClose(outputs[i]!.denoised.data, step.x0!, tolerance);
  });
  assertAllClose(outputs[0]!.prevLatents.data, run.steps[0]!.prev, tolerance);
  assert.deepEqual(outputs[1]!.prevLatents.data, outputs[1]!.denoised.data);
});

test('noise prediction is refused where zero terminal SNR leaves no signal', () => {
  const run = runs.find(({ finite }) => finite === false)!;
  assert.throws(
    () => schedulerOf(run),
    (error) => {
      assert.ok(error instanceof InvalidOptionError);
      assert.equal(error.option, 'predictionType');
      assert.match(error.message, /v_prediction or sample at timestep 999/);
      return true;
    },
  );
});

test('a step refuses other shapes, missing noise and steps that do not exist', () => {
  const noiseSchedule = createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true });
  const scheduler = new LcmScheduler({ numInferenceSteps: 2, noiseSchedule, predictionType: 'v_prediction' });
  const latents = zeros([1, 4, 2, 2]);
  const input = { stepIndex: 0, latents, modelOutput: latents, noise: latents };
  assert.throws(() => scheduler.step({ ...input, modelOutput: zeros([1, 4, 4, 1]) }), ShapeError);
  assert.throws(() => scheduler.step({ ...input, noise: zeros([16]) }), ShapeError);
  assert.throws(() => scheduler.step({ ...input, stepIndex: 2 }), InvalidOptionError);
  assert.throws(() => scheduler.step({ stepIndex: 0, latents, modelOutput: latents }), /expected noise/);
  assert.doesNotThrow(() => scheduler.step({ stepIndex: 1, latents, modelOutput: latents }));
});

test('a step leaves its inputs as they are', () => {
  const noiseSchedule = createNoiseSchedule({ betaSchedule: 'linear' });
  const limit = { clip: 0.1 };
  const scheduler = new LcmScheduler({
    numInferenceSteps: 2,
    noiseSchedule,
    predictionType: 'sample',
    limit,
  });
  const input = () => ({ data: Float32Array.of(1, -2, 3), dims: [1, 3] });
  const [latents, modelOutput, noise] = [input(), input(), input()];
  scheduler.step({ stepIndex: 0, latents, modelOutput, noise });
  for (const used of [latents, modelOutput, noise]) assert.deepEqual(used, input());
});
