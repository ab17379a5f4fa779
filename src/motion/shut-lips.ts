/**
 * Lips that meet at P, B and M: a network that is trained on errors draws a closure that it is half sure of half closed, and a
 * viewer takes that for another sound. What is likely a closure becomes one, in one frame at least.
 */
import { coefficientGaps, type ExpressionBasis } from './expression-basis.ts';

/** A closure whose peak is below the first is none, one from the second on is a whole one. */
const LEAST_PEAK = 0.2;
const SURE_PEAK = 0.3;
/** Vectors to either side among which a peak is looked for; 40 ms. */
const PEAK_REACH = 2;
/** Lips begin to come together at the first share of the peak, and are shut from the second on. */
const APPROACH = 0.8;
const CONTACT = 1;
/** Vectors from a frame at most, in which a peak is shown by that frame. */
const MOST_SNAP = 2.5;
/** Likelihoods are averaged with this weight of each neighbour, against 1 of their own: every other one is a little high or low. */
const NEIGHBOUR = 0.25;
/** Lips that are shut so surely stay together while nothing louder is heard than this share of the voice's power, -25 dB, ... */
const SURE = 0.8;
const SOUND = 10 ** -2.5;
/** ... for so many vectors at most, 60 ms. */
const MOST_HELD = 3;
/** Lips are pressed by this much, in cm, so that they also meet in a mouth that is drawn larger. */
const PRESSED = 0.02;

/** Vectors around a frame that {@link closureAt} looks at, those that {@link steadyClosures} looks at for them included. */
export const SHUT_REACH = PEAK_REACH + Math.ceil(MOST_SNAP) + MOST_HELD + 3;

/**
 * Likelihoods without the jitter of single ones, that do not fall before a sound is heard: stopped lips part with one.
 *
 * @param closures - how likely the lips are shut, 0 to 1, at the network's rate.
 * @param powers - of {@link soundPower}, of the same outputs.
 * @param voice - of {@link voicePower}.
 */
export function steadyClosures(closures: Float32Array, powers: Float64Array, voice: number): Float32Array {
  const steady = closures.map((own, i) => {
    const around = (closures[i - 1] ?? own) + (closures[i + 1] ?? own);
    return (own + NEIGHBOUR * around) / (1 + 2 * NEIGHBOUR);
  });
  let held = MOST_HELD;
  for (let i = 1; i < steady.length; i++) {
    if (steady[i]! >= SURE) {
      held = 0;
    } else if (held < MOST_HELD) {
      held++;
      if (powers[i]! < SOUND * voice) steady[i] = Math.max(steady[i]!, steady[i - 1]!);
    }
  }
  return steady;
}

/**
 * How far the lips have come together in a frame: 0 not at all, 1 they touch. A closure is as deep as its peak is sure and as wide as the
 * curve around its peak; one that falls between two frames is whole in the nearer one.
 *
 * @param closures - how likely the lips are shut, 0 to 1, evenly spaced in time.
 * @param position - of the frame, in places of `closures`.
 * @param spacing - from one frame to the next, in the same unit.
 */
export function closureAt(closures: Float32Array, position: number, spacing: number): number {
  const before = Math.floor(position);
  const late = position - before;
  let share = (1 - late) * closureShare(closures, before) + late * closureShare(closures, before + 1);
  const half = Math.min(spacing / 2, MOST_SNAP);
  for (let i = Math.floor(position - half); i <= Math.ceil(position + half); i++) {
    const peak = closures[i] ?? 0;
    if (peak <= LEAST_PEAK || peak < highest(closures, i)) continue;
    const top = i + peakShift(closures, i);
    // A hair more, lest one in the very middle of two frames be in neither.
    if (Math.abs(top - position) <= half + 1e-6) share = Math.max(share, depthOf(peak));
  }
  return share;
}

/**
 * Brings lips together, in place.
 *
 * @param coefficients - one vector of the basis.
 * @param share - how far, 0 to 1.
 */
export function shutLips(basis: ExpressionBasis, coefficients: Float32Array, share: number): void {
  if (share === 0) return;
  const change = -share * (Math.max(0, coefficientGaps(basis, coefficients)[0]!) + PRESSED);
  for (let k = 0; k < coefficients.length; k++) coefficients[k]! += change * basis.opening[k]!;
}

function highest(closures: Float32Array, at: number): number {
  let peak = 0;
  for (let i = at - PEAK_REACH; i <= at + PEAK_REACH; i++) peak = Math.max(peak, closures[i] ?? 0);
  return peak;
}

/** The same as it follows from the curve alone. */
function closureShare(closures: Float32Array, at: number): number {
  const peak = highest(closures, at);
  const depth = depthOf(peak);
  if (depth === 0) return 0;
  return depth * smoothStep(((closures[at] ?? 0) / peak - APPROACH) / (CONTACT - APPROACH));
}

function depthOf(peak: number): number {
  return smoothStep((peak - LEAST_PEAK) / (SURE_PEAK - LEAST_PEAK));
}

/** Where a parabola through a peak and its neighbours is highest, −0.5 to 0.5 from the peak. */
function peakShift(closures: Float32Array, at: number): number {
  const [before, peak, after] = [closures[at - 1] ?? 0, closures[at]!, closures[at + 1] ?? 0];
  const bend = before - 2 * peak + after;
  return bend < 0 ? (before - after) / (2 * bend) : 0;
}

function smoothStep(x: number): number {
  const held = Math.min(1, Math.max(0, x));
  return held * held * (3 - 2 * held);
}
