/** Recordings of the canonical face, with openings that a test chooses. */
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { findRest } from '../../src/motion/find-rest.ts';
import { MeshSequence } from '../../src/motion/mesh-sequence.ts';
import { POSE_VALUES } from '../../src/motion/motion.ts';
import type { RecordedMotion } from '../../src/motion/recorded-motion.ts';

/** What the face does in a frame. */
export interface FaceState {
  /** Gap of the lips in cm. @defaultValue 0 */
  readonly lips?: number;
  /** Opening of the lids, 1 being open. @defaultValue 1 */
  readonly lids?: number;
  /** Rise of the brows in cm. @defaultValue 0 */
  readonly brows?: number;
  /** Degrees about x, y, z and cm. @defaultValue looks at the camera from 40 cm */
  readonly pose?: readonly number[];
}

const LIP_COLUMNS: readonly (readonly [number, number])[] = [
  [191, 95],
  [80, 88],
  [81, 178],
  [82, 87],
  [13, 14],
  [312, 317],
  [311, 402],
  [310, 318],
  [415, 324],
];
/** Upper and lower lid of both eyes, opposite each other, corners left out. */
export const LID_COLUMNS: readonly (readonly [number, number])[] = [
  [246, 7],
  [161, 163],
  [160, 144],
  [159, 145],
  [158, 153],
  [157, 154],
  [173, 155],
  [398, 382],
  [384, 381],
  [385, 380],
  [386, 374],
  [387, 373],
  [388, 390],
  [466, 249],
];
const BROW_POINTS = [
  46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336,
];

/** The canonical face, made `scale` times as wide and as high, in a state; [468, 3] cm. */
export function faceIn(
  { lips = 0, lids = 1, brows = 0 }: FaceState,
  scale: readonly [number, number] = [1, 1],
): Float64Array {
  const mesh = loadFaceMesh().vertices.slice();
  for (const [upper, lower] of LIP_COLUMNS) {
    const middle = (mesh[3 * upper + 1]! + mesh[3 * lower + 1]!) / 2;
    mesh[3 * upper + 1] = middle + 0.3 * lips;
    mesh[3 * lower + 1] = middle - 0.7 * lips;
  }
  for (const [upper, lower] of LID_COLUMNS) {
    const gap = mesh[3 * upper + 1]! - mesh[3 * lower + 1]!;
    mesh[3 * upper + 1] = mesh[3 * lower + 1]! + lids * gap;
  }
  for (const point of BROW_POINTS) mesh[3 * point + 1]! += brows;
  return mesh.map((value, i) => value * (i % 3 === 0 ? scale[0] : i % 3 === 1 ? scale[1] : 1));
}

/** A recording of these states at 25 frames a second. */
export function record(states: readonly FaceState[], fps = 25): RecordedMotion {
  const meshes = new MeshSequence();
  const poses = new Float32Array(states.length * POSE_VALUES);
  states.forEach((state, i) => {
    meshes.append(faceIn(state));
    poses.set(state.pose ?? [0, 0, 0, 0, 0, -40], i * POSE_VALUES);
  });
  return {
    fps,
    frames: states.length,
    poses,
    meshes,
    rest: findRest(meshes, poses),
    origin: { name: 'drawn.mp4', sha256: 'ab'.repeat(32) },
  };
}
