/** From clean latents to what the scene composes of. */
import type { DenoisedFrame } from '../denoising/denoise-clip.ts';
import type { ClipNetworks, FrameToDecode } from '../networks/clip-networks.ts';
import type { Stopwatch } from './stopwatch.ts';
import type { WindowConditions } from './window-conditions.ts';

/** A frame with what {@link Scene.compose} takes, which is moved away there. */
export interface DecodedFrame extends DenoisedFrame {
  readonly decoded: Float32Array;
}

/** Options of {@link decodeFrames}. */
interface DecodeFramesOptions {
  readonly networks: Pick<ClipNetworks, 'decode' | 'decodeFrames' | 'decodesOverBase'>;
  readonly conditions: Pick<WindowConditions, 'takeBase'>;
  readonly watch: Stopwatch;
  readonly signal?: AbortSignal | undefined;
}

/** Decodes as many frames at once as the network takes. */
export async function* decodeFrames(
  denoised: AsyncIterable<DenoisedFrame>,
  { networks, conditions, watch, signal }: DecodeFramesOptions,
): AsyncGenerator<DecodedFrame> {
  for await (const batch of batchesOf(denoised, networks.decodeFrames)) {
    signal?.throwIfAborted();
    const taken: FrameToDecode[] = [];
    for (const { frame, latents } of batch) {
      taken.push({
        latents,
        base: networks.decodesOverBase ? await conditions.takeBase(frame) : undefined,
      });
    }
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
