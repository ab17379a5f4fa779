import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MediaError } from '../../src/errors.ts';
import { decodeNpy, encodeNpy } from '../../src/motion/npy.ts';

/** numpy 2.4.6: `numpy.save(f, numpy.arange(6.).reshape(2, 3) / 4)`. */
const BY_NUMPY = Buffer.from(
  `934e554d5059010076007b276465736372273a20273c6638272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a2028322c2033292c207d${'20'.repeat(58)}0a` +
    [
      '0000000000000000',
      '000000000000d03f',
      '000000000000e03f',
      '000000000000e83f',
      '000000000000f03f',
      '000000000000f43f',
    ].join(''),
  'hex',
);
const table = { data: Float64Array.of(0, 0.25, 0.5, 0.75, 1, 1.25), shape: [2, 3] };

test("NumPy's file is read, and written as NumPy writes it", () => {
  assert.deepEqual(decodeNpy(BY_NUMPY, 'a.npy'), table);
  assert.deepEqual(Buffer.from(encodeNpy(table)), BY_NUMPY);
});

test('a list of numbers keeps its shape', () => {
  const list = { data: Float64Array.of(1, 2), shape: [2] };
  assert.deepEqual(decodeNpy(encodeNpy(list), 'a.npy'), list);
});

for (const [what, bytes, message] of [
  ['of another kind', Buffer.from('no array of numbers'), /got a file of another kind/],
  ['that is cut', BY_NUMPY.subarray(0, -4), /whose end is missing/],
  ['with NaN', encodeNpy({ data: Float64Array.of(1, Number.NaN), shape: [2] }), /got NaN or infinity/],
  ['of integers', Buffer.from(BY_NUMPY.toString('latin1').replace('<f8', '<i8'), 'latin1'), /got <i8/],
  [
    'by columns',
    Buffer.from(BY_NUMPY.toString('latin1').replace('False', 'True '), 'latin1'),
    /another order/,
  ],
] as const) {
  test(`a file ${what} is refused`, () => {
    assert.throws(
      () => decodeNpy(bytes, 'a.npy'),
      (error: Error) => error instanceof MediaError && message.test(error.message),
    );
  });
}
