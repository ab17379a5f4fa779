import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import { PortraitWarp } from '../../src/face/warp.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

const SIZE = 128;

/** A smooth picture whose colours tell where a pixel came from: red is x, green is y. */
function coordinates(size: number): RgbImage {
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) data.set([(x * 255) / size, (y * 255) / size, 200], (y * size + x) * 3);
  }
  return { data, width: size, height: size };
}

/** The canonical face, 45 cm from the camera, turned by `degrees` about the vertical axis. */
function facePoints(size: number, degrees = 0): Float64Array {
  const { vertices } = loadFaceMesh();
  return projectMesh(vertices, poseToMatrix([0, degrees, 0, 0, 0, -45]), size, size);
}

const { triangles } = loadFaceMesh();

test('a portrait posed as it is comes back unchanged, and is fully reliable on the face', () => {
  const image = coordinates(SIZE);
  const points = facePoints(SIZE);
  const { image: warped, reliability } = new PortraitWarp(image, points, triangles).render(
    points,
    SIZE,
    SIZE,
  );
  assert.deepEqual(warped.data, image.data);
  assert(reliability.every((value) => value >= 254));
});

test('pixels follow their landmarks: the colour at a moved landmark is that of where it was', () => {
  const from = facePoints(SIZE);
  const to = facePoints(SIZE, 8);
  const { image } = new PortraitWarp(coordinates(SIZE), from, triangles).render(to, SIZE, SIZE);
  for (const landmark of [1, 4, 61, 291, 105, 334, 50, 280, 199]) {
    const [x, y] = [Math.round(to[landmark * 2]! - 0.5), Math.round(to[landmark * 2 + 1]! - 0.5)];
    const red = image.data[(y * SIZE + x) * 3]!;
    const expected = ((from[landmark * 2]! - 0.5) * 255) / SIZE;
    assert(Math.abs(red - expected) < 5, `landmark ${landmark}: red ${red}, expected ${expected}`);
  }
});

test('the border of the picture rests while the head turns', () => {
  const image = coordinates(SIZE);
  const { image: warped } = new PortraitWarp(image, facePoints(SIZE), triangles).render(
    facePoints(SIZE, 8),
    SIZE,
    SIZE,
  );
  for (let i = 0; i < SIZE; i++) {
    for (const pixel of [i, (SIZE - 1) * SIZE + i, i * SIZE, i * SIZE + SIZE - 1]) {
      assert(Math.abs(warped.data[pixel * 3]! - image.data[pixel * 3]!) <= 3);
    }
  }
});

test('an opening mouth is marked unreliable and darkens', () => {
  const image = coordinates(2 * SIZE);
  const closed = facePoints(2 * SIZE);
  const open = Float64Array.from(closed);
  // All below the slit between the lips goes down.
  const slit = (closed[13 * 2 + 1]! + closed[14 * 2 + 1]!) / 2;
  for (let i = 1; i < open.length; i += 2) if (open[i]! > slit) open[i]! += 12;
  const { image: warped, reliability } = new PortraitWarp(image, closed, triangles).render(
    open,
    2 * SIZE,
    2 * SIZE,
  );
  const x = Math.round(open[13 * 2]!);
  const y = Math.round((open[13 * 2 + 1]! + open[14 * 2 + 1]!) / 2);
  assert(reliability[y * 2 * SIZE + x]! < 128);
  assert(warped.data[(y * 2 * SIZE + x) * 3 + 2]! < 150, 'blue was 200 everywhere');
});

test('the target may have another size than the portrait', () => {
  const points = facePoints(SIZE);
  const { image } = new PortraitWarp(coordinates(SIZE), points, triangles).render(
    points.map((v) => v / 2),
    SIZE / 2,
    SIZE / 2,
  );
  const expected = coordinates(SIZE / 2);
  image.data.forEach((value, i) => {
    assert(Math.abs(value - expected.data[i]!) <= 3);
  });
});

test('no pixel of a face that moves as a whole is left where it was', () => {
  const from = facePoints(SIZE, 5);
  const [dx, dy] = [6.25, -4.5];
  const to = from.map((value, i) => value + (i % 2 === 0 ? dx : dy));
  const warp = new PortraitWarp(coordinates(SIZE), from, triangles);
  const { image } = warp.render(to, SIZE, SIZE);
  // Cheek to cheek and forehead to chin, all inside the oval.
  const [left, right, top, bottom] = [to[50 * 2]!, to[280 * 2]!, to[10 * 2 + 1]!, to[152 * 2 + 1]!];
  for (let y = Math.ceil(top) + 1; y < Math.floor(bottom) - 1; y++) {
    for (let x = Math.ceil(left); x < Math.floor(right); x++) {
      const [red, green] = image.data.subarray((y * SIZE + x) * 3);
      assert(Math.abs(red! - ((x - dx) * 255) / SIZE) < 2, `red ${red} at ${x}, ${y}`);
      assert(Math.abs(green! - ((y - dy) * 255) / SIZE) < 2, `green ${green} at ${x}, ${y}`);
    }
  }
  assert.deepEqual(warp.renderImage(to, SIZE, SIZE), image);
});

test('a face that turns away has an unbroken edge: what turned over lies behind', () => {
  const size = 256;
  const from = facePoints(size);
  // A red face that ends before its landmarks do: of its far side, blue would show through.
  const image = coordinates(size);
  for (let i = 0; i < image.data.length; i += 3) image.data.set([20, 20, 220], i);
  const [middle, edge] = [from[2 * 4]!, from[2 * 454]! - from[2 * 4]!];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const inside = ((x + 0.5 - middle) / edge) ** 2 + ((y + 0.5 - size / 2) / (1.25 * edge)) ** 2;
      if (inside < 0.8) image.data.set([220, 20, 20], (y * size + x) * 3);
    }
  }
  const warp = new PortraitWarp(image, from, triangles);
  for (const degrees of [-18, -12, 12, 18]) {
    const to = facePoints(size, degrees);
    const { data } = warp.renderImage(to, size, size);
    // Beside the eyes and the cheeks: one run of face in every row.
    for (let y = Math.round(to[2 * 33 + 1]!); y < to[2 * 61 + 1]!; y++) {
      let runs = 0;
      let before = false;
      for (let x = 0; x < size; x++) {
        const isFace = data[(y * size + x) * 3]! > 150;
        if (isFace && !before) runs += 1;
        before = isFace;
      }
      assert.equal(runs, 1, `row ${y} at ${degrees}°`);
    }
  }
});
