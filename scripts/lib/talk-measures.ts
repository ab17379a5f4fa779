/** What a face does in a frame, in millimetres and degrees: mouth, brows, lids, head. */
import { fitFaceGeometry } from '../../src/face/geometry.ts';
import { matrixToPose } from '../../src/face/rotation.ts';

/** Landmarks: middles of the inner lips, corners, middles of the outer lips. Source: the face mesh's topology. */
const [UPPER_LIP, LOWER_LIP] = [13, 14];
const [RIGHT_CORNER, LEFT_CORNER] = [61, 291];
const OUTER_LIPS = [0, 17] as const;
/** Along the upper edge of both brows, and the corners of both eyes. */
const BROWS = [70, 63, 105, 66, 107, 300, 293, 334, 296, 336] as const;
const EYE_CORNERS = [33, 133, 263, 362] as const;
/** Middles of the upper and the lower lid, and the corners of the same eye. */
const EYES = [
  { upper: 159, lower: 145, corners: [33, 133] },
  { upper: 386, lower: 374, corners: [263, 362] },
] as const;
const MM = 10;

/** One frame. */
export interface FaceState {
  /** Distance of the inner lips, mm. */
  readonly opening: number;
  /** Distance of the corners of the mouth, mm. */
  readonly width: number;
  /** How far the lips stand out, mm from an arbitrary plane of the face. */
  readonly protrusion: number;
  /** Height of the brows above the corners of the eyes, mm. */
  readonly brows: number;
  /** Opening of the lids as a share of the eyes' length. */
  readonly lids: number;
  /** Degrees. */
  readonly pitch: number;
  readonly yaw: number;
  readonly roll: number;
}

/** Values of {@link FaceState}. */
export type FaceValue = keyof FaceState;
export const FACE_VALUES: readonly FaceValue[] = [
  'opening',
  'width',
  'protrusion',
  'brows',
  'lids',
  'pitch',
  'yaw',
  'roll',
];

/** A frame in which no face was found. */
export const NO_FACE: FaceState = {
  opening: Number.NaN,
  width: Number.NaN,
  protrusion: Number.NaN,
  brows: Number.NaN,
  lids: Number.NaN,
  pitch: Number.NaN,
  yaw: Number.NaN,
  roll: Number.NaN,
};

/**
 * @param mesh - [468, 3] cm, in the face's own space.
 * @param pose - rotation about x, y and z in degrees.
 */
export function stateOfMesh(mesh: ArrayLike<number>, pose: ArrayLike<number>): FaceState {
  const distance = (a: number, b: number): number =>
    Math.hypot(
      mesh[3 * a]! - mesh[3 * b]!,
      mesh[3 * a + 1]! - mesh[3 * b + 1]!,
      mesh[3 * a + 2]! - mesh[3 * b + 2]!,
    );
  const mean = (points: readonly number[], axis: number): number =>
    points.reduce((sum, point) => sum + mesh[3 * point + axis]!, 0) / points.length;
  const lids = EYES.map(
    ({ upper, lower, corners }) => distance(upper, lower) / distance(corners[0], corners[1]),
  );
  return {
    opening: MM * distance(UPPER_LIP, LOWER_LIP),
    width: MM * distance(RIGHT_CORNER, LEFT_CORNER),
    protrusion: MM * mean(OUTER_LIPS, 2),
    brows: MM * (mean(BROWS, 1) - mean(EYE_CORNERS, 1)),
    lids: (lids[0]! + lids[1]!) / 2,
    pitch: pose[0]!,
    yaw: pose[1]!,
    roll: pose[2]!,
  };
}

/** @param landmarks - [468, 3] px of a picture; undefined where no face was found. */
export function stateOfLandmarks(
  landmarks: Float64Array | undefined,
  width: number,
  height: number,
): FaceState {
  if (landmarks === undefined) return NO_FACE;
  const { mesh, transform } = fitFaceGeometry(landmarks, width, height);
  return stateOfMesh(mesh, matrixToPose(transform));
}
