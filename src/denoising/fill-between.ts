/**
 * Fewer frames for the denoiser: it sees every nth, and those between are blended from their neighbours.
 *
 * AniPortrait's `-acc` denoises fewer frames, too, and makes the others from finished pictures with a network for frame
 * interpolation. Here it is latents that are blended or, where a bundle decodes what a warped portrait lacks, decoded differences: the warp
 * moves the face in every frame, and only that remainder is blended.
 */

/** Numbers between two of one shape: `share` of the way from `a` to `b`. */
export function blendBetween(a: Float32Array, b: Float32Array, share: number): Float32Array {
  const blended = new Float32Array(a.length);
  for (let i = 0; i < blended.length; i++) blended[i] = a[i]! + share * (b[i]! - a[i]!);
  return blended;
}

/**
 * Puts the frames between others into the stream, in order.
 *
 * @param frames - by their numbers in the clip, rising.
 * @param blend - what lies between two of them, `share` of the way.
 * @returns every frame from the first to the last.
 */
export async function* fillBetween<Frame extends { readonly frame: number }>(
  frames: AsyncIterable<Frame>,
  blend: (before: Frame, after: Frame, share: number) => Omit<Frame, 'frame'>,
): AsyncGenerator<Frame> {
  let before: Frame | undefined;
  for await (const after of frames) {
    if (before !== undefined) {
      const distance = after.frame - before.frame;
      for (let i = 1; i < distance; i++) {
        yield { ...blend(before, after, i / distance), frame: before.frame + i } as Frame;
      }
    }
    before = after;
    yield before;
  }
}
