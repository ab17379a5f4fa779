import assert from 'node:assert/strict';
import test from 'node:test';
import { pillowResize } from '../../src/image/pillow-resize.ts';
import { goldenCase, goldenInput, readGoldenFile } from '../helpers/golden-weights.ts';

const golden = readGoldenFile('clip');
const cases = [
  { name: 'preprocess_up', output: 'resized', filter: 'bicubic' },
  { name: 'preprocess_down', output: 'resized', filter: 'bicubic' },
  { name: 'vae_pixels_up', output: 'bytes', filter: 'lanczos' },
  { name: 'vae_pixels_down', output: 'bytes', filter: 'lanczos' },
] as const;

for (const { name, output, filter } of cases) {
  test(`${name}: every byte is Pillow's`, () => {
    const { inputs, outputs } = goldenCase(golden, name);
    const [height, width] = inputs.image!.shape as [number, number, number];
    const { shape, tensor, at, values } = outputs[output]!;
    const [toHeight, toWidth] = shape as [number, number, number];
    const picture = { data: Uint8Array.from(goldenInput(inputs.image!).data), width, height };
    const { data } = pillowResize(picture, toWidth, toHeight, filter);
    assert.equal(data.length, toHeight * toWidth * 3);
    assert.deepEqual(
      at.map((index) => data[index]),
      values,
    );
    const stored = golden.bytes.get(tensor!);
    assert.deepEqual(Array.from(data), Array.from(stored!));
  });
}
