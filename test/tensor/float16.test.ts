import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeHalf, encodeHalf, type HalfType } from '../../src/tensor/float16.ts';

const { cases } = JSON.parse(
  readFileSync(new URL('../golden/lora/half_conversion.json', import.meta.url), 'utf8'),
);

for (const [type, field] of [
  ['F16', 'f16_from_f32'],
  ['BF16', 'bf16_from_f32'],
] as const) {
  test(`${type} rounds to nearest, ties to even`, () => {
    for (const { x, [field]: expected } of cases) {
      const [actual] = encodeHalf(Float32Array.of(Number(x)), type);
      if (x === 'NaN') assert.ok(Number.isNaN(decodeHalf(Uint16Array.of(actual!), type)[0]));
      else assert.equal(actual, expected, String(x));
    }
  });

  test(`every ${type} pattern survives decoding and encoding`, () => {
    const patterns = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
    const values = decodeHalf(patterns, type);
    const back = encodeHalf(values, type);
    const wrong = patterns.findIndex((pattern, i) => !Number.isNaN(values[i]) && back[i] !== pattern);
    assert.equal(wrong, -1);
  });
}

test('known patterns decode to their numbers', () => {
  const numbers = (type: HalfType, ...patterns: number[]) => [
    ...decodeHalf(Uint16Array.from(patterns), type),
  ];
  assert.deepEqual(numbers('F16', 0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x7c00), [
    1,
    -2,
    2 ** -24,
    1023 * 2 ** -24,
    65504,
    Number.POSITIVE_INFINITY,
  ]);
  assert.deepEqual(numbers('BF16', 0x3f80, 0xc000, 0x3fc0), [1, -2, 1.5]);
});

test('a view into a larger buffer is read from its own start', () => {
  const all = Float32Array.of(7, 1, 2);
  assert.deepEqual([...decodeHalf(encodeHalf(all.subarray(1), 'F16'), 'F16')], [1, 2]);
});
