/**
 * Makes a bundle of AniPortrait's published files: finds them, checks every name and shape of all of them, and only then
 * writes, one tensor at a time.
 */
import path from 'node:path';
import { ModelError } from '../errors.ts';
import {
  BUNDLE_FORMAT,
  type BundleDescription,
  type BundleFile,
  type BundlePart,
  type BundlePreset,
  POSE_GUIDER_VARIANTS,
  type PoseGuiderVariant,
} from '../models/bundle-description.ts';
import type { UnetConfig } from '../models/unet-config.ts';
import type { WeightSpec } from '../models/weight-reader.ts';
import type { HalfType } from '../tensor/float16.ts';
import { elementCount } from '../tensor/tensor.ts';
import type { TensorToWrite } from '../weights/safetensors-writer.ts';
import {
  type AniPortraitArchitecture,
  PART_SOURCES,
  type PartSource,
  PUBLISHED_ARCHITECTURE,
  specsOf,
} from './aniportrait-parts.ts';
import { alreadyThere, BundleFolder, type CreateFile, exists } from './bundle-folder.ts';
import { assertBundleName } from './bundle-store.ts';
import { type Checkpoint, checkCheckpoint, type OpenFiles, openFiles } from './checkpoint.ts';
import { type CheckpointRole, locateCheckpoints } from './locate-checkpoints.ts';
import { checkLora, writeLora } from './lora-part.ts';

/** A preset's sampler settings. */
export interface SamplerSettings {
  readonly sampler: BundlePreset['sampler'];
  readonly steps: number;
  readonly guidance: number;
}

/** Options of {@link importAniPortrait}. */
export interface ImportOptions {
  /** Folder of the user's bundles; made if there is none. */
  readonly store: string;
  /** @defaultValue 'aniportrait' */
  readonly name?: string;
  /** An LCM-LoRA for the preset `fast`, and its scale. */
  readonly lora?: { readonly path: string; readonly scale: number } | undefined;
  /** Stores weights in half precision, each rounded once. @defaultValue false */
  readonly half?: boolean;
  /** Files to use in place of those in the folder, e.g. a distilled denoising UNet. */
  readonly files?: Readonly<Partial<Record<CheckpointRole, string>>>;
  /** What the preset `fast` does. @defaultValue 4 LCM steps with a LoRA or a guidance embedding, else 10 of DPM-Solver++ */
  readonly fast?: SamplerSettings | undefined;
  /** What the denoising UNet predicts. @defaultValue 'v_prediction' */
  readonly predictionType?: BundleDescription['schedule']['predictionType'];
  /** @defaultValue 'P0' */
  readonly poseGuider?: PoseGuiderVariant;
  /** Replaces a bundle of that name. @defaultValue false */
  readonly overwrite?: boolean;
  /** @defaultValue the published one */
  readonly architecture?: AniPortraitArchitecture;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ImportProgress) => void) | undefined;
  /** Opens files to write. @defaultValue new files on the disk */
  readonly createFile?: CreateFile;
}

/** What {@link ImportOptions.onProgress} receives. */
export type ImportProgress =
  | { readonly type: 'bytes'; readonly done: number; readonly total: number; readonly network: string }
  | { readonly type: 'notice'; readonly message: string };

/** What {@link importAniPortrait} returns. */
export interface ImportResult {
  readonly name: string;
  readonly folder: string;
  readonly bytes: number;
  readonly description: BundleDescription;
}

/** A part whose files are open. */
interface OpenPart {
  readonly source: PartSource;
  readonly specs: readonly WeightSpec[];
  readonly checkpoint: Checkpoint;
}

/**
 * Imports AniPortrait's files from `folder`.
 *
 * @param folder - as the hub, its cache, or AniPortrait's README lays them out.
 * @throws {@link ModelError} that lists everything that is missing, surplus or misshapen in all files, before anything is
 *   written; or that names file and tensor, if one turns out damaged.
 * @throws {@link EnvironmentError} if the disk is full or cannot be written. Nothing is left then.
 */
export async function importAniPortrait(folder: string, options: ImportOptions): Promise<ImportResult> {
  const {
    store,
    name = 'aniportrait',
    half = false,
    overwrite = false,
    signal,
    onProgress,
    createFile,
  } = options;
  await assertBundleName('name', name);
  const target = path.join(store, name);
  if (!overwrite && (await exists(target))) throw alreadyThere(name, target);

  const parts: OpenPart[] = [];
  try {
    const architecture = await openParts(folder, options, parts);
    const lora = options.lora === undefined ? undefined : checkLora(options.lora.path, parts[0]!.specs);
    const description = describeBundle(name, architecture, options, lora !== undefined);
    for (const message of lora?.noticesFor(description) ?? []) onProgress?.({ type: 'notice', message });

    const dtype: 'F32' | HalfType = half ? 'F16' : 'F32';
    const total = parts.reduce((sum, part) => sum + sizeOf(part, dtype), 0);
    const bundle = await BundleFolder.begin(store, name, total, createFile);
    try {
      const files: Partial<Record<BundlePart, BundleFile>> = {};
      let done = 0;
      for (const { source, specs, checkpoint } of parts) {
        const { weights } = checkpoint;
        const tensors = specs
          .filter(({ key }) => weights.has(key))
          .map(({ key, dims }): TensorToWrite => {
            const from = checkpoint.fileOf(key);
            return { name: key, dims, dtype, ...(from && { from }), read: () => weights.read(key).data };
          });
        const written = await bundle.writeWeights(source.file, tensors, {
          metadata: { format: 'pt' },
          signal,
          onBytes: (bytes) => {
            done += bytes;
            onProgress?.({ type: 'bytes', done, total: Math.max(total, done), network: source.network });
          },
        });
        files[source.part] = { ...written, licence: source.licence, source: source.source };
      }
      if (lora !== undefined) files.lcmLora = await writeLora(bundle, lora, signal);
      const complete: BundleDescription = { ...description, files };
      const made = await bundle.finish(complete, overwrite);
      const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
      return { name, folder: made, bytes, description: complete };
    } finally {
      await bundle.discard();
    }
  } finally {
    for (const { checkpoint } of parts) checkpoint.dispose();
  }
}

/** Opens and checks every file; returns the architecture as the files have it. */
async function openParts(
  folder: string,
  { files: chosen = {}, half = false, architecture = PUBLISHED_ARCHITECTURE }: ImportOptions,
  parts: OpenPart[],
): Promise<AniPortraitArchitecture> {
  const located = await locateCheckpoints(folder, half);
  // A denoising UNet that is chosen may bring its motion modules; the folder's go under them, not over them.
  const files = { ...located.files, ...chosen };
  let found = architecture;
  const problems: string[] = [];
  const withoutPose = (): void => {
    found = { ...found, motion: { ...found.motion, pose: null } };
  };
  for (const source of PART_SOURCES) {
    const named = source.roles.flatMap((role) => files[role] ?? []);
    const paths = named.length > 0 ? named : [located.allInOne].flatMap((file) => file ?? []);
    // The safetensors repackaging has no Audio2Pose, and head motion can come from elsewhere.
    const optional = source.part === 'audio2pose' && named.length === 0;
    if (paths.length === 0) {
      if (optional) withoutPose();
      else problems.push(`${source.published}: not found, nor another file with the ${source.network}`);
      continue;
    }
    let opened: OpenFiles;
    try {
      opened = openFiles(paths);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      problems.push(error.message);
      continue;
    }
    if (source.part === 'denoisingUnet') {
      found = { ...found, denoisingUnet: adaptUnet(found.denoisingUnet, opened.files) };
    }
    const specs = specsOf(source.part, found);
    const checkpoint = checkCheckpoint(source.network, opened, specs, source.hint);
    parts.push({ source, specs, checkpoint });
    if (!optional || checkpoint.weights.has(POSE_KEY)) problems.push(...checkpoint.problems);
    else {
      withoutPose();
      parts.pop()?.checkpoint.dispose();
    }
  }
  if (problems.length > 0) {
    throw new ModelError(
      `Cannot import ${folder}: expected AniPortrait's networks, got ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`,
      folder,
      { problems },
    );
  }
  return found;
}

/** The architecture with what distilled denoisers have differently: a guidance embedding, another table of positions. */
function adaptUnet(
  config: UnetConfig,
  files: readonly { keys(): Iterable<string>; info(key: string): { dims: readonly number[] } }[],
): UnetConfig {
  let adapted = config;
  for (const file of files) {
    for (const key of file.keys()) {
      if (key.endsWith('time_embedding.cond_proj.weight')) {
        adapted = { ...adapted, timeCondProjDim: file.info(key).dims[1] ?? null };
      } else if (key.endsWith('.pos_encoder.pe') && adapted.motion !== null) {
        const positionalTableLength = file.info(key).dims[1] ?? adapted.motion.positionalTableLength;
        adapted = { ...adapted, motion: { ...adapted.motion, positionalTableLength } };
      }
    }
  }
  return adapted;
}

function sizeOf({ specs, checkpoint }: OpenPart, dtype: 'F32' | HalfType): number {
  const size = dtype === 'F32' ? 4 : 2;
  return specs.reduce(
    (sum, { key, dims }) => sum + (checkpoint.weights.has(key) ? elementCount(dims) * size : 0),
    0,
  );
}

/** Everything but the files. */
function describeBundle(
  name: string,
  architecture: AniPortraitArchitecture,
  { lora, fast, predictionType = 'v_prediction', poseGuider: variant = 'P0' }: ImportOptions,
  hasLora: boolean,
): BundleDescription {
  const { denoisingUnet, poseGuider, codec, imageEncoder, motion, resolution } = architecture;
  const embedded = (denoisingUnet.timeCondProjDim ?? null) !== null;
  const settings = fast ?? (hasLora || embedded ? FAST_LCM : FAST_WITHOUT_LORA);
  // Networks that predict noise cannot begin at pure noise, and were trained on Stable Diffusion's own schedule.
  const velocity = predictionType === 'v_prediction';
  return {
    formatVersion: BUNDLE_FORMAT,
    name,
    description: 'AniPortrait, imported from its published files.',
    licence:
      'Apache-2.0 (AniPortrait), CreativeML OpenRAIL-M (networks derived from Stable Diffusion 1.5), MIT (sd-vae-ft-mse)',
    resolution,
    fps: motion.fps,
    contextFrames: 16,
    contextOverlap: 4,
    noise: { sharedFraction: 0 },
    schedule: {
      betaSchedule: velocity ? 'linear' : 'scaled_linear',
      betaStart: 0.00085,
      betaEnd: 0.012,
      zeroTerminalSnr: velocity,
      predictionType,
      timestepSpacing: 'trailing',
    },
    codec: { type: 'autoencoder-kl', ...codec, scalingFactor: 0.18215 },
    imageEncoder,
    denoisingUnet,
    poseGuider: { ...poseGuider, batchStatistics: POSE_GUIDER_VARIANTS[variant].batchStatistics },
    poseConditions: { type: 'drawing', variant },
    motion,
    presets: {
      fast: {
        ...settings,
        // A guidance embedding takes what two evaluations were weighed with.
        guidance: fast?.guidance ?? (embedded && !hasLora ? ORIGINAL.guidance : settings.guidance),
        loras: lora === undefined ? [] : [{ part: 'lcmLora', scale: lora.scale }],
      },
      original: { ...ORIGINAL, loras: [], windows: 'loop', unguidedOverlap: 'sum' },
    },
    files: {},
  };
}

/** A weight that only Audio2Pose has; the rest of its names are those of every speech encoder. */
const POSE_KEY = 'pose_map.weight';

const ORIGINAL: SamplerSettings = { sampler: 'ddim', steps: 25, guidance: 3.5 };
const FAST_LCM: SamplerSettings = { sampler: 'lcm', steps: 4, guidance: 1 };
/** Few steps that need no distillation. */
const FAST_WITHOUT_LORA: SamplerSettings = { sampler: 'dpmsolver', steps: 10, guidance: 3.5 };
