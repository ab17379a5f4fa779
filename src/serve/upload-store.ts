/** Files that clients have sent: each in a folder named by its id, looked at before anybody may use it. */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { MediaError } from '../errors.ts';
import { syncHandle, writeAll, writeDurably } from '../files/write-durably.ts';
import { probeImage } from '../image/probe-image.ts';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';
import { measureMedia } from '../media/probe.ts';
import { isId, newId } from './ids.ts';
import { RequestError } from './problem.ts';
import { findSample } from './samples.ts';
import type { ServeLimits } from './serve-options.ts';
import { SNIFF_BYTES, type SniffedContent, sniffContent } from './sniff-content.ts';

const FORMAT = 1;
const RECORD = 'upload.json';
/** Names that clients gave are kept for people to read, cut to this. */
const MAX_NAME_LENGTH = 120;
/** A file that takes longer to be looked at is made for that. */
const LOOK_MS = 30_000;

/** What is known of a file. */
export interface UploadFacts {
  readonly kind: 'picture' | 'sound' | 'film' | 'motion' | 'weights';
  /** Seconds, of sound and films. */
  readonly duration?: number;
  /** Of films. */
  readonly hasSound?: boolean;
  /** Pixels, of pictures and films. */
  readonly width?: number;
  readonly height?: number;
}

/** A file that was received whole. */
export interface Upload extends UploadFacts {
  readonly id: string;
  /** What the client called it; for people. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Name on the disk, in the upload's folder. */
  readonly fileName: string;
}

/** What the store depends on. */
interface UploadStoreOptions {
  readonly folder: string;
  readonly limits: ServeLimits;
  readonly ffmpeg: () => Promise<FfmpegInfo>;
  /** Makes room for so many bytes more, or throws. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  /** Where copies of the samples lie, for workers that do not see the package. @defaultValue the package's own */
  readonly sampleFolder?: string | undefined;
}

/** All uploads. */
export class UploadStore {
  readonly #options: UploadStoreOptions;
  readonly #uploads = new Map<string, Upload>();

  private constructor(options: UploadStoreOptions) {
    this.#options = options;
  }

  /** Reads what is there, and removes what was not received whole. */
  static async open(options: UploadStoreOptions): Promise<UploadStore> {
    const store = new UploadStore(options);
    for (const id of await readdir(options.folder)) {
      const record = isId(id) ? await readRecord(path.join(options.folder, id, RECORD)) : undefined;
      if (record?.id === id) store.#uploads.set(id, record);
      else await rm(path.join(options.folder, id), { recursive: true, force: true });
    }
    return store;
  }

  get(id: string): Upload | undefined {
    return this.#uploads.get(id);
  }

  get all(): Iterable<Upload> {
    return this.#uploads.values();
  }

  /** Where the file lies. */
  pathOf({ id, fileName }: Upload): string {
    return path.join(this.#options.folder, id, fileName);
  }

  /** Where the file of an id lies, of an upload or of a sample; undefined if there is none any more. */
  locate(id: string): string | undefined {
    const upload = this.get(id);
    if (upload !== undefined) return this.pathOf(upload);
    const sample = findSample(id);
    const { sampleFolder } = this.#options;
    return sample && sampleFolder ? path.join(sampleFolder, sample.name) : sample?.path;
  }

  async remove(id: string): Promise<void> {
    this.#uploads.delete(id);
    await rm(path.join(this.#options.folder, id), { recursive: true, force: true });
  }

  /**
   * Writes a file as it comes, and looks at it.
   *
   * @param name - what the client calls it.
   * @param field - for messages.
   * @throws {@link RequestError} if it is too large, of a kind that is not taken, or damaged; nothing is left then.
   */
  async receive(content: Readable, name: string, field: string): Promise<Upload> {
    const id = newId();
    const folder = path.join(this.#options.folder, id);
    const partial = path.join(folder, 'partial');
    try {
      await mkdir(folder);
      const { bytes, sha256, head } = await this.#write(content, partial, field);
      const sniffed = sniffContent(head);
      if (bytes === 0) throw wrongFile(field, 'expected a file, got one of zero bytes', 'invalid-field');
      if (sniffed === undefined) {
        throw wrongFile(
          field,
          'expected a picture (JPEG, PNG, WebP, AVIF, TIFF, GIF), sound or a film (WAV, MP3, M4A, FLAC, Ogg, MP4, MOV, WebM, …), ' +
            'a motion file or safetensors, got a file of no such kind',
          'unsupported-type',
        );
      }
      const fileName = `content${sniffed.extension}`;
      await rename(partial, path.join(folder, fileName));
      const facts = await this.#look(path.join(folder, fileName), sniffed, field);
      const upload: Upload = {
        id,
        name: showName(name) || fileName,
        bytes,
        sha256,
        createdAt: new Date().toISOString(),
        fileName,
        ...facts,
      };
      await writeDurably(path.join(folder, RECORD), JSON.stringify({ format: FORMAT, ...upload }));
      this.#uploads.set(id, upload);
      return upload;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async #write(content: Readable, file: string, field: string) {
    const { limits, makeRoom } = this.#options;
    const hash = createHash('sha256');
    let head = Buffer.alloc(0);
    let bytes = 0;
    let room = 0;
    const handle = await open(file, 'wx');
    try {
      for await (const chunk of content as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > limits.uploadBytes) throw tooLarge(field, limits);
        if (bytes > room) {
          room = bytes + ROOM_STEP;
          await makeRoom(ROOM_STEP);
        }
        if (head.length < SNIFF_BYTES) head = Buffer.concat([head, chunk]).subarray(0, SNIFF_BYTES);
        hash.update(chunk);
        await writeAll(handle, chunk);
      }
      await syncHandle(handle);
    } finally {
      await handle.close();
    }
    return { bytes, sha256: hash.digest('hex'), head };
  }

  async #look(file: string, { kind }: SniffedContent, field: string): Promise<UploadFacts> {
    const { limits } = this.#options;
    if (kind === 'motion' || kind === 'weights') return { kind };
    try {
      if (kind === 'picture') {
        const { width, height } = await probeImage(file);
        checkPixels(width * height, limits, field);
        return { kind, width, height };
      }
      const info = await measureMedia(file, {
        ffmpeg: await this.#options.ffmpeg(),
        signal: AbortSignal.timeout(LOOK_MS),
        maxDuration: limits.seconds + 1,
      });
      const duration = Math.max(info.video?.duration ?? 0, info.audio?.duration ?? 0);
      if (duration > limits.seconds) {
        throw wrongFile(field, `expected at most ${limits.seconds} s, got more`, 'too-large');
      }
      // Pictures in sound files are covers.
      const isFilm = info.video !== undefined && info.video.frames > 1;
      if (isFilm) checkPixels(info.video.width * info.video.height, limits, field);
      if (!isFilm && info.audio === undefined)
        throw wrongFile(field, 'expected sound or a film, got neither', 'invalid-field');
      return {
        kind: isFilm ? 'film' : 'sound',
        duration,
        ...(isFilm && {
          hasSound: info.audio !== undefined,
          width: info.video.width,
          height: info.video.height,
        }),
      };
    } catch (error) {
      if (error instanceof MediaError) {
        throw wrongFile(field, error.message.replace(/^.*?: (?=expected )/, ''), 'invalid-field');
      }
      if (error instanceof DOMException && error.name === 'TimeoutError') {
        throw wrongFile(
          field,
          `expected a file that can be read in ${LOOK_MS / 1000} s, got no end`,
          'invalid-field',
        );
      }
      throw error;
    }
  }
}

/** Room is asked for in pieces of this. */
const ROOM_STEP = 16e6;

function tooLarge(field: string, { uploadBytes }: ServeLimits): RequestError {
  return wrongFile(field, `expected at most ${(uploadBytes / 1e6).toFixed(0)} MB, got more`, 'too-large');
}

function checkPixels(pixels: number, limits: ServeLimits, field: string): void {
  if (pixels <= limits.pixels) return;
  const [most, got] = [limits.pixels, pixels].map((each) => (each / 1e6).toFixed(1));
  throw wrongFile(field, `expected at most ${most} megapixels, got ${got}`, 'too-large');
}

/** A file that is not taken. */
function wrongFile(
  field: string,
  what: string,
  kind: 'invalid-field' | 'too-large' | 'unsupported-type',
): RequestError {
  const detail = `Cannot use ${field}: ${what}`;
  return new RequestError(kind, detail, { fields: [{ field, detail }] });
}

/** A client's name for a file, for people: without folders, control characters and directions of writing. */
function showName(name: string): string {
  return [...(name.split(/[/\\]/).at(-1) ?? '').replace(/\p{C}/gu, '')]
    .slice(0, MAX_NAME_LENGTH)
    .join('')
    .trim();
}

async function readRecord(file: string): Promise<Upload | undefined> {
  try {
    const { format, ...record } = JSON.parse(await readFile(file, 'utf8')) as Upload & { format: number };
    return format === FORMAT ? record : undefined;
  } catch {
    return undefined; // not received whole
  }
}
