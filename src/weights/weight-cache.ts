/**
 * Weights as graphs use them, kept on disk: converted, with adapters merged, and mapped into memory by the engine instead
 * of read. An entry belongs to one state of one network's weights; graphs for other window lengths or the other guidance
 * half add what they lack. A file appears under its name only when it is complete.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { EnvironmentError } from '../errors.ts';
import { type HeldLock, lockFile } from '../files/file-lock.ts';
import { type CheckedFile, CheckedFileWriter, isWhole } from './checked-file.ts';

/** A graph whose large tensors may lie in other files; the graph builder's graphs are. */
interface ExternalGraph {
  externalTensors(): readonly {
    readonly id: string;
    readonly length: number;
    read(): Uint8Array;
  }[];
  toExternalBytes(place: (id: string) => { readonly location: string; readonly offset: number }): Uint8Array;
}

/** A graph that is ready to be opened. */
interface StoredGraph {
  /** The ONNX file. */
  readonly model: Uint8Array;
  /** Where the files lie that it names. */
  readonly folder: string;
  /** Bytes that were written to make it; 0 where all of it was there. */
  readonly written: number;
}

/** Options of {@link WeightCache}. */
interface WeightCacheOptions {
  readonly folder: string;
  /** Entries that were not used for longest are removed beyond this. @defaultValue 32 GB */
  readonly maxBytes?: number | undefined;
}

/** What a cache holds. */
interface WeightCacheContents {
  readonly entries: number;
  readonly bytes: number;
}

/** Raised whenever weights of the same name come to hold other numbers or another layout. */
const FORMAT = 1;
const INDEX = 'index.json';
/** Of an entry's folder; others in the cache's folder are not its own. */
const ENTRY_NAME = /^[0-9a-f]{32}$/;
const DEFAULT_MAX_BYTES = 32e9;
/** Left free on the disk. */
const SPARE_BYTES = 64e6;

type Place = readonly [file: number, offset: number, length: number];

interface Index {
  readonly format: number;
  readonly key: string;
  readonly files: readonly (CheckedFile & { readonly name: string })[];
  readonly tensors: Readonly<Record<string, Place>>;
}

/** A folder of entries; any number of processes may use it at the same time. */
export class WeightCache {
  readonly folder: string;
  readonly #maxBytes: number;

  constructor({ folder, maxBytes = DEFAULT_MAX_BYTES }: WeightCacheOptions) {
    this.folder = folder;
    this.#maxBytes = maxBytes;
  }

  /**
   * The graph with its weights in the cache. What is there already, and not damaged, is not read again.
   *
   * @param key - names the state of the weights: everything that the numbers depend on.
   * @throws {@link EnvironmentError} if the folder cannot be written or has not enough room.
   * @throws whatever reading a weight throws; the cache is as it was before.
   */
  async store(key: unknown, graph: ExternalGraph, signal?: AbortSignal): Promise<StoredGraph> {
    const { text, name } = nameOf(key);
    const folder = path.join(this.folder, name);
    const needed = graph.externalTensors();
    let index = this.#open(folder, text);
    let written = 0;
    if (index === undefined || needed.some(({ id }) => index?.tensors[id] === undefined)) {
      const lock = await this.#lock(name, signal);
      try {
        index = this.#open(folder, text);
        const present: Index = index ?? { format: FORMAT, key: text, files: [], tensors: {} };
        const missing = needed.filter(({ id }) => present.tensors[id] === undefined);
        if (index === undefined) rmSync(folder, { recursive: true, force: true });
        written = missing.reduce((sum, { length }) => sum + length, 0);
        this.#makeRoom(name, written);
        index = this.#write(folder, present, missing, lock);
      } catch (error) {
        throw explain(folder, error, written);
      } finally {
        lock.release();
      }
    }
    const { files, tensors } = index;
    const model = graph.toExternalBytes((id) => {
      const [file, offset] = tensors[id]!;
      return { location: files[file]!.name, offset };
    });
    return { model, folder, written };
  }

  /** Removes what is kept under a key, e.g. because the engine refuses it. */
  async discard(key: unknown): Promise<void> {
    const { name } = nameOf(key);
    const lock = await this.#lock(name, undefined);
    try {
      rmSync(path.join(this.folder, name), { recursive: true, force: true });
    } finally {
      lock.release();
    }
  }

  /** Number and size of the entries. */
  contents(): WeightCacheContents {
    const entries = this.#entries();
    return { entries: entries.length, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  async #lock(name: string, signal: AbortSignal | undefined): Promise<HeldLock> {
    try {
      mkdirSync(this.folder, { recursive: true });
      return await lockFile(path.join(this.folder, `${name}.lock`), { signal });
    } catch (error) {
      throw explain(this.folder, error, 0);
    }
  }

  /** The index of an entry that is whole; of a damaged one, nothing. */
  #open(folder: string, key: string): Index | undefined {
    try {
      const file = path.join(folder, INDEX);
      const index = JSON.parse(readFileSync(file, 'utf8')) as Index;
      if (index.format !== FORMAT || index.key !== key) return undefined;
      if (!index.files.every((data) => isWhole(path.join(folder, data.name), data))) return undefined;
      const now = new Date();
      utimesSync(file, now, now);
      return index;
    } catch {
      return undefined;
    }
  }

  #write(
    folder: string,
    present: Index,
    missing: readonly { readonly id: string; readonly length: number; read(): Uint8Array }[],
    lock: HeldLock,
  ): Index {
    mkdirSync(folder, { recursive: true });
    const known = new Set([INDEX, ...present.files.map((file) => file.name)]);
    // What an interrupted process left.
    for (const name of readdirSync(folder)) if (!known.has(name)) rmSync(path.join(folder, name));

    const temporary = path.join(folder, `${randomUUID()}.part`);
    const indexPart = path.join(folder, `${randomUUID()}.part`);
    const name = `weights-${present.files.length}.bin`;
    const places: Record<string, Place> = {};
    let writer: CheckedFileWriter | undefined;
    try {
      writer = new CheckedFileWriter(temporary);
      for (const { id, length, read } of missing) {
        places[id] = [present.files.length, writer.append(read()), length];
        lock.touch();
      }
      const { bytes, checks } = writer.finish();
      const index: Index = {
        ...present,
        files: [...present.files, { name, bytes, checks }],
        tensors: { ...present.tensors, ...places },
      };
      renameSync(temporary, path.join(folder, name));
      writeFileSync(indexPart, JSON.stringify(index), { flush: true });
      renameSync(indexPart, path.join(folder, INDEX));
      return index;
    } catch (error) {
      writer?.abandon();
      // What the index does not name would only fill the disk.
      for (const file of [indexPart, path.join(folder, name)]) rmSync(file, { force: true });
      if (present.files.length === 0) rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  #entries(): { readonly name: string; readonly bytes: number; readonly used: number }[] {
    const found = [];
    for (const name of listFolder(this.folder)) {
      if (!ENTRY_NAME.test(name)) continue;
      const folder = path.join(this.folder, name);
      const files = listFolder(folder);
      if (files.length === 0) continue;
      try {
        const sizes = files.map((file) => statSync(path.join(folder, file)));
        const used = Math.max(...sizes.map((stats) => stats.mtimeMs));
        found.push({ name, bytes: sizes.reduce((sum, { size }) => sum + size, 0), used });
      } catch {
        // Another process has just removed it.
      }
    }
    return found.sort((a, b) => a.used - b.used);
  }

  /** Removes entries until `bytes` more fit into limit and disk; none where all of them would not be enough. */
  #makeRoom(kept: string, bytes: number): void {
    const entries = this.#entries();
    const others = entries.filter(({ name }) => name !== kept);
    const sizeOf = (list: typeof entries): number => list.reduce((sum, entry) => sum + entry.bytes, 0);
    const needed = bytes + SPARE_BYTES;
    const reachable = freeBytes(this.folder) + sizeOf(others);
    if (reachable < needed) throw this.#noRoom(needed, reachable);
    let total = bytes + sizeOf(entries);
    for (const entry of others) {
      if (total <= this.#maxBytes && freeBytes(this.folder) >= needed) return;
      try {
        rmSync(path.join(this.folder, entry.name), { recursive: true, force: true });
        total -= entry.bytes;
      } catch {
        // In use, where the system does not allow that.
      }
    }
    const free = freeBytes(this.folder);
    if (free < needed) throw this.#noRoom(needed, free);
  }

  #noRoom(needed: number, free: number): EnvironmentError {
    return new EnvironmentError(
      `Cannot keep weights in ${this.folder}: expected ${megabytes(needed)} of free space, got ` +
        `${megabytes(free)}; make room, or set LCM_PORTRAIT_CACHE to a folder with more`,
    );
  }
}

/** Failures of the disk become errors that name `folder`; others are passed on. */
function explain(folder: string, error: unknown, bytes: number): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined || code === undefined) return error;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const wanted = full ? `${megabytes(bytes)} of free space` : 'a folder that can be written';
  const reason = error instanceof Error ? error.message : String(error);
  return new EnvironmentError(
    `Cannot keep weights in ${folder}: expected ${wanted}, got ${reason}; set LCM_PORTRAIT_CACHE to another folder`,
    { cause: error },
  );
}

/** The key as text, and the name of its entry's folder. */
function nameOf(key: unknown): { readonly text: string; readonly name: string } {
  const text = JSON.stringify(key);
  return { text, name: createHash('sha256').update(`${FORMAT}:${text}`).digest('hex').slice(0, 32) };
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
