/** Where imported and fetched bundles live, by name: a folder of the user's, apart from the package. */
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { InvalidOptionError, ModelError } from '../errors.ts';
import { lockFile } from '../files/file-lock.ts';
import { type Bundle, EMBEDDED_BUNDLES, filesOf, listEmbeddedBundles, openBundle } from '../models/bundle.ts';
import { exists, pullFolder, removeAbandoned, writeProblem } from './bundle-folder.ts';

/** What the place of the store depends on. */
interface StoreSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** As Node.js names it, e.g. `darwin`. */
  readonly platform: string;
  /** The user's folder. */
  readonly home: string;
}

/**
 * The folder of bundles: in `LCM_PORTRAIT_HOME` if it is set, else where the system keeps an application's data.
 *
 * Source: the XDG Base Directory Specification 0.8; Apple's File System Programming Guide; Known Folders of Windows.
 */
export function bundleStoreFolder({ env, platform, home }: StoreSurroundings): string {
  const system = platform === 'win32' ? path.win32 : path.posix;
  const own = env.LCM_PORTRAIT_HOME;
  if (own) return system.resolve(own, 'bundles');
  return system.join(dataFolder({ env, platform, home }), 'lcm-portrait', 'bundles');
}

function dataFolder({ env, platform, home }: StoreSurroundings): string {
  if (platform === 'win32') return env.LOCALAPPDATA || path.win32.join(home, 'AppData', 'Local');
  if (platform === 'darwin') return path.posix.join(home, 'Library', 'Application Support');
  // The specification has relative paths ignored.
  const data = env.XDG_DATA_HOME;
  return data?.startsWith('/') ? data : path.posix.join(home, '.local', 'share');
}

/** Names that Windows keeps for devices. */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/**
 * @param option - for the message, as the user wrote it.
 * @throws {@link InvalidOptionError} unless `name` can be a folder on every system, and is not an embedded bundle's.
 */
export async function assertBundleName(option: string, name: string): Promise<void> {
  const fail = (expected: string): InvalidOptionError =>
    new InvalidOptionError({ expected, got: JSON.stringify(name) }, option, name);
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/i.test(name) || name.endsWith('.') || RESERVED.test(name)) {
    throw fail('a name of up to 64 letters, digits, points, dashes and underscores');
  }
  if ((await listEmbeddedBundles()).includes(name))
    throw fail('another name than that of the embedded bundle');
}

/** A bundle, or what is in its place. */
export interface StoredBundle {
  readonly name: string;
  readonly folder: string;
  /** Whether the package carries it. */
  readonly embedded: boolean;
  readonly bundle?: Bundle;
  /** Why it cannot be used. */
  readonly problem?: string;
}

/** Every bundle of the package and of a store, by name. A store that is not there is empty. */
export async function listBundles(store: string): Promise<StoredBundle[]> {
  const own = await readdir(store, { withFileTypes: true }).catch(() => []);
  const names = own
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
  const places = [
    ...(await listEmbeddedBundles()).map((name) => ({
      name,
      folder: path.join(EMBEDDED_BUNDLES, name),
      embedded: true,
    })),
    ...names.sort().map((name) => ({ name, folder: path.join(store, name), embedded: false })),
  ];
  return Promise.all(
    places.map(async (place) => {
      try {
        return { ...place, bundle: await openBundle(place.folder) };
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        return { ...place, problem: error.message };
      }
    }),
  );
}

/** Bytes of a bundle's files. */
export function bundleBytes(bundle: Bundle): number {
  return filesOf(bundle).reduce((sum, [, { bytes }]) => sum + bytes, 0);
}

/**
 * Removes a bundle from a store, and what imports and transfers that ended early have left of it.
 *
 * @returns the folder that was removed.
 * @throws {@link InvalidOptionError} if the package carries the bundle.
 * @throws {@link ModelError} if there is none of that name.
 */
export async function removeBundle(store: string, name: string): Promise<string> {
  if ((await listEmbeddedBundles()).includes(name)) {
    throw new InvalidOptionError(
      `Cannot remove bundle ${name}: expected an installed one, got one that the package carries`,
      'bundle',
      name,
    );
  }
  await assertBundleName('bundle', name);
  const folder = path.join(store, name);
  const hadRemains = await removeRemains(store, name);
  if (!(await exists(folder))) {
    if (hadRemains) return folder;
    const names = (await listBundles(store)).filter(({ embedded }) => !embedded).map((bundle) => bundle.name);
    throw new ModelError(
      `Cannot remove bundle ${name}: expected ${names.length === 0 ? 'an installed one, and there is none' : `one of ${names.join(', ')}`}`,
      folder,
    );
  }
  // Under another name first, so that a bundle half removed is never taken for one.
  const doomed = path.join(store, `.${name}.removed`);
  try {
    await rm(doomed, { recursive: true, force: true });
    await rename(folder, doomed);
    await rm(doomed, { recursive: true, force: true });
  } catch (error) {
    throw writeProblem(store, error);
  }
  return folder;
}

/** Removes what imports, and runs that fetched, have left of a bundle; waits for one that is fetching it. */
async function removeRemains(store: string, name: string): Promise<boolean> {
  try {
    if (!(await exists(store))) return false;
    const found = await removeAbandoned(store, name);
    const fetched = pullFolder(store, name);
    if (!(await exists(fetched))) return found;
    const lock = await lockFile(`${fetched}.lock`);
    try {
      await rm(fetched, { recursive: true, force: true });
    } finally {
      lock.release();
    }
    return true;
  } catch (error) {
    throw writeProblem(store, error);
  }
}
