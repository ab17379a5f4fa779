/** A bundle while it is written: a hidden folder beside its place, which gets the bundle's name when it is complete. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  constants,
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentError, ModelError } from '../errors.ts';
import { isRunning } from '../files/file-lock.ts';
import { syncFolder } from '../files/write-durably.ts';
import type { BundleDescription, BundleFile } from '../models/bundle-description.ts';
import {
  type TensorToWrite,
  type WriteSafetensorsOptions,
  writeAll,
  writeSafetensors,
} from '../weights/safetensors-writer.ts';

/** Opens a file to write; replaced in tests by one that fails. */
export type CreateFile = (path: string) => Promise<Pick<FileHandle, 'write' | 'sync' | 'close'>>;

const createNew: CreateFile = (file) => open(file, 'wx');

/** Free space that is left to others, beyond what a bundle needs. */
const SPARE_BYTES = 64_000_000;

/** A folder that is not a bundle yet. */
export class BundleFolder {
  readonly #store: string;
  readonly #name: string;
  readonly #folder: string;
  readonly #createFile: CreateFile;

  private constructor(store: string, name: string, folder: string, createFile: CreateFile) {
    this.#store = store;
    this.#name = name;
    this.#folder = folder;
    this.#createFile = createFile;
  }

  /**
   * Begins a bundle in a store, which is made if there is none; what processes that were killed have left of this bundle
   * and of others is removed.
   *
   * @param bytes - about what will be written; refused at once where there is no room.
   * @throws {@link EnvironmentError} if the store cannot be written, or the disk has less room.
   */
  static async begin(
    store: string,
    name: string,
    bytes: number,
    createFile: CreateFile = createNew,
  ): Promise<BundleFolder> {
    const folder = path.join(store, `.${name}.${process.pid}-${randomBytes(4).toString('hex')}.partial`);
    try {
      await mkdir(store, { recursive: true });
      await removeAbandoned(store, name);
      await assertRoom(store, bytes);
      await mkdir(folder);
      active.add(folder);
    } catch (error) {
      throw writeProblem(store, error);
    }
    return new BundleFolder(store, name, folder, createFile);
  }

  /** Where a file of the bundle lies for now. */
  pathOf(file: string): string {
    return path.join(this.#folder, file);
  }

  /** Writes weights, and waits until they are on the disk. */
  async writeWeights(
    file: string,
    tensors: readonly TensorToWrite[],
    options: Omit<WriteSafetensorsOptions, 'path'> = {},
  ): Promise<BundleFile> {
    return this.#create(file, async (handle) => {
      const written = await writeSafetensors(handle, tensors, { ...options, path: this.pathOf(file) });
      return { path: file, ...written };
    });
  }

  /** Takes a file of another bundle as it is: by a second name for it where the disk can do that, else by a copy. */
  async takeFile(source: string, { path: file, ...facts }: BundleFile): Promise<BundleFile> {
    try {
      await link(source, this.pathOf(file)).catch(() =>
        copyFile(source, this.pathOf(file), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
      );
    } catch (error) {
      throw writeProblem(this.#store, error);
    }
    return { path: file, ...facts };
  }

  /** Copies a file, and waits until it is on the disk. */
  async copyFile(source: string, file: string, signal?: AbortSignal): Promise<BundleFile> {
    return this.#create(file, async (handle) => {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const chunk of createReadStream(source, {
        highWaterMark: 1 << 20,
        ...(signal && { signal }),
      })) {
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        await writeAll(handle, chunk as Buffer);
      }
      return { path: file, bytes, sha256: hash.digest('hex') };
    });
  }

  /**
   * Gives the bundle its name.
   *
   * @param replace - whether a bundle of that name may be replaced.
   * @returns the bundle's folder.
   */
  async finish(description: BundleDescription, replace: boolean): Promise<string> {
    const text = `${JSON.stringify(description, null, 2)}\n`;
    await this.#create('bundle.json', async (handle) => handle.write(Buffer.from(text)));
    const target = path.join(this.#store, this.#name);
    try {
      await syncFolder(this.#folder);
      if (!replace && (await exists(target))) throw alreadyThere(this.#name, target);
      await replaceFolder(this.#folder, target);
      active.delete(this.#folder);
      await syncFolder(this.#store);
    } catch (error) {
      throw writeProblem(this.#store, error);
    }
    return target;
  }

  /** Removes what was written; does nothing after {@link BundleFolder.finish}. */
  async discard(): Promise<void> {
    active.delete(this.#folder);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #create<T>(file: string, write: (handle: Awaited<ReturnType<CreateFile>>) => Promise<T>): Promise<T> {
    try {
      const handle = await this.#createFile(this.pathOf(file));
      try {
        const result = await write(handle);
        await handle.sync();
        return result;
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw writeProblem(path.join(this.#store, this.#name, file), error);
    }
  }
}

/** Where the files of a bundle are fetched to; they stay there for the next run if one ends early. */
export function pullFolder(store: string, name: string): string {
  return path.join(store, `.${name}.pull`);
}

/** The error for a name that is taken. */
export function alreadyThere(name: string, target: string): ModelError {
  return new ModelError(
    `Cannot make bundle ${name}: expected a new name, got one that is taken by ${target}; choose another with --name, or replace it with --force`,
    target,
  );
}

/** Whether there is anything at a path. */
export async function exists(target: string): Promise<boolean> {
  return stat(target).then(
    () => true,
    () => false,
  );
}

/** Failures of the disk become errors that say so and name `place`, a file or a folder; others are passed on. */
export function writeProblem(place: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new EnvironmentError(
      `Cannot write to ${place}: expected room on the disk, got none; nothing was kept of what was begun. Free some, or set LCM_PORTRAIT_HOME to a folder on another disk`,
      { cause: error },
    );
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOTDIR') {
    return new EnvironmentError(
      `Cannot write to ${place}: expected a folder that can be written, got ${code}; set LCM_PORTRAIT_HOME to another`,
      { cause: error },
    );
  }
  return error;
}

/** @throws {@link EnvironmentError} unless the disk of `folder` has room for so many bytes. */
export async function assertRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes + SPARE_BYTES) return;
  const gigabytes = (value: number): string => `${(value / 1e9).toFixed(1)} GB`;
  throw new EnvironmentError(
    `Cannot write to ${folder}: expected ${gigabytes(bytes + SPARE_BYTES)} of room on the disk, got ${gigabytes(free)}; free some, or set ` +
      'LCM_PORTRAIT_HOME to a folder on another disk',
  );
}

/** Gives a folder the name `target`; a folder that has it goes, or stays if this fails. */
export async function replaceFolder(made: string, target: string): Promise<void> {
  const old = `${made}.old`;
  await rm(old, { recursive: true, force: true });
  const replaced = await exists(target);
  if (replaced) await rename(target, old);
  try {
    await rename(made, target);
  } catch (error) {
    if (replaced) await rename(old, target);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

/** Partial folders of this process that are being written. */
const active = new Set<string>();

/** Milliseconds without a write after which a partial folder of another name is taken for given up. */
const IDLE_MS = 600_000;

/**
 * Removes partial folders whose process is gone, and brings back bundles that they were about to replace.
 *
 * @param name - its folders go at once. Those of other names have to be idle, too: where machines share a store, they may
 *   be another machine's, whose processes cannot be asked for from here.
 * @returns whether there was any of that name.
 */
export async function removeAbandoned(store: string, name: string): Promise<boolean> {
  let found = false;
  for (const entry of await readdir(store)) {
    const match = /^\.(.+)\.((\d+)-[0-9a-f]{8}\.partial)(\.old)?$/.exec(entry);
    if (match === null) continue;
    const [, owner, partial, pid, old] = match as unknown as [string, string, string, string, string?];
    const folder = path.join(store, `.${owner}.${partial}`);
    if (Number(pid) === process.pid ? active.has(folder) : isRunning(Number(pid))) continue;
    if (owner === name) found = true;
    else if ((await lastWrite(path.join(store, entry))) > Date.now() - IDLE_MS) continue;
    const target = path.join(store, owner);
    if (old !== undefined && !(await exists(target))) await rename(path.join(store, entry), target);
    else await rm(path.join(store, entry), { recursive: true, force: true });
  }
  return found;
}

/** When something in a folder was written last, as `Date.now()` counts; 0 if it is gone. */
async function lastWrite(folder: string): Promise<number> {
  const files = await readdir(folder).catch(() => []);
  const times = [folder, ...files.map((file) => path.join(folder, file))].map((each) =>
    stat(each).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  );
  return Math.max(...(await Promise.all(times)));
}
