/**
 * The reference UNet: runs once on the portrait's latents and gives, for every spatial transformer, the tokens that the
 * denoising UNet attends to in addition to its own.
 *
 * Source: ReferenceNet and ReferenceAttentionControl (mode `write`) of AniPortrait, commit 7f6593f.
 */
import { GraphBuilder, type Precision, type Value } from '../onnx/graph.ts';
import type { Device } from '../runtime/device.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { spatialTransformer, transformerTokens } from './blocks.ts';
import { at, type FeatureMap, type Net, opsetFor } from './layers.ts';
import { runUnet, timeEmbedding } from './unet.ts';
import { assertUnetConfig, attentionSites, type SpatialSize, type UnetConfig } from './unet-config.ts';
import { type NetworkDescription, WeightReader } from './weight-reader.ts';

/** Options of {@link buildReferenceUnet}; the size is that of the latents. */
interface ReferenceUnetOptions extends SpatialSize {
  /** Portraits. @defaultValue 1 */
  readonly batch?: number;
  /** Weights of the denoising UNet: outputs are then keys and values, projected with its attention layers. */
  readonly project?: WeightSource | undefined;
  /** @defaultValue 'cpu' */
  readonly device?: Device;
  /** @defaultValue 'float32' */
  readonly precision?: Precision | undefined;
}

/** For what comes after the last bank and has no reader: its weights are accounted for and not read. */
function discarding(net: Net): Net {
  return {
    ...net,
    graph: new GraphBuilder('discarded', { precision: net.graph.precision }),
    weights: net.weights.declaring(),
    cost: { flops: 0 },
  };
}

function addReferenceUnet(
  weights: WeightReader,
  projection: WeightReader | undefined,
  config: UnetConfig,
  { height, width, batch = 1, device = 'cpu', precision }: ReferenceUnetOptions,
): Net {
  assertUnetConfig(config);
  const graph = new GraphBuilder('reference-unet', { opset: opsetFor(device), precision });
  const net: Net = { graph, weights, device, cost: { flops: 0 } };
  const { inChannels, crossAttentionDim, normNumGroups: groups } = config;
  const latents = graph.input('latents', [batch, inChannels, height, width]);
  const token =
    crossAttentionDim === null ? undefined : graph.input('image_embeds', [batch, crossAttentionDim]);
  const context = crossAttentionDim === null ? undefined : { width: crossAttentionDim, batch, token };
  const lastBank = attentionSites(config, { height, width }).at(-1)?.path;

  const store = (path: string, tokens: Value, { channels, ...size }: FeatureMap): void => {
    const length = size.height * size.width;
    const dims = [batch, length, channels];
    const output = (name: string, value: Value): void =>
      graph.output(name, graph.op('Reshape', [value, graph.int64(dims)]), dims);
    if (projection === undefined) {
      output(`bank:${path}`, tokens);
      return;
    }
    const reader = projection.at(`${path}.transformer_blocks.0.attn1`);
    // Initializers have the key for a name, and the two networks have the same keys.
    const project = (key: string): Value => {
      const { read } = reader.take(`${key}.weight`, [channels, channels]);
      const weight = graph.weight(`denoising-unet:${reader.name(key)}`, read, [channels, channels]);
      net.cost.flops += 2 * batch * length * channels * channels;
      return graph.op('Gemm', [tokens, weight], { transB: 1 });
    };
    output(`key:${path}`, project('to_k'));
    output(`value:${path}`, project('to_v'));
  };

  const course = {
    net,
    config,
    batch,
    motion: false,
    transform(path: string, x: FeatureMap, heads: number): FeatureMap {
      const options = { heads, groups, context };
      const { normed } = transformerTokens(at(course.net, path), x, options);
      store(path, normed, x);
      if (path === lastBank) course.net = discarding(net);
      return spatialTransformer(at(course.net, path), x, options);
    },
  };
  runUnet(
    course,
    { value: latents, count: batch, channels: inChannels, height, width },
    timeEmbedding(net, graph.float32('timestep:0', new Float32Array(1), [1]), config),
  );
  return net;
}

/**
 * Graph of the reference UNet at timestep 0, cut off after its last bank.
 *
 * Inputs: `latents` [batch, inChannels, height, width], and `image_embeds` [batch, crossAttentionDim] where the
 * configuration has cross attention. Outputs for every module path of {@link attentionSites}: `bank:<path>`
 * [batch, tokens, channels], or with `project` the pair `key:<path>` and `value:<path>` of that shape.
 *
 * @param config - that of the denoising UNet; motion modules are left out.
 * @throws {@link InvalidOptionError} if the configuration contradicts itself.
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights.
 */
export function buildReferenceUnet(
  config: UnetConfig,
  weights: WeightSource,
  options: ReferenceUnetOptions,
): GraphBuilder {
  const reader = WeightReader.open(weights);
  const projection = options.project === undefined ? undefined : WeightReader.open(options.project);
  const { graph } = addReferenceUnet(reader, projection, config, options);
  reader.finish('reference UNet');
  projection?.finish('reference projection of the denoising UNet', () => false);
  return graph;
}

/** Weights of the reference UNet, and the operations of one run at the size of `options`; reads nothing. */
export function describeReferenceUnet(config: UnetConfig, options: ReferenceUnetOptions): NetworkDescription {
  const projection = options.project === undefined ? undefined : WeightReader.listing();
  const { weights, cost } = addReferenceUnet(WeightReader.listing(), projection, config, options);
  return { weights: weights.specs(), flops: cost.flops };
}
