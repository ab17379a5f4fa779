import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ShapeError } from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { largestDifference, meanSquaredError, psnr } from '../../src/metrics/psnr.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { golden } from './golden.ts';
import { degrade, waves } from './pictures.ts';

for (const { kind, width, height, ...expected } of golden.pairs) {
  test(`${kind}, ${width}×${height}: PSNR matches scikit-image`, () => {
    const found = psnr(waves(width, height), degrade(kind, width, height));
    assert.ok(Math.abs(found - expected.psnr) < 1e-9, `${found}, expected ${expected.psnr}`);
  });
}

test('mean squared error matches the filter psnr of ffmpeg', async () => {
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const folder = temporaryDirectory();
  const [a, b] = [waves(96, 64), degrade('flat', 96, 64)];
  const raw = ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', '96x64'];
  const inputs = Object.entries({ a, b }).flatMap(([name, picture]) => {
    writeFileSync(path.join(folder, name), picture.data);
    return [...raw, '-i', name];
  });
  const filter = '[0]format=gbrp[x];[1]format=gbrp[y];[x][y]psnr=stats_file=log';
  const args = ['-v', 'error', '-nostdin', ...inputs, '-lavfi', filter, '-f', 'null', '-'];
  execFileSync(ffmpeg.path, args, { cwd: folder });
  const log = readFileSync(path.join(folder, 'log'), 'utf8');
  const expected = Number(/mse_avg:([\d.]+)/.exec(log)![1]);
  assert.ok(Math.abs(meanSquaredError(a, b) - expected) <= 0.005 + 1e-9, `${log}`); // it prints two decimals
});

test('equal pictures have no error, unequal sizes are refused', () => {
  const picture = waves(20, 10);
  assert.equal(psnr(picture, picture), Infinity);
  assert.equal(largestDifference(picture, picture), 0);
  const data = picture.data.slice();
  data[7] = data[7]! > 100 ? data[7]! - 9 : data[7]! + 9;
  assert.equal(largestDifference(picture, { ...picture, data }), 9);
  assert.throws(() => psnr(waves(20, 10), waves(10, 20)), ShapeError);
});
