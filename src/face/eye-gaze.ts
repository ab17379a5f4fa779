/**
 * Eyes that look elsewhere: the iris is moved within the opening of the eye, its surroundings give way, and the lids stay.
 * The portrait's own pixels are changed, so whatever moves the portrait moves the eyes along.
 *
 * Source: an eyeball's radius of 12 mm and an iris of 11.7 mm across, as in the Gullstrand eye; an eye's opening is some
 * 26 mm wide in the canonical face.
 */
import type { RgbImage } from '../image/rgb-image.ts';
import { sampleColour, sampleSharpColour } from '../image/sample-colour.ts';
import { applyAffine } from './affine.ts';
import { EYES, Eye } from './eyelids.ts';
import { smoothstep } from './smoothstep.ts';

/** Widths of the eye's opening, the unit of all that follows: the eyeball's radius, and the iris' as it may be seen. */
const EYEBALL = 12 / 26;
const IRIS_RADII = [0.18, 0.2, 0.225, 0.25] as const;
/** Where the iris is looked for, from the left corner and about the middle of the lids, and how finely. */
const ACROSS = [0.28, 0.72] as const;
const UP_AND_DOWN = 0.08;
const STEP = 0.02;
/** Levels, 0 to 255, by which an iris is darker than the white next to it; where it is less there may be none. */
const LEAST_CONTRAST = 14;
/** In radii of the iris: up to here the eye moves wholly, from here on not at all. */
const MOVES_WHOLLY = 1.15;
const RESTS = 2.3;
/** The edge of the lids, which is not moved, and over what it fades. */
const RIM = 0.025;
const FADE = 0.05;
/** Degrees beyond which eyes are not turned. */
const MOST = 12;

/** Where the eyes look, in degrees of turn from how they look in the portrait: to the person's left, and down. */
export type GazeAngles = readonly [yaw: number, pitch: number];

/** An iris in the axes of its eye. */
export interface Iris {
  readonly u: number;
  readonly v: number;
  readonly radius: number;
}

/** The pixels around one eye, and where they are in its axes. */
interface Patch {
  readonly eye: Eye;
  readonly iris: Iris;
  /** Places of the pixels, row by row, in the picture; and (u, v) of each. */
  readonly at: Uint32Array;
  readonly places: Float64Array;
  /** How far each pixel is within the lids, 0 to 1. */
  readonly inside: Float64Array;
}

/** A picture of which pixels can be given other colours. */
interface ChangeablePicture {
  /** @param at - indices of the pixels, row by row; @param colours - red, green and blue of each, from the lowest byte on */
  replace(at: Uint32Array, colours: Uint32Array): void;
}

/** The eyes of one portrait. */
export class EyeGaze {
  readonly #source: RgbImage;
  readonly #patches: readonly Patch[];
  /** Pixels of both. */
  readonly #at: Uint32Array;
  #angles: GazeAngles = [0, 0];

  /**
   * @param source - the portrait; kept, not copied.
   * @param points - its landmarks, [468, 2] px.
   */
  constructor(source: RgbImage, points: ArrayLike<number>) {
    this.#source = source;
    this.#patches = EYES.flatMap((landmarks) => {
      const eye = new Eye(source, points, landmarks);
      const iris = findIris(source, eye);
      return iris === undefined ? [] : [patchOf(source, eye, iris)];
    });
    // Eyes look together: where only one is seen, neither moves.
    if (this.#patches.length < EYES.length) this.#patches = [];
    this.#at = Uint32Array.from(this.#patches.flatMap(({ at }) => [...at]));
  }

  /** Whether both irises were found. */
  get sees(): boolean {
    return this.#patches.length > 0;
  }

  /** Turns the eyes of `picture`, which holds the portrait, in place; angles of 0 restore it to the byte. */
  look(picture: ChangeablePicture, [yaw, pitch]: GazeAngles): void {
    if (yaw === this.#angles[0] && pitch === this.#angles[1]) return;
    this.#angles = [yaw, pitch];
    const shift = (degrees: number): number =>
      EYEBALL * Math.sin((Math.min(MOST, Math.max(-MOST, degrees)) * Math.PI) / 180);
    if (this.#patches.length === 0) return;
    const colours = new Uint32Array(this.#at.length);
    let from = 0;
    for (const patch of this.#patches) {
      const to = from + patch.at.length;
      this.#draw(patch, colours.subarray(from, to), shift(yaw), shift(pitch));
      from = to;
    }
    picture.replace(this.#at, colours);
  }

  #draw({ eye, iris, at, places, inside }: Patch, colours: Uint32Array, du: number, dv: number): void {
    const { data } = this.#source;
    const colour = [0, 0, 0];
    for (let i = 0; i < at.length; i++) {
      const p = at[i]! * 3;
      let [red, green, blue] = [data[p]!, data[p + 1]!, data[p + 2]!];
      const [u, v] = [places[2 * i]!, places[2 * i + 1]!];
      const away = Math.hypot(u - iris.u - du, v - iris.v - dv) / iris.radius;
      const share = inside[i]! * smoothstep(RESTS, MOVES_WHOLLY, away);
      if (share > 0) {
        const fromU = u - share * du;
        // What lies behind a lid is not known: the nearest that is seen goes on.
        const fromV = Math.min(eye.bottom(fromU) - RIM, Math.max(eye.top(fromU) + RIM, v - share * dv));
        sampleSharpColour(this.#source, ...applyAffine(eye.toSource, fromU, fromV), colour);
        const mix = smoothstep(0, 0.5, inside[i]!);
        red += (colour[0]! - red) * mix;
        green += (colour[1]! - green) * mix;
        blue += (colour[2]! - blue) * mix;
      }
      colours[i] = Math.round(red) | (Math.round(green) << 8) | (Math.round(blue) << 16);
    }
  }
}

/** The pixels of the picture within the lids of an eye. */
function patchOf({ width, height }: RgbImage, eye: Eye, iris: Iris): Patch {
  const corners = [0, 1].flatMap((u) => [-0.5, 0.5].map((v) => applyAffine(eye.toSource, u, v)));
  const range = (axis: 0 | 1, most: number): readonly [number, number] => [
    Math.max(0, Math.floor(Math.min(...corners.map((corner) => corner[axis])))),
    Math.min(most, Math.ceil(Math.max(...corners.map((corner) => corner[axis])))),
  ];
  const [left, right] = range(0, width);
  const [top, bottom] = range(1, height);
  const at: number[] = [];
  const places: number[] = [];
  const inside: number[] = [];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const [u, v] = applyAffine(eye.fromSource, x + 0.5, y + 0.5);
      const within = Math.min(v - eye.top(u), eye.bottom(u) - v, u, 1 - u);
      if (within <= RIM) continue;
      at.push(y * width + x);
      places.push(u, v);
      inside.push(smoothstep(RIM, RIM + FADE, within));
    }
  }
  return {
    eye,
    iris,
    at: Uint32Array.from(at),
    places: Float64Array.from(places),
    inside: Float64Array.from(inside),
  };
}

/**
 * The disc within the lids that is darkest against what is around it; undefined where none is dark enough.
 *
 * @param heights - between which its middle is looked for. @defaultValue about the middle of the lids
 */
export function findIris(
  source: RgbImage,
  eye: Eye,
  heights: readonly [top: number, bottom: number] = aboutTheMiddle(eye),
): Iris | undefined {
  const samples: { readonly u: number; readonly v: number; readonly level: number }[] = [];
  const colour = [0, 0, 0];
  for (let u = STEP; u < 1; u += STEP) {
    for (let v = eye.top(u) + RIM; v < eye.bottom(u) - RIM; v += STEP) {
      sampleColour(source, ...applyAffine(eye.toSource, u, v), colour);
      samples.push({ u, v, level: 0.299 * colour[0]! + 0.587 * colour[1]! + 0.114 * colour[2]! });
    }
  }
  let best: Iris | undefined;
  let most = LEAST_CONTRAST;
  for (const radius of IRIS_RADII) {
    for (let u = ACROSS[0]; u <= ACROSS[1]; u += STEP) {
      for (let v = heights[0]; v <= heights[1]; v += STEP) {
        const contrast = contrastOf(samples, { u, v, radius });
        if (contrast > most) [most, best] = [contrast, { u, v, radius }];
      }
    }
  }
  return best;
}

function aboutTheMiddle(eye: Eye): readonly [number, number] {
  const middle = (eye.top(0.5) + eye.bottom(0.5)) / 2;
  return [middle - UP_AND_DOWN, middle + UP_AND_DOWN];
}

function contrastOf(
  samples: readonly { readonly u: number; readonly v: number; readonly level: number }[],
  { u, v, radius }: Iris,
): number {
  let [disc, discCount, ring, ringCount] = [0, 0, 0, 0];
  for (const sample of samples) {
    const [du, dv] = [sample.u - u, sample.v - v];
    const away = (du * du + dv * dv) / (radius * radius);
    if (away < 0.92 ** 2) {
      disc += sample.level;
      discCount += 1;
    } else if (away > 1.08 ** 2 && away < 1.6 ** 2) {
      ring += sample.level;
      ringCount += 1;
    }
  }
  return discCount < 8 || ringCount < 8 ? 0 : ring / ringCount - disc / discCount;
}
