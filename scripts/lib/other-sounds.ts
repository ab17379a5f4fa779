/**
 * Sounds that a recording has besides its speaker's words: breaths, coughs, and somebody else in a pause. They are made up apart from
 * those of scripts/train, so that a network that has learnt those is measured on others.
 */
import { RandomStream } from '../../src/tensor/random.ts';

const SAMPLE_RATE = 16000;
const BREATHS = 0x4252;
const COUGHS = 0x434f;
/** A pause is put in where the voice is weakest over this many seconds. */
const QUIET = 0.06;
/** Seconds over which speech fades into a pause and out of it. */
const FADE = 0.02;

/** Centre and width in Hz, and height, of one resonance. */
type Resonance = readonly [centre: number, width: number, height: number];

/** What is left of `sound` in parallel resonances, at a root mean square of 1. */
function throughTract(sound: Float32Array, tract: readonly Resonance[]): Float32Array {
  const out = new Float32Array(sound.length);
  for (const [centre, width, height] of tract) {
    const pole = Math.exp((-Math.PI * width) / SAMPLE_RATE);
    const turn = 2 * pole * Math.cos((2 * Math.PI * centre) / SAMPLE_RATE);
    let [before, beforeThat] = [0, 0];
    sound.forEach((value, i) => {
      const now = (1 - pole) * value + turn * before - pole * pole * beforeThat;
      [before, beforeThat] = [now, before];
      out[i]! += height * now;
    });
  }
  const level = rootMeanSquare(out);
  return out.map((value) => value / level);
}

export function rootMeanSquare(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
}

function noise(random: RandomStream, seconds: number): Float32Array {
  return random.fillNormal(new Float32Array(Math.round(seconds * SAMPLE_RATE)));
}

function between(random: RandomStream, low: number, high: number): number {
  return low + (high - low) * random.uniform();
}

function add(out: Float32Array, part: Float32Array, seconds: number): void {
  const first = Math.round(seconds * SAMPLE_RATE);
  for (let i = 0; i < part.length && first + i < out.length; i++) out[first + i]! += part[i]!;
}

/** Breaths in and out, one every 1.4 seconds: noise of mouth and throat that swells and fades; 1 at its loudest, nothing between. */
export function breaths(seconds: number, seed: number): Float32Array {
  const random = new RandomStream([seed, BREATHS]);
  const out = new Float32Array(Math.round(seconds * SAMPLE_RATE));
  for (let at = 0.1; at < seconds - 0.2; at += 1.4) {
    const length = Math.min(between(random, 0.35, 0.9), seconds - at);
    const air = throughTract(noise(random, length), [
      [between(random, 450, 800), 300, 0.5],
      [between(random, 1200, 1800), 500, 1],
      [between(random, 2500, 3500), 900, 0.8],
    ]);
    const peak = between(random, 0.3, 0.6);
    const swell = air.map((value, i) => {
      const place = i / air.length;
      const share = place < peak ? place / peak : (1 - place) / (1 - peak);
      return value * Math.sin((Math.PI / 2) * share);
    });
    add(out, swell, at);
  }
  return out;
}

/** Coughs, two every 1.6 seconds: a burst, a rush of air, and a voice that breaks off; about 1 at their loudest. */
export function coughs(seconds: number, seed: number): Float32Array {
  const random = new RandomStream([seed, COUGHS]);
  const out = new Float32Array(Math.round(seconds * SAMPLE_RATE));
  for (let at = 0.15; at < seconds - 0.2; at += 1.6) {
    for (const delay of [0, between(random, 0.35, 0.5)]) {
      const tract: Resonance[] = [
        [between(random, 500, 900), 250, 1],
        [between(random, 1300, 1900), 400, 0.8],
        [between(random, 2300, 3200), 700, 0.5],
      ];
      const burst = throughTract(noise(random, 0.05), tract);
      const rush = throughTract(noise(random, 0.18), tract);
      const pitch = between(random, 130, 260);
      const voice = Float32Array.from({ length: Math.round(0.1 * SAMPLE_RATE) }, (_, i) => {
        const time = i / SAMPLE_RATE;
        // A pulse each period, which gets longer.
        return ((time * pitch * (1 - 2 * time)) % 1) - 0.5;
      });
      const fall = (sound: Float32Array, from: number, to: number): Float32Array =>
        sound.map((value, i) => value * from * (to / from) ** (i / sound.length));
      add(out, fall(burst, 1, 0.4), at + delay);
      add(out, fall(rush, 0.6, 0.2), at + delay + 0.05);
      add(out, fall(throughTract(voice, tract), 0.4, 0.05), at + delay + 0.21);
    }
  }
  return out;
}

/** Root mean square of the 100 ms of `voice` that are within 10 dB of its loud ones: how loud somebody speaks. */
export function speechLevel(voice: Float32Array): number {
  const block = SAMPLE_RATE / 10;
  const powers = Array.from(
    { length: Math.floor(voice.length / block) },
    (_, i) => rootMeanSquare(voice.subarray(i * block, (i + 1) * block)) ** 2,
  );
  const loud = Math.max(...powers) / 10;
  const spoken = powers.filter((power) => power >= loud);
  return Math.sqrt(spoken.reduce((sum, power) => sum + power, 0) / spoken.length);
}

/** Speech that pauses, and when, in seconds. */
export interface PausedSpeech {
  readonly pcm: Float32Array;
  readonly start: number;
  readonly end: number;
}

/**
 * `speech` with a pause in the quietest place of its middle half, in which something else is heard.
 *
 * @param sound - what is heard, as long as the pause, at 16 kHz.
 * @param decibels - how much louder it is than the voice.
 */
export function pauseWith(speech: Float32Array, sound: Float32Array, decibels: number): PausedSpeech {
  const window = QUIET * SAMPLE_RATE;
  let [at, least] = [0, Number.POSITIVE_INFINITY];
  for (let first = Math.round(speech.length / 4); first < (speech.length * 3) / 4; first += window / 4) {
    const level = rootMeanSquare(speech.subarray(first, first + window));
    if (level < least) [at, least] = [first + window / 2, level];
  }
  const pcm = new Float32Array(speech.length + sound.length);
  const fade = FADE * SAMPLE_RATE;
  speech.forEach((value, i) => {
    const share = Math.min(1, Math.abs(i - at) / fade);
    pcm[i < at ? i : i + sound.length] = value * share;
  });
  const level = speechLevel(speech) * 10 ** (decibels / 20);
  sound.forEach((value, i) => {
    pcm[at + i]! += value * level;
  });
  return { pcm, start: at / SAMPLE_RATE, end: (at + sound.length) / SAMPLE_RATE };
}
