/** A bundle while it is written: a hidden folder next to its place, which gets the bundle's name when it is complete. */
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
import {
  currentOwner,
  formatOwner,
  livenessOf,
  parseOwner,
  type ThreadOwner,
} from '../files/thread-owner.ts';
import { syncFolder, syncHandle, writeAll } from '../files/write-durably.ts';
import type { BundleDescription, BundleFile } from '../models/bundle-description.ts';
import {
  type TensorToWrite,
  type WriteSafetensorsOptions,
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
    const token = randomBytes(4).toString('hex');
    const folder = path.join(store, `.${name}.${token}-${formatOwner(currentOwner())}.partial`);
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
        await syncHandle(handle);
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
    [
      `Cannot make bundle ${name}: expected a new name, got one that is taken by ${target}; choose another `,
      { option: 'name' },
      ', or set ',
      { option: 'overwrite', value: true },
    ],
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

/** Partial folders of this thread that are being written. */
const active = new Set<string>();

/** Milliseconds without a write after which a partial folder of another machine is taken for given up. */
const IDLE_MS = 600_000;

/**
 * Removes partial folders whose process is gone, and brings back bundles that they were about to replace. Where machines
 * share a store, another machine's processes cannot be asked for: their folders have to be idle.
 *
 * @returns whether there was any of the bundle `name`.
 */
export async function removeAbandoned(store: string, name: string): Promise<boolean> {
  let found = false;
  for (const entry of await readdir(store)) {
    const match = /^\.(.+)\.[0-9a-f]{8}-(\d+-\d+-[0-9a-f]*-.+)\.partial(\.old)?$/.exec(entry);
    const owner = match === null ? undefined : parseOwner(match[2]!);
    if (match === null || owner === undefined) continue;
    const [, bundle, , old] = match as unknown as [string, string, string, string?];
    const folder = path.join(store, old === undefined ? entry : entry.slice(0, -old.length));
    if (await isInUse(folder, owner)) continue;
    if (bundle === name) found = true;
    const target = path.join(store, bundle);
    if (old !== undefined && !(await exists(target))) await rename(path.join(store, entry), target);
    else await rm(path.join(store, entry), { recursive: true, force: true });
  }
  return found;
}

async function isInUse(folder: string, owner: ThreadOwner): Promise<boolean> {
  switch (livenessOf(owner)) {
    case 'ended':
      return false;
    case 'unknown': {
      const written = await Promise.all([lastWrite(folder), lastWrite(`${folder}.old`)]);
      return Math.max(...written) > Date.now() - IDLE_MS;
    }
    case 'running':
      // Of this thread it is known which it still writes.
      return formatOwner(owner) !== formatOwner(currentOwner()) || active.has(folder);
  }
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
