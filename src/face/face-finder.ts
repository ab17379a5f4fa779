/**
 * Finds faces and their 468 landmarks in an image with MediaPipe's networks, which the package carries as ONNX files.
 *
 * Two networks find landmarks. The plain one is fast and gives a face its shape and pose. It shows half of how far lips and lids
 * open, and never shows them shut: on films with landmarks of MediaPipe's newer Face Landmarker (600 frames of a person talking), lips
 * open 0.49 times as far as there, lids 0.41 times. The attention mesh looks at lips and eyes a second time (0.91 and 0.76 times): it
 * follows films, and tells where the lips and lids of a portrait are that is to be moved.
 *
 * Source: MediaPipe, face_mesh 0.4 (graph face_landmark_front); Kartynnik et al. 2019, arXiv:1907.06724; the attention mesh:
 * Grishchenko et al. 2020, arXiv:2006.10962.
 */
import { readFile } from 'node:fs/promises';
import { ownFile, ownUrl } from '../files/own-file.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { boundsOf } from './bounds.ts';
import type { Square } from './crop.ts';
import {
  DETECTOR_SIZE,
  decodeDetections,
  detectorAnchors,
  type FaceDetection,
  suppressOverlaps,
  toImagePixels,
} from './detector.ts';
import { withPreciseFeatures } from './precise-features.ts';
import { type FaceRegion, regionFromBox, regionFromLandmarks, sampleRegion } from './region.ts';

/** A loaded network; the engine's networks have this form. */
export interface FaceNetwork {
  /** @param options - with `transfer`, the inputs' buffers may be moved away. */
  run(
    inputs: Readonly<Record<string, Tensor>>,
    options?: { readonly transfer?: boolean },
  ): Promise<Record<string, Tensor>>;
  dispose?(): Promise<void>;
}

/** Loads a network from the bytes of an ONNX file; `name` is for messages. */
export type FaceNetworkLoader = (name: string, graph: Uint8Array) => Promise<FaceNetwork>;

/** Number of landmarks of a face. */
export const LANDMARK_COUNT = 468;

/** Landmarks of one face. */
export interface FaceLandmarks {
  /** [468 · 3]: x and y in image pixels (0 is the left or top edge), z in the same unit, negative towards the camera. */
  readonly points: Float64Array;
  /** How sure the network is that the region shows a face, 0 to 1. */
  readonly presence: number;
}

/** A face with everything that the networks say about it. */
export interface FoundFace {
  readonly detection: FaceDetection;
  /** [468 · 3] px, as {@link FaceLandmarks.points}. */
  readonly landmarks: Float64Array;
  /** 0.5 to 1. */
  readonly presence: number;
}

const MIN_PRESENCE = 0.5;
/** Of faces that only parts of an image show: shirts and shadows reach 0.6, faces 0.99. */
const MIN_PRESENCE_IN_PARTS = 0.9;
/** Landmarks are made for this many faces of a crowd, the largest ones. */
const MAX_FACES = 8;
/** Width and height of the landmark network's input. */
export const LANDMARK_SIZE = 192;
/** The second pass looks at a region made from the first pass' landmarks, as MediaPipe does when it tracks a face. */
const LANDMARK_PASSES = 2;
const ASSETS = ownUrl('../../assets/face/', import.meta.url);

/** Parts of the image that are searched when the whole shows no face: their side, of the image's, and their distance. */
const PART_SIDE = 0.5;
const PART_STEP = 0.25;
/** The larger square, of the image's longer side, for a face that fills the image. */
const WIDE_SIDE = 1.5;

/** Squares to search for faces: the whole image, the same with a margin, then overlapping parts. */
export function searchSquares(width: number, height: number): Square[] {
  const longer = Math.max(width, height);
  const centred = (side: number): Square => ({ x: (width - side) / 2, y: (height - side) / 2, side });
  const squares = [centred(longer), centred(longer * WIDE_SIDE)];
  const side = longer * PART_SIDE;
  const starts = (size: number): number[] => {
    if (size <= side) return [(size - side) / 2];
    const steps = Math.ceil((size - side) / (longer * PART_STEP));
    return Array.from({ length: steps + 1 }, (_, i) => ((size - side) * i) / steps);
  };
  for (const y of starts(height)) for (const x of starts(width)) squares.push({ x, y, side });
  return squares;
}

/** Sides of the squares in which small faces are looked for, as shares of the shorter side. */
const SMALL_SHARES = [1, 0.5] as const;

/** Squares of a side that cover the image, each half over the one before. */
function squaresOfSide({ width, height }: Pick<RgbImage, 'width' | 'height'>, side: number): Square[] {
  const starts = (size: number): number[] => {
    const steps = Math.max(0, Math.ceil((size - side) / (side / 2)));
    return Array.from({ length: steps + 1 }, (_, i) => (steps === 0 ? 0 : ((size - side) * i) / steps));
  };
  return starts(height).flatMap((y) => starts(width).map((x) => ({ x, y, side })));
}

/** Share of the smaller of two boxes from which they are those of one face. */
const SAME_FACE = 1 / 3;

/** Whether two boxes are of one face: parts of the image cut faces off, and boxes of what is left differ in size. */
function isSameFace(a: FaceDetection['box'], b: FaceDetection['box']): boolean {
  const shared = (start: number, size: number, otherStart: number, otherSize: number): number =>
    Math.max(0, Math.min(start + size, otherStart + otherSize) - Math.max(start, otherStart));
  const area = shared(a.x, a.width, b.x, b.width) * shared(a.y, a.height, b.y, b.height);
  return area > SAME_FACE * Math.min(a.width * a.height, b.width * b.height);
}

function boxOfPoints(landmarks: Float64Array): FaceDetection['box'] {
  const { left, top, right, bottom } = boundsOf(landmarks, 3);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** Of detections whose landmarks are those of one face, the first: a bald forehead is taken for a face, too. */
export function distinctFaces(faces: readonly FoundFace[]): FoundFace[] {
  const distinct: FoundFace[] = [];
  for (const face of faces) {
    const box = boxOfPoints(face.landmarks);
    if (!distinct.some(({ landmarks }) => isSameFace(box, boxOfPoints(landmarks)))) distinct.push(face);
  }
  return distinct;
}

/** Holds the face networks; dispose of it after use. */
export class FaceFinder {
  readonly #detector: FaceNetwork;
  readonly #landmarks: FaceNetwork;
  readonly #attention: Promise<FaceNetwork>;
  readonly #anchors = detectorAnchors();

  private constructor(detector: FaceNetwork, landmarks: FaceNetwork, attention: Promise<FaceNetwork>) {
    this.#detector = detector;
    this.#landmarks = landmarks;
    this.#attention = attention;
    attention.catch(() => {}); // thrown where it is used
  }

  /** Loads the networks through `load`; the attention mesh, which is wanted last, is still being loaded when the others are there. */
  static async open(load: FaceNetworkLoader): Promise<FaceFinder> {
    const open = async (name: string): Promise<FaceNetwork> =>
      load(name, await readFile(ownFile(new URL(`${name}.onnx`, ASSETS))));
    const [detector, landmarks] = [await open('face-detector'), await open('face-landmarks')];
    return new FaceFinder(detector, landmarks, open('face-attention'));
  }

  /**
   * All faces of an image, the largest first; empty when there is none. Where none is seen in the whole image, parts of
   * it are searched for small faces, and a larger square for one that is cut off by the edges.
   */
  async detect(image: RgbImage): Promise<FaceDetection[]> {
    const [whole, ...others] = searchSquares(image.width, image.height);
    const found = await this.#detectIn(image, whole!);
    if (found.length > 0) return suppressOverlaps(found);
    for (const square of others) found.push(...(await this.#detectIn(image, square)));
    return suppressOverlaps(found);
  }

  /**
   * Small faces of a large image, with their landmarks, the largest first: looked for in squares of the shorter side and of
   * half of it.
   */
  async findSmall(image: RgbImage): Promise<FoundFace[]> {
    const found: FaceDetection[] = [];
    for (const share of SMALL_SHARES) {
      for (const square of squaresOfSide(image, share * Math.min(image.width, image.height))) {
        found.push(...(await this.#detectIn(image, square)));
      }
      const faces = await this.#withLandmarks(image, suppressOverlaps(found));
      if (faces.length > 0) return faces;
    }
    return [];
  }

  /** Detections in a square of the image, overlapping ones too. */
  async #detectIn(image: RgbImage, square: Square): Promise<FaceDetection[]> {
    const { x, y, side } = square;
    const region = { centerX: x + side / 2, centerY: y + side / 2, side, rotation: 0 };
    const input = sampleRegion(image, region, {
      size: DETECTOR_SIZE,
      scale: 1 / 127.5,
      offset: -1,
      border: 'zero',
    });
    const { boxes, scores } = await this.#detector.run({ image: input }, { transfer: true });
    return decodeDetections(boxes!, scores!, this.#anchors).map((detection) =>
      toImagePixels(detection, square),
    );
  }

  /** All faces of an image with their landmarks, the largest first; what turns out to be no face is left out. */
  async find(image: RgbImage): Promise<FoundFace[]> {
    return this.#withLandmarks(image, await this.detect(image));
  }

  /**
   * As {@link FaceFinder.find}, and after those the smaller faces of a group, which only parts of the image show large enough: a face
   * of a tenth of the image's longer side is seen in the whole.
   */
  async findAll(image: RgbImage): Promise<FoundFace[]> {
    const known = await this.find(image);
    // Where the whole shows none, its parts have been searched.
    if (known.length === 0) return known;
    const [, , ...parts] = searchSquares(image.width, image.height);
    // A part is sampled while the network looks at those before it.
    const found = await Promise.all(parts.map((square) => this.#detectIn(image, square)));
    const others = suppressOverlaps(found.flat()).filter(
      ({ box }) => !known.some(({ detection }) => isSameFace(box, detection.box)),
    );
    const small = await this.#withLandmarks(image, others);
    return distinctFaces([...known, ...small.filter(({ presence }) => presence >= MIN_PRESENCE_IN_PARTS)]);
  }

  async #withLandmarks(image: RgbImage, detections: readonly FaceDetection[]): Promise<FoundFace[]> {
    const faces: FoundFace[] = [];
    for (const detection of detections.slice(0, MAX_FACES)) {
      const { points, presence } = await this.landmarks(image, detection);
      if (presence >= MIN_PRESENCE) faces.push({ detection, landmarks: points, presence });
    }
    return faces;
  }

  /** Landmarks of a detected face. */
  async landmarks(image: RgbImage, { box, keypoints }: FaceDetection): Promise<FaceLandmarks> {
    let region = regionFromBox(box, [keypoints[0]!, keypoints[1]!], [keypoints[2]!, keypoints[3]!]);
    let found = await this.landmarksInRegion(image, region);
    for (let pass = 1; pass < LANDMARK_PASSES; pass++) {
      region = regionFromLandmarks(found.points);
      found = await this.landmarksInRegion(image, region);
    }
    return found;
  }

  /** Landmarks of the face that fills a region, by one pass of the network. */
  landmarksInRegion(image: RgbImage, region: FaceRegion): Promise<FaceLandmarks> {
    return this.#landmarksBy(this.#landmarks, image, region);
  }

  /** The same by the attention mesh, whose lips and lids open and close as far as they do in the picture. */
  async preciseLandmarksInRegion(image: RgbImage, region: FaceRegion): Promise<FaceLandmarks> {
    return this.#landmarksBy(await this.#attention, image, region);
  }

  /**
   * Landmarks [468 · 3] of a face that is to be moved, with lips, lids and brows where the attention mesh sees them: a mouth or an eye
   * shuts only if its edges are known. As they were where that sees no face.
   *
   * @param landmarks - of `image`, in pixels, as {@link FaceFinder.find} found them.
   */
  async refine(image: RgbImage, landmarks: Float64Array): Promise<Float64Array> {
    const { points, presence } = await this.preciseLandmarksInRegion(image, regionFromLandmarks(landmarks));
    return presence < MIN_PRESENCE ? landmarks : withPreciseFeatures(landmarks, points);
  }

  /** As {@link FaceFinder.find}, the largest face with refined landmarks. */
  async findPortrait(image: RgbImage): Promise<FoundFace[]> {
    const [largest, ...others] = await this.find(image);
    if (largest === undefined) return [];
    return [{ ...largest, landmarks: await this.refine(image, largest.landmarks) }, ...others];
  }

  async #landmarksBy(network: FaceNetwork, image: RgbImage, region: FaceRegion): Promise<FaceLandmarks> {
    const input = sampleRegion(image, region, {
      size: LANDMARK_SIZE,
      scale: 1 / 255,
      offset: 0,
      border: 'replicate',
    });
    const { landmarks, presence } = await network.run({ image: input }, { transfer: true });
    const raw = landmarks!.data;
    const points = new Float64Array(LANDMARK_COUNT * 3);
    const unit = region.side / LANDMARK_SIZE;
    const cos = Math.cos(region.rotation) * unit;
    const sin = Math.sin(region.rotation) * unit;
    for (let i = 0; i < points.length; i += 3) {
      const u = raw[i]! - LANDMARK_SIZE / 2;
      const v = raw[i + 1]! - LANDMARK_SIZE / 2;
      points[i] = region.centerX + u * cos - v * sin;
      points[i + 1] = region.centerY + u * sin + v * cos;
      points[i + 2] = raw[i + 2]! * unit;
    }
    return { points, presence: 1 / (1 + Math.exp(-presence!.data[0]!)) };
  }

  /** Frees the networks' memory; may be called twice. */
  async dispose(): Promise<void> {
    await this.#detector.dispose?.();
    await this.#landmarks.dispose?.();
    await (await this.#attention.catch(() => undefined))?.dispose?.();
  }
}
