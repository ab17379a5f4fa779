/** Which vertices of a face mesh move with the mouth, with the eyes, with the brows. */
import { MESH_VERTICES } from './motion.ts';

/** Landmarks along the lips, and along the upper and lower lids. Source: the face mesh's topology. */
const LIPS = [
  0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270,
  291, 308, 310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415,
];
const LIDS = [
  144, 145, 153, 154, 157, 158, 159, 160, 161, 163, 173, 246, 249, 373, 374, 380, 381, 384, 385, 386, 387,
  388, 390, 398, 466, 7,
];
/** Landmarks along the brows, and on the forehead over them. */
const BROWS = [
  46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336, 9, 151, 108,
  337, 69, 299, 104, 333, 68, 298,
];
/** Centimetres from these landmarks within which a vertex belongs to them wholly, and beyond which not at all. */
const MOUTH_REACH = [1, 3.2] as const;
const LID_REACH = [0.3, 0.9] as const;

/** Shares, 0 to 1, by vertex. */
interface FaceRegions {
  /** [468] */
  readonly mouth: Float32Array;
  /** [468] */
  readonly lids: Float32Array;
}

/** @param mesh - [468, 3] in centimetres. */
export function faceRegions(mesh: ArrayLike<number>): FaceRegions {
  return { mouth: shares(mesh, LIPS, MOUTH_REACH), lids: shares(mesh, LIDS, LID_REACH) };
}

/** Parts of a face that different sources may move; at each vertex their shares sum to 1. */
export interface FaceParts {
  /** [468]: lids. */
  readonly eyes: Float32Array;
  /** [468]: brows and forehead. */
  readonly brows: Float32Array;
  /** [468]: lips, jaw, cheeks and all else. */
  readonly mouth: Float32Array;
}

/** Where brows hand over to eyes and cheeks, in cm of distance to their landmarks. */
const BROW_REACH = [0.4, 2] as const;

/** @param mesh - [468, 3] in centimetres. */
export function faceParts(mesh: ArrayLike<number>): FaceParts {
  const lids = shares(mesh, LIDS, LID_REACH);
  const nearBrows = shares(mesh, BROWS, BROW_REACH);
  const { mouth: nearMouth } = faceRegions(mesh);
  const eyes = lids;
  const brows = nearBrows.map((share, vertex) => share * (1 - eyes[vertex]!) * (1 - nearMouth[vertex]!));
  const mouth = brows.map((share, vertex) => 1 - share - eyes[vertex]!);
  return { eyes, brows, mouth };
}

function shares(
  mesh: ArrayLike<number>,
  landmarks: readonly number[],
  [inner, outer]: readonly [number, number],
): Float32Array {
  return Float32Array.from({ length: MESH_VERTICES }, (_, vertex) => {
    const distances = landmarks.map((landmark) =>
      Math.hypot(
        mesh[3 * vertex]! - mesh[3 * landmark]!,
        mesh[3 * vertex + 1]! - mesh[3 * landmark + 1]!,
        mesh[3 * vertex + 2]! - mesh[3 * landmark + 2]!,
      ),
    );
    const t = Math.min(1, Math.max(0, (outer - Math.min(...distances)) / (outer - inner)));
    return t * t * (3 - 2 * t);
  });
}
