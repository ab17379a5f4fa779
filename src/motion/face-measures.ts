/** Openings and distances of a face mesh that tell how it looks: lips, lids, brows, width of the mouth. */

/** Pairs across the person's right and left eye, the upper lid first. */
const LID_PAIRS = [
  [
    [160, 144],
    [159, 145],
    [158, 153],
  ],
  [
    [387, 373],
    [386, 374],
    [385, 380],
  ],
] as const;
/** Corners of the person's right and left eye, the outer first. */
const EYE_CORNERS = [
  [33, 133],
  [263, 362],
] as const;
const MOUTH_CORNERS = [61, 291] as const;
/** Middle of the person's right and left brow. */
const BROWS = [105, 334] as const;

/** Measures of one mesh, in its unit; each pair is the person's right, then left. */
export interface FaceMeasures {
  /** How far the inner lips are apart at their middle; below 0 they cross. */
  readonly lips: number;
  /** How far the lids are apart, mean of three places. */
  readonly lids: readonly [number, number];
  /** Height of the brows over the corners of the eyes. */
  readonly brows: readonly [number, number];
  readonly mouthWidth: number;
  readonly eyeWidths: readonly [number, number];
}

/** @param mesh - [468, 3]. */
export function measureFace(mesh: ArrayLike<number>): FaceMeasures {
  const lids = (eye: 0 | 1): number =>
    LID_PAIRS[eye].reduce((sum, [upper, lower]) => sum + distance(mesh, upper, lower), 0) / 3;
  const brow = (eye: 0 | 1): number => {
    const [outer, inner] = EYE_CORNERS[eye];
    return y(mesh, BROWS[eye]) - (y(mesh, outer) + y(mesh, inner)) / 2;
  };
  const eyeWidth = (eye: 0 | 1): number => distance(mesh, EYE_CORNERS[eye][0], EYE_CORNERS[eye][1]);
  return {
    lips: y(mesh, 13) - y(mesh, 14),
    lids: [lids(0), lids(1)],
    brows: [brow(0), brow(1)],
    mouthWidth: distance(mesh, MOUTH_CORNERS[0], MOUTH_CORNERS[1]),
    eyeWidths: [eyeWidth(0), eyeWidth(1)],
  };
}

function y(mesh: ArrayLike<number>, landmark: number): number {
  return mesh[3 * landmark + 1]!;
}

function distance(mesh: ArrayLike<number>, a: number, b: number): number {
  return Math.hypot(
    mesh[3 * a]! - mesh[3 * b]!,
    mesh[3 * a + 1]! - mesh[3 * b + 1]!,
    mesh[3 * a + 2]! - mesh[3 * b + 2]!,
  );
}
