/** Follows one face from picture to picture: found once, then looked for where it was last. */
import { boundsOf } from '../face/bounds.ts';
import { type FaceFinder, type FaceLandmarks, type FoundFace, LANDMARK_SIZE } from '../face/face-finder.ts';
import { type FaceGeometry, fitFaceGeometry } from '../face/geometry.ts';
import { type FaceRegion, regionFromLandmarks } from '../face/region.ts';
import { matrixToPose } from '../face/rotation.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { shrinkRegion } from './shrink-region.ts';

/** Below this presence the region shows no face. Source: MediaPipe, face_landmark_front (tracking confidence). */
const MIN_PRESENCE = 0.5;
/** Degrees sideways, and up or down, beyond which half of the landmarks are guessed. */
const MAX_YAW = 65;
const MAX_PITCH = 55;
/** Part of its size by which a face moves at most from one picture to the next; what jumps is another face, or none. */
const MAX_STEP = 0.6;
/** Smallest larger extent of the landmarks, in pixels: below it, lips and lids are a pixel or two. */
const MIN_SIZE = 24;
/** While nothing is found, the whole picture is searched at first every time, then once in so many pictures. */
const EAGER_SEARCHES = 3;
const SEARCH_INTERVAL = 3;
/** Centimetres of difference in shape that count as much as a face's size in distance: people differ by 0.13 to 0.5. */
const SHAPE_SCALE = 0.25;
/** Landmarks that hardly move with expressions: nose, corners of the eyes, temples, cheekbones, forehead. */
const STABLE = [
  4, 5, 6, 10, 33, 50, 54, 67, 93, 97, 98, 117, 127, 129, 132, 133, 168, 197, 205, 234, 263, 280, 284, 297,
  323, 326, 327, 346, 356, 358, 361, 362, 425, 454,
];

/** The face of one picture. */
export interface TrackedFace {
  /** [468, 3] cm, in the face's own space. */
  readonly mesh: Float64Array;
  /** [6]: degrees about x, y, z and cm, from the face's space to the camera's. */
  readonly pose: Float64Array;
  /** [468, 3] px of the picture. */
  readonly landmarks: Float64Array;
}

/** Faces of the first picture that shows enough of them. */
interface FirstSight {
  readonly faces: number;
  /** Place of the one that is followed, counted from 1 at the left. */
  readonly chosen: number;
}

/** Options of {@link FaceTracker}. */
interface FaceTrackerOptions {
  /** Which face to follow, counted from 1 at the left of the picture. @defaultValue the largest */
  readonly face?: number | undefined;
  /** Called when the face is first seen. */
  readonly onFirstSight?: ((sight: FirstSight) => void) | undefined;
}

/** One film's tracker; pictures are given in their order. */
export class FaceTracker {
  readonly #finder: FaceFinder;
  readonly #options: FaceTrackerOptions;
  /** Landmarks of the last picture that showed the face. */
  #last: Float64Array | undefined;
  #missed = 0;
  /** Sum of the shapes seen, and their number. */
  readonly #shape = new Float64Array(3 * STABLE.length);
  #shapes = 0;
  #mostFaces = 0;

  /** @param finder - the caller's to dispose of. */
  constructor(finder: FaceFinder, options: FaceTrackerOptions = {}) {
    this.#finder = finder;
    this.#options = options;
  }

  /** Most faces that a picture showed while the wanted one was looked for. */
  get mostFaces(): number {
    return this.#mostFaces;
  }

  /**
   * The face in the next picture; undefined where it is not seen.
   *
   * @param cut - whether the picture shows another scene than the one before.
   */
  async next(image: RgbImage, cut = false): Promise<TrackedFace | undefined> {
    if (this.#last !== undefined && !cut) {
      const face = await this.#follow(image, this.#last);
      if (face !== undefined) return this.#accept(face);
    }
    const search = this.#missed < EAGER_SEARCHES || this.#missed % SEARCH_INTERVAL === 0 || cut;
    const face = search ? await this.#search(image, cut) : undefined;
    if (face !== undefined) return this.#accept(face);
    this.#missed++;
    return undefined;
  }

  #accept(face: TrackedFace): TrackedFace {
    this.#last = face.landmarks;
    this.#missed = 0;
    STABLE.forEach((landmark, i) => {
      for (let axis = 0; axis < 3; axis++) {
        this.#shape[3 * i + axis]! += face.mesh[3 * landmark + axis]!;
      }
    });
    this.#shapes++;
    return face;
  }

  /** The face where it was last. */
  async #follow(image: RgbImage, last: Float64Array): Promise<TrackedFace | undefined> {
    const { points, presence } = await this.#landmarksIn(image, regionFromLandmarks(last));
    if (presence < MIN_PRESENCE) return undefined;
    const [before, now] = [extentOf(last), extentOf(points)];
    const step = Math.hypot(now.x - before.x, now.y - before.y);
    if (step > MAX_STEP * before.size || now.size < before.size / 2 || now.size > before.size * 2)
      return undefined;
    return usable(image, points);
  }

  /** As the finder's, at a fraction of the cost where the face is large. */
  async #landmarksIn(image: RgbImage, region: FaceRegion): Promise<FaceLandmarks> {
    const small = shrinkRegion(image, region, LANDMARK_SIZE);
    if (small === undefined) return this.#finder.preciseLandmarksInRegion(image, region);
    const { left, top, factor } = small;
    const { points, presence } = await this.#finder.preciseLandmarksInRegion(small.image, small.region);
    for (let i = 0; i < points.length; i += 3) {
      points[i] = left + factor * points[i]!;
      points[i + 1] = top + factor * points[i + 1]!;
      points[i + 2]! *= factor;
    }
    return { points, presence };
  }

  /** The face among all that are seen. */
  async #search(image: RgbImage, cut: boolean): Promise<TrackedFace | undefined> {
    const found = await this.#finder.find(image);
    this.#mostFaces = Math.max(this.#mostFaces, found.length);
    if (found.length === 0) return undefined;
    const precise: FoundFace[] = [];
    for (const face of found) {
      const { points, presence } = await this.#landmarksIn(image, regionFromLandmarks(face.landmarks));
      if (presence >= MIN_PRESENCE) precise.push({ ...face, landmarks: points, presence });
    }
    if (this.#last === undefined) return this.#choose(image, precise);
    const faces = precise.flatMap(({ landmarks }) => usable(image, landmarks) ?? []);
    const costs = faces.map((face) => this.#unlikeness(face, cut));
    return faces[costs.indexOf(Math.min(...costs))];
  }

  /** The face that is followed from now on. */
  #choose(image: RgbImage, found: readonly FoundFace[]): TrackedFace | undefined {
    const fromLeft = [...found].sort((a, b) => extentOf(a.landmarks).x - extentOf(b.landmarks).x);
    const { face, onFirstSight } = this.#options;
    const wanted = face === undefined ? found[0] : fromLeft[face - 1];
    const chosen = wanted && usable(image, wanted.landmarks);
    if (chosen !== undefined) onFirstSight?.({ faces: found.length, chosen: fromLeft.indexOf(wanted!) + 1 });
    return chosen;
  }

  /** How little a face is like the one that was followed: by its shape, and by its place where the scene is the same. */
  #unlikeness({ mesh, landmarks }: TrackedFace, cut: boolean): number {
    let squares = 0;
    STABLE.forEach((landmark, i) => {
      for (let axis = 0; axis < 3; axis++) {
        squares += (mesh[3 * landmark + axis]! - this.#shape[3 * i + axis]! / this.#shapes) ** 2;
      }
    });
    const shape = Math.sqrt(squares / STABLE.length) / SHAPE_SCALE;
    if (cut) return shape;
    const [before, now] = [extentOf(this.#last!), extentOf(landmarks)];
    const distance = Math.hypot(now.x - before.x, now.y - before.y) / before.size;
    return shape + distance + Math.abs(Math.log(now.size / before.size));
  }
}

/** The face with its geometry, if it can be trusted. */
function usable({ width, height }: RgbImage, landmarks: Float64Array): TrackedFace | undefined {
  if (extentOf(landmarks).size < MIN_SIZE) return undefined;
  const { mesh, transform }: FaceGeometry = fitFaceGeometry(landmarks, width, height);
  const pose = matrixToPose(transform);
  if (!pose.every(Number.isFinite)) return undefined;
  if (Math.abs(pose[1]!) > MAX_YAW || Math.abs(pose[0]!) > MAX_PITCH) return undefined;
  return { mesh, pose, landmarks };
}

/** Centre and larger extent of landmarks [n, 3]. */
function extentOf(points: Float64Array): { readonly x: number; readonly y: number; readonly size: number } {
  const { left, top, right, bottom } = boundsOf(points, 3);
  return { x: (left + right) / 2, y: (top + bottom) / 2, size: Math.max(right - left, bottom - top) };
}
