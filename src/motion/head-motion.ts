/**
 * Small natural head motion: every angle and shift wanders about the portrait's own pose as a smooth random curve whose
 * spectrum is that of filmed speakers (most power under 1 Hz, a tail up to 3 Hz), livelier while the voice is strong.
 */
import { RandomStream } from '../tensor/random.ts';
import { POSE_VALUES } from './motion.ts';

/** Names the random streams of head motion among those of a seed. */
const HEAD_STREAM = 0x6865;
/** Seconds between the knots of the curves that are added up, and the share of the variance of each. */
const OCTAVES = [
  { spacing: 2.6, variance: 0.55 },
  { spacing: 0.95, variance: 0.37 },
  { spacing: 0.36, variance: 0.08 },
] as const;
/** Standard deviations: pitch, yaw, roll in degrees, then x, y, z in centimetres. */
const SPREAD = [0.9, 1.3, 0.75, 0.1, 0.06, 0.12] as const;
/** Mean square of a uniform cubic B-spline's four weights: what smoothing leaves of the knots' variance. */
const SPLINE_VARIANCE = 0.479;
/** The head turns about the top of the neck, in centimetres of the face's space. */
const PIVOT = [0, -7, -5] as const;
/** Share of the motion that stays while the voice rests, and degrees of nod at the target level. */
const REST_SHARE = 0.6;
const NOD = 0.7;
/** Seconds in which the motion sets in. */
const FADE_IN = 1;

/** Writes the pose at a time in seconds to `out` at `offset`: degrees about x, y, z, then centimetres. */
export type HeadMotion = (time: number, out: Float32Array, offset: number) => void;

/** Options of {@link createHeadMotion}. */
export interface HeadMotionOptions {
  readonly seed: number;
  /** Multiplies all angles and shifts; 0 keeps the head still. */
  readonly scale: number;
  /** Strength of the voice at a time, 0 to 2. @defaultValue always 0 */
  readonly strengthAt?: ((time: number) => number) | undefined;
}

/**
 * Head motion of one seed as a curve over time, which any frame rate samples. It begins at the portrait's pose, and what
 * happens at a time does not depend on how long the clip is.
 */
export function createHeadMotion({ seed, scale, strengthAt = () => 0 }: HeadMotionOptions): HeadMotion {
  const knots = new Map<number, Float32Array>();
  const knotValues = (octave: number, index: number): Float32Array => {
    const key = index * OCTAVES.length + octave;
    let values = knots.get(key);
    if (values === undefined) {
      values = new RandomStream([seed, HEAD_STREAM, octave, index]).fillNormal(new Float32Array(POSE_VALUES));
      // Time runs forwards: what lies far behind is not asked for again.
      if (knots.size > 64) knots.clear();
      knots.set(key, values);
    }
    return values;
  };

  const wander = new Float64Array(POSE_VALUES);
  return (time, out, offset) => {
    wander.fill(0);
    OCTAVES.forEach(({ spacing, variance }, octave) => {
      const position = time / spacing;
      const index = Math.floor(position);
      const amplitude = Math.sqrt(variance / SPLINE_VARIANCE);
      splineWeights(position - index).forEach((weight, knot) => {
        const values = knotValues(octave, index + knot);
        for (let i = 0; i < POSE_VALUES; i++) wander[i]! += amplitude * weight * values[i]!;
      });
    });
    const fade = smoothstep(Math.min(1, Math.max(0, time / FADE_IN)));
    const strength = strengthAt(time);
    const liveliness = fade * scale * (REST_SHARE + (1 - REST_SHARE) * Math.min(1.5, strength));
    const [rx, ry, rz, tx, ty, tz] = SPREAD.map((spread, i) => liveliness * spread * wander[i]!) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const pitch = rx + fade * scale * NOD * (Math.min(1.5, strength) - 0.5 * Math.min(1, strength));
    const [px, py, pz] = pivotShift(pitch, ry, rz);
    out.set([pitch, ry, rz, tx + px, ty + py, tz + pz], offset);
  };
}

/** Weights of the four knots around a point of a uniform cubic B-spline, `t` from 0 to 1. */
function splineWeights(t: number): readonly [number, number, number, number] {
  return [
    (1 - t) ** 3 / 6,
    (3 * t ** 3 - 6 * t ** 2 + 4) / 6,
    (-3 * t ** 3 + 3 * t ** 2 + 3 * t + 1) / 6,
    t ** 3 / 6,
  ];
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

function smoothstep(x: number): number {
  return x * x * (3 - 2 * x);
}
