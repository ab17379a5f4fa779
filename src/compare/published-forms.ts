/**
 * The denoising UNet's attentions and upsampling the way AniPortrait's program computes them, for measuring what leaving
 * out their waste saves: the results are those of the forms in models/. They expect both guidance branches in one batch,
 * the unconditional one first, and banks for a reference.
 *
 * Source: ReferenceAttentionControl (`hacked_basic_transformer_inner_forward`, mode `read`) of AniPortrait, commit
 * 7f6593f, and `Attention` of diffusers 0.24.
 */
import { FAST_ATTENTION, type SingleTokenContext, type TokenShape } from '../models/blocks.ts';
import type { UnetForms } from '../models/denoising-unet.ts';
import { add, attention, layerNorm, linear, type Net } from '../models/layers.ts';
import { resizeAndConvolve } from '../models/upsample.ts';
import type { Value } from '../onnx/graph.ts';

/**
 * Attention of all images to themselves and the reference, whose tokens are repeated for every image before they are
 * projected; then once more, without the reference, for the unconditional branch of the batch, which replaces the first
 * result.
 */
const attendSelf: UnetForms['attendSelf'] = (
  net,
  normed,
  { count, length, channels: inner },
  { heads, reference },
) => {
  if (reference?.kind !== 'bank') throw new Error('the published form attends to banks');
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

  const unconditional = count / 2;
  const rows = unconditional * length;
  const part = (x: Value, from: number, to: number): Value =>
    graph.op('Slice', [x, graph.int64([from]), graph.int64([to]), graph.int64([0])]);
  const without = part(normed, 0, rows);
  const again = attend(without, unconditional, without, length);
  return graph.op('Concat', [again, part(all, rows, count * length)], { axis: 0 });
};

/**
 * Adds cross attention to one token, repeated for the images of each clip, with queries and keys computed although a
 * softmax over one key is always 1.
 */
function addContext(
  net: Net,
  tokens: Value,
  shape: TokenShape,
  context: SingleTokenContext,
  heads: number,
): Value {
  const { graph } = net;
  const { count, length, channels: inner } = shape;
  const { batch: clips, token, width } = context;
  // The program has no form of its own for a network without an embedding.
  if (token === undefined) return FAST_ATTENTION.addContext(net, tokens, shape, context, heads);
  const normed = layerNorm(net, tokens, 'norm2', inner);
  const query = linear(net, normed, 'attn2.to_q', {
    rows: count * length,
    in: inner,
    out: inner,
    bias: false,
  });
  const frames = count / clips;
  const repeated = graph.op('Expand', [
    graph.op('Reshape', [token, graph.int64([clips, 1, width])]),
    graph.int64([clips, frames, width]),
  ]);
  const embeds = graph.op('Reshape', [repeated, graph.int64([count, width])]);
  const project = (what: string): Value =>
    graph.op('Reshape', [
      linear(net, embeds, `attn2.${what}`, { rows: count, in: width, out: inner, bias: false }),
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

/** See the module. */
export const PUBLISHED_FORMS: UnetForms = { attendSelf, addContext, upsample: resizeAndConvolve };

/** Options that a denoising UNet of this form is built with. */
export const PUBLISHED_UNET = {
  forms: PUBLISHED_FORMS,
  reference: 'banks',
  batch: 2,
  imageEmbeds: 'input',
} as const;
