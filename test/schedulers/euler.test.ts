import { test } from 'node:test';
import { EulerScheduler } from '../../src/schedulers/euler.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { checkRun } from './check-run.ts';
import { type GoldenRun, readGolden, scheduleOf } from './replay.ts';

const runs: readonly GoldenRun[] = readGolden('euler.json').runs;

for (const run of runs) {
  test(`${run.id} matches the reference`, () => {
    const { config } = run;
    const scheduler = new EulerScheduler({
      numInferenceSteps: run.set_timesteps.num_inference_steps,
      noiseSchedule: scheduleOf(run),
      predictionType: config.prediction_type,
      timestepSpacing: config.timestep_spacing ?? 'linspace',
      stepsOffset: config.steps_offset ?? 0,
      useKarrasSigmas: config.use_karras_sigmas ?? false,
    });
    assertAllClose(scheduler.sigmas, run.sigmas_f64!, { rtol: 1e-10, atol: 1e-12 }, 'sigmas');
    const sigma = [run.init.init_noise_sigma!];
    assertAllClose([scheduler.initNoiseSigma], sigma, { rtol: 1e-6, atol: 0 }, 'initNoiseSigma');
    checkRun(run, scheduler);
  });
}
