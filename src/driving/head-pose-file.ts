/**
 * AniPortrait's templates of head motion: `.npy` files of [frames, 6] float64 at 30 frames a second, rotations about x, y, z
 * in degrees and a translation in cm, relative to the pose of their film's first frame.
 *
 * Source: AniPortrait, `audio2vid.py` (pose_temp) and its recipe for templates, commit 7f6593f.
 */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describeFileProblem, MediaError } from '../errors.ts';
import { POSE_VALUES } from '../motion/motion.ts';
import { readMotionFile } from '../motion/motion-file.ts';
import { decodeNpy, encodeNpy } from '../motion/npy.ts';
import type { RecordedMotion } from '../motion/recorded-motion.ts';
import { sampleCurve } from '../motion/resample-curve.ts';
import { posesFromRest } from './relative-pose.ts';

/** Frames a second of a template. */
const TEMPLATE_FPS = 30;

/**
 * A template as a recording of the head alone, at rest where all six numbers are 0.
 *
 * @param file - for messages and as its origin's name.
 * @throws {@link MediaError} unless it is a table of six columns of finite numbers.
 */
export function decodeHeadPoses(bytes: Uint8Array, file: string, name = file): RecordedMotion {
  const { data, shape } = decodeNpy(bytes, file);
  if (shape.length !== 2 || shape[1] !== POSE_VALUES || shape[0] === 0) {
    throw new MediaError(
      `Cannot read ${file}: expected head poses, a table of [frames, ${POSE_VALUES}], got [${shape.join(', ')}]`,
      file,
    );
  }
  return {
    fps: TEMPLATE_FPS,
    frames: shape[0]!,
    poses: Float32Array.from(data),
    meshes: null,
    rest: { frame: 0, pose: new Float32Array(POSE_VALUES), mesh: null },
    origin: { name, sha256: null },
  };
}

/** A recording's head as a template: relative to its pose at rest, 30 frames a second. */
export function encodeHeadPoses(recording: RecordedMotion): Uint8Array {
  const { fps, frames } = recording;
  const relative = posesFromRest(recording);
  const count = Math.max(1, Math.round((frames * TEMPLATE_FPS) / fps));
  const data = new Float64Array(count * POSE_VALUES);
  const row = new Float32Array(POSE_VALUES);
  for (let i = 0; i < count; i++) {
    sampleCurve(relative, (i * fps) / TEMPLATE_FPS, row);
    data.set(row, i * POSE_VALUES);
  }
  return encodeNpy({ data, shape: [count, POSE_VALUES] });
}

/**
 * Reads recorded motion from a motion file, or from a template of AniPortrait (`.npy`).
 *
 * @throws what {@link readMotionFile} and {@link decodeHeadPoses} throw.
 */
export async function readRecording(file: string): Promise<RecordedMotion> {
  if (path.extname(file).toLowerCase() !== '.npy') return readMotionFile(file);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new MediaError(`Cannot read ${file}: expected a file, got ${describeFileProblem(error)}`, file, {
      cause: error,
    });
  }
  return decodeHeadPoses(bytes, file, path.basename(file));
}
