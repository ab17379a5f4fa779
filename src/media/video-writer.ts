/** Frames and a sound track become a video that appears under its name only when it is complete. */
import { rmSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  assertIntegerInRange,
  assertNumberInRange,
  InvalidOptionError,
  MediaError,
  ShapeError,
} from '../errors.ts';
import { onProcessExit } from '../files/exit-cleanup.ts';
import { partialPath } from '../files/partial-name.ts';
import { publishFolder } from '../files/publish-folder.ts';
import { publishFile } from '../files/write-durably.ts';
import { readClipSound } from './clip-sound.ts';
import { encodeSpec, rawPixelsOf } from './encode-spec.ts';
import { type FfmpegRun, runFfmpeg } from './ffmpeg-command.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { assertReadableFile } from './media-file.ts';
import { chooseEncoders, type OutputFormat, outputFormatOf } from './output-formats.ts';
import { Yuv420Packer } from './pack-frame.ts';
import type { SoundTrack } from './sound-track.ts';
import { countWrittenFrames } from './verify-output.ts';
import type { VideoFrame } from './video-frame.ts';

/** Visually lossless for faces at a few hundred kilobits a second. */
const DEFAULT_CRF = 18;
/** Leaves the processor to the networks, which are the slower part, and still keeps up with them. */
const ENCODER_NICENESS = 10;
/** Somebody waits for its pieces, and it takes little. */
const LIVE_NICENESS = 0;

/** Options of {@link VideoWriter.open}. */
export interface VideoWriterOptions {
  readonly ffmpeg: FfmpegInfo;
  /** A name of {@link OUTPUT_FORMATS}. */
  readonly outputPath: string;
  /** Where the video goes whose name is `-`; it is not ended. */
  readonly stream?: Writable | undefined;
  /** Whether frames have four bytes a pixel, the last of them how opaque it is. @defaultValue false */
  readonly transparent?: boolean;
  /** Whether it is watched while it is made; for a `stream`. @defaultValue false */
  readonly live?: boolean;
  /** Pixels, even, 16 to 8192. */
  readonly width: number;
  /** Pixels, even, 16 to 8192. */
  readonly height: number;
  /** 1 to 240. */
  readonly fps: number;
  /** How many frames will be written; the sound ends where they end. {@link frameCount} covers all of it. */
  readonly frames: number;
  /** What is heard, as {@link readAudio} found it; without it, the video is silent. */
  readonly sound?: SoundTrack | undefined;
  /** Constant rate factor of x264, 0 (lossless) to 51; other encoders have what looks alike. @defaultValue 18 */
  readonly crf?: number | undefined;
  /** Whether a file that exists is replaced. @defaultValue false */
  readonly force?: boolean;
  /** Tags of the file, e.g. `title` and `comment`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Called with the path of the complete file before it gets its name. */
  readonly beforePublish?: ((partial: string) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Number of frames that cover `duration` seconds, at least one. */
export function frameCount(duration: number, fps: number): number {
  // A sample more or less than a whole frame is rounding, not another frame.
  return Math.max(1, Math.ceil(duration * fps - 1e-3));
}

/**
 * Writes a video frame by frame. Until {@link VideoWriter.finish} returns there is only a hidden partial file next to the
 * output, and it goes on every other way out: an error, an abort, {@link VideoWriter.dispose}, the end of the process.
 *
 * @example
 * const writer = await VideoWriter.open({ ffmpeg, outputPath: 'talk.mp4', width: 512, height: 512, fps: 25, frames });
 * try {
 *   for (const frame of pictures) await writer.write(frame);
 *   await writer.finish();
 * } finally {
 *   await writer.dispose();
 * }
 */
export class VideoWriter {
  readonly #options: VideoWriterOptions;
  readonly #format: OutputFormat;
  /** Undefined for what goes to a stream. */
  readonly #partial: string | undefined;
  /** Undefined where the encoder takes frames as they are. */
  readonly #packer: Yuv420Packer | undefined;
  readonly #run: FfmpegRun;
  readonly #forget: () => void;
  /** Settles when a run that failed has left nothing behind; never rejects. */
  readonly #cleaned: Promise<void>;
  /** Settles when all of the sound has been handed over; rejects if it cannot be read any more. */
  readonly #sound: Promise<void>;
  #written = 0;
  #finished = false;
  #readerLeft: MediaError | undefined;

  /** Settles when the reader of a stream has it all; rejects if it has gone. */
  readonly #delivered: Promise<void>;

  private constructor(options: VideoWriterOptions, format: OutputFormat, partial: string | undefined) {
    const {
      ffmpeg,
      outputPath,
      crf = DEFAULT_CRF,
      transparent = false,
      metadata = {},
      stream,
      live = false,
    } = options;
    this.#options = options;
    this.#format = format;
    this.#partial = partial;
    const pixels = rawPixelsOf(outputPath, ffmpeg, transparent);
    if (pixels === 'yuv420p') this.#packer = new Yuv420Packer(options.width, options.height);
    const request = { ...options, crf, transparent, pixels, metadata, live, target: partial ?? outputPath };
    this.#run = runFfmpeg(ffmpeg.path, encodeSpec(request), {
      purpose: `write video ${outputPath}`,
      niceness: nicenessOf(options),
      signal: options.signal,
    });
    this.#delivered = stream === undefined ? Promise.resolve() : this.#deliver(stream);
    this.#delivered.catch(() => {}); // thrown by the next write, or by finish
    if (stream === undefined) this.#run.stdout.resume();
    this.#sound = this.#writeSound();
    this.#sound.catch(() => this.#run.kill()); // reported where the encoder's end is noticed
    // After the run's own, so that the child is dead before its file goes.
    this.#forget = onProcessExit(() => {
      if (partial !== undefined) rmSync(partial, { recursive: true, force: true });
    });
    this.#cleaned = this.#run.done.catch(() => this.#removePartial());
  }

  async #deliver(stream: Writable): Promise<void> {
    const { outputPath } = this.#options;
    try {
      await pipeline(this.#run.stdout, stream, { end: false });
    } catch (cause) {
      this.#run.kill();
      // An encoder that ends early, or is stopped, says more than its closed pipe.
      if ((cause as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE' || stream.destroyed) {
        const { code } = cause as NodeJS.ErrnoException;
        const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
        this.#readerLeft = new MediaError(
          isFull
            ? `Cannot write ${outputPath}: expected room where standard output goes, got a full disk (${code})`
            : `Cannot write ${outputPath}: expected a reader of standard output to the end, got one that has gone`,
          outputPath,
          { cause },
        );
      }
    }
  }

  /**
   * Starts the encoder.
   *
   * @throws {@link InvalidOptionError} if a size is odd or a number is out of range.
   * @throws {@link EnvironmentError} if the ffmpeg lacks an encoder.
   * @throws {@link MediaError} if the sound file cannot be read.
   */
  static async open(options: VideoWriterOptions): Promise<VideoWriter> {
    const { outputPath } = options;
    assertEvenSize('width', options.width);
    assertEvenSize('height', options.height);
    assertNumberInRange('fps', options.fps, 1, 240);
    assertIntegerInRange('frames', options.frames, 1, Number.MAX_SAFE_INTEGER);
    assertIntegerInRange('crf', options.crf ?? DEFAULT_CRF, 0, 51);
    const format = outputFormatOf(outputPath);
    chooseEncoders(outputPath, options.ffmpeg, options.transparent);
    if (format.place === 'stream' && options.stream === undefined) {
      throw new InvalidOptionError(
        { refusal: `Cannot write ${outputPath}`, expected: 'a stream to write to', got: 'none' },
        'output',
        outputPath,
      );
    }
    if (options.sound !== undefined) await assertReadableFile(options.sound.path, 'audio');
    if (format.place === 'stream') return new VideoWriter(options, format, undefined);
    const partial = partialPath(path.resolve(outputPath));
    if (format.place === 'folder') await mkdir(partial);
    const file = { ...options, stream: undefined };
    return new VideoWriter(file, format, partial);
  }

  /**
   * Hands one frame to the encoder and waits until it has been taken; its memory may then be used again.
   *
   * @throws {@link SubprocessError} if the encoder has failed, with the end of what it said.
   * @throws {@link ShapeError} if the frame has another size than the video.
   */
  async write(frame: VideoFrame): Promise<void> {
    const { width, height, transparent = false } = this.#options;
    const bytes = width * height * (transparent ? 4 : 3);
    if (frame.width !== width || frame.height !== height || frame.data.length !== bytes) {
      throw new ShapeError(
        `Cannot write frame: expected ${width}×${height}, got ${frame.width}×${frame.height}`,
      );
    }
    this.#written++;
    const { stdin } = this.#run;
    const taken = this.#packer?.pack(frame) ?? frame.data;
    const failed = await new Promise<boolean>((resolve) => {
      stdin.write(taken, (error) => resolve(Boolean(error)));
    });
    if (failed) await this.#fail();
  }

  /**
   * Completes the file and gives it its name.
   *
   * @throws {@link SubprocessError} if the encoder has failed.
   * @throws {@link MediaError} if a file has appeared under the name and `force` is not set, or the disk refuses.
   */
  async finish(): Promise<void> {
    const { frames, signal } = this.#options;
    this.#run.stdin.end();
    try {
      await this.#run.done;
      await this.#delivered;
    } catch (error) {
      await this.#cleaned;
      // Without its sound the encoder was ended: that is the reason.
      if (this.#readerLeft === undefined) await this.#sound;
      throw this.#readerLeft ?? error;
    }
    if (this.#readerLeft !== undefined) throw this.#readerLeft;
    await this.#sound;
    try {
      if (this.#written !== frames) throw new Error(`${this.#written} of ${frames} frames were written`);
      if (this.#partial !== undefined) await this.#publish(this.#partial);
      signal?.throwIfAborted();
      this.#finished = true;
    } finally {
      await this.#removePartial();
    }
  }

  async #publish(partial: string): Promise<void> {
    const { outputPath, frames, fps, force = false, ffmpeg, signal } = this.#options;
    await stat(partial).catch((cause: unknown) => {
      throw new MediaError(
        `Cannot write ${outputPath}: expected the unfinished file ${partial} to stay, got its removal by another program`,
        outputPath,
        { cause },
      );
    });
    // Some versions of ffmpeg end with exit code 0 although the disk was full while they wrote the index.
    const stored = await countWrittenFrames(partial, this.#format, { frames, fps }, { ffmpeg, signal }).catch(
      (cause: unknown) => {
        signal?.throwIfAborted();
        throw new MediaError(
          `Cannot write ${outputPath}: expected a complete file, got one that cannot be read. Is the disk full?`,
          outputPath,
          { cause },
        );
      },
    );
    if (stored !== frames) {
      throw new MediaError(
        `Cannot write ${outputPath}: expected ${frames} frames, got ${stored}. Is the disk full?`,
        outputPath,
      );
    }
    await this.#options.beforePublish?.(partial);
    signal?.throwIfAborted();
    await publish(partial, this.#format, { target: path.resolve(outputPath), force, outputPath });
  }

  /** Ends the encoder and removes the partial file; does nothing after {@link VideoWriter.finish}. May be called twice. */
  async dispose(): Promise<void> {
    if (this.#finished) return;
    this.#run.kill();
    await this.#cleaned;
    await this.#removePartial();
  }

  /** Hands the sound to the encoder, as fast as it takes it. */
  async #writeSound(): Promise<void> {
    const { ffmpeg, sound, fps, frames, signal } = this.#options;
    const pipe = this.#run.secondInput;
    if (sound === undefined || pipe === undefined) return;
    const ending = new AbortController();
    const stop = () => ending.abort();
    this.#run.done.then(stop, stop);
    try {
      const pieces = readClipSound(sound, {
        ffmpeg,
        duration: frames / fps,
        niceness: nicenessOf(this.#options),
        signal: AbortSignal.any([ending.signal, ...(signal ? [signal] : [])]),
      });
      for await (const piece of pieces) {
        const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
        const isTaken = await new Promise<boolean>((resolve) => {
          pipe.write(bytes, (error) => resolve(!error));
        });
        if (!isTaken) return; // the encoder has ended, and says why
      }
      pipe.end();
    } catch (error) {
      if (!ending.signal.aborted) throw error;
    }
  }

  async #fail(): Promise<never> {
    // Closed pipe: the child is ending, or must.
    this.#run.kill();
    await this.#cleaned;
    await this.#delivered;
    if (this.#readerLeft !== undefined) throw this.#readerLeft;
    this.#options.signal?.throwIfAborted();
    await this.#sound;
    await this.#run.done;
    throw new Error('The encoder closed its input and ended without an error');
  }

  async #removePartial(): Promise<void> {
    if (this.#partial !== undefined) {
      await rm(this.#partial, { recursive: true, force: true }).catch(() => {});
    }
    this.#forget();
  }
}

/** Of the processes that make a video, and read its sound. */
function nicenessOf({ live = false }: Pick<VideoWriterOptions, 'live'>): number {
  return live ? LIVE_NICENESS : ENCODER_NICENESS;
}

/** Gives the complete video its name. */
async function publish(
  partial: string,
  { place }: OutputFormat,
  names: { readonly target: string; readonly outputPath: string; readonly force: boolean },
): Promise<void> {
  const { target, outputPath, force } = names;
  try {
    await (place === 'folder' ? publishFolder : publishFile)(partial, target, { replace: force });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const appeared = code === 'EEXIST' || code === 'ENOTEMPTY';
    const got = appeared ? 'one that has appeared meanwhile' : `an error (${code})`;
    const expected = place === 'folder' ? 'a new folder' : 'a new file';
    throw new MediaError(`Cannot write ${outputPath}: expected ${expected}, got ${got}`, outputPath, {
      cause: error,
    });
  }
}

function assertEvenSize(option: string, value: number): void {
  assertIntegerInRange(option, value, 16, 8192);
  if (value % 2 === 0) return;
  throw new InvalidOptionError(
    `Cannot use ${option}: expected an even number of pixels, got ${value}`,
    option,
    value,
  );
}
