/**
 * A portrait whose lids are half closed, as photos catch a blink, with its lids opened: the upper lid rises and its skin folds
 * beneath the brow, and the eye behind it is completed from what is seen of it. Stretching the narrow strip between the lids, which is all
 * that a warp can do, opens lids by a third of what is asked, and smears the iris.
 *
 * Plausible, not true: an iris is a disc that looks alike above and below its middle, with the pupil in it, and the white goes on.
 */
import type { RgbImage } from '../image/rgb-image.ts';
import { sampleSharpColour } from '../image/sample-colour.ts';
import { applyAffine } from './affine.ts';
import { findIris, type Iris } from './eye-gaze.ts';
import { EYES, Eye } from './eyelids.ts';
import { smoothstep } from './smoothstep.ts';

/** All that follows in widths of the eye. Lashes and their shadow hide this much below the upper lid's edge, and rise with it. */
const LASHES = 0.06;
/** The lower lid's rim. */
const RIM = 0.02;
/** Least height of what is seen of the eye, without lashes and rim: of less, nothing can be inferred. */
const LEAST_SEEN = 0.02;
/** Skin above the lid gives way over this height at least, in units of the lid's rise: it must not fold over. */
const LEAST_GIVING_WAY = 1.8;
/** The iris where none can be distinguished from the white: its radius, and how far its middle is above the lower lid in units of that. */
const IRIS_RADIUS = 0.21;
const ABOVE_LOWER_LID = 0.75;
/** Between which heights above the lower lid an iris is looked for. */
const IRIS_HEIGHTS = [0.2, 0.12] as const;
/** The pupil reaches to the first share of the iris' radius, and is wholly dark up to the second; its light against the iris'. */
const PUPIL = [0.5, 0.3] as const;
const PUPIL_LIGHT = 0.5;
/** The edge of the iris is as soft as this, in radii. */
const IRIS_EDGE = 0.2;
/** The iris as it is lit, and the white: these shares of what is seen of them, sorted by light, are darker. */
const IRIS_LEVEL = 0.6;
const WHITE_LEVEL = 0.75;
/** Light of the white against the skin beneath the eye, at least; more of it lies in shadow. */
const LEAST_WHITE = 0.72;
/** How much of the colour of the place it is taken from the white keeps. */
const TINT = 0.5;
/** What is inferred of the eye counts so much against the seen part that takes the place of the hidden one; in its corners, not at all. */
const INFERRED = 0.75;
const CORNERS = [0.08, 0.24] as const;
/** Light that a lid's shadow leaves, and how far it falls. */
const SHADOW = 0.72;
const SHADOW_REACH = 0.1;
/** Steps in which a place that moves is looked for. */
const FORWARD_STEPS = 8;
/** Rows around the eye, from the line of its corners. */
const AROUND = 0.9;

/** A portrait with other lids. */
interface OpenedEyes {
  readonly image: RgbImage;
  /** [n · 3] px. */
  readonly landmarks: Float64Array;
}

/**
 * Opens lids by factors of their opening.
 *
 * @param landmarks - [n · 3] px of `image`, lids as they are seen; not changed.
 * @param factors - for the person's right and left eye; 1 leaves it as it is.
 * @returns a new picture, in which only the surroundings of the eyes differ, and its landmarks.
 */
export function openHalfClosedEyes(
  image: RgbImage,
  landmarks: Float64Array,
  factors: readonly [right: number, left: number],
): OpenedEyes {
  const points = Float64Array.from(
    { length: (landmarks.length / 3) * 2 },
    (_, i) => landmarks[3 * (i >> 1) + (i & 1)]!,
  );
  const data = image.data.slice();
  const moved = landmarks.slice();
  for (const [side, factor] of factors.entries()) {
    if (factor <= 1) continue;
    const eye = new Eye(image, points, EYES[side]!);
    if (eye.gap - LASHES - RIM < LEAST_SEEN) continue;
    const lid = new RisingLid(eye, factor);
    draw(image, points, data, eye, lid);
    moveLandmarks(moved, eye, lid);
  }
  return { image: { ...image, data }, landmarks: moved };
}

/** Where the upper lid of an eye comes from, in the eye's axes. */
class RisingLid {
  readonly #eye: Eye;
  readonly #growth: number;
  readonly #givesWay: number;

  constructor(eye: Eye, factor: number) {
    this.#eye = eye;
    this.#growth = factor - 1;
    this.#givesWay = Math.max(eye.height, LEAST_GIVING_WAY * this.#growth * eye.gap);
  }

  /** How far the edge rises. */
  rise(u: number): number {
    return this.#growth * Math.max(0, this.#eye.bottom(u) - this.#eye.top(u));
  }

  /** The risen edge. */
  top(u: number): number {
    return this.#eye.top(u) - this.rise(u);
  }

  /** Where the skin at a place above the risen edge was. */
  skinBefore(u: number, v: number): number {
    const top = this.top(u);
    return v + this.rise(u) * smoothstep(top - this.#givesWay, top, v);
  }

  /** Where the skin of a place goes. */
  skinAfter(u: number, v: number): number {
    let after = v - this.rise(u);
    for (let step = 0; step < FORWARD_STEPS; step++) after += v - this.skinBefore(u, after);
    return after;
  }
}

function moveLandmarks(landmarks: Float64Array, eye: Eye, lid: RisingLid): void {
  for (let i = 0; i < landmarks.length; i += 3) {
    const [u, v] = applyAffine(eye.fromSource, landmarks[i]!, landmarks[i + 1]!);
    // The lower half, corners included, rests.
    if (u <= 0 || u >= 1 || v > (eye.top(u) + eye.bottom(u)) / 2 || v < -AROUND) continue;
    [landmarks[i], landmarks[i + 1]] = applyAffine(eye.toSource, u, lid.skinAfter(u, v));
  }
}

function draw(source: RgbImage, points: ArrayLike<number>, data: Uint8Array, eye: Eye, lid: RisingLid): void {
  const { width, height } = source;
  const ball = eyeballOf(source, points, eye);
  const corners = [0, 1].flatMap((u) => [-AROUND, AROUND].map((v) => applyAffine(eye.toSource, u, v)));
  const range = (axis: 0 | 1, size: number): readonly [number, number] => [
    Math.max(0, Math.floor(Math.min(...corners.map((corner) => corner[axis])))),
    Math.min(size, Math.ceil(Math.max(...corners.map((corner) => corner[axis])))),
  ];
  const [left, right] = range(0, width);
  const [first, end] = range(1, height);
  const colour = [0, 0, 0];
  const lashes = [0, 0, 0];
  const sample = (u: number, v: number, out: number[]): void =>
    sampleSharpColour(source, ...applyAffine(eye.toSource, u, v), out);
  for (let y = first; y < end; y++) {
    for (let x = left; x < right; x++) {
      const [u, v] = applyAffine(eye.fromSource, x + 0.5, y + 0.5);
      if (u <= 0 || u >= 1 || v >= eye.bottom(u)) continue;
      const rise = lid.rise(u);
      const top = lid.top(u);
      if (v <= top) {
        const before = lid.skinBefore(u, v);
        if (before === v) continue;
        sample(u, before, colour);
      } else {
        behindLid(eye, ball, u, v, sample, colour);
        const hidden = smoothstep(eye.top(u) + LASHES, eye.top(u), v);
        const light = 1 - hidden * (1 - SHADOW) * smoothstep(SHADOW_REACH, 0, v - top);
        for (let c = 0; c < 3; c++) colour[c]! *= light;
        const ofLid = smoothstep(LASHES, LASHES / 3, v - top) * smoothstep(0, LASHES, rise);
        sample(u, Math.min(v + rise, eye.bottom(u)), lashes);
        for (let c = 0; c < 3; c++) colour[c]! += (lashes[c]! - colour[c]!) * ofLid;
      }
      const at = 3 * (y * width + x);
      for (let c = 0; c < 3; c++) data[at + c] = Math.round(colour[c]!);
    }
  }
}

/** What is inferred of an eye: where its iris is, and the colours of that and of the white. */
interface Eyeball {
  readonly iris: Iris;
  readonly irisColour: readonly number[];
  readonly white: readonly number[];
}

/** Writes what the eye looks like at a place, whether a lid covers it or not. */
function behindLid(
  eye: Eye,
  { iris, irisColour, white }: Eyeball,
  u: number,
  v: number,
  sample: (u: number, v: number, out: number[]) => void,
  out: number[],
): void {
  const [least, most] = [eye.top(u) + LASHES, eye.bottom(u) - RIM];
  const hidden = smoothstep(least + LASHES, least - LASHES / 2, v);
  // What is seen; where it is not, the same distance from the middle of the iris on its other side.
  const seen =
    hidden === 0 ? v : Math.min(most, Math.max(Math.min(least, most), v < least ? 2 * iris.v - v : v));
  sample(u, seen, out);
  if (hidden === 0) return;
  const radius = Math.hypot(u - iris.u, v - iris.v) / iris.radius;
  const ofIris = smoothstep(1 + IRIS_EDGE, 1 - IRIS_EDGE, radius);
  const light = 1 - (1 - PUPIL_LIGHT) * smoothstep(PUPIL[0], PUPIL[1], radius);
  const strength = INFERRED * hidden * smoothstep(CORNERS[0], CORNERS[1], Math.min(u, 1 - u));
  for (let c = 0; c < 3; c++) {
    const inferred = white[c]! + (irisColour[c]! * light - white[c]!) * ofIris;
    out[c]! += (inferred - out[c]!) * strength;
  }
}

function eyeballOf(source: RgbImage, points: ArrayLike<number>, eye: Eye): Eyeball {
  const lower = eye.bottom(0.5);
  const [most, least] = IRIS_HEIGHTS;
  const iris = findIris(source, eye, [lower - most, lower - least]) ?? {
    u: 0.5,
    v: lower - ABOVE_LOWER_LID * IRIS_RADIUS,
    radius: IRIS_RADIUS,
  };
  const seen: { readonly radius: number; readonly colour: readonly number[] }[] = [];
  const colour = [0, 0, 0];
  for (let u = 0.1; u <= 0.9; u += 0.02) {
    for (let v = eye.top(u) + LASHES; v <= eye.bottom(u) - RIM; v += 0.01) {
      sampleSharpColour(source, ...applyAffine(eye.toSource, u, v), colour);
      seen.push({ radius: Math.hypot(u - iris.u, v - iris.v) / iris.radius, colour: [...colour] });
    }
  }
  const skin = [0, 0, 0];
  for (const point of eye.landmarks.skin) {
    sampleSharpColour(source, points[2 * point]!, points[2 * point + 1]!, colour);
    for (let c = 0; c < 3; c++) skin[c]! += colour[c]! / eye.landmarks.skin.length;
  }
  const at = (inside: (radius: number) => boolean, level: number): readonly number[] | undefined => {
    const colours = seen.filter(({ radius }) => inside(radius)).map((place) => place.colour);
    return colours.sort((a, b) => lightOf(a) - lightOf(b))[Math.floor(level * colours.length)];
  };
  const irisColour = at((radius) => radius < 1 - IRIS_EDGE && radius > PUPIL[0], IRIS_LEVEL);
  const white = at((radius) => radius > 1 + IRIS_EDGE, WHITE_LEVEL) ?? skin;
  const lift = Math.max(1, (LEAST_WHITE * lightOf(skin)) / Math.max(1, lightOf(white)));
  return {
    iris,
    irisColour: irisColour ?? skin.map((level) => 0.35 * level),
    white: white.map((level) => {
      const grey = lightOf(white) * lift;
      return Math.min(255, grey + TINT * (level * lift - grey));
    }),
  };
}

function lightOf(colour: readonly number[]): number {
  return 0.299 * colour[0]! + 0.587 * colour[1]! + 0.114 * colour[2]!;
}
