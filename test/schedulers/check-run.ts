import assert from 'node:assert/strict';
import type { PredictionLimit } from '../../src/schedulers/prediction-limit.ts';
import type { Scheduler } from '../../src/schedulers/scheduler.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { type GoldenRun, replay, replayInDouble } from './replay.ts';

/** The reference's double precision run, whose sums differ by their order only. */
const FLOAT64 = { rtol: 1e-10, atol: 1e-10 };
/** Three times what the reference's own float32 run differs from exact arithmetic by. */
const FLOAT32 = 6e-6;
/** Runs whose float32 goldens are further off: huge noise levels, Karras sigmas from float32 logarithms. */
const FLOAT32_OF_RUN: Readonly<Record<string, number>> = {
  euler_20_v_apz_trailing: 3e-5,
  lcm_4_epsilon_apz_custom: 3e-5,
  dpmpp2m_20_eps_sd_karras: 1.5e-5,
  euler_10_eps_sd_karras: 1.5e-5,
};

/** Compares all steps of a run: its end in double precision, its sums, and every tensor of the float32 goldens. */
export function checkRun(run: GoldenRun, scheduler: Scheduler, limit?: PredictionLimit): void {
  assertAllClose(
    scheduler.timesteps,
    run.timesteps_f64 ?? run.timesteps,
    { rtol: 0, atol: 1e-10 },
    'timesteps',
  );

  const trajectory = replayInDouble(run, scheduler, limit);
  assertAllClose(trajectory.at(-1)!, run.f64.final, FLOAT64, 'final');
  assertAllClose(
    trajectory.map((x) => x.reduce((sum, value) => sum + value, 0)),
    run.f64.sum,
    FLOAT64,
    'sum',
  );
  assertAllClose(
    trajectory.map((x) => x.reduce((sum, value) => sum + value * value, 0)),
    run.f64.sumsq,
    FLOAT64,
    'sum of squares',
  );

  const bound = FLOAT32_OF_RUN[run.id] ?? FLOAT32;
  const tolerance = { rtol: bound, atol: bound };
  const outputs = replay(run, scheduler);
  assert.equal(outputs.length, run.steps.length);
  run.steps.forEach((step, i) => {
    assertAllClose(outputs[i]!.prevLatents.data, step.prev, tolerance, `step ${i} prev`);
    if (step.x0 !== undefined)
      assertAllClose(outputs[i]!.denoised.data, step.x0, tolerance, `step ${i} denoised`);
  });
}
