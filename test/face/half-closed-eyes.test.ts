import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { openHalfClosedEyes } from '../../src/face/half-closed-eyes.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

const SIZE = 512;
/** Corners, and the chain of the upper lid between them with the lower lid beneath each. */
const EYES = [
  {
    left: 33,
    right: 133,
    upper: [246, 161, 160, 159, 158, 157, 173],
    lower: [7, 163, 144, 145, 153, 154, 155],
  },
  {
    left: 362,
    right: 263,
    upper: [398, 384, 385, 386, 387, 388, 466],
    lower: [382, 381, 380, 374, 373, 390, 249],
  },
] as const;
const [WHITE, IRIS, SKIN] = [220, 70, 170];
const open = projectMesh(loadFaceMesh().vertices, poseToMatrix([0, 0, 0, 0, 0, -18]), SIZE, SIZE);
/** Share of the opening that half-closed lids leave. */
const LEFT = 0.55;

type Eye = (typeof EYES)[number];

const widthOf = ({ left, right }: Eye): number => open[2 * right]! - open[2 * left]!;
/** Where an eye's iris is: as low as anatomy has it. */
const irisOf = (eye: Eye) => ({
  x: (open[2 * eye.left]! + open[2 * eye.right]!) / 2,
  y: open[2 * eye.lower[3]! + 1]! - 0.17 * widthOf(eye),
  radius: 0.2 * widthOf(eye),
});

/** Height of a chain of landmarks at a column of the picture. */
function heightAt(
  points: ArrayLike<number>,
  { left, right }: Eye,
  chain: readonly number[],
  x: number,
): number {
  const stations = [left, ...chain, right];
  const next = Math.max(
    1,
    stations.findIndex((point) => points[2 * point]! >= x),
  );
  const [a, b] = [stations[next - 1]!, stations[next]!];
  const t = (x - points[2 * a]!) / (points[2 * b]! - points[2 * a]!);
  return points[2 * a + 1]! + t * (points[2 * b + 1]! - points[2 * a + 1]!);
}

/** A face whose eyes, white with a dark iris, are seen between the lids of `points`. */
function faceWith(points: ArrayLike<number>): RgbImage {
  const data = new Uint8Array(SIZE * SIZE * 3).fill(SKIN);
  for (const eye of EYES) {
    const { x, y, radius } = irisOf(eye);
    for (let column = Math.ceil(open[2 * eye.left]!); column < open[2 * eye.right]!; column++) {
      const [top, bottom] = [eye.upper, eye.lower].map((chain) => heightAt(points, eye, chain, column + 0.5));
      for (let row = Math.round(top!); row < Math.round(bottom!); row++) {
        const level = Math.hypot(column + 0.5 - x, row + 0.5 - y) < radius ? IRIS : WHITE;
        data.fill(level, 3 * (row * SIZE + column), 3 * (row * SIZE + column) + 3);
      }
    }
  }
  return { data, width: SIZE, height: SIZE };
}

/** Landmarks with the upper lids lowered until a share of the opening is left. */
function lowered(share: number): Float64Array {
  const points = Float64Array.from(open);
  for (const { upper, lower } of EYES) {
    for (const [i, point] of upper.entries()) {
      for (const axis of [0, 1]) {
        const below = open[2 * lower[i]! + axis]!;
        points[2 * point + axis] = below + share * (open[2 * point + axis]! - below);
      }
    }
  }
  return points;
}

const threefold = (points: Float64Array): Float64Array =>
  Float64Array.from({ length: (points.length / 2) * 3 }, (_, i) =>
    i % 3 === 2 ? 0 : points[2 * Math.floor(i / 3) + (i % 3)]!,
  );

const half = lowered(LEFT);
const picture = faceWith(half);
const levelAt = ({ data }: RgbImage, x: number, y: number): number =>
  data[3 * (Math.floor(y) * SIZE + Math.floor(x))]!;

test('lids rise to where the factor puts them, and corners and lower lids stay', () => {
  const { landmarks } = openHalfClosedEyes(picture, threefold(half), [1 / LEFT, 1 / LEFT]);
  for (const eye of EYES) {
    const lid = (eye.upper.length - 1) / 2;
    const opening = (points: ArrayLike<number>, values: number): number =>
      points[values * eye.lower[lid]! + 1]! - points[values * eye.upper[lid]! + 1]!;
    assert.ok(Math.abs(opening(landmarks, 3) - opening(open, 2)) < 0.06 * opening(open, 2));
    for (const point of [eye.left, eye.right, ...eye.lower]) {
      assert.ok(Math.abs(landmarks[3 * point + 1]! - half[2 * point + 1]!) < 1e-6);
    }
  }
});

test('behind the lids that rose there is an iris with white next to it, where the face has them', () => {
  const { image } = openHalfClosedEyes(picture, threefold(half), [1 / LEFT, 1 / LEFT]);
  for (const eye of EYES) {
    const { x, radius } = irisOf(eye);
    const [rose, was] = [open, half].map((points) => heightAt(points, eye, eye.upper, x));
    // Between the lid's lashes and where it was.
    const y = rose! + 0.6 * (was! - rose!);
    assert.equal(levelAt(picture, x, y), SKIN);
    assert.ok(levelAt(image, x, y) < (IRIS + SKIN) / 2, `iris: ${levelAt(image, x, y)}`);
    for (const side of [-1.35, 1.35]) {
      const white = levelAt(image, x + side * radius, heightAt(half, eye, eye.upper, x + side * radius) + 1);
      assert.ok(white > (IRIS + WHITE) / 2, `white: ${white}`);
    }
  }
});

test('the picture is changed around the eyes that are opened alone', () => {
  const { image } = openHalfClosedEyes(picture, threefold(half), [1 / LEFT, 1]);
  const [right] = EYES;
  const reach = 0.95 * widthOf(right);
  const middle = open[2 * right.left + 1]!;
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      const inside =
        column > open[2 * right.left]! - 2 &&
        column < open[2 * right.right]! + 2 &&
        Math.abs(row - middle) < reach;
      const at = 3 * (row * SIZE + column);
      if (!inside) assert.equal(image.data[at], picture.data[at]);
    }
  }
});

test('factors of 1 change nothing', () => {
  const landmarks = threefold(half);
  const opened = openHalfClosedEyes(picture, landmarks, [1, 1]);
  assert.deepEqual(opened.image.data, picture.data);
  assert.deepEqual(opened.landmarks, landmarks);
});

test('eyes of which nothing is seen stay shut', () => {
  const shut = lowered(0.1);
  const closed = faceWith(shut);
  const opened = openHalfClosedEyes(closed, threefold(shut), [8, 8]);
  assert.deepEqual(opened.image.data, closed.data);
});
