/**
 * Finds AniPortrait's files in a folder, however they were fetched: as its README lays them out, as the hub's cache does,
 * with each repository in a folder of its own, or as the safetensors repackaging has them.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { describeFileProblem, ModelError } from '../errors.ts';

/** Files that an import looks for. */
export type CheckpointRole =
  | 'denoisingUnet'
  | 'motionModule'
  | 'referenceUnet'
  | 'poseGuider'
  | 'codec'
  | 'imageEncoder'
  | 'audio2mesh'
  | 'audio2pose';

/** How each file may be called: patterns for its path below the folder, the best first. */
const NAMES: Readonly<Record<CheckpointRole, readonly RegExp[]>> = {
  denoisingUnet: [/(?:^|[/_-])denoising_unet[^/]*$/, /(?:^|\/)denoising_unet\/[^/]+$/],
  motionModule: [/(?:^|\/)motion_module[^/]*$/, /(?:^|\/)motion_module\/[^/]+$/],
  referenceUnet: [/(?:^|[/_-])reference_unet[^/]*$/, /(?:^|\/)reference_unet\/[^/]+$/],
  poseGuider: [/(?:^|[/_-])pose_guider[^/]*$/, /(?:^|\/)pose_guider\/[^/]+$/],
  codec: [
    /(?:^|\/)[^/]*sd-vae-ft-mse[^/]*\/(?:.*\/)?[^/]+$/,
    /(?:^|\/)(?:vae|sd_vae)\/[^/]+$/,
    /(?:^|[/_-])(?:sd_)?vae[^/]*$/,
  ],
  imageEncoder: [/(?:^|\/)image_encoder\/[^/]+$/, /(?:^|[/_-])image_encoder[^/]*$/],
  audio2mesh: [/(?:^|\/)audio2mesh[^/]*$/, /(?:^|[/_-])audio_mesher[^/]*$/, /(?:^|\/)audio_mesher\/[^/]+$/],
  audio2pose: [/(?:^|\/)audio2pose[^/]*$/, /(?:^|\/)audio2pose\/[^/]+$/],
};
/** One file with every network. */
const ALL_IN_ONE = /(?:^|\/)aniportrait[^/]*\.(?:safetensors|index\.json)$/i;

const WEIGHTS = /\.(?:safetensors|pth|pt|bin|ckpt)$/i;
const INDEX = /\.index\.json$/i;
/** A part of a sharded file, which its index names. */
const SHARD = /-\d{5}-of-\d{5}\./;
/** Of two files with the same weights, the one without pickles. */
const FORMATS = ['.safetensors', '.index.json', '.pth', '.pt', '.bin', '.ckpt'];
const MAX_DEPTH = 7;
const MAX_FILES = 20_000;
/** Folders that never hold a file of AniPortrait's, and may be large. */
const SKIPPED = /^(?:\..+|node_modules|__pycache__|blobs|refs)$/;

/** What was found. */
interface LocatedCheckpoints {
  readonly files: Readonly<Partial<Record<CheckpointRole, string>>>;
  /** A file that may hold all networks that have none of their own. */
  readonly allInOne: string | undefined;
}

/**
 * Looks through `folder` and the folders in it.
 *
 * @param half - whether a file in half precision is better than one in single, where both are there.
 * @throws {@link ModelError} if the folder cannot be read, or if two files claim the same part.
 */
export async function locateCheckpoints(folder: string, half: boolean): Promise<LocatedCheckpoints> {
  const found = await listWeights(folder);
  const choose = (candidates: readonly string[], what: string): string | undefined => {
    const ranked = candidates.map((name) => ({ name, rank: rankFile(name, half) }));
    ranked.sort((a, b) => a.rank - b.rank);
    const [best, next] = ranked;
    if (best !== undefined && next?.rank === best.rank) {
      throw new ModelError(
        `Cannot import ${folder}: expected one file for ${what}, got ${best.name} and ${next.name}; give the folder of one, or move the other away`,
        folder,
      );
    }
    return best === undefined ? undefined : path.join(folder, best.name);
  };
  const files: Partial<Record<CheckpointRole, string>> = {};
  for (const [role, patterns] of Object.entries(NAMES) as [CheckpointRole, readonly RegExp[]][]) {
    for (const pattern of patterns) {
      const chosen = choose(
        found.filter((name) => pattern.test(name)),
        role,
      );
      if (chosen === undefined) continue;
      files[role] = chosen;
      break;
    }
  }
  return {
    files,
    allInOne: choose(
      found.filter((name) => ALL_IN_ONE.test(name)),
      'all networks',
    ),
  };
}

function rankFile(name: string, half: boolean): number {
  const format = FORMATS.findIndex((ending) => name.toLowerCase().endsWith(ending));
  const isHalf = /fp16|float16|half/i.test(path.basename(name));
  return format + (isHalf === half ? 0 : 10);
}

/** Paths of files with weights below `folder`, with slashes. */
async function listWeights(folder: string): Promise<string[]> {
  const names: string[] = [];
  const visit = async (below: string, depth: number): Promise<void> => {
    const entries = await readdir(path.join(folder, below), { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      // The hub's cache has links to files that are named by their hash.
      const stats = entry.isSymbolicLink()
        ? await stat(path.join(folder, name)).catch(() => undefined)
        : entry;
      if (stats?.isDirectory() && depth < MAX_DEPTH && !SKIPPED.test(entry.name))
        await visit(name, depth + 1);
      else if (stats?.isFile() && isWeights(name)) names.push(name);
      if (names.length > MAX_FILES) {
        throw new ModelError(
          `Cannot import ${folder}: expected the folder of AniPortrait's files, got more than ${MAX_FILES} files`,
          folder,
        );
      }
    }
  };
  try {
    await visit('', 0);
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw new ModelError(
      `Cannot import ${folder}: expected the folder of AniPortrait's files, got ${describeFileProblem(cause)}`,
      folder,
      { cause },
    );
  }
  return names;
}

function isWeights(name: string): boolean {
  return (WEIGHTS.test(name) || INDEX.test(name)) && !SHARD.test(name);
}
