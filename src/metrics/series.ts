/** Numbers about series of measurements. */

/** Mean of finite values; NaN when there is none. */
export function mean(values: Iterable<number>): number {
  let [sum, count] = [0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    sum += value;
    count += 1;
  }
  return count === 0 ? Number.NaN : sum / count;
}

/** Standard deviation of finite values, divided by their number; NaN when there is none. */
export function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

/** Middle of the finite values, between the two middle ones where their number is even; NaN when there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Middle and range of repeated measurements. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** Middle and range of finite values; NaN where there is none. */
export function spreadOf(values: readonly number[]): Spread {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return { median: Number.NaN, min: Number.NaN, max: Number.NaN, count: 0 };
  return { median: median(finite), min: Math.min(...finite), max: Math.max(...finite), count: finite.length };
}

/** Pearson's correlation of two series, over the indices at which both are finite; NaN if one does not vary. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const pairs: [number, number][] = [];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (Number.isFinite(a[i]!) && Number.isFinite(b[i]!)) pairs.push([a[i]!, b[i]!]);
  }
  const [meanA, meanB] = [mean(pairs.map(([x]) => x)), mean(pairs.map(([, y]) => y))];
  let [aa, ab, bb] = [0, 0, 0];
  for (const [x, y] of pairs) {
    aa += (x - meanA) ** 2;
    ab += (x - meanA) * (y - meanB);
    bb += (y - meanB) ** 2;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : Number.NaN;
}

/** The shift of `follower`, in samples, at which it correlates best with `driver`; above 0 it comes later. */
export function bestLag(driver: readonly number[], follower: readonly number[], reach: number): number {
  let [best, bestValue] = [Number.NaN, -Infinity];
  for (let lag = -reach; lag <= reach; lag++) {
    const value = correlation(driver.slice(Math.max(0, -lag)), follower.slice(Math.max(0, lag)));
    if (value > bestValue) [best, bestValue] = [lag, value];
  }
  return best;
}

/** Cosine of the angle between two vectors. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [aa, ab, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    aa += a[i]! ** 2;
    ab += a[i]! * b[i]!;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
