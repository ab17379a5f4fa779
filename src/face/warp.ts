/**
 * Moves a portrait to another pose by its face mesh: every triangle of the mesh is drawn with the portrait's own
 * pixels, hair and surroundings follow the head and fade to rest at the picture's border. The inside of an opening mouth
 * is drawn. What a warp cannot know (that inside, what was hidden) is marked as unreliable and left to the denoiser.
 */

import type { RgbImage } from '../image/rgb-image.ts';
import { type PixelKernels, type PlacedPicture, pixelKernels } from '../pixels/pixel-kernels.ts';
import { fitAffine } from './affine.ts';
import { EyeGaze, type GazeAngles } from './eye-gaze.ts';
import { Eyelids } from './eyelids.ts';
import { FACE_OVAL, INNER_LIPS } from './face-rings.ts';
import { LipSeam } from './lip-seam.ts';
import { areaOf, polygonArea, type Triangles } from './mesh-triangles.ts';
import { MouthInterior } from './mouth-interior.ts';
import { Silhouettes } from './silhouettes.ts';
import { drawRun, openWarpSource, type Sampling, type WarpSource } from './warp-source.ts';

/** Where, on the way from the face's outline to the border, the surroundings still move fully with the head. */
const RING_POSITION = 0.4;
/** How far the ring follows the head: hair moves with it, shoulders and background do not. */
const RING_FOLLOW = 0.85;
/** Smallest area, in square pixels, that counts as an open mouth; keeps the growth of a closed one finite. */
const CLOSED_MOUTH_AREA = 12;

/** The eyes as they look in the portrait. */
const OWN_GAZE: GazeAngles = [0, 0];

/** A warped portrait. */
interface WarpedPortrait {
  readonly image: RgbImage;
  /** For each pixel how much of it was really seen in the portrait: 255 all, 0 nothing. */
  readonly reliability: Uint8Array;
}

/** Scale from the source picture's pixels to the target's. */
interface Scale {
  readonly x: number;
  readonly y: number;
}

/** A picture that is drawn. */
interface Drawing {
  readonly width: number;
  readonly height: number;
  /** Where the mesh's points are, `[n, 2]` in pixels. */
  readonly target: Float64Array;
  /** Pixels of the picture for each of the source. */
  readonly areaScale: number;
  /** For each pixel how much of it was really seen in the source, 0 to 255; not kept where it is undefined. */
  readonly reliability: Uint8Array | undefined;
}

/** A picture that others lay nothing over. */
export function copyOf({ place, width, height }: PlacedPicture): RgbImage {
  return {
    data: pixelKernels()
      .bytes(place, width * height * 3)
      .slice(),
    width,
    height,
  };
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
  /** Where the far side of a turned face begins; lips left out. */
  readonly #silhouettes: Silhouettes;
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
    this.#silhouettes = new Silhouettes(this.#triangles, this.#turnedAway(this.#sourcePoints), lips);

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
    this.#gaze.look(this.#source, gaze);
    const reliability = new Uint8Array(width * height);
    return { image: copyOf(this.#draw(landmarks, width, height, reliability)), reliability };
  }

  /** The picture of {@link PortraitWarp.render} alone. */
  renderImage(
    landmarks: ArrayLike<number>,
    width: number,
    height: number,
    gaze: GazeAngles = OWN_GAZE,
  ): RgbImage {
    return copyOf(this.draw(landmarks, width, height, gaze));
  }

  /** The same, where it is drawn. */
  draw(
    landmarks: ArrayLike<number>,
    width: number,
    height: number,
    gaze: GazeAngles = OWN_GAZE,
  ): PlacedPicture {
    this.#gaze.look(this.#source, gaze);
    return this.#draw(landmarks, width, height);
  }

  #draw(
    landmarks: ArrayLike<number>,
    width: number,
    height: number,
    reliability?: Uint8Array,
  ): PlacedPicture {
    const scale: Scale = { x: width / this.#source.width, y: height / this.#source.height };
    const target = this.#targetPoints(landmarks, scale);
    const areaScale = scale.x * scale.y;
    const mouthArea = polygonArea(landmarks, INNER_LIPS);
    const opened = (mouthArea + CLOSED_MOUTH_AREA) / (this.#sourceMouthArea * areaScale + CLOSED_MOUTH_AREA);
    const lining = opened > 1 ? Math.round(255 / opened) : 255;

    this.#shownPoints.set(this.#sourcePoints);
    this.#seam.part(this.#shownPoints, this.#mouth.gapOf(landmarks, scale.x, scale.y));
    const turned = this.#turnedAway(target);
    const kernels = pixelKernels();
    const place = this.#drawTriangles(
      kernels,
      { width, height, target, areaScale, reliability },
      turned,
      lining,
    );
    const image: RgbImage = { data: kernels.bytes(place, width * height * 3), width, height };
    this.#silhouettes.smooth(image, target, turned);
    this.#mouth.draw(image, landmarks);
    this.#eyelids.draw(image, landmarks, reliability);
    return { place, width, height };
  }

  /** @returns where the kernels have the picture: the portrait at rest with the triangles over it. */
  #drawTriangles(
    kernels: PixelKernels,
    { width, height, target, areaScale, reliability }: Drawing,
    turned: Uint8Array,
    lining: number,
  ): number {
    const rest = this.#atRest(width, height);
    const triangles = this.#inOrder(turned, lining);
    const source = this.#source.load(kernels);
    const points = target.byteLength;
    const [image, seen, order, from, to] = kernels.layOut([
      ...[rest.length, reliability?.length ?? 0, triangles.byteLength, points, points],
    ] as const);
    kernels.bytes(image, rest.length).set(rest);
    kernels.integers(order, triangles.length).set(triangles);
    kernels.doubles(from, target.length).set(this.#shownPoints);
    kernels.doubles(to, target.length).set(target);
    const seenOf = reliability && kernels.bytes(seen, reliability.length).fill(255);
    kernels.run.drawTriangles(
      ...[image, width, height, reliability === undefined ? 0 : seen, order, triangles.length / 4, from, to],
      ...[areaScale, source.place, source.width, source.height, source.weights],
    );
    if (seenOf) reliability.set(seenOf);
    return image;
  }

  /** Corners and reliability of the triangles in the order in which they are drawn: what has turned away lies behind what is still seen. */
  #inOrder(turned: Uint8Array, lining: number): Int32Array {
    const corners = this.#triangles;
    const order = new Int32Array(4 * turned.length);
    let at = 0;
    for (const away of [1, 0]) {
      for (let t = away === 1 ? 0 : this.#ringCount; t < turned.length; t++) {
        if (t >= this.#ringCount && turned[t] !== away) continue;
        for (let k = 0; k < 3; k++) order[at + k] = corners[3 * t + k]!;
        order[at + 3] = this.#isLining[t] === 1 ? lining : -1;
        at += 4;
      }
    }
    return order;
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

  /** Where no triangle reaches, nothing moves. */
  #atRest(width: number, height: number): Uint8Array {
    if (this.#rest?.width !== width || this.#rest.height !== height) {
      const [stepX, stepY] = [this.#source.width / width, this.#source.height / height];
      const kernels = pixelKernels();
      const source = this.#source.load(kernels);
      const [target] = kernels.layOut([width * height * 3]);
      for (let y = 0; y < height; y++) {
        const place = { u: 0.5 * stepX, v: (y + 0.5) * stepY, uStep: stepX, vStep: 0 };
        drawRun(kernels, source, { target: target + 3 * y * width, count: width, ...place });
      }
      this.#rest = { data: kernels.bytes(target, width * height * 3).slice(), width, height };
    }
    return this.#rest.data;
  }
}
