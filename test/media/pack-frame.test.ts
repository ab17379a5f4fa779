import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Yuv420Packer } from '../../src/media/pack-frame.ts';
import type { FrameRegion, VideoFrame } from '../../src/media/video-frame.ts';
import { RandomStream } from '../../src/tensor/random.ts';

const LIMIT = { timeout: 120_000 };
const [WIDTH, HEIGHT] = [22, 14];

function noise(seed: number): Uint8Array {
  const random = new RandomStream([seed]);
  return Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, () => Math.floor(256 * random.uniform()));
}

/** The picture of `base` with that of `other` in a part. */
function frameOf(base: Uint8Array, other: Uint8Array, changed: FrameRegion): VideoFrame {
  const data = base.slice();
  for (let y = Math.max(0, changed.top); y < Math.min(HEIGHT, changed.top + changed.height); y++) {
    for (let x = Math.max(0, changed.left); x < Math.min(WIDTH, changed.left + changed.width); x++) {
      const at = 3 * (y * WIDTH + x);
      data.set(other.subarray(at, at + 3), at);
    }
  }
  return { data, width: WIDTH, height: HEIGHT, changed };
}

function packWhole({ data, width, height }: VideoFrame): number[] {
  return [...new Yuv420Packer(width, height).pack({ data, width, height })];
}

test('grey, white and the primaries have the values of BT.709 in the narrow range', LIMIT, () => {
  // ITU-R BT.709-6, quantised to 8 bits.
  for (const [colour, expected] of [
    [
      [0, 0, 0],
      [16, 128, 128],
    ],
    [
      [255, 255, 255],
      [235, 128, 128],
    ],
    [
      [128, 128, 128],
      [126, 128, 128],
    ],
    [
      [255, 0, 0],
      [63, 102, 240],
    ],
    [
      [0, 255, 0],
      [173, 42, 26],
    ],
    [
      [0, 0, 255],
      [32, 240, 118],
    ],
  ] as const) {
    const data = Uint8Array.from({ length: 4 * 2 * 3 }, (_, i) => colour[i % 3]!);
    const [y, cb, cr] = expected;
    const planes = [...Array<number>(8).fill(y), ...Array<number>(2).fill(cb), ...Array<number>(2).fill(cr)];
    assert.deepEqual([...new Yuv420Packer(4, 2).pack({ data, width: 4, height: 2 })], planes);
  }
});

test('frames of which a part is looked at are those of which all is looked at', LIMIT, () => {
  const base = noise(1);
  const packer = new Yuv420Packer(WIDTH, HEIGHT);
  const parts: (FrameRegion | undefined)[] = [
    { left: 3, top: 5, width: 7, height: 3 },
    { left: 3, top: 5, width: 7, height: 3 },
    { left: 10, top: 1, width: 9, height: 8 },
    undefined,
    { left: -4, top: -2, width: 9, height: 7 },
    { left: 15, top: 9, width: 40, height: 40 },
    { left: 30, top: 3, width: 4, height: 4 },
    { left: 1, top: 1, width: 1, height: 1 },
  ];
  for (const [i, part] of parts.entries()) {
    const other = noise(10 + i);
    const frame: VideoFrame =
      part === undefined ? { data: other, width: WIDTH, height: HEIGHT } : frameOf(base, other, part);
    assert.deepEqual([...packer.pack(frame)], packWhole(frame), `frame ${i}`);
  }
});

test('what has changed is not looked at elsewhere', LIMIT, () => {
  const packer = new Yuv420Packer(WIDTH, HEIGHT);
  const changed = { left: 4, top: 4, width: 4, height: 4 };
  const first = [...packer.pack(frameOf(noise(1), noise(2), changed))];
  const next = packer.pack({ data: noise(3), width: WIDTH, height: HEIGHT, changed });
  assert.equal(next[0], first[0]);
  assert.notEqual(next[4 * WIDTH + 4], first[4 * WIDTH + 4]);
});
