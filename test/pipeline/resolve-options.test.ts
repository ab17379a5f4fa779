import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError, InvalidOptionsError, type WriteOption } from '../../src/errors.ts';
import { findInvalidOptions, resolveOptions } from '../../src/pipeline/resolve-options.ts';

const REQUIRED = { portrait: 'face.jpg', audio: 'speech.wav', output: 'talk.mp4' };

/** Messages of all errors, one a line, with options as `write` has them. */
function messages(options: unknown, write?: WriteOption): string[] {
  try {
    resolveOptions(options as never);
  } catch (error) {
    assert.ok(error instanceof InvalidOptionsError);
    assert.ok(error.errors.every((each) => each instanceof InvalidOptionError));
    assert.equal(error.message, error.errors.map((each) => each.message).join('\n'));
    return error.errors.map((each) => (write ? each.writtenAs(write) : each).message);
  }
  return [];
}

test('the required options alone get the documented defaults, and nothing from a bundle', () => {
  assert.deepEqual(resolveOptions(REQUIRED), {
    ...REQUIRED,
    bundle: 'tiny',
    preset: 'fast',
    seed: 42,
    drivingGaps: 'refuse',
    drivingMode: 'relative',
    device: 'auto',
    framing: 'paste-back',
    expressionScale: 1,
    lowMemory: false,
    mouthScale: 1,
    headPoseScale: 1,
    blinkScale: 1,
    still: false,
    style: 'natural',
    faceMotion: 'bundle',
    overwrite: false,
  });
});

test('options that were resolved are right a second time', () => {
  const resolved = resolveOptions(REQUIRED);
  assert.deepEqual(resolveOptions(resolved), resolved);
});

test('given values win over defaults, undefined ones do not', () => {
  const resolved = resolveOptions({ ...REQUIRED, seed: 0, still: true, steps: undefined, device: undefined });
  assert.equal(resolved.seed, 0);
  assert.equal(resolved.still, true);
  assert.equal(resolved.device, 'auto');
  assert.equal('steps' in resolved, false);
});

test('missing required options are reported together, with what they are', () => {
  assert.deepEqual(messages({}), [
    'Cannot animate without portrait: expected the path of a picture with one clear face, got nothing; or give source',
    'Cannot animate without audio: expected the path of a speech recording, got nothing; or give driving, motion, poseVideo or idle',
    'Cannot animate without output: expected the path of the video to write, ending in .mp4, .m4v, .mov, .webm, .gif, .webp, or in / for a folder of PNGs, or - for standard output, got nothing',
  ]);
});

test('every wrong option of a call is reported at once, under the name that the user wrote', () => {
  const flags: WriteOption = ({ option }) =>
    `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const bad = { ...REQUIRED, steps: Number.NaN, headPoseScale: 9, device: 'gpu', fps: 'fast' };
  assert.deepEqual(messages(bad, flags), [
    'Cannot use --fps: expected a number from 1 to 120, got "fast"',
    'Cannot use --steps: expected an integer from 1 to 100, got NaN',
    'Cannot use --head-pose-scale: expected a number from 0 to 3, got 9',
    'Cannot use --device: expected auto, cpu, cuda, webgpu, coreml or dml, got "gpu"',
  ]);
});

const RANGES = {
  steps: [1, 100],
  guidance: [1, 20],
  seed: [0, Number.MAX_SAFE_INTEGER],
  fps: [1, 120],
  threads: [1, 256],
  expressionScale: [0, 3],
  mouthScale: [0, 3],
  headPoseScale: [0, 3],
  blinkScale: [0, 1],
} as const;

for (const [key, [min, max]] of Object.entries(RANGES)) {
  test(`${key} takes ${min} to ${max} and nothing outside`, () => {
    for (const value of [min, max]) assert.deepEqual(messages({ ...REQUIRED, [key]: value }), []);
    for (const value of [min - 1, max + 1, Number.NaN, Number.POSITIVE_INFINITY, String(min), null, true]) {
      assert.equal(messages({ ...REQUIRED, [key]: value }).length, 1, `${key}: ${value}`);
    }
  });
}

test('emotions are names with strengths, and are checked before anything is read', () => {
  for (const emotion of ['smile', 'happy:0.6', 'sad:0.5,surprised:0.3']) {
    assert.deepEqual(messages({ ...REQUIRED, emotion }), []);
  }
  for (const emotion of ['', 'joy', 'happy:2', 7, null]) {
    const [message] = messages({ ...REQUIRED, emotion });
    assert.match(message ?? '', /^Cannot use emotion: expected happy \(or smile\), .*such as happy:0\.6/);
  }
});

test('counts are whole, scales need not be', () => {
  for (const key of ['steps', 'seed', 'threads']) {
    assert.equal(messages({ ...REQUIRED, [key]: 1.5 }).length, 1, key);
  }
  for (const key of ['guidance', 'fps', 'expressionScale', 'mouthScale', 'headPoseScale']) {
    assert.deepEqual(messages({ ...REQUIRED, [key]: 1.5 }), [], key);
  }
});

test('the samplers that are distilled on fifty steps take no more', () => {
  for (const sampler of ['lcm', 'tcd']) {
    assert.deepEqual(messages({ ...REQUIRED, sampler, steps: 50 }), []);
    assert.deepEqual(messages({ ...REQUIRED, sampler, steps: 51 }), [
      `Cannot use steps: expected at most 50 with sampler ${sampler}, got 51; take another sampler for more`,
    ]);
  }
  assert.deepEqual(messages({ ...REQUIRED, sampler: 'ddim', steps: 100 }), []);
});

test('the output is a video file, and none of the inputs', () => {
  for (const output of ['a.mp4', 'a.MOV', '/x/a.m4v'])
    assert.deepEqual(messages({ ...REQUIRED, output }), []);
  for (const output of ['a.avi', 'folder', '', 'a.mp4\0']) {
    assert.equal(messages({ ...REQUIRED, output }).length, 1, output);
  }
  assert.deepEqual(messages({ ...REQUIRED, audio: 'clip.mp4', output: './clip.mp4' }), [
    'Cannot use output: expected another file than audio, got "./clip.mp4"',
  ]);
});

test('unknown names are refused, with the name that was probably meant', () => {
  assert.deepEqual(messages({ ...REQUIRED, expresionScale: 1, colour: 'red' }), [
    'Cannot use expresionScale: expected an option of animate, got an unknown name; did you mean expressionScale?',
    'Cannot use colour: expected an option of animate, got an unknown name',
  ]);
});

test('values of the wrong type are named by kind, long strings are cut', () => {
  const bad = { ...REQUIRED, still: 'yes', signal: {}, onProgress: [], bundle: 7, preset: 'x'.repeat(200) };
  assert.deepEqual(messages(bad), [
    'Cannot use bundle: expected the name of an embedded or installed bundle, or the path of a bundle folder, got 7',
    `Cannot use preset: expected fast, faster or original, got "${'x'.repeat(75)}…"`,
    'Cannot use still: expected true or false, got "yes"',
    'Cannot use signal: expected an AbortSignal, got an object',
    'Cannot use onProgress: expected a function, got an array',
  ]);
});

for (const options of [undefined, null, 'face.jpg']) {
  test(`a call with ${options} instead of options says so`, () => {
    assert.match(messages(options)[0]!, /^Cannot animate: expected an object of options, got /);
  });
}

test('rates of the NTSC family are exact behind the check', () => {
  for (const fps of [29.97, 30000 / 1001]) {
    assert.equal(resolveOptions({ ...REQUIRED, fps }).fps, 30000 / 1001);
  }
  assert.equal(resolveOptions({ ...REQUIRED, fps: 30 }).fps, 30);
});

test('what an output cannot have is refused with it', () => {
  const refusal = (options: object) =>
    findInvalidOptions({ ...REQUIRED, ...options }).map(({ message }) => message);
  assert.match(
    refusal({ output: 'a.gif', crf: 20 })[0]!,
    /crf: expected none with output a\.gif, which has no choice of quality/,
  );
  assert.match(
    refusal({ output: 'a.mov', crf: 20, background: 'transparent' })[0]!,
    /crf: expected none with transparent output a\.mov, which has no choice of quality/,
  );
  assert.deepEqual(refusal({ output: 'a.mov', crf: 20 }), []);
  assert.match(
    refusal({ output: 'a.gif', fps: 60 })[0]!,
    /fps: expected at most 50 with output a\.gif, got 60/,
  );
  assert.match(refusal({ output: '-' })[0]!, /output: expected a file name, or stream with -/);
  assert.deepEqual(refusal({ output: '-', stream: process.stderr }), []);
  assert.match(refusal({ idle: 8 })[0]!, /idle: expected none together with audio/);
  assert.deepEqual(refusal({ idle: 8, audio: undefined }), []);
  const mixed = refusal({ idle: 8, audio: undefined, soundtrack: 'mix.wav' });
  assert.match(mixed[0]!, /soundtrack: expected it together with audio, driving or poseVideo/);
});

test('drawn landmarks move all of a face, and leave nothing for others to move', () => {
  const drawn = { portrait: 'a.jpg', output: 'b.mp4', poseVideo: 'landmarks.mp4' };
  const refusal = (options: object) =>
    findInvalidOptions({ ...drawn, ...options }).map(({ message }) => message)[0] ?? '';
  assert.equal(refusal({}), '');
  assert.equal(refusal({ soundtrack: 'mix.wav' }), '');
  const others = {
    audio: 'a.wav',
    driving: 'a.mp4',
    motion: 'a.motion',
    idle: 8,
    headMotion: 'calm',
    loop: true,
  };
  for (const [key, value] of Object.entries({ ...others, size: '64x64', aspect: '1:1' })) {
    assert.match(refusal({ [key]: value }), /expected none together with poseVideo, got both/, key);
  }
  assert.match(refusal({ portrait: undefined, source: 'a.mp4' }), /expected none together with source/);
});

test('backgrounds, faces and shapes are checked before anything is read', () => {
  const refusal = (options: object) =>
    findInvalidOptions({ ...REQUIRED, ...options }).map(({ message }) => message)[0] ?? '';
  assert.match(
    refusal({ background: 'transparent' }),
    /background: expected transparent with output that ends in \.mov, \.webm, \.webp, \/ \(a folder of PNGs\), got it with talk\.mp4/,
  );
  assert.equal(refusal({ background: 'transparent', output: 'a.webm' }), '');
  for (const size of ['1081x1920', '20000x1080', 'large']) {
    assert.match(refusal({ size }), /size: expected WIDTHxHEIGHT in even pixels from 64 to 3840/);
  }
  assert.match(refusal({ aspect: '9/16' }), /aspect: expected WIDTH:HEIGHT/);
  assert.match(refusal({ size: '64x64', aspect: '1:1' }), /aspect: expected none together with size/);
  assert.match(refusal({ fit: 'pad' }), /fit: expected it together with size or aspect/);
  assert.match(refusal({ size: '64x64', framing: 'crop' }), /size: expected none with framing crop/);
  for (const face of [0, 1.5, 'left']) assert.match(refusal({ face }), /face: expected the number of a face/);
  for (const face of [2, '310,120']) assert.equal(refusal({ face }), '');
  assert.match(
    refusal({ source: 'f.mp4', portrait: undefined, background: 'green' }),
    /background: .*together with source/,
  );
});
