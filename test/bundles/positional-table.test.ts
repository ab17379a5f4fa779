import test from 'node:test';
import { positionalTable } from '../../src/bundles/positional-table.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { assertGolden, goldenCase, readGoldenFile } from '../helpers/golden-weights.ts';

/** The reference computes angles in float32: at position 600, half of a last bit is 3e-5. */
const TOLERANCE = 3e-5;

test('the table of motion modules is the reference’s', () => {
  const golden = readGoldenFile('units');
  const expected = goldenCase(golden, 'positional_table').outputs.pe!;
  assertGolden(golden, expected, positionalTable(expected.shape).data as Float32Array, TOLERANCE, 'pe');
});

test('the table of Audio2Pose is the reference’s, at its ends and between', () => {
  const golden = readGoldenFile('audio2pose');
  const expected = golden.tensors.get('positional_table.pe')!;
  const channels = 64;
  const { data } = positionalTable([1, 600, channels]);
  const rows = [0, 1, 2, 299, 599].flatMap((row) => [...data.subarray(row * channels, (row + 1) * channels)]);
  assertAllClose(rows, expected.data, { rtol: 0, atol: TOLERANCE });
});
