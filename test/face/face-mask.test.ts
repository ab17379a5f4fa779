import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boxOfMask, faceMask } from '../../src/face/face-mask.ts';
import { RandomStream } from '../../src/tensor/random.ts';

/** Largest, or mean, value of each cell's neighbours. */
function pooled(data: Float32Array, cells: number, mean: boolean): Float32Array {
  return data.map((_, i) => {
    const near = Array.from({ length: 9 }, (_, k) => [
      (i % cells) + (k % 3) - 1,
      Math.floor(i / cells) + Math.floor(k / 3) - 1,
    ])
      .filter(([x, y]) => x! >= 0 && x! < cells && y! >= 0 && y! < cells)
      .map(([x, y]) => data[y! * cells + x!]!);
    return mean ? near.reduce((sum, value) => sum + value, 0) / near.length : Math.max(...near);
  });
}

test('the mask is the cells of the landmarks’ box, grown by one and smoothed, wherever the box lies', () => {
  const [cells, cellSize] = [8, 4];
  const random = new RandomStream([5]);
  const place = (): number => Math.round(4 * (60 * random.uniform() - 14)) / 4;
  for (let round = 0; round < 400; round++) {
    const points = Array.from({ length: 4 }, place);
    const [left, right] = [Math.min(points[0]!, points[2]!), Math.max(points[0]!, points[2]!)];
    const [top, bottom] = [Math.min(points[1]!, points[3]!), Math.max(points[1]!, points[3]!)];
    const touched = Float32Array.from({ length: cells * cells }, (_, i) => {
      const [x, y] = [(i % cells) * cellSize, Math.floor(i / cells) * cellSize];
      return x + cellSize > left && x < right && y + cellSize > top && y < bottom ? 1 : 0;
    });
    const mask = faceMask(points, cells * cellSize, cellSize);
    assert.deepEqual(
      mask,
      { cells, data: pooled(pooled(touched, cells, false), cells, true) },
      String(points),
    );
  }
});

test('landmarks that are nowhere have no mask', () => {
  const { left, right } = boxOfMask(faceMask([Number.NaN, 3, 5, 6], 32, 4));
  assert.ok(right < left);
});
