/** The pictures of a video, one at a time. */
import { MediaError, SubprocessError } from '../errors.ts';
import { type FfmpegSpec, fileUrl, runFfmpeg } from './ffmpeg-command.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { frameRateText } from './frame-rate.ts';
import { assertReadableFile } from './media-file.ts';
import { INPUT_OPTIONS } from './probe.ts';
import type { VideoFrame } from './video-frame.ts';

/** Options of {@link readFrames}. */
interface ReadFramesOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Frames a second to deliver, by repeating and dropping. @defaultValue the video's own */
  readonly fps?: number;
  /** Number of the first frame to deliver, with `fps`; those before it are not decoded where the file can be entered later. @defaultValue 0 */
  readonly firstFrame?: number;
  /** Longest side in pixels; larger pictures are made smaller. @defaultValue any */
  readonly maxSide?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Seconds of frames that are decoded before the first one that is wanted: one that lasts long is shown from before. */
const LEAD = 1;

/**
 * Decodes the first video stream, upright, at a constant frame rate. Memory holds a few frames: decoding waits for the reader,
 * and ends when the reader breaks out of its loop.
 *
 * @throws {@link MediaError} if the file cannot be read or has no picture that decodes.
 */
export async function* readFrames(videoPath: string, options: ReadFramesOptions): AsyncGenerator<VideoFrame> {
  const { ffmpeg, fps, firstFrame = 0, signal } = options;
  if (firstFrame > 0 && fps === undefined) throw new Error('frames are numbered at a stated rate');
  const lead = Math.min(firstFrame, Math.ceil(LEAD * (fps ?? 0)));
  await assertReadableFile(videoPath, 'video');
  const purpose = `read video ${videoPath}`;
  const run = runFfmpeg(ffmpeg.path, frameSpec(videoPath, options, firstFrame - lead), { purpose, signal });
  const splitter = new FrameSplitter();
  let delivered = 0;
  try {
    for await (const chunk of run.stdout) {
      for (const frame of splitter.split(chunk as Uint8Array)) {
        delivered++;
        if (delivered > lead) yield frame;
      }
    }
    await run.done;
  } catch (error) {
    run.kill();
    // A child that is killed closes its pipe: `done` has the reason.
    const reason = await run.done.then(
      () => error,
      (failure: unknown) => failure,
    );
    if (!(reason instanceof SubprocessError) || delivered > 0) throw reason;
    throw new MediaError(
      `Cannot read video ${videoPath}: expected pictures that ffmpeg can decode, got none. ${reason.message}`,
      videoPath,
      { cause: reason },
    );
  } finally {
    run.kill();
    await run.done.catch(() => {});
  }
}

function frameSpec(videoPath: string, { fps, maxSide }: ReadFramesOptions, begin: number): FfmpegSpec {
  const seek = begin > 0 ? ['-ss', (begin / fps!).toFixed(6)] : [];
  const shrink = `min(1\\,${maxSide}/max(iw\\,ih))`;
  const size =
    maxSide === undefined ? '' : `w='max(2\\,round(iw*${shrink}))':h='max(2\\,round(ih*${shrink}))':`;
  return {
    inputs: [{ source: fileUrl(videoPath), options: [...INPUT_OPTIONS, ...seek] }],
    videoFilters: [
      ...(fps ? [`fps=${frameRateText(fps)}`] : []),
      `scale=${size}flags=bicubic+accurate_rnd+full_chroma_int`,
      'format=rgb24',
    ],
    // Binary PPM says the size of every frame, which for a turned video is not the one in the header.
    outputOptions: ['-map', '0:v:0', '-c:v', 'ppm', '-f', 'image2pipe'],
    output: 'pipe:1',
  };
}

/** Cuts a stream of binary PPM files, or of PGM ones with a byte a pixel, as ffmpeg writes them, into pictures. */
export class FrameSplitter {
  readonly #reuse: boolean;
  #header = '';
  #size: { width: number; height: number } | undefined;
  #data = new Uint8Array(0);
  #filled = 0;

  /** @param reuse - each picture is written over the one before: for who is done with it when the next is asked for. */
  constructor({ reuse = false }: { readonly reuse?: boolean } = {}) {
    this.#reuse = reuse;
  }

  *split(chunk: Uint8Array): Generator<VideoFrame> {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#size === undefined) {
        offset = this.#readHeader(chunk, offset);
        continue;
      }
      const part = chunk.subarray(offset, offset + this.#data.length - this.#filled);
      this.#data.set(part, this.#filled);
      this.#filled += part.length;
      offset += part.length;
      if (this.#filled < this.#data.length) continue;
      yield { data: this.#data, ...this.#size };
      this.#size = undefined;
    }
  }

  /** Takes bytes up to the end of the header: magic number, width, height and depth, each ended by white space. */
  #readHeader(chunk: Uint8Array, start: number): number {
    let offset = start;
    while (offset < chunk.length) {
      this.#header += String.fromCharCode(chunk[offset++]!);
      const match = /^P([56])\s+(\d+)\s+(\d+)\s+255\s$/.exec(this.#header);
      if (!match) continue;
      this.#size = { width: Number(match[2]), height: Number(match[3]) };
      const bytes = this.#size.width * this.#size.height * (match[1] === '6' ? 3 : 1);
      if (!this.#reuse || this.#data.length !== bytes) this.#data = new Uint8Array(bytes);
      this.#filled = 0;
      this.#header = '';
      break;
    }
    return offset;
  }
}
