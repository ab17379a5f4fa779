/**
 * The denoising UNet: predicts noise, clean latents or velocity for a window of frames, with motion modules between the
 * spatial layers, pose features added on the way down and, in the conditional graph, attention to the reference.
 *
 * Source: UNet3DConditionModel and ReferenceAttentionControl (mode `read`) of AniPortrait, commit 7f6593f.
 */
import { assertIntegerInRange } from '../errors.ts';
import { GraphBuilder, type Precision, type Value } from '../onnx/graph.ts';
import type { Device } from '../runtime/device.ts';
import { assertDims, type Tensor } from '../tensor/tensor.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { type AttentionForms, FAST_ATTENTION, type ReferenceTokens, spatialTransformer } from './blocks.ts';
import {
  activatedGroupNorm,
  add,
  at,
  conv,
  type FeatureMap,
  framesToImages,
  imagesToFrames,
  type Net,
  opsetFor,
} from './layers.ts';
import type { Activations } from './quantization.ts';
import { runUnet, timeEmbedding, UNET_EPSILON } from './unet.ts';
import {
  assertUnetConfig,
  attentionSites,
  poseFeatureSizes,
  type SpatialSize,
  type UnetConfig,
} from './unet-config.ts';
import { upsample } from './upsample.ts';
import { type NetworkDescription, WeightReader } from './weight-reader.ts';

/** How the parts of a denoising UNet are computed; every form gives the same numbers. */
export interface UnetForms extends AttentionForms {
  readonly upsample: typeof upsample;
}

const FAST_FORMS: UnetForms = { ...FAST_ATTENTION, upsample };

/** Options of {@link buildDenoisingUnet}; the size is that of the latents. */
export interface DenoisingUnetOptions extends SpatialSize {
  /** Clips. @defaultValue 1 */
  readonly batch?: number;
  /** Frames of a window. */
  readonly frames: number;
  /**
   * What self-attention reads of the reference: nothing (the unconditional graph), keys and values from
   * `buildReferenceUnet` with `project`, or banks, projected in every run.
   */
  readonly reference: 'none' | 'keys-values' | 'banks';
  /** Size of the reference's latents. @defaultValue that of the latents */
  readonly referenceSize?: SpatialSize;
  /** Whether pose features are added. */
  readonly poseFeatures: boolean;
  /** Element type of the inputs that many runs share: the reference and the pose features. @defaultValue 'float32' */
  readonly shared?: Precision | undefined;
  /**
   * The image embedding: an input; a constant [batch, crossAttentionDim], folded into one vector for each layer; or
   * `none`, an embedding of zeros, as in the unconditional graph and in networks without cross attention.
   *
   * @defaultValue 'none'
   */
  readonly imageEmbeds?: 'none' | 'input' | Tensor;
  /** @defaultValue 'cpu' */
  readonly device?: Device;
  /** @defaultValue 'float32' */
  readonly precision?: Precision | undefined;
  /** Measures activations, or computes layers in integers; for the CPU, in float32. */
  readonly activations?: Activations | undefined;
  /**
   * Pieces that a window is computed in, in all that frames, or rows of pixels, do not see of each other: activations take about
   * that much less memory. For one clip, not measured and not in integers. @defaultValue 1
   */
  readonly pieces?: number | undefined;
  /** @defaultValue the fastest that the device has */
  readonly forms?: UnetForms | undefined;
}

function addDenoisingUnet(weights: WeightReader, config: UnetConfig, options: DenoisingUnetOptions): Net {
  assertUnetConfig(config);
  const {
    batch = 1,
    frames,
    height,
    width,
    reference,
    shared: type = 'float32',
    imageEmbeds = 'none',
    device = 'cpu',
    precision,
    activations,
    pieces,
    forms = FAST_FORMS,
  } = options;
  const { inChannels, outChannels, crossAttentionDim, normNumGroups: groups, timeCondProjDim } = config;
  if (config.motion !== null) assertIntegerInRange('frames', frames, 1, config.motion.positionalTableLength);
  const graph = new GraphBuilder('denoising-unet', { opset: opsetFor(device), precision });
  const net: Net = { graph, weights, device, cost: { flops: 0 }, activations, pieces };
  const video = { batch, frames, channels: inChannels, height, width };
  const latents = graph.input('latents', [batch, inChannels, frames, height, width]);
  const timestep = graph.input('timestep', [1], { exact: true });

  const poses = options.poseFeatures
    ? poseFeatureSizes(config, { height, width }).map((size, index) => {
        const dims = [batch, size.channels, frames, size.height, size.width];
        return framesToImages(net, graph.input(`pose.${index}`, dims, { type }), { batch, frames, ...size });
      })
    : undefined;

  let token: Value | undefined;
  if (crossAttentionDim !== null && imageEmbeds === 'input') {
    token = graph.input('image_embeds', [batch, crossAttentionDim]);
  } else if (crossAttentionDim !== null && typeof imageEmbeds === 'object') {
    assertDims('imageEmbeds', imageEmbeds, [batch, crossAttentionDim]);
    token = graph.weight('image_embeds', imageEmbeds.data, imageEmbeds.dims);
  }
  const context = crossAttentionDim === null ? undefined : { width: crossAttentionDim, batch, token };

  const references = new Map<string, ReferenceTokens>();
  if (reference !== 'none') {
    for (const site of attentionSites(config, options.referenceSize ?? { height, width })) {
      const length = site.height * site.width;
      const dims = [1, length, site.channels];
      const input = (name: string): Value => graph.input(`${name}:${site.path}`, dims, { type });
      references.set(
        site.path,
        reference === 'banks'
          ? { kind: 'bank', bank: input('bank'), length }
          : { kind: 'keys-values', key: input('key'), value: input('value'), length },
      );
    }
  }

  const course = {
    net,
    config,
    batch,
    motion: true,
    transform: (path: string, x: FeatureMap, heads: number): FeatureMap =>
      spatialTransformer(at(net, path), x, {
        heads,
        groups,
        context,
        reference: references.get(path),
        forms,
      }),
    upsample: forms.upsample,
    pose: (index: number, x: FeatureMap): FeatureMap =>
      poses === undefined ? x : { ...x, value: add(net, x.value, poses[index]!.value) },
  };
  const condition = timeCondProjDim
    ? { value: graph.input('guidance_embeds', [1, timeCondProjDim]), width: timeCondProjDim }
    : undefined;
  const time = timeEmbedding(net, timestep, config, condition);
  const x = runUnet(course, framesToImages(net, latents, video), time);
  const activated = activatedGroupNorm(net, x, 'conv_norm_out', 'conv_out', groups, UNET_EPSILON);
  const prediction = conv(net, activated, 'conv_out', { out: outChannels, kernel: 3 });
  graph.output('model_output', imagesToFrames(net, prediction, batch), [
    batch,
    outChannels,
    frames,
    height,
    width,
  ]);
  if (activations?.kind === 'observe') activations.finish(graph);
  return net;
}

/**
 * Graph of the denoising UNet for windows of one size.
 *
 * Inputs: `latents` [batch, inChannels, frames, height, width]; `timestep` [1]; with `poseFeatures`, `pose.0`,
 * `pose.1`… [batch, channels, frames, h, w] as {@link poseFeatureSizes} has them; with a reference, for every module
 * path of {@link attentionSites}, `key:<path>` and `value:<path>`, or `bank:<path>`, [1, tokens, channels], shared by
 * all frames and clips; with `imageEmbeds: 'input'`, `image_embeds` [batch, crossAttentionDim]; where the configuration
 * has it, `guidance_embeds` [1, timeCondProjDim], see `guidanceEmbedding`.
 * Output: `model_output` [batch, outChannels, frames, height, width].
 *
 * @throws {@link InvalidOptionError} if the configuration contradicts itself, or if there are more frames than the motion
 *   modules have positions for.
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights.
 */
export function buildDenoisingUnet(
  config: UnetConfig,
  weights: WeightSource,
  options: DenoisingUnetOptions,
): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addDenoisingUnet(reader, config, options);
  reader.finish('denoising UNet');
  return graph;
}

/** Weights of the denoising UNet, and the operations of one run at the size of `options`; reads nothing. */
export function describeDenoisingUnet(config: UnetConfig, options: DenoisingUnetOptions): NetworkDescription {
  const { weights, cost } = addDenoisingUnet(WeightReader.listing(), config, options);
  return { weights: weights.specs(), flops: cost.flops };
}
