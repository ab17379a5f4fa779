/**
 * Prosody: how loud and how high a voice is, which syllables are stressed, where phrases begin and end, and whether they
 * end like a question. What the motion of head, brows and lids goes by.
 *
 * The speech is looked at in blocks of a second that are made when they are asked for and let go again, so memory does not
 * grow with it, and a moment's values depend on nothing earlier than {@link PROSODY_LOOK_BACK} or later than
 * {@link PROSODY_LOOK_AHEAD}: not on the length of the clip, nor on the order of the questions.
 */
import { PitchFinder } from './pitch.ts';

/** Values of the tracks per second. */
export const PROSODY_RATE = 50;
/** Seconds after and before a moment that its values can depend on. */
export const PROSODY_LOOK_AHEAD = 6;
export const PROSODY_LOOK_BACK = 10;

/** Sample rate that voices are looked at with, about. */
const VOICE_RATE = 8000;
/** Seconds of a block, and how many blocks are kept. */
const BLOCK_FRAMES = PROSODY_RATE;
const KEPT_BLOCKS = 40;
/** The usual level and pitch at a block are those of these blocks before and after it. */
const CONTEXT_BEFORE = 5;
const CONTEXT_AFTER = 2;
/** A frame is voiced from this periodicity on, if it is neither faint nor far below the usual level, in dB. */
const LEAST_PERIODICITY = 0.6;
const FAINTEST_VOICE = -55;
const VOICE_RANGE = 20;
/** Level that is written for silence, in dB of full scale. */
const SILENCE = -100;
/** Frames next to a voiced one that belong to the speech: consonants have no voice. */
const CONSONANT_FRAMES = 5;
/** Frames of silence that end a phrase, beyond those. */
const PAUSE_FRAMES = 8;
/** Frames on either side that a stressed syllable is louder and higher than, and with which it is compared. */
const SYLLABLE_FRAMES = 7;
const STRESS_CONTEXT = 45;
/** Decibels that a semitone above the usual pitch counts for in stress. */
const STRESS_PER_SEMITONE = 0.8;
/** Frames whose pitch makes the final rise, those that it is compared with, and the semitones of a question. */
const FINAL_FRAMES = 7;
const BEFORE_FINAL_FRAMES = 20;
const QUESTION_RISE = 2.2;

/** A syllable that stands out. */
interface Stress {
  /** Of its loudest moment, in seconds; also names it: a whole number of 1/50 s. */
  readonly time: number;
  /** 0 barely to 1 strongly. */
  readonly strength: number;
}

/** Where a phrase begins or ends. */
interface PhraseBoundary {
  /** In seconds; a whole number of 1/50 s. */
  readonly time: number;
  readonly kind: 'start' | 'end';
  /** Whether the voice rises to it as in a question; false at a start. */
  readonly question: boolean;
}

/** What is measured of a second of sound. */
interface Features {
  /** [50] dB of full scale. */
  readonly loudness: Float32Array;
  /** [50] semitones above 55 Hz; NaN where there is no voice at all. */
  readonly pitch: Float32Array;
}

/** What is usual around a second of sound. */
interface Usual {
  /** dB of full scale. */
  readonly loudness: number;
  /** Semitones above 55 Hz. */
  readonly pitch: number;
}

/** Prosody of one recording. */
export class Prosody {
  readonly #pcm: Float32Array;
  readonly #factor: number;
  readonly #hop: number;
  readonly #pitch: PitchFinder;
  readonly #features = new BlockCache<Features>((block) => this.#measure(block));
  readonly #usual = new BlockCache<Usual>((block) => this.#average(block));
  readonly #voiced = new BlockCache<Uint8Array>((block) => this.#findVoice(block));
  readonly #speech = new BlockCache<Uint8Array>((block) => this.#findSpeech(block));
  readonly #saliences = new BlockCache<Float32Array>((block) => this.#findSalience(block));
  readonly #stresses = new BlockCache<readonly Stress[]>((block) => this.#findStresses(block));
  readonly #boundaries = new BlockCache<readonly PhraseBoundary[]>((block) => this.#findBoundaries(block));

  /**
   * @param pcm - mono speech; silence is assumed before and after it. Kept, not copied.
   * @param sampleRate - in Hz, at least 8000 and a multiple of 50.
   */
  constructor(pcm: Float32Array, sampleRate: number) {
    this.#pcm = pcm;
    this.#factor = Math.max(1, Math.floor(sampleRate / VOICE_RATE));
    this.#hop = sampleRate / PROSODY_RATE;
    this.#pitch = new PitchFinder(sampleRate / this.#factor);
  }

  /** Stressed syllables at `from` ≤ time < `to`, in order. */
  stresses(from: number, to: number): Stress[] {
    return inSpan(this.#stresses, from, to);
  }

  /** Beginnings and ends of phrases at `from` ≤ time < `to`, in order. */
  boundaries(from: number, to: number): PhraseBoundary[] {
    return inSpan(this.#boundaries, from, to);
  }

  /** How much speech there is within 0.4 s of a time, 0 in a pause to 1. */
  activity(time: number): number {
    const centre = time * PROSODY_RATE;
    const reach = 20;
    let [sum, total] = [0, 0];
    for (let frame = Math.ceil(centre - reach); frame <= centre + reach; frame++) {
      const weight = 0.5 + 0.5 * Math.cos((Math.PI * (frame - centre)) / (reach + 1));
      sum += this.#isSpeech(frame) ? weight : 0;
      total += weight;
    }
    return sum / total;
  }

  /** Loudness in dB against what is usual around the time, smoothed over 0.1 s; far below 0 in silence. */
  loudness(time: number): number {
    const position = time * PROSODY_RATE;
    const frame = Math.floor(position);
    const left = this.#smoothLoudness(frame);
    return left + (this.#smoothLoudness(frame + 1) - left) * (position - frame);
  }

  /** Semitones against the usual pitch at a frame of 1/50 s; undefined without voice. */
  pitchAt(frame: number): number | undefined {
    if (!this.#isVoiced(frame)) return undefined;
    const pitch = this.#features.of(blockOf(frame)).pitch[frame - blockOf(frame) * BLOCK_FRAMES]!;
    return pitch - this.#usualAt(frame).pitch;
  }

  #measure(block: number): Features {
    const factor = this.#factor;
    const length = this.#pitch.length;
    const loudness = new Float32Array(BLOCK_FRAMES);
    const pitch = new Float32Array(BLOCK_FRAMES);
    const piece = new Float32Array(length);
    for (let i = 0; i < BLOCK_FRAMES; i++) {
      const centre = Math.round((block * BLOCK_FRAMES + i) * this.#hop);
      const from = centre - Math.floor((length * factor) / 2);
      if (from >= this.#pcm.length || from + length * factor <= 0) {
        loudness[i] = SILENCE;
        pitch[i] = Number.NaN;
        continue;
      }
      let mean = 0;
      for (let k = 0; k < length; k++) {
        // A mean over the samples that become one is filter enough: what folds back is weak in voices.
        let sum = 0;
        for (let j = 0; j < factor; j++) sum += this.#pcm[from + k * factor + j] ?? 0;
        piece[k] = sum / factor;
        mean += piece[k]! / length;
      }
      let power = 0;
      for (let k = 0; k < length; k++) {
        piece[k]! -= mean;
        power += piece[k]! ** 2 / length;
      }
      loudness[i] = power > 1e-10 ? 10 * Math.log10(power) : SILENCE;
      const found = loudness[i]! > FAINTEST_VOICE ? this.#pitch.find(piece, 0) : undefined;
      pitch[i] =
        found !== undefined && found.periodicity >= LEAST_PERIODICITY
          ? 12 * Math.log2(found.frequency / 55)
          : Number.NaN;
    }
    return { loudness, pitch };
  }

  /** Mean power of what is louder than 10 dB below the mean, as programme loudness is gated, and mean pitch. */
  #average(block: number): Usual {
    const powers: number[] = [];
    let [pitch, voices] = [0, 0];
    for (let near = block - CONTEXT_BEFORE; near <= block + CONTEXT_AFTER; near++) {
      if (near < 0) continue;
      const features = this.#features.of(near);
      for (let i = 0; i < BLOCK_FRAMES; i++) {
        if (features.loudness[i]! <= FAINTEST_VOICE) continue;
        powers.push(10 ** (features.loudness[i]! / 10));
        if (Number.isNaN(features.pitch[i]!)) continue;
        pitch += features.pitch[i]!;
        voices += 1;
      }
    }
    if (powers.length === 0) return { loudness: FAINTEST_VOICE, pitch: 12 };
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    const gate = mean(powers) / 10;
    return {
      loudness: 10 * Math.log10(mean(powers.filter((power) => power >= gate))),
      pitch: voices > 0 ? pitch / voices : 12,
    };
  }

  /** What is usual, in a straight line from the middle of one block to the next. */
  #usualAt(frame: number): Usual {
    const position = frame / BLOCK_FRAMES - 0.5;
    const block = Math.floor(position);
    const share = position - block;
    const [left, right] = [this.#usual.of(block), this.#usual.of(block + 1)];
    return {
      loudness: left.loudness + (right.loudness - left.loudness) * share,
      pitch: left.pitch + (right.pitch - left.pitch) * share,
    };
  }

  #loudnessAt(frame: number): number {
    const block = blockOf(frame);
    return this.#features.of(block).loudness[frame - block * BLOCK_FRAMES]!;
  }

  #smoothLoudness(frame: number): number {
    const a = this.#loudnessAt(frame - 1) + this.#loudnessAt(frame + 1);
    const b = this.#loudnessAt(frame - 2) + this.#loudnessAt(frame + 2);
    return (3 * this.#loudnessAt(frame) + 2 * a + b) / 9 - this.#usualAt(frame).loudness;
  }

  #findVoice(block: number): Uint8Array {
    const { loudness, pitch } = this.#features.of(block);
    return Uint8Array.from(loudness, (level, i) => {
      const least = this.#usualAt(block * BLOCK_FRAMES + i).loudness - VOICE_RANGE;
      return !Number.isNaN(pitch[i]!) && level > least ? 1 : 0;
    });
  }

  #isVoiced(frame: number): boolean {
    const block = blockOf(frame);
    return this.#voiced.of(block)[frame - block * BLOCK_FRAMES] === 1;
  }

  #findSpeech(block: number): Uint8Array {
    const speech = new Uint8Array(BLOCK_FRAMES);
    for (let i = -CONSONANT_FRAMES; i < BLOCK_FRAMES + CONSONANT_FRAMES; i++) {
      if (!this.#isVoiced(block * BLOCK_FRAMES + i)) continue;
      speech.fill(1, Math.max(0, i - CONSONANT_FRAMES), Math.min(BLOCK_FRAMES, i + CONSONANT_FRAMES + 1));
    }
    return speech;
  }

  #isSpeech(frame: number): boolean {
    const block = blockOf(frame);
    return this.#speech.of(block)[frame - block * BLOCK_FRAMES] === 1;
  }

  #findSalience(block: number): Float32Array {
    return Float32Array.from({ length: BLOCK_FRAMES }, (_, i) => {
      const frame = block * BLOCK_FRAMES + i;
      if (!this.#isVoiced(frame)) return Number.NaN;
      return this.#smoothLoudness(frame) + STRESS_PER_SEMITONE * Math.max(0, this.pitchAt(frame) ?? 0);
    });
  }

  /** Loudness and height of a voiced frame, in dB; NaN of another. */
  #salience(frame: number): number {
    const block = blockOf(frame);
    return this.#saliences.of(block)[frame - block * BLOCK_FRAMES]!;
  }

  #findStresses(block: number): readonly Stress[] {
    const found: Stress[] = [];
    for (let frame = block * BLOCK_FRAMES; frame < (block + 1) * BLOCK_FRAMES; frame++) {
      if (!this.#isVoiced(frame)) continue;
      const salience = this.#salience(frame);
      let isPeak = true;
      for (let near = frame - SYLLABLE_FRAMES; near <= frame + SYLLABLE_FRAMES && isPeak; near++) {
        if (near === frame || !this.#isVoiced(near)) continue;
        const other = this.#salience(near);
        isPeak = near < frame ? other < salience : other <= salience;
      }
      if (!isPeak) continue;
      let [sum, count] = [0, 0];
      for (let near = frame - STRESS_CONTEXT; near <= frame + STRESS_CONTEXT; near += 3) {
        if (!this.#isVoiced(near)) continue;
        sum += this.#salience(near);
        count += 1;
      }
      const contrast = salience - (count > 0 ? sum / count : salience);
      const strength = Math.min(1, Math.max(0, contrast / 9));
      if (strength > 0) found.push({ time: frame / PROSODY_RATE, strength });
    }
    return found;
  }

  #findBoundaries(block: number): readonly PhraseBoundary[] {
    const found: PhraseBoundary[] = [];
    for (let frame = block * BLOCK_FRAMES; frame < (block + 1) * BLOCK_FRAMES; frame++) {
      if (!this.#isSpeech(frame)) continue;
      const time = frame / PROSODY_RATE;
      if (this.#isSilent(frame - PAUSE_FRAMES, frame - 1))
        found.push({ time, kind: 'start', question: false });
      if (this.#isSilent(frame + 1, frame + PAUSE_FRAMES)) {
        found.push({ time, kind: 'end', question: this.#rises(frame) });
      }
    }
    return found;
  }

  #isSilent(from: number, to: number): boolean {
    for (let frame = from; frame <= to; frame++) if (this.#isSpeech(frame)) return false;
    return true;
  }

  /** Whether the last voiced frames up to `frame` are much higher than those before. */
  #rises(frame: number): boolean {
    const heights: number[] = [];
    for (let back = frame; back > frame - 60 && heights.length < FINAL_FRAMES + BEFORE_FINAL_FRAMES; back--) {
      const pitch = this.pitchAt(back);
      if (pitch !== undefined) heights.push(pitch);
    }
    if (heights.length < FINAL_FRAMES + BEFORE_FINAL_FRAMES / 2) return false;
    // Medians: an octave that was mistaken does not make a question.
    return median(heights.slice(0, FINAL_FRAMES)) - median(heights.slice(FINAL_FRAMES)) > QUESTION_RISE;
  }
}

function blockOf(frame: number): number {
  return Math.floor(frame / BLOCK_FRAMES);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function inSpan<T extends { readonly time: number }>(
  blocks: BlockCache<readonly T[]>,
  from: number,
  to: number,
): T[] {
  const found: T[] = [];
  for (let block = Math.floor(from); block < to; block++) {
    for (const item of blocks.of(block)) if (item.time >= from && item.time < to) found.push(item);
  }
  return found;
}

/** Makes what belongs to a second of sound when it is asked for, and keeps the last ones. */
class BlockCache<T> {
  readonly #make: (block: number) => T;
  readonly #made = new Map<number, T>();
  /** The block that was asked for last, which mostly is asked for again. */
  #latest = Number.NaN;
  #latestMade: T | undefined;

  constructor(make: (block: number) => T) {
    this.#make = make;
  }

  of(block: number): T {
    if (block !== this.#latest) {
      this.#latestMade = this.#find(block);
      this.#latest = block;
    }
    return this.#latestMade as T;
  }

  #find(block: number): T {
    let made = this.#made.get(block);
    if (made === undefined) {
      made = this.#make(block);
      this.#made.set(block, made);
      if (this.#made.size > KEPT_BLOCKS) this.#made.delete(this.#made.keys().next().value!);
    }
    return made;
  }
}
