import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closestName, findUnknownNames } from '../../../src/pipeline/options/check-options.ts';

const LIMIT = { timeout: 120_000 };

test('a near name is suggested, a far one is not', LIMIT, () => {
  const names = ['--seed', '--steps', '--still'];
  assert.equal(closestName('--stps', names), '--steps');
  assert.equal(closestName('--STEPS', names), '--steps');
  assert.equal(closestName('--colour', names), undefined);
  assert.equal(closestName('x', []), undefined);
});

test('names that nobody knows are refused, in their order; what is not given is not looked at', LIMIT, () => {
  const values = { colour: 1, seed: 2, stps: 3, nothing: undefined };
  assert.deepEqual(
    findUnknownNames(values, ['seed', 'steps'], 'animate').map(({ message, option, value }) => [
      option,
      value,
      message,
    ]),
    [
      ['colour', 1, 'Cannot use colour: expected an option of animate, got an unknown name'],
      ['stps', 3, 'Cannot use stps: expected an option of animate, got an unknown name; did you mean steps?'],
    ],
  );
});
