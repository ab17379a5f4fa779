import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawRun, openWarpSource, type Sampling } from '../../src/face/warp-source.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { pixelKernels } from '../../src/pixels/pixel-kernels.ts';
import { RandomStream } from '../../src/tensor/random.ts';

const LIMIT = { timeout: 120_000 };
const [WIDTH, HEIGHT] = [70, 50];

function noise(): RgbImage {
  const random = new RandomStream([5]);
  const data = Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, () => Math.floor(256 * random.uniform()));
  return { data, width: WIDTH, height: HEIGHT };
}

/** The picture of a source, moved by (`right`, `down`) pixels. */
function moved(source: ReturnType<typeof openWarpSource>, right: number, down: number): Uint8Array {
  const kernels = pixelKernels();
  const loaded = source.load(kernels);
  const [target] = kernels.layOut([3 * WIDTH * HEIGHT]);
  for (let y = 0; y < HEIGHT; y++) {
    const place = { u: 0.5 - right, v: y + 0.5 - down, uStep: 1, vStep: 0 };
    drawRun(kernels, loaded, { target: target + 3 * y * WIDTH, count: WIDTH, ...place });
  }
  return kernels.bytes(target, 3 * WIDTH * HEIGHT).slice();
}

for (const sampling of ['linear', 'spline'] as const satisfies readonly Sampling[]) {
  test(`${sampling}: a picture that rests has its own bytes`, LIMIT, () => {
    const picture = noise();
    assert.deepEqual(moved(openWarpSource(picture, sampling), 0, 0), picture.data);
  });

  test(
    `${sampling}: pixels that are replaced look as in a picture that always had them, and back again`,
    LIMIT,
    () => {
      const picture = noise();
      const at: number[] = [];
      // In the middle and in a corner.
      for (let y = 20; y < 27; y++) for (let x = 30; x < 41; x++) at.push(y * WIDTH + x);
      for (let y = HEIGHT - 4; y < HEIGHT; y++)
        for (let x = WIDTH - 6; x < WIDTH; x++) at.push(y * WIDTH + x);
      const places = Uint32Array.from(at);
      const colours = places.map((_, i) => (i * 2654435761) & 0xffffff);
      const other = { ...picture, data: picture.data.slice() };
      places.forEach((place, i) => {
        for (let c = 0; c < 3; c++) other.data[3 * place + c] = (colours[i]! >> (8 * c)) & 255;
      });
      const own = colours.map((_, i) => {
        const [red, green, blue] = picture.data.subarray(3 * places[i]!, 3 * places[i]! + 3);
        return red! | (green! << 8) | (blue! << 16);
      });
      const source = openWarpSource(picture, sampling);
      for (const [colour, expected] of [
        [colours, other],
        [own, picture],
      ] as const) {
        source.replace(places, colour);
        const [got, wanted] = [
          moved(source, 0.4, -0.7),
          moved(openWarpSource(expected, sampling), 0.4, -0.7),
        ];
        got.forEach((value, i) => {
          assert.ok(Math.abs(value - wanted[i]!) <= 1, `byte ${i}: ${value}, expected ${wanted[i]}`);
        });
      }
    },
  );
}

test(
  'half a pixel between two others, the spline keeps detail that a straight line takes away',
  LIMIT,
  () => {
    // A wave three pixels long.
    const data = new Uint8Array(3 * WIDTH * HEIGHT);
    for (let i = 0; i < data.length; i++) {
      data[i] = 128 + Math.round(100 * Math.cos((2 * Math.PI * (Math.floor(i / 3) % WIDTH)) / 3));
    }
    const spread = (sampling: Sampling): number => {
      const got = moved(openWarpSource({ data, width: WIDTH, height: HEIGHT }, sampling), 0.5, 0);
      const row = got.subarray(3 * 25 * WIDTH + 30, 3 * 25 * WIDTH + 180).map((value) => value);
      const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
      return (
        Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length) /
        (100 * Math.SQRT1_2)
      );
    };
    // cos(π / 3); and of the spline 2 · ((23/48 + 0.02) · cos(π/3) + (1/48 − 0.02) · cos π) · 6 / (4 + 2 cos(2π/3)).
    assert.ok(Math.abs(spread('linear') - 0.5) < 0.02, `${spread('linear')}`);
    assert.ok(Math.abs(spread('spline') - 0.995) < 0.02, `${spread('spline')}`);
  },
);
