/** A bundle with AniPortrait's layout, narrow and with weights by formula, through the whole job. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { calibrate } from '../../src/compare/calibrate.ts';
import { compare } from '../../src/compare/compare.ts';
import { ModelError } from '../../src/errors.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { openBundle, verifyBundle } from '../../src/models/bundle.ts';
import { writeMotionFile } from '../../src/motion/motion-file.ts';
import type { ProgressEvent } from '../../src/pipeline/animate-options.ts';
import { showMotion } from '../../src/pipeline/motion-tools.ts';
import { planAnimation } from '../../src/pipeline/plan-animation.ts';
import type { ClipOptions } from '../../src/pipeline/prepare-clip.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { integersAreFaster } from '../../src/runtime/integer-instructions.ts';
import { SMALL_RESOLUTION, writeAniPortraitBundle } from '../helpers/aniportrait-bundle.ts';
import { chirps, encodeWav, makeMedia, temporaryDirectory } from '../helpers/media.ts';
import { record } from '../helpers/recorded-face.ts';
import { ROOT } from '../helpers/run-program.ts';

const SAMPLE_RATE = 16_000;
/** At 30 frames a second: more than a window of 8, so that windows overlap. */
const FRAMES = 11;
const PORTRAIT = path.join(ROOT, 'assets/portraits/ada.jpg');
const folder = temporaryDirectory();
const bundle = path.join(folder, 'bundle');
const audio = path.join(folder, 'speech.wav');
/** Enough to see that frames differ, where networks are large or built anew. */
const FEW_FRAMES = 5;
const word = path.join(folder, 'word.wav');
const ffmpeg = await locateFfmpeg({ env: process.env });
writeFileSync(audio, encodeWav(chirps(FRAMES / 30, SAMPLE_RATE), SAMPLE_RATE));
writeFileSync(word, encodeWav(chirps(FEW_FRAMES / 30, SAMPLE_RATE), SAMPLE_RATE));

let studio: Studio;
before(() => {
  writeAniPortraitBundle(bundle);
  studio = new Studio({ device: 'cpu', cacheFolder: path.join(folder, 'cache') });
});
after(() => studio.dispose());

async function render(name: string, options: Partial<ClipOptions>) {
  const output = path.join(folder, `${name}.mp4`);
  const clip = await studio.prepare({
    ...(options.source === undefined && { portrait: PORTRAIT }),
    ...(options.driving === undefined && options.poseVideo === undefined && { audio }),
    ...{ output, bundle, ...options },
  } as ClipOptions);
  try {
    const result = await studio.render(clip);
    const frames: Uint8Array[] = [];
    for await (const { data } of readFrames(output, { ffmpeg })) frames.push(Uint8Array.from(data));
    return { result, frames, media: await probeMedia(output, { ffmpeg }) };
  } finally {
    await clip.dispose();
  }
}

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
}

const ONE_STEP = { framing: 'crop', steps: 1 } as const;
type Rendered = Awaited<ReturnType<typeof render>>;
let rendered: Promise<{ readonly plain: Rendered; readonly other: Rendered }> | undefined;

/** A clip of one step, and the same with other noise, for all tests that compare with them. */
function oneStepClips(): NonNullable<typeof rendered> {
  rendered ??= (async () => ({
    plain: await render('plain', ONE_STEP),
    other: await render('other', { ...ONE_STEP, seed: 7 }),
  }))();
  return rendered;
}

test('the original preset: looped windows, guidance in two branches, the square alone', async () => {
  const { result, frames, media } = await render('original', { preset: 'original', framing: 'crop' });
  assert.equal(result.frames, FRAMES);
  assert.equal(frames.length, FRAMES);
  assert.deepEqual([result.width, result.height, result.fps], [SMALL_RESOLUTION, SMALL_RESOLUTION, 30]);
  assert.equal(media.video?.frames, FRAMES);
  // Two looped windows, three steps, two branches.
  assert.deepEqual([result.sampler, result.denoiserEvaluations], ['ddim', 12]);
  for (const frame of frames) {
    const mean = frame.reduce((sum, value) => sum + value, 0) / frame.length;
    const spread = Math.sqrt(frame.reduce((sum, value) => sum + (value - mean) ** 2, 0) / frame.length);
    assert.ok(mean > 20 && mean < 235 && spread > 5, `mean ${mean}, spread ${spread}`);
  }
  assert.ok(meanDifference(frames[0]!, frames[5]!) > 0.5, 'frames differ');
});

test('the fast preset: pasted back into the photo, at another frame rate', async () => {
  const { result, frames } = await render('fast', { fps: 25 });
  const photo = await loadImage(PORTRAIT);
  assert.deepEqual([result.width, result.height], [photo.width & ~1, photo.height & ~1]);
  assert.equal(frames.length, Math.ceil((FRAMES / 30) * 25));
  assert.equal(result.denoiserEvaluations, 2 * 4);
  const corner = (data: Uint8Array, width: number): number[] =>
    Array.from({ length: 16 }, (_, i) => data[(Math.floor(i / 4) * width + (i % 4)) * 3 + 1]!);
  const expected = corner(photo.data, photo.width);
  for (const frame of frames) {
    const found = corner(frame, result.width);
    assert.ok(
      found.every((value, i) => Math.abs(value - expected[i]!) <= 6),
      'far from the face, the photo is as it was',
    );
    assert.ok(meanDifference(frame, photo.data) > 3, 'the face is not the photo');
  }
});

for (const variant of ['P0', 'P2'] as const) {
  test(`moving windows, poses as ${variant}: what a window's features depend on is computed again, or gathered`, async () => {
    const posed = variant === 'P2' ? bundle : path.join(folder, variant);
    if (posed !== bundle) writeAniPortraitBundle(posed, { variant });
    const options = { bundle: posed, steps: 2, framing: 'crop' } as const;
    const moving = await render(`moving-${variant}`, { ...options, windows: 'moving' });
    assert.equal(moving.result.windowLayout, 'moving');
    // Two windows of 8 over 11 frames, two steps.
    assert.equal(moving.result.denoiserEvaluations, 4);
    assert.equal(moving.frames.length, FRAMES);
    const overlapping = await render(`overlapping-${variant}`, { ...options, windows: 'overlapping' });
    const difference = meanDifference(moving.frames[4]!, overlapping.frames[4]!);
    assert.ok(difference > 0 && difference < 40, `${difference}`);
  });
}

test('the same seed gives the same frames, another seed others', async () => {
  const { plain, other } = await oneStepClips();
  const again = await render('again', ONE_STEP);
  assert.deepEqual(plain.frames, again.frames);
  assert.ok(meanDifference(plain.frames[3]!, other.frames[3]!) > 1);
});

test('with little memory, one network at a time and weights in half precision show the same clip', async () => {
  const { plain, other } = await oneStepClips();
  const frugal = await render('frugal', { ...ONE_STEP, lowMemory: true });
  assert.equal(frugal.frames.length, FRAMES);
  for (const [i, frame] of frugal.frames.entries()) {
    // Weights by formula make noise of noise, so that rounding them shows more than in a trained network.
    const difference = meanDifference(frame, plain.frames[i]!);
    const noise = meanDifference(other.frames[i]!, plain.frames[i]!);
    assert.ok(difference < noise / 8, `${i}: ${difference} of ${noise}`);
  }
});

/** A film of the portrait, which moves. */
function makeFilm(frames: number): string {
  return makeMedia(
    ffmpeg,
    path.join(folder, `film-${frames}.mkv`),
    ...['-loop', '1', '-framerate', '30', '-i', PORTRAIT, '-t', String(frames / 30)],
    ...['-vf', "scale=400:400,crop=360:360:x='8+2*n':y='16-n'", '-c:v', 'ffv1'],
  );
}

test('a film drives the portrait, and gets another voice', { timeout: 600_000 }, async () => {
  const film = makeFilm(FRAMES);
  for (const drivingMode of ['relative', 'absolute'] as const) {
    const { result, frames } = await render(`driven-${drivingMode}`, {
      ...{ driving: film, drivingMode, framing: 'crop', steps: 1 },
    });
    assert.equal(result.frames, FRAMES);
    assert.equal(result.fps, 30);
    assert.ok(meanDifference(frames[0]!, frames[9]!) > 0.5, 'frames differ');
  }

  const { result, frames } = await render('voiced', { source: film, steps: 1 });
  assert.deepEqual([result.frames, result.width, result.height], [FRAMES, 360, 360]);
  let frame = 0;
  for await (const { data } of readFrames(film, { ffmpeg })) {
    const upper = data.subarray(0, 360 * 100 * 3);
    const kept = meanDifference(upper, frames[frame]!.subarray(0, upper.length));
    assert.ok(kept < 3, `frame ${frame} differs by ${kept} above the face`);
    assert.ok(meanDifference(data, frames[frame]!) > kept, 'the mouth is another');
    frame++;
  }
  assert.equal(frame, FRAMES);
});

test('drawn landmarks of a video move the portrait, and are seen as they are', {
  timeout: 120_000,
}, async () => {
  const drawn = async (name: string, pose: (frame: number) => number[]): Promise<string> => {
    const motion = path.join(folder, `${name}.motion`);
    const landmarks = path.join(folder, `${name}.mp4`);
    const states = Array.from({ length: FRAMES }, (_, frame) => ({ lips: frame / 10, pose: pose(frame) }));
    await writeMotionFile(motion, record(states, 20));
    await showMotion(motion, { output: landmarks });
    return landmarks;
  };
  const turning = await drawn('turning', (frame) => [0, 2 * frame, 0, 0, 0, -40]);
  const notices: string[] = [];
  const onProgress = (event: ProgressEvent): void => {
    if (event.type === 'notice') notices.push(event.message);
  };
  const { result, frames, media } = await render('posed', { poseVideo: turning, steps: 1, onProgress });
  // The video's own rate, the square of the networks, and silence, with a notice.
  assert.deepEqual(
    [result.frames, result.fps, result.width, result.height],
    [FRAMES, 20, SMALL_RESOLUTION, SMALL_RESOLUTION],
  );
  assert.equal(media.audio, undefined);
  assert.ok(notices.some((notice) => /has no sound: the clip will be silent/.test(notice)));
  assert.ok(meanDifference(frames[0]!, frames[9]!) > 0.5, 'frames differ');
  const still = await drawn('still', () => [0, 0, 0, 0, 0, -40]);
  const other = await render('posed-still', { poseVideo: still, steps: 1 });
  assert.ok(meanDifference(frames[9]!, other.frames[9]!) > 0.3, 'what is drawn decides');

  await assert.rejects(
    render('posed-tiny', { poseVideo: turning, bundle: 'tiny' }),
    /whose networks look at drawn landmarks, as those of AniPortrait do, got tiny, which needs the points/,
  );
  await assert.rejects(render('posed-spoken', { poseVideo: turning, audio }), /none together with poseVideo/);
});

test('at another resolution, the same networks make a larger picture', async () => {
  const { result, frames } = await render('larger', {
    ...{ audio: word, framing: 'crop', steps: 1, resolution: 256 },
  });
  assert.deepEqual([result.width, result.height, frames.length], [256, 256, FEW_FRAMES]);
  await assert.rejects(
    render('too-large', { resolution: 300 }),
    /a multiple of 64 from 256 to 768, or two, as 512x768, got 300/,
  );
  await assert.rejects(
    render('fixed', { bundle: 'tiny', resolution: 512 }),
    /expected 256, the one size of bundle tiny/,
  );
});

test('at a resolution of another shape, a taller part of the photo is animated, alone or in its place', async () => {
  const tall = { audio: word, steps: 1, resolution: '256x320' } as const;
  const { result, frames } = await render('tall', { ...tall, framing: 'crop' });
  assert.deepEqual([result.width, result.height, frames.length], [256, 320, FEW_FRAMES]);
  assert.ok(meanDifference(frames[0]!, frames[2]!) > 0.5, 'frames differ');
  const photo = await loadImage(PORTRAIT);
  const pasted = await render('tall-pasted', tall);
  assert.deepEqual([pasted.result.width, pasted.result.height], [photo.width & ~1, photo.height & ~1]);
  assert.ok(meanDifference(pasted.frames[0]!, photo.data) > 3, 'the face is not the photo');
  await assert.rejects(render('long', { resolution: '256x1024' }), /or two, as 512x768, got "256x1024"/);
});

test('guidance that the denoiser takes as an input costs one evaluation, and counts', async () => {
  const distilled = path.join(folder, 'distilled');
  writeAniPortraitBundle(distilled, { variant: 'P0', timeCondProjDim: 32 });
  const options = { bundle: distilled, audio: word, framing: 'crop', steps: 1 } as const;
  const mild = await render('mild', { ...options, guidance: 2 });
  const strong = await render('strong', { ...options, guidance: 8 });
  assert.deepEqual([mild.result.denoiserEvaluations, strong.result.denoiserEvaluations], [1, 1]);
  assert.ok(meanDifference(mild.frames[1]!, strong.frames[1]!) > 0.1);
});

test('a driven clip compared with itself as published: both branches at once give the same clip', async () => {
  const quick = path.join(folder, 'quick');
  cpSync(bundle, quick, { recursive: true });
  const file = path.join(quick, 'bundle.json');
  const description = JSON.parse(readFileSync(file, 'utf8'));
  description.presets.fast.steps = 1;
  description.presets.original.steps = 2;
  writeFileSync(file, JSON.stringify(description));
  const output = path.join(folder, 'report');
  const driving = makeFilm(FEW_FRAMES);
  const options = { portrait: PORTRAIT, driving, output, bundle: quick } as const;
  const report = await compare({ ...options, device: 'cpu', repeats: 1 });
  assert.equal(report.clip.audio, driving, 'what moves it names the clip');
  const ids = report.variants.map(({ id }) => id);
  assert.deepEqual(ids, ['fast', 'original', 'original-as-published']);
  const savings = report.comparisons.find((item) => item.against === 'original-as-published')!;
  assert.equal(savings.of, 'original');
  assert.ok(savings.largestLatentDifference! < 1e-3, `${savings.largestLatentDifference}`);
  assert.ok(savings.largestLevelDifference <= 1);
});

test('calibrated, the networks can be computed in integers', async () => {
  const measured = path.join(folder, 'measured');
  cpSync(bundle, measured, { recursive: true });
  const options = { ...ONE_STEP, bundle: measured } as const;
  await assert.rejects(render('too-early', { ...options, precision: 'int8' }), /models calibrate/);
  const { layers } = await calibrate({
    bundle: measured,
    portraits: [PORTRAIT],
    audios: [audio],
    originalAudios: [],
  });
  assert.ok(layers.denoisingUnet! > 100 && layers.poseGuider! > 5, JSON.stringify(layers));
  await verifyBundle(await openBundle(measured));
  const integers = await render('integers', { ...options, precision: 'int8' });
  // Of the same weights.
  const { plain, other } = await oneStepClips();
  // Weights by formula make noise of noise, so that rounding shows more than in a trained network; most where the processor
  // adds products of bytes in 16 bits, which overflow.
  const least = integersAreFaster() ? 3 : 2;
  for (const [i, frame] of plain.frames.entries()) {
    const difference = meanDifference(integers.frames[i]!, frame);
    assert.ok(
      difference > 0 && difference < meanDifference(other.frames[i]!, frame) / least,
      `${i}: ${difference} ${meanDifference(other.frames[i]!, frame)}`,
    );
  }
});

test('a dry run counts windows and evaluations of the bundle', async () => {
  const output = path.join(folder, 'plan.mp4');
  const plan = await planAnimation({ portrait: PORTRAIT, audio, output, bundle, preset: 'original' });
  assert.deepEqual([plan.frames, plan.windows, plan.denoiserEvaluations], [FRAMES, 2, 12]);
  assert.ok(plan.estimatedSeconds > 0 && plan.estimatedMemoryBytes > 0);
});

test('a part that is missing, or does not fit, is named before anything is written', async () => {
  const broken = path.join(folder, 'broken');
  cpSync(bundle, broken, { recursive: true });
  const file = path.join(broken, 'bundle.json');
  const description = JSON.parse(readFileSync(file, 'utf8'));
  description.poseGuider.outChannels = 64;
  writeFileSync(file, JSON.stringify(description));
  await assert.rejects(render('broken', { bundle: broken }), (error: Error) => {
    assert.ok(error instanceof ModelError);
    return true;
  });
  assert.ok(!readdirSync(folder).includes('broken.mp4'));
});
