/** Fetches a bundle from a web server or a hub, file by file, and gives it its name when all of it is right. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describeFileProblem, EnvironmentError, InvalidOptionError, ModelError } from '../errors.ts';
import { lockFile } from '../files/file-lock.ts';
import {
  BUNDLE_FORMAT,
  type BundleDescription,
  type BundleFile,
  type BundlePart,
} from '../models/bundle-description.ts';
import { parseBundleDescription } from '../models/bundle-schema.ts';
import {
  alreadyThere,
  assertRoom,
  exists,
  pullFolder,
  replaceFolder,
  writeProblem,
} from './bundle-folder.ts';
import { assertBundleName } from './bundle-store.ts';
import { assertHttp, type Downloaded, type DownloadOptions, download } from './download.ts';
import type { ImportResult } from './import-aniportrait.ts';

/** What transfers have in common. */
type TransferOptions = Pick<DownloadOptions, 'signal' | 'fetch' | 'sleep' | 'stallMs'>;

/** Options of {@link pullBundle}. */
export interface PullOptions extends TransferOptions {
  readonly store: string;
  /** @defaultValue the one that the bundle gives itself */
  readonly name?: string | undefined;
  /** @defaultValue false */
  readonly overwrite?: boolean;
  readonly onProgress?: ((event: PullProgress) => void) | undefined;
}

/** What {@link PullOptions.onProgress} receives: bytes of all files. */
export interface PullProgress {
  readonly type: 'bytes';
  readonly done: number;
  /** Undefined until it is known. */
  readonly total: number | undefined;
  readonly file: string;
}

/** Longest description that is read. */
const MAX_DESCRIPTION_BYTES = 1_000_000;

/**
 * The address of a bundle's or a file's contents: repositories and file pages of the Hugging Face hub become the addresses
 * behind them.
 *
 * @example
 * resolveHubAddress('https://huggingface.co/me/portraits'); // 'https://huggingface.co/me/portraits/resolve/main/'
 */
export function resolveHubAddress(url: string): string {
  const hub = /^(https:\/\/(?:huggingface\.co|hf\.co))\/([^/?#]+\/[^/?#]+)\/?(?:tree\/([^/?#]+)\/?)?$/.exec(
    url,
  );
  if (hub !== null) return `${hub[1]}/${hub[2]}/resolve/${hub[3] ?? 'main'}/`;
  return url.replace(/^(https:\/\/(?:huggingface\.co|hf\.co)\/[^/]+\/[^/]+)\/blob\//, '$1/resolve/');
}

/**
 * Fetches the bundle whose `bundle.json` lies at `url`, or in the folder or repository that it names. What a run has
 * fetched when it ends early is kept, and used by the next.
 *
 * @throws {@link ModelError} if a server fails for good, or if a file is not what `bundle.json` says.
 * @throws {@link EnvironmentError} if the disk is full or cannot be written.
 */
export async function pullBundle(url: string, options: PullOptions): Promise<ImportResult> {
  const { store, overwrite = false, onProgress, name: chosen, signal, ...transfer } = options;
  assertHttp(url);
  if (chosen !== undefined) await assertBundleName('name', chosen);
  const resolved = resolveHubAddress(url);
  const address = /\.json(?:[?#]|$)/.test(resolved)
    ? resolved
    : new URL('bundle.json', folderOf(resolved)).href;
  await mkdir(store, { recursive: true }).catch((error: unknown) => {
    throw writeProblem(store, error);
  });
  const description = await fetchDescription(address, path.join(store, `.description.${randomUUID()}`), {
    ...transfer,
    signal,
  });
  const name = chosen ?? description.name;
  await assertBundleName('name', name);
  const target = path.join(store, name);
  if (!overwrite && (await exists(target))) throw alreadyThere(name, target);

  const files = Object.entries(description.files) as [BundlePart, BundleFile][];
  const total = files.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  const partial = pullFolder(store, name);
  // The second process waits, and finds the bundle there.
  const lock = await lockFile(`${partial}.lock`, { signal });
  try {
    if (!overwrite && (await exists(target))) throw alreadyThere(name, target);
    await mkdir(partial, { recursive: true });
    await assertRoom(store, total - (await bytesHere(partial, files)));
    let before = 0;
    for (const [, { path: file, bytes, sha256 }] of files) {
      const local = path.join(partial, file);
      await mkdir(path.dirname(local), { recursive: true });
      const report = (done: number): void => {
        lock.touch();
        onProgress?.({ type: 'bytes', done: before + done, total, file });
      };
      // A file under its own name has been compared with its hash before.
      if ((await sizeOf(local)) !== bytes) {
        await download(new URL(file, address).href, {
          ...transfer,
          target: local,
          bytes,
          sha256,
          signal,
          onProgress: report,
        });
      }
      report(bytes);
      before += bytes;
    }
    const complete = { ...description, name };
    await writeFile(path.join(partial, 'bundle.json'), `${JSON.stringify(complete, null, 2)}\n`);
    await replaceFolder(partial, target);
    return { name, folder: target, bytes: total, description: complete };
  } catch (error) {
    const problem = writeProblem(store, error);
    // On a full disk even what is right is in the way.
    if (problem instanceof EnvironmentError) await rm(partial, { recursive: true, force: true });
    throw problem;
  } finally {
    lock.release();
  }
}

/**
 * Fetches one file, such as a LoRA, to `target`, which must not exist.
 *
 * @throws {@link ModelError} if the server fails for good, or if there is a file already.
 * @throws {@link InvalidOptionError} if `sha256` is no hash in lower case.
 */
export async function pullFile(
  url: string,
  target: string,
  options: TransferOptions &
    Pick<DownloadOptions, 'sha256'> & { readonly onProgress?: PullOptions['onProgress'] } = {},
): Promise<Downloaded> {
  const { sha256 } = options;
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    const problem = { expected: '64 hexadecimal digits in lower case', got: JSON.stringify(sha256) };
    throw new InvalidOptionError(problem, 'sha256', sha256);
  }
  if (await exists(target)) {
    throw new ModelError(`Cannot fetch to ${target}: expected a new file, got one that exists`, target);
  }
  const folder = path.dirname(target);
  await stat(folder).catch((cause: unknown) => {
    throw new ModelError(
      `Cannot fetch to ${target}: expected a folder that exists, got ${describeFileProblem(cause)}`,
      target,
      { cause },
    );
  });
  const { onProgress, ...rest } = options;
  return download(resolveHubAddress(url), {
    ...rest,
    target,
    onProgress: (done, total) => onProgress?.({ type: 'bytes', done, total, file: path.basename(target) }),
  });
}

function folderOf(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

async function fetchDescription(
  url: string,
  file: string,
  transfer: TransferOptions,
): Promise<BundleDescription> {
  const fail = (got: string, problems: readonly string[] = []): ModelError =>
    new ModelError(`Cannot use the bundle at ${url}: expected a bundle.json, got ${got}`, url, { problems });
  try {
    await rm(file, { force: true });
    await download(url, {
      ...transfer,
      target: file,
      onProgress: (done) => {
        if (done > MAX_DESCRIPTION_BYTES) throw fail(`more than ${MAX_DESCRIPTION_BYTES} bytes`);
      },
    });
    let json: unknown;
    try {
      json = JSON.parse(await readFile(file, 'utf8'));
    } catch {
      throw fail('something that is not JSON');
    }
    const version = (json as { formatVersion?: unknown } | null)?.formatVersion;
    if (version !== BUNDLE_FORMAT)
      throw fail(`format version ${JSON.stringify(version)} instead of ${BUNDLE_FORMAT}`);
    const parsed = parseBundleDescription(json);
    if ('problems' in parsed) throw fail('one that is wrong', parsed.problems);
    return parsed.description;
  } finally {
    for (const rest of ['', '.part', '.part.json']) await rm(`${file}${rest}`, { force: true });
  }
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

/** Bytes of a bundle that an earlier run has left. */
async function bytesHere(
  partial: string,
  files: readonly (readonly [BundlePart, BundleFile])[],
): Promise<number> {
  const sizes = files.map(async ([, { path: file }]) => {
    const local = path.join(partial, file);
    return (await sizeOf(local)) + (await sizeOf(`${local}.part`));
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
