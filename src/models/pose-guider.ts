/**
 * The pose guider: turns drawings of the target pose into features that the denoising UNet adds on its way down.
 *
 * Source: PoseGuider of AniPortrait, commit 7f6593f, whose "cross attention" is plain self-attention: the reference
 * drawing that it is given has no effect on its result.
 */
import { floatAttribute, GraphBuilder, type Precision, type Value } from '../onnx/graph.ts';
import type { Device } from '../runtime/device.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { spatialTransformer } from './blocks.ts';
import {
  at,
  conv,
  type FeatureMap,
  imagesToFrames,
  instanceNorm,
  type Net,
  opsetFor,
  silu,
  weight,
} from './layers.ts';
import type { Activations } from './quantization.ts';
import type { SpatialSize } from './unet-config.ts';
import { type NetworkDescription, WeightReader } from './weight-reader.ts';

/** A convolution of the stem, followed by norm and activation. */
interface StemConvConfig {
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** A stage after the first feature: 3×3 convolutions, then perhaps a transformer. */
interface PoseStageConfig {
  readonly convs: readonly { readonly out: number; readonly stride: number }[];
  readonly attention: null | { readonly numHeads: number; readonly headDim: number };
}

/** Architecture of a pose guider as plain JSON. */
export interface PoseGuiderConfig {
  readonly inChannels: number;
  readonly stem: readonly StemConvConfig[];
  readonly norm: 'batch' | 'none';
  readonly activation: 'relu' | 'silu';
  /** Channels of the first feature. */
  readonly outChannels: number;
  /** One stage for each further feature. */
  readonly stages: readonly PoseStageConfig[];
  /** Whether batch norms use the statistics of the window, as AniPortrait does, or the stored ones. */
  readonly batchStatistics: boolean;
  /** Groups of the norm in transformers. @defaultValue 32 */
  readonly normNumGroups?: number;
}

/** Whether a frame's features depend on that frame alone, not on the others of its window. */
export function posesByFrame({ norm, batchStatistics }: PoseGuiderConfig): boolean {
  return norm === 'none' || !batchStatistics;
}

const ATTENTION = { numHeads: 16, headDim: 88 };

/** AniPortrait's pose guider. Source: `PoseGuider(noise_latent_channels=320, use_ca=True)`. */
export const ANIPORTRAIT_POSE_GUIDER: PoseGuiderConfig = {
  inChannels: 3,
  stem: [
    { out: 3, kernel: 3, stride: 1, padding: 1 },
    { out: 16, kernel: 4, stride: 2, padding: 1 },
    { out: 16, kernel: 3, stride: 1, padding: 1 },
    { out: 32, kernel: 4, stride: 2, padding: 1 },
    { out: 32, kernel: 3, stride: 1, padding: 1 },
    { out: 64, kernel: 4, stride: 2, padding: 1 },
    { out: 64, kernel: 3, stride: 1, padding: 1 },
    { out: 128, kernel: 3, stride: 1, padding: 1 },
  ],
  norm: 'batch',
  activation: 'relu',
  outChannels: 320,
  stages: [
    {
      convs: [
        { out: 320, stride: 1 },
        { out: 320, stride: 2 },
      ],
      attention: ATTENTION,
    },
    {
      convs: [
        { out: 320, stride: 1 },
        { out: 640, stride: 2 },
      ],
      attention: ATTENTION,
    },
    {
      convs: [
        { out: 640, stride: 1 },
        { out: 1280, stride: 2 },
      ],
      attention: ATTENTION,
    },
    { convs: [{ out: 1280, stride: 1 }], attention: ATTENTION },
  ],
  batchStatistics: true,
};

/** Options of {@link buildPoseGuider}; the size is that of the drawings in pixels. */
interface PoseGuiderOptions extends SpatialSize {
  /** Frames of a window. */
  readonly frames: number;
  /** Windows. @defaultValue 1 */
  readonly batch?: number;
  /** @defaultValue 'cpu' */
  readonly device?: Device;
  /** @defaultValue 'float32' */
  readonly precision?: Precision | undefined;
  /** Element type of the features. @defaultValue 'float32' */
  readonly shared?: Precision | undefined;
  /** Measures activations, or computes layers in integers; for the CPU, in float32. */
  readonly activations?: Activations | undefined;
}

const BATCH_NORM_EPSILON = floatAttribute(1e-5);

function batchNorm(net: Net, x: FeatureMap, path: string, batchStatistics: boolean): FeatureMap {
  const { graph } = net;
  const { count, channels, height, width } = x;
  const scale = weight(net, `${path}.weight`, [channels]);
  const bias = weight(net, `${path}.bias`, [channels]);
  net.weights.declare(`${path}.num_batches_tracked`, []);
  if (!batchStatistics) {
    const mean = weight(net, `${path}.running_mean`, [channels]);
    const variance = weight(net, `${path}.running_var`, [channels]);
    const value = graph.op('BatchNormalization', [x.value, scale, bias, mean, variance], {
      epsilon: BATCH_NORM_EPSILON,
    });
    return { ...x, value };
  }
  net.weights.declare(`${path}.running_mean`, [channels]);
  net.weights.declare(`${path}.running_var`, [channels]);
  // Statistics over all frames and pixels of a channel: an instance norm of one image that is `count` times as high.
  const swap = (value: Value): Value => graph.op('Transpose', [value], { perm: [1, 0, 2, 3] });
  const tall = graph.op('Reshape', [swap(x.value), graph.int64([1, channels, -1])]);
  const normed = instanceNorm(net, tall, scale, bias, 1e-5);
  const value = swap(graph.op('Reshape', [normed, graph.int64([channels, count, height, width])]));
  return { ...x, value };
}

function addPoseGuider(weights: WeightReader, config: PoseGuiderConfig, options: PoseGuiderOptions): Net {
  const { frames, batch = 1, height, width, device = 'cpu', precision, shared, activations } = options;
  const count = batch * frames;
  const { norm, activation, batchStatistics, normNumGroups: groups = 32 } = config;
  const graph = new GraphBuilder('pose-guider', { opset: opsetFor(device), precision });
  const net: Net = { graph, weights, device, cost: { flops: 0 }, activations };
  const pictures = graph.input('pictures', [count, config.inChannels, height, width]);

  // Modules are numbered as in a sequence of convolution, norm if there is one, and activation.
  const modules = norm === 'batch' ? 3 : 2;
  const layers = (path: string, input: FeatureMap, convs: readonly StemConvConfig[]): FeatureMap => {
    const within = at(net, path);
    return convs.reduce((x, options, index) => {
      let y = conv(within, x, `${modules * index}`, options);
      if (norm === 'batch') y = batchNorm(within, y, `${modules * index + 1}`, batchStatistics);
      return { ...y, value: activation === 'relu' ? graph.op('Relu', [y.value]) : silu(net, y.value) };
    }, input);
  };
  const output = (index: number, x: FeatureMap): void =>
    graph.output(
      `pose.${index}`,
      imagesToFrames(net, x, batch),
      [batch, x.channels, frames, x.height, x.width],
      shared,
    );

  const stem = layers(
    'conv_layers',
    { value: pictures, count, channels: config.inChannels, height, width },
    config.stem,
  );
  const projected = conv(net, stem, 'final_proj', { out: config.outChannels, kernel: 1 });
  let x = { ...projected, value: graph.op('Mul', [projected.value, weight(net, 'scale', [1])]) };
  output(0, x);
  config.stages.forEach(({ convs, attention }, index) => {
    const stage = index + 1;
    x = layers(
      `conv_layers_${stage}`,
      x,
      convs.map((item) => ({ ...item, kernel: 3, padding: 1 })),
    );
    if (attention !== null) {
      const { numHeads: heads, headDim } = attention;
      x = spatialTransformer(at(net, `cross_attn${stage}`), x, { heads, groups, inner: heads * headDim });
    }
    output(stage, x);
  });
  if (activations?.kind === 'observe') activations.finish(graph);
  return net;
}

/**
 * Graph of the pose guider: `pictures` [batch · frames, inChannels, height, width], already scaled as the weights expect,
 * to `pose.0`, `pose.1`… [batch, channels, frames, h, w]. With batch statistics every frame's features
 * depend on the whole window.
 *
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights.
 */
export function buildPoseGuider(
  config: PoseGuiderConfig,
  weights: WeightSource,
  options: PoseGuiderOptions,
): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addPoseGuider(reader, config, options);
  reader.finish('pose guider');
  return graph;
}

/** Weights of the pose guider, and the operations of one run at the size of `options`; reads nothing. */
export function describePoseGuider(config: PoseGuiderConfig, options: PoseGuiderOptions): NetworkDescription {
  const { weights, cost } = addPoseGuider(WeightReader.listing(), config, options);
  return { weights: weights.specs(), flops: cost.flops };
}
