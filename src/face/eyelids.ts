/**
 * Lids that close over the eyes. A mesh that closes squeezes the eye's picture into a line, and leaves of it what lies
 * beyond the landmarks; here the eye stays where it is in the skull and the upper lid's skin comes down over it, its lashes
 * along.
 *
 * Plausible, not true: the lid's skin is that between lashes and brow, unfolded.
 */
import type { RgbImage } from '../image/rgb-image.ts';
import { sampleColour, sampleSharpColour } from '../image/sample-colour.ts';
import { type Affine, applyAffine, fitAffine, invertAffine } from './affine.ts';
import { SKULL } from './face-rings.ts';
import { smoothstep } from './smoothstep.ts';

/** One eye's landmarks, each chain from the picture's left to its right on an upright face. */
interface EyeLandmarks {
  readonly corners: readonly [left: number, right: number];
  readonly upper: readonly number[];
  readonly lower: readonly number[];
  /** Pairs of upper and lower lid around the middle, whose distance tells the closure. */
  readonly middle: readonly (readonly [upper: number, lower: number])[];
  /** Lower edge of the brow. */
  readonly brow: readonly number[];
  /** Skin beneath the eye. */
  readonly skin: readonly number[];
}

/** The person's right eye, then the left one. */
export const EYES: readonly EyeLandmarks[] = [
  {
    corners: [33, 133],
    upper: [33, 246, 161, 160, 159, 158, 157, 173, 133],
    lower: [33, 7, 163, 144, 145, 153, 154, 155, 133],
    middle: [
      [160, 144],
      [159, 145],
      [158, 153],
    ],
    brow: [53, 52, 65],
    skin: [229, 230, 231, 119, 118],
  },
  {
    corners: [362, 263],
    upper: [362, 398, 384, 385, 386, 387, 388, 466, 263],
    lower: [362, 382, 381, 380, 374, 373, 390, 249, 263],
    middle: [
      [385, 380],
      [386, 374],
      [387, 373],
    ],
    brow: [283, 282, 295],
    skin: [449, 450, 451, 348, 347],
  },
];

/** Closure, 0 as in the portrait to 1, over which the drawn lid takes over from the mesh's. */
const TAKE_OVER = [0.08, 0.28] as const;
/** Closure of the mesh at which lids meet: landmarks of closed eyes keep a little distance. */
const FULL_CLOSURE = 0.92;
/** Of the eye's width: eyes open less are closed in the portrait, or hardly seen. */
const LEAST_GAP = 0.1;
/** All that follows in widths of the eye. Skin from this far above the upper lid's edge on is free of lashes and of the eye. */
const LASHES = 0.07;
/** How far beneath the edge lashes and the lid's rim reach. */
const RIM = 0.012;
/** How far below the lower lid's landmarks the closed lid ends, in addition to this share of the opening. */
const OVERLAP = 0.03;
const OVERLAP_OF_GAP = 0.1;
/** Height of the skin that unfolds, as a share of what is between lid and brow, and its limits. */
const UNFOLDING = 0.65;
const LEAST_HEIGHT = 0.16;
const MOST_HEIGHT = 0.5;
/** The lid's edge is as soft as this. */
const SOFT_EDGE = 0.02;
/** Skin of the fold lies in the shadow of the brow: unfolded, it comes this far of the way to this share of the skin beneath. */
const UNFOLDED_BRIGHTNESS = 0.8;
const OUT_OF_SHADOW = 0.7;
/** Beyond the corners and below the lower lid the drawing fades out over this. */
const FADE_ASIDE = 0.16;
const FADE_BELOW = 0.2;
/** Points at which a lid's edge is kept. */
const EDGE_POINTS = 33;
/** What is left of the reliability where a lid covers the eye. */
const COVERED_RELIABILITY = 0.25;

/** An eye of the portrait in its own axes: u from the left corner (0) to the right one (1), v down, in the same unit. */
export class Eye {
  readonly landmarks: EyeLandmarks;
  readonly toSource: Affine;
  readonly fromSource: Affine;
  readonly #top: Float64Array;
  readonly #bottom: Float64Array;
  /** Mean opening of the middle. */
  readonly gap: number;
  /** Height of the skin that unfolds. */
  readonly height: number;
  /** What brings the unfolded skin out of the shadow: levels to add, by channel. */
  readonly light: readonly number[];

  constructor(source: RgbImage, points: ArrayLike<number>, landmarks: EyeLandmarks) {
    this.landmarks = landmarks;
    const [left, right] = landmarks.corners;
    const [x, y] = [points[2 * left]!, points[2 * left + 1]!];
    const [dx, dy] = [points[2 * right]! - x, points[2 * right + 1]! - y];
    this.toSource = [dx, -dy, x, dy, dx, y];
    this.fromSource = invertAffine(this.toSource);
    const place = (point: number): readonly [number, number] =>
      applyAffine(this.fromSource, points[2 * point]!, points[2 * point + 1]!);
    this.#top = edgeOf(landmarks.upper.map(place));
    this.#bottom = edgeOf(landmarks.lower.map(place));
    this.gap =
      landmarks.middle.reduce((sum, [upper, lower]) => sum + place(lower)[1] - place(upper)[1], 0) /
      landmarks.middle.length;
    const browHeight = landmarks.brow.reduce((sum, brow) => sum - place(brow)[1] / landmarks.brow.length, 0);
    const free = browHeight + this.top(0.5);
    this.height = Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, UNFOLDING * free));
    const fold: (readonly [number, number])[] = [];
    for (const u of [0.3, 0.4, 0.5, 0.6, 0.7]) {
      for (const share of [0.1, 0.4, 0.7]) {
        const v = this.top(u) - LASHES - share * (this.height - LASHES);
        fold.push(applyAffine(this.toSource, u, v));
      }
    }
    const skin = landmarks.skin.map((point) => [points[2 * point]!, points[2 * point + 1]!] as const);
    const shadow = meanColour(source, fold);
    this.light = meanColour(source, skin).map(
      (level, c) => OUT_OF_SHADOW * Math.max(0, UNFOLDED_BRIGHTNESS * level - shadow[c]!),
    );
  }

  /** Upper lid's edge; beyond the corners that of the corner. */
  top(u: number): number {
    return valueAt(this.#top, u);
  }

  bottom(u: number): number {
    return valueAt(this.#bottom, u);
  }
}

function meanColour(image: RgbImage, places: readonly (readonly [x: number, y: number])[]): number[] {
  const colour = [0, 0, 0];
  const sum = [0, 0, 0];
  for (const [x, y] of places) {
    sampleColour(image, x, y, colour);
    for (let c = 0; c < 3; c++) sum[c]! += colour[c]! / places.length;
  }
  return sum;
}

/** v at even steps of u, linear between the places. */
function edgeOf(places: readonly (readonly [u: number, v: number])[]): Float64Array {
  const sorted = [...places].sort((a, b) => a[0] - b[0]);
  return Float64Array.from({ length: EDGE_POINTS }, (_, i) => {
    const u = i / (EDGE_POINTS - 1);
    const after = sorted.findIndex((place) => place[0] >= u);
    if (after <= 0) return after === 0 ? sorted[0]![1] : sorted.at(-1)![1];
    const [[u0, v0], [u1, v1]] = [sorted[after - 1]!, sorted[after]!];
    return v0 + ((v1 - v0) * (u - u0)) / Math.max(1e-9, u1 - u0);
  });
}

function valueAt(edge: Float64Array, u: number): number {
  const place = Math.min(1, Math.max(0, u)) * (EDGE_POINTS - 1);
  const low = Math.min(EDGE_POINTS - 2, Math.floor(place));
  return edge[low]! + (edge[low + 1]! - edge[low]!) * (place - low);
}

/** Draws the closing lids of one portrait into its warped pictures. */
export class Eyelids {
  readonly #source: RgbImage;
  readonly #points: ArrayLike<number>;
  readonly #eyes: readonly Eye[];

  /**
   * @param source - the portrait; kept, not copied.
   * @param points - its landmarks, [468, 2] px; kept.
   */
  constructor(source: RgbImage, points: ArrayLike<number>) {
    this.#source = source;
    this.#points = points;
    this.#eyes = EYES.map((landmarks) => new Eye(source, points, landmarks)).filter(
      ({ gap }) => gap >= LEAST_GAP,
    );
  }

  /**
   * Draws over `image`, the warped portrait, where lids are further closed than in the portrait; nothing elsewhere.
   *
   * @param landmarks - [468, 2] px of `image`, which shows what the source shows.
   * @param reliability - of each pixel, lowered where a lid covers what the portrait shows.
   */
  draw(image: RgbImage, landmarks: ArrayLike<number>, reliability?: Uint8Array): void {
    const toTarget = fitAffine(this.#points, landmarks, SKULL);
    for (const eye of this.#eyes) this.#drawEye(eye, image, landmarks, toTarget, reliability);
  }

  #drawEye(
    eye: Eye,
    image: RgbImage,
    landmarks: ArrayLike<number>,
    [a, b, , d, e]: Affine,
    reliability: Uint8Array | undefined,
  ): void {
    // The skull's turn and size, at this eye's corners: they are not exactly where one map for all would have them.
    const [left, right] = eye.landmarks.corners;
    const middleOf = (points: ArrayLike<number>, axis: 0 | 1): number =>
      (points[2 * left + axis]! + points[2 * right + axis]!) / 2;
    const [x, y] = [middleOf(this.#points, 0), middleOf(this.#points, 1)];
    const toTarget: Affine = [
      a,
      b,
      middleOf(landmarks, 0) - a * x - b * y,
      d,
      e,
      middleOf(landmarks, 1) - d * x - e * y,
    ];
    const toSource = invertAffine(toTarget);
    const inEye = (point: number): number => {
      const [sx, sy] = applyAffine(toSource, landmarks[2 * point]!, landmarks[2 * point + 1]!);
      return applyAffine(eye.fromSource, sx, sy)[1];
    };
    const { middle } = eye.landmarks;
    const gap = middle.reduce((sum, [upper, lower]) => sum + inEye(lower) - inEye(upper), 0) / middle.length;
    const closure = Math.min(1, Math.max(0, (1 - gap / eye.gap) / FULL_CLOSURE));
    const takeOver = smoothstep(...TAKE_OVER, closure);
    if (takeOver === 0) return;

    const { width, height, data } = image;
    const overlap = OVERLAP + OVERLAP_OF_GAP * eye.gap;
    const box = boxOf(eye, toTarget, overlap + FADE_BELOW, width, height);
    const colour = [0, 0, 0];
    const skin = [0, 0, 0];
    for (let row = box.top; row <= box.bottom; row++) {
      for (let column = box.left; column <= box.right; column++) {
        const [sx, sy] = applyAffine(toSource, column + 0.5, row + 0.5);
        const [u, v] = applyAffine(eye.fromSource, sx, sy);
        const aside = smoothstep(-FADE_ASIDE, 0, Math.min(u, 1 - u));
        if (aside === 0) continue;
        const top = eye.top(u);
        const bottom = eye.bottom(u);
        const begin = top - eye.height;
        const alpha =
          takeOver *
          aside *
          smoothstep(begin, top - 0.55 * eye.height, v) *
          smoothstep(bottom + overlap + FADE_BELOW, bottom + overlap, v);
        if (alpha === 0) continue;
        // The lid has come down by this much; its skin above the lashes unfolds.
        const down = aside * (closure * (bottom - top) + closure ** 3 * overlap);
        const edge = top + down + RIM;
        const lid = smoothstep(edge + SOFT_EDGE, edge - SOFT_EDGE, v);
        const stretch = (top + down - LASHES - begin) / (eye.height - LASHES);
        const unfolded = v < top + down - LASHES;
        if (lid < 1) sampleSharpColour(this.#source, sx, sy, colour);
        if (lid > 0) {
          const from = unfolded ? begin + (v - begin) / stretch : v - down;
          const [px, py] = applyAffine(eye.toSource, u, from);
          sampleSharpColour(this.#source, px, py, skin);
          const lit = closure * smoothstep(begin, top - LASHES, v) * smoothstep(edge, edge - LASHES, v);
          for (let c = 0; c < 3; c++) {
            colour[c]! += (Math.min(255, skin[c]! + eye.light[c]! * lit) - colour[c]!) * lid;
          }
        }
        const at = row * width + column;
        for (let c = 0; c < 3; c++) {
          data[3 * at + c] = data[3 * at + c]! + (colour[c]! - data[3 * at + c]!) * alpha + 0.5;
        }
        if (reliability !== undefined) {
          // What is stretched was seen in part; what covers the eye is made up.
          const seen = v < top ? 1 / stretch : lid > 0 ? COVERED_RELIABILITY : 1;
          reliability[at] = Math.round(reliability[at]! * (1 - alpha) + 255 * Math.min(1, seen) * alpha);
        }
      }
    }
  }
}

/** Pixels of the target that an eye's drawing may reach, ends included. */
function boxOf(
  eye: Eye,
  toTarget: Affine,
  below: number,
  width: number,
  height: number,
): { left: number; right: number; top: number; bottom: number } {
  let [highest, lowest] = [0, 0];
  for (let i = 0; i < EDGE_POINTS; i++) {
    highest = Math.min(highest, eye.top(i / (EDGE_POINTS - 1)) - eye.height);
    lowest = Math.max(lowest, eye.bottom(i / (EDGE_POINTS - 1)) + below);
  }
  const places = [-FADE_ASIDE, 1 + FADE_ASIDE].flatMap((u) =>
    [highest, lowest].map((v) => applyAffine(toTarget, ...applyAffine(eye.toSource, u, v))),
  );
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  return {
    left: Math.max(0, Math.floor(Math.min(...xs))),
    right: Math.min(width - 1, Math.ceil(Math.max(...xs))),
    top: Math.max(0, Math.floor(Math.min(...ys))),
    bottom: Math.min(height - 1, Math.ceil(Math.max(...ys))),
  };
}
