import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../src/errors.ts';
import {
  addNoise,
  type BetaSchedule,
  createNoiseSchedule,
  signalAndNoise,
} from '../../src/schedulers/noise-schedule.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { readGolden } from './replay.ts';

const FLOAT64 = { rtol: 1e-12, atol: 1e-15 };
const golden = readGolden('schedules.json');

for (const { id, config, idx, f32, f64 } of golden.schedules) {
  test(`${id} has the betas and ᾱ of the reference`, () => {
    const schedule = createNoiseSchedule({
      betaSchedule: config.beta_schedule as BetaSchedule,
      betaStart: config.beta_start ?? 0.0001,
      betaEnd: config.beta_end ?? 0.02,
      zeroTerminalSnr: config.rescale_betas_zero_snr ?? false,
    });
    const at = (table: Float64Array): number[] => idx.map((i: number) => table[i]!);
    const sum = (table: Float64Array): number => table.reduce((total, value) => total + value, 0);
    assertAllClose(at(schedule.alphasCumprod), f64.alphas_cumprod, FLOAT64, 'ᾱ');
    // Near t = 0, betas of a rescaled schedule are differences of nearly equal numbers.
    assertAllClose(at(schedule.betas), f64.betas, { rtol: 1e-12, atol: 1e-12 }, 'betas');
    assertAllClose(
      [sum(schedule.alphasCumprod), sum(schedule.betas)],
      [f64.sum_alphas_cumprod, f64.sum_betas],
      FLOAT64,
      'sums',
    );
    assertAllClose(at(schedule.alphasCumprod), f32.alphas_cumprod, { rtol: 5e-6, atol: 5e-6 }, 'float32');
  });
}

test('the noise levels of the distillation grid match the reference', () => {
  const levels = golden.every_20th_from_19_f64;
  const tables = {
    aniportrait_linear_zsnr: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
    sd_scaled_linear: createNoiseSchedule({ betaSchedule: 'scaled_linear' }),
    sd_scaled_linear_zsnr: createNoiseSchedule({ betaSchedule: 'scaled_linear', zeroTerminalSnr: true }),
  };
  for (const [name, { alphasCumprod }] of Object.entries(tables)) {
    assertAllClose(
      levels.t.map((t: number) => alphasCumprod[t]),
      levels[name],
      FLOAT64,
      name,
    );
  }
});

test('zero terminal SNR leaves the first timestep and ends in pure noise', () => {
  const plain = createNoiseSchedule({ betaSchedule: 'linear' });
  const rescaled = createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true });
  assert.deepEqual(signalAndNoise(rescaled, 999), [0, 1]);
  assert.equal(rescaled.betas[999], 1);
  assertAllClose([rescaled.alphasCumprod[0]!], [plain.alphasCumprod[0]!], FLOAT64);
});

test('addNoise mixes by signal and noise, and keeps the variance', () => {
  const schedule = createNoiseSchedule({ betaSchedule: 'scaled_linear' });
  const [signal, sigma] = signalAndNoise(schedule, 499);
  const latents = { data: Float32Array.of(1, 0), dims: [2] };
  const noise = { data: Float32Array.of(0, 1), dims: [2] };
  const { data } = addNoise(schedule, latents, noise, 499);
  assertAllClose(data, [signal, sigma], { rtol: 1e-7, atol: 0 });
  assertAllClose([signal ** 2 + sigma ** 2], [1], FLOAT64);
});

test('settings out of range are refused', () => {
  assert.throws(() => createNoiseSchedule({ betaSchedule: 'linear', betaStart: 0 }), InvalidOptionError);
  assert.throws(() => createNoiseSchedule({ betaSchedule: 'linear', betaEnd: 1 }), InvalidOptionError);
  assert.throws(
    () => createNoiseSchedule({ betaSchedule: 'cosine' as BetaSchedule }),
    /expected one of linear/,
  );
  const schedule = createNoiseSchedule({ betaSchedule: 'linear' });
  assert.throws(() => signalAndNoise(schedule, 1000), InvalidOptionError);
  assert.throws(() => signalAndNoise(schedule, 1.5), InvalidOptionError);
});
