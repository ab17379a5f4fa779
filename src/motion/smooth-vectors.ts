/**
 * Takes the jitter out of what the motion network says: neighbouring vectors of its 50 a second differ by a millimetre of opening in turns,
 * which no mouth does, and which every second of them, a film of 25 frames, would show as shaking.
 */

/** Binomial weights: nothing is left of what alternates from vector to vector, 0.93 of what moves at 3 Hz, and nothing moves in time. */
const WEIGHTS = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16] as const;

/** Vectors to either side that {@link smoothVectors} looks at. */
export const VECTOR_REACH = (WEIGHTS.length - 1) / 2;

/**
 * Weighted means over neighbouring vectors; the first and the last stand for those beyond.
 *
 * @param data - `[count, width]`, row-major; left as it is.
 */
export function smoothVectors(data: Float32Array, width: number): Float32Array {
  const last = data.length / width - 1;
  const out = new Float32Array(data.length);
  for (let row = 0; row <= last; row++) {
    WEIGHTS.forEach((weight, k) => {
      const from = Math.min(last, Math.max(0, row + k - VECTOR_REACH)) * width;
      for (let i = 0; i < width; i++) out[row * width + i]! += weight * data[from + i]!;
    });
  }
  return out;
}
