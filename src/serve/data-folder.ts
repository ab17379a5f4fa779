/** The folder of a server: its lock, its token, uploads, clips, and what jobs keep of theirs. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentError } from '../errors.ts';
import { type HeldLock, isHeld, tryLockFile } from '../files/file-lock.ts';
import { describeOwner, livenessOf } from '../files/thread-owner.ts';
import { replaceDurably } from '../files/write-durably.ts';

const TOKEN_BYTES = 24;

/** One server's at a time. */
export class DataFolder {
  readonly path: string;
  readonly #lock: HeldLock;

  private constructor(folder: string, lock: HeldLock) {
    this.path = folder;
    this.#lock = lock;
  }

  /**
   * Makes the folder where there is none, and locks it. The lock of a server that was killed counts for nothing.
   *
   * @throws {@link EnvironmentError} if another server uses it, or it cannot be written.
   */
  static async open(folder: string): Promise<DataFolder> {
    const target = path.resolve(folder);
    const refuse = (expected: string, got: string, cause?: unknown) =>
      new EnvironmentError(`Cannot serve from ${target}: expected ${expected}, got ${got}`, { cause });
    let lock: Awaited<ReturnType<typeof tryLockFile>>;
    try {
      await mkdir(target, { recursive: true, mode: 0o700 });
      lock = await tryLockFile(path.join(target, 'lock'));
      for (const name of ['uploads', 'clips', 'state', 'comparisons']) {
        await mkdir(path.join(target, name), { recursive: true });
      }
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw refuse('a folder that can be written', `an error (${code}); choose another with --data`, cause);
    }
    if (!isHeld(lock)) {
      throw refuse(
        'a folder that no other server uses',
        `one in use by ${describeOwner(lock.owner)}; choose another with --data` +
          (livenessOf(lock.owner) === 'unknown' ? `, or remove ${lock.file} if that server is gone` : ''),
      );
    }
    return new DataFolder(target, lock);
  }

  /** Of uploads, each in a folder named by its id. */
  get uploads(): string {
    return path.join(this.path, 'uploads');
  }

  /** Of clips, each in a folder named by its id. */
  get clips(): string {
    return path.join(this.path, 'clips');
  }

  /** Records and checkpoints of jobs. */
  get state(): string {
    return path.join(this.path, 'state');
  }

  /** Of copies of the samples, for workers. */
  get samples(): string {
    return path.join(this.path, 'samples');
  }

  /** Of comparisons, each in a folder named by its id. */
  get comparisons(): string {
    return path.join(this.path, 'comparisons');
  }

  /** The token of this folder: the same after every start, so that pages that are open stay so. */
  token(): Promise<string> {
    return this.#secret('token', /^[A-Za-z0-9_-]{32}$/, () => randomBytes(TOKEN_BYTES).toString('base64url'));
  }

  /** The secret by which receivers of notes know this folder's server, as Standard Webhooks have it. */
  webhookSecret(): Promise<string> {
    const make = () => `whsec_${randomBytes(TOKEN_BYTES).toString('base64')}`;
    return this.#secret('webhook-secret', /^whsec_[A-Za-z0-9+/]{32}$/, make);
  }

  /** What is in a file that only the server's user may read; made once. */
  async #secret(name: string, form: RegExp, make: () => string): Promise<string> {
    const file = path.join(this.path, name);
    const known = await readFile(file, 'utf8').catch(() => '');
    if (form.test(known)) return known;
    const secret = make();
    await replaceDurably(file, async (handle) => {
      await handle.chmod(0o600);
      await handle.writeFile(secret);
    });
    return secret;
  }

  /** Unlocks the folder; may be called twice. */
  release(): void {
    this.#lock.release();
  }
}

/** Bytes of all files below a folder; files that go meanwhile count for nothing. */
export async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const child = path.join(folder, entry.name);
    if (entry.isDirectory()) bytes += await folderBytes(child);
    else bytes += (await stat(child).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
