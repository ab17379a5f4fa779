/** Checks `bundle.json`, which comes from outside, before anything trusts it. */
import { z } from 'zod';
import { SAMPLERS } from '../schedulers/create-scheduler.ts';
import {
  BUNDLE_PARTS,
  MAX_DENOISE_EVERY,
  POSE_GUIDER_VARIANT_NAMES,
  POSE_GUIDER_VARIANTS,
  PRECISIONS,
  PRESETS,
  WINDOW_LAYOUTS,
} from './bundle-terms.ts';
import type { SpatialSize } from './unet-config.ts';

const count = z.int().positive();
const counts = z.array(count).min(1);
const text = z.string().min(1);
const positive = z.number().positive();

const convolution = z.object({ out: count, kernel: count, stride: count, padding: z.int().nonnegative() });

const unet = z.object({
  inChannels: count,
  outChannels: count,
  blockOutChannels: counts,
  layersPerBlock: count,
  attentionLevels: z.array(z.boolean()).min(1),
  midBlockAttention: z.boolean(),
  numHeads: counts,
  crossAttentionDim: count.nullable(),
  normNumGroups: count,
  motion: z
    .object({
      levels: z.array(z.boolean()).min(1),
      midBlock: z.boolean(),
      numHeads: count,
      numAttentionBlocks: count,
      positionalTableLength: count,
    })
    .nullable(),
  timeCondProjDim: count.nullable().exactOptional(),
});

const codec = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('patch-transform'),
    patchSize: count,
    latentChannels: count,
    refiner: z.object({ width: count, layers: count }),
  }),
  z.object({
    type: z.literal('autoencoder-kl'),
    inChannels: count,
    outChannels: count,
    blockOutChannels: counts,
    layersPerBlock: count,
    latentChannels: count,
    normNumGroups: count,
    scalingFactor: positive,
  }),
]);

const imageEncoder = z.object({
  type: z.literal('clip-vision'),
  imageSize: count,
  patchSize: count,
  hiddenSize: count,
  numLayers: count,
  numHeads: count,
  intermediateSize: count,
  projectionDim: count,
});

const poseGuider = z.object({
  inChannels: count,
  stem: z.array(convolution).min(1),
  norm: z.enum(['batch', 'none']),
  activation: z.enum(['relu', 'silu']),
  outChannels: count,
  stages: z.array(
    z.object({
      convs: z.array(z.object({ out: count, stride: count })).min(1),
      attention: z.object({ numHeads: count, headDim: count }).nullable(),
    }),
  ),
  batchStatistics: z.boolean(),
  normNumGroups: count.exactOptional(),
});

const poseConditions = z.discriminatedUnion('type', [
  z.object({ type: z.literal('drawing-and-warp') }),
  z.object({ type: z.literal('drawing'), variant: z.enum(POSE_GUIDER_VARIANT_NAMES) }),
]);

const motion = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('mel-convolution') }),
  z.object({
    type: z.literal('aniportrait-audio'),
    sampleRate: count,
    fps: count,
    encoder: z.object({
      convChannels: counts,
      convKernels: counts,
      convStrides: counts,
      hiddenSize: count,
      numLayers: count,
      numHeads: count,
      intermediateSize: count,
      positionalKernel: count,
      positionalGroups: count,
    }),
    mesh: z.object({ latentDim: count, vertices: count }),
    pose: z
      .object({
        latentDim: count,
        numLayers: count,
        numHeads: count,
        intermediateSize: count,
        maxFrames: count,
        speakers: count,
      })
      .nullable(),
  }),
]);

const part = z.enum(BUNDLE_PARTS);

const file = z.object({
  /**
   * Relative to the bundle's folder, which is a folder of its own: a path that leads out of it, or to another drive, is no
   * part of it.
   */
  path: text.refine((path) => !/^[/\\]|[:?#\0]|(^|[/\\])\.\.([/\\]|$)/.test(path), {
    error: 'expected a path inside the bundle',
  }),
  bytes: count,
  /** In hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, { error: 'expected 64 hexadecimal digits' }),
  /** @defaultValue the bundle's */
  licence: text.exactOptional(),
  /** Where the weights are from. */
  source: text.exactOptional(),
});

const preset = z.object({
  sampler: z.enum(SAMPLERS),
  steps: count,
  /** 1 is off. With a guidance embedding it is an input of the denoiser, and there is no second branch. */
  guidance: z.number().min(1),
  /** Adapters to merge into the denoising UNet. */
  loras: z.array(z.object({ part, scale: z.number() })),
  /** @defaultValue 'overlapping' */
  windows: z.enum(WINDOW_LAYOUTS).exactOptional(),
  /** Denoises every nth frame only, and blends those between. @defaultValue 1 */
  denoiseEvery: z.int().min(1).max(MAX_DENOISE_EVERY).exactOptional(),
  /** `int8` where there is a calibration and a processor with integer dot products, else as if it were left out. @defaultValue 'auto' */
  precision: z.enum(PRECISIONS).exactOptional(),
  /**
   * What looped windows' predictions become without guidance where they overlap: their mean, or their sum, as in
   * AniPortrait, which divides with guidance only.
   *
   * @defaultValue 'mean'
   */
  unguidedOverlap: z.enum(['mean', 'sum']).exactOptional(),
});

const fields = z.object({
  formatVersion: z.int(),
  name: text,
  description: z.string(),
  licence: text,
  /** Side of the square that the networks see, in pixels. */
  resolution: count,
  /** Frames a second that the motion modules were trained on. */
  fps: positive,
  contextFrames: count,
  contextOverlap: z.int().nonnegative(),
  noise: z.object({ sharedFraction: z.number().min(0).max(1) }),
  schedule: z.object({
    betaSchedule: z.enum(['linear', 'scaled_linear', 'squaredcos_cap_v2']),
    betaStart: positive,
    betaEnd: positive,
    zeroTerminalSnr: z.boolean(),
    predictionType: z.enum(['epsilon', 'v_prediction', 'sample']),
    timestepSpacing: z.enum(['leading', 'trailing', 'linspace']),
  }),
  codec,
  /** Null where the UNets have no cross attention. */
  imageEncoder: imageEncoder.nullable(),
  denoisingUnet: unet,
  poseGuider,
  /** What the pose guider sees of each frame: the drawn mesh and the warped portrait, or the drawing alone. */
  poseConditions,
  /** From speech to motion; of the small bundles' network, `motion/` knows the other members. */
  motion,
  presets: z.partialRecord(z.enum(PRESETS), preset),
  files: z.partialRecord(part, file),
});

type Fields = z.output<typeof fields>;

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** Contents of `bundle.json`. */
export interface BundleDescription extends DeepReadonly<Fields> {
  /** Of the pictures that networks see, where a clip asks for another shape than the square of `resolution`; in no file. */
  readonly pictureSize?: SpatialSize;
}
/** Between pictures and latents. */
export type CodecConfig = BundleDescription['codec'];
/** A convolutional autoencoder; latents are multiplied with the scaling factor after encoding. */
export type AutoencoderKlConfig = Extract<CodecConfig, { readonly type: 'autoencoder-kl' }>;
/** A file of a bundle. */
export interface BundleFile extends DeepReadonly<z.output<typeof file>> {}
/** A named way of sampling. */
export interface BundlePreset extends DeepReadonly<z.output<typeof preset>> {}

/** What no field says by itself: that the parts belong together. */
const schema = fields.check(({ value, issues }) => {
  const fail = (path: (string | number)[], message: string): void => {
    issues.push({ code: 'custom', path, message, input: value });
  };
  for (const name of requiredParts(value)) {
    if (value.files[name] === undefined) fail(['files', name], 'expected a file, got none');
  }
  if (Object.keys(value.presets).length === 0)
    fail(['presets'], 'expected fast, faster or original, got none');
  if (value.contextOverlap >= value.contextFrames) {
    fail(['contextOverlap'], `expected less than contextFrames, ${value.contextFrames}`);
  }
  const longest = value.denoisingUnet.motion?.positionalTableLength ?? Number.POSITIVE_INFINITY;
  if (value.contextFrames > longest) {
    fail(['contextFrames'], `expected at most positionalTableLength, ${longest}`);
  }
  const embedding = value.imageEncoder?.projectionDim ?? null;
  if (embedding !== value.denoisingUnet.crossAttentionDim) {
    fail(
      ['imageEncoder', 'projectionDim'],
      `expected crossAttentionDim, ${value.denoisingUnet.crossAttentionDim}`,
    );
  }
  if (value.codec.latentChannels !== value.denoisingUnet.inChannels) {
    fail(['codec', 'latentChannels'], `expected inChannels of the UNet, ${value.denoisingUnet.inChannels}`);
  }
  if (value.poseConditions.type === 'drawing') {
    const { batchStatistics } = POSE_GUIDER_VARIANTS[value.poseConditions.variant];
    if (value.poseGuider.batchStatistics !== batchStatistics) {
      fail(
        ['poseGuider', 'batchStatistics'],
        `expected ${batchStatistics} for variant ${value.poseConditions.variant}`,
      );
    }
  }
});

function requiredParts({ imageEncoder: encoder, motion: speech }: Fields): (keyof Fields['files'])[] {
  return [
    'denoisingUnet',
    'referenceUnet',
    'poseGuider',
    'codec',
    ...(encoder === null ? [] : (['imageEncoder'] as const)),
    ...(speech.type === 'mel-convolution'
      ? (['motion'] as const)
      : (['audio2mesh', ...(speech.pose === null ? [] : (['audio2pose'] as const))] as const)),
  ];
}

/** What was read, or everything that is wrong with it, a line for each thing. */
type ParsedBundle = { readonly description: BundleDescription } | { readonly problems: readonly string[] };

/**
 * Checks the contents of a `bundle.json`. Members that early bundles do not have get the value that was the only one
 * then.
 *
 * @param json - kept as it is.
 * @param options - `withoutLoras`: whether presets may name LoRAs that are not among the files.
 */
export function parseBundleDescription(
  json: unknown,
  { withoutLoras = false }: { readonly withoutLoras?: boolean } = {},
): ParsedBundle {
  const result = schema.safeParse(withDefaults(json));
  if (result.success) {
    const description: BundleDescription = result.data;
    const problems = withoutLoras ? [] : findMissingLoras(description);
    return problems.length > 0 ? { problems } : { description };
  }
  return {
    problems: result.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'the file'}: ${message.replace(/^Invalid input: /, '')}`,
    ),
  };
}

function findMissingLoras({ presets, files }: BundleDescription): string[] {
  return Object.entries(presets).flatMap(([name, { loras }]) =>
    loras.flatMap(({ part: lora }, index) =>
      files[lora] === undefined
        ? [`presets.${name}.loras.${index}: expected ${lora} among files, got none`]
        : [],
    ),
  );
}

function withDefaults(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  const { motion: speech, ...rest } = json as Record<string, unknown>;
  return {
    imageEncoder: null,
    poseConditions: { type: 'drawing-and-warp' },
    ...rest,
    motion:
      typeof speech === 'object' && speech !== null && !('type' in speech)
        ? { type: 'mel-convolution', ...speech }
        : speech,
  };
}
