/** Keeps the data folder within its limit: the oldest results go when there is no room. */
import { statfs } from 'node:fs/promises';
import type { Board } from './board.ts';
import { type DataFolder, folderBytes } from './data-folder.ts';
import type { Order } from './order.ts';
import { RequestError } from './problem.ts';
import type { UploadStore } from './upload-store.ts';

/** Uploads that no order is made of may be asked for again within this. */
const UPLOAD_MS = 3600_000;
/** Walking the folder takes time: what was counted holds for so long. */
const COUNT_MS = 5000;
/** Left for the rest of the machine. */
const FREE_BYTES = 200e6;

/** Counts and makes room. */
export class Quota {
  readonly #data: DataFolder;
  readonly #limit: number;
  #stores: { readonly uploads: UploadStore; readonly board: Board } | undefined;
  #used = 0;
  #countedAt = Number.NEGATIVE_INFINITY;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(data: DataFolder, limit: number) {
    this.#data = data;
    this.#limit = limit;
  }

  /** What may go; given when all is open. */
  watch(stores: { readonly uploads: UploadStore; readonly board: Board }): void {
    this.#stores = stores;
  }

  /** Bytes in the data folder, as they were counted last. */
  get used(): number {
    return this.#used;
  }

  /**
   * Makes room for so many bytes more.
   *
   * @throws {@link RequestError} if there is none, with all that may go gone.
   */
  makeRoom(bytes: number): Promise<void> {
    const made = this.#turn.then(() => this.#makeRoom(bytes));
    this.#turn = made.catch(() => {});
    return made;
  }

  /** Counts again, and removes what is too much. */
  async settle(): Promise<void> {
    this.#countedAt = Number.NEGATIVE_INFINITY;
    await this.makeRoom(0).catch(() => {});
  }

  async #makeRoom(bytes: number): Promise<void> {
    if (performance.now() - this.#countedAt > COUNT_MS) await this.#count();
    this.#used += bytes;
    while (this.#used > this.#limit) {
      if (!(await this.#evict())) {
        this.#used -= bytes;
        throw noRoom('the data folder is full of orders that are not finished');
      }
      await this.#count();
      this.#used += bytes;
    }
    const disk = await statfs(this.#data.path);
    if (bytes > 0 && disk.bavail * disk.bsize < bytes + FREE_BYTES) throw noRoom('the disk is full');
  }

  async #count(): Promise<void> {
    this.#used = await folderBytes(this.#data.path);
    this.#countedAt = performance.now();
  }

  /** Removes one thing. @returns whether there was one. */
  async #evict(): Promise<boolean> {
    if (this.#stores === undefined) return false;
    const { uploads, board } = this.#stores;
    const inUse = board.filesInUse();
    const unused = [...uploads.all]
      .filter(({ id, createdAt }) => !inUse.has(id) && Date.now() - Date.parse(createdAt) > UPLOAD_MS)
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    if (unused[0] !== undefined) {
      await uploads.remove(unused[0].id);
      return true;
    }
    const oldest = board.all.findLast((order) => order.hasEnded);
    if (oldest === undefined) return false;
    await removeWithFiles(oldest, uploads, board);
    return true;
  }
}

/** Removes an order and the files that only it is made of. */
async function removeWithFiles(order: Order, uploads: UploadStore, board: Board): Promise<void> {
  await board.remove(order);
  const inUse = board.filesInUse();
  for (const { id } of order.record.request.files) if (!inUse.has(id)) await uploads.remove(id);
}

function noRoom(why: string): RequestError {
  return new RequestError('storage-full', `Cannot take more: ${why}`, { headers: { 'retry-after': '60' } });
}
