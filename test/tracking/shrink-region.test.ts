import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FaceRegion, sampleRegion } from '../../src/face/region.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { shrinkRegion } from '../../src/tracking/shrink-region.ts';

const TIME_LIMIT = { timeout: 600_000 };
const SIZE = 24;
const SAMPLING = { size: SIZE, scale: 1, offset: 0, border: 'replicate' } as const;

/** Brightness that changes slowly: what is sampled from a small copy is near to what the large picture has. */
function waves(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    data[i] = 128 + 50 * Math.sin(x / 30 + (i % 3)) + 50 * Math.cos(y / 25);
  }
  return { data, width, height };
}

const picture = waves(200, 160);
for (const [name, region] of Object.entries<FaceRegion>({
  'twice as large': { centerX: 100, centerY: 80, side: 50, rotation: 0.2 },
  'four times as large': { centerX: 90, centerY: 85, side: 100, rotation: -0.3 },
  'over an edge': { centerX: 12, centerY: 150, side: 70, rotation: 0.1 },
  'of its own size, over an edge': { centerX: 195, centerY: 5, side: 26, rotation: 0 },
})) {
  test(`a region ${name} is seen in a small picture as in the large one`, TIME_LIMIT, () => {
    const small = shrinkRegion(picture, region, SIZE)!;
    assert.equal(small.factor, Math.max(1, Math.floor(region.side / SIZE)));
    assert.ok(Math.abs(small.left + small.factor * small.region.centerX - region.centerX) < 1e-9);
    assert.ok(Math.abs(small.top + small.factor * small.region.centerY - region.centerY) < 1e-9);
    const [seen, expected] = [
      sampleRegion(small.image, small.region, SAMPLING).data,
      sampleRegion(picture, region, SAMPLING).data,
    ];
    const worst = Math.max(...seen.map((value, i) => Math.abs(value - expected[i]!)));
    assert.ok(worst < 4, `${worst} of 255`);
  });
}

test('a region that is hardly larger than what is seen stays in its picture', TIME_LIMIT, () => {
  assert.equal(
    shrinkRegion(picture, { centerX: 100, centerY: 80, side: 40, rotation: 0.4 }, SIZE),
    undefined,
  );
});
