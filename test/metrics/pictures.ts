/** Pictures by formula, the same as in scripts/golden/metrics.py. */
import type { RgbImage } from '../../src/image/rgb-image.ts';

function triangle(k: number): number {
  return Math.abs((k % 510) - 255);
}

function draw(width: number, height: number, sample: (x: number, y: number, c: number) => number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) data[at++] = sample(x, y, c);
  }
  return { data, width, height };
}

/** Crossing ramps that differ between the colours, moved to the left by `shift`. */
export function waves(width: number, height: number, shift = 0): RgbImage {
  return draw(width, height, (x, y, c) =>
    Math.floor(
      (triangle(7 * (x + shift) + 3 * y + 90 * c) + triangle(2 * (x + shift) * (c + 1) + 11 * y)) / 2,
    ),
  );
}

/** Bytes from a multiplicative hash of the sample's index. */
function noise(width: number, height: number, seed: number): RgbImage {
  return draw(width, height, (x, y, c) => {
    let hash = Math.imul((y * width + x) * 3 + c + seed, 2654435761) >>> 0;
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 2246822519) >>> 0;
    return (hash >>> 13) & 255;
  });
}

/** What a golden pair's second picture is. */
export type Degradation = 'noise' | 'shifted' | 'flat' | 'dark' | 'inverted' | 'unrelated';

/** The second picture of a pair, whose first is {@link waves}. */
export function degrade(kind: Degradation, width: number, height: number): RgbImage {
  const base = waves(width, height);
  const mapped = (change: (value: number, index: number) => number): RgbImage => ({
    ...base,
    data: base.data.map((value, i) => Math.min(255, Math.max(0, change(value, i)))),
  });
  switch (kind) {
    case 'noise': {
      const { data } = noise(width, height, 17);
      return mapped((value, i) => value + Math.floor((data[i]! - 128) / 4));
    }
    case 'shifted':
      return waves(width, height, 2);
    case 'flat':
      return mapped((value) => Math.floor((value * 3) / 5) + 60);
    case 'dark':
      return mapped((value) => Math.floor(value / 16));
    case 'inverted':
      return mapped((value) => 255 - value);
    case 'unrelated':
      return noise(width, height, 5);
  }
}
