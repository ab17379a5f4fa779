/**
 * The one way from a file to samples: what moves a mouth and what is heard in the clip are both read here, so that they
 * are the same sound at the same times.
 *
 * ffmpeg decodes; where its samples belong is decided here. Its own `aresample=async` starts again when rate or layout change
 * in the middle of a file, and then pads from time 0 once more.
 */
import { SubprocessError } from '../errors.ts';
import { type FfmpegRun, type FfmpegSpec, fileUrl, partUrl, runFfmpeg } from './ffmpeg-command.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import type { FilePart } from './joined-files.ts';
import { PartCutter, type PartMeter } from './joined-parts.ts';
import { INPUT_OPTIONS } from './probe.ts';
import type { FrameLine, SoundLog } from './sound-log.ts';
import { DECODED_CHANNELS, type PartCut } from './sound-track.ts';

/** Time stamps that differ from the samples counted by less than this are rounding; seconds. Source: swresample's default. */
const GAP_TOLERANCE = 0.1;
const FRAME_BYTES = DECODED_CHANNELS * 4;
/** NaN and infinity become silence before a resampler can spread them; slow, for files that have some. */
const SANITISE = "aeval=exprs='if(isnan(val(ch))+isinf(val(ch)),0,val(ch))':channel_layout=same";

/** Options of {@link decodeSound}. */
interface DecodeSoundOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Hz. */
  readonly sampleRate: number;
  /** Which of the file's sound tracks, from 0. */
  readonly track: number;
  /** Whether NaN and infinity become silence. */
  readonly sanitise: boolean;
  /** The recordings that the file is made of, decoded one after another. @defaultValue the file as it is */
  readonly parts?: readonly FilePart[];
  /** What is cut off the parts of a joined recording. @defaultValue nothing */
  readonly cuts?: readonly PartCut[];
  /** Measures what should be cut. */
  readonly meter?: PartMeter | undefined;
  /** Receives what ffmpeg says. */
  readonly log: SoundLog;
  /** Scheduling priority of ffmpeg. @defaultValue 0 */
  readonly niceness?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A piece of sound that follows the one before without a gap. */
export interface SoundPiece {
  /** Interleaved, {@link DECODED_CHANNELS} a sample. */
  readonly samples: Float32Array;
  /** Number of the stretch of one format that it belongs to, from 0. */
  readonly stretch: number;
}

/**
 * Decodes a track from its beginning to its end. The first sample is that of time 0; gaps in time stamps are filled with silence;
 * where they go back, the sound goes on without a gap, as nothing that was recorded is left out.
 *
 * @throws {@link SubprocessError} if ffmpeg fails; what it decoded of the file has been delivered.
 */
export async function* decodeSound(
  soundPath: string,
  options: DecodeSoundOptions,
): AsyncGenerator<SoundPiece> {
  const { parts = [], cuts = [], sampleRate, log } = options;
  const cutter = cuts.length > 0 ? new PartCutter(sampleRate, cuts) : undefined;
  if (parts.length === 0) {
    yield* decodeInput(soundPath, { source: fileUrl(soundPath), stretch: -1, cutter }, options);
    return;
  }
  let failure: SubprocessError | undefined;
  let stretch = -1;
  for (const [i, part] of parts.entries()) {
    if (i > 0) log.nextPart();
    try {
      const source = partUrl(soundPath, part);
      for await (const piece of decodeInput(soundPath, { source, stretch, cutter }, options)) {
        yield piece;
        stretch = piece.stretch;
      }
    } catch (error) {
      if (!(error instanceof SubprocessError)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}

/** What is decoded in one run of ffmpeg. */
interface DecodedInput {
  readonly source: string;
  /** The stretch before it. */
  readonly stretch: number;
  readonly cutter: PartCutter | undefined;
}

async function* decodeInput(
  soundPath: string,
  { source, stretch, cutter }: DecodedInput,
  options: DecodeSoundOptions,
): AsyncGenerator<SoundPiece> {
  const { ffmpeg, log, niceness, signal, sampleRate, meter } = options;
  const run: FfmpegRun = runFfmpeg(ffmpeg.path, decodeSpec(source, options), {
    purpose: `read audio ${soundPath}`,
    signal,
    ...(niceness !== undefined && { niceness }),
    onStderrLine: (line) => log.add(line),
  });
  const waiting = new ByteQueue();
  const timeline = new Timeline(sampleRate, log, stretch);
  const place = (frame: FrameLine, samples: Float32Array): Generator<SoundPiece> => {
    if (!log.hasTimes) meter?.add(frame, samples, log.statesRunIn);
    return timeline.place(frame, cutter?.next(frame, samples) ?? samples);
  };
  try {
    for await (const chunk of run.stdout) {
      waiting.append(chunk as Uint8Array);
      // A frame's line and its samples come through two pipes, in no order.
      while (log.frames.length > 0 && waiting.length >= log.frames[0]!.samples * FRAME_BYTES) {
        const frame = log.frames.shift()!;
        yield* place(frame, waiting.take(frame.samples));
      }
    }
    // A failure is reported when all that was decoded has been delivered.
    await run.done.catch(() => {});
    for (const frame of log.frames.splice(0)) {
      yield* place(frame, waiting.take(frame.samples));
    }
    yield* timeline.append(waiting.take(Number.POSITIVE_INFINITY));
    await run.done;
  } catch (error) {
    run.kill();
    // A child that is killed closes its pipe: `done` has the reason.
    await run.done;
    throw error;
  } finally {
    run.kill();
    await run.done.catch(() => {});
  }
}

function decodeSpec(
  source: string,
  { sampleRate, track, sanitise }: Pick<DecodeSoundOptions, 'sampleRate' | 'track' | 'sanitise'>,
): FfmpegSpec {
  return {
    inputs: [{ source, options: INPUT_OPTIONS }],
    audioFilters: [
      'ashowinfo',
      ...(sanitise ? [SANITISE] : []),
      `aresample=${sampleRate}:rematrix_maxval=1`,
      'aformat=sample_fmts=flt:channel_layouts=3.0',
      'ashowinfo',
    ],
    outputOptions: ['-map', `0:a:${track}`, '-vn', '-sn', '-dn', '-f', 'f32le'],
    output: 'pipe:1',
  };
}

/** Where decoded frames belong. */
class Timeline {
  readonly #tolerance: number;
  readonly #log: SoundLog;
  #position = 0;
  /** What is added to time stamps since they went back. */
  #shift = 0;
  #stretch: number;
  #isFirst = true;

  /** @param stretch - the one before the first. */
  constructor(sampleRate: number, log: SoundLog, stretch: number) {
    this.#tolerance = GAP_TOLERANCE * sampleRate;
    this.#log = log;
    this.#stretch = stretch;
  }

  *place({ start, begins }: FrameLine, samples: Float32Array): Generator<SoundPiece> {
    if (begins || this.#isFirst) this.#stretch++;
    this.#isFirst = false;
    const isFirst = this.#position === 0;
    const gap = this.#log.hasTimes && Number.isFinite(start) ? start + this.#shift - this.#position : 0;
    if (isFirst && gap < 0) {
      // Decoders' run-in, and what an edit list cuts off.
      yield* this.append(samples.subarray(Math.min(samples.length, -gap * DECODED_CHANNELS)));
      return;
    }
    if (gap < -this.#tolerance) this.#shift -= gap;
    else if (gap > this.#tolerance || (isFirst && gap > 0)) yield* this.#silence(gap);
    yield* this.append(samples);
  }

  *append(samples: Float32Array): Generator<SoundPiece> {
    if (samples.length === 0) return;
    this.#position += samples.length / DECODED_CHANNELS;
    yield { samples, stretch: Math.max(0, this.#stretch) };
  }

  /** In pieces, as a broken time stamp may ask for hours. */
  *#silence(length: number): Generator<SoundPiece> {
    const piece = 1 << 16;
    for (let left = length; left > 0; left -= piece) {
      yield* this.append(new Float32Array(Math.min(left, piece) * DECODED_CHANNELS));
    }
  }
}

/** Bytes that arrive in pieces of any length and are taken in others. */
class ByteQueue {
  #bytes = new Uint8Array(1 << 18);
  #begin = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#begin;
  }

  append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#bytes.length) {
      const room = Math.max(this.#bytes.length, 2 * (this.length + chunk.length));
      const bytes = this.length + chunk.length > this.#bytes.length / 2 ? new Uint8Array(room) : this.#bytes;
      bytes.set(this.#bytes.subarray(this.#begin, this.#end));
      [this.#bytes, this.#end, this.#begin] = [bytes, this.length, 0];
    }
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Up to `samples` whole samples of all channels, in an array of their own. */
  take(samples: number): Float32Array {
    const count = Math.min(samples, Math.floor(this.length / FRAME_BYTES));
    const end = this.#begin + count * FRAME_BYTES;
    const taken = new Float32Array(this.#bytes.slice(this.#begin, end).buffer);
    this.#begin = end;
    return taken;
  }
}
