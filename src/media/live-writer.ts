/** A second, rough video that can be played while it is written: for whoever wants to see a clip before it is complete. */
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { encodeSpec } from './encode-spec.ts';
import { type FfmpegRun, type FfmpegSpec, runFfmpeg } from './ffmpeg-command.ts';
import { chooseEncoders } from './output-formats.ts';
import type { VideoFrame } from './video-frame.ts';
import type { VideoWriterOptions } from './video-writer.ts';

/** Good enough to watch; the frames themselves are encoded well elsewhere. */
const LIVE_CRF = 26;
/** Seconds between pictures that need no other: a player gets so much at once. */
const FRAGMENT_SECONDS = 0.4;
/** Behind the networks and the video itself. */
const NICENESS = 15;

/** Options of {@link LiveWriter.open}. */
export interface LiveWriterOptions
  extends Pick<
    VideoWriterOptions,
    'ffmpeg' | 'width' | 'height' | 'fps' | 'frames' | 'audioPath' | 'signal' | 'transparent'
  > {
  /** File that is written piece by piece; one that is there is replaced, and whoever reads it keeps what it has. */
  readonly path: string;
  /** Told once if it cannot be written: the clip goes on without. */
  readonly onNotice: (message: string) => void;
}

/** Fragmented MP4 in a file that only grows. Nothing that goes wrong here stops the clip. */
export class LiveWriter {
  readonly #run: FfmpegRun;
  /** Settles when the file has all; never rejects. */
  readonly #written: Promise<void>;
  #failed = false;
  #disposed = false;

  private constructor(options: LiveWriterOptions) {
    const { ffmpeg, path, signal, onNotice } = options;
    this.#run = runFfmpeg(ffmpeg.path, liveSpec(options), {
      purpose: 'write the live video',
      niceness: NICENESS,
      signal,
    });
    const copied = pipeline(this.#run.stdout, createWriteStream(path, { flags: 'wx' }));
    this.#written = Promise.all([copied, this.#run.done]).then(
      () => {},
      (error: unknown) => {
        this.#failed = true;
        this.#run.kill();
        if (!signal?.aborted && !this.#disposed) {
          onNotice(`there is no live video: ${error instanceof Error ? error.message : String(error)}`);
        }
      },
    );
  }

  /** Starts the encoder. */
  static async open(options: LiveWriterOptions): Promise<LiveWriter> {
    await rm(options.path, { force: true });
    return new LiveWriter(options);
  }

  /** Hands one frame to the encoder and waits until it has been taken; its memory may then be used again. */
  async write({ data }: VideoFrame): Promise<void> {
    if (this.#failed) return;
    await new Promise<void>((resolve) => {
      this.#run.stdin.write(data, () => resolve());
    });
  }

  /** Waits until the file has all frames. */
  async finish(): Promise<void> {
    this.#run.stdin.end();
    await this.#written;
  }

  /** Ends the encoder; may be called twice. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#run.kill();
    await this.#written;
  }
}

/** What the writer of streams does, faster, in smaller pieces, and without looking ahead. */
function liveSpec(options: LiveWriterOptions): FfmpegSpec {
  const { ffmpeg, fps, transparent = false } = options;
  const spec = encodeSpec({
    ...options,
    ...{ outputPath: '-', target: '-', crf: LIVE_CRF, metadata: {}, transparent },
  });
  const { name } = chooseEncoders('-', ffmpeg, transparent).video;
  const fast = name === 'libx264' ? ['-preset', 'ultrafast', '-tune', 'zerolatency'] : [];
  const group = Math.max(1, Math.round(fps * FRAGMENT_SECONDS));
  // Of options that are given twice, the last one holds.
  const pieces = ['-g', String(group), '-threads:v', '1', '-frag_duration', String(FRAGMENT_SECONDS * 1e6)];
  return { ...spec, outputOptions: [...spec.outputOptions, ...fast, ...pieces, '-flush_packets', '1'] };
}
