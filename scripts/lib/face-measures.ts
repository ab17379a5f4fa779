/** What a face's landmarks say of its mouth, eyes, brows and head, in units that a driving motion has too. */
import { fitFaceGeometry } from '../../src/face/geometry.ts';
import { matrixToPose } from '../../src/face/rotation.ts';
import { lipOpening } from '../../src/motion/expression-basis.ts';

/** Corners of the mouth. */
const MOUTH_CORNERS = [61, 291] as const;
/** Upper and lower lid of each eye, and the middles of the brows above them. */
const EYES = [
  { upper: 159, lower: 145, brow: 105 },
  { upper: 386, lower: 374, brow: 334 },
] as const;
/** Corners of the eyes: they hardly move. */
const EYE_CORNERS = [33, 133, 362, 263] as const;

/** Numbers of one face; lengths in mm of the metric face space, angles in degrees. */
export interface FaceMeasures {
  /** Distance of the inner lips. */
  readonly opening: number;
  /** Distance of the corners of the mouth. */
  readonly width: number;
  /** Distance of the lids, mean of both eyes. */
  readonly lids: number;
  /** Height of the brows above the corners of the eyes, mean of both. */
  readonly brows: number;
  readonly pitch: number;
  readonly yaw: number;
  readonly roll: number;
}

/** What {@link FaceMeasures} measures, in the order of tables. */
export const MEASURES = ['opening', 'width', 'lids', 'brows', 'pitch', 'yaw', 'roll'] as const;

/**
 * @param mesh - [468, 3] in cm.
 * @param transform - 4×4, from the face to the camera.
 */
export function measureMesh(mesh: ArrayLike<number>, transform: ArrayLike<number>): FaceMeasures {
  const distance = (a: number, b: number): number =>
    10 *
    Math.hypot(
      mesh[3 * a]! - mesh[3 * b]!,
      mesh[3 * a + 1]! - mesh[3 * b + 1]!,
      mesh[3 * a + 2]! - mesh[3 * b + 2]!,
    );
  const corners = EYE_CORNERS.reduce((sum, corner) => sum + mesh[3 * corner + 1]! / EYE_CORNERS.length, 0);
  const [pitch, yaw, roll] = matrixToPose(transform);
  return {
    opening: 10 * lipOpening(mesh),
    width: distance(...MOUTH_CORNERS),
    lids: EYES.reduce((sum, { upper, lower }) => sum + distance(upper, lower) / 2, 0),
    brows: EYES.reduce((sum, { brow }) => sum + 5 * (mesh[3 * brow + 1]! - corners), 0),
    pitch: pitch!,
    yaw: yaw!,
    roll: roll!,
  };
}

/** @param landmarks - [468, 3] px of a picture of `width` × `height`. */
export function measureLandmarks(landmarks: ArrayLike<number>, width: number, height: number): FaceMeasures {
  const { mesh, transform } = fitFaceGeometry(landmarks, width, height);
  return measureMesh(mesh, transform);
}
