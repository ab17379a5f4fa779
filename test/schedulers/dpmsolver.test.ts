import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../src/errors.ts';
import { DpmSolverScheduler } from '../../src/schedulers/dpmsolver.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { checkRun } from './check-run.ts';
import { type GoldenRun, readGolden, scheduleOf } from './replay.ts';

const runs: readonly GoldenRun[] = readGolden('dpmsolver.json').runs;

for (const run of runs) {
  test(`${run.id} matches the reference`, () => {
    const { config } = run;
    const scheduler = new DpmSolverScheduler({
      numInferenceSteps: run.set_timesteps.num_inference_steps,
      noiseSchedule: scheduleOf(run),
      predictionType: config.prediction_type,
      timestepSpacing: config.timestep_spacing ?? 'linspace',
      stepsOffset: config.steps_offset ?? 0,
      algorithm: config.algorithm_type ?? 'dpmsolver++',
      solverOrder: config.solver_order ?? 2,
      solverType: config.solver_type ?? 'midpoint',
      useKarrasSigmas: config.use_karras_sigmas ?? false,
      finalSigma: config.final_sigmas_type ?? 'zero',
    });
    assertAllClose(scheduler.sigmas, run.sigmas_f64!, { rtol: 1e-10, atol: 1e-12 }, 'sigmas');
    checkRun(run, scheduler);
  });
}

const options = {
  numInferenceSteps: 4,
  noiseSchedule: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
  predictionType: 'v_prediction',
} as const;

test('a second step without the first one’s history is refused', () => {
  const scheduler = new DpmSolverScheduler(options);
  const latents = zeros([1, 2]);
  assert.throws(() => scheduler.step({ stepIndex: 1, latents, modelOutput: latents }), /expected history/);
  const { history } = scheduler.step({ stepIndex: 0, latents, modelOutput: latents });
  assert.doesNotThrow(() => scheduler.step({ stepIndex: 1, latents, modelOutput: latents, history }));
});

test('forms that do not exist are refused', () => {
  assert.throws(() => new DpmSolverScheduler({ ...options, solverOrder: 4 }), InvalidOptionError);
  assert.throws(() => new DpmSolverScheduler({ ...options, algorithm: 'dpmsolver' }), /expected sigma_min/);
  assert.throws(
    () => new DpmSolverScheduler({ ...options, algorithm: 'sde-dpmsolver++', solverType: 'heun' }),
    /expected midpoint/,
  );
});

test('order 3 falls to 2 and 1 at the end of runs of fewer than 15 steps, and to 1 at the end of all', () => {
  const orders = (numInferenceSteps: number): number[] => {
    const scheduler = new DpmSolverScheduler({ ...options, numInferenceSteps, solverOrder: 3 });
    return scheduler.timesteps.map((_, i) => scheduler.coefficients(i).previous.history.length + 1);
  };
  assert.deepEqual(orders(14).slice(-3), [3, 2, 1]);
  assert.deepEqual(orders(15).slice(-3), [3, 3, 1]);
  assert.deepEqual(orders(15).slice(0, 3), [1, 2, 3]);
});
