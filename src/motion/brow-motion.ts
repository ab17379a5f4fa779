/** What the brows do while somebody speaks: raises at emphasis and questions, a furrow now and then, small unrest. */
import { RandomStream } from '../tensor/random.ts';
import type { BrowMove } from './brow-shapes.ts';
import { type Stroke, strokeAt } from './gesture-shapes.ts';
import { PROSODY_RATE, type Prosody } from './prosody.ts';
import { SmoothNoise } from './smooth-noise.ts';
import { SPEAKING_STYLES, type SpeakingStyle } from './speaking-style.ts';

/** Name the random streams of brows among those of a seed. */
const UNREST_STREAM = 0x6272_6f;
const ACCENT_STREAM = 0x6272_61;
const PHRASE_STREAM = 0x6272_70;
/** Seconds before and after an occasion in which the brows move. */
const REACH_BEFORE = 1.2;
const REACH_AFTER = 3;
/** Unrest in centimetres (standard deviation): of both brows, and of each part of one. */
const UNREST = 0.07;
const OWN_UNREST = 0.025;
const OCTAVES = [
  { spacing: 1.9, variance: 0.7 },
  { spacing: 0.7, variance: 0.3 },
];
/** Of the stressed syllables, how many raise the brows at full strength; of these, how many furrow instead. */
const ACCENTS = 0.75;
const FURROWS = 0.14;
/** Centimetres of an accent, of the raise that some phrases begin with, and of a question. */
const ACCENT = 0.5;
const FURROW = 0.22;
const OPENING = 0.4;
const OPENING_SHARE = 0.5;
const QUESTION = 0.55;
/** Centimetres beyond which brows do not go. */
const HIGHEST = 0.85;
const LOWEST = -0.35;

/** What the brows do at a time in seconds. */
type BrowMotion = (time: number) => BrowMove;

/** Options of {@link createBrowMotion}. */
interface BrowMotionOptions {
  readonly prosody: Prosody;
  readonly seed: number;
  /** @defaultValue 'natural' */
  readonly style?: SpeakingStyle | undefined;
}

/** A raise with the parts of it that each brow has. */
interface Raise {
  readonly amount: number;
  readonly inner: number;
  readonly right: number;
}

/** Brow motion of one seed. */
export function createBrowMotion({ prosody, seed, style = 'natural' }: BrowMotionOptions): BrowMotion {
  const { brows, gestures } = SPEAKING_STYLES[style];
  const noise = new SmoothNoise([seed, UNREST_STREAM], OCTAVES, 5);
  const unrest = new Float64Array(5);

  return (time) => {
    noise.at(time, unrest);
    const talking = prosody.activity(time);
    const calm = UNREST * unrest[0]! * (0.35 + 0.65 * talking);
    const parts = [calm, calm, calm, calm].map((value, i) => value + OWN_UNREST * unrest[i + 1]!);
    let furrow = 0;
    const raise = ({ amount, inner, right }: Raise): void => {
      parts[0]! += amount * (1 + right) * (1 + inner);
      parts[1]! += amount * (1 + right) * (1 - inner);
      parts[2]! += amount * (1 - right) * (1 + inner);
      parts[3]! += amount * (1 - right) * (1 - inner);
    };
    // Asymmetric a little, always; a lot, rarely.
    const sides = (random: RandomStream): Pick<Raise, 'inner' | 'right'> => ({
      inner: 0.25 * (random.uniform() - 0.5),
      right: 0.12 * random.normal() + (random.uniform() < 0.08 ? (random.uniform() < 0.5 ? -0.6 : 0.6) : 0),
    });

    for (const stress of prosody.stresses(time - REACH_AFTER, time + REACH_BEFORE)) {
      const random = new RandomStream([seed, ACCENT_STREAM, Math.round(stress.time * PROSODY_RATE)]);
      if (random.uniform() > gestures * ACCENTS * stress.strength) continue;
      const isFurrow = random.uniform() < FURROWS;
      const stroke: Stroke = {
        rise: 0.16 + 0.14 * random.uniform(),
        hold: 0.05 + 0.5 * random.uniform() ** 2,
        fall: 0.3 + 0.4 * random.uniform(),
      };
      const size = (0.6 + 0.5 * stress.strength) * Math.exp(0.3 * random.normal());
      const apex = stress.time + 0.02 + 0.04 * random.normal() + stroke.hold / 2;
      const course = size * strokeAt(time - apex, stroke);
      if (isFurrow) furrow += FURROW * course;
      else raise({ amount: ACCENT * course, ...sides(random) });
    }
    for (const { time: at, kind, question } of prosody.boundaries(time - REACH_AFTER, time + REACH_BEFORE)) {
      const random = new RandomStream([seed, PHRASE_STREAM, Math.round(at * PROSODY_RATE)]);
      const chance = random.uniform();
      const size = 0.6 + 0.8 * random.uniform();
      const hold = 0.2 + 0.9 * random.uniform();
      if (kind === 'start' && chance < OPENING_SHARE) {
        const course = strokeAt(time - at - 0.2 - hold / 2, { rise: 0.35, hold, fall: 0.8 });
        raise({ amount: OPENING * size * course, ...sides(random) });
      } else if (kind === 'end' && question) {
        const course = strokeAt(time - at, { rise: 0.4, hold: 0.5, fall: 0.6 });
        raise({ amount: QUESTION * size * course, ...sides(random) });
      }
    }
    const held = parts.map((value) => brows * limited(value));
    return {
      rightInner: held[0]!,
      rightOuter: held[1]!,
      leftInner: held[2]!,
      leftOuter: held[3]!,
      furrow: brows * Math.min(-LOWEST, furrow),
    };
  };
}

function limited(raise: number): number {
  return raise >= 0 ? HIGHEST * Math.tanh(raise / HIGHEST) : LOWEST * Math.tanh(raise / LOWEST);
}
