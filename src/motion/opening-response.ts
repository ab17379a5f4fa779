/**
 * How far lips open in the picture for what the network says: people differ most in how wide their widest openings are, so a network
 * that is trained on several draws small ones too small beside large ones. Openings of other people than those that it was trained on
 * are followed better through a curve that is steep where lips part and flat where they are far apart.
 */
import { coefficientGap, type ExpressionBasis } from './expression-basis.ts';

/** Where the curve has lost half of its slope, in cm. */
const HALF_SLOPE = 1.5;
/** Slope where lips part: the spread of openings stays what it was. */
const FIRST_SLOPE = 1.25;

/** The opening that is shown for one that is said, in cm; crossed lips stay as they are. */
export function shownOpening(gap: number): number {
  return gap <= 0 ? gap : FIRST_SLOPE * HALF_SLOPE * Math.log1p(gap / HALF_SLOPE);
}

/** Brings one vector of the basis from the opening that is said to the one that is shown, in place. */
export function respondToOpening(basis: ExpressionBasis, coefficients: Float32Array): void {
  const gap = coefficientGap(basis, coefficients);
  const change = shownOpening(gap) - gap;
  if (change === 0) return;
  for (let k = 0; k < coefficients.length; k++) coefficients[k]! += change * basis.opening[k]!;
}
