import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeExitStatuses,
  EXIT_STATUSES,
  exitStatusOf,
  SIGNAL_STATUSES,
} from '../../src/cli/exit-codes.ts';
import * as errors from '../../src/errors.ts';

test('every error class has an exit status', () => {
  for (const [name, exported] of Object.entries(errors)) {
    if (typeof exported !== 'function' || !(exported.prototype instanceof errors.PipelineError)) continue;
    const { code } = new (exported as new (...args: never[]) => errors.PipelineError)(...([[]] as never[]));
    assert.ok(Object.hasOwn(EXIT_STATUSES, code), `${name}: ${code}`);
  }
});

test('statuses differ from each other and from those that shells use', () => {
  const statuses = [
    ...Object.values(EXIT_STATUSES).map(({ status }) => status),
    ...Object.values(SIGNAL_STATUSES),
    1,
  ];
  assert.equal(new Set(statuses).size, statuses.length);
  for (const { status } of Object.values(EXIT_STATUSES)) assert.ok(status >= 2 && status < 64);
});

test('what is none of our errors is a bug', () => {
  assert.equal(exitStatusOf(new TypeError('x')), 1);
  assert.equal(exitStatusOf(undefined), 1);
  assert.equal(exitStatusOf(new errors.MediaError('x', 'y')), 3);
});

test('the help names every status', () => {
  const text = describeExitStatuses();
  for (const { status, meaning } of Object.values(EXIT_STATUSES)) {
    assert.match(text, new RegExp(`^ {2}${status} +${meaning}$`, 'm'));
  }
});
