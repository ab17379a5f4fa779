/** Courses of single movements over time, from 0 to 1 and back: what gestures are made of. */

/** From 0 at 0 to 1 at 1 with the least jerk, as limbs and heads move; constant beyond. Source: Flash and Hogan 1985. */
export function minimumJerk(t: number): number {
  if (t <= 0) return 0;
  if (t >= 1) return 1;
  return t ** 3 * (10 - 15 * t + 6 * t ** 2);
}

/** Linear at 0 and 1 with rounded ends; constant beyond. */
export function smoothstep(t: number): number {
  if (t <= 0) return 0;
  if (t >= 1) return 1;
  return t * t * (3 - 2 * t);
}

/** Times of a movement that goes, stays and comes back, in seconds. */
export interface Stroke {
  /** From rest to the apex. */
  readonly rise: number;
  /** At the apex. */
  readonly hold: number;
  /** Back to rest. */
  readonly fall: number;
}

/** A stroke's course: `time` is counted from its apex, the middle of its hold. */
export function strokeAt(time: number, { rise, hold, fall }: Stroke): number {
  const past = Math.abs(time) - hold / 2;
  if (past <= 0) return 1;
  return 1 - minimumJerk(past / (time < 0 ? rise : fall));
}

/** Nearly `x` up to 0.6 · `limit`, then bent so that `limit` is never passed. */
export function softLimit(x: number, limit: number): number {
  const knee = 0.6 * limit;
  const beyond = Math.abs(x) - knee;
  if (beyond <= 0) return x;
  return Math.sign(x) * (knee + (limit - knee) * Math.tanh(beyond / (limit - knee)));
}
