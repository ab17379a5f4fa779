/** Finished frames of a clip on disk, as they were before any encoder: a minute of Full HD is gigabytes. */
import { rmSync } from 'node:fs';
import { type FileHandle, open, rm, statfs } from 'node:fs/promises';
import { MediaError, ShapeError } from '../errors.ts';
import { onProcessExit } from '../files/exit-cleanup.ts';
import type { RgbImage } from '../image/rgb-image.ts';

/** Space that is left to others. */
const SPARE_BYTES = 500e6;

/** Size of the frames. */
interface FrameSize {
  readonly width: number;
  readonly height: number;
}

/**
 * Makes sure that `bytes` fit into the folder's disk.
 *
 * @throws {@link MediaError} if they do not.
 */
export async function assertSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bytes + SPARE_BYTES <= bavail * bsize) return;
  const gigabytes = (value: number): string => (value / 1e9).toFixed(1);
  throw new MediaError(
    `Cannot keep the frames in ${folder}: expected ${gigabytes(bytes + SPARE_BYTES)} GB of free space, ` +
      `got ${gigabytes(bavail * bsize)}; take a shorter recording, a smaller portrait or another output folder`,
    folder,
  );
}

/** A file of frames in order; removed by {@link FrameSpool.dispose} and when the process ends. */
export class FrameSpool {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly size: FrameSize;
  readonly #forget: () => void;
  #count = 0;
  #closed = false;

  private constructor(file: FileHandle, path: string, size: FrameSize) {
    this.#file = file;
    this.#path = path;
    this.size = size;
    this.#forget = onProcessExit(() => rmSync(path, { force: true }));
  }

  /** Opens an empty spool; a file at this path is replaced. */
  static async open(path: string, size: FrameSize): Promise<FrameSpool> {
    return new FrameSpool(await open(path, 'w+'), path, size);
  }

  /** Frames so far. */
  get count(): number {
    return this.#count;
  }

  /** @throws {@link ShapeError} if the frame has another size than the spool. */
  async add({ data, width, height }: RgbImage): Promise<void> {
    if (width !== this.size.width || height !== this.size.height) {
      throw new ShapeError(
        `Cannot keep frame: expected ${this.size.width}×${this.size.height}, got ${width}×${height}`,
      );
    }
    await this.#file.write(data, 0, data.length, this.#count * data.length);
    this.#count += 1;
  }

  /** Frame `index`, counted from 0. */
  async read(index: number): Promise<RgbImage> {
    if (index < 0 || index >= this.#count) throw new Error(`frame ${index} of ${this.#count}`);
    const { width, height } = this.size;
    const data = new Uint8Array(width * height * 3);
    await this.#file.read(data, 0, data.length, index * data.length);
    return { data, width, height };
  }

  /** Closes and removes the file; may be called twice. */
  async dispose(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close();
    await rm(this.#path, { force: true });
    this.#forget();
  }
}
