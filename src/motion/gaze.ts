/** Where the eyes look: at the viewer mostly, elsewhere for a moment, in quick small jumps with rests between. */
import { RandomStream } from '../tensor/random.ts';
import { minimumJerk } from './gesture-shapes.ts';
import type { Prosody } from './prosody.ts';
import { type Attractor, attractEvents, RandomEvents } from './random-events.ts';
import { SPEAKING_STYLES, type SpeakingStyle } from './speaking-style.ts';

/** Names the random stream of glances among those of a seed. */
const GAZE_STREAM = 0x6761;
/** Seconds that the eyes rest in one direction. */
const INTERVALS = { median: 1.3, spread: 0.6, least: 0.5, most: 3 };
/** Glances are drawn to the beginnings of phrases, this many seconds before. */
const REACH = 0.5;
const PULL = 0.5;
const LEAD = 0.1;
/** Seconds of a jump, and more for each degree. Source: Bahill et al. 1975, the main sequence of saccades. */
const JUMP = 0.025;
const JUMP_PER_DEGREE = 0.0025;
/** Share of rests in which the eyes look at the viewer: while talking, and in a pause. */
const AT_VIEWER = [0.62, 0.42] as const;
/** Degrees, yaw and pitch: of small jumps about the viewer's face, and of glances away. */
const SMALL = [1, 0.7] as const;
const AWAY = [5.5, 2.8] as const;
/** Degrees beyond which the eyes do not turn. */
const MOST = [9, 6] as const;
/** Jumps of at least this many degrees draw blinks. */
const LARGE = 4;
const BLINK_PULL = 0.3;

/** Where the eyes look at a time in seconds, in degrees: yaw to the person's left, pitch down; 0 is as in the portrait. */
interface Gaze {
  at(time: number): readonly [yaw: number, pitch: number];
  /** Large jumps at `from` ≤ time < `to`, to which blinks are drawn. */
  jumps(from: number, to: number): Attractor[];
}

/** Options of {@link createGaze}. */
interface GazeOptions {
  readonly seed: number;
  readonly prosody: Prosody;
  /** @defaultValue 'natural' */
  readonly style?: SpeakingStyle | undefined;
}

/** Gaze of one seed. */
export function createGaze({ seed, prosody, style = 'natural' }: GazeOptions): Gaze {
  const strength = SPEAKING_STYLES[style].gaze;
  const events = new RandomEvents({ key: [seed, GAZE_STREAM], ...INTERVALS });
  const attractors = (from: number, to: number): Attractor[] =>
    prosody
      .boundaries(from + LEAD, to + LEAD)
      .filter(({ kind }) => kind === 'start')
      .map(({ time }) => ({ time: time - LEAD, pull: PULL }));
  const glances = (from: number, to: number) =>
    attractEvents(events, from, to, { reach: REACH, least: INTERVALS.least, attractors });
  const targetOf = ({ key, time }: { readonly key: readonly number[]; readonly time: number }) => {
    const random = new RandomStream([...key, 1]);
    const talking = prosody.activity(time);
    const share = AT_VIEWER[1] + (AT_VIEWER[0] - AT_VIEWER[1]) * talking;
    const spread = random.uniform() < share ? SMALL : AWAY;
    return spread.map((degrees, axis) => {
      const value = strength * degrees * random.normal();
      return Math.max(-MOST[axis]!, Math.min(MOST[axis]!, value));
    }) as [number, number];
  };
  const distance = (a: readonly number[], b: readonly number[]): number =>
    Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!);
  const lookBack = 2 * INTERVALS.most + 3 * REACH + INTERVALS.least;

  return {
    at(time) {
      const last = glances(time - lookBack, time).slice(-2);
      const now = last.at(-1);
      // A clip begins with the portrait's own gaze.
      if (now === undefined || now.time <= 0) return [0, 0];
      const from = last.length > 1 && last[0]!.time > 0 ? targetOf(last[0]!) : ([0, 0] as const);
      const to = targetOf(now);
      const share = minimumJerk((time - now.time) / (JUMP + JUMP_PER_DEGREE * distance(from, to)));
      return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
    },
    jumps(from, to) {
      const list = glances(from - lookBack, to);
      return list.flatMap((glance, i) =>
        i > 0 && glance.time >= from && distance(targetOf(list[i - 1]!), targetOf(glance)) >= LARGE
          ? [{ time: glance.time, pull: BLINK_PULL }]
          : [],
      );
    },
  };
}
