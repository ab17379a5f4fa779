/** A small bundle with AniPortrait's layout: every network of the original, narrow, with weights by formula. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describeAudio2Mesh } from '../../src/models/audio2mesh.ts';
import { describeAudio2Pose } from '../../src/models/audio2pose.ts';
import type {
  BundleDescription,
  BundlePart,
  PoseGuiderVariant,
} from '../../src/models/bundle-description.ts';
import { describeClipVision } from '../../src/models/clip-vision.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { describePoseGuider } from '../../src/models/pose-guider.ts';
import { describeReferenceUnet } from '../../src/models/reference-unet.ts';
import type { UnetConfig } from '../../src/models/unet-config.ts';
import { describeVae } from '../../src/models/vae.ts';
import type { WeightSpec } from '../../src/models/weight-reader.ts';
import { encodeSafetensors } from '../../src/weights/safetensors.ts';
import { goldenWeight } from './golden-weights.ts';
import { SMALL_AUDIO } from './small-audio.ts';
import { SMALL_CLIP, SMALL_POSE_GUIDER, SMALL_UNET, SMALL_VAE } from './small-networks.ts';

/** Options of {@link writeAniPortraitBundle}. */
export interface SmallBundleOptions {
  /** @defaultValue 'P2' */
  readonly variant?: PoseGuiderVariant;
  /** Width of a guidance embedding. @defaultValue none */
  readonly timeCondProjDim?: number;
  /** What a weight is multiplied by. @defaultValue 1 */
  readonly scaleOf?: (part: string, key: string) => number;
}

/** Side of the pictures; 16 latent cells. */
export const SMALL_RESOLUTION = 128;

/** Widths of the UNets, and so of the pose features, here. */
const WIDTHS = [32, 32, 64, 64];

/** Writes `bundle.json` and its files to `folder`. */
export function writeAniPortraitBundle(folder: string, options: SmallBundleOptions = {}): void {
  const { variant = 'P2', timeCondProjDim, scaleOf: chosenScale = () => 1 } = options;
  const unet: UnetConfig = {
    ...SMALL_UNET,
    blockOutChannels: WIDTHS,
    ...(timeCondProjDim !== undefined && { timeCondProjDim }),
  };
  const poseGuider = {
    ...SMALL_POSE_GUIDER,
    stages: SMALL_POSE_GUIDER.stages.map((stage, i) => ({
      ...stage,
      convs: stage.convs.map((conv) => ({ ...conv, out: WIDTHS[i]! })),
    })),
    batchStatistics: variant !== 'P2',
  };
  const size = { height: SMALL_RESOLUTION, width: SMALL_RESOLUTION };
  const cells = { height: SMALL_RESOLUTION / 8, width: SMALL_RESOLUTION / 8 };
  const second = { samples: 16000, frames: 30 };
  const vae = describeVae(SMALL_VAE, size);
  const networks: Partial<Record<BundlePart, readonly WeightSpec[]>> = {
    denoisingUnet: describeDenoisingUnet(unet, {
      ...cells,
      frames: 8,
      reference: 'keys-values',
      imageEmbeds: 'input',
      poseFeatures: true,
    }).weights,
    referenceUnet: describeReferenceUnet(unet, cells).weights,
    poseGuider: describePoseGuider(poseGuider, { ...size, frames: 8 }).weights,
    codec: [...vae.encoder.weights, ...vae.decoder.weights],
    imageEncoder: describeClipVision(SMALL_CLIP).weights,
    audio2mesh: describeAudio2Mesh(SMALL_AUDIO, second).weights,
    audio2pose: describeAudio2Pose(SMALL_AUDIO, second).weights,
  };
  mkdirSync(folder, { recursive: true });
  const files: Record<string, unknown> = {};
  for (const [part, specs] of Object.entries(networks)) {
    // Small changes of the mesh keep the drawn face in one piece.
    const scaleOf = (key: string): number =>
      chosenScale(part, key) * (part === 'audio2mesh' && key.startsWith('out_fn') ? 0.1 : 1);
    const tensors = specs.map(({ key, dims }) => {
      const { data } = goldenWeight(part, key, dims);
      const scale = scaleOf(key);
      if (scale !== 1) for (let i = 0; i < data.length; i++) data[i]! *= scale;
      return [key, { data, dims }] as const;
    });
    const bytes = encodeSafetensors(tensors);
    const name = `${part}.safetensors`;
    writeFileSync(path.join(folder, name), bytes);
    files[part] = {
      path: name,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    };
  }
  const description: BundleDescription = {
    formatVersion: 1,
    name: 'small-aniportrait',
    description: 'Networks of AniPortrait in small, with weights by formula.',
    licence: 'Apache-2.0',
    resolution: SMALL_RESOLUTION,
    fps: 30,
    contextFrames: 8,
    contextOverlap: 2,
    noise: { sharedFraction: 0 },
    schedule: {
      betaSchedule: 'linear',
      betaStart: 0.00085,
      betaEnd: 0.012,
      zeroTerminalSnr: true,
      predictionType: 'v_prediction',
      timestepSpacing: 'trailing',
    },
    codec: { ...SMALL_VAE, type: 'autoencoder-kl', scalingFactor: 0.18215 },
    imageEncoder: SMALL_CLIP,
    denoisingUnet: unet,
    poseGuider,
    poseConditions: { type: 'drawing', variant },
    motion: SMALL_AUDIO,
    presets: {
      fast: { sampler: 'lcm', steps: 4, guidance: 1, loras: [] },
      original: {
        sampler: 'ddim',
        steps: 3,
        guidance: 3.5,
        loras: [],
        windows: 'loop',
        unguidedOverlap: 'sum',
      },
    },
    files: files as BundleDescription['files'],
  };
  writeFileSync(path.join(folder, 'bundle.json'), JSON.stringify(description, null, 2));
}
