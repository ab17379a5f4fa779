/**
 * The inside of a mouth that the portrait does not show: a dark cavity, upper teeth that stay with the skull while lips
 * and jaw move, and a tongue that lies on the jaw. A portrait that shows its own teeth keeps them, at their place.
 *
 * Plausible, not true: colours come from the portrait's lips and eyes, shapes from average anatomy. The denoiser's
 * correction starts from this.
 */
import type { RgbImage } from '../image/rgb-image.ts';
import { sampleColour, sampleSharpColour } from '../image/sample-colour.ts';
import { type Affine, applyAffine, fitAffine, invertAffine } from './affine.ts';
import { INNER_LIPS, SKULL } from './face-rings.ts';
import { smoothstep } from './smoothstep.ts';

/** From the right to the left corner of the mouth along the upper and the lower inner lip. */
const UPPER: readonly number[] = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308];
const LOWER: readonly number[] = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308];
/** Between inner and outer lips: where their colour is seen. */
const LIP_COLOUR: readonly number[] = [72, 11, 302, 86, 15, 316, 73, 303, 85, 315];
const CHEEKS: readonly number[] = [50, 280, 205, 425];
const EYES: readonly (readonly number[])[] = [
  [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7],
  [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249],
];
const RIGHT_EYE = 33;
const LEFT_EYE = 263;
const NOSE_ROOT = 168;
const NOSE_BASE = 2;
const UPPER_LIP = 13;
const LOWER_LIP = 14;
/** Distances of the canonical face in centimetres, {@link RIGHT_EYE} to {@link LEFT_EYE} and down the nose. */
const EYE_DISTANCE = 8.9;
const NOSE_LENGTH = 5.4;

/** How far the edge of the upper teeth lies below the resting upper lip, in cm. */
const TEETH_BELOW_LIP = 0.16;
/** Right and left edges of the upper teeth in cm from the middle: incisors, canine, premolars. */
const TEETH_EDGES: readonly number[] = [0, 0.86, 1.5, 2.2, 2.8];
/** Rise of the teeth's edges towards the sides, in cm for each cm². */
const ARCH_RISE = 0.045;
/** Of a portrait's own opening in cm: from where on its inside is used, and where nothing else is. */
const OWN_INSIDE = [0.25, 0.5] as const;
/** Change of the opening in cm over which the drawn inside takes over from the stretched one. */
const TAKE_OVER = 0.2;
/** Softness of the border to the lips, in cm and at least in pixels; its middle is the lips' edge. */
const SOFT_EDGE = 0.07;
const LEAST_SOFT_PIXELS = 1;
/**
 * Where upper teeth end in a portrait's own mouth, as a share of the way from the upper to the lower lip: at the darkest
 * place between these, if it is darker than what is above it by a fifth; else nothing of the lower jaw is seen.
 */
const JAW_BEGINS = [0.4, 0.9] as const;
const DARKER = 0.8;

/** Openings in cm below which lips that stand open in the portrait are drawn with the line of closed ones, and wholly so. */
const MEETING = [0.14, 0.03] as const;
/** Half the line's width in cm and at least in pixels, and its light by channel against the lips'. */
const LINE = 0.1;
const LEAST_LINE_PIXELS = 1.3;
const LINE_LIGHT = [0.62, 0.52, 0.52] as const;
const LINE_STRENGTH = 0.85;

type Colour = readonly [number, number, number];
/** Colour of teeth in white light of level 1. */
const IVORY: Colour = [1, 0.97, 0.9];

/** Numbers of a stretch of a chain: where it begins, the way to its end, the square of that, and its least and largest x. */
const STRETCH = 7;

/** The stretches of a chain of landmarks, [n, 2]: they are gone through for every pixel. */
function stretchesOf(points: ArrayLike<number>, chain: readonly number[]): Float64Array {
  const stretches = new Float64Array(STRETCH * (chain.length - 1));
  for (let i = 0; i + 1 < chain.length; i++) {
    const ax = points[chain[i]! * 2]!;
    const ay = points[chain[i]! * 2 + 1]!;
    const bx = points[chain[i + 1]! * 2]! - ax;
    const by = points[chain[i + 1]! * 2 + 1]! - ay;
    const ends = [Math.min(ax, ax + bx), Math.max(ax, ax + bx)];
    stretches.set([ax, ay, bx, by, bx * bx + by * by + 1e-12, ...ends], STRETCH * i);
  }
  return stretches;
}

/** Square of the distance of a point to a stretch that begins at `i`. */
function squareToStretch(stretches: Float64Array, i: number, x: number, y: number): number {
  const ax = stretches[i]!;
  const ay = stretches[i + 1]!;
  const bx = stretches[i + 2]!;
  const by = stretches[i + 3]!;
  const along = Math.min(1, Math.max(0, ((x - ax) * bx + (y - ay) * by) / stretches[i + 4]!));
  const dx = x - ax - along * bx;
  const dy = y - ay - along * by;
  return dx * dx + dy * dy;
}

/** Distance of a point to a chain. */
function distanceToChain(stretches: Float64Array, x: number, y: number): number {
  // Lips go from left to right: a stretch above or below the point first, which is nearer than most of the others by their x alone.
  const last = stretches.length - STRETCH;
  const count = stretches.length / STRETCH;
  const begin = stretches[0]!;
  const share = (x - begin) / (stretches[last]! + stretches[last + 2]! - begin);
  const near = STRETCH * Math.min(count - 1, Math.max(0, Math.trunc(share * count) || 0));
  let least = squareToStretch(stretches, near, x, y);
  for (let i = 0; i <= last; i += STRETCH) {
    const beside = Math.max(stretches[i + 5]! - x, x - stretches[i + 6]!);
    if (beside > 0 && beside * beside >= least) continue;
    least = Math.min(least, squareToStretch(stretches, i, x, y));
  }
  return Math.sqrt(least);
}

/** The corners of a ring of landmarks, one after another. */
function cornersOf(points: ArrayLike<number>, ring: readonly number[]): Float64Array {
  return Float64Array.from(ring.flatMap((index) => [points[index * 2]!, points[index * 2 + 1]!]));
}

/** Where a row at `y` crosses a ring of corners. */
function crossingsOf(ring: Float64Array, y: number): number[] {
  const crossings: number[] = [];
  for (let i = 0, j = ring.length - 2; i < ring.length; i += 2) {
    const xi = ring[i]!;
    const yi = ring[i + 1]!;
    const xj = ring[j]!;
    const yj = ring[j + 1]!;
    if (yi > y !== yj > y) crossings.push(((xj - xi) * (y - yi)) / (yj - yi) + xi);
    j = i;
  }
  return crossings;
}

/** Whether a point of a row lies inside the ring that it crosses, by the even-odd rule. */
function isBetween(crossings: readonly number[], x: number): boolean {
  let inside = false;
  for (const crossing of crossings) if (x < crossing) inside = !inside;
  return inside;
}

function meanColour(image: RgbImage, points: ArrayLike<number>, indices: readonly number[]): Colour {
  const sum: [number, number, number] = [0, 0, 0];
  const colour = [0, 0, 0];
  for (const index of indices) {
    sampleColour(image, points[index * 2]!, points[index * 2 + 1]!, colour);
    for (let c = 0; c < 3; c++) sum[c]! += colour[c]! / indices.length;
  }
  return sum;
}

function luminance(red: number, green: number, blue: number): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** How bright white things are in this light, 0 to 255: the brighter part of what the eyes' openings show. */
function whiteLevel(image: RgbImage, points: ArrayLike<number>): number {
  const levels: number[] = [];
  const { data, width, height } = image;
  for (const ring of EYES) {
    const xs = ring.map((i) => points[i * 2]!);
    const ys = ring.map((i) => points[i * 2 + 1]!);
    const corners = cornersOf(points, ring);
    for (let y = Math.max(0, Math.floor(Math.min(...ys))); y < Math.min(height, Math.max(...ys)); y++) {
      const crossings = crossingsOf(corners, y + 0.5);
      for (let x = Math.max(0, Math.floor(Math.min(...xs))); x < Math.min(width, Math.max(...xs)); x++) {
        if (!isBetween(crossings, x + 0.5)) continue;
        const at = (y * width + x) * 3;
        levels.push(luminance(data[at]!, data[at + 1]!, data[at + 2]!));
      }
    }
  }
  levels.sort((a, b) => a - b);
  return levels[Math.floor(0.85 * levels.length)] ?? 160;
}

/** See {@link JAW_BEGINS}. */
function findJaw(image: RgbImage, points: ArrayLike<number>): number {
  const steps = 24;
  const columns = [80, 81, 82, 13, 312, 311, 310].map((upper, i) => [
    upper,
    [88, 178, 87, 14, 317, 402, 318][i]!,
  ]);
  const colour = [0, 0, 0];
  const levels = Array.from({ length: steps }, (_, step) => {
    const t = (step + 0.5) / steps;
    let sum = 0;
    for (const [upper, lower] of columns as [number, number][]) {
      const along = (axis: 0 | 1): number => {
        const from = points[2 * upper + axis]!;
        return from + t * (points[2 * lower + axis]! - from);
      };
      sampleColour(image, along(0), along(1), colour);
      sum += luminance(colour[0]!, colour[1]!, colour[2]!);
    }
    return sum;
  });
  let [brightest, darkest, place] = [0, Number.POSITIVE_INFINITY, 1];
  for (const [step, level] of levels.entries()) {
    const t = (step + 0.5) / steps;
    if (t < JAW_BEGINS[0]) brightest = Math.max(brightest, level);
    else if (t < JAW_BEGINS[1] && level < darkest) [darkest, place] = [level, t];
  }
  return darkest < DARKER * brightest ? place : 1;
}

/** How much light falls into a mouth that is open by `gap` cm, 0 to 1. */
function lightIn(gap: number): number {
  return 0.45 + 0.55 * smoothstep(0.03, 0.5, gap);
}

/** Distance to the nearer corner of the mouth, of a chain that goes from one to the other. */
function distanceToCorners(chain: Float64Array, x: number, y: number): number {
  const last = chain.length - STRETCH;
  const dx = x - chain[0]!;
  const dy = y - chain[1]!;
  const otherX = x - chain[last]! - chain[last + 2]!;
  const otherY = y - chain[last + 1]! - chain[last + 3]!;
  return Math.sqrt(Math.min(dx * dx + dy * dy, otherX * otherX + otherY * otherY));
}

/** Where a place of the mouth's inside is; all in cm. Filled in for one pixel after another. */
interface Surroundings {
  /** Opening of the mouth. */
  readonly gap: number;
  /** Distances to the upper lip, the lower lip and the nearer corner. */
  below: number;
  above: number;
  corner: number;
}

/** Draws the inside of one portrait's mouth into its warped pictures. */
export class MouthInterior {
  readonly #source: RgbImage;
  readonly #points: ArrayLike<number>;
  /** The lips of the portrait. */
  readonly #upper: Float64Array;
  readonly #lower: Float64Array;
  readonly #lips: Float64Array;
  readonly #cavity: Colour;
  readonly #tongue: Colour;
  readonly #teeth: Colour;
  /** Of the line between closed lips. */
  readonly #line: Colour;
  /** From the source's pixels to centimetres: u to the picture's right of the middle, v down from the teeth's edge. */
  readonly #toCentimetres: Affine;
  /** Opening of the portrait's mouth in cm, and how far its inside is to be shown. */
  readonly gap: number;
  readonly #ownInside: number;
  /** Share of the way from the upper to the lower lip from which on the portrait's own inside belongs to the jaw. */
  readonly #jawBegins: number;

  /**
   * @param source - the portrait; kept, not copied.
   * @param points - its landmarks, [468, 2] px; kept.
   */
  constructor(source: RgbImage, points: ArrayLike<number>) {
    this.#source = source;
    this.#points = points;
    this.#upper = stretchesOf(points, UPPER);
    this.#lower = stretchesOf(points, LOWER);
    this.#lips = cornersOf(points, INNER_LIPS);
    const vector = (from: number, to: number, length: number): [number, number] => [
      (points[to * 2]! - points[from * 2]!) / length,
      (points[to * 2 + 1]! - points[from * 2 + 1]!) / length,
    ];
    const [ux, uy] = vector(RIGHT_EYE, LEFT_EYE, EYE_DISTANCE);
    const [vx, vy] = vector(NOSE_ROOT, NOSE_BASE, NOSE_LENGTH);
    const originX = points[UPPER_LIP * 2]! + TEETH_BELOW_LIP * vx;
    const originY = points[UPPER_LIP * 2 + 1]! + TEETH_BELOW_LIP * vy;
    this.#toCentimetres = invertAffine([ux, vx, originX, uy, vy, originY]);
    this.gap = this.gapOf(points, 1, 1);
    this.#ownInside = smoothstep(...OWN_INSIDE, this.gap);
    this.#jawBegins = this.#ownInside > 0 ? findJaw(source, points) : 1;

    const lips = meanColour(source, points, LIP_COLOUR);
    this.#cavity = [0.27 * lips[0], 0.16 * lips[1], 0.16 * lips[2]];
    this.#line = [LINE_LIGHT[0] * lips[0], LINE_LIGHT[1] * lips[1], LINE_LIGHT[2] * lips[2]];
    this.#tongue = [0.68 * lips[0], 0.55 * lips[1], 0.55 * lips[2]];
    const cheeks = meanColour(source, points, CHEEKS);
    const skin = luminance(cheeks[0], cheeks[1], cheeks[2]);
    const white = Math.min(225, Math.max(80, 1.1 * whiteLevel(source, points), 1.05 * skin));
    // Enamel is a warm white in the colour of the light, which the skin tells in part.
    const tooth = (c: 0 | 1 | 2): number =>
      Math.min(250, white * IVORY[c] * (1 + 0.35 * (cheeks[c] / Math.max(1, skin) - 1)));
    this.#teeth = [tooth(0), tooth(1), tooth(2)];
  }

  /** Distance of the inner lips' middles in cm, of landmarks at `scaleX`, `scaleY` times the source's size. */
  gapOf(points: ArrayLike<number>, scaleX: number, scaleY: number): number {
    const [a, b, , d, e] = this.#toCentimetres;
    const x = (points[LOWER_LIP * 2]! - points[UPPER_LIP * 2]!) / scaleX;
    const y = (points[LOWER_LIP * 2 + 1]! - points[UPPER_LIP * 2 + 1]!) / scaleY;
    return Math.hypot(a * x + b * y, d * x + e * y);
  }

  /**
   * Draws over `image`, the warped portrait, inside of the lips of `landmarks`; nothing when the mouth is as the portrait
   * shows it.
   *
   * @param landmarks - [468, 2] px of `image`, which shows what the source shows.
   */
  draw(image: RgbImage, landmarks: ArrayLike<number>): void {
    const { width, height, data } = image;
    const scaleX = width / this.#source.width;
    const scaleY = height / this.#source.height;
    const gap = this.gapOf(landmarks, scaleX, scaleY);
    const takeOver = smoothstep(0, TAKE_OVER, Math.abs(gap - this.gap));
    if (takeOver === 0) return;

    // Where skull and teeth of the target are in the source, and in centimetres.
    const toSource = invertAffine(fitAffine(this.#points, landmarks, SKULL));
    const [a, b, , d, e] = toSource;
    const [p, q, , r, s] = this.#toCentimetres;
    // Pixels of the target to a centimetre.
    const unit = 1 / Math.sqrt(Math.abs((p * s - q * r) * (a * e - b * d)));

    // Centimetres to a pixel of the source. A lip that rises takes the portrait's own teeth along: nothing is above them.
    const perPixel = Math.hypot(r, s);
    const [lipX, lipY] = applyAffine(toSource, landmarks[UPPER_LIP * 2]!, landmarks[UPPER_LIP * 2 + 1]!);
    const [restX, restY] = [this.#points[UPPER_LIP * 2]!, this.#points[UPPER_LIP * 2 + 1]!];
    const rise = Math.max(0, (r * (restX - lipX) + s * (restY - lipY)) / perPixel ** 2);
    const [shiftX, shiftY] = [r * rise, s * rise];

    // The jaw takes its teeth and the tongue along.
    const [chinX, chinY] = applyAffine(toSource, landmarks[LOWER_LIP * 2]!, landmarks[LOWER_LIP * 2 + 1]!);
    const jawX = this.#points[LOWER_LIP * 2]! - chinX;
    const jawY = this.#points[LOWER_LIP * 2 + 1]! - chinY;
    // Lips that close shade what stays between them.
    const shade = Math.min(1, lightIn(gap) / lightIn(this.gap));

    const soft = Math.max(SOFT_EDGE, LEAST_SOFT_PIXELS / unit) / 2;
    const margin = Math.ceil(soft * unit);
    const xs = INNER_LIPS.map((i) => landmarks[i * 2]!);
    const ys = INNER_LIPS.map((i) => landmarks[i * 2 + 1]!);
    const [left, right] = [Math.min(...xs) - margin, Math.max(...xs) + margin];
    const [top, bottom] = [Math.min(...ys) - margin, Math.max(...ys) + margin];
    const own = [0, 0, 0];
    const colour: [number, number, number] = [0, 0, 0];
    const place: Surroundings = { gap, below: 0, above: 0, corner: 0 };
    const upper = stretchesOf(landmarks, UPPER);
    const lower = stretchesOf(landmarks, LOWER);
    const lips = cornersOf(landmarks, INNER_LIPS);
    for (let y = Math.max(0, Math.floor(top)); y < Math.min(height, bottom); y++) {
      const py = y + 0.5;
      const crossings = crossingsOf(lips, py);
      for (let x = Math.max(0, Math.floor(left)); x < Math.min(width, right); x++) {
        const px = x + 0.5;
        place.below = distanceToChain(upper, px, py) / unit;
        place.above = distanceToChain(lower, px, py) / unit;
        const edge = Math.min(place.below, place.above);
        const isIn = isBetween(crossings, px);
        const strength = takeOver * smoothstep(-soft, soft, isIn ? edge : -edge);
        if (strength === 0) continue;
        const [sx, sy] = applyAffine(toSource, px, py);
        place.corner = distanceToCorners(upper, px, py) / unit;
        this.#colour(sx, sy, place, colour);
        if (this.#ownInside > 0) {
          this.#addOwn(colour, own, sx + jawX, sy + jawY, shade, true);
          this.#addOwn(colour, own, sx + shiftX, sy + shiftY, shade, false);
        }
        const at = (y * width + x) * 3;
        for (let c = 0; c < 3; c++)
          data[at + c] = data[at + c]! + (colour[c]! - data[at + c]!) * strength + 0.5;
      }
    }
    this.#drawLine(image, landmarks, gap, unit);
  }

  /**
   * Where lips of an open mouth meet, triangles of both leave slits through which its inside is seen, and there is no line as closed lips
   * have it.
   */
  #drawLine(
    { data, width, height }: RgbImage,
    landmarks: ArrayLike<number>,
    gap: number,
    unit: number,
  ): void {
    const meets = LINE_STRENGTH * this.#ownInside * smoothstep(...MEETING, gap);
    if (meets === 0) return;
    const chain = UPPER.flatMap((upper, i) =>
      [0, 1].map((axis) => (landmarks[2 * upper + axis]! + landmarks[2 * LOWER[i]! + axis]!) / 2),
    );
    const reach = Math.max(LINE * unit, LEAST_LINE_PIXELS) + (gap * unit) / 2;
    const order = UPPER.map((_, i) => i);
    const within = (axis: 0 | 1, size: number): readonly [number, number] => {
      const values = order.map((i) => chain[2 * i + axis]!);
      return [
        Math.max(0, Math.floor(Math.min(...values) - reach)),
        Math.min(size, Math.ceil(Math.max(...values) + reach)),
      ];
    };
    const [left, right] = within(0, width);
    const [top, bottom] = within(1, height);
    const stretches = stretchesOf(chain, order);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const strength =
          meets * smoothstep(reach, 0.35 * reach, distanceToChain(stretches, x + 0.5, y + 0.5));
        if (strength === 0) continue;
        const at = (y * width + x) * 3;
        for (let c = 0; c < 3; c++) {
          data[at + c] = Math.round(data[at + c]! + (this.#line[c as 0 | 1 | 2] - data[at + c]!) * strength);
        }
      }
    }
  }

  /** Puts over `colour` what the portrait itself shows at a place inside its lips: of the jaw, or of the skull. */
  #addOwn(colour: number[], own: number[], x: number, y: number, shade: number, ofJaw: boolean): void {
    if (ofJaw && this.#jawBegins === 1) return;
    if (!isBetween(crossingsOf(this.#lips, y), x)) return;
    const perPixel = Math.hypot(this.#toCentimetres[3], this.#toCentimetres[4]);
    const below = distanceToChain(this.#upper, x, y) * perPixel;
    const above = distanceToChain(this.#lower, x, y) * perPixel;
    const way = below / Math.max(1e-6, below + above);
    const share =
      this.#ownInside *
      (ofJaw
        ? smoothstep(0, 0.08, above) * smoothstep(this.#jawBegins - 0.1, this.#jawBegins, way)
        : smoothstep(0, 0.08, below) *
          (this.#jawBegins === 1
            ? smoothstep(0, 0.2, above)
            : smoothstep(this.#jawBegins, this.#jawBegins - 0.1, way)));
    if (share === 0) return;
    sampleSharpColour(this.#source, x, y, own);
    for (let c = 0; c < 3; c++) colour[c]! += (own[c]! * shade - colour[c]!) * share;
  }

  /** Writes the colour of the drawn inside at a place of the source into `out`. */
  #colour(
    x: number,
    y: number,
    { gap, below, above, corner }: Surroundings,
    out: [number, number, number],
  ): void {
    const [u, v] = applyAffine(this.#toCentimetres, x, y);
    const side = Math.abs(u);

    // The cavity is darkest in its depth; the tongue's back catches light over the lower lip.
    const tongue = 0.8 * smoothstep(0.6, 0.1, above) * smoothstep(0.5, 1.1, gap) * smoothstep(1.7, 0.7, side);
    const middle = 0.06 * smoothstep(0.3, 0, side) * tongue;
    for (let c = 0; c < 3; c++) {
      out[c] = this.#cavity[c]! + (this.#tongue[c]! * (1 - middle) - this.#cavity[c]!) * tongue;
    }

    let [width, inTooth] = [1, 0];
    for (let i = 0; i + 1 < TEETH_EDGES.length; i++) {
      if (side >= TEETH_EDGES[i]!) {
        width = TEETH_EDGES[i + 1]! - TEETH_EDGES[i]!;
        inTooth = Math.min(1, (side - TEETH_EDGES[i]!) / width);
      }
    }
    // Rounded corners leave small notches between the teeth; they show only where they are large enough.
    const fromEdge = Math.min(inTooth, 1 - inTooth) * width;
    const edge = -ARCH_RISE * side * side - 0.06 * smoothstep(0.14, 0, fromEdge);
    const tooth = smoothstep(0.05, -0.05, v - edge) * smoothstep(2.8, 2.3, side);
    const seam = 1 - 0.2 * smoothstep(0.06, 0, fromEdge);
    // The lip throws a shadow, the cheeks take the light from the side teeth, and a slit lets little light in.
    const light =
      (0.55 + 0.45 * smoothstep(0, 0.3, below)) *
      (1 - 0.45 * smoothstep(0.6, 2.6, side)) *
      (0.3 + 0.7 * smoothstep(0.1, 0.9, corner)) *
      (0.55 + 0.45 * smoothstep(0.05, 0.6, gap)) *
      seam;
    for (let c = 0; c < 3; c++) out[c]! += (this.#teeth[c]! * light - out[c]!) * tooth;
  }
}
