/** The part of a picture that speech moves: lips, chin and the cheeks next to them, with a soft edge. */

/** A mask over part of a picture. */
export interface SoftMask {
  /** The pixels that are not zero: columns and rows from `left` and `top` on. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** [height · width], 0 to 1. */
  readonly data: Float32Array;
}

/** Landmarks: tip of the nose, chin, and the jaw beneath either ear's lobe. */
const NOSE_TIP = 1;
const CHIN = 152;
const JAW_RIGHT = 172;
const JAW_LEFT = 397;
const MOUTH_RIGHT = 61;
const MOUTH_LEFT = 291;
/** How far beyond the chin the mask reaches, in distances from the nose's tip to the chin: the throat moves with the jaw. */
const BELOW_CHIN = 0.35;
/** Half width of the mask in half distances between the sides of the jaw. */
const ACROSS = 1.05;
/** The mask is whole within this share of its radius, and fades out from there. */
const WHOLE = 0.62;

/** Options of {@link lowerFaceMask}. */
interface LowerFaceMaskOptions {
  /** Of the picture; the mask is cut off at its edges. */
  readonly width: number;
  readonly height: number;
  /** Largest value of the mask. @defaultValue 1 */
  readonly strength?: number;
}

/**
 * An ellipse around mouth and chin that turns with the face. It covers the landmarks of both poses, so that neither the old
 * chin nor the new one shows at its edge.
 *
 * @param poses - landmarks of the face as it was filmed and as it is to be shown, `[n, 2]` in pixels of the picture.
 */
export function lowerFaceMask(
  poses: readonly ArrayLike<number>[],
  { width, height, strength = 1 }: LowerFaceMaskOptions,
): SoftMask {
  const [filmed] = poses as [ArrayLike<number>];
  const point = (points: ArrayLike<number>, landmark: number): [number, number] => [
    points[2 * landmark]!,
    points[2 * landmark + 1]!,
  ];
  // The face's own axes: across from corner to corner of the mouth, down at right angles to it.
  const [rightX, rightY] = point(filmed, JAW_RIGHT);
  const [leftX, leftY] = point(filmed, JAW_LEFT);
  const span = Math.hypot(leftX - rightX, leftY - rightY);
  const across = [(leftX - rightX) / span, (leftY - rightY) / span] as const;
  const down = [-across[1], across[0]] as const;
  const depth = ([x, y]: [number, number]): number => x * down[0] + y * down[1];

  const top = Math.min(...poses.map((points) => depth(point(points, NOSE_TIP))));
  const chin = Math.max(...poses.map((points) => depth(point(points, CHIN))));
  const bottom = chin + BELOW_CHIN * (chin - top);
  const mouth = [MOUTH_RIGHT, MOUTH_LEFT].map((landmark) => point(filmed, landmark));
  const middle = (mouth[0]![0] + mouth[1]![0]) / 2;
  const middleY = (mouth[0]![1] + mouth[1]![1]) / 2;
  const along = middle * across[0] + middleY * across[1];
  const centreDepth = (top + bottom) / 2;
  const centreX = along * across[0] + centreDepth * down[0];
  const centreY = along * across[1] + centreDepth * down[1];
  const radiusAcross = (ACROSS * span) / 2;
  const radiusDown = (bottom - top) / 2;

  const reachX = Math.hypot(radiusAcross * across[0], radiusDown * down[0]);
  const reachY = Math.hypot(radiusAcross * across[1], radiusDown * down[1]);
  const left = Math.max(0, Math.floor(centreX - reachX));
  const first = Math.max(0, Math.floor(centreY - reachY));
  const right = Math.min(width, Math.ceil(centreX + reachX));
  const last = Math.min(height, Math.ceil(centreY + reachY));
  const columns = Math.max(0, right - left);
  const rows = Math.max(0, last - first);
  const data = new Float32Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    const y = first + row + 0.5 - centreY;
    for (let column = 0; column < columns; column++) {
      const x = left + column + 0.5 - centreX;
      const u = (x * across[0] + y * across[1]) / radiusAcross;
      const v = (x * down[0] + y * down[1]) / radiusDown;
      const t = (1 - Math.hypot(u, v)) / (1 - WHOLE);
      if (t > 0) data[row * columns + column] = strength * (t >= 1 ? 1 : t * t * (3 - 2 * t));
    }
  }
  return { left, top: first, width: columns, height: rows, data };
}
