/**
 * Lips that meet at P, B and M: a network that is trained on errors draws a closure that it is half sure of half closed, and a
 * viewer takes that for another sound. What is likely a closure becomes one.
 */
import { type ExpressionBasis, lipGap } from './expression-basis.ts';
import { MESH_VALUES } from './motion.ts';

/** A closure whose peak is below the first is none, one from the second on is a whole one. */
const LEAST_PEAK = 0.2;
const SURE_PEAK = 0.35;
/** Vectors to either side among which a peak is looked for; 80 ms. */
const PEAK_REACH = 4;
/** Lips begin to come together at the first share of the peak, and are shut from the second on. */
const APPROACH = 0.15;
const CONTACT = 0.7;
/** Lips are pressed by this much, in cm, so that they also meet between two vectors and in a mouth that is drawn larger. */
const PRESSED = 0.02;

/** Vectors beyond those that are wanted that {@link shutLips} looks at. */
export const SHUT_REACH = PEAK_REACH;

/**
 * Brings the lips together where they are shut, in place. A closure is as deep as its peak is sure, and as wide as the curve around
 * its peak.
 *
 * @param coefficients - `[count, components]` of the basis.
 * @param closures - `[count]` how likely the lips are shut, 0 to 1.
 */
export function shutLips(basis: ExpressionBasis, coefficients: Float32Array, closures: Float32Array): void {
  const { components, opening } = basis;
  const gaps = Array.from({ length: components }, (_, k) =>
    lipGap(basis.basis.subarray(k * MESH_VALUES, (k + 1) * MESH_VALUES)),
  );
  for (let i = 0; i < closures.length; i++) {
    const share = closureShare(closures, i);
    if (share === 0) continue;
    const row = coefficients.subarray(i * components, (i + 1) * components);
    const gap = row.reduce((sum, value, k) => sum + value * gaps[k]!, 0);
    const change = -share * (Math.max(0, gap) + PRESSED);
    for (let k = 0; k < components; k++) row[k]! += change * opening[k]!;
  }
}

/** How far the lips have come together at vector `at`: 0 not at all, 1 they touch. */
export function closureShare(closures: Float32Array, at: number): number {
  let peak = 0;
  for (let i = Math.max(0, at - PEAK_REACH); i <= Math.min(closures.length - 1, at + PEAK_REACH); i++) {
    peak = Math.max(peak, closures[i]!);
  }
  const depth = smoothStep((peak - LEAST_PEAK) / (SURE_PEAK - LEAST_PEAK));
  if (depth === 0) return 0;
  return depth * smoothStep((closures[at]! / peak - APPROACH) / (CONTACT - APPROACH));
}

function smoothStep(x: number): number {
  const held = Math.min(1, Math.max(0, x));
  return held * held * (3 - 2 * held);
}
