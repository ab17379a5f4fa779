/**
 * The attentions of a spatial transformer the way AniPortrait's program computes them, for measuring what leaving out
 * their waste saves: the results are those of blocks.ts.
 *
 * Source: ReferenceAttentionControl (`hacked_basic_transformer_inner_forward`, mode `read`) of AniPortrait, commit
 * 7f6593f, and `Attention` of diffusers 0.24.
 */
import type { Value } from '../onnx/graph.ts';
import { add, attention, layerNorm, linear, type Net } from './layers.ts';

/** Size of the tokens: images, tokens of each, and their width. */
export interface TokenSize {
  readonly count: number;
  readonly length: number;
  readonly inner: number;
}

/** The reference, as every image of both guidance branches is given it. */
export interface PublishedReference {
  readonly kind: 'published';
  /** [1, length, channels] */
  readonly bank: Value;
  readonly length: number;
  /** Images at the beginning of the batch that do not see the reference. */
  readonly unconditional: number;
}

/**
 * Attention of all images to themselves and the reference, whose tokens are repeated for every image before they are
 * projected; then once more, without the reference, for the unconditional half, which replaces the first result.
 */
export function publishedSelfAttention(
  net: Net,
  normed: Value,
  { count, length, inner }: TokenSize,
  heads: number,
  reference: PublishedReference,
): Value {
  const { graph } = net;
  const attend = (queries: Value, images: number, context: Value, keys: number): Value => {
    const project = (x: Value, what: string, of: number): Value =>
      graph.op('Reshape', [
        linear(net, x, `attn1.${what}`, { rows: images * of, in: inner, out: inner, bias: false }),
        graph.int64([images, of, inner]),
      ]);
    const mixed = attention(
      net,
      project(queries, 'to_q', length),
      project(context, 'to_k', keys),
      project(context, 'to_v', keys),
      { count: images, queries: length, keys, channels: inner, heads },
    );
    return linear(net, mixed, 'attn1.to_out.0', { rows: images * length, in: inner, out: inner });
  };

  const keys = length + reference.length;
  const repeated = graph.op('Expand', [reference.bank, graph.int64([count, reference.length, inner])]);
  const own = graph.op('Reshape', [normed, graph.int64([count, length, inner])]);
  const joined = graph.op('Concat', [own, repeated], { axis: 1 });
  const context = graph.op('Reshape', [joined, graph.int64([count * keys, inner])]);
  const all = attend(normed, count, context, keys);
  if (reference.unconditional === 0) return all;

  const rows = reference.unconditional * length;
  const part = (x: Value, from: number, to: number): Value =>
    graph.op('Slice', [x, graph.int64([from]), graph.int64([to]), graph.int64([0])]);
  const half = part(normed, 0, rows);
  const again = attend(half, reference.unconditional, half, length);
  return graph.op('Concat', [again, part(all, rows, count * length)], { axis: 0 });
}

/**
 * Adds cross attention to one token, with queries and keys computed although a softmax over one key is always 1.
 *
 * @param token - [clips, width]; repeated for the images of each clip.
 */
export function publishedCrossAttention(
  net: Net,
  tokens: Value,
  { count, length, inner }: TokenSize,
  heads: number,
  token: { readonly value: Value; readonly clips: number; readonly width: number },
): Value {
  const { graph } = net;
  const { clips, width } = token;
  const normed = layerNorm(net, tokens, 'norm2', inner);
  const query = linear(net, normed, 'attn2.to_q', {
    rows: count * length,
    in: inner,
    out: inner,
    bias: false,
  });
  const frames = count / clips;
  const repeated = graph.op('Expand', [
    graph.op('Reshape', [token.value, graph.int64([clips, 1, width])]),
    graph.int64([clips, frames, width]),
  ]);
  const context = graph.op('Reshape', [repeated, graph.int64([count, width])]);
  const project = (what: string): Value =>
    graph.op('Reshape', [
      linear(net, context, `attn2.${what}`, { rows: count, in: width, out: inner, bias: false }),
      graph.int64([count, 1, inner]),
    ]);
  const mixed = attention(
    net,
    graph.op('Reshape', [query, graph.int64([count, length, inner])]),
    project('to_k'),
    project('to_v'),
    { count, queries: length, keys: 1, channels: inner, heads },
  );
  const out = linear(net, mixed, 'attn2.to_out.0', { rows: count * length, in: inner, out: inner });
  return add(net, tokens, out);
}
