/** What clips need of the machine, where the environment says it is: the user's bundles, caches and ffmpeg. */
import { existsSync } from 'node:fs';
import { bundleStoreFolder } from '../bundles/bundle-store.ts';
import { weightsFolder } from '../files/cache-folder.ts';
import { userHome } from '../files/user-home.ts';
import { type FfmpegInfo, locateFfmpeg } from '../media/ffmpeg-path.ts';
import { assertWritesIn } from '../media/ffmpeg-places.ts';
import { type Bundle, openBundle } from '../models/bundle.ts';

/** The folder of the user's bundles. */
export function defaultBundleStore(): string {
  return bundleStoreFolder({ env: process.env, platform: process.platform, home: userHome() });
}

/** The folder of this program's caches. */
export function defaultCacheFolder(): string {
  return weightsFolder(process.env, process.platform, userHome());
}

/**
 * The bundle that options name.
 *
 * @throws what {@link openBundle} throws.
 */
export function openNamedBundle({
  bundle,
  bundleStore = defaultBundleStore(),
}: {
  readonly bundle: string;
  readonly bundleStore?: string | undefined;
}): Promise<Bundle> {
  return openBundle(bundle, bundleStore);
}

/**
 * The ffmpeg that is named, or the one that is found.
 *
 * @throws {@link EnvironmentError} if it cannot be used, or there is none.
 */
export function findFfmpeg(ffmpegPath: string | undefined): Promise<FfmpegInfo> {
  return locateFfmpeg({ env: { ...process.env, ...(ffmpegPath ? { FFMPEG_PATH: ffmpegPath } : {}) } });
}

/** Finds each ffmpeg once, which takes two processes, for as long as it is there. */
export class FoundFfmpegs {
  readonly #found = new Map<string | undefined, Promise<FfmpegInfo>>();

  /**
   * As {@link findFfmpeg}; checks that it may write in a folder, too.
   *
   * @param options.folder - where a video goes. @defaultValue nothing is written
   * @throws what {@link findFfmpeg} and {@link assertWritesIn} throw.
   */
  async find(
    ffmpegPath: string | undefined,
    {
      folder,
      signal,
    }: { readonly folder?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<FfmpegInfo> {
    const known = await this.#found.get(ffmpegPath)?.catch(() => undefined);
    const found =
      known !== undefined && existsSync(known.path) ? Promise.resolve(known) : findFfmpeg(ffmpegPath);
    this.#found.set(ffmpegPath, found);
    const ffmpeg = await found;
    if (folder !== undefined) await assertWritesIn(ffmpeg, folder, signal);
    return ffmpeg;
  }
}
