/**
 * Bundles: a folder with `bundle.json`, which describes the networks, and one safetensors file for each of them.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ModelError } from '../errors.ts';
import type { PatchTransformConfig } from './patch-transform.ts';
import type { PoseGuiderConfig } from './pose-guider.ts';
import type { UnetConfig } from './unet-config.ts';

/** The version of `bundle.json` that this program reads. */
export const BUNDLE_FORMAT = 1;

/** Parts of a bundle that are files. */
export type BundlePart = 'denoisingUnet' | 'referenceUnet' | 'poseGuider' | 'codec' | 'motion' | 'lcmLora';

/** A file of a bundle. */
export interface BundleFile {
  /** Relative to the bundle's folder. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
}

/** A named way of sampling. */
export interface BundlePreset {
  readonly sampler: 'lcm' | 'ddim' | 'dpmsolver' | 'tcd' | 'euler';
  readonly steps: number;
  readonly guidance: number;
  /** Adapters to merge into the denoising UNet. */
  readonly loras: readonly { readonly part: BundlePart; readonly scale: number }[];
}

/** Contents of `bundle.json`. */
export interface BundleDescription {
  readonly formatVersion: number;
  readonly name: string;
  readonly description: string;
  readonly licence: string;
  /** Side of the square that the networks see, in pixels. */
  readonly resolution: number;
  /** Frames a second that the motion modules were trained on. */
  readonly fps: number;
  readonly contextFrames: number;
  readonly contextOverlap: number;
  readonly noise: { readonly sharedFraction: number };
  readonly schedule: {
    readonly betaSchedule: 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';
    readonly betaStart: number;
    readonly betaEnd: number;
    readonly zeroTerminalSnr: boolean;
    readonly predictionType: 'epsilon' | 'v_prediction' | 'sample';
    readonly timestepSpacing: 'leading' | 'trailing' | 'linspace';
  };
  readonly codec: PatchTransformConfig;
  readonly denoisingUnet: UnetConfig;
  readonly poseGuider: PoseGuiderConfig;
  /** Architecture of the speech-to-motion network; read by its own loader. */
  readonly motion: unknown;
  readonly presets: Readonly<Record<'fast' | 'original', BundlePreset>>;
  readonly files: Readonly<Record<BundlePart, BundleFile>>;
}

/** A bundle on disk. */
export interface Bundle {
  readonly folder: string;
  readonly description: BundleDescription;
  /** Absolute path of a part. */
  pathOf(part: BundlePart): string;
}

/** Folder of the bundles that the package carries. */
export const EMBEDDED_BUNDLES = fileURLToPath(new URL('../../assets/bundles/', import.meta.url));

/** Names of the bundles that the package carries. */
export async function listEmbeddedBundles(): Promise<string[]> {
  const entries = await readdir(EMBEDDED_BUNDLES, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/**
 * Opens a bundle and checks that its files are there in the size that it states; hashes are left to
 * {@link verifyBundle}.
 *
 * @param nameOrFolder - an embedded bundle's name, or a folder.
 * @throws {@link ModelError} if there is no such bundle, or if it is incomplete or of another version.
 */
export async function openBundle(nameOrFolder: string): Promise<Bundle> {
  const embedded = await listEmbeddedBundles();
  const folder = embedded.includes(nameOrFolder)
    ? path.join(EMBEDDED_BUNDLES, nameOrFolder)
    : path.resolve(nameOrFolder);
  const file = path.join(folder, 'bundle.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new ModelError(
      `Cannot open bundle ${nameOrFolder}: expected a folder with bundle.json or one of ${embedded.join(', ')}`,
      file,
      { cause },
    );
  }
  let description: BundleDescription;
  try {
    description = JSON.parse(text) as BundleDescription;
  } catch (cause) {
    throw new ModelError(`Cannot open bundle ${nameOrFolder}: bundle.json is not valid JSON`, file, {
      cause,
    });
  }
  if (description.formatVersion !== BUNDLE_FORMAT) {
    throw new ModelError(
      `Cannot open bundle ${nameOrFolder}: expected format version ${BUNDLE_FORMAT}, got ${description.formatVersion}`,
      file,
    );
  }
  const bundle: Bundle = {
    folder,
    description,
    pathOf: (part) => path.join(folder, description.files[part].path),
  };
  for (const part of Object.keys(description.files) as BundlePart[]) {
    const { bytes } = description.files[part];
    const found = await stat(bundle.pathOf(part)).catch(() => undefined);
    if (found?.size !== bytes) {
      throw new ModelError(
        `Cannot open bundle ${nameOrFolder}: expected ${part} of ${bytes} bytes, got ${found?.size ?? 'no file'}; fetch the bundle again`,
        bundle.pathOf(part),
      );
    }
  }
  return bundle;
}

/**
 * Reads every file of a bundle and compares its hash.
 *
 * @throws {@link ModelError} naming the first file that was changed.
 */
export async function verifyBundle(bundle: Bundle): Promise<void> {
  for (const part of Object.keys(bundle.description.files) as BundlePart[]) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(bundle.pathOf(part))) hash.update(chunk as Buffer);
    const { sha256 } = bundle.description.files[part];
    const found = hash.digest('hex');
    if (found !== sha256) {
      throw new ModelError(
        `Cannot use ${part} of bundle ${bundle.description.name}: expected SHA-256 ${sha256}, got ${found}; fetch the bundle again`,
        bundle.pathOf(part),
      );
    }
  }
}
