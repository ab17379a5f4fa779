/**
 * Smooths evenly spaced measurements without moving them in time.
 *
 * A Savitzky–Golay filter fits a parabola to the neighbours on both sides and takes its middle: nothing lags, a peak of a
 * few frames (lips that meet, lids that fall) keeps most of its height, and a frame depends on a few neighbours only, so
 * that a gap or a cut in the film spoils nothing beyond them. One-Euro filters are made for live input and lag; running one
 * forwards and backwards takes the lag away, but flattens quick closures most.
 *
 * Source: Savitzky and Golay 1964, Anal. Chem. 36 (8).
 */

/**
 * Weights of the values at `-before … after` in the least-squares polynomial's value at 0. Where there are too few values
 * for its order, the order is lower.
 *
 * @example
 * smoothingWeights(2, 2); // [-3, 12, 17, 12, -3] / 35
 */
export function smoothingWeights(before: number, after: number, order = 2): Float64Array {
  const count = before + after + 1;
  const terms = Math.min(order, count - 1) + 1;
  // Normal equations AᵀA c = e₀ with A[i, k] = xᵢᵏ; the weights are A c.
  const matrix = Array.from({ length: terms }, (_, row) =>
    Array.from({ length: terms + 1 }, (_, column) => {
      if (column === terms) return row === 0 ? 1 : 0;
      let sum = 0;
      for (let x = -before; x <= after; x++) sum += x ** (row + column);
      return sum;
    }),
  );
  for (let pivot = 0; pivot < terms; pivot++) {
    let best = pivot;
    for (let row = pivot + 1; row < terms; row++) {
      if (Math.abs(matrix[row]![pivot]!) > Math.abs(matrix[best]![pivot]!)) best = row;
    }
    [matrix[pivot], matrix[best]] = [matrix[best]!, matrix[pivot]!];
    for (let row = 0; row < terms; row++) {
      if (row === pivot) continue;
      const factor = matrix[row]![pivot]! / matrix[pivot]![pivot]!;
      for (let column = pivot; column <= terms; column++) {
        matrix[row]![column]! -= factor * matrix[pivot]![column]!;
      }
    }
  }
  const coefficients = matrix.map((row, k) => row[terms]! / row[k]!);
  return Float64Array.from({ length: count }, (_, i) =>
    coefficients.reduce((sum, coefficient, k) => sum + coefficient * (i - before) ** k, 0),
  );
}

/** Neighbours of a frame that smoothing looks at, and their weights. */
interface SmoothingWindow {
  readonly first: number;
  readonly weights: Float64Array;
}

/**
 * The window of `frame` among frames `from` to `to - 1`, reaching at most `reach` frames to each side. At an end the fit
 * leans to one side.
 */
export function smoothingWindow(frame: number, reach: number, from: number, to: number): SmoothingWindow {
  const before = Math.min(reach, frame - from);
  const after = Math.min(reach, to - 1 - frame);
  return { first: frame - before, weights: weightsOf(before, after) };
}

const known = new Map<number, Float64Array>();

function weightsOf(before: number, after: number): Float64Array {
  const key = before * 4096 + after;
  let weights = known.get(key);
  if (weights === undefined) {
    weights = smoothingWeights(before, after);
    known.set(key, weights);
  }
  return weights;
}
