import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  boxOverlap,
  decodeDetections,
  detectorAnchors,
  suppressOverlaps,
  toImagePixels,
} from '../../src/face/detector.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const DOUBLE = { rtol: 1e-12, atol: 1e-12 };
/** The network's numbers are float32. */
const FLOAT32 = { rtol: 1e-6, atol: 1e-6 };

test('anchors: two in each of 16 x 16 cells, then six in each of 8 x 8', () => {
  const anchors = detectorAnchors();
  assert.equal(anchors.length, 896 * 2);
  assertAllClose(anchors.subarray(0, 6), [1 / 32, 1 / 32, 1 / 32, 1 / 32, 3 / 32, 1 / 32], DOUBLE);
  assertAllClose(anchors.subarray(1024, 1026), [1 / 16, 1 / 16], DOUBLE);
  assertAllClose(anchors.subarray(-2), [15 / 16, 15 / 16], DOUBLE);
});

test('raw numbers become a box and keypoints around their anchor', () => {
  const [boxes, scores] = [zeros([1, 896, 16]), zeros([1, 896, 1])];
  scores.data.fill(-50);
  scores.data[3] = Math.log(4); // a score of 0.8 at the anchor (3/32, 1/32)
  boxes.data.set([12.8, 6.4, 64, 32, 1.28, -1.28], 3 * 16);
  const [face, ...others] = decodeDetections(boxes, scores, detectorAnchors());
  assert.equal(others.length, 0);
  assertAllClose([face!.score], [0.8], FLOAT32);
  const { x, y, width, height } = face!.box;
  assertAllClose([x, y, width, height], [3 / 32 + 0.1 - 0.25, 1 / 32 + 0.05 - 0.125, 0.5, 0.25], FLOAT32);
  assertAllClose(face!.keypoints.subarray(0, 4), [3 / 32 + 0.01, 1 / 32 - 0.01, 3 / 32, 1 / 32], FLOAT32);
});

const at = (x: number, y: number, side: number, score: number) => ({
  box: { x, y, width: side, height: side },
  keypoints: new Float64Array(12).fill(x),
  score,
});

test('overlap is intersection over union', () => {
  assert.equal(boxOverlap(at(0, 0, 2, 1).box, at(1, 0, 2, 1).box), 2 / 6);
  assert.equal(boxOverlap(at(0, 0, 2, 1).box, at(2, 0, 2, 1).box), 0);
});

test('overlapping detections become their mean weighted by score, others stay, the largest first', () => {
  const faces = suppressOverlaps([
    at(-2.5, 0, 10, 0.6),
    at(50, 50, 20, 0.7),
    at(2, 0, 10, 0.9),
    at(8, 0, 10, 0.55),
  ]);
  assert.deepEqual(
    faces.map(({ score }) => score),
    [0.7, 0.9, 0.55],
  );
  assertAllClose([faces[1]!.box.x, faces[1]!.keypoints[0]!], [0.2, 0.2], DOUBLE);
});

test('units of a square become pixels of the image', () => {
  const { box, keypoints } = toImagePixels(at(0.25, 0.5, 0.5, 1), { x: -100, y: 10, side: 400 });
  assert.deepEqual(box, { x: 0, y: 210, width: 200, height: 200 });
  assert.deepEqual([...keypoints.subarray(0, 2)], [0, 110]);
});
