/**
 * Blocks that the networks share: residual blocks, spatial and temporal transformers, resampling, time embedding.
 *
 * Source: ResnetBlock2D, Transformer2DModel and Timesteps of diffusers 0.24; the inflated blocks, motion module and
 * reference attention of AniPortrait, commit 7f6593f.
 */
import type { Value } from '../onnx/graph.ts';
import { feedForwardOnGrid, gatedFeedForward, prefersGrid } from './feed-forward.ts';
import {
  activatedGroupNorm,
  add,
  at,
  attention,
  conv,
  type FeatureMap,
  fromTokens,
  groupNorm,
  inPieces,
  layerNorm,
  linear,
  type Net,
  silu,
  toTokens,
  weight,
} from './layers.ts';

/** eps of the group norm that opens a transformer, spatial or temporal. */
const TRANSFORMER_EPSILON = 1e-6;

/** Settings of a residual block. */
interface ResnetOptions {
  readonly out: number;
  readonly groups: number;
  readonly epsilon: number;
  /** SiLU of the time embedding [1, width], and its width; none in a VAE. */
  readonly time?: { readonly value: Value; readonly width: number } | undefined;
}

/** Norm, SiLU, convolution (+ time), norm, SiLU, convolution, + input through a 1×1 convolution if widths differ. */
export function resnet(net: Net, x: FeatureMap, { out, groups, epsilon, time }: ResnetOptions): FeatureMap {
  const { graph } = net;
  const normed = (map: FeatureMap, norm: string, next: string): FeatureMap =>
    activatedGroupNorm(net, map, norm, next, groups, epsilon);
  let hidden = conv(net, normed(x, 'norm1', 'conv1'), 'conv1', { out, kernel: 3 });
  if (time !== undefined) {
    const shift = linear(net, time.value, 'time_emb_proj', { rows: 1, in: time.width, out });
    const column = graph.op('Reshape', [shift, graph.int64([1, out, 1, 1])]);
    hidden = { ...hidden, value: add(net, hidden.value, column) };
  }
  hidden = conv(net, normed(hidden, 'norm2', 'conv2'), 'conv2', { out, kernel: 3 });
  const shortcut = x.channels === out ? x : conv(net, x, 'conv_shortcut', { out, kernel: 1 });
  return { ...hidden, value: add(net, shortcut.value, hidden.value) };
}

/** What the self-attention of a spatial transformer reads in addition to the image's own tokens: those of one reference. */
export type ReferenceTokens =
  | { readonly kind: 'bank'; readonly bank: Value; readonly length: number }
  | { readonly kind: 'keys-values'; readonly key: Value; readonly value: Value; readonly length: number };

/** Cross attention to one token, which is the same vector for every query. */
export interface SingleTokenContext {
  /** Width of the token. */
  readonly width: number;
  /** Clips; token `i` belongs to the images of clip `i`. */
  readonly batch: number;
  /** [batch, width]; without it the token is all zeros. */
  readonly token: Value | undefined;
}

/**
 * How a spatial transformer computes its two attentions; every form gives the same numbers. `net` is the sub-module
 * `transformer_blocks.0`.
 */
export interface AttentionForms {
  /**
   * Self-attention of every image to itself and, after its own tokens, to those of the reference.
   *
   * @param normed - norm1 of the tokens, [count · length, channels].
   * @returns rows of that shape.
   */
  attendSelf(
    net: Net,
    normed: Value,
    shape: TokenShape,
    options: Pick<SpatialTransformerOptions, 'heads' | 'reference'>,
  ): Value;
  /** Adds cross attention to one token to `tokens`, [count · length, channels]. */
  addContext(net: Net, tokens: Value, shape: TokenShape, context: SingleTokenContext, heads: number): Value;
}

/** Settings of a spatial transformer. */
interface SpatialTransformerOptions {
  readonly heads: number;
  readonly groups: number;
  /** Width of the tokens. @defaultValue that of the image */
  readonly inner?: number;
  /** Without it, the block has no cross attention. */
  readonly context?: SingleTokenContext | undefined;
  readonly reference?: ReferenceTokens | undefined;
  /** @defaultValue {@link FAST_ATTENTION} */
  readonly forms?: AttentionForms;
}

/** Shape of tokens, [count · length, channels]. */
export interface TokenShape {
  readonly count: number;
  readonly length: number;
  readonly channels: number;
}

/** Cross attention to one token: softmax over one key is 1, so queries and keys do not matter. Source: `Attention`. */
function addContext(
  net: Net,
  tokens: Value,
  { count, length, channels: inner }: TokenShape,
  context: SingleTokenContext,
): Value {
  const { graph, weights } = net;
  const { width, batch, token } = context;
  weights.declare('norm2.weight', [inner]);
  weights.declare('norm2.bias', [inner]);
  weights.declare('attn2.to_q.weight', [inner, inner]);
  weights.declare('attn2.to_k.weight', [inner, width]);
  if (token === undefined) {
    // A token of zeros leaves the bias alone.
    weights.declare('attn2.to_v.weight', [inner, width]);
    weights.declare('attn2.to_out.0.weight', [inner, inner]);
    return add(net, tokens, weight(net, 'attn2.to_out.0.bias', [inner]));
  }
  const value = linear(net, token, 'attn2.to_v', { rows: batch, in: width, out: inner, bias: false });
  const vector = linear(net, value, 'attn2.to_out.0', { rows: batch, in: inner, out: inner });
  if (batch === 1) return add(net, tokens, vector);
  const clips = graph.op('Reshape', [tokens, graph.int64([batch, (count / batch) * length, inner])]);
  const sum = add(net, clips, graph.op('Reshape', [vector, graph.int64([batch, 1, inner])]));
  return graph.op('Reshape', [sum, graph.int64([count * length, inner])]);
}

/** Self-attention of every image to itself and, after its own tokens, to those of the reference. */
function attendSelf(
  net: Net,
  normed: Value,
  { count, length, channels: inner }: TokenShape,
  { heads, reference }: Pick<SpatialTransformerOptions, 'heads' | 'reference'>,
): Value {
  const { graph } = net;
  const rows = count * length;
  const stack = (x: Value): Value => graph.op('Reshape', [x, graph.int64([count, length, inner])]);
  const project = (x: Value, what: string, of: number): Value =>
    linear(net, x, `attn1.${what}`, { rows: of, in: inner, out: inner, bias: false });
  const query = stack(project(normed, 'to_q', rows));
  let key = stack(project(normed, 'to_k', rows));
  let value = stack(project(normed, 'to_v', rows));
  let keys = length;
  if (reference !== undefined) {
    const append = (own: Value, what: 'to_k' | 'to_v'): Value => {
      let added: Value;
      if (reference.kind === 'bank') {
        const bank = graph.op('Reshape', [reference.bank, graph.int64([reference.length, inner])]);
        const projected = project(bank, what, reference.length);
        added = graph.op('Reshape', [projected, graph.int64([1, reference.length, inner])]);
      } else {
        added = what === 'to_k' ? reference.key : reference.value;
      }
      const shared = graph.op('Expand', [added, graph.int64([count, reference.length, inner])]);
      return graph.op('Concat', [own, shared], { axis: 1 });
    };
    key = append(key, 'to_k');
    value = append(value, 'to_v');
    keys += reference.length;
  }
  const mixed = attention(net, query, key, value, { count, queries: length, keys, channels: inner, heads });
  return linear(net, mixed, 'attn1.to_out.0', { rows, in: inner, out: inner });
}

/** Projects a reference once, and leaves out what does not change the result. */
export const FAST_ATTENTION: AttentionForms = { attendSelf, addContext };

/** First part of a spatial transformer: the tokens, and norm1 of them, which a reference network stores. */
export function transformerTokens(
  net: Net,
  x: FeatureMap,
  { groups, inner = x.channels }: SpatialTransformerOptions,
): { readonly tokens: Value; readonly normed: Value } {
  const rows = x.count * x.height * x.width;
  const normed = groupNorm(net, x, 'norm', groups, TRANSFORMER_EPSILON);
  const tokens = linear(net, toTokens(net, normed), 'proj_in', {
    rows,
    in: x.channels,
    out: inner,
    convolution: true,
  });
  return { tokens, normed: layerNorm(at(net, 'transformer_blocks.0'), tokens, 'norm1', inner) };
}

/** Group norm, projection to tokens, one transformer block (`transformer_blocks.0`), projection back, + input. */
export function spatialTransformer(net: Net, x: FeatureMap, options: SpatialTransformerOptions): FeatureMap {
  const { channels, count } = x;
  const { inner = channels, heads, context, forms = FAST_ATTENTION } = options;
  const length = x.height * x.width;
  const rows = count * length;
  const shape = { count, length, channels: inner };
  const block = at(net, 'transformer_blocks.0');
  const { tokens: projected, normed } = transformerTokens(net, x, options);
  let tokens = add(net, projected, forms.attendSelf(block, normed, shape, options));
  if (context !== undefined) tokens = forms.addContext(block, tokens, shape, context, heads);
  if (prefersGrid(net, inner)) {
    const value = feedForwardOnGrid(block, {
      tokens,
      norm: 'norm3',
      inner,
      grid: [count, x.height, x.width],
      projection: { net, out: channels, convolution: true },
    });
    return { ...x, value: add(net, value, x.value) };
  }
  const fed = gatedFeedForward(block, layerNorm(block, tokens, 'norm3', inner), 'ff', rows, inner);
  tokens = linear(net, add(net, tokens, fed), 'proj_out', {
    rows,
    in: inner,
    out: channels,
    convolution: true,
  });
  return { ...x, value: add(net, fromTokens(net, tokens, x).value, x.value) };
}

/** Settings of a motion module. */
interface MotionModuleOptions {
  /** Clips; attention runs over the frames of one clip. */
  readonly batch: number;
  readonly heads: number;
  readonly groups: number;
  /** Temporal self-attentions in a row. */
  readonly attentionBlocks: number;
  /** Rows of the stored positional table; at least the frames of a clip. */
  readonly tableLength: number;
}

/**
 * Temporal transformer: self-attention over the frames at every pixel, with a sinusoidal table added to queries, keys
 * and values by the frame's position in the window. Weights below `temporal_transformer`.
 */
export function motionModule(outer: Net, x: FeatureMap, options: MotionModuleOptions): FeatureMap {
  const net = at(outer, 'temporal_transformer');
  const normed = groupNorm(net, x, 'norm', options.groups, TRANSFORMER_EPSILON);
  const moved = inPieces(net, normed, 2, (piece) => attendOverFrames(net, piece, options));
  return { ...x, value: add(net, moved.value, x.value) };
}

/** The module without its group norm and the sum with its input: pixels do not see each other. */
function attendOverFrames(
  net: Net,
  x: FeatureMap,
  { batch, heads, attentionBlocks, tableLength }: MotionModuleOptions,
): FeatureMap {
  const { graph } = net;
  const { channels, count, height, width } = x;
  const frames = count / batch;
  const pixels = height * width;
  const rows = count * pixels;
  const square = { rows, in: channels, out: channels };
  const sequences = batch * pixels;
  const stack = (value: Value): Value =>
    graph.op('Reshape', [value, graph.int64([sequences, frames, channels])]);
  const unstack = (value: Value): Value => graph.op('Reshape', [value, graph.int64([rows, channels])]);

  const clips = graph.op('Reshape', [x.value, graph.int64([batch, frames, channels, pixels])]);
  const byPixel = unstack(graph.op('Transpose', [clips], { perm: [0, 3, 1, 2] }));
  let tokens = linear(net, byPixel, 'proj_in', square);

  const block = at(net, 'transformer_blocks.0');
  for (let i = 0; i < attentionBlocks; i++) {
    const attend = at(block, `attention_blocks.${i}`);
    // The whole table, so that windows of every length have the same weights.
    const table = weight(attend, 'pos_encoder.pe', [1, tableLength, channels]);
    const positions = graph.op('Slice', [table, graph.int64([0]), graph.int64([frames]), graph.int64([1])]);
    const placed = unstack(add(net, stack(layerNorm(block, tokens, `norms.${i}`, channels)), positions));
    const project = (what: string): Value => stack(linear(attend, placed, what, { ...square, bias: false }));
    const mixed = attention(attend, project('to_q'), project('to_k'), project('to_v'), {
      count: sequences,
      queries: frames,
      keys: frames,
      channels,
      heads,
      short: true,
    });
    tokens = add(net, tokens, linear(attend, mixed, 'to_out.0', square));
  }
  const turn = (value: Value, perm: readonly number[]): FeatureMap => {
    const turned = graph.op('Transpose', [value], { perm });
    return { ...x, value: graph.op('Reshape', [turned, graph.int64([count, channels, height, width])]) };
  };
  if (prefersGrid(net, channels)) {
    const value = feedForwardOnGrid(block, {
      tokens,
      norm: 'ff_norm',
      inner: channels,
      grid: [batch, pixels, frames],
      projection: { net, out: channels },
    });
    return turn(value, [0, 3, 1, 2]);
  }
  const fed = gatedFeedForward(block, layerNorm(block, tokens, 'ff_norm', channels), 'ff', rows, channels);
  tokens = linear(net, add(net, tokens, fed), 'proj_out', square);
  return turn(graph.op('Reshape', [tokens, graph.int64([batch, pixels, frames, channels])]), [0, 2, 3, 1]);
}

/** 3×3 convolution with stride 2: the size is halved, rounded up. */
export function downsample(net: Net, x: FeatureMap): FeatureMap {
  return conv(net, x, 'conv', { out: x.channels, kernel: 3, stride: 2 });
}

/**
 * Sinusoids of the timestep, cosines first, `ω_k = 10000^(−k / half)`.
 *
 * @param timestep - [count], float32 in every precision: angles of large timesteps need its digits.
 * @returns [count, width].
 */
export function timestepSinusoids(net: Net, timestep: Value, count: number, width: number): Value {
  const { graph } = net;
  const half = width / 2;
  const frequencies = Float32Array.from({ length: half }, (_, k) => Math.exp((-Math.log(10000) * k) / half));
  const column = graph.op('Reshape', [timestep, graph.int64([count, 1])]);
  const angles = graph.op('Mul', [column, graph.float32(`frequencies:${half}`, frequencies, [1, half])]);
  const both = graph.op('Concat', [graph.op('Cos', [angles]), graph.op('Sin', [angles])], { axis: 1 });
  return graph.precision === 'float32' ? both : graph.cast(both, graph.precision);
}

/** A distilled network's condition in addition to the timestep, and its width. Source: `time_cond_proj_dim` of diffusers. */
export interface TimeCondition {
  /** [rows, width]. */
  readonly value: Value;
  readonly width: number;
}

/** Settings of {@link timeMlp}. */
interface TimeMlpOptions {
  readonly rows: number;
  readonly width: number;
  readonly out: number;
  /** Projected by `cond_proj` and added to the sinusoids. */
  readonly condition?: TimeCondition | undefined;
}

/** Two linear layers with SiLU between them; weights `linear_1` and `linear_2`. */
export function timeMlp(net: Net, sinusoids: Value, { rows, width, out, condition }: TimeMlpOptions): Value {
  let x = sinusoids;
  if (condition !== undefined) {
    const shape = { rows, in: condition.width, out: width, bias: false };
    x = add(net, x, linear(net, condition.value, 'cond_proj', shape));
  }
  const hidden = silu(net, linear(net, x, 'linear_1', { rows, in: width, out }));
  return linear(net, hidden, 'linear_2', { rows, in: out, out });
}
