/**
 * Motion of the head: slow sway, postures that change with the phrases, gestures at stressed syllables, breath in pauses.
 * It begins at the portrait's pose, and what happens at a time does not depend on how long the clip is.
 */
import { createBreathing } from './breathing.ts';
import { smoothstep, softLimit } from './gesture-shapes.ts';
import { createHeadGestures } from './head-gestures.ts';
import { createHeadPosture } from './head-posture.ts';
import { POSE_VALUES } from './motion.ts';
import type { Prosody } from './prosody.ts';
import { SmoothNoise } from './smooth-noise.ts';
import { SPEAKING_STYLES, type SpeakingStyle } from './speaking-style.ts';

/** Degrees of pitch, yaw and roll from the portrait that are never passed: what a warped picture can bear. */
export const HEAD_LIMITS = [10, 10, 10] as const;
/** Names the random stream of sway among those of a seed. */
const SWAY_STREAM = 0x6865;
/** Seconds between the knots of the curves that are added up, and the share of the variance of each. */
const OCTAVES = [
  { spacing: 1.5, variance: 0.6 },
  { spacing: 0.62, variance: 0.28 },
  { spacing: 0.3, variance: 0.12 },
];
/** Standard deviations: pitch, yaw, roll in degrees, then x, y, z in centimetres. */
const SPREAD = [1.75, 2.95, 2.8, 0.14, 0.08, 0.16] as const;
/** The head turns about the top of the neck, in centimetres of the face's space. */
const PIVOT = [0, -7, -5] as const;
/** Shares of sway and posture that stay while the voice rests. */
const RESTING_SWAY = 0.4;
const RESTING_POSTURE = 0.6;
/** Degrees and centimetres of a breath: in speech and in a pause. */
const BREATH_PITCH = [0.1, 0.45] as const;
const BREATH_RISE = [0.02, 0.08] as const;
/** Degrees by which a talking head is held higher: nods go down, and should not lower it on average. */
const RAISED = 0.9;
/** Seconds in which the motion sets in. */
const FADE_IN = 0.8;

/** Writes the pose at a time in seconds to `out` at `offset`: degrees about x, y, z, then centimetres. */
type HeadMotion = (time: number, out: Float32Array, offset: number) => void;

/** Options of {@link createHeadMotion}. */
interface HeadMotionOptions {
  readonly prosody: Prosody;
  readonly seed: number;
  /** Multiplies all angles and shifts; 0 keeps the head still. */
  readonly scale: number;
  /** @defaultValue 'natural' */
  readonly style?: SpeakingStyle | undefined;
}

/** Head motion of one seed as a curve over time, which any frame rate samples. */
export function createHeadMotion({ prosody, seed, scale, style = 'natural' }: HeadMotionOptions): HeadMotion {
  const { head, gestures } = SPEAKING_STYLES[style];
  const sway = new SmoothNoise([seed, SWAY_STREAM], OCTAVES, POSE_VALUES);
  const addPosture = createHeadPosture(seed, prosody);
  const addGestures = createHeadGestures({ prosody, seed, frequency: gestures });
  const breathing = createBreathing(seed);
  const wander = new Float64Array(POSE_VALUES);
  const posture = new Float64Array(3);
  const angles = new Float64Array(3);

  return (time, out, offset) => {
    if (scale === 0) {
      out.fill(0, offset, offset + POSE_VALUES);
      return;
    }
    // Over some two seconds: the head comes to rest slower than the voice.
    let speaking = 0;
    for (const shift of [-0.8, -0.4, 0, 0.4]) speaking += prosody.activity(time + shift) / 4;
    const fade = smoothstep(time / FADE_IN);
    const between = ([resting, talking]: readonly [number, number]): number =>
      resting + (talking - resting) * speaking;
    const swaying = between([RESTING_SWAY, 1]);
    const holding = between([RESTING_POSTURE, 1]);
    const breath = breathing(time);

    sway.at(time, wander);
    posture.fill(0);
    angles.fill(0);
    addPosture(time, posture);
    addGestures(time, angles);
    angles[0]! -= breath * between([BREATH_PITCH[1], BREATH_PITCH[0]]) + speaking * RAISED;
    for (let axis = 0; axis < 3; axis++) {
      const sum = angles[axis]! + holding * posture[axis]! + swaying * SPREAD[axis]! * wander[axis]!;
      angles[axis] = softLimit(fade * scale * head[axis]! * sum, HEAD_LIMITS[axis]!);
    }
    const [pitch, yaw, roll] = angles as unknown as [number, number, number];
    const shift = fade * scale * swaying * ((head[0] + head[1]) / 2);
    const [px, py, pz] = pivotShift(pitch, yaw, roll);
    out[offset] = pitch;
    out[offset + 1] = yaw;
    out[offset + 2] = roll;
    out[offset + 3] = px + shift * SPREAD[3] * wander[3]!;
    out[offset + 4] =
      py +
      shift * SPREAD[4] * wander[4]! +
      fade * Math.min(1, scale) * breath * between([BREATH_RISE[1], BREATH_RISE[0]]);
    out[offset + 5] = pz + shift * SPREAD[5] * wander[5]!;
  };
}

/** Shift that keeps {@link PIVOT} in place under a rotation by degrees about x, then y, then z. */
function pivotShift(rx: number, ry: number, rz: number): readonly [number, number, number] {
  const radians = Math.PI / 180;
  let [x, y, z]: [number, number, number] = [...PIVOT];
  const turn = (a: number, b: number, degrees: number): [number, number] => [
    a * Math.cos(degrees * radians) - b * Math.sin(degrees * radians),
    a * Math.sin(degrees * radians) + b * Math.cos(degrees * radians),
  ];
  [y, z] = turn(y, z, rx);
  [z, x] = turn(z, x, ry);
  [x, y] = turn(x, y, rz);
  return [PIVOT[0] - x, PIVOT[1] - y, PIVOT[2] - z];
}
