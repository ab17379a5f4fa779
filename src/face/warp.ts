/**
 * Moves a portrait to another pose by its face mesh: every triangle of the mesh is drawn with the portrait's own
 * pixels, hair and surroundings follow the head and fade to rest at the picture's border. The inside of an opening mouth
 * is drawn. What a warp cannot know (that inside, what was hidden) is marked as unreliable and left to the denoiser.
 */
import type { RgbImage } from '../image/rgb-image.ts';
import { fitAffine } from './affine.ts';
import { FACE_OVAL, INNER_LIPS } from './face-rings.ts';
import { MouthInterior } from './mouth-interior.ts';

/** Where, on the way from the face's outline to the border, the surroundings still move fully with the head. */
const RING_POSITION = 0.4;
/** How far the ring follows the head: hair moves with it, shoulders and background do not. */
const RING_FOLLOW = 0.85;
/** Smallest area, in square pixels, that counts as an open mouth; keeps the growth of a closed one finite. */
const CLOSED_MOUTH_AREA = 12;

/** A mesh's triangles, as indices of landmarks, three for each. */
export type Triangles = ArrayLike<number>;

/** A warped portrait. */
export interface WarpedPortrait {
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
  readonly #source: RgbImage;
  readonly #triangles: Int32Array;
  readonly #isLining: Uint8Array;
  readonly #sourcePoints: Float64Array;
  readonly #sourceMouthArea: number;
  readonly #mouth: MouthInterior;

  /**
   * @param source - the portrait; kept, not copied.
   * @param sourcePoints - its landmarks, `[468, 2]` in pixels.
   * @param triangles - the face mesh's, counter-clockwise or clockwise throughout.
   */
  constructor(source: RgbImage, sourcePoints: ArrayLike<number>, triangles: Triangles) {
    this.#source = source;
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

    this.#sourceMouthArea = polygonArea(sourcePoints, INNER_LIPS);
    this.#mouth = new MouthInterior(source, sourcePoints);
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
    points.set(Array.from(landmarks));
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
   */
  render(landmarks: ArrayLike<number>, width: number, height: number): WarpedPortrait {
    const scale: Scale = { x: width / this.#source.width, y: height / this.#source.height };
    const target = this.#targetPoints(landmarks, scale);
    const source = this.#sourcePoints;
    const areaScale = scale.x * scale.y;

    // For each pixel of the target its place in the source; at rest where no triangle reaches.
    const mapX = new Float32Array(width * height);
    const mapY = new Float32Array(width * height);
    const reliability = new Uint8Array(width * height).fill(255);
    const lining = new Uint8Array(width * height);
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        mapX[i] = (x + 0.5) / scale.x;
        mapY[i] = (y + 0.5) / scale.y;
      }
    }

    const triangles = this.#triangles;
    for (let t = 0; t < triangles.length; t += 3) {
      const i0 = triangles[t]! * 2;
      const i1 = triangles[t + 1]! * 2;
      const i2 = triangles[t + 2]! * 2;
      const x0 = target[i0]!;
      const y0 = target[i0 + 1]!;
      const x1 = target[i1]!;
      const y1 = target[i1 + 1]!;
      const x2 = target[i2]!;
      const y2 = target[i2 + 1]!;
      const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
      const u0 = source[i0]!;
      const v0 = source[i0 + 1]!;
      const u1 = source[i1]!;
      const v1 = source[i1 + 1]!;
      const u2 = source[i2]!;
      const v2 = source[i2 + 1]!;
      const sourceArea = ((u1 - u0) * (v2 - v0) - (u2 - u0) * (v1 - v0)) * areaScale;
      if (Math.abs(area) < 1e-6) continue;
      const isLining = this.#isLining[t / 3]!;
      // A triangle that turned over since the portrait shows what was hidden; a stretched one was seen in part.
      const seen = isLining ? 1 : Math.max(0, Math.min(1, sourceArea / area));
      const seenByte = Math.round(seen * 255);
      const inverse = 1 / area;
      const firstRow = Math.max(0, Math.ceil(Math.min(y0, y1, y2) - 0.5));
      const lastRow = Math.min(height - 1, Math.floor(Math.max(y0, y1, y2) - 0.5));
      const firstColumn = Math.max(0, Math.ceil(Math.min(x0, x1, x2) - 0.5));
      const lastColumn = Math.min(width - 1, Math.floor(Math.max(x0, x1, x2) - 0.5));
      for (let row = firstRow; row <= lastRow; row++) {
        const py = row + 0.5;
        for (let column = firstColumn; column <= lastColumn; column++) {
          const px = column + 0.5;
          const w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) * inverse;
          const w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) * inverse;
          const w0 = 1 - w1 - w2;
          if (w0 < -1e-9 || w1 < -1e-9 || w2 < -1e-9) continue;
          const i = row * width + column;
          mapX[i] = w0 * u0 + w1 * u1 + w2 * u2;
          mapY[i] = w0 * v0 + w1 * v1 + w2 * v2;
          reliability[i] = seenByte;
          lining[i] = isLining;
        }
      }
    }

    const mouthArea = polygonArea(landmarks, INNER_LIPS);
    const opened = (mouthArea + CLOSED_MOUTH_AREA) / (this.#sourceMouthArea * areaScale + CLOSED_MOUTH_AREA);
    const image = this.#sample(mapX, mapY, width, height);
    this.#mouth.draw(image, landmarks);
    if (opened > 1) {
      const byte = Math.round(255 / opened);
      for (let i = 0; i < lining.length; i++) if (lining[i] === 1) reliability[i] = byte;
    }
    return { image, reliability };
  }

  #sample(mapX: Float32Array, mapY: Float32Array, width: number, height: number): RgbImage {
    const { data: source, width: sourceWidth, height: sourceHeight } = this.#source;
    const data = new Uint8Array(width * height * 3);
    const maxX = sourceWidth - 1;
    const maxY = sourceHeight - 1;
    for (let i = 0, o = 0; i < mapX.length; i++, o += 3) {
      const x = Math.min(maxX, Math.max(0, mapX[i]! - 0.5));
      const y = Math.min(maxY, Math.max(0, mapY[i]! - 0.5));
      const left = x | 0;
      const top = y | 0;
      const fx = x - left;
      const fy = y - top;
      const a = (top * sourceWidth + left) * 3;
      const right = left < maxX ? 3 : 0;
      const below = top < maxY ? sourceWidth * 3 : 0;
      for (let c = 0; c < 3; c++) {
        const p = a + c;
        const upper = source[p]! + (source[p + right]! - source[p]!) * fx;
        const lower = source[p + below]! + (source[p + below + right]! - source[p + below]!) * fx;
        data[o + c] = upper + (lower - upper) * fy + 0.5;
      }
    }
    return { data, width, height };
  }
}
