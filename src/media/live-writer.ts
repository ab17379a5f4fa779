/** A second, rough video that can be played while it is written, to watch a clip before it is complete. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { VideoFrame } from './video-frame.ts';
import { VideoWriter, type VideoWriterOptions } from './video-writer.ts';

/** Good enough to watch; the frames themselves are encoded well elsewhere. */
const LIVE_CRF = 26;

/** Options of {@link LiveWriter.open}. */
interface LiveWriterOptions
  extends Pick<VideoWriterOptions, 'ffmpeg' | 'width' | 'height' | 'fps' | 'frames' | 'sound' | 'signal'> {
  /** File that is written piece by piece; an existing one is replaced; its readers keep the old contents. */
  readonly path: string;
  /** Called once if it cannot be written: the clip is rendered without it. */
  readonly onNotice: (message: string) => void;
}

/** Fragmented MP4 in a file that only grows. Nothing that goes wrong here stops the clip. */
export class LiveWriter {
  readonly #onNotice: (message: string) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #file: WriteStream;
  #video: VideoWriter | undefined;

  private constructor({ onNotice, signal }: LiveWriterOptions, file: WriteStream) {
    this.#onNotice = onNotice;
    this.#signal = signal;
    this.#file = file;
    file.on('error', () => {}); // reported by the writer that it belongs to
  }

  /** Starts the encoder. */
  static async open(options: LiveWriterOptions): Promise<LiveWriter> {
    const { path, onNotice: _, ...video } = options;
    await rm(path, { force: true });
    const file = createWriteStream(path, { flags: 'wx' });
    const writer = new LiveWriter(options, file);
    await writer.#attempt(async () => {
      writer.#video = await VideoWriter.open({
        ...video,
        outputPath: '-',
        stream: file,
        crf: LIVE_CRF,
        live: true,
      });
    });
    return writer;
  }

  /** Hands one frame to the encoder and waits until it has been taken; its memory may then be used again. */
  write(frame: VideoFrame): Promise<void> {
    return this.#attempt(() => this.#video?.write(frame));
  }

  /** Waits until the file has all frames. */
  async finish(): Promise<void> {
    await this.#attempt(() => this.#video?.finish());
    await new Promise<void>((resolve) => this.#file.end(() => resolve()));
  }

  /** Ends the encoder; may be called twice. */
  async dispose(): Promise<void> {
    await this.#video?.dispose();
    this.#file.destroy();
  }

  async #attempt(work: () => Promise<void> | undefined): Promise<void> {
    try {
      await work();
    } catch (error) {
      const video = this.#video;
      this.#video = undefined;
      await video?.dispose();
      if (this.#signal?.aborted) return;
      this.#onNotice(`there is no live video: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
