/** Frames and a sound track become an H.264 and AAC video that appears under its name only when it is complete. */
import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import {
  assertIntegerInRange,
  assertNumberInRange,
  InvalidOptionError,
  MediaError,
  ShapeError,
} from '../errors.ts';
import { onProcessExit } from '../files/exit-cleanup.ts';
import { partialPath } from '../files/partial-name.ts';
import { publishFile } from '../files/write-durably.ts';
import { CLIP_CHANNELS, CLIP_SAMPLE_RATE, readClipSound } from './clip-sound.ts';
import { type FfmpegRun, type FfmpegSpec, fileUrl, runFfmpeg, SECOND_PIPE } from './ffmpeg-command.ts';
import type { FfmpegInfo, H264Encoder } from './ffmpeg-path.ts';
import { assertReadableFile } from './media-file.ts';
import { containerOf } from './prepare-output.ts';
import { countVideoPackets } from './probe.ts';
import type { SoundTrack } from './sound-track.ts';
import type { VideoFrame } from './video-frame.ts';

/** Visually lossless for faces at a few hundred kilobits a second. */
const DEFAULT_CRF = 18;
/** Leaves the processor to the networks, which are the slower part, and still keeps up with them. */
const ENCODER_NICENESS = 10;
/** As many as x264 takes by itself on two cores; far ahead of the networks. */
const ENCODER_THREADS = 3;

/** Options of {@link VideoWriter.open}. */
export interface VideoWriterOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Ends in .mp4, .m4v or .mov. */
  readonly outputPath: string;
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
  /** Constant rate factor of x264, 0 (lossless) to 51. @defaultValue 18 */
  readonly crf?: number;
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
  readonly #partial: string;
  readonly #run: FfmpegRun;
  readonly #forget: () => void;
  /** Settles when a run that failed has left nothing behind; never rejects. */
  readonly #cleaned: Promise<void>;
  /** Settles when all of the sound has been handed over; rejects if it cannot be read any more. */
  readonly #sound: Promise<void>;
  #written = 0;
  #finished = false;

  private constructor(options: VideoWriterOptions) {
    this.#options = options;
    this.#partial = partialPath(path.resolve(options.outputPath));
    this.#run = runFfmpeg(options.ffmpeg.path, encodeSpec(options, this.#partial), {
      purpose: `write video ${options.outputPath}`,
      niceness: ENCODER_NICENESS,
      signal: options.signal,
    });
    this.#run.stdout.resume();
    this.#sound = this.#writeSound();
    this.#sound.catch(() => this.#run.kill()); // told by whoever finds that the encoder has ended
    // After the run's own, so that the child is dead before its file goes.
    this.#forget = onProcessExit(() => rmSync(this.#partial, { force: true }));
    this.#cleaned = this.#run.done.catch(() => this.#removePartial());
  }

  /**
   * Starts the encoder.
   *
   * @throws {@link InvalidOptionError} if a size is odd or a number is out of range.
   * @throws {@link MediaError} if the sound file cannot be read.
   */
  static async open(options: VideoWriterOptions): Promise<VideoWriter> {
    assertEvenSize('width', options.width);
    assertEvenSize('height', options.height);
    assertNumberInRange('fps', options.fps, 1, 240);
    assertIntegerInRange('frames', options.frames, 1, Number.MAX_SAFE_INTEGER);
    assertIntegerInRange('crf', options.crf ?? DEFAULT_CRF, 0, 51);
    containerOf(options.outputPath);
    if (options.sound !== undefined) await assertReadableFile(options.sound.path, 'audio');
    return new VideoWriter(options);
  }

  /**
   * Hands one frame to the encoder and waits until it has been taken; its memory may then be used again.
   *
   * @throws {@link SubprocessError} if the encoder has failed, with the end of what it said.
   * @throws {@link ShapeError} if the frame has another size than the video.
   */
  async write(frame: VideoFrame): Promise<void> {
    const { width, height } = this.#options;
    if (frame.width !== width || frame.height !== height || frame.data.length !== width * height * 3) {
      throw new ShapeError(
        `Cannot write frame: expected ${width}×${height}, got ${frame.width}×${frame.height}`,
      );
    }
    this.#written++;
    const { stdin } = this.#run;
    const failed = await new Promise<boolean>((resolve) => {
      stdin.write(frame.data, (error) => resolve(Boolean(error)));
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
    const { outputPath, frames, force = false, ffmpeg, signal } = this.#options;
    this.#run.stdin.end();
    try {
      await this.#run.done;
    } catch (error) {
      await this.#cleaned;
      // Without its sound the encoder was ended: that is the reason.
      await this.#sound;
      throw error;
    }
    await this.#sound;
    try {
      if (this.#written !== frames) throw new Error(`${this.#written} of ${frames} frames were written`);
      // Some versions of ffmpeg end with exit code 0 although the disk was full while they wrote the index.
      const stored = await countVideoPackets(this.#partial, { ffmpeg, signal }).catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw new MediaError(
          `Cannot write ${outputPath}: expected a complete file, got one that cannot be read. Is the disk full?`,
          outputPath,
          { cause },
        );
      });
      if (stored !== frames) {
        throw new MediaError(
          `Cannot write ${outputPath}: expected ${frames} frames, got ${stored}. Is the disk full?`,
          outputPath,
        );
      }
      await this.#options.beforePublish?.(this.#partial);
      signal?.throwIfAborted();
      await publish(this.#partial, path.resolve(outputPath), force, outputPath);
      this.#finished = true;
    } finally {
      await this.#removePartial();
    }
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
        ...{ ffmpeg, duration: frames / fps, niceness: ENCODER_NICENESS },
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
    this.#options.signal?.throwIfAborted();
    await this.#sound;
    await this.#run.done;
    throw new Error('The encoder closed its input and ended without an error');
  }

  async #removePartial(): Promise<void> {
    await rm(this.#partial, { force: true }).catch(() => {});
    this.#forget();
  }
}

/** The command line of the encoder; a pure function. */
function encodeSpec(options: VideoWriterOptions, partial: string): FfmpegSpec {
  const { width, height, fps, sound, crf = DEFAULT_CRF, metadata = {}, ffmpeg } = options;
  const rawVideo = ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', `${width}x${height}`];
  const video = { source: 'pipe:0', options: [...rawVideo, '-framerate', String(fps)] };
  const samples = ['-f', 'f32le', '-ar', String(CLIP_SAMPLE_RATE), '-ac', String(CLIP_CHANNELS)];
  const heard = sound === undefined ? [] : [{ source: SECOND_PIPE, options: samples }];
  return {
    inputs: [video, ...heard],
    // Untagged video is shown with the matrix that the player guesses from its size, so faces change colour.
    videoFilters: [
      'scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int',
      'format=yuv420p',
    ],
    outputOptions: [
      ...['-map', '0:v:0'],
      // x264's bytes depend on the number of its threads: the same on every machine.
      ...['-threads:v', String(ENCODER_THREADS)],
      ...encoderOptions(ffmpeg.h264Encoder, crf, width * height * fps),
      ...['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709', '-color_range', 'tv'],
      ...(sound === undefined ? [] : ['-map', '1:a:0', '-c:a', 'aac', '-b:a', '160k']),
      // The sound file's title, chapters and dates are not those of the video; equal input gives equal bytes.
      ...['-map_metadata', '-1', '-map_chapters', '-1', '-fflags', '+bitexact'],
      ...['-flags:v', '+bitexact', '-flags:a', '+bitexact'],
      ...Object.entries(metadata).flatMap(([key, value]) => ['-metadata', `${key}=${value}`]),
      // The index first, so that a browser can play while it loads.
      ...['-movflags', '+faststart', '-f', containerOf(partial)],
    ],
    output: fileUrl(partial),
  };
}

function encoderOptions(encoder: H264Encoder, crf: number, pixelsPerSecond: number): string[] {
  switch (encoder) {
    case 'libx264':
      return ['-c:v', 'libx264', '-preset', 'medium', '-crf', String(crf), '-pix_fmt', 'yuv420p'];
    case 'libopenh264': {
      // It knows no quality target: 0.1 bit a pixel looks like x264's 23, and six steps halve the rate.
      const bitrate = Math.round(0.1 * pixelsPerSecond * 2 ** ((23 - crf) / 6));
      return ['-c:v', 'libopenh264', '-b:v', String(bitrate), '-pix_fmt', 'yuv420p'];
    }
  }
}

/** Gives the complete video its name. */
async function publish(partial: string, target: string, force: boolean, outputPath: string): Promise<void> {
  try {
    await publishFile(partial, target, { replace: force });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const got = code === 'EEXIST' ? 'one that has appeared meanwhile' : `an error (${code})`;
    throw new MediaError(`Cannot write ${outputPath}: expected a new file, got ${got}`, outputPath, {
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
