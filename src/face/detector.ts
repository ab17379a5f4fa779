/**
 * BlazeFace, short range: turns the detector network's raw numbers into faces.
 *
 * Source: Bazarevsky et al. 2019, arXiv:1907.05047; anchors, decoding and weighted non-maximum suppression as in
 * MediaPipe's graph face_detection_short_range.
 */
import type { Tensor } from '../tensor/tensor.ts';

/** Width and height of the detector's input. */
export const DETECTOR_SIZE = 128;

/** Strides of the feature maps and anchors in each of their cells. */
const LAYERS = [
  { stride: 8, anchors: 2 },
  { stride: 16, anchors: 6 },
] as const;
const KEYPOINTS = 6;
const VALUES_PER_ANCHOR = 4 + 2 * KEYPOINTS;
const SCORE_CLIP = 100;
const MIN_SCORE = 0.5;
/** Boxes that overlap more than this (intersection over union) are one face. */
const MIN_OVERLAP = 0.3;

/** An axis-aligned box in pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * A face that the detector found. `keypoints` [6 · 2]: right eye, left eye, nose tip, mouth, right and left ear tragion,
 * where right is the person's.
 */
export interface FaceDetection {
  readonly box: Box;
  readonly keypoints: Float64Array;
  /** From 0.5 to 1. */
  readonly score: number;
}

/** Centres of the 896 anchors in units of the input, [896 · 2]. */
export function detectorAnchors(): Float64Array {
  const centres: number[] = [];
  for (const { stride, anchors } of LAYERS) {
    const cells = DETECTOR_SIZE / stride;
    for (let row = 0; row < cells; row++) {
      for (let column = 0; column < cells; column++) {
        for (let i = 0; i < anchors; i++) centres.push((column + 0.5) / cells, (row + 0.5) / cells);
      }
    }
  }
  return Float64Array.from(centres);
}

/** Intersection over union of two boxes. */
export function boxOverlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** Faces from the network's `boxes` [1, 896, 16] and `scores` [1, 896, 1], in units of the input; overlapping ones too. */
export function decodeDetections(boxes: Tensor, scores: Tensor, anchors: Float64Array): FaceDetection[] {
  const found: FaceDetection[] = [];
  for (let i = 0; i < scores.data.length; i++) {
    const raw = Math.min(Math.max(scores.data[i]!, -SCORE_CLIP), SCORE_CLIP);
    const score = 1 / (1 + Math.exp(-raw));
    if (!(score >= MIN_SCORE)) continue;
    const [anchorX, anchorY] = [anchors[2 * i]!, anchors[2 * i + 1]!];
    const value = (k: number): number => boxes.data[i * VALUES_PER_ANCHOR + k]! / DETECTOR_SIZE;
    const [width, height] = [value(2), value(3)];
    const keypoints = new Float64Array(2 * KEYPOINTS);
    for (let k = 0; k < KEYPOINTS; k++) {
      keypoints[2 * k] = value(4 + 2 * k) + anchorX;
      keypoints[2 * k + 1] = value(5 + 2 * k) + anchorY;
    }
    const box = { x: value(0) + anchorX - width / 2, y: value(1) + anchorY - height / 2, width, height };
    found.push({ box, keypoints, score });
  }
  return found;
}

/** Mean of several detections of one face, weighted by their scores; its score is the best one's. */
function merge(cluster: readonly FaceDetection[]): FaceDetection {
  let total = 0;
  let [x, y, width, height] = [0, 0, 0, 0];
  const keypoints = new Float64Array(2 * KEYPOINTS);
  for (const { box, keypoints: points, score } of cluster) {
    total += score;
    x += score * box.x;
    y += score * box.y;
    width += score * box.width;
    height += score * box.height;
    for (let i = 0; i < keypoints.length; i++) keypoints[i]! += score * points[i]!;
  }
  const box = { x: x / total, y: y / total, width: width / total, height: height / total };
  return { box, keypoints: keypoints.map((value) => value / total), score: cluster[0]!.score };
}

/** Weighted non-maximum suppression: one detection for each face, the largest box first. */
export function suppressOverlaps(detections: readonly FaceDetection[]): FaceDetection[] {
  let rest = [...detections].sort((a, b) => b.score - a.score);
  const kept: FaceDetection[] = [];
  while (rest.length > 0) {
    const best = rest[0]!;
    const cluster = rest.filter((other) => other === best || boxOverlap(best.box, other.box) > MIN_OVERLAP);
    kept.push(merge(cluster));
    rest = rest.filter((other) => !cluster.includes(other));
  }
  return kept.sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height);
}

/** A detection in image pixels, from one in units of a square of the image at (x, y) with the given side. */
export function toImagePixels(
  { box, keypoints, score }: FaceDetection,
  square: { readonly x: number; readonly y: number; readonly side: number },
): FaceDetection {
  const { x, y, side } = square;
  return {
    box: { x: x + box.x * side, y: y + box.y * side, width: box.width * side, height: box.height * side },
    keypoints: keypoints.map((value, i) => (i % 2 === 0 ? x : y) + value * side),
    score,
  };
}
