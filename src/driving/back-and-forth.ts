/** Plays frames that are fewer than asked for. */

/**
 * Where to be at `position` frames from the begin of a recording of `frames` that is played back and forth: after the last
 * frame comes the one before it, after the first the second.
 *
 * @returns 0 to `frames` − 1; may lie between frames.
 * Source: AniPortrait's head-pose templates, whose period is 2n − 2 frames.
 */
export function backAndForth(position: number, frames: number): number {
  if (frames === 1) return 0;
  const period = 2 * (frames - 1);
  const phase = ((position % period) + period) % period;
  return Math.min(phase, period - phase);
}
