import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../src/errors.ts';
import {
  customTimesteps,
  ddimTimesteps,
  dpmSolverTimesteps,
  eulerTimesteps,
  evenTimesteps,
  lcmTimesteps,
  roundHalfToEven,
  type SpacingOptions,
  type TimestepSpacing,
} from '../../src/schedulers/timesteps.ts';
import { readGolden } from './replay.ts';

const golden = readGolden('timesteps.json');
const SPACINGS: readonly TimestepSpacing[] = ['leading', 'trailing', 'linspace'];
const numTrainTimesteps = 1000;

const families: readonly [string, (options: SpacingOptions) => number[]][] = [
  ['ddim', ddimTimesteps],
  ['dpmsolver_multistep', dpmSolverTimesteps],
  ['euler', eulerTimesteps],
];
for (const [family, select] of families) {
  for (const timestepSpacing of SPACINGS) {
    test(`${family} ${timestepSpacing} visits the reference's timesteps`, () => {
      const lists = Object.entries<number[]>(golden[family][timestepSpacing]);
      assert.ok(lists.length > 0);
      for (const [steps, expected] of lists) {
        const options = {
          numInferenceSteps: Number(steps),
          numTrainTimesteps,
          timestepSpacing,
          stepsOffset: 1,
        };
        // Euler's fractional timesteps are stored as float32.
        assert.deepEqual(select(options).map(Math.fround), expected.map(Math.fround), steps);
      }
    });
  }
}

test('trailing spacing has no entry too many where the reference has one', () => {
  for (const steps of [61, 103]) {
    const options = {
      numInferenceSteps: steps,
      numTrainTimesteps,
      timestepSpacing: 'trailing',
      stepsOffset: 0,
    } as const;
    const timesteps = ddimTimesteps(options);
    assert.equal(timesteps.length, steps);
    assert.ok(timesteps.at(-1)! >= 0);
    assert.equal(timesteps[0], 999);
  }
});

test('LCM picks from the distillation grid', () => {
  for (const originalInferenceSteps of [50, 100, 40]) {
    for (const [steps, expected] of Object.entries(golden.lcm[`orig${originalInferenceSteps}`])) {
      const options = {
        numInferenceSteps: Number(steps),
        numTrainTimesteps,
        originalInferenceSteps,
        strength: 1,
      };
      assert.deepEqual(lcmTimesteps(options), expected, `${steps} of ${originalInferenceSteps}`);
    }
  }
  for (const { num_inference_steps, strength, timesteps } of golden.lcm.strength) {
    const options = {
      numInferenceSteps: num_inference_steps,
      numTrainTimesteps,
      originalInferenceSteps: 50,
      strength,
    };
    assert.deepEqual(lcmTimesteps(options), timesteps, `${num_inference_steps} at strength ${strength}`);
  }
});

test('TCD picks from the distillation grid or from all timesteps', () => {
  for (const [steps, expected] of Object.entries(golden.tcd.default_orig50)) {
    const options = {
      numInferenceSteps: Number(steps),
      numTrainTimesteps,
      originalInferenceSteps: 50,
      strength: 1,
    };
    assert.deepEqual(lcmTimesteps(options), expected);
  }
  for (const [steps, expected] of Object.entries(golden.tcd.explicit_original_50)) {
    assert.deepEqual(evenTimesteps(Number(steps), numTrainTimesteps), expected);
  }
});

test('custom timesteps lose their noisiest for a strength below 1', () => {
  for (const { timesteps_in, strength, timesteps } of golden.lcm.custom_strength) {
    assert.deepEqual(customTimesteps(timesteps_in, { numTrainTimesteps, strength }), timesteps);
  }
});

test('what the reference refuses is refused', () => {
  for (const { timesteps_in, num_inference_steps, strength = 1, reason } of golden.lcm.errors) {
    const select = (): number[] =>
      timesteps_in
        ? customTimesteps(timesteps_in, { numTrainTimesteps, strength })
        : lcmTimesteps({
            numInferenceSteps: num_inference_steps,
            numTrainTimesteps,
            originalInferenceSteps: 50,
            strength,
          });
    assert.throws(select, InvalidOptionError, reason);
  }
  assert.throws(() => evenTimesteps(0, 1000), InvalidOptionError);
  assert.throws(() => customTimesteps([], { numTrainTimesteps, strength: 1 }), InvalidOptionError);
  const nothingLeft = { numInferenceSteps: 1, numTrainTimesteps, originalInferenceSteps: 50, strength: 0.01 };
  assert.throws(() => lcmTimesteps(nothingLeft), /strength/);
});

test('halves are rounded to the even neighbour', () => {
  assert.deepEqual([0.5, 1.5, 2.5, 2.4, 2.6, 3].map(roundHalfToEven), [0, 2, 2, 2, 3, 3]);
});
