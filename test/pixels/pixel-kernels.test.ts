import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { newKey, PixelKernels } from '../../src/pixels/pixel-kernels.ts';
import { RandomStream } from '../../src/tensor/random.ts';

const LIMIT = { timeout: 120_000 };

function randomBytes(count: number, seed: number): Uint8Array {
  const random = new RandomStream([seed]);
  return Uint8Array.from({ length: count }, () => Math.floor(256 * random.uniform()));
}

function randomFloats(count: number, seed: number, low: number, high: number): Float32Array {
  const random = new RandomStream([seed]);
  return Float32Array.from({ length: count }, () => low + (high - low) * random.uniform());
}

/** The exact colour at a place of a picture of four bytes a pixel; pixel centres are at halves. */
function colourAt(
  pixels: Uint8Array,
  width: number,
  height: number,
  u: number,
  v: number,
  c: number,
): number {
  const x = Math.min(width - 1, Math.max(0, u - 0.5));
  const y = Math.min(height - 1, Math.max(0, v - 0.5));
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, below] = [Math.min(width - 1, left + 1), Math.min(height - 1, top + 1)];
  const at = (column: number, row: number) => pixels[4 * (row * width + column) + c]!;
  const upper = at(left, top) * (1 - (x - left)) + at(right, top) * (x - left);
  const lower = at(left, below) * (1 - (x - left)) + at(right, below) * (x - left);
  return upper * (1 - (y - top)) + lower * (y - top);
}

test('a run of samples is bilinear, also over all four edges, and changes no byte next to it', LIMIT, () => {
  const kernels = new PixelKernels();
  const [width, height, count] = [13, 11, 40];
  const pixels = randomBytes(4 * width * height, 1);
  for (const [u, v, uStep, vStep] of [
    [0.5, 0.5, 1, 0],
    [-3.2, 4.3, 0.55, 0.1],
    [14.9, -2, -0.41, 0.37],
    [6.25, 12.7, 0.003, -0.34],
  ] as const) {
    const [source, target] = kernels.layOut([pixels.length + 4, 3 * count + 2]);
    kernels.bytes(source, pixels.length).set(pixels);
    kernels.bytes(source + pixels.length, 4).fill(255);
    kernels.bytes(target, 3 * count + 2).fill(77);
    kernels.run.sampleRun(target + 1, count, source, width, height, u, v, uStep, vStep);
    const got = kernels.bytes(target, 3 * count + 2);
    assert.equal(got[0], 77);
    assert.equal(got[3 * count + 1], 77);
    for (let k = 0; k < count; k++) {
      for (let c = 0; c < 3; c++) {
        const exact = colourAt(pixels, width, height, u + k * uStep, v + k * vStep, c);
        const difference = Math.abs(got[1 + 3 * k + c]! - exact);
        assert.ok(difference <= 0.53, `pixel ${k}, channel ${c}: ${got[1 + 3 * k + c]}, exact ${exact}`);
      }
    }
  }
});

test('a row of a picture of floats is added as strongly as an enlarged mask and a fade say', LIMIT, () => {
  const kernels = new PixelKernels();
  const [size, cells, count] = [9, 4, 25];
  const planes = randomFloats(3 * size, 2, -1, 1).map((value) => 2 * value);
  const nextPlanes = randomFloats(3 * size, 3, -1, 1);
  const mask = randomFloats(2 * cells, 4, 0, 1);
  mask[1] = mask[2] = mask[cells + 1] = mask[cells + 2] = 0;
  const start = randomBytes(3 * count, 5);
  const random = new RandomStream([6]);
  const table = (limit: number) => {
    const low = Int32Array.from({ length: count }, () => Math.floor(limit * random.uniform()));
    const high = low.map((value) => Math.min(limit - 1, value + 1));
    return { low, high, fractions: randomFloats(count, 7 + limit, 0, 1) };
  };
  const [inPicture, inMask] = [table(size), table(cells)];
  const fade = randomFloats(count, 8, 0, 1);
  const [fraction, maskFraction, scale] = [0.3, 0.65, 127.5];

  const floats = 4 * count;
  const whole = 4 * Math.ceil(size / 4);
  const [target, row, strengths, planesAt, nextAt, maskAt, ...tables] = kernels.layOut([
    ...([3 * count + 1, 16 * whole, floats + 12, 12 * whole, 12 * whole, 8 * cells] as const),
    ...([floats, floats, floats + 12, floats, floats, floats, floats] as const),
  ]);
  const [fractions, maskFractions, fadeAt, low, high, maskLow, maskHigh] = tables;
  const tablesEnd = maskHigh + floats;
  kernels.floats(planesAt, 3 * size).set(planes);
  kernels.floats(nextAt, 3 * size).set(nextPlanes);
  kernels.floats(maskAt, 2 * cells).set(mask);
  kernels.floats(fractions, count).set(inPicture.fractions);
  kernels.floats(maskFractions, count).set(inMask.fractions);
  kernels.floats(fadeAt, count).set(fade);
  kernels.integers(low, count).set(inPicture.low);
  kernels.integers(high, count).set(inPicture.high);
  kernels.integers(maskLow, count).set(inMask.low);
  kernels.integers(maskHigh, count).set(inMask.high);
  kernels.bytes(target, 3 * count + 1).set([...start, 77]);
  const [above, below] = kernels.layOutBehind(tablesEnd, [floats + 12, floats + 12] as const);
  kernels.run.enlargeRow(above, count, maskAt, maskLow, maskHigh, maskFractions);
  kernels.run.enlargeRow(below, count, maskAt + 4 * cells, maskLow, maskHigh, maskFractions);
  kernels.run.mixStrengths(strengths, count, above, below, maskFraction, fadeAt, scale);
  kernels.run.mixRows(row, planesAt, nextAt, fraction, 4 * size, size);
  kernels.run.addRow(target, count, row, low, high, fractions, strengths);

  const got = kernels.bytes(target, 3 * count + 1);
  assert.equal(got[3 * count], 77);
  let [untouched, limited] = [0, 0];
  for (let i = 0; i < count; i++) {
    const between = (row: ArrayLike<number>, at: typeof inPicture, offset: number) => {
      const [a, b] = [row[offset + at.low[i]!]!, row[offset + at.high[i]!]!];
      return a + (b - a) * at.fractions[i]!;
    };
    const covered =
      between(mask, inMask, 0) * (1 - maskFraction) + between(mask, inMask, cells) * maskFraction;
    const strength = scale * fade[i]! * covered;
    if (covered === 0) untouched++;
    for (let c = 0; c < 3; c++) {
      const above = between(planes, inPicture, c * size);
      const below = between(nextPlanes, inPicture, c * size);
      const value = start[3 * i + c]! + strength * (above + (below - above) * fraction);
      if (value < 0 || value > 255) limited++;
      const expected = Math.min(255, Math.max(0, value));
      assert.ok(Math.abs(got[3 * i + c]! - expected) < 0.51, `pixel ${i}, channel ${c}`);
    }
  }
  assert.ok(untouched > 0 && limited > 0, 'the case has pixels that stay, and colours beyond the limits');
});

test('luma and chroma are those of BT.709 in the narrow range, to half a level', LIMIT, () => {
  const kernels = new PixelKernels();
  const count = 64;
  const rows = randomBytes(6 * count, 9);
  rows.set([255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 255]);
  rows.copyWithin(3 * count, 0, 24);
  const [upper, luma, blue, red] = kernels.layOut([6 * count, 2 * count, count / 2, count / 2]);
  kernels.bytes(upper, 6 * count).set(rows);
  kernels.run.toYuv420(upper, upper + 3 * count, count, luma, luma + count, blue, red);
  // ITU-R BT.709-6, items 3.2 and 3.4: E'Y, E'CB and E'CR, and their eight bits.
  const parts = ([r, g, b]: readonly number[]) => {
    const y = 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    return [
      16 + (219 * y) / 255,
      128 + (224 * (b! - y)) / 1.8556 / 255,
      128 + (224 * (r! - y)) / 1.5748 / 255,
    ];
  };
  const pixel = (x: number, y: number) => [...rows.subarray(3 * (y * count + x), 3 * (y * count + x) + 3)];
  const near = (got: number, exact: number, what: string) =>
    assert.ok(Math.abs(got - exact) < 0.53, `${what}: ${got}, exact ${exact}`);
  for (let x = 0; x < count; x++) {
    for (const y of [0, 1])
      near(kernels.bytes(luma, 2 * count)[y * count + x]!, parts(pixel(x, y))[0]!, 'luma');
  }
  for (let x = 0; x < count; x += 2) {
    const four = [pixel(x, 0), pixel(x + 1, 0), pixel(x, 1), pixel(x + 1, 1)].map(parts);
    const mean = (part: number) => four.reduce((sum, one) => sum + one[part]! / 4, 0);
    near(kernels.bytes(blue, count / 2)[x / 2]!, mean(1), 'blue difference');
    near(kernels.bytes(red, count / 2)[x / 2]!, mean(2), 'red difference');
  }
});

test('planes of a row are those of its pairs of pixels, whatever of it is computed together', () => {
  const count = 22;
  const kernels = new PixelKernels();
  const rows = randomBytes(6 * count, 3);
  const planesOf = (from: number, pixels: number): number[][] => {
    const sizes = [6 * pixels + 4, 2 * pixels, pixels / 2, pixels / 2] as const;
    const [source, luma, blue, red] = kernels.layOut(sizes);
    for (const row of [0, 1]) {
      const begin = 3 * (row * count + from);
      kernels.bytes(source + 3 * pixels * row, 3 * pixels).set(rows.subarray(begin, begin + 3 * pixels));
    }
    kernels.run.toYuv420(source, source + 3 * pixels, pixels, luma, luma + pixels, blue, red);
    return [
      [luma, pixels],
      [luma + pixels, pixels],
      [blue, pixels / 2],
      [red, pixels / 2],
    ].map(([place, length]) => [...kernels.bytes(place!, length!)]);
  };
  const pairs = Array.from({ length: count / 2 }, (_, pair) => planesOf(2 * pair, 2));
  const joined = [0, 1, 2, 3].map((plane) => pairs.flatMap((one) => one[plane]!));
  assert.deepEqual(planesOf(0, count), joined);
});

for (const [factor, count] of [
  [2, 8],
  [2, 7],
  [3, 5],
  [4, 1],
] as const) {
  test(`a row of ${count} pixels has the rounded means of ${factor} × ${factor}`, LIMIT, () => {
    const kernels = new PixelKernels();
    const stride = 3 * factor * count + 5;
    const pixels = randomBytes(factor * stride, 11 * factor + count);
    const [source, target] = kernels.layOut([pixels.length + 4, 3 * count + 5]);
    kernels.bytes(source, pixels.length).set(pixels);
    kernels.bytes(target, 3 * count + 5).fill(77);
    kernels.run.meanRow(target, count, source, stride, factor);
    const expected = Array.from({ length: 3 * count }, (_, i) => {
      let sum = 0;
      for (let row = 0; row < factor; row++) {
        for (let column = 0; column < factor; column++) {
          sum += pixels[row * stride + 3 * (Math.floor(i / 3) * factor + column) + (i % 3)]!;
        }
      }
      return Math.floor(sum / factor ** 2 + 0.5);
    });
    assert.deepEqual([...kernels.bytes(target, 3 * count)], expected);
    assert.equal(kernels.bytes(target, 3 * count + 5)[3 * count + 4], 77);
  });
}

test('a square of samples is bilinear, turned as it is asked for', LIMIT, () => {
  const kernels = new PixelKernels();
  const [width, height, size] = [17, 15, 6];
  const pixels = randomBytes(3 * width * height, 12);
  const four = Uint8Array.from({ length: 4 * width * height }, (_, i) =>
    i % 4 === 3 ? 0 : pixels[3 * Math.floor(i / 4) + (i % 4)]!,
  );
  const [x, y, cos, sin] = [5.3, 2.2, 1.4, 0.6];
  const [source, target] = kernels.layOut([pixels.length + 4, 4 * (3 * size * size + 1)]);
  kernels.bytes(source, pixels.length).set(pixels);
  kernels.run.sampleSquare(target, size, source, 3 * width, x, y, cos, sin, 1 / 255, -0.5);
  const got = kernels.floats(target, 3 * size * size);
  for (let i = 0; i < got.length; i++) {
    const [column, row] = [Math.floor(i / 3) % size, Math.floor(i / 3 / size)];
    const [u, v] = [x + column * cos - row * sin + 0.5, y + column * sin + row * cos + 0.5];
    const exact = colourAt(four, width, height, u, v, i % 3) / 255 - 0.5;
    assert.ok(Math.abs(got[i]! - exact) < 1e-6, `value ${i}: ${got[i]}, exact ${exact}`);
  }
});

/** The numbers c with (c[i − 1] + 4 c[i] + c[i + 1]) / 6 = values[i], mirrored at both ends: by elimination. */
function splineThrough(values: readonly number[]): number[] {
  const count = values.length;
  const rows = values.map((value, i) => {
    const row = new Array<number>(count + 1).fill(0);
    const mirrored = (k: number): number => (k < 0 ? -k : k >= count ? 2 * (count - 1) - k : k);
    row[i]! += 4 / 6;
    row[mirrored(i - 1)]! += 1 / 6;
    row[mirrored(i + 1)]! += 1 / 6;
    row[count] = value;
    return row;
  });
  for (let i = 0; i < count; i++) {
    for (let other = 0; other < count; other++) {
      if (other === i) continue;
      const factor = rows[other]![i]! / rows[i]![i]!;
      for (let k = i; k <= count; k++) rows[other]![k]! -= factor * rows[i]![k]!;
    }
  }
  return rows.map((row, i) => row[count]! / row[i]!);
}

/** How much the four neighbours of 1024 places between two pixels count, times 32768. */
function basisWeights(): Int16Array {
  const basis = (away: number): number =>
    away < 1 ? 2 / 3 - away ** 2 + away ** 3 / 2 : away < 2 ? (2 - away) ** 3 / 6 : 0;
  return Int16Array.from({ length: 4096 }, (_, i) => {
    const t = i < 4 ? 0 : (Math.floor(i / 4) + 0.5) / 1024;
    return Math.round(32768 * basis(Math.abs(t + 1 - (i % 4))));
  });
}

/** The spline's value at a place in pixels, from the definition of the basis function. */
function splineAt(coefficients: readonly number[], place: number): number {
  const count = coefficients.length;
  const x = Math.min(count - 1, Math.max(0, place));
  let sum = 0;
  for (let k = -2; k < count + 2; k++) {
    const away = Math.abs(x - k);
    if (away >= 2) continue;
    const basis = away < 1 ? 2 / 3 - away ** 2 + away ** 3 / 2 : (2 - away) ** 3 / 6;
    const mirrored = k < 0 ? -k : k >= count ? 2 * (count - 1) - k : k;
    sum += basis * coefficients[mirrored]!;
  }
  return sum;
}

test(
  'a run along a B-spline has the colours of the spline through all pixels, also over the edges',
  LIMIT,
  () => {
    const kernels = new PixelKernels();
    for (const [width, height] of [
      [13, 11],
      [40, 3],
    ] as const) {
      const pixels = randomBytes(4 * width * height, 31);
      const planes = [0, 1, 2].map((c) => {
        const rows = Array.from({ length: height }, (_, y) =>
          splineThrough(Array.from({ length: width }, (_, x) => pixels[4 * (y * width + x) + c]!)),
        );
        const columns = Array.from({ length: width }, (_, x) => splineThrough(rows.map((row) => row[x]!)));
        return (u: number, v: number): number =>
          splineAt(
            columns.map((column) => splineAt(column, v - 0.5)),
            u - 0.5,
          );
      });
      const count = 40;
      for (const [u, v, uStep, vStep] of [
        [0.5, 0.5, 1, 0],
        [-3.2, 1.3, 0.55, 0.1],
        [14.9, -2, -0.41, 0.37],
        [6.25, 12.7, 0.003, -0.34],
      ] as const) {
        const coefficients = 8 * (width + 3) * (height + 3);
        const sizes = [coefficients, 4 * width * height, 16 * width, 8192, 3 * count + 2] as const;
        const [spline, source, scratch, weights, target] = kernels.layOut(sizes);
        kernels.bytes(source, pixels.length).set(pixels);
        kernels.shorts(weights, 4096).set(basisWeights());
        kernels.bytes(target, 3 * count + 2).fill(77);
        kernels.run.splineOf(spline, source, width, height, scratch);
        kernels.run.splineRun(target + 1, count, spline, width, height, u, v, uStep, vStep, weights);
        const got = kernels.bytes(target, 3 * count + 2);
        assert.equal(got[0], 77);
        assert.equal(got[3 * count + 1], 77);
        for (let k = 0; k < count; k++) {
          for (const [c, plane] of planes.entries()) {
            const exact = Math.min(255, Math.max(0, plane(u + k * uStep, v + k * vStep)));
            const difference = Math.abs(got[1 + 3 * k + c]! - exact);
            assert.ok(difference <= 0.75, `pixel ${k}, channel ${c}: ${got[1 + 3 * k + c]}, exact ${exact}`);
          }
        }
      }
    }
  },
);

test('memory grows with what is laid out, and blocks do not overlap', LIMIT, () => {
  const kernels = new PixelKernels();
  const [a, b, c] = kernels.layOut([5, 200_000, 3]);
  assert.ok(b >= a + 5 && c >= b + 200_000);
  assert.equal(b % 16, 0);
  kernels.bytes(b, 200_000).fill(1);
  assert.equal(kernels.bytes(a, 5).includes(1), false);
});

test('the module was made of the source that is here', LIMIT, () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url));
  const source = read('scripts/assets/pixel-kernels/pixels.ts').toString().replaceAll('\r\n', '\n');
  const hash = createHash('sha256').update(source).digest('hex');
  assert.equal(
    read('assets/kernels/pixels.source.sha256').toString().trim(),
    hash,
    'run scripts/assets/build-kernels.sh',
  );
});

test('a block that is kept is filled once, and stays where others lay out what they need', () => {
  const kernels = new PixelKernels();
  const filled: number[] = [];
  const [first, other] = [newKey(), newKey()];
  const keep = (key: number): number =>
    kernels.keep(key, 1000, (place) => {
      filled.push(key);
      kernels.bytes(place, 1000).fill(key + 1);
    });
  const places = [keep(first), keep(other)];
  const sizes = [100_000, 5] as const;
  for (const place of kernels.layOut(sizes)) kernels.bytes(place, 5).fill(99);
  for (const [i, key] of [first, other].entries()) {
    assert.equal(keep(key), places[i]);
    assert.ok(kernels.bytes(places[i]!, 1000).every((byte) => byte === key + 1));
  }
  assert.deepEqual(filled, [first, other]);
});

test('of blocks that are kept, all are forgotten where there is no room for one more', () => {
  const kernels = new PixelKernels();
  let filled = 0;
  const keep = (key: number, size: number): number => kernels.keep(key, size, () => filled++);
  const [first, ...others] = [newKey(), newKey(), newKey(), newKey()] as [number, number, number, number];
  const place = keep(first, 64);
  for (const key of others) keep(key, 64);
  assert.equal(filled, 4);
  // Another has taken its place.
  assert.notEqual(keep(first, 64), place);
  assert.equal(filled, 5);
  assert.equal(keep(newKey(), 40e6), 0);
});
