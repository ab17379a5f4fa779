import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSweep, parseVariant, presetOf } from '../../src/compare/variant-spec.ts';
import { InvalidOptionError } from '../../src/errors.ts';

test('variants are read with their other names, and start from the preset that fits the sampler', () => {
  const spec = parseVariant('sampler=dpmpp, steps=8,guidance=2.5');
  assert.deepEqual(spec, { sampler: 'dpmsolver', steps: 8, guidance: 2.5 });
  assert.equal(presetOf(spec), 'original');
  assert.equal(presetOf(parseVariant('sampler=tcd')), 'fast');
  assert.equal(presetOf(parseVariant('steps=2')), 'fast');
  assert.deepEqual(parseVariant('precision=int8'), { precision: 'int8' });
  assert.equal(presetOf(parseVariant('sampler=lcm,preset=original')), 'original');
});

for (const [text, message] of [
  ['sampler=magic', /sampler to be lcm, ddim, dpmsolver, tcd or euler, got "magic"/],
  ['steps=0', /steps to be an integer from 1 to 100, got 0/],
  ['steps=4.5', /steps to be an integer/],
  ['guidance=x', /guidance to be a number from 1 to 20, got "x"/],
  ['sampler=lcm,steps=60', /steps to be at most 50 with sampler lcm, got 60/],
  ['steps=4,steps=8', /steps once, got it twice/],
  ['strength=1', /settings like sampler=dpmpp,steps=8,guidance=2.5, got "strength=1"/],
  ['', /settings like/],
  ['precision=int4', /precision to be auto, float32, float16 or int8, got "int4"/],
  ['preset=slow', /preset to be fast, faster or original, got "slow"/],
] as const) {
  test(`the variant ${JSON.stringify(text)} is refused`, () => {
    assert.throws(
      () => parseVariant(text, '--with'),
      (error: Error) =>
        error instanceof InvalidOptionError && error.option === '--with' && message.test(error.message),
    );
  });
}

test('sweeps are read, and values that are there twice count once', () => {
  assert.deepEqual(parseSweep('steps=1,2,4,2,8'), { setting: 'steps', values: [1, 2, 4, 8] });
  assert.deepEqual(parseSweep('guidance=1,1.5'), { setting: 'guidance', values: [1, 1.5] });
  assert.deepEqual(parseSweep('every=1,2,4'), { setting: 'every', values: [1, 2, 4] });
  for (const text of [
    'steps',
    'steps=',
    'steps=1,,2',
    'sampler=lcm,ddim',
    'steps=101',
    'guidance=0.5',
    'every=1.5',
    'every=9',
  ]) {
    assert.throws(() => parseSweep(text), InvalidOptionError, text);
  }
});
