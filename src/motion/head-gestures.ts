/** Gestures of the head that go with words: nods and tilts at stressed syllables, a tilt at a question, a nod at an end. */
import { RandomStream } from '../tensor/random.ts';
import { type Stroke, strokeAt } from './gesture-shapes.ts';
import { PROSODY_RATE, type Prosody } from './prosody.ts';

/** Name the random streams of gestures among those of a seed. */
const BEAT_STREAM = 0x6265;
const END_STREAM = 0x656e;
/** Seconds before and after a gesture's occasion in which it moves the head. */
const REACH_BEFORE = 1;
const REACH_AFTER = 1.8;
/** Seconds from the loudest moment of a syllable to the lowest point of its nod, and their spread. */
const BEAT_LAG = 0.05;
const BEAT_LAG_SPREAD = 0.05;
/** Of the gestures, how many go down, up, or to a side; the others turn. */
const DOWN = 0.55;
const UP = 0.17;
const ASIDE = 0.16;
/** Degrees of a gesture of usual size. */
const NOD = 3.6;
const LIFT = 2.8;
const TILT = 3.6;
const TURN = 3.4;
/** Times the usual size that no gesture passes. */
const MOST = 1.6;
/** Share of a nod by which the head first goes the other way. */
const WIND_UP = 0.22;
/** Degrees of the tilt and the lift at a question, and of the nod that some phrases end with. */
const QUESTION_TILT = 3.6;
const QUESTION_LIFT = 2;
const END_NOD = 1.7;
const END_NOD_SHARE = 0.45;

/** Adds the gestures at a time to pitch, yaw and roll in degrees. */
type HeadGestures = (time: number, angles: Float64Array) => void;

/** Options of {@link createHeadGestures}. */
interface HeadGesturesOptions {
  readonly prosody: Prosody;
  readonly seed: number;
  /** Share of the stressed syllables that are marked, against `natural`. */
  readonly frequency: number;
}

/** Gestures of one seed. */
export function createHeadGestures({ prosody, seed, frequency }: HeadGesturesOptions): HeadGestures {
  const beat = (time: number, at: number, strength: number, angles: Float64Array): void => {
    const random = new RandomStream([seed, BEAT_STREAM, Math.round(at * PROSODY_RATE)]);
    if (random.uniform() > frequency * (0.25 + 0.7 * strength)) return;
    const kind = random.uniform();
    const size = Math.min(MOST, (0.55 + 0.75 * strength) * Math.exp(0.35 * random.normal()));
    const side = random.uniform() < 0.5 ? -1 : 1;
    // Large gestures take longer: a head is heavy.
    const stretch = Math.max(1, size) ** 0.6;
    const stroke: Stroke = {
      rise: stretch * (0.18 + 0.12 * random.uniform()),
      hold: 0.08 * random.uniform(),
      fall: stretch * (0.26 + 0.3 * random.uniform()),
    };
    const apex = at + BEAT_LAG + BEAT_LAG_SPREAD * random.normal();
    const course = strokeAt(time - apex, stroke);
    const windUp = strokeAt(time - apex + 1.3 * stroke.rise, { rise: 0.16, hold: 0, fall: 0.14 });
    const through = size * (course - WIND_UP * windUp);
    if (kind < DOWN) {
      angles[0]! += NOD * through;
      angles[1]! += 0.25 * side * TURN * size * course;
    } else if (kind < DOWN + UP) {
      angles[0]! -= LIFT * size * course;
      angles[2]! += 0.25 * side * TILT * size * course;
    } else if (kind < DOWN + UP + ASIDE) {
      angles[2]! += side * TILT * size * course;
      angles[0]! += 0.35 * NOD * through;
    } else {
      angles[1]! += side * TURN * through;
      angles[0]! += 0.3 * NOD * through;
    }
  };

  const ending = (time: number, at: number, question: boolean, angles: Float64Array): void => {
    const random = new RandomStream([seed, END_STREAM, Math.round(at * PROSODY_RATE)]);
    const nods = random.uniform() < END_NOD_SHARE;
    const side = random.uniform() < 0.5 ? -1 : 1;
    const size = 0.7 + 0.6 * random.uniform();
    if (question) {
      const course = size * strokeAt(time - at - 0.15, { rise: 0.55, hold: 0.5, fall: 0.8 });
      angles[0]! -= QUESTION_LIFT * course;
      angles[2]! += side * QUESTION_TILT * course;
    } else if (nods) {
      angles[0]! += END_NOD * size * strokeAt(time - at, { rise: 0.3, hold: 0.1, fall: 0.6 });
    }
  };

  return (time, angles) => {
    for (const stress of prosody.stresses(time - REACH_AFTER, time + REACH_BEFORE)) {
      beat(time, stress.time, stress.strength, angles);
    }
    for (const boundary of prosody.boundaries(time - REACH_AFTER, time + REACH_BEFORE)) {
      if (boundary.kind === 'end') ending(time, boundary.time, boundary.question, angles);
    }
  };
}
