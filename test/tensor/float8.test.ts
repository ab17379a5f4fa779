import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeFloat8 } from '../../src/tensor/float8.ts';

const decode = (byte: number, type: 'F8_E4M3' | 'F8_E5M2') => decodeFloat8(Uint8Array.of(byte), type)[0]!;

// Table 1 of Micikevicius et al. 2022, arXiv:2209.05433; all 256 patterns are compared with PyTorch's in test/golden/pytorch.
for (const [name, type, values] of [
  ['E4M3', 'F8_E4M3', { 126: 448, 8: 2 ** -6, 7: 1.75 * 2 ** -7, 1: 2 ** -9, 56: 1, 184: -1, 0: 0 }],
  ['E5M2', 'F8_E5M2', { 123: 57344, 4: 2 ** -14, 3: 1.5 * 2 ** -15, 1: 2 ** -16, 60: 1, 188: -1, 0: 0 }],
] as const) {
  test(`${name}: largest, smallest and subnormal numbers`, () => {
    for (const [byte, value] of Object.entries(values)) assert.equal(decode(Number(byte), type), value, byte);
    assert.ok(Object.is(decode(0x80, type), -0));
  });
}

test('E5M2 has infinities and several patterns that are no number, E4M3 one for each sign and none infinite', () => {
  assert.equal(decode(0x7c, 'F8_E5M2'), Number.POSITIVE_INFINITY);
  assert.equal(decode(0xfc, 'F8_E5M2'), Number.NEGATIVE_INFINITY);
  const notNumbers = (type: 'F8_E4M3' | 'F8_E5M2') =>
    Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => Number.isNaN(decode(byte, type)));
  assert.deepEqual(notNumbers('F8_E5M2'), [0x7d, 0x7e, 0x7f, 0xfd, 0xfe, 0xff]);
  assert.deepEqual(notNumbers('F8_E4M3'), [0x7f, 0xff]);
});
