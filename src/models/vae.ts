/**
 * The variational autoencoder between pictures and latents (`autoencoder-kl`).
 *
 * Source: AutoencoderKL of diffusers 0.24, with the attention keys of both of its generations.
 */
import { InvalidOptionError } from '../errors.ts';
import { GraphBuilder, type Precision, type Value } from '../onnx/graph.ts';
import type { Device } from '../runtime/device.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { resnet } from './blocks.ts';
import {
  activatedGroupNorm,
  add,
  at,
  attention,
  conv,
  type FeatureMap,
  fromTokens,
  groupNorm,
  linear,
  type Net,
  opsetFor,
  toTokens,
} from './layers.ts';
import type { SpatialSize } from './unet-config.ts';
import { upsample } from './upsample.ts';
import { type NetworkDescription, WeightReader } from './weight-reader.ts';

/** Architecture of an autoencoder as plain JSON. */
export interface VaeConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels of each level, from the full resolution down; every level but the last halves the size. */
  readonly blockOutChannels: readonly number[];
  /** Residual blocks on each level of the encoder; one more in the decoder. */
  readonly layersPerBlock: number;
  readonly latentChannels: number;
  readonly normNumGroups: number;
}

/** The autoencoder of Stable Diffusion 1.5, also of `sd-vae-ft-mse`. */
export const STABLE_DIFFUSION_VAE: VaeConfig = {
  inChannels: 3,
  outChannels: 3,
  blockOutChannels: [128, 256, 512, 512],
  layersPerBlock: 2,
  latentChannels: 4,
  normNumGroups: 32,
};

/** Options of {@link buildVaeEncoder} and {@link buildVaeDecoder}; the size is that of the picture. */
interface VaeOptions extends SpatialSize {
  /** Pictures in one run. @defaultValue 1 */
  readonly batch?: number;
  /** @defaultValue 'cpu' */
  readonly device?: Device;
  /** @defaultValue 'float32' */
  readonly precision?: Precision | undefined;
}

const EPSILON = 1e-6;
/** The encoder's log-variance is clamped to this range. */
const LOGVAR_RANGE = [-30, 20] as const;

/** Attention keys of newer checkpoints, and what older ones call them. */
const ATTENTION_KEYS = { to_q: 'query', to_k: 'key', to_v: 'value', 'to_out.0': 'proj_attn' } as const;

interface VaeCourse {
  readonly net: Net;
  readonly config: VaeConfig;
}

function residual({ net, config }: VaeCourse, path: string, x: FeatureMap, out: number): FeatureMap {
  return resnet(at(net, path), x, { out, groups: config.normNumGroups, epsilon: EPSILON });
}

/** Self-attention of all pixels with one head, added to its input. */
function pixelAttention({ net: outer, config }: VaeCourse, path: string, x: FeatureMap): FeatureMap {
  const net = at(outer, path);
  const { graph } = net;
  const { count, channels } = x;
  const length = x.height * x.width;
  const shape = { rows: count * length, in: channels, out: channels };
  const key = (name: keyof typeof ATTENTION_KEYS): string =>
    net.weights.has(`${ATTENTION_KEYS[name]}.weight`) ? ATTENTION_KEYS[name] : name;
  const tokens = toTokens(net, groupNorm(net, x, 'group_norm', config.normNumGroups, EPSILON));
  const project = (name: keyof typeof ATTENTION_KEYS): Value =>
    graph.op('Reshape', [linear(net, tokens, key(name), shape), graph.int64([count, length, channels])]);
  const mixed = attention(net, project('to_q'), project('to_k'), project('to_v'), {
    count,
    queries: length,
    keys: length,
    channels,
    heads: 1,
  });
  const projected = fromTokens(net, linear(net, mixed, key('to_out.0'), shape), x);
  return { ...x, value: add(net, projected.value, x.value) };
}

function middle(course: VaeCourse, path: string, x: FeatureMap): FeatureMap {
  const first = residual(course, `${path}.resnets.0`, x, x.channels);
  const attended = pixelAttention(course, `${path}.attentions.0`, first);
  return residual(course, `${path}.resnets.1`, attended, x.channels);
}

function ending({ net, config }: VaeCourse, side: string, x: FeatureMap, out: number): FeatureMap {
  const [norm, last] = [`${side}.conv_norm_out`, `${side}.conv_out`];
  const activated = activatedGroupNorm(net, x, norm, last, config.normNumGroups, EPSILON);
  return conv(net, activated, last, { out, kernel: 3 });
}

function begin(name: string, weights: WeightReader, config: VaeConfig, options: VaeOptions): VaeCourse {
  const factor = 2 ** (config.blockOutChannels.length - 1);
  for (const option of ['width', 'height'] as const) {
    if (options[option] % factor !== 0) {
      throw new InvalidOptionError(
        `Cannot use ${option}: expected a multiple of ${factor} pixels, got ${options[option]}`,
        option,
        options[option],
      );
    }
  }
  const { device = 'cpu', precision } = options;
  const graph = new GraphBuilder(name, { opset: opsetFor(device), precision });
  return { net: { graph, weights, device, cost: { flops: 0 } }, config };
}

function addEncoder(weights: WeightReader, config: VaeConfig, options: VaeOptions): Net {
  const course = begin('vae-encoder', weights, config, options);
  const { net } = course;
  const { graph } = net;
  const { height, width, batch: count = 1 } = options;
  const { blockOutChannels, inChannels: channels, latentChannels } = config;
  const image = graph.input('image', [count, channels, height, width]);
  let x: FeatureMap = { value: image, count, channels, height, width };
  x = conv(net, x, 'encoder.conv_in', { out: blockOutChannels[0]!, kernel: 3 });
  blockOutChannels.forEach((out, level) => {
    const block = `encoder.down_blocks.${level}`;
    for (let index = 0; index < config.layersPerBlock; index++) {
      x = residual(course, `${block}.resnets.${index}`, x, out);
    }
    if (level === blockOutChannels.length - 1) return;
    // Padded at the right and at the bottom only.
    x = conv(net, x, `${block}.downsamplers.0.conv`, { out, kernel: 3, stride: 2, padding: [0, 0, 1, 1] });
  });
  x = middle(course, 'encoder.mid_block', x);
  x = ending(course, 'encoder', x, 2 * latentChannels);
  x = conv(net, x, 'quant_conv', { out: 2 * latentChannels, kernel: 1 });
  const dims = [count, latentChannels, x.height, x.width];
  const part = (index: number): Value =>
    graph.op('Slice', [
      x.value,
      graph.int64([index * latentChannels]),
      graph.int64([(index + 1) * latentChannels]),
      graph.int64([1]),
    ]);
  graph.output('mean', part(0), dims);
  const range = LOGVAR_RANGE.map((value) => graph.scalar(value));
  graph.output('logvar', graph.op('Clip', [part(1), ...range]), dims);
  return net;
}

function addDecoder(weights: WeightReader, config: VaeConfig, options: VaeOptions): Net {
  const course = begin('vae-decoder', weights, config, options);
  const { net } = course;
  const { graph } = net;
  const { batch: count = 1 } = options;
  const { blockOutChannels, latentChannels: channels } = config;
  const last = blockOutChannels.length - 1;
  const height = options.height / 2 ** last;
  const width = options.width / 2 ** last;
  const latents = graph.input('latents', [count, channels, height, width]);
  let x: FeatureMap = { value: latents, count, channels, height, width };
  x = conv(net, x, 'post_quant_conv', { out: channels, kernel: 1 });
  x = conv(net, x, 'decoder.conv_in', { out: blockOutChannels[last]!, kernel: 3 });
  x = middle(course, 'decoder.mid_block', x);
  for (let i = 0; i <= last; i++) {
    const block = `decoder.up_blocks.${i}`;
    for (let index = 0; index <= config.layersPerBlock; index++) {
      x = residual(course, `${block}.resnets.${index}`, x, blockOutChannels[last - i]!);
    }
    if (i < last) {
      x = upsample(at(net, `${block}.upsamplers.0`), x, { height: 2 * x.height, width: 2 * x.width });
    }
  }
  x = ending(course, 'decoder', x, config.outChannels);
  graph.output('image', x.value, [count, x.channels, x.height, x.width]);
  return net;
}

const isEncoderKey = (key: string): boolean => key.startsWith('encoder.') || key.startsWith('quant_conv.');

/**
 * Graph of the encoder: `image` [batch, inChannels, H, W] in [−1, 1] to `mean` and `logvar` of the latents,
 * [batch, latentChannels, h, w], not scaled.
 *
 * @throws {@link InvalidOptionError} unless the size is a multiple of what the levels divide by.
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights of the encoder.
 */
export function buildVaeEncoder(config: VaeConfig, weights: WeightSource, options: VaeOptions): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addEncoder(reader, config, options);
  reader.finish('VAE encoder', isEncoderKey);
  return graph;
}

/**
 * Graph of the decoder: `latents` [batch, latentChannels, h, w], divided by the scaling factor, to `image`
 * [batch, outChannels, H, W], about −1 to 1 and not clamped.
 *
 * @throws {@link InvalidOptionError} unless the size is a multiple of what the levels divide by.
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights of the decoder.
 */
export function buildVaeDecoder(config: VaeConfig, weights: WeightSource, options: VaeOptions): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addDecoder(reader, config, options);
  reader.finish('VAE decoder', (key) => !isEncoderKey(key));
  return graph;
}

/** Weights of encoder and decoder, and the operations of one run of each at the size of `options`; reads nothing. */
export function describeVae(
  config: VaeConfig,
  options: VaeOptions,
): { readonly encoder: NetworkDescription; readonly decoder: NetworkDescription } {
  const describe = ({ weights, cost }: Net): NetworkDescription => ({
    weights: weights.specs(),
    flops: cost.flops,
  });
  return {
    encoder: describe(addEncoder(WeightReader.listing(), config, options)),
    decoder: describe(addDecoder(WeightReader.listing(), config, options)),
  };
}
