import { test } from 'node:test';
import { sampleCurve } from '../../src/motion/resample-curve.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const FLOAT32 = { rtol: 1e-5, atol: 1e-5 };

test('a curve passes through its points and follows parabolas between them', () => {
  const curve = (x: number): [number, number] => [0.5 * x ** 2 - 2 * x + 1, 3 * x - 4];
  const data = Float32Array.from(Array.from({ length: 8 }, (_, x) => curve(x)).flat());
  const out = new Float32Array(2);
  for (let position = 1; position <= 6; position += 0.125) {
    sampleCurve(data, position, out);
    assertAllClose(out, curve(position), FLOAT32);
  }
});

test('beyond its ends a curve holds; one point alone is constant', () => {
  const out = new Float32Array(1);
  for (const [data, position, expected] of [
    [[5, 7, 2], -3, 5],
    [[5, 7, 2], 9, 2],
    [[5], 0, 5],
    [[5], 0.7, 5],
  ] as const) {
    sampleCurve(Float32Array.from(data), position, out);
    assertAllClose(out, [expected], FLOAT32);
  }
});
