/**
 * What is remembered of one output, in a folder of its own under the batch's state folder: which clip it holds, and
 * checkpoints while it is rendered.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import { removeAllPartials } from '../files/partial-name.ts';
import { writeDurably } from '../files/write-durably.ts';
import { hashOutput } from './hash-output.ts';

const FORMAT = 1;

/** A finished video. */
interface JobRecord {
  /** Content key of the clip. */
  readonly key: string;
  /** SHA-256 of the video. */
  readonly sha256: string;
  readonly bytes: number;
  /** Facts for reports. */
  readonly summary: RecordedClip;
  /** SHA-256 of the video that it replaced, which is there until the new one has its name. */
  readonly replaces?: string;
}

/** What is reported of a finished video, also by a later run. */
export interface RecordedClip {
  readonly frames: number;
  readonly fps: number;
  readonly width: number;
  readonly height: number;
  /** Seconds that its last rendering took. */
  readonly seconds: number;
}

/** How an output stands. */
type OutputState =
  | { readonly kind: 'missing' }
  /** The clip that is asked for. */
  | { readonly kind: 'done'; readonly record: JobRecord }
  /** A clip that was rendered here of other inputs or options, and not changed since. */
  | { readonly kind: 'outdated'; readonly sha256: string }
  /** A file that does not come from here, or was changed. */
  | { readonly kind: 'foreign' };

/** Default name of a state folder. */
export const STATE_FOLDER = '.lcm-portrait';

/** The folder of one output. */
export class JobFolder {
  readonly output: string;
  readonly path: string;

  private constructor(output: string, folder: string) {
    this.output = output;
    this.path = folder;
  }

  /**
   * Names the folder; makes nothing. The name depends on where the output lies as seen from the state folder, so that
   * both may move together, and be known by other paths on other machines.
   */
  static async of(stateFolder: string, output: string): Promise<JobFolder> {
    const [state, folder] = await Promise.all([
      realOrResolved(stateFolder),
      realOrResolved(path.dirname(output)),
    ]);
    const relative = path.relative(state, path.join(folder, path.basename(output))).replaceAll(path.sep, '/');
    const id = createHash('sha256').update(relative.normalize('NFC')).digest('hex').slice(0, 32);
    return new JobFolder(output, path.join(state, 'jobs', id));
  }

  get checkpoints(): string {
    return path.join(this.path, 'checkpoints');
  }

  get #recordFile(): string {
    return path.join(this.path, 'record.json');
  }

  /** Compares the output with what is remembered of it; reads the whole file. */
  async outputState(key: string): Promise<OutputState> {
    let sha256: string;
    try {
      ({ sha256 } = await hashOutput(this.output));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'missing' };
      return { kind: 'foreign' };
    }
    const record = await this.readRecord();
    if (record?.sha256 === sha256) {
      return record.key === key ? { kind: 'done', record } : { kind: 'outdated', sha256 };
    }
    return record?.replaces === sha256 ? { kind: 'outdated', sha256 } : { kind: 'foreign' };
  }

  /** The record, if there is one that can be read. */
  async readRecord(): Promise<JobRecord | undefined> {
    try {
      const found = JSON.parse(await readFile(this.#recordFile, 'utf8')) as JobRecord & { format: number };
      return found.format === FORMAT ? found : undefined;
    } catch {
      return undefined; // none, or cut: the clip is rendered again
    }
  }

  /** Remembers a video, durably; to be called before it gets its name, so that none is there unknown. */
  async writeRecord(record: JobRecord): Promise<void> {
    await mkdir(this.path, { recursive: true });
    const text = `${JSON.stringify({ format: FORMAT, output: path.basename(this.output), ...record }, undefined, 2)}\n`;
    await writeDurably(this.#recordFile, text);
  }

  /** Removes what killed programs had begun to write. */
  async removePartials(): Promise<void> {
    await removeAllPartials(this.path);
  }

  /** For videos that are there. */
  async removeCheckpoints(): Promise<void> {
    await rm(this.checkpoints, { recursive: true, force: true });
  }
}

async function realOrResolved(folder: string): Promise<string> {
  const absolute = path.resolve(folder);
  try {
    return await realpath(absolute);
  } catch {
    const parent = path.dirname(absolute);
    return parent === absolute ? absolute : path.join(await realOrResolved(parent), path.basename(absolute));
  }
}
