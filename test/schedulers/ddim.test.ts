import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../src/errors.ts';
import { DdimScheduler } from '../../src/schedulers/ddim.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { checkRun } from './check-run.ts';
import { type GoldenRun, readGolden, scheduleOf } from './replay.ts';

const runs: readonly GoldenRun[] = readGolden('ddim.json').runs;
const aniPortrait = createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true });

for (const run of runs) {
  test(`${run.id} matches the reference`, () => {
    const { config, step_kwargs = {} } = run;
    const limit = config.clip_sample ? { clip: 1 } : undefined;
    const scheduler = new DdimScheduler({
      numInferenceSteps: run.set_timesteps.num_inference_steps,
      noiseSchedule: scheduleOf(run),
      predictionType: config.prediction_type,
      timestepSpacing: config.timestep_spacing ?? 'leading',
      stepsOffset: config.steps_offset ?? 0,
      setAlphaToOne: config.set_alpha_to_one ?? true,
      eta: step_kwargs.eta ?? 0,
      useClippedModelOutput: step_kwargs.use_clipped_model_output ?? false,
      ...(limit && { limit }),
    });
    checkRun(run, scheduler, limit);
  });
}

test('AniPortrait steps by the stride, and drifts off its list where that does not divide 1000', () => {
  const options = {
    numInferenceSteps: 6,
    noiseSchedule: aniPortrait,
    predictionType: 'v_prediction',
  } as const;
  const stride = new DdimScheduler(options).coefficients(0).previous;
  const list = new DdimScheduler({ ...options, previousTimestep: 'list' }).coefficients(0).previous;
  assertAllClose([stride.predicted], [Math.sqrt(aniPortrait.alphasCumprod[833]!)], { rtol: 1e-12, atol: 0 });
  assertAllClose([list.predicted], [Math.sqrt(aniPortrait.alphasCumprod[832]!)], { rtol: 1e-12, atol: 0 });
});

test('steps by the list end at the predicted clean latents', () => {
  const scheduler = new DdimScheduler({
    numInferenceSteps: 6,
    noiseSchedule: aniPortrait,
    predictionType: 'v_prediction',
    previousTimestep: 'list',
  });
  const { latents, modelOutput, predicted } = scheduler.coefficients(5).previous;
  assertAllClose([latents, modelOutput, predicted], [0, 0, 1], { rtol: 0, atol: 0 });
});

test('noise is needed with eta only', () => {
  const options = {
    numInferenceSteps: 4,
    noiseSchedule: aniPortrait,
    predictionType: 'v_prediction',
  } as const;
  assert.equal(new DdimScheduler(options).needsNoise(1), false);
  assert.equal(new DdimScheduler({ ...options, eta: 0.5 }).needsNoise(1), true);
  assert.throws(() => new DdimScheduler({ ...options, eta: 2 }), InvalidOptionError);
  assert.throws(() => new DdimScheduler({ ...options, predictionType: 'epsilon' }), /no signal/);
});
