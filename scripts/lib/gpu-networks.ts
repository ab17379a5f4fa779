/**
 * Networks with weights by formula: at AniPortrait's published size, a tenth of its widths, the embedded bundle's, or the least that has
 * every kind of layer, for software drivers, which compile each shader for a second and more.
 */
import { readFileSync } from 'node:fs';
import type { BundleDescription } from '../../src/models/bundle-description.ts';
import { buildDenoisingUnet, describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { noiseWeights } from '../../src/models/noise-weights.ts';
import { buildPatchDecoder, patchDecoderFlops } from '../../src/models/patch-transform.ts';
import {
  ANIPORTRAIT_POSE_GUIDER,
  buildPoseGuider,
  describePoseGuider,
  type PoseGuiderConfig,
} from '../../src/models/pose-guider.ts';
import { buildReferenceUnet, describeReferenceUnet } from '../../src/models/reference-unet.ts';
import { ANIPORTRAIT_UNET, type UnetConfig } from '../../src/models/unet-config.ts';
import { buildVaeDecoder, describeVae, STABLE_DIFFUSION_VAE, type VaeConfig } from '../../src/models/vae.ts';
import { writeGraph } from '../../src/networks/write-graph.ts';
import type { GraphBuilder, Precision } from '../../src/onnx/graph.ts';
import type { Engine, Network } from '../../src/runtime/engine.ts';
import { WeightCache } from '../../src/weights/weight-cache.ts';
import { SMALL_POSE_GUIDER, SMALL_UNET, SMALL_VAE } from '../../test/helpers/small-networks.ts';

/** Which networks. */
export type GpuSize = 'full' | 'small' | 'tiny' | 'least';
/** The networks that run for a clip, once or at every step. */
export type GpuNetwork = 'reference' | 'guider' | 'conditional' | 'unconditional' | 'decoder';

/** A set of networks at one size. */
export interface GpuNetworks {
  readonly size: GpuSize;
  /** Side of the picture. */
  readonly resolution: number;
  readonly frames: number;
  readonly overlap: number;
  readonly fps: number;
  /** [channels, height, width] of a frame's latents. */
  readonly frameShape: readonly [number, number, number];
  /** Inputs of the guider for each picture. */
  readonly conditionChannels: number;
  /** Frames of a decoder's run. */
  readonly decodeFrames: number;
  /** Multiplications and additions of a run. */
  flops(network: GpuNetwork): number;
  open(network: GpuNetwork, engine: Engine, precision: Precision): Promise<Network>;
}

const TINY = new URL('../../assets/bundles/tiny/bundle.json', import.meta.url);
/** Heavy in range, light in work: half precision is not enough for these on every device. */
const FLOAT32: ReadonlySet<GpuNetwork> = new Set(['guider', 'decoder']);
/** Of AniPortrait's own program. */
const SCRIPT = { frames: 16, overlap: 4, fps: 30 };

/** One level with attention and one without, of AniPortrait's kinds of layers. */
const LEAST = {
  unet: {
    ...ANIPORTRAIT_UNET,
    ...{ blockOutChannels: [16, 32], layersPerBlock: 1, normNumGroups: 4, crossAttentionDim: 16 },
    ...{ attentionLevels: [true, false], numHeads: [2, 2] },
    motion: { ...ANIPORTRAIT_UNET.motion!, levels: [true, true], numHeads: 2, numAttentionBlocks: 1 },
  },
  guider: {
    ...{ inChannels: 3, norm: 'batch', activation: 'relu', batchStatistics: true, outChannels: 16 },
    normNumGroups: 4,
    stem: [
      { out: 8, kernel: 3, stride: 1, padding: 1 },
      { out: 8, kernel: 4, stride: 4, padding: 0 },
      { out: 16, kernel: 4, stride: 2, padding: 1 },
    ],
    stages: [
      { convs: [{ out: 16, stride: 2 }], attention: { numHeads: 2, headDim: 8 } },
      { convs: [{ out: 32, stride: 1 }], attention: null },
    ],
  },
  vae: { ...STABLE_DIFFUSION_VAE, blockOutChannels: [8, 8, 8, 16], layersPerBlock: 1, normNumGroups: 4 },
} as const satisfies Pick<Parts, 'unet' | 'guider' | 'vae'>;
/** Frames of its windows, and the side of its pictures. */
const LEAST_SIZE = { frames: 2, resolution: 64 };

interface Parts {
  readonly unet: UnetConfig;
  readonly guider: PoseGuiderConfig;
  readonly vae: VaeConfig | undefined;
  readonly tiny: BundleDescription | undefined;
  readonly resolution: number;
}

function partsOf(size: GpuSize): Parts {
  if (size === 'least') return { ...LEAST, tiny: undefined, resolution: LEAST_SIZE.resolution };
  if (size !== 'tiny') {
    const small = size === 'small';
    return {
      unet: small ? SMALL_UNET : ANIPORTRAIT_UNET,
      guider: small ? SMALL_POSE_GUIDER : ANIPORTRAIT_POSE_GUIDER,
      vae: small ? SMALL_VAE : STABLE_DIFFUSION_VAE,
      tiny: undefined,
      resolution: small ? 128 : 512,
    };
  }
  const tiny = JSON.parse(readFileSync(TINY, 'utf8')) as BundleDescription;
  return {
    unet: tiny.denoisingUnet,
    guider: tiny.poseGuider,
    vae: undefined,
    tiny,
    resolution: tiny.resolution,
  };
}

/** Shapes of the patch transform's decoder, which reads its weights by name. */
function patchWeights({
  codec,
}: BundleDescription): { key: string; dims: readonly number[]; used: boolean }[] {
  if (codec.type !== 'patch-transform') throw new Error('the embedded bundle has another codec');
  const { latentChannels, patchSize, refiner } = codec;
  const layer = (name: string, out: number, channels: number) => [
    { key: `refiner.${name}.weight`, dims: [out, channels, 3, 3], used: true },
    { key: `refiner.${name}.bias`, dims: [out], used: true },
  ];
  return [
    { key: 'synthesis.weight', dims: [latentChannels, 3, patchSize, patchSize], used: true },
    ...layer('conv_in', refiner.width, 24),
    ...Array.from({ length: refiner.layers }, (_, i) =>
      layer(`layers.${i}`, refiner.width, refiner.width),
    ).flat(),
    ...layer('conv_out', 12, refiner.width),
  ];
}

/** @param cacheFolder - where large weights are written, gigabytes at full size. */
export function gpuNetworks(size: GpuSize, cacheFolder: string): GpuNetworks {
  const { unet, guider, vae, tiny, resolution } = partsOf(size);
  const { codec } = tiny ?? {};
  const patch = codec?.type === 'patch-transform' ? codec : undefined;
  const cells = resolution / (patch?.patchSize ?? 8);
  const latents = { height: cells, width: cells };
  const picture = { height: resolution, width: resolution };
  const frames = tiny?.contextFrames ?? (size === 'least' ? LEAST_SIZE : SCRIPT).frames;
  const decodeFrames = patch === undefined ? 1 : 4;
  const denoiser = (conditional: boolean) =>
    ({
      ...latents,
      frames,
      reference: conditional ? 'keys-values' : 'none',
      imageEmbeds: conditional && unet.crossAttentionDim !== null ? 'input' : 'none',
      poseFeatures: true,
    }) as const;
  const keysAndValues = noiseWeights(describeDenoisingUnet(unet, denoiser(true)).weights);
  const decoderFlops = (): number =>
    patch === undefined
      ? describeVae(vae!, picture).decoder.flops
      : patchDecoderFlops(patch, { ...picture, frames: decodeFrames });
  const build = (network: GpuNetwork, engine: Engine, precision: Precision): GraphBuilder => {
    const form = { device: engine.device, precision };
    switch (network) {
      case 'reference': {
        const own = noiseWeights(describeReferenceUnet(unet, latents).weights);
        return buildReferenceUnet(unet, own, { ...latents, ...form, project: keysAndValues });
      }
      case 'guider': {
        const options = { ...picture, frames };
        return buildPoseGuider(guider, noiseWeights(describePoseGuider(guider, options).weights), {
          ...options,
          ...form,
        });
      }
      case 'conditional':
      case 'unconditional':
        return buildDenoisingUnet(unet, keysAndValues, { ...denoiser(network === 'conditional'), ...form });
      case 'decoder':
        return patch === undefined
          ? buildVaeDecoder(vae!, noiseWeights(vaeWeights(vae!, picture)), { ...picture, ...form })
          : buildPatchDecoder(patch, noiseWeights(patchWeights(tiny!)), { ...picture, frames: decodeFrames });
    }
  };
  return {
    size,
    resolution,
    frames,
    overlap: tiny?.contextOverlap ?? SCRIPT.overlap,
    fps: tiny?.fps ?? SCRIPT.fps,
    frameShape: [unet.inChannels, cells, cells],
    conditionChannels: guider.inChannels,
    decodeFrames,
    flops: (network) => {
      switch (network) {
        case 'reference':
          return describeReferenceUnet(unet, latents).flops;
        case 'guider':
          return describePoseGuider(guider, { ...picture, frames }).flops;
        case 'conditional':
        case 'unconditional':
          return describeDenoisingUnet(unet, denoiser(network === 'conditional')).flops;
        case 'decoder':
          return decoderFlops();
      }
    },
    open: async (network, engine, asked) => {
      const precision = FLOAT32.has(network) || tiny !== undefined ? 'float32' : asked;
      const cache = new WeightCache({ folder: cacheFolder });
      // Both guidance branches have the same weights under the same names.
      const weights = network.endsWith('conditional') ? 'denoiser' : network;
      const weightsKey = { formula: 'noise', size, precision, weights };
      const { model, dataFolder, asStored } = await writeGraph(build(network, engine, precision), {
        cache,
        weightsKey,
      });
      return engine.load(network, model, { transfer: true, dataFolder, asStored });
    },
  };
}

function vaeWeights(vae: VaeConfig, picture: { readonly height: number; readonly width: number }) {
  const { encoder, decoder } = describeVae(vae, picture);
  return [...encoder.weights, ...decoder.weights];
}
