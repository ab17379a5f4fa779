import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faceMask } from '../../src/face/face-mask.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import type { PortraitFace } from '../../src/face/portrait-face.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import type { SeenPicture } from '../../src/image/planar.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { FrameComposer, readBy, type Surroundings } from '../../src/scene/compose-frame.ts';
import type { Framing } from '../../src/scene/framing.ts';
import { AnimatedPortrait } from '../../src/scene/portrait.ts';
import { RandomStream } from '../../src/tensor/random.ts';

const RESOLUTION = 64;
const STILL = { offsets: new Float32Array(468 * 3), pose: new Float32Array(6) };

/** A noisy picture with the canonical face in its middle. */
function portraitOf(width: number, height: number, framing: Framing): Promise<AnimatedPortrait> {
  const random = new RandomStream([3]);
  const data = Uint8Array.from({ length: width * height * 3 }, () => 64 + 128 * random.uniform());
  const image: RgbImage = { data, width, height };
  const transform = poseToMatrix([0, 0, 0, 0, 0, -40]);
  const mesh = loadFaceMesh().vertices;
  const face: PortraitFace = { landmarks: mesh, mesh, transform, pose: new Float64Array(6), size: 100 };
  return AnimatedPortrait.create({ image, face, resolution: RESOLUTION, framing });
}

function composerOf(
  { resolution, displaySize }: AnimatedPortrait,
  width: number,
  height: number,
): FrameComposer {
  return new FrameComposer({ resolution, displaySize, width, height });
}

function aroundOf({ image, square }: AnimatedPortrait): Surroundings {
  return { picture: image, square };
}

const full = { cells: 8, data: new Float32Array(64).fill(1) };

test('a face at rest with nothing to change is the photo, byte by byte, and even in size', async () => {
  const portrait = await portraitOf(201, 181, 'paste-back');
  const composer = composerOf(portrait, 200, 180);
  const difference = new Float32Array(3 * RESOLUTION * RESOLUTION);
  const frame = composer.compose(portrait.renderBase(STILL), difference, full, aroundOf(portrait));
  for (let y = 0; y < 180; y++) {
    const row = portrait.image.data.subarray(y * 201 * 3, y * 201 * 3 + 200 * 3);
    assert.deepEqual(frame.data.subarray(y * 200 * 3, (y + 1) * 200 * 3), row, `row ${y}`);
  }
});

test('a difference shows inside the mask, in the right place and size, and nowhere else', async () => {
  const portrait = await portraitOf(200, 180, 'paste-back');
  const composer = composerOf(portrait, 200, 180);
  const difference = new Float32Array(3 * RESOLUTION * RESOLUTION).fill(20 / 127.5);
  const mask = { cells: 8, data: new Float32Array(64) };
  mask.data[3 * 8 + 4] = 1;
  const frame = composer.compose(portrait.renderBase(STILL), difference, mask, aroundOf(portrait));
  const { x: left, y: top, side } = portrait.square;
  const changed = (x: number, y: number) =>
    frame.data[(y * 200 + x) * 3]! - portrait.image.data[(y * 200 + x) * 3]!;
  const at = (cell: number) => Math.round(((cell + 0.5) * side) / 8);
  assert(Math.abs(changed(left + at(4), top + at(3)) - 20) <= 1);
  assert.equal(changed(left + at(6), top + at(3)), 0);
  assert.equal(changed(left + at(4), top + at(1)), 0);
  assert.equal(changed(1, 1), 0);
});

test('changes fade out at the edges of the square', async () => {
  const portrait = await portraitOf(200, 180, 'crop');
  const composer = composerOf(portrait, RESOLUTION, RESOLUTION);
  const plain = portrait.renderBase(STILL);
  const difference = new Float32Array(3 * RESOLUTION * RESOLUTION).fill(40 / 127.5);
  const frame = composer.compose(portrait.renderBase(STILL), difference, full);
  const centre = (RESOLUTION / 2) * RESOLUTION + RESOLUTION / 2;
  assert.equal(frame.data[centre * 3]! - plain.data[centre * 3]!, 40);
  assert(frame.data[0]! - plain.data[0]! <= 2);
});

test('where the lower face alone may change, every other pixel keeps its bytes', async () => {
  const portrait = await portraitOf(200, 180, 'paste-back');
  const composer = composerOf(portrait, 200, 180);
  const difference = new Float32Array(3 * RESOLUTION * RESOLUTION).fill(40 / 127.5);
  const changed = portrait.lowerFaceMask(STILL);
  const around = { ...aroundOf(portrait), changed };
  const frame = composer.compose(portrait.renderBase(STILL), difference, full, around);
  let [changes, outside] = [0, 0];
  for (let y = 0; y < 180; y++) {
    for (let x = 0; x < 200; x++) {
      const [column, row] = [x - changed.left, y - changed.top];
      const inside = column >= 0 && column < changed.width && row >= 0 && row < changed.height;
      const share = inside ? changed.data[row * changed.width + column]! : 0;
      const change = frame.data[(y * 200 + x) * 3]! - portrait.image.data[(y * 200 + x) * 3]!;
      if (share === 0 && change !== 0) outside++;
      if (share === 1 && change !== 0) changes++;
    }
  }
  assert.equal(outside, 0);
  assert(changes > 200, `${changes} pixels changed`);
});

test('the mask covers the landmarks with a margin and a soft edge', () => {
  const mask = faceMask([20, 20, 44, 44], 64, 8);
  const row = Array.from(mask.data.subarray(4 * 8, 5 * 8), (v) => Math.round(v * 100) / 100);
  assert.deepEqual(row, [0.5, 0.67, 1, 1, 1, 1, 0.67, 0.5]);
});

test('what lies outside the pixels that are read does not show, at any size, and what lies inside does', async () => {
  const mask = { cells: 8, data: new Float32Array(64) };
  for (const cell of [2 * 8 + 3, 2 * 8 + 4, 5 * 8 + 3]) mask.data[cell] = 1;
  const box = readBy(mask, RESOLUTION);
  const outside = new Float32Array(3 * RESOLUTION * RESOLUTION).map((_, i) => {
    const [x, y] = [i % RESOLUTION, Math.floor(i / RESOLUTION) % RESOLUTION];
    return x < box.left || x >= box.right || y < box.top || y >= box.bottom ? 1 : 0;
  });
  const none = new Float32Array(outside.length);
  for (const displaySize of [40, 64, 65, 200]) {
    const size = { resolution: RESOLUTION, displaySize, width: displaySize, height: displaySize };
    const composer = new FrameComposer(size);
    const shown = (difference: Float32Array): Uint8Array => {
      const grey = {
        data: new Uint8Array(3 * displaySize ** 2).fill(100),
        width: displaySize,
        height: displaySize,
      };
      return composer.compose(grey, difference, mask).data as Uint8Array;
    };
    const untouched = shown(none);
    assert.deepEqual(shown(outside), untouched, `${displaySize}`);
    // A pixel less on any side, and something would show.
    assert.notDeepEqual(shown(outside.map((value) => 1 - value)), untouched);
  }
});

test('what a frame is decoded over is that of its conditions, whether lids are shut or a mouth is open', async () => {
  const portrait = await portraitOf(201, 181, 'paste-back');
  const offsets = new Float32Array(468 * 3);
  offsets[3 * 14 + 1] = -0.8;
  for (const eye of [159, 386]) offsets[3 * eye + 1] = -0.9;
  const moved = { offsets, pose: Float32Array.of(0.1, 0.2, 0, 0, 0, 0) };
  for (const motion of [STILL, moved, { ...moved, gaze: [4, 2] as const }]) {
    const { conditions, base, shown } = portrait.conditions(motion);
    assert.deepEqual(portrait.base(motion), { base, shown });
    const [, warped] = conditions as readonly SeenPicture[];
    assert.equal(base, warped!.data);
    assert.equal(base!.length, 3 * RESOLUTION ** 2);
  }
});

test('a frame in the memory of an earlier one is the frame that it would be in fresh memory, whatever that one showed', async () => {
  const [portrait, other] = await Promise.all([
    portraitOf(201, 180, 'paste-back'),
    portraitOf(201, 180, 'paste-back'),
  ]);
  const lighter = { ...other.image, data: other.image.data.map((value) => value + 20) };
  const moved = { ...STILL, pose: Float32Array.of(0.1, 0.2, 0, 0, 0, 0) };
  const same = { ...aroundOf(portrait), rests: true };
  const changed = portrait.lowerFaceMask(STILL);
  const orders: Readonly<Record<string, readonly Surroundings[]>> = {
    'one picture': [same, same, same],
    'two pictures': [same, { ...same, picture: lighter }, same, same],
    'a mask': [{ ...same, changed }, same, { ...same, changed }],
    'changes afterwards': [{ ...same, rests: false }, same],
    'two squares': [same, { ...same, square: { ...same.square, x: same.square.x + 3 } }, same],
  };
  for (const [order, arounds] of Object.entries(orders)) {
    const composer = composerOf(portrait, 200, 180);
    let memory: Uint8Array | undefined;
    for (const [i, around] of arounds.entries()) {
      const difference = new Float32Array(3 * RESOLUTION * RESOLUTION).fill(0.1 * i);
      const motion = i % 2 === 0 ? STILL : moved;
      const fresh = composerOf(portrait, 200, 180);
      const wanted = fresh.compose(portrait.renderBase(motion), difference, full, around);
      const got = composer.compose(portrait.renderBase(motion), difference, full, { ...around, memory });
      assert.deepEqual(got.data, wanted.data, `${order}, frame ${i}`);
      if (memory !== undefined) assert.equal(got.data, memory);
      memory = got.data as Uint8Array;
      // What else changes a frame does so anywhere.
      if (!around.rests) memory.fill(1);
    }
    const wrong = { ...same, memory: new Uint8Array(5) };
    assert.equal(
      composer.compose(portrait.renderBase(STILL), new Float32Array(3 * RESOLUTION ** 2), full, wrong).data
        .length,
      3 * 200 * 180,
    );
  }
});
