import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { turnImage } from '../../src/image/turn-image.ts';

test('pictures are turned as sharp turns them', async () => {
  const [width, height] = [5, 3];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => i);
  for (const quarters of [1, 2, 3] as const) {
    const turned = turnImage({ data, width, height }, quarters);
    const { data: expected, info } = await sharp(data, { raw: { width, height, channels: 3 } })
      .rotate(quarters * 90)
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual([turned.width, turned.height], [info.width, info.height]);
    assert.deepEqual([...turned.data], [...expected]);
  }
});
