/** Videos and portraits to samples for distillation, with a small bundle of AniPortrait's layout. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { SMALL_RESOLUTION, writeAniPortraitBundle } from '../helpers/aniportrait-bundle.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { makeMedia, temporaryDirectory } from '../helpers/media.ts';
import { LOADER, moduleFile, ROOT } from '../helpers/run-program.ts';

/** A window of the small bundle; the video has two frames more, which are left out. */
const FRAMES = 8;
/** By this much frames differ that show the face elsewhere; rounding changes them by a thousandth. */
const MOVED = 0.02;
const HALF_PRECISION = { rtol: 2e-3, atol: 2e-3 };

const folder = temporaryDirectory();
const [videos, samples, bundle] = ['videos', 'samples', 'bundle'].map((name) => path.join(folder, name)) as [
  string,
  string,
  string,
];

function encode(): string {
  const script = moduleFile('scripts/train/encode-samples.ts');
  const options = ['--bundle', bundle, '--device', 'cpu', '--seconds', '0.3', '--threads', '1'];
  const args = [...LOADER, script, videos, samples, ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('videos and portraits become whole windows, seen as the renderer sees them; what is there is kept', async () => {
  writeAniPortraitBundle(bundle);
  mkdirSync(videos);
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const still = path.join(ROOT, 'assets/portraits/ada.jpg');
  const duration = `${(FRAMES + 2) / 30}`;
  // Lossless; a moving camera, so that later frames differ from the portrait.
  const camera = 'crop=iw-32:ih-32:3*n:2*n,format=rgb24';
  const args = ['-loop', '1', '-framerate', '30', '-i', still, '-vf', camera, '-t', duration, '-c:v', 'ffv1'];
  makeMedia(ffmpeg, path.join(videos, 'ada.mkv'), ...args);
  cpSync(path.join(ROOT, 'assets/portraits/ben.jpg'), path.join(videos, 'Ben 1.jpg'));
  writeFileSync(path.join(videos, 'nobody.txt'), 'not a picture');
  const report = encode();
  assert.match(report, /ada\.mkv: 1 samples made, 0 there already/);
  assert.match(report, /Ben 1\.jpg: 1 samples made, 0 there already/);
  assert.deepEqual(readdirSync(samples).sort(), ['Ben_1-0.safetensors', 'ada-0.safetensors']);

  const cells = SMALL_RESOLUTION / 8;
  const size = 4 * cells * cells;
  const differs = (data: Float32Array, length: number): number =>
    Math.max(...data.subarray(0, length).map((value, i) => Math.abs(value - data.at(i - length)!)));
  for (const name of ['ada', 'Ben_1']) {
    const weights = openSafetensors(path.join(samples, `${name}-0.safetensors`));
    try {
      assert.deepEqual(weights.info('latents').dims, [FRAMES, 4, cells, cells]);
      assert.deepEqual(weights.info('reference_latents').dims, [1, 4, cells, cells]);
      assert.deepEqual(weights.info('image_embeds').dims, [1, 1, 32]);
      assert.deepEqual(weights.info('pose.0').dims, [FRAMES, 32, cells, cells]);
      // The camera moves: the last frame differs from the first by more than rounding does.
      const latents = weights.read('latents').data;
      assert.ok(differs(latents, size) > MOVED, `latents: ${differs(latents, size)}`);
      const pose = weights.read('pose.0').data;
      assert.ok(differs(pose, pose.length / FRAMES) > MOVED, `pose: ${differs(pose, pose.length / FRAMES)}`);
      // A video's portrait is its first frame.
      const reference = weights.read('reference_latents').data;
      if (name === 'ada') assertAllClose(latents.subarray(0, size), reference, HALF_PRECISION);
    } finally {
      weights.dispose();
    }
  }
  const file = path.join(samples, 'ada-0.safetensors');
  const { mtimeMs } = statSync(file);
  assert.equal(encode().match(/0 samples made, 1 there already/g)?.length, 2);
  assert.equal(statSync(file).mtimeMs, mtimeMs);
});
