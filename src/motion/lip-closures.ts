/**
 * Lips meet at P, B and M. The network, which hears every voice a little less clearly than the one it was filmed with,
 * brings them near each other and no further; here the dips of the mouth's opening are made deeper.
 */
import type { ExpressionBasis } from './expression-basis.ts';

/** Width of the closures that are looked for, as a Gaussian's standard deviation in seconds; a P lasts about 0.1 s. */
const CLOSURE_WIDTH = 0.08;
/** By how much of its depth a dip is deepened. */
const DEEPENING = 0.8;

/** Vectors of coefficients on each side of a part that its deepening looks at. */
export function closureMargin(outputRate: number): number {
  return Math.ceil(3 * CLOSURE_WIDTH * outputRate);
}

/**
 * Deepens the dips of the mouth's opening in place, by the smallest change of expression that does so. The outermost
 * {@link closureMargin} vectors on both sides are left as they are: they are only looked at.
 *
 * @param coefficients - [count, components] at `outputRate` vectors per second.
 */
export function deepenClosures(
  coefficients: Float32Array,
  { components, openingRate, opening }: Pick<ExpressionBasis, 'components' | 'openingRate' | 'opening'>,
  outputRate: number,
): void {
  const count = coefficients.length / components;
  const margin = closureMargin(outputRate);
  const gaps = Float64Array.from({ length: count }, (_, i) => {
    let gap = 0;
    for (let k = 0; k < components; k++) gap += openingRate[k]! * coefficients[i * components + k]!;
    return gap;
  });
  const kernel = Float64Array.from({ length: 2 * margin + 1 }, (_, i) =>
    Math.exp(-(((i - margin) / (CLOSURE_WIDTH * outputRate)) ** 2) / 2),
  );
  const total = kernel.reduce((a, b) => a + b, 0);
  for (let i = margin; i < count - margin; i++) {
    let smooth = 0;
    for (let j = 0; j < kernel.length; j++) smooth += (kernel[j]! / total) * gaps[i - margin + j]!;
    const change = DEEPENING * Math.min(0, gaps[i]! - smooth);
    for (let k = 0; k < components; k++) coefficients[i * components + k]! += change * opening[k]!;
  }
}
