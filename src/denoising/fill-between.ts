/**
 * Fewer frames for the denoiser: it sees every nth, and the latents of those between are blended from their neighbours.
 *
 * AniPortrait's `-acc` denoises fewer frames, too, and makes the others from finished pictures with a network for frame
 * interpolation. Here the decoder still runs for every frame: where a bundle's latents are what a warped portrait lacks, the
 * warp moves the face in every frame and only that remainder is blended.
 */
import type { DenoisedFrame } from './denoise-clip.ts';

function blend(a: Float32Array, b: Float32Array, share: number): Float32Array {
  return a.map((value, i) => value + share * (b[i]! - value));
}

/**
 * Puts the frames between denoised frames into the stream, in order.
 *
 * @param denoised - denoised frames, `frame` counted among them.
 * @param denoisedFrames - their numbers in the clip, rising from 0.
 * @returns every frame of the clip with its number there.
 */
export async function* fillBetween(
  denoised: AsyncIterable<DenoisedFrame>,
  denoisedFrames: readonly number[],
): AsyncGenerator<DenoisedFrame> {
  let before: DenoisedFrame | undefined;
  for await (const { frame: index, latents } of denoised) {
    const frame = denoisedFrames[index]!;
    if (before !== undefined) {
      const distance = frame - before.frame;
      for (let i = 1; i < distance; i++) {
        const data = blend(before.latents.data, latents.data, i / distance);
        yield { frame: before.frame + i, latents: { data, dims: latents.dims } };
      }
    }
    before = { frame, latents };
    yield before;
  }
}
