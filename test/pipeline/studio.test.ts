/** Clips that share a studio, on the embedded bundle. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { atEveryStep, planContextWindows, planMovingWindows } from '../../src/denoising/context-windows.ts';
import { FaceError, MediaError } from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import type { ProgressEvent } from '../../src/pipeline/animate-options.ts';
import { networksOf } from '../../src/pipeline/job-networks.ts';
import { countDecoded, type Job } from '../../src/pipeline/open-job.ts';
import type { ClipOptions, PreparedClip } from '../../src/pipeline/prepare-clip.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { integersAreFaster } from '../../src/runtime/integer-instructions.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { encodeWav, temporaryDirectory } from '../helpers/media.ts';
import { ROOT } from '../helpers/run-program.ts';

const SAMPLE_RATE = 16_000;
const FPS = 25;
const folder = temporaryDirectory();
const ffmpeg = await locateFfmpeg({ env: process.env });
const portraitOf = (name: string) => path.join(ROOT, `assets/portraits/${name}.jpg`);

/** A recording of `frames` frames with something in it. */
function speechOf(frames: number): string {
  const file = path.join(folder, `${frames}.wav`);
  const random = new RandomStream([frames]);
  const pcm = Float32Array.from({ length: (frames / FPS) * SAMPLE_RATE }, (_, i) => {
    return 0.3 * Math.sin(0.05 * i) * Math.sin(0.0007 * i) + 0.02 * random.normal();
  });
  writeFileSync(file, encodeWav(pcm, SAMPLE_RATE));
  return file;
}

let studio: Studio;
before(async () => {
  studio = await Studio.open({ device: 'cpu' });
});
after(() => studio.dispose());

function options(name: string, frames: number, file: string) {
  return {
    portrait: portraitOf(name),
    audio: speechOf(frames),
    output: path.join(folder, file),
    fps: FPS,
    steps: 1,
    framing: 'crop' as const,
    overwrite: true,
  };
}

/** The job of a clip that is prepared, and let go. */
async function jobOf(changes: Partial<ClipOptions>): Promise<Job> {
  const clip = await studio.prepare({ ...options('ada', 15, 'job.mp4'), ...changes });
  await clip.dispose();
  return clip.job;
}

async function framesOf(file: string): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  for await (const { data } of readFrames(file, { ffmpeg })) frames.push(Uint8Array.from(data));
  return frames;
}

test('a clip that is prepared while another renders disturbs neither', async () => {
  const alone = await studio.prepare(options('ada', 6, 'alone.mp4'));
  await studio.render(alone);
  await alone.dispose();

  const first = await studio.prepare(options('ada', 6, 'first.mp4'));
  const [, second] = await Promise.all([
    studio.render(first),
    studio.prepare(options('ben', 6, 'second.mp4')),
  ]);
  const result = await studio.render(second);
  assert.equal(result.frames, 6);
  assert.ok(result.times.total >= result.times.prepare + result.times.denoise);
  // Again on networks that another portrait was bound to.
  await studio.render({ ...first, job: { ...first.job, output: path.join(folder, 'again.mp4') } });
  await Promise.all([first.dispose(), second.dispose()]);

  const expected = await framesOf(path.join(folder, 'alone.mp4'));
  assert.equal(expected.length, 6);
  assert.deepEqual(await framesOf(path.join(folder, 'first.mp4')), expected);
  assert.deepEqual(await framesOf(path.join(folder, 'again.mp4')), expected);
  assert.notDeepEqual(await framesOf(path.join(folder, 'second.mp4')), expected);
});

test('equal choices share loaded networks; several choices are held at once, each with its own reference', async () => {
  const clip = await studio.prepare(options('ada', 3, 'choices.mp4'));
  const fast = networksOf(clip.job);
  assert.equal(fast.isShort, true);
  const leases = await Promise.all([
    studio.loadNetworks(fast),
    // Where other clips follow, a long one has the same.
    studio.loadNetworks({ ...fast, isShort: false }),
    studio.loadNetworks({ ...fast, loras: [] }),
    studio.loadNetworks({ ...fast, guided: true }),
  ]);
  const [a, b, plain, guided] = leases.map(({ networks }) => networks);
  assert.equal(a, b);
  const conditions = await Promise.all([0, 1, 2].map((frame) => clip.scene.conditions(frame)));
  const [channels, height, width] = a!.frameShape;
  const latents = {
    data: new RandomStream([1]).fillNormal(new Float32Array(channels * 3 * height * width)),
    dims: [1, channels, 3, height, width],
  };
  const outputs: Float32Array[] = [];
  for (const networks of [a!, plain!, guided!]) {
    await networks.bindReference(await networks.makeReference(clip.scene.reference));
  }
  for (const networks of [a!, plain!, guided!]) {
    const pose = await networks.poseFeatures(conditions);
    outputs.push((await networks.denoise('conditional', latents, 999, pose)).data);
  }
  assert.notDeepEqual(outputs[0], outputs[1], 'the LoRA changes the prediction');
  assert.deepEqual(outputs[0], outputs[2], 'guidance leaves the conditional branch as it is');
  const pose = await guided!.poseFeatures(conditions);
  const other = await guided!.denoise('unconditional', latents, 999, pose);
  assert.notDeepEqual(other.data, outputs[2]);
  await Promise.all(leases.map((lease) => lease.release()));
  await clip.dispose();
});

test('a job that cannot be prepared, or is stopped, leaves the studio usable', async () => {
  const good = options('ada', 1, 'usable.mp4');
  const landscape = path.join(ROOT, 'test/golden/face/pose_spiral_256x256.png');
  await assert.rejects(studio.prepare({ ...good, portrait: landscape }), FaceError);
  await assert.rejects(studio.prepare({ ...good, audio: path.join(folder, 'no.wav') }), MediaError);

  const controller = new AbortController();
  const reason = new Error('enough');
  const { signal } = controller;
  let stages = 0;
  const stopped = studio.prepare({
    ...good,
    signal,
    onProgress: (event) => {
      if (event.type === 'stage' && ++stages === 2) controller.abort(reason);
    },
  });
  await assert.rejects(stopped, (error) => error === reason);
  const early = new AbortController();
  const preparing = studio.prepare({ ...good, signal: early.signal });
  setImmediate(() => early.abort(reason));
  await assert.rejects(preparing, (error) => error === reason);

  const clip: PreparedClip = await studio.prepare(good);
  const { frames } = await studio.render(clip);
  assert.equal(frames, 1);
  await Promise.all([clip.dispose(), clip.dispose()]);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  );
});

test('a clip of one window and one of several choose their windows by length', async () => {
  for (const windows of ['moving', 'overlapping'] as const) {
    const clip = await studio.prepare({ ...options('ada', 15, 'windows.mp4'), steps: 3, windows });
    const { contextFrames, contextOverlap } = clip.job.bundle.description;
    assert.deepEqual(
      clip.job.windows,
      windows === 'moving'
        ? planMovingWindows(15, { contextFrames, steps: 3 })
        : atEveryStep(planContextWindows(15, { contextFrames, contextOverlap }), 3),
    );
    assert.equal(networksOf(clip.job).windowFrames, contextFrames);
    await clip.dispose();
  }
});

test('a preset brings windows, precision and fewer frames; what is asked for goes before', async () => {
  const { sampling: fast } = await jobOf({});
  const precision = integersAreFaster() ? 'int8' : 'auto';
  assert.deepEqual([fast.windows, fast.denoiseEvery, fast.precision], ['moving', 1, precision]);
  const asked = { windows: 'overlapping', denoiseEvery: 1, precision: 'float32' } as const;
  const { sampling, denoisedFrames } = await jobOf({ preset: 'faster', ...asked });
  assert.deepEqual(
    [sampling.windows, sampling.precision, denoisedFrames.length],
    ['overlapping', 'float32', 15],
  );
  const notices: string[] = [];
  const onProgress = (event: ProgressEvent): void => {
    if (event.type === 'notice') notices.push(event.message);
  };
  const faster = await jobOf({ preset: 'faster', onProgress });
  assert.deepEqual([faster.sampling.windows, faster.denoisedFrames.length], ['moving', 8]);
  assert.deepEqual([countDecoded(faster), countDecoded(await jobOf({}))], [8, 15]);
  assert.equal(faster.sampling.precision, precision);
  assert.equal((await jobOf({ precision: 'float32', onProgress })).sampling.precision, 'float32');
  assert.deepEqual(notices, []);
});
