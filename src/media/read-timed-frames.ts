/** The pictures of a video with the times at which they are shown, made small enough for who looks at them. */
import { open } from 'node:fs/promises';
import { MediaError, SubprocessError } from '../errors.ts';
import { type FfmpegSpec, fileUrl, runFfmpeg } from './ffmpeg-command.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { frameRateText } from './frame-rate.ts';
import { assertReadableFile } from './media-file.ts';
import { INPUT_OPTIONS, parseTimestamp } from './probe.ts';
import { readAhead } from './read-ahead.ts';
import { FrameSplitter } from './read-frames.ts';
import type { VideoFrame } from './video-frame.ts';
import { matrixNamedIn, yuvToRgb } from './yuv-to-rgb.ts';

/** Options of {@link readTimedFrames}. */
interface ReadTimedFramesOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Longest side of the pictures; larger ones are made smaller, smaller ones stay as they are. */
  readonly maxSide: number;
  /** Pictures that follow the last one in less than 1 / `maxRate` seconds are left out. */
  readonly maxRate: number;
  /**
   * Instead of the video's own timing: so many pictures a second, repeated and dropped as {@link readFrames} does.
   * @defaultValue the video's own timing
   */
  readonly fps?: number | undefined;
  /** Seconds from time 0 after which nothing is read. @defaultValue all */
  readonly duration?: number | undefined;
  /** Receives the seconds that the file says it has, if it does. */
  readonly onDuration?: ((seconds: number) => void) | undefined;
  /** Called if the file has sound. */
  readonly onSound?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A picture and when it is shown. */
interface TimedFrame extends VideoFrame {
  /** Seconds from time 0 of the file, which is that of {@link readAudio}'s first sample. */
  readonly time: number;
}

/** A picture's time may lie this far under 1 / `maxRate` after the last: containers round to milliseconds. */
const RATE_TOLERANCE = 1.03;

/**
 * Decodes the first video stream, upright and with square pixels, in the order in which it is shown. Memory holds a few
 * frames: decoding goes on while the reader works, waits for it some frames later, and ends when it breaks out of its loop. A
 * picture is the reader's until it asks for the next one; a later one is written over it.
 *
 * @throws {@link MediaError} if the file cannot be read or has no picture that decodes.
 */
export async function* readTimedFrames(
  videoPath: string,
  options: ReadTimedFramesOptions,
): AsyncGenerator<TimedFrame> {
  const abandoned = new AbortController();
  const stop = (): void => abandoned.abort();
  yield* readAhead(decodeFrames(videoPath, options, abandoned.signal), { size: WAITING, onAbandoned: stop });
}

/** Frames that wait for the reader at most: one pipe holds less than a picture, and ffmpeg would wait while it is looked at. */
const WAITING = 4;

/** @param abandoned - aborts when nobody reads any more, which is not a failure. */
async function* decodeFrames(
  videoPath: string,
  options: ReadTimedFramesOptions,
  abandoned: AbortSignal,
): AsyncGenerator<TimedFrame> {
  const { ffmpeg, onDuration, onSound, signal } = options;
  await assertReadableFile(videoPath, 'video');
  const times = new TimeList();
  const run = runFfmpeg(ffmpeg.path, timedFrameSpec(videoPath, options), {
    purpose: `read video ${videoPath}`,
    signal,
    onStderrLine: (line) => {
      times.read(line);
      const stated = /\[info\] +Duration: (\S+),/.exec(line)?.[1];
      if (/\[info\] +Stream #0:\d+.*: Audio:/.test(line)) onSound?.();
      if (stated !== undefined && stated !== 'N/A') onDuration?.(parseTimestamp(stated));
    },
  });
  run.done.then(
    () => times.end(),
    () => times.end(),
  );
  const splitter = new FrameSplitter({ reuse: true });
  const pictures: Uint8Array[] = [];
  let delivered = 0;
  abandoned.addEventListener('abort', () => run.kill(), { once: true });
  try {
    for await (const chunk of run.stdout) {
      for (const frame of splitter.split(chunk as Uint8Array)) {
        const time = await times.at(delivered);
        if (time === undefined) throw new Error(`ffmpeg named no time for frame ${delivered}`);
        const size = { width: frame.width, height: (frame.height * 2) / 3 };
        const bytes = 3 * size.width * size.height;
        // One that nobody looks at any more.
        const oldest = pictures.length > WAITING ? pictures.shift() : undefined;
        const data = oldest?.length === bytes ? oldest : new Uint8Array(bytes);
        pictures.push(data);
        yuvToRgb({ data: frame.data, ...size }, matrixNamedIn(times.stream), data);
        delivered++;
        yield { data, ...size, time };
      }
    }
    await run.done;
  } catch (error) {
    if (abandoned.aborted) return;
    run.kill();
    // A child that is killed closes its pipe: `done` has the reason.
    const reason = await run.done.then(
      () => error,
      (failure: unknown) => failure,
    );
    if (!(reason instanceof SubprocessError) || delivered > 0) throw reason;
    const got = (await isWebp(videoPath))
      ? 'a WebP, which ffmpeg reads only while it does not move; turn it into a GIF or an MP4'
      : STILL.test(reason.stderrTail)
        ? 'a still picture'
        : times.hasInput && times.stream === ''
          ? 'a file without a video stream'
          : `none. ${reason.message}`;
    throw new MediaError(
      `Cannot read video ${videoPath}: expected pictures that ffmpeg can decode, got ${got}`,
      videoPath,
      { cause: reason },
    );
  } finally {
    run.kill();
    await run.done.catch(() => {});
  }
}

/** What ffmpeg says of a picture, whose reader is not among those that films may have. */
const STILL = /\[image2 @ .*not on whitelist/;

async function isWebp(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(12), 0, 12, 0);
    return buffer.toString('latin1', 0, 4) === 'RIFF' && buffer.toString('latin1', 8, 12) === 'WEBP';
  } finally {
    await handle.close();
  }
}

function timedFrameSpec(
  videoPath: string,
  { ffmpeg, maxSide, maxRate, fps, duration }: ReadTimedFramesOptions,
): FfmpegSpec {
  const least = 1 / (maxRate * RATE_TOLERANCE);
  const timing =
    fps === undefined
      ? `select='isnan(prev_selected_t)+gte(t-prev_selected_t\\,${least.toFixed(6)})'`
      : `fps=${frameRateText(fps)}`;
  // Pixels need not be square; what is looked at are shapes.
  const shrink = `min(1\\,${maxSide}/max(iw*sar\\,ih))`;
  const even = (size: string): string => `max(2\\,2*round(${size}*${shrink}/2))`;
  const scale = `scale=w='${even('iw*sar')}':h='${even('ih')}':flags=area:out_range=tv`;
  return {
    inputs: [
      {
        source: fileUrl(videoPath),
        options: [...INPUT_OPTIONS, ...(duration === undefined ? [] : ['-t', duration.toFixed(6)])],
      },
    ],
    videoFilters: [timing, scale, 'format=yuv420p', 'showinfo'],
    // Half of the bytes of R, G, B, which ffmpeg takes longer to make than this program. Binary PGM says the size of every
    // frame, which for a turned video is not the one in the header.
    outputOptions: [
      ...['-map', '0:v:0', '-an', '-sn', '-dn'],
      ...(fps === undefined ? [frameTimingOption(ffmpeg.version), 'passthrough'] : []),
      ...['-c:v', 'pgmyuv', '-f', 'image2pipe'],
    ],
    output: 'pipe:1',
  };
}

/** How long a line may follow its picture: far more than it does on a machine that is busy. */
const TIME_LINE_TIMEOUT_MS = 30_000;
/** Builds from this revision on, of version 5.1, know the option's new name. */
const FPS_MODE_REVISION = 107_000;

/** The option that keeps frames as they come, neither repeated nor dropped, under the name that a version of ffmpeg knows. */
function frameTimingOption(version: string): '-fps_mode' | '-vsync' {
  const revision = /^N-(\d+)/.exec(version)?.[1];
  if (revision !== undefined) return Number(revision) >= FPS_MODE_REVISION ? '-fps_mode' : '-vsync';
  const [major = 0, minor = 0] = /^n?(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [];
  return major > 5 || (major === 5 && minor >= 1) ? '-fps_mode' : '-vsync';
}

/** The times that ffmpeg names on stderr before it writes a frame. */
class TimeList {
  hasInput = false;
  /** How ffmpeg describes the first video; empty where there is none. */
  stream = '';
  readonly #times: number[] = [];
  #taken = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  read(line: string): void {
    if (/\[info\] Input #0/.test(line)) this.hasInput = true;
    const stream = /\[info\] +Stream #0:\d+.*: Video:(.*)/.exec(line)?.[1];
    if (stream !== undefined && this.stream === '') this.stream = stream;
    const time = /showinfo.*\bn: *\d+ .*\bpts_time: *(-?[\d.e+-]+)/.exec(line)?.[1];
    if (time === undefined) return;
    this.#times.push(Number(time));
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The time of a frame, which is asked for once, in order; undefined if the program ended without naming it. */
  async at(frame: number): Promise<number | undefined> {
    while (frame - this.#taken >= this.#times.length && !this.#ended) {
      await new Promise<void>((resolve, reject) => {
        // The line is written before the picture is: it is on its way, unless this ffmpeg writes it in another form.
        const timer = setTimeout(
          () => reject(new Error('ffmpeg names no times in a known form')),
          TIME_LINE_TIMEOUT_MS,
        );
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const time = this.#times[frame - this.#taken];
    // Those before it are not asked for again.
    if (this.#taken + this.#times.length > frame && frame - this.#taken > 1000) {
      this.#times.splice(0, frame - this.#taken);
      this.#taken = frame;
    }
    return time;
  }
}
