/**
 * Recordings that were joined byte by byte, of codecs whose files need not say what the encoder has put around the sound: silence
 * before it, until its filters are filled, and after it, up to a whole frame. Between two parts that is a hole.
 */
import type { FrameLine } from './sound-log.ts';
import { DECODED_CHANNELS, type PartCut } from './sound-track.ts';

/** Samples at the codec's own rate. */
interface Framing {
  readonly frame: number;
  /** From the beginning of what is decoded to that of what was encoded. */
  readonly runIn: number;
}

/** −60 dBFS: what a coder's filters leak into the silence next to loud sound. */
const SILENCE = 1e-3;
/** A step of 16 bits: a frame that holds a table of contents and no sound is quieter than any recording. */
const EMPTY = 2 ** -15;
/** A first part that is silent for this share of a run-in has one: filters leak into the rest of it. */
const SILENT_SHARE = 0.45;
/** Where there is an empty frame, too, nearly all of the run-in behind it is silent. */
const EMPTY_SHARE = 0.95;
/** ffmpeg may need a frame or two to find a part's format; seconds. */
const SHORTEST_PART = 0.05;

/**
 * MP3: 576 samples of the encoder, and 528 and one of the decoder. AAC: a frame, as the first window has no predecessor.
 *
 * Source: LAME's technical FAQ; ISO/IEC 14496-3.
 */
function framingOf({ codec, rate, samples }: NonNullable<FrameLine['source']>): Framing | undefined {
  if (codec === 'mp3') return { frame: rate >= 32000 ? 1152 : 576, runIn: 1105 };
  return codec === 'aac' ? { frame: samples, runIn: samples } : undefined;
}

/** Counts parts: each begins where the format changes, but not where ffmpeg finds within a frame or two what it is. */
class PartCounter {
  readonly #rate: number;
  #part = -1;
  #length = Number.POSITIVE_INFINITY;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** The part, from 0, that a frame of so many samples belongs to. */
  next({ begins }: FrameLine, samples: number): number {
    if ((begins || this.#part < 0) && this.#length > SHORTEST_PART * this.#rate) {
      this.#part++;
      this.#length = 0;
    }
    this.#length += samples;
    return this.#part;
  }
}

/** Silence around one part, in samples of the output. */
interface PartSilence {
  framing: Framing | undefined;
  /** Whether it begins a file, not only another format. */
  beginsFile: boolean;
  /** Whether its file says what comes before the sound: ffmpeg leaves it out then. */
  statesRunIn: boolean;
  /** Hz, of the codec. */
  sourceRate: number;
  /** Length of its first frames, as they are decoded and as they are coded: ffmpeg may begin with another part's format. */
  wrongSeconds: number;
  wrongSamples: number;
  sourceSamples: number;
  empty: number;
  head: number;
  tail: number;
  length: number;
  /** Samples of the codec's last frame. */
  lastFrame: number;
  /** Silence before it. */
  tailBefore: number;
}

/** Measures the silence around the parts of a recording when it is first decoded. */
export class PartMeter {
  readonly #rate: number;
  readonly #counter: PartCounter;
  readonly #parts: PartSilence[] = [];

  /** @param rate - Hz, of what is decoded. */
  constructor(rate: number) {
    this.#rate = rate;
    this.#counter = new PartCounter(rate);
  }

  /**
   * @param samples - interleaved, {@link DECODED_CHANNELS} a sample.
   * @param statesRunIn - whether the file says what comes before its sound.
   */
  add(line: FrameLine, samples: Float32Array, statesRunIn: boolean): void {
    const index = this.#counter.next(line, samples.length / DECODED_CHANNELS);
    if (index >= this.#parts.length) {
      this.#parts.push({
        beginsFile: line.beginsFile,
        statesRunIn,
        framing: undefined,
        sourceRate: 1,
        lastFrame: 0,
        tailBefore: 0,
        wrongSeconds: 0,
        wrongSamples: 0,
        sourceSamples: 0,
        empty: 0,
        head: 0,
        tail: 0,
        length: 0,
      });
    }
    const part = this.#parts[index]!;
    part.lastFrame = line.source?.samples ?? part.lastFrame;
    if (line.begins && line.source !== undefined) {
      part.framing = framingOf(line.source);
      part.sourceRate = line.source.rate;
      part.wrongSeconds = part.length / this.#rate;
      part.wrongSamples = part.sourceSamples;
    }
    part.sourceSamples += line.source?.samples ?? 0;
    part.tailBefore = part.tail;
    for (let i = 0; i < samples.length; i += DECODED_CHANNELS) {
      let level = 0;
      for (let c = 0; c < DECODED_CHANNELS; c++) level = Math.max(level, Math.abs(samples[i + c]!));
      if (part.empty === part.length && level < EMPTY) part.empty++;
      if (part.head === part.length && level < SILENCE) part.head++;
      part.tail = level < SILENCE ? part.tail + 1 : 0;
      part.length++;
    }
  }

  /** What is to be cut off each part; empty for a recording of one. */
  cuts(): PartCut[] {
    const last = this.#parts.length - 1;
    if (last < 1) return [];
    return this.#parts.map((part, index) => ({
      head: this.#head(part, this.#parts[index - 1]),
      tail: index === last ? 0 : this.#tail(part, this.#parts[index + 1]!),
    }));
  }

  #head(part: PartSilence, before: PartSilence | undefined): number {
    const { framing, sourceRate, empty, head, wrongSeconds, wrongSamples, beginsFile, statesRunIn } = part;
    if (framing === undefined) return 0;
    const { frame, runIn } = framing;
    const perSample = this.#rate / sourceRate;
    // What was decoded before rings on in a run-in; a file may have been cut out of a longer recording.
    const hasRunIn = !beginsFile || (!statesRunIn && head > SILENT_SHARE * runIn * perSample);
    if (!hasRunIn) return 0;
    const isEmpty = empty > (frame + EMPTY_SHARE * runIn) * perSample;
    const foreign =
      before !== undefined && !beginsFile && endsWithForeignFrame(before) ? before.lastFrame : 0;
    const samples = (isEmpty ? frame : 0) + runIn - foreign - wrongSamples;
    return Math.max(0, wrongSeconds + samples / sourceRate);
  }

  #tail(part: PartSilence, next: PartSilence): number {
    const { framing, sourceRate, tail, lastFrame, tailBefore, statesRunIn } = part;
    // A header that states the run-in states the padding, too, and ffmpeg has left it out.
    if (framing === undefined || (next.beginsFile && statesRunIn)) return 0;
    const padding = (silent: number): number => Math.min(silent / this.#rate, framing.frame / sourceRate);
    return !next.beginsFile && endsWithForeignFrame(part)
      ? lastFrame / sourceRate + padding(tailBefore)
      : padding(tail);
  }
}

/** ffmpeg gives a first frame of another rate as one of the rate before: its run-in is at the end of this part. */
function endsWithForeignFrame({ framing, lastFrame }: PartSilence): boolean {
  return framing !== undefined && lastFrame !== framing.frame;
}

/** Takes the cuts off that a {@link PartMeter} has found, at any rate. */
export class PartCutter {
  readonly #rate: number;
  readonly #cuts: readonly PartCut[];
  readonly #counter: PartCounter;
  #part = -1;
  /** Samples that are still to be cut off the head. */
  #skip = 0;
  /** Samples that may have to be cut off the tail. */
  #held = new Float32Array(0);

  constructor(rate: number, cuts: readonly PartCut[]) {
    this.#rate = rate;
    this.#cuts = cuts;
    this.#counter = new PartCounter(rate);
  }

  /** What is certain to stay, of this frame and those before it. */
  next(line: FrameLine, samples: Float32Array): Float32Array {
    const part = this.#counter.next(line, samples.length / DECODED_CHANNELS);
    if (part !== this.#part) {
      this.#held = new Float32Array(0);
      this.#part = part;
      this.#skip = this.#count(this.#cuts[part]?.head ?? 0);
    }
    const skipped = Math.min(this.#skip, samples.length);
    this.#skip -= skipped;
    const rest = samples.subarray(skipped);
    const tail = this.#count(this.#cuts[part]?.tail ?? 0);
    if (tail === 0) return rest;
    const all = new Float32Array(this.#held.length + rest.length);
    all.set(this.#held);
    all.set(rest, this.#held.length);
    const certain = Math.max(0, all.length - tail);
    this.#held = all.slice(certain);
    return all.subarray(0, certain);
  }

  #count(seconds: number): number {
    return Math.round(seconds * this.#rate) * DECODED_CHANNELS;
  }
}
