import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RandomStream } from '../../src/tensor/random.ts';

/** Pairs by Box and Muller, one after another. */
function plainNormals(stream: RandomStream, count: number): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - stream.uniform()));
    const angle = 2 * Math.PI * stream.uniform();
    values[i] = radius * Math.cos(angle);
    values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** Bytes of floats, so that signs of zeros count. */
function bytesOf(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

// Some forty pairs of the first million are among those that the kernel leaves to the plain form.
for (const count of [2 ** 21, 16384, 16385, 30_003, 257, 256, 255, 5, 1]) {
  test(`${count} normal values, and the number after them, are those of the plain form, bit for bit`, () => {
    const [plain, stream] = [new RandomStream([count, 7]), new RandomStream([count, 7])];
    const expected = plainNormals(plain, count);
    assert.ok(bytesOf(stream.fillNormal(new Float32Array(count))).equals(bytesOf(expected)));
    assert.equal(stream.uniform(), plain.uniform());
  });
}

test('the kernel of noise was made of the source that is here', () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url));
  const source = read('scripts/assets/noise-kernel/noise.ts').toString().replaceAll('\r\n', '\n');
  const hash = createHash('sha256').update(source).digest('hex');
  assert.equal(
    read('assets/kernels/noise.source.sha256').toString().trim(),
    hash,
    'run scripts/assets/build-kernels.sh',
  );
});
