/**
 * The speech encoder of AniPortrait's motion networks: wav2vec 2.0, whose features are brought to the video's frame rate
 * before its transformer. Two graphs, because the interpolation between them needs the number of frames.
 *
 * Source: `Wav2Vec2Model` of AniPortrait, commit 7f6593f, and of Hugging Face transformers; Baevski et al. 2020,
 * arXiv:2006.11477.
 */
import { floatAttribute, type Value } from '../onnx/graph.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Wav2Vec2Config } from './audio-config.ts';
import { add, at, attention, layerNorm, linear, type Net, weight } from './layers.ts';

const EPSILON = floatAttribute(1e-5);
/** The two spellings of a weight norm's factors: length, then direction. */
const WEIGHT_NORM_KEYS = [
  ['weight_g', 'weight_v'],
  ['parametrizations.weight.original0', 'parametrizations.weight.original1'],
] as const;

/** Feature vectors that `samples` samples give; 0 if there are too few. */
export function featureCount({ convKernels, convStrides }: Wav2Vec2Config, samples: number): number {
  return convKernels.reduce(
    (length, kernel, i) => (length < kernel ? 0 : Math.floor((length - kernel) / convStrides[i]!) + 1),
    samples,
  );
}

/**
 * Brings features to another number of frames by linear interpolation between the first and the last.
 *
 * @param features - [1, n, channels].
 * @returns [1, frames, channels].
 * Source: `linear_interpolation` of AniPortrait; positions are float32 as in `torch.nn.functional.interpolate`.
 */
export function interpolateFeatures({ data, dims }: Tensor, frames: number): Tensor {
  const [, count, channels] = dims as [number, number, number];
  const out = new Float32Array(frames * channels);
  const scale = frames > 1 ? Math.fround((count - 1) / (frames - 1)) : 0;
  for (let frame = 0; frame < frames; frame++) {
    const position = Math.fround(scale * frame);
    const low = Math.min(Math.floor(position), count - 1);
    const high = Math.min(low + 1, count - 1);
    const fraction = Math.fround(position - low);
    for (let c = 0; c < channels; c++) {
      out[frame * channels + c] =
        (1 - fraction) * data[low * channels + c]! + fraction * data[high * channels + c]!;
    }
  }
  return { data: out, dims: [1, frames, channels] };
}

/**
 * Adds the convolutions: `audio` [1, samples] to features [1, n, channels]. `samples` is for the account of the work;
 * the graph takes any number.
 */
export function addFeatureExtractor(net: Net, config: Wav2Vec2Config, audio: Value, samples: number): Value {
  const { graph } = net;
  const { convChannels, convKernels, convStrides } = config;
  let x = graph.op('Unsqueeze', [audio, graph.int64([1])]);
  let channels = 1;
  let length = samples;
  convChannels.forEach((out, index) => {
    const layer = at(net, `feature_extractor.conv_layers.${index}`);
    const kernel = convKernels[index]!;
    x = graph.op('Conv', [x, weight(layer, 'conv.weight', [out, channels, kernel])], {
      kernel_shape: [kernel],
      strides: [convStrides[index]!],
    });
    length = Math.floor((length - kernel) / convStrides[index]!) + 1;
    net.cost.flops += 2 * length * out * channels * kernel;
    if (index === 0) {
      // A group norm with one group for each channel.
      const scale = weight(layer, 'layer_norm.weight', [out]);
      const bias = weight(layer, 'layer_norm.bias', [out]);
      x = graph.op('InstanceNormalization', [x, scale, bias], { epsilon: EPSILON });
    }
    x = graph.op('Gelu', [x]);
    channels = out;
  });
  return graph.op('Transpose', [x], { perm: [0, 2, 1] });
}

/** The positional convolution's weight [width, width / groups, kernel], put together from length and direction. */
function positionalWeight(net: Net, dims: readonly [number, number, number]): Value {
  const [out, within, kernel] = dims;
  const [length, direction] = WEIGHT_NORM_KEYS.find(([key]) => net.weights.has(key)) ?? WEIGHT_NORM_KEYS[0];
  const g = net.weights.take(length, [1, 1, kernel]);
  const v = net.weights.take(direction, dims);
  const fold = (): Float32Array => {
    const lengths = g.read();
    const directions = v.read();
    const squares = new Float64Array(kernel);
    for (let i = 0; i < directions.length; i++) squares[i % kernel]! += directions[i]! ** 2;
    const factors = squares.map((sum, k) => lengths[k]! / Math.sqrt(sum));
    return directions.map((value, i) => value * factors[i % kernel]!);
  };
  return net.graph.weight(net.weights.name('weight'), fold, [out, within, kernel]);
}

/**
 * Adds projection and transformer: `features` [1, frames, channels] to hidden states [frames, hiddenSize]. `frames` is
 * for the account of the work; the graph takes any number.
 */
export function addSpeechEncoder(net: Net, config: Wav2Vec2Config, features: Value, frames: number): Value {
  const { graph } = net;
  const { hiddenSize: width, numHeads: heads, intermediateSize: inner } = config;
  const channels = config.convChannels.at(-1)!;
  const projection = at(net, 'feature_projection');
  net.weights.declare('masked_spec_embed', [width]);
  const flat = graph.op('Reshape', [features, graph.int64([-1, channels])]);
  const projected = linear(projection, layerNorm(projection, flat, 'layer_norm', channels), 'projection', {
    rows: frames,
    in: channels,
    out: width,
  });

  const encoder = at(net, 'encoder');
  const positional = at(encoder, 'pos_conv_embed.conv');
  const { positionalKernel: kernel, positionalGroups: group } = config;
  const turned = graph.op('Unsqueeze', [
    graph.op('Transpose', [projected], { perm: [1, 0] }),
    graph.int64([0]),
  ]);
  const convolved = graph.op(
    'Conv',
    [
      turned,
      positionalWeight(positional, [width, width / group, kernel]),
      weight(positional, 'bias', [width]),
    ],
    { group, kernel_shape: [kernel], pads: [kernel / 2, kernel / 2] },
  );
  net.cost.flops += (2 * frames * width * width * kernel) / group;
  // An even kernel gives one output too many.
  const kept = graph.op('Slice', [convolved, graph.int64([0]), graph.int64([-1]), graph.int64([2])]);
  const places = graph.op('Transpose', [graph.op('Squeeze', [graph.op('Gelu', [kept]), graph.int64([0])])], {
    perm: [1, 0],
  });
  let x = layerNorm(encoder, add(net, projected, places), 'layer_norm', width);

  const stack = (value: Value): Value => graph.op('Reshape', [value, graph.int64([1, -1, width])]);
  const square = { rows: frames, in: width, out: width };
  for (let index = 0; index < config.numLayers; index++) {
    const layer = at(encoder, `layers.${index}`);
    const project = (name: string): Value => stack(linear(layer, x, `attention.${name}`, square));
    const mixed = attention(layer, project('q_proj'), project('k_proj'), project('v_proj'), {
      count: 1,
      queries: frames,
      keys: frames,
      channels: width,
      heads,
    });
    const attended = add(net, x, linear(layer, mixed, 'attention.out_proj', square));
    x = layerNorm(layer, attended, 'layer_norm', width);
    const hidden = linear(layer, x, 'feed_forward.intermediate_dense', {
      rows: frames,
      in: width,
      out: inner,
    });
    const fed = linear(layer, graph.op('Gelu', [hidden]), 'feed_forward.output_dense', {
      rows: frames,
      in: inner,
      out: width,
    });
    x = layerNorm(layer, add(net, x, fed), 'final_layer_norm', width);
  }
  return x;
}
