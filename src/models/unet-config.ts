/** Architecture of the UNets as plain JSON: AniPortrait's and smaller ones. */
import { InvalidOptionError } from '../errors.ts';

/** Where motion modules sit, and their shape. */
export interface MotionConfig {
  /** Levels whose layers, down and up, end in a motion module. */
  readonly levels: readonly boolean[];
  readonly midBlock: boolean;
  readonly numHeads: number;
  /** Temporal self-attentions in a row; 2 in AniPortrait. */
  readonly numAttentionBlocks: number;
  /** Rows of the positional table: the longest window. */
  readonly positionalTableLength: number;
}

/** Architecture of a denoising UNet, and of its reference UNet, which has no motion modules. */
export interface UnetConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels of each level, from the full resolution down. */
  readonly blockOutChannels: readonly number[];
  /** Residual blocks on each level on the way down; one more on the way up. */
  readonly layersPerBlock: number;
  /** Levels with spatial transformers. */
  readonly attentionLevels: readonly boolean[];
  readonly midBlockAttention: boolean;
  /** Attention heads of each level; the middle uses the last. */
  readonly numHeads: readonly number[];
  /** Width of the image embedding; null where the transformers have no cross attention. */
  readonly crossAttentionDim: number | null;
  readonly normNumGroups: number;
  readonly motion: MotionConfig | null;
  /**
   * Width of the guidance embedding of a denoiser that was distilled with guidance as an input; null where guidance is
   * two evaluations.
   *
   * @defaultValue null
   */
  readonly timeCondProjDim?: number | null;
}

/** AniPortrait's architecture: Stable Diffusion 1.5 with motion modules at every level. Source: `inference_v2.yaml`. */
export const ANIPORTRAIT_UNET: UnetConfig = {
  inChannels: 4,
  outChannels: 4,
  blockOutChannels: [320, 640, 1280, 1280],
  layersPerBlock: 2,
  attentionLevels: [true, true, true, false],
  midBlockAttention: true,
  numHeads: [8, 8, 8, 8],
  crossAttentionDim: 768,
  normNumGroups: 32,
  motion: {
    levels: [true, true, true, true],
    midBlock: true,
    numHeads: 8,
    numAttentionBlocks: 2,
    positionalTableLength: 32,
  },
};

/** Height and width in latent cells. */
export interface SpatialSize {
  readonly height: number;
  readonly width: number;
}

/** Shape of one pose feature map. */
interface PoseFeatureSize extends SpatialSize {
  readonly channels: number;
}

/** @throws {@link InvalidOptionError} unless the lists have one entry for each level and the widths divide. */
export function assertUnetConfig(config: UnetConfig): void {
  const levels = config.blockOutChannels.length;
  const fail = (option: string, value: unknown, expected: string): never => {
    throw new InvalidOptionError(
      `Cannot use ${option} of the UNet: expected ${expected}, got ${JSON.stringify(value)}`,
      option,
      value,
    );
  };
  if (levels === 0) fail('blockOutChannels', config.blockOutChannels, 'at least one level');
  const lists = {
    attentionLevels: config.attentionLevels,
    numHeads: config.numHeads,
    ...(config.motion === null ? {} : { 'motion.levels': config.motion.levels }),
  };
  for (const [option, list] of Object.entries(lists)) {
    if (list.length !== levels) fail(option, list, `${levels} entries, one for each level`);
  }
  config.blockOutChannels.forEach((channels, level) => {
    if (channels % config.normNumGroups !== 0) {
      fail(
        'blockOutChannels',
        config.blockOutChannels,
        `multiples of normNumGroups (${config.normNumGroups})`,
      );
    }
    const last = level === levels - 1;
    const attends = config.attentionLevels[level]! || (last && config.midBlockAttention);
    if (attends && channels % config.numHeads[level]! !== 0) {
      fail('numHeads', config.numHeads, `divisors of the widths ${config.blockOutChannels.join(', ')}`);
    }
    const moves = config.motion?.levels[level] || (last && config.motion?.midBlock);
    if (moves && channels % config.motion!.numHeads !== 0) {
      fail('motion.numHeads', config.motion!.numHeads, `a divisor of ${channels}`);
    }
  });
}

/** Sizes of the levels, each half of the one before, rounded up. */
function levelSizes(config: UnetConfig, { height, width }: SpatialSize): SpatialSize[] {
  const sizes = [{ height, width }];
  for (let level = 1; level < config.blockOutChannels.length; level++) {
    const above = sizes[level - 1]!;
    sizes.push({ height: Math.ceil(above.height / 2), width: Math.ceil(above.width / 2) });
  }
  return sizes;
}

/** Shapes of the pose features: the first is added after conv_in, number i after the down block i. */
export function poseFeatureSizes(config: UnetConfig, size: SpatialSize): PoseFeatureSize[] {
  const sizes = levelSizes(config, size);
  const last = sizes.length - 1;
  return [
    { channels: config.blockOutChannels[0]!, ...sizes[0]! },
    ...config.blockOutChannels.map((channels, level) => ({ channels, ...sizes[Math.min(level + 1, last)]! })),
  ];
}

/** A spatial transformer of a UNet: its module path, level and the size of its images. */
interface AttentionSite extends SpatialSize {
  readonly path: string;
  readonly level: number;
  readonly channels: number;
}

/** Every spatial transformer, in the order in which they run: down, middle, up. */
export function attentionSites(config: UnetConfig, size: SpatialSize): AttentionSite[] {
  const sizes = levelSizes(config, size);
  const { blockOutChannels, attentionLevels, layersPerBlock } = config;
  const last = blockOutChannels.length - 1;
  const site = (path: string, level: number): AttentionSite => ({
    path,
    level,
    channels: blockOutChannels[level]!,
    ...sizes[level]!,
  });
  const block = (name: string, level: number, layers: number): AttentionSite[] =>
    attentionLevels[level]
      ? Array.from({ length: layers }, (_, layer) => site(`${name}.attentions.${layer}`, level))
      : [];
  return [
    ...blockOutChannels.flatMap((_, level) => block(`down_blocks.${level}`, level, layersPerBlock)),
    ...(config.midBlockAttention ? [site('mid_block.attentions.0', last)] : []),
    ...blockOutChannels.flatMap((_, i) => block(`up_blocks.${i}`, last - i, layersPerBlock + 1)),
  ];
}
