/** How the head is held: it settles in one direction after another, mostly where a phrase begins or ends. */
import { RandomStream } from '../tensor/random.ts';
import { minimumJerk } from './gesture-shapes.ts';
import type { Prosody } from './prosody.ts';
import { attractEvents, RandomEvents } from './random-events.ts';

/** Names the random stream of postures among those of a seed. */
const POSTURE_STREAM = 0x706f;
/** Standard deviations of pitch, yaw and roll in degrees. */
const SPREAD = [1.3, 3.7, 4.1] as const;
/** Angles in these standard deviations are not passed. */
const MOST = 1.7;
/** Seconds between changes: the median, and bounds. */
const INTERVALS = { median: 1.8, spread: 0.45, least: 0.8, most: 5 };
/** Seconds over which a change is drawn to a boundary of phrases, and how many are. */
const REACH = 0.9;
const PULL = 0.8;
/** Seconds that a change takes. */
const LEAST_DURATION = 0.55;
const MOST_DURATION = 1.15;
/** A change begins this long before the boundary, in seconds. */
const LEAD = 0.15;

/** Adds the posture at a time to pitch, yaw and roll in degrees. */
type HeadPosture = (time: number, angles: Float64Array) => void;

/** Postures of one seed. */
export function createHeadPosture(seed: number, prosody: Prosody): HeadPosture {
  const events = new RandomEvents({ key: [seed, POSTURE_STREAM], ...INTERVALS });
  const attractors = (from: number, to: number) =>
    prosody.boundaries(from, to).map(({ time }) => ({ time: time - LEAD, pull: PULL }));
  const lookBack = 2 * INTERVALS.most + 3 * REACH + INTERVALS.least;
  return (time, angles) => {
    const changes = attractEvents(events, time - lookBack, time, {
      reach: REACH,
      least: INTERVALS.least,
      attractors,
    });
    // The last change begins at the target of the one before, which has been reached or nearly so.
    let target = [0, 0, 0];
    let held = [0, 0, 0];
    for (const change of changes.slice(-3)) {
      const random = new RandomStream([...change.key, 1]);
      const duration = LEAST_DURATION + (MOST_DURATION - LEAST_DURATION) * random.uniform();
      const share = minimumJerk((time - change.time) / duration);
      target = SPREAD.map((spread) => spread * Math.max(-MOST, Math.min(MOST, random.normal())));
      held = held.map((value, axis) => value + (target[axis]! - value) * share);
    }
    for (let axis = 0; axis < 3; axis++) angles[axis]! += held[axis]!;
  };
}
