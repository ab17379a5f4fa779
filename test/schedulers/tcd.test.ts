import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TcdScheduler } from '../../src/schedulers/tcd.ts';
import { checkRun } from './check-run.ts';
import { type GoldenRun, readGolden, scheduleOf } from './replay.ts';

const runs: readonly GoldenRun[] = readGolden('tcd.json').runs;

for (const run of runs) {
  test(`${run.id} matches the reference`, () => {
    const scheduler = new TcdScheduler({
      numInferenceSteps: run.set_timesteps.num_inference_steps,
      noiseSchedule: scheduleOf(run),
      predictionType: run.config.prediction_type,
      // 0.3 is the default.
      ...(run.step_kwargs.eta !== 0.3 && { eta: run.step_kwargs.eta }),
      grid: run.set_timesteps.original_inference_steps === undefined ? 'distillation' : 'training',
    });
    checkRun(run, scheduler);
    assert.equal(scheduler.needsNoise(0), run.step_kwargs.eta > 0 && run.steps.length > 1);
  });
}
