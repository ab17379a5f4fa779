/** Parts of the networks as the original computes them, where this program saves work: for tests and measurements. */

import { add, attention, layerNorm, linear, type Net } from '../../src/models/layers.ts';
import type { Value } from '../../src/onnx/graph.ts';

/** Shape of {@link plainCrossAttention}. */
export interface CrossAttentionShape {
  readonly count: number;
  readonly length: number;
  readonly channels: number;
  readonly heads: number;
  readonly contextWidth: number;
}

/**
 * Cross attention of all tokens to one, with queries, keys and softmax; weights `norm2` and `attn2` of a transformer
 * block.
 *
 * @param tokens - [count · length, channels].
 * @param token - [1, contextWidth].
 */
export function plainCrossAttention(
  net: Net,
  tokens: Value,
  token: Value,
  { count, length, channels, heads, contextWidth }: CrossAttentionShape,
): Value {
  const { graph } = net;
  const rows = count * length;
  const normed = layerNorm(net, tokens, 'norm2', channels);
  const query = linear(net, normed, 'attn2.to_q', { rows, in: channels, out: channels, bias: false });
  const project = (name: string): Value => {
    const shape = { rows: 1, in: contextWidth, out: channels, bias: false };
    const value = graph.op('Reshape', [
      linear(net, token, `attn2.${name}`, shape),
      graph.int64([1, 1, channels]),
    ]);
    return graph.op('Expand', [value, graph.int64([count, 1, channels])]);
  };
  const stacked = graph.op('Reshape', [query, graph.int64([count, length, channels])]);
  const mixed = attention(net, stacked, project('to_k'), project('to_v'), {
    count,
    queries: length,
    keys: 1,
    channels,
    heads,
  });
  return add(net, tokens, linear(net, mixed, 'attn2.to_out.0', { rows, in: channels, out: channels }));
}
