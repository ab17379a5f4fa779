/** How far apart two faces' landmarks lie. */
import { ShapeError } from '../errors.ts';

/** Outer corners of the right and of the left eye among the 468 landmarks of MediaPipe's face mesh. */
const EYE_CORNERS: readonly [right: number, left: number] = [33, 263];

/**
 * Mean distance of corresponding landmarks, as a share of the distance of the outer eye corners in `expected`
 * (inter-ocular normalised mean error).
 *
 * Source: Sagonas et al. 2013, "300 faces in-the-wild challenge".
 *
 * @param expected - [468, 3] or [468, 2], x and y in pixels first.
 * @param actual - of the same length.
 * @throws {@link ShapeError} if the lengths differ.
 */
export function landmarkDistance(
  expected: ArrayLike<number>,
  actual: ArrayLike<number>,
  stride: 2 | 3 = 3,
): number {
  if (expected.length !== actual.length) {
    throw new ShapeError(
      `Cannot compare landmarks: expected ${expected.length} numbers, got ${actual.length}`,
    );
  }
  let sum = 0;
  for (let i = 0; i < expected.length; i += stride) {
    sum += Math.hypot(actual[i]! - expected[i]!, actual[i + 1]! - expected[i + 1]!);
  }
  const [right, left] = [EYE_CORNERS[0] * stride, EYE_CORNERS[1] * stride];
  const eyes = Math.hypot(expected[left]! - expected[right]!, expected[left + 1]! - expected[right + 1]!);
  return sum / (expected.length / stride) / eyes;
}
