/** The pictures of a film by their numbers, in an order that is mostly forwards. */
import { MediaError } from '../errors.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { readFrames } from './read-frames.ts';
import type { VideoFrame as RgbImage } from './video-frame.ts';

/** Options of {@link FilmFrames}. */
interface FilmFramesOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Frames a second; frame `i` is what {@link readFrames} delivers as its `i`th at this rate. */
  readonly fps: number;
  /** Longest side in pixels. @defaultValue any */
  readonly maxSide?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A frame so far ahead of a reader is reached by reading on; further ones by seeking. */
const READ_ON = 64;
/** Bytes of pictures that each reader keeps for those who come back to them. */
const KEPT_BYTES = 96e6;
const MIN_KEPT = 4;
const MAX_KEPT = 32;
/** Two readers, for the two places at which a clip is worked on: before the denoiser and behind it. */
const READERS = 2;

/** Reads with at most two programs at a time; dispose of it to end them. */
export class FilmFrames {
  readonly #path: string;
  readonly #options: FilmFramesOptions;
  /** The one used last comes last. */
  readonly #readers: FilmReader[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string, options: FilmFramesOptions) {
    this.#path = path;
    this.#options = options;
  }

  /**
   * One picture; calls wait for each other.
   *
   * @throws {@link MediaError} if the film has no such frame or cannot be decoded.
   */
  at(frame: number): Promise<RgbImage> {
    const reading = this.#turn.then(() => this.#read(frame));
    this.#turn = reading.catch(() => {});
    return reading;
  }

  async #read(frame: number): Promise<RgbImage> {
    const holder = this.#readers.find((reader) => reader.holds(frame));
    if (holder !== undefined) return holder.kept(frame);
    const reader = this.#readers.find((each) => each.isAheadOf(frame)) ?? (await this.#open(frame));
    this.#readers.splice(this.#readers.indexOf(reader), 1);
    this.#readers.push(reader);
    return reader.readTo(frame);
  }

  async #open(frame: number): Promise<FilmReader> {
    if (this.#readers.length === READERS) await this.#readers.shift()!.close();
    // Who goes backwards asks for those before it next.
    const last = this.#readers.at(-1);
    const backwards = last?.begins(frame + 1) ?? false;
    const first = backwards ? Math.max(0, frame - last!.capacity + 1) : frame;
    const reader = new FilmReader(this.#path, this.#options, first);
    this.#readers.push(reader);
    return reader;
  }

  /** Ends the programs; may be called twice. */
  async dispose(): Promise<void> {
    await this.#turn;
    await Promise.all(this.#readers.splice(0).map((reader) => reader.close()));
  }
}

/** One program that decodes forwards from a frame on, and the last pictures that it gave. */
class FilmReader {
  readonly #frames: AsyncGenerator<RgbImage>;
  readonly #path: string;
  readonly #first: number;
  readonly #kept = new Map<number, RgbImage>();
  #next: number;
  #capacity = MAX_KEPT;

  constructor(path: string, options: FilmFramesOptions, first: number) {
    this.#path = path;
    this.#frames = readFrames(path, { ...options, firstFrame: first });
    this.#first = first;
    this.#next = first;
  }

  /** Pictures that are kept. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Whether `frame` is the earliest that is kept. */
  begins(frame: number): boolean {
    return this.#kept.keys().next().value === frame || this.#first === frame;
  }

  holds(frame: number): boolean {
    return this.#kept.has(frame);
  }

  kept(frame: number): RgbImage {
    return this.#kept.get(frame)!;
  }

  isAheadOf(frame: number): boolean {
    return frame >= this.#next && frame < this.#next + READ_ON;
  }

  async readTo(frame: number): Promise<RgbImage> {
    while (this.#next <= frame) {
      const { value, done } = await this.#frames.next();
      if (done) {
        // The last frame of a film may last a little longer than its picture says.
        const last = this.#kept.get(this.#next - 1);
        if (last === undefined) {
          throw new MediaError(
            `Cannot read video ${this.#path}: expected frame ${frame}, got a film of ${this.#next} frames; it may have changed meanwhile`,
            this.#path,
          );
        }
        return last;
      }
      this.#kept.set(this.#next, value);
      this.#next++;
      this.#capacity = Math.min(MAX_KEPT, Math.max(MIN_KEPT, Math.floor(KEPT_BYTES / value.data.length)));
      if (this.#kept.size > this.#capacity) this.#kept.delete(this.#kept.keys().next().value!);
    }
    return this.#kept.get(frame)!;
  }

  async close(): Promise<void> {
    await this.#frames.return(undefined);
  }
}
