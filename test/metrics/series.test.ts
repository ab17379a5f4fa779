import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestLag, correlation, deviation, median, spreadOf } from '../../src/metrics/series.ts';
import { golden } from './golden.ts';

test('correlation, lag, deviation and median match scipy', () => {
  const { driver, follower, ...expected } = golden.series;
  assert.ok(Math.abs(correlation(driver, follower) - expected.correlation) < 1e-12);
  assert.equal(bestLag(driver, follower, 5), expected.lag);
  assert.equal(bestLag(follower, driver, 5), -expected.lag);
  assert.ok(Math.abs(deviation(driver) - expected.deviation) < 1e-12);
  assert.ok(Math.abs(median(driver) - expected.median) < 1e-12);
});

test('middle and range leave out what was not measured', () => {
  assert.deepEqual(spreadOf([3, Number.NaN, 1, 10]), { median: 3, min: 1, max: 10, count: 3 });
  assert.equal(median([4, 1]), 2.5);
  assert.ok(Number.isNaN(spreadOf([]).median));
});
