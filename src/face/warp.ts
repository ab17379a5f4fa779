/**
 * Moves a portrait to another pose by its face mesh: every triangle of the mesh is drawn with the portrait's own
 * pixels, hair and surroundings follow the head and fade to rest at the picture's border. The inside of an opening mouth
 * is drawn. What a warp cannot know (that inside, what was hidden) is marked as unreliable and left to the denoiser.
 */

import type { RgbImage } from '../image/rgb-image.ts';
import { sampleColour } from '../image/sample-colour.ts';
import { pixelKernels } from '../pixels/pixel-kernels.ts';
import { fitAffine } from './affine.ts';
import { EyeGaze, type GazeAngles } from './eye-gaze.ts';
import { Eyelids } from './eyelids.ts';
import { FACE_OVAL, INNER_LIPS } from './face-rings.ts';
import { LipSeam } from './lip-seam.ts';
import { MouthInterior } from './mouth-interior.ts';
import { type DrawRun, openWarpSource, type Sampling, type WarpSource } from './warp-source.ts';

/** Where, on the way from the face's outline to the border, the surroundings still move fully with the head. */
const RING_POSITION = 0.4;
/** How far the ring follows the head: hair moves with it, shoulders and background do not. */
const RING_FOLLOW = 0.85;
/** Smallest area, in square pixels, that counts as an open mouth; keeps the growth of a closed one finite. */
const CLOSED_MOUTH_AREA = 12;

/** The eyes as they look in the portrait. */
const OWN_GAZE: GazeAngles = [0, 0];

/** Half the width, in pixels, over which the edge of what hides something is smoothed. */
const SILHOUETTE = 1;

/** A mesh's triangles, as indices of landmarks, three for each. */
export type Triangles = ArrayLike<number>;

/** A warped portrait. */
interface WarpedPortrait {
  readonly image: RgbImage;
  /** For each pixel how much of it was really seen in the portrait: 255 all, 0 nothing. */
  readonly reliability: Uint8Array;
}

function polygonArea(points: ArrayLike<number>, ring: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < ring.length; i++) {
    const a = ring[i]! * 2;
    const b = ring[(i + 1) % ring.length]! * 2;
    sum += points[a]! * points[b + 1]! - points[b]! * points[a + 1]!;
  }
  return Math.abs(sum) / 2;
}

/** Twice the signed area of triangle `t`. */
function areaOf(points: Float64Array, corners: Int32Array, t: number): number {
  const [a, b, c] = [corners[3 * t]! * 2, corners[3 * t + 1]! * 2, corners[3 * t + 2]! * 2];
  const [x, y] = [points[a]!, points[a + 1]!];
  return (points[b]! - x) * (points[c + 1]! - y) - (points[c]! - x) * (points[b + 1]! - y);
}

/** Edges that belong to two triangles: corner, corner, triangle, triangle for each; without those between `excluded` corners. */
function sharedEdges(triangles: Int32Array, excluded: ReadonlySet<number>): Int32Array {
  const first = new Map<number, number>();
  const edges: number[] = [];
  for (let t = 0; t < triangles.length / 3; t++) {
    for (let k = 0; k < 3; k++) {
      const [a, b] = [triangles[3 * t + k]!, triangles[3 * t + ((k + 1) % 3)]!].sort((p, q) => p - q) as [
        number,
        number,
      ];
      if (excluded.has(a) || excluded.has(b)) continue;
      const key = a * 65536 + b;
      const other = first.get(key);
      if (other === undefined) first.set(key, t);
      else edges.push(a, b, other, t);
    }
  }
  return Int32Array.from(edges);
}

/** Scale from the source picture's pixels to the target's. */
interface Scale {
  readonly x: number;
  readonly y: number;
}

/**
 * Warps one portrait to any number of poses of its mesh.
 *
 * The target is a square or rectangle that shows the same scene as the source, at its own size in pixels: with equal
 * landmarks (but for that scale) the result is the source, resampled.
 */
export class PortraitWarp {
  readonly #source: WarpSource;
  readonly #triangles: Int32Array;
  readonly #isLining: Uint8Array;
  /** Triangles between the face and the border come first. */
  readonly #ringCount: number;
  /** Sign of the area of triangles that face the camera. */
  readonly #orientation: number;
  /** Which of them the portrait shows from inside: the far side of a turned face. */
  readonly #sourceTurned: Uint8Array;
  /** Edges that two triangles share, lips left out: two corners, two triangles. */
  readonly #edges: Int32Array;
  readonly #sourcePoints: Float64Array;
  /** The same for the pose that is drawn: lips that part show nothing of the line between them. */
  readonly #shownPoints: Float64Array;
  readonly #sourceMouthArea: number;
  readonly #mouth: MouthInterior;
  readonly #seam: LipSeam;
  readonly #eyelids: Eyelids;
  readonly #gaze: EyeGaze;
  /** The source at the size that was asked for last. */
  #rest: RgbImage | undefined;

  /**
   * @param source - the portrait; kept, not copied.
   * @param sourcePoints - its landmarks, `[468, 2]` in pixels.
   * @param triangles - the face mesh's, counter-clockwise or clockwise throughout.
   * @param sampling - how colours between pixels are found. @defaultValue 'linear', as in training
   */
  constructor(
    source: RgbImage,
    sourcePoints: ArrayLike<number>,
    triangles: Triangles,
    sampling: Sampling = 'linear',
  ) {
    this.#source = openWarpSource(source, sampling);
    const count = sourcePoints.length / 2;
    const ring = FACE_OVAL.length;
    this.#sourcePoints = new Float64Array((count + 2 * ring) * 2);
    this.#sourcePoints.set(Array.from(sourcePoints));
    this.#placeRings(this.#sourcePoints, count, source.width, source.height);

    // Surroundings first, the face over them.
    const rings: number[] = [];
    for (const [inner, outer] of [
      [(i: number) => count + i, (i: number) => count + ring + i],
      [(i: number) => FACE_OVAL[i]!, (i: number) => count + i],
    ] as const) {
      for (let i = 0; i < ring; i++) {
        const j = (i + 1) % ring;
        rings.push(inner(i), outer(i), outer(j), inner(i), outer(j), inner(j));
      }
    }
    const lips = new Set(INNER_LIPS);
    const lining: number[] = [];
    const skin: number[] = [];
    for (let t = 0; t < triangles.length; t += 3) {
      const corners = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!];
      (corners.every((corner) => lips.has(corner)) ? lining : skin).push(...corners);
    }
    this.#triangles = Int32Array.from([...rings, ...lining, ...skin]);
    this.#isLining = new Uint8Array(this.#triangles.length / 3);
    this.#isLining.fill(1, rings.length / 3, (rings.length + lining.length) / 3);

    this.#ringCount = rings.length / 3;
    let area = 0;
    for (let t = this.#ringCount; t < this.#triangles.length / 3; t++) {
      area += areaOf(this.#sourcePoints, this.#triangles, t);
    }
    this.#orientation = Math.sign(area);
    this.#sourceTurned = this.#turnedAway(this.#sourcePoints);
    this.#edges = sharedEdges(this.#triangles, lips);

    this.#sourceMouthArea = polygonArea(sourcePoints, INNER_LIPS);
    this.#mouth = new MouthInterior(source, sourcePoints);
    this.#seam = new LipSeam(source, sourcePoints, this.#mouth.gap);
    this.#shownPoints = this.#sourcePoints.slice();
    this.#eyelids = new Eyelids(source, sourcePoints);
    this.#gaze = new EyeGaze(source, sourcePoints);
  }

  #placeRings(points: Float64Array, count: number, width: number, height: number): void {
    let [centreX, centreY] = [0, 0];
    for (const index of FACE_OVAL) {
      centreX += points[index * 2]! / FACE_OVAL.length;
      centreY += points[index * 2 + 1]! / FACE_OVAL.length;
    }
    FACE_OVAL.forEach((index, i) => {
      const x = points[index * 2]!;
      const y = points[index * 2 + 1]!;
      const dx = x - centreX;
      const dy = y - centreY;
      const reachX = dx > 0 ? (width - x) / dx : dx < 0 ? -x / dx : Number.POSITIVE_INFINITY;
      const reachY = dy > 0 ? (height - y) / dy : dy < 0 ? -y / dy : Number.POSITIVE_INFINITY;
      // A face that touches the border keeps a sliver, so that no triangle degenerates.
      const reach = Math.max(0.02, Math.min(reachX, reachY));
      const set = (slot: number, along: number): void => {
        points[(count + slot) * 2] = x + dx * along;
        points[(count + slot) * 2 + 1] = y + dy * along;
      };
      set(i, reach * RING_POSITION);
      set(FACE_OVAL.length + i, reach);
    });
  }

  /** All points of a pose: landmarks, the ring that follows the head, the border that rests. */
  #targetPoints(landmarks: ArrayLike<number>, scale: Scale): Float64Array {
    const source = this.#sourcePoints;
    const count = landmarks.length / 2;
    const points = new Float64Array(source.length);
    points.set(landmarks);
    const [a, b, c, d, e, f] = fitAffine(source, landmarks, FACE_OVAL);
    for (let i = 0; i < 2 * FACE_OVAL.length; i++) {
      const follow = i < FACE_OVAL.length ? RING_FOLLOW : 0;
      const x = source[(count + i) * 2]!;
      const y = source[(count + i) * 2 + 1]!;
      points[(count + i) * 2] = x * scale.x + follow * (a * x + b * y + c - x * scale.x);
      points[(count + i) * 2 + 1] = y * scale.y + follow * (d * x + e * y + f - y * scale.y);
    }
    return points;
  }

  /**
   * Draws the portrait with its landmarks at `landmarks`.
   *
   * @param landmarks - `[468, 2]` in pixels of the target.
   * @param width - of the target, which shows the whole source picture.
   * @param height - of the target.
   * @param gaze - where the eyes look. @defaultValue as in the portrait
   */
  render(
    landmarks: ArrayLike<number>,
    width: number,
    height: number,
    gaze: GazeAngles = OWN_GAZE,
  ): WarpedPortrait {
    const reliability = new Uint8Array(width * height).fill(255);
    this.#gaze.look(this.#source, gaze);
    return { image: this.#draw(landmarks, width, height, reliability), reliability };
  }

  /** The picture of {@link PortraitWarp.render} alone. */
  renderImage(
    landmarks: ArrayLike<number>,
    width: number,
    height: number,
    gaze: GazeAngles = OWN_GAZE,
  ): RgbImage {
    this.#gaze.look(this.#source, gaze);
    return this.#draw(landmarks, width, height);
  }

  #draw(landmarks: ArrayLike<number>, width: number, height: number, reliability?: Uint8Array): RgbImage {
    const scale: Scale = { x: width / this.#source.width, y: height / this.#source.height };
    const target = this.#targetPoints(landmarks, scale);
    const areaScale = scale.x * scale.y;
    const mouthArea = polygonArea(landmarks, INNER_LIPS);
    const opened = (mouthArea + CLOSED_MOUTH_AREA) / (this.#sourceMouthArea * areaScale + CLOSED_MOUTH_AREA);
    const liningByte = opened > 1 ? Math.round(255 / opened) : 255;

    this.#shownPoints.set(this.#sourcePoints);
    this.#seam.part(this.#shownPoints, this.#mouth.gapOf(landmarks, scale.x, scale.y));
    const canvas = this.#canvas(width, height);
    const { image } = canvas;
    // What has turned away lies behind what is still seen.
    const turned = this.#turnedAway(target);
    for (const away of [1, 0]) {
      for (let t = away === 1 ? 0 : this.#ringCount; t < turned.length; t++) {
        if (t < this.#ringCount || turned[t] === away) {
          this.#drawTriangle(t, target, areaScale, liningByte, canvas, reliability);
        }
      }
    }
    this.#smoothSilhouettes(target, turned, image);
    this.#mouth.draw(image, landmarks);
    this.#eyelids.draw(image, landmarks, reliability);
    return { data: image.data.slice(), width, height };
  }

  /** The portrait at rest in the memory of the kernels, where the triangles are drawn over it. */
  #canvas(width: number, height: number): Canvas {
    const rest = this.#atRest(width, height);
    const kernels = pixelKernels();
    const [source, target] = kernels.layOut([this.#source.byteLength, rest.length]);
    const drawRun = this.#source.load(kernels, source);
    const data = kernels.bytes(target, rest.length);
    data.set(rest);
    return { drawRun, target, image: { data, width, height } };
  }

  /** 1 for each triangle of the face that shows its inner side, 0 for all others. */
  #turnedAway(points: Float64Array): Uint8Array {
    const corners = this.#triangles;
    const turned = new Uint8Array(corners.length / 3);
    for (let t = this.#ringCount; t < turned.length; t++) {
      if (areaOf(points, corners, t) * this.#orientation < 0) turned[t] = 1;
    }
    return turned;
  }

  /** Where a cheek hides what is behind it, its edge is as soft as a camera would show it: triangles end in steps. */
  #smoothSilhouettes(target: Float64Array, turned: Uint8Array, image: RgbImage): void {
    const edges = this.#edges;
    const { width, height, data } = image;
    const [before, after] = [
      [0, 0, 0],
      [0, 0, 0],
    ];
    for (let e = 0; e < edges.length; e += 4) {
      const [one, other] = [edges[e + 2]!, edges[e + 3]!];
      if (turned[one] === turned[other]) continue;
      // An edge that the portrait shows itself is soft already.
      if (turned[one] === this.#sourceTurned[one] && turned[other] === this.#sourceTurned[other]) continue;
      const [a, b] = [edges[e]! * 2, edges[e + 1]! * 2];
      const [x0, y0] = [target[a]!, target[a + 1]!];
      const [dx, dy] = [target[b]! - x0, target[b + 1]! - y0];
      const length = Math.hypot(dx, dy);
      if (length < 1e-6) continue;
      const [nx, ny] = [-dy / length, dx / length];
      const firstRow = Math.max(0, Math.floor(Math.min(y0, y0 + dy) - SILHOUETTE));
      const lastRow = Math.min(height - 1, Math.ceil(Math.max(y0, y0 + dy) + SILHOUETTE));
      const firstColumn = Math.max(0, Math.floor(Math.min(x0, x0 + dx) - SILHOUETTE));
      const lastColumn = Math.min(width - 1, Math.ceil(Math.max(x0, x0 + dx) + SILHOUETTE));
      for (let row = firstRow; row <= lastRow; row++) {
        for (let column = firstColumn; column <= lastColumn; column++) {
          const [px, py] = [column + 0.5 - x0, row + 0.5 - y0];
          const along = (px * dx + py * dy) / (length * length);
          const off = Math.abs(px * nx + py * ny);
          if (along < 0 || along >= 1 || off > SILHOUETTE) continue;
          sampleColour(image, column + 0.5 - nx * SILHOUETTE, row + 0.5 - ny * SILHOUETTE, before);
          sampleColour(image, column + 0.5 + nx * SILHOUETTE, row + 0.5 + ny * SILHOUETTE, after);
          const at = (row * width + column) * 3;
          for (let c = 0; c < 3; c++) {
            data[at + c] = Math.round(0.5 * data[at + c]! + 0.25 * (before[c]! + after[c]!));
          }
        }
      }
    }
  }

  /** Draws triangle `t` at the corners that `target` gives it. */
  #drawTriangle(
    t: number,
    target: Float64Array,
    areaScale: number,
    liningByte: number,
    { drawRun, target: picture, image: { width, height } }: Canvas,
    reliability: Uint8Array | undefined,
  ): void {
    const points = this.#shownPoints;
    const i0 = this.#triangles[3 * t]! * 2;
    const i1 = this.#triangles[3 * t + 1]! * 2;
    const i2 = this.#triangles[3 * t + 2]! * 2;
    const x0 = target[i0]!;
    const y0 = target[i0 + 1]!;
    const x1 = target[i1]!;
    const y1 = target[i1 + 1]!;
    const x2 = target[i2]!;
    const y2 = target[i2 + 1]!;
    const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
    if (Math.abs(area) < 1e-6) return;
    const u0 = points[i0]!;
    const v0 = points[i0 + 1]!;
    const u1 = points[i1]!;
    const v1 = points[i1 + 1]!;
    const u2 = points[i2]!;
    const v2 = points[i2 + 1]!;
    const sourceArea = ((u1 - u0) * (v2 - v0) - (u2 - u0) * (v1 - v0)) * areaScale;
    // A triangle that turned over since the portrait shows what was hidden; a stretched one was seen in part.
    const seen = Math.max(0, Math.min(1, sourceArea / area));
    const seenByte = this.#isLining[t] === 1 ? liningByte : Math.round(seen * 255);
    const inverse = 1 / area;
    const firstRow = Math.max(0, Math.ceil(Math.min(y0, y1, y2) - 0.5));
    const lastRow = Math.min(height - 1, Math.floor(Math.max(y0, y1, y2) - 0.5));
    const firstColumn = Math.max(0, Math.ceil(Math.min(x0, x1, x2) - 0.5));
    const lastColumn = Math.min(width - 1, Math.floor(Math.max(x0, x1, x2) - 0.5));
    // The place in the source is linear in column and row.
    const uStep = ((y2 - y0) * (u1 - u0) - (y1 - y0) * (u2 - u0)) * inverse;
    const vStep = ((y2 - y0) * (v1 - v0) - (y1 - y0) * (v2 - v0)) * inverse;
    const uRowStep = ((x1 - x0) * (u2 - u0) - (x2 - x0) * (u1 - u0)) * inverse;
    const vRowStep = ((x1 - x0) * (v2 - v0) - (x2 - x0) * (v1 - v0)) * inverse;
    // So are the weights of the corners; where one is 0, a row enters or leaves the triangle.
    const step1 = (y2 - y0) * inverse;
    const step2 = (y0 - y1) * inverse;
    const step0 = -step1 - step2;
    const columns1 = 1 / step1;
    const columns2 = 1 / step2;
    const columns0 = 1 / step0;
    const px = firstColumn + 0.5 - x0;
    for (let row = firstRow; row <= lastRow; row++) {
      const py = row + 0.5 - y0;
      const across1 = (x2 - x0) * py;
      const across2 = (x1 - x0) * py;
      const w1 = (px * (y2 - y0) - across1) * inverse;
      const w2 = (across2 - px * (y1 - y0)) * inverse;
      const w0 = 1 - w1 - w2;
      let enter = 0;
      let leave = lastColumn - firstColumn;
      if (step1 > 0) enter = Math.max(enter, -w1 * columns1);
      else if (step1 < 0) leave = Math.min(leave, -w1 * columns1);
      if (step2 > 0) enter = Math.max(enter, -w2 * columns2);
      else if (step2 < 0) leave = Math.min(leave, -w2 * columns2);
      if (step0 > 0) enter = Math.max(enter, -w0 * columns0);
      else if (step0 < 0) leave = Math.min(leave, -w0 * columns0);
      // Pixels on an edge, or nearly so, are inside.
      let from = firstColumn + Math.ceil(enter - 1e-3);
      let to = firstColumn + Math.floor(leave + 1e-3);
      while (from <= to && !isInside(from + 0.5 - x0, across1, across2, y2 - y0, y1 - y0, inverse)) from++;
      while (from <= to && !isInside(to + 0.5 - x0, across1, across2, y2 - y0, y1 - y0, inverse)) to--;
      if (from > to) continue;
      const start = row * width + from;
      if (reliability !== undefined)
        for (let i = start; i <= start + to - from; i++) reliability[i] = seenByte;
      const u = u0 + (from + 0.5 - x0) * uStep + py * uRowStep;
      const v = v0 + (from + 0.5 - x0) * vStep + py * vRowStep;
      drawRun(picture + 3 * start, to - from + 1, u, v, uStep, vStep);
    }
  }

  /** Where no triangle reaches, nothing moves. */
  #atRest(width: number, height: number): Uint8Array {
    if (this.#rest?.width !== width || this.#rest.height !== height) {
      const [stepX, stepY] = [this.#source.width / width, this.#source.height / height];
      const kernels = pixelKernels();
      const [source, target] = kernels.layOut([this.#source.byteLength, width * height * 3]);
      const drawRun = this.#source.load(kernels, source);
      for (let y = 0; y < height; y++) {
        drawRun(target + 3 * y * width, width, 0.5 * stepX, (y + 0.5) * stepY, stepX, 0);
      }
      this.#rest = { data: kernels.bytes(target, width * height * 3).slice(), width, height };
    }
    return this.#rest.data;
  }
}

/** Whether a pixel is inside a triangle or, but for rounding, on its edge. */
function isInside(
  px: number,
  across1: number,
  across2: number,
  dy2: number,
  dy1: number,
  inverse: number,
): boolean {
  const w1 = (px * dy2 - across1) * inverse;
  const w2 = (across2 - px * dy1) * inverse;
  return 1 - w1 - w2 >= -1e-9 && w1 >= -1e-9 && w2 >= -1e-9;
}

/** A picture that is being drawn. */
interface Canvas {
  readonly drawRun: DrawRun;
  /** Where the kernels have the picture. */
  readonly target: number;
  /** The picture there; until others use the kernels. */
  readonly image: RgbImage;
}
