import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { breaths, coughs, pauseWith, speechLevel } from '../../scripts/lib/other-sounds.ts';
import { InvalidOptionError } from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { mean } from '../../src/metrics/series.ts';
import { generateMotion } from '../../src/motion/generate-motion.ts';
import { MESH_VALUES, POSE_VALUES } from '../../src/motion/motion.ts';
import { ClipMotion } from '../../src/motion/speech-clip-motion.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { babble, lipCurve, openMotion } from './motion-fixture.ts';

const CLOSED_CM = 0.06; // a tenth of an open mouth
const PAUSE_CM = 0.05;
const PRESSED_CM = 0.15; // lips that are driven past each other meet in a face
const FLOAT32 = { rtol: 1e-4, atol: 1e-4 };
let motion: Awaited<ReturnType<typeof openMotion>>;
before(async () => {
  motion = await openMotion();
});
after(() => motion.network.dispose());

async function recording(name: string, start: number, seconds: number): Promise<Float32Array> {
  const file = fileURLToPath(new URL(`../../assets/speech/${name}`, import.meta.url));
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const { pcm } = await readAudio(file, { ffmpeg, sampleRate: 16000 });
  return pcm.slice(start * 16000, (start + seconds) * 16000);
}

/** A reader at a level of 1. */
async function otherVoice(seconds: number): Promise<Float32Array> {
  const voice = await recording('librivox.flac', 0.5, seconds);
  const level = speechLevel(voice);
  return voice.map((value) => value / level);
}

/** Root mean square of white noise from a fixed generator. */
function noise(seconds: number, level: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: seconds * 16000 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (level * Math.sqrt(3) * state) / 2 ** 31;
  });
}

for (const [name, pcm, limit] of [
  ['digital silence', new Float32Array(16000), 0.02],
  ['faint noise', noise(1, 1e-4), CLOSED_CM],
  // Where loud noise sets in it might be a consonant.
  ['loud noise', noise(1, 0.05), 0.25],
] as const) {
  test(`${name} leaves the mouth closed`, async () => {
    const { offsets } = await generateMotion({ ...motion, pcm, fps: 25, frames: 25 });
    for (const opening of lipCurve(offsets)) assert.ok(Math.abs(opening) < limit, `${opening} cm`);
  });
}

for (const [name, pcm] of [
  ['a low voice', babble(2)],
  ['a high voice', babble(2, { pitch: 220 })],
  ['a quiet voice', babble(2, { level: 0.003 })],
] as const) {
  test(`${name} opens the mouth on vowels and closes it between`, async () => {
    const { offsets } = await generateMotion({ ...motion, pcm, fps: 50, frames: 100 });
    const curve = lipCurve(offsets);
    // Vowels sound in the first half of each half second.
    for (const start of [0.5, 1, 1.5]) {
      const opening = Math.max(...curve.slice(start * 50, start * 50 + 13));
      const closure = Math.min(...curve.slice(start * 50 + 15, start * 50 + 25));
      assert.ok(opening > 0.2, `open by ${opening} cm`);
      assert.ok(closure < opening / 4, `open by ${closure} of ${opening} cm in the pause`);
    }
  });
}

test('after the speech has ended the mouth is closed', async () => {
  const { offsets } = await generateMotion({ ...motion, pcm: babble(1.1), fps: 25, frames: 50 });
  for (const opening of lipCurve(offsets).slice(38)) assert.ok(Math.abs(opening) < CLOSED_CM);
});

test('knocks during a voice leave the mouth closed', async () => {
  const pcm = new Float32Array(4 * 16000);
  babble(1.1).forEach((sample, i) => {
    pcm[i + 16000] = sample;
  });
  const knock = noise(1, 0.05).subarray(0, 800);
  for (const time of [0.25, 0.6, 2.6, 3, 3.4]) {
    knock.forEach((sample, i) => {
      pcm[i + time * 16000]! += sample * Math.sin((Math.PI * i) / knock.length);
    });
  }
  const { offsets } = await generateMotion({ ...motion, pcm, fps: 25, frames: 100 });
  const curve = lipCurve(offsets);
  for (const opening of [...curve.slice(0, 22), ...curve.slice(62)]) {
    assert.ok(opening < CLOSED_CM && opening > -PRESSED_CM, `open by ${opening} cm`);
  }
  assert.ok(Math.max(...curve.slice(25, 50)) > 0.2);
});

for (const [name, decibels, sound] of [
  ['breaths', -10, (seconds: number) => breaths(seconds, 4)],
  ['coughs', 0, (seconds: number) => coughs(seconds, 4)],
  ['somebody else', -16, otherVoice],
] as const) {
  test(`${name} in a pause leave the mouth closed`, async () => {
    const speech = await recording('welcome.wav', 0, 3);
    const { pcm, start, end } = pauseWith(speech, await sound(2), decibels);
    const frames = Math.floor((pcm.length / 16000) * 25);
    const { offsets } = await generateMotion({ ...motion, pcm, fps: 25, frames });
    const curve = lipCurve(offsets);
    const pause = curve.slice(Math.ceil((start + 0.35) * 25), Math.floor((end - 0.5) * 25));
    assert.ok(mean(pause) < PAUSE_CM, `open by ${mean(pause)} cm on average`);
    assert.ok(Math.max(...pause) < 0.3, `open by up to ${Math.max(...pause)} cm`);
    assert.ok(Math.max(...curve) > 0.5);
  });
}

/** Chords of four tones, one after another: held ones with eight harmonics, or plucked ones that fade. */
function tune(seconds: number, plucked: boolean): Float32Array {
  const chord = 0.5;
  return Float32Array.from({ length: seconds * 16000 }, (_, i) => {
    const time = i / 16000;
    const since = time % chord;
    const root = [220, 174.6, 196, 261.6, 146.8][Math.floor(time / chord) % 5]!;
    let value = 0;
    for (const interval of [1, 1.2599, 1.4983, 2]) {
      for (let harmonic = 1; harmonic <= 8; harmonic++) {
        const fade = plucked ? Math.exp(-(3 + harmonic) * since) : 1;
        value +=
          (fade / harmonic) * Math.sin(2 * Math.PI * harmonic * interval * root * time + harmonic * interval);
      }
    }
    return 0.03 * value * Math.min(1, since / 0.01, (chord - since) / 0.03);
  });
}

for (const [name, plucked] of [
  ['held chords', false],
  ['plucked chords', true],
] as const) {
  test(`${name} are no speech`, async () => {
    const { offsets } = await generateMotion({ ...motion, pcm: tune(4, plucked), fps: 25, frames: 100 });
    const curve = lipCurve(offsets).sort((a, b) => a - b);
    assert.ok(curve[90]! < PAUSE_CM, `nine of ten frames are open by up to ${curve[90]} cm`);
  });
}

for (const seconds of [0.01, 0.1, 0.13]) {
  test(`${seconds} s of speech gives finite motion`, async () => {
    const { offsets, pose } = await generateMotion({
      ...motion,
      pcm: babble(seconds),
      fps: 30,
      frames: 4,
    });
    assert.equal(offsets.length, 4 * MESH_VALUES);
    assert.equal(pose.length, 4 * POSE_VALUES);
    assert.ok(offsets.every(Number.isFinite) && pose.every(Number.isFinite));
  });
}

/** A second of chords, one of a voice, and again. */
function musicAndVoice(): Float32Array {
  const pcm = new Float32Array(4 * 16000);
  for (const second of [0, 2]) {
    pcm.set(tune(1, false), second * 16000);
    pcm.set(babble(1), (second + 1) * 16000);
  }
  return pcm;
}

for (const [name, pcm] of [
  ['a voice', babble(2)],
  ['music and a voice', musicAndVoice()],
] as const) {
  test(`parts of a clip equal the clip: ${name}`, async () => {
    const options = { ...motion, pcm, fps: 29.97 };
    const frames = Math.floor(pcm.length / 16000) * 30;
    const whole = await generateMotion({ ...options, frames });
    for (const firstFrame of [9, 31]) {
      const part = await generateMotion({ ...options, frames: 20, firstFrame });
      const [from, to] = [firstFrame, firstFrame + 20].map((frame) => frame * MESH_VALUES);
      assertAllClose(part.offsets, whole.offsets.subarray(from, to), FLOAT32);
      assertAllClose(
        part.pose,
        whole.pose.subarray(firstFrame * POSE_VALUES, (firstFrame + 20) * POSE_VALUES),
        FLOAT32,
      );
    }
  });
}

test('frame rates sample one motion', async () => {
  const options = { ...motion, pcm: babble(2) };
  const slow = await generateMotion({ ...options, fps: 12.5, frames: 25 });
  const fast = await generateMotion({ ...options, fps: 50, frames: 100 });
  for (let frame = 0; frame < 25; frame++) {
    const [a, b] = [frame * MESH_VALUES, 4 * frame * MESH_VALUES];
    assertAllClose(
      slow.offsets.subarray(a, a + MESH_VALUES),
      fast.offsets.subarray(b, b + MESH_VALUES),
      FLOAT32,
    );
    const [p, q] = [frame * POSE_VALUES, 4 * frame * POSE_VALUES];
    assertAllClose(slow.pose.subarray(p, p + POSE_VALUES), fast.pose.subarray(q, q + POSE_VALUES), FLOAT32);
  }
});

test('scales multiply the motion; zeros leave the portrait as it is', async () => {
  const options = { ...motion, pcm: babble(1), fps: 25, frames: 25 };
  const still = await generateMotion({ ...options, expressionScale: 0 });
  assert.ok(
    still.offsets.every((value) => value === 0) && still.pose.every((value) => Math.abs(value) === 0),
  );
  const full = await generateMotion(options);
  const half = await generateMotion({ ...options, expressionScale: 0.5 });
  assertAllClose(
    half.offsets,
    full.offsets.map((value) => value / 2),
    FLOAT32,
  );
  const wide = await generateMotion({ ...options, mouthScale: 1.5 });
  assertAllClose(
    lipCurve(wide.offsets),
    lipCurve(full.offsets).map((value) => 1.5 * value),
    FLOAT32,
  );
});

test('a style makes the lips move more or less, and they meet in every style', async () => {
  const curves: number[][] = [];
  for (const style of ['calm', 'natural', 'lively'] as const) {
    const scales = { expressionScale: 1, mouthScale: 1, style };
    const mesh = new Float32Array(MESH_VALUES);
    const clip = new ClipMotion({ ...motion, pcm: babble(2), fps: 25, frames: 50, mesh, scales });
    const frames = await Promise.all(Array.from({ length: 50 }, (_, frame) => clip.at(frame)));
    curves.push(frames.map(({ offsets }) => lipCurve(offsets)[0]!));
  }
  const most = curves.map((curve) => Math.max(...curve));
  assert.ok(most[0]! < 0.9 * most[1]! && most[0]! > 0.75 * most[1]!, `${most}`);
  assert.ok(most[2]! > 1.1 * most[1]! && most[2]! < 1.3 * most[1]!, `${most}`);
  for (const curve of curves) assert.ok(Math.min(...curve.slice(10)) < 0.03);
});

test('an open mouth of the portrait is closed on request', async () => {
  const mesh = new Float32Array(MESH_VALUES);
  mesh[3 * 14 + 1] = -0.54; // lips of landmarks 13 and 14 apart by 0.54 cm, lids by nothing
  const options = { ...motion, pcm: new Float32Array(8000), fps: 25, frames: 2, mesh };
  const { offsets } = await generateMotion({ ...options, closeMouth: 1 });
  assert.ok(Math.abs(lipCurve(offsets)[0]! + 0.5) < CLOSED_CM, `${lipCurve(offsets)[0]}`);
});

test('lips meet but do not pass through each other', async () => {
  const mesh = new Float32Array(MESH_VALUES);
  mesh[3 * 14 + 1] = -0.05;
  const options = { ...motion, pcm: babble(2), fps: 25, frames: 50, mesh, mouthScale: 3 };
  const gaps = lipCurve((await generateMotion(options)).offsets).map((change) => 0.05 + change);
  assert.ok(Math.min(...gaps) > -1e-3, `${Math.min(...gaps)}`);
  assert.ok(Math.max(...gaps) > 0.5);
});

test('a cancelled call rejects with the reason', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  const call = generateMotion({ ...motion, pcm: babble(1), fps: 25, frames: 25, signal });
  await assert.rejects(call, /enough/);
});

test('numbers out of range are refused by name', async () => {
  const options = { ...motion, pcm: babble(0.2), fps: 25, frames: 5 };
  for (const [name, value] of [
    ['fps', 0],
    ['frames', 0],
    ['mouthScale', Number.NaN],
    ['expressionScale', 9],
    ['pcm', new Float32Array(0)],
  ] as const) {
    await assert.rejects(generateMotion({ ...options, [name]: value }), (error) => {
      assert.ok(error instanceof InvalidOptionError);
      assert.equal(error.option, name);
      return true;
    });
  }
});
