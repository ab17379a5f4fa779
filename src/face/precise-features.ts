/**
 * Puts lips and eyes as the attention mesh sees them into the landmarks of the plain network, and takes the skin around
 * them along, so that no triangle of the mesh folds over.
 */
import { smoothstep } from './smoothstep.ts';

/** What the attention mesh looks at a second time. Source: the options of its operators, `subset_idxs`. */
const LIPS: readonly number[] = [
  61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409, 78, 95, 88, 178,
  87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415, 76, 77, 90, 180, 85, 16, 315, 404,
  320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408, 62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292,
  183, 42, 41, 38, 12, 268, 271, 272, 407,
];
const RIGHT_EYE: readonly number[] = [
  33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25, 110, 24, 23, 22, 26,
  112, 243, 247, 30, 29, 27, 28, 56, 190, 226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222,
  221, 189, 35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107,
  55, 193,
];
const LEFT_EYE: readonly number[] = [
  263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255, 339, 254, 253,
  252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449, 450, 451, 452, 453, 464, 342,
  445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357, 465,
  383, 300, 293, 334, 296, 336, 285, 417,
];
/** Landmarks whose x and y {@link withPreciseFeatures} takes from the attention mesh. */
export const PRECISE_LANDMARKS: readonly number[] = [...LIPS, ...RIGHT_EYE, ...LEFT_EYE];

/** Outer corners of the eyes: their distance is the unit of the following. */
const EYE_CORNERS = [33, 263] as const;
/** How far skin goes along, and over which distance its motion is averaged. */
const REACH = 0.25;
const SPREAD = 0.05;

/**
 * @param plain - [468 · 3] px, of the plain network.
 * @param precise - the same of the attention mesh, on the same picture.
 * @returns [468 · 3]: lips and eyes as `precise` has them in the picture's plane, everything else as `plain`; the skin between goes
 *   along the less the further it is away. Depths are those of `plain`.
 */
export function withPreciseFeatures(plain: ArrayLike<number>, precise: ArrayLike<number>): Float64Array {
  const result = Float64Array.from(plain);
  const [right, left] = EYE_CORNERS;
  const unit = Math.hypot(plain[3 * right]! - plain[3 * left]!, plain[3 * right + 1]! - plain[3 * left + 1]!);
  const isPrecise = new Set(PRECISE_LANDMARKS);
  for (let vertex = 0; vertex < plain.length / 3; vertex++) {
    const [x, y] = [plain[3 * vertex]!, plain[3 * vertex + 1]!];
    if (isPrecise.has(vertex)) {
      result[3 * vertex] = precise[3 * vertex]!;
      result[3 * vertex + 1] = precise[3 * vertex + 1]!;
      continue;
    }
    let nearest = Number.POSITIVE_INFINITY;
    const distances = PRECISE_LANDMARKS.map((other) => {
      const distance = Math.hypot(plain[3 * other]! - x, plain[3 * other + 1]! - y) / unit;
      nearest = Math.min(nearest, distance);
      return distance;
    });
    const share = smoothstep(REACH, 0, nearest);
    if (share === 0) continue;
    let [sumX, sumY, weights] = [0, 0, 0];
    for (const [i, other] of PRECISE_LANDMARKS.entries()) {
      // Relative to the nearest one, so that the weights of what is far from all do not vanish.
      const weight = Math.exp((nearest ** 2 - distances[i]! ** 2) / (2 * SPREAD ** 2));
      sumX += weight * (precise[3 * other]! - plain[3 * other]!);
      sumY += weight * (precise[3 * other + 1]! - plain[3 * other + 1]!);
      weights += weight;
    }
    result[3 * vertex] = x + (share * sumX) / weights;
    result[3 * vertex + 1] = y + (share * sumY) / weights;
  }
  return result;
}
