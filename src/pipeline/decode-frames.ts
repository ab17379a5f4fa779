/** From clean latents to what the scene composes of. */
import type { DenoisedFrame } from '../denoising/denoise-clip.ts';
import { blendBetween, fillBetween } from '../denoising/fill-between.ts';
import type { ClipNetworks } from '../networks/clip-networks.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Stopwatch } from './stopwatch.ts';
import type { WindowConditions } from './window-conditions.ts';

/** A frame with what {@link Scene.compose} takes, which is moved away there. */
export interface DecodedFrame {
  readonly frame: number;
  /** Undefined for a frame that is blended of others that were decoded. */
  readonly latents: Tensor | undefined;
  readonly decoded: Float32Array;
}

/** Options of {@link decodeFrames}. */
interface DecodeFramesOptions {
  readonly networks: Pick<ClipNetworks, 'decode' | 'decodeFrames' | 'decodesOverBase'>;
  readonly conditions: Pick<WindowConditions, 'takeBase'>;
  readonly watch: Stopwatch;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Decodes as many frames at once as the network takes, and blends those that were not denoised.
 *
 * Differences from a warped portrait are blended when they are decoded: the warp moves the face, the decoder sees half of the frames or
 * fewer, and what it gives is nearly linear in the latents. Whole pictures would show two poses at once: of these, latents are blended.
 *
 * @param denoised - by their numbers in the clip.
 * @returns every frame of the clip, in order.
 */
export async function* decodeFrames(
  denoised: AsyncIterable<DenoisedFrame>,
  options: DecodeFramesOptions,
): AsyncGenerator<DecodedFrame> {
  if (!options.networks.decodesOverBase) {
    yield* decodeEach(fillBetween(denoised, blendLatents), options);
    return;
  }
  for await (const frame of fillBetween(decodeEach(denoised, options), blendDecoded)) {
    // When its own has been moved away, frames behind it are still blended with it.
    yield frame.latents === undefined ? frame : { ...frame, decoded: frame.decoded.slice() };
  }
}

function blendLatents({ latents: a }: DenoisedFrame, { latents: b }: DenoisedFrame, share: number) {
  return { latents: { data: blendBetween(a.data, b.data, share), dims: a.dims } };
}

function blendDecoded({ decoded: a }: DecodedFrame, { decoded: b }: DecodedFrame, share: number) {
  return { latents: undefined, decoded: blendBetween(a, b, share) };
}

async function* decodeEach(
  frames: AsyncIterable<DenoisedFrame>,
  { networks, conditions, watch, signal }: DecodeFramesOptions,
): AsyncGenerator<DecodedFrame> {
  for await (const batch of batchesOf(frames, networks.decodeFrames)) {
    signal?.throwIfAborted();
    const taken = await Promise.all(
      batch.map(async ({ frame, latents }) => ({
        latents,
        base: networks.decodesOverBase ? await conditions.takeBase(frame) : undefined,
      })),
    );
    const decoded = await watch.time('decode', () => networks.decode(taken));
    for (const [i, frame] of batch.entries()) yield { ...frame, decoded: decoded[i]! };
  }
}

async function* batchesOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
