import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boxMean } from '../../src/image/box-filter.ts';
import { estimateLayers } from '../../src/image/estimate-foreground.ts';
import { guidedFilter } from '../../src/image/guided-filter.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const WIDTH = 13;
const HEIGHT = 9;
const FLOAT32 = { rtol: 1e-5, atol: 1e-5 };

function noise(seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: WIDTH * HEIGHT }, () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  });
}

test('running sums give the means of squares', () => {
  const plane = noise(5);
  for (const radius of [0, 1, 3, 20]) {
    const expected = new Float32Array(plane.length);
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        let [sum, count] = [0, 0];
        for (let v = Math.max(0, y - radius); v <= Math.min(HEIGHT - 1, y + radius); v++) {
          for (let u = Math.max(0, x - radius); u <= Math.min(WIDTH - 1, x + radius); u++) {
            sum += plane[v * WIDTH + u]!;
            count++;
          }
        }
        expected[y * WIDTH + x] = sum / count;
      }
    }
    assertAllClose(boxMean(plane, WIDTH, HEIGHT, radius), expected, FLOAT32);
  }
});

test('a mask that follows its guide wholly stays; a coarse edge moves to that of the guide', () => {
  const guide = Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => (i % WIDTH < 6 ? 0 : 1));
  const options = { width: WIDTH, height: HEIGHT, radius: 2, epsilon: 1e-6 };
  assertAllClose(guidedFilter(guide, guide, options), guide, { rtol: 0, atol: 1e-3 });
  const coarse = Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) =>
    Math.min(1, Math.max(0, ((i % WIDTH) - 3.5) / 4)),
  );
  const fitted = guidedFilter(coarse, guide, options);
  const step = (plane: Float32Array) => plane[4 * WIDTH + 6]! - plane[4 * WIDTH + 5]!;
  assert.ok(step(fitted) > 2 * step(coarse), `${step(fitted)} against ${step(coarse)}`);
});

test('colours in front are found again at soft edges', () => {
  // Red in front of blue, with an edge over five pixels.
  const [width, height] = [240, 40];
  const alpha = Float32Array.from({ length: width * height }, (_, i) =>
    Math.min(1, Math.max(0, ((i % width) - 117) / 6)),
  );
  const data = new Uint8Array(width * height * 3);
  for (const [i, a] of alpha.entries()) data.set([Math.round(220 * a), 20, Math.round(240 * (1 - a))], 3 * i);
  const { foreground, background } = estimateLayers({ data, width, height }, alpha);
  for (const x of [119, 120, 121, 122]) {
    const at = (20 * width + x) * 3;
    // A pixel that is half covered has 110 of red and 120 of blue.
    assertAllClose(foreground.data.subarray(at, at + 3), [220, 20, 0], { rtol: 0, atol: 30 });
  }
  const covered = (20 * width + 130) * 3;
  assert.ok(background.data[covered + 2]! > 120, 'the background goes on behind');
});
