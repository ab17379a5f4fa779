/**
 * From landmarks in the image to a metric face and its pose, and back to pixels.
 *
 * Source: MediaPipe, face_geometry (geometry_pipeline, procrustes_solver; single precision there); projection as in
 * AniPortrait's pose helpers.
 */
import { createRequire } from 'node:module';
import type * as MlMatrix from 'ml-matrix';
import { ShapeError } from '../errors.ts';
import { loadFaceMesh } from './face-mesh.ts';

// To import a CommonJS package, Node.js looks through all of its code for names: here, six times as long as loading it.
const { Matrix, SVD } = createRequire(import.meta.url)('ml-matrix') as typeof MlMatrix;

/** Vertical field of view of the assumed camera, and its near and far planes in cm. */
const FIELD_OF_VIEW = 63;
const NEAR = 1;
const FAR = 10_000;
const HALF_HEIGHT = Math.tan(((FIELD_OF_VIEW / 2) * Math.PI) / 180);
/** The original's camera matrix is float32. */
const FOCAL = Math.fround(1 / HALF_HEIGHT);
/** The original multiplies from the side where the depth picks up this factor in place of 1. */
const DEPTH_FACTOR = Math.fround((FAR * NEAR) / (FAR - NEAR));

/** A face in centimetres and where it is. */
export interface FaceGeometry {
  /** [468 · 3] cm in the canonical face's own space: the person's shape and expression without the pose. */
  readonly mesh: Float64Array;
  /** Row-major 4×4: from the face's space to the camera's, which looks along −z. */
  readonly transform: Float64Array;
}

/** b ≈ scale · R · a + t. */
interface Similarity {
  readonly scale: number;
  readonly rotation: Float64Array;
  readonly translation: readonly [number, number, number];
}

/** The canonical face's part of the fit, which is the same for every face. */
interface Canonical {
  readonly vertices: Float64Array;
  readonly landmarks: readonly number[];
  readonly weights: readonly number[];
  readonly totalWeight: number;
  readonly centroid: readonly [number, number, number];
  readonly spread: number;
}

let canonical: Canonical | undefined;

function canonicalFace(): Canonical {
  if (canonical === undefined) {
    const { vertices, procrustes } = loadFaceMesh();
    const landmarks = procrustes.map(([landmark]) => landmark);
    const weights = procrustes.map(([, weight]) => weight);
    const totalWeight = weights.reduce((a, b) => a + b, 0);
    const mean = (axis: number): number =>
      landmarks.reduce((sum, landmark, i) => sum + weights[i]! * vertices[landmark * 3 + axis]!, 0) /
      totalWeight;
    const centroid = [mean(0), mean(1), mean(2)] as const;
    let spread = 0;
    for (const [i, landmark] of landmarks.entries()) {
      for (let axis = 0; axis < 3; axis++) {
        const value = vertices[landmark * 3 + axis]!;
        spread += weights[i]! * (value - centroid[axis]!) * value;
      }
    }
    canonical = { vertices, landmarks, weights, totalWeight, centroid, spread };
  }
  return canonical;
}

/** Weighted similarity transform from the canonical face to `target` [468 · 3], by an SVD of the cross-covariance. */
function fitCanonical(target: Float64Array): Similarity {
  const { vertices, landmarks, weights, totalWeight, centroid, spread } = canonicalFace();
  const covariance = new Matrix(3, 3);
  for (const [i, landmark] of landmarks.entries()) {
    for (let row = 0; row < 3; row++) {
      const b = weights[i]! * target[landmark * 3 + row]!;
      for (let column = 0; column < 3; column++) {
        const a = vertices[landmark * 3 + column]! - centroid[column]!;
        covariance.set(row, column, covariance.get(row, column) + b * a);
      }
    }
  }
  const { leftSingularVectors: u, rightSingularVectors: v } = new SVD(covariance);
  const product = (sign: number): Float64Array => {
    const r = new Float64Array(9);
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        r[row * 3 + column] =
          u.get(row, 0) * v.get(column, 0) +
          u.get(row, 1) * v.get(column, 1) +
          sign * u.get(row, 2) * v.get(column, 2);
      }
    }
    return r;
  };
  // A reflection fits flat or inverted faces better than any rotation; heads only turn.
  const direct = product(1);
  const rotation = determinant(direct) < 0 ? product(-1) : direct;

  let aligned = 0;
  const sum = [0, 0, 0];
  for (const [i, landmark] of landmarks.entries()) {
    for (let row = 0; row < 3; row++) {
      let rotated = 0;
      for (let column = 0; column < 3; column++) {
        rotated += rotation[row * 3 + column]! * (vertices[landmark * 3 + column]! - centroid[column]!);
      }
      const b = target[landmark * 3 + row]!;
      aligned += weights[i]! * rotated * b;
      sum[row]! += weights[i]! * b;
    }
  }
  const scale = aligned / spread;
  const translation = [0, 1, 2].map((row) => {
    const turned =
      rotation[row * 3]! * centroid[0] +
      rotation[row * 3 + 1]! * centroid[1] +
      rotation[row * 3 + 2]! * centroid[2];
    return sum[row]! / totalWeight - scale * turned;
  });
  return { scale, rotation, translation: translation as [number, number, number] };
}

function determinant(m: Float64Array): number {
  return (
    m[0]! * (m[4]! * m[8]! - m[5]! * m[7]!) -
    m[1]! * (m[3]! * m[8]! - m[5]! * m[6]!) +
    m[2]! * (m[3]! * m[7]! - m[4]! * m[6]!)
  );
}

/** Points of the near plane (x, y, relative depth) as points in front of the camera, for a face `scale` times as large. */
function unproject(screen: Float64Array, meanDepth: number, scale: number): Float64Array {
  const points = new Float64Array(screen.length);
  for (let i = 0; i < screen.length; i += 3) {
    const depth = (screen[i + 2]! - meanDepth + NEAR) / scale;
    points[i] = (screen[i]! * depth) / NEAR;
    points[i + 1] = (screen[i + 1]! * depth) / NEAR;
    points[i + 2] = -depth;
  }
  return points;
}

/**
 * Fits the metric face and its pose to landmarks.
 *
 * @param landmarks - [468 · 3] px of an image of `width` × `height`; further points are ignored.
 * @throws {@link ShapeError} if there are fewer than 468 landmarks.
 */
export function fitFaceGeometry(landmarks: ArrayLike<number>, width: number, height: number): FaceGeometry {
  const count = canonicalFace().vertices.length;
  if (landmarks.length < count) {
    throw new ShapeError(
      `Cannot fit a face: expected ${count / 3} landmarks with x, y, z, got ${landmarks.length} values`,
    );
  }
  const planeHeight = 2 * NEAR * HALF_HEIGHT;
  const planeWidth = (planeHeight * width) / height;
  const screen = new Float64Array(count);
  let meanDepth = 0;
  for (let i = 0; i < count; i += 3) {
    screen[i] = (landmarks[i]! / width - 0.5) * planeWidth;
    screen[i + 1] = (0.5 - landmarks[i + 1]! / height) * planeHeight;
    screen[i + 2] = (landmarks[i + 2]! / width) * planeWidth;
    meanDepth += screen[i + 2]! / (count / 3);
  }

  // The first estimate ignores perspective, the second corrects it.
  const flat = screen.map((value, i) => (i % 3 === 2 ? -value : value));
  const firstScale = fitCanonical(flat).scale;
  const scale = firstScale * fitCanonical(unproject(screen, meanDepth, firstScale)).scale;
  const points = unproject(screen, meanDepth, scale);
  const fit = fitCanonical(points);

  const { rotation: r, translation: t } = fit;
  const mesh = new Float64Array(count);
  for (let i = 0; i < count; i += 3) {
    const [x, y, z] = [points[i]! - t[0], points[i + 1]! - t[1], points[i + 2]! - t[2]];
    for (let axis = 0; axis < 3; axis++) {
      mesh[i + axis] = (r[axis]! * x + r[3 + axis]! * y + r[6 + axis]! * z) / fit.scale;
    }
  }
  const transform = new Float64Array(16);
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) transform[row * 4 + column] = fit.scale * r[row * 3 + column]!;
    transform[row * 4 + 3] = t[row]!;
  }
  transform[15] = 1;
  return { mesh, transform };
}

/**
 * Pixels [n · 2] of mesh points [n · 3] (cm) under a row-major 4×4 `transform`, in an image of `width` × `height`; points
 * outside of the image are not clipped.
 */
export function projectMesh(
  mesh: ArrayLike<number>,
  transform: ArrayLike<number>,
  width: number,
  height: number,
): Float64Array {
  const m = transform;
  const focalX = Math.fround(1 / (HALF_HEIGHT * (width / height)));
  const pixels = new Float64Array((mesh.length / 3) * 2);
  for (let i = 0, at = 0; i < mesh.length; i += 3, at += 2) {
    const [x, y, z] = [mesh[i]!, mesh[i + 1]!, mesh[i + 2]!];
    const depth = -DEPTH_FACTOR * (m[8]! * x + m[9]! * y + m[10]! * z + m[11]!);
    const ndcX = (focalX * (m[0]! * x + m[1]! * y + m[2]! * z + m[3]!)) / depth;
    const ndcY = (-FOCAL * (m[4]! * x + m[5]! * y + m[6]! * z + m[7]!)) / depth;
    pixels[at] = ((ndcX + 1) / 2) * width;
    pixels[at + 1] = ((ndcY + 1) / 2) * height;
  }
  return pixels;
}
