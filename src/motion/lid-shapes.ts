/**
 * How a face's lids close: along every part of both lids until they meet, whatever the eye's shape and however far the
 * portrait's eyes were open.
 */
import { addField, type FaceField } from './face-field.ts';
import { MESH_VALUES } from './motion.ts';

/**
 * Landmarks from the outer to the inner corner: the lids' edges, the skin next to them, the crease of the upper lid.
 * Source: the face mesh's topology.
 */
const EYES = [
  {
    corners: [33, 133],
    upper: [246, 161, 160, 159, 158, 157, 173],
    lower: [7, 163, 144, 145, 153, 154, 155],
    aboveUpper: [247, 30, 29, 27, 28, 56, 190],
    crease: [113, 225, 224, 223, 222, 221, 189],
    belowLower: [25, 110, 24, 23, 22, 26, 112],
  },
  {
    corners: [263, 362],
    upper: [466, 388, 387, 386, 385, 384, 398],
    lower: [249, 390, 373, 374, 380, 381, 382],
    aboveUpper: [467, 260, 259, 257, 258, 286, 414],
    crease: [342, 445, 444, 443, 442, 441, 413],
    belowLower: [255, 339, 254, 253, 252, 256, 341],
  },
] as const;
/** Index of the lids' middle in these lists. */
const MIDDLE = 3;
/** Where the lids meet: this share of the way from the lower lid up, for it hardly moves. */
const MEETING = 0.14;
/** How far the skin next to a lid goes with its edge. */
const SKIN_FOLLOWS = 0.6;
const CREASE_FOLLOWS = 0.16;
/** Height over width of the canonical face's eyes: those less open are opened, by this share of what lacks. */
export const OPEN_EYE = 0.255;
const OPENING_SHARE = 0.9;
/**
 * Height over width under which an eye counts as closed on purpose and stays so. The attention mesh gives 0.13 to 0.14 for
 * shut eyes, 0.18 and more for narrow ones; the plain mesh gives no eye less than 0.18.
 */
export const CLOSED_EYE = 0.16;

/** Eyes that are open less than the first are half closed, from the second on narrow; in between, partly. */
const HALF_CLOSED = [0.19, 0.215] as const;
/** Of an eye that is open by less, too little is seen to open it; alone, the other would make a wink of a blink. */
const LEAST_APERTURE = 0.12;

/**
 * By which factors lids that a photo has caught half closed are to be opened, the right eye's and the left one's; 1 is as they are. Lids of
 * one blink are opened together; an eye that is shut while the other is open winks, and narrow eyes stay narrow.
 *
 * @param mesh - [468, 3], with lids as the attention mesh sees them.
 */
export function halfClosedFactors(mesh: ArrayLike<number>): readonly [right: number, left: number] {
  const apertures = [eyeAperture(mesh, 0), eyeAperture(mesh, 1)] as const;
  const strengths = apertures.map((aperture) => {
    const t = Math.min(1, Math.max(0, (HALF_CLOSED[1] - aperture) / (HALF_CLOSED[1] - HALF_CLOSED[0])));
    return t * t * (3 - 2 * t);
  });
  const isBlink = Math.max(...apertures) < OPEN_EYE && Math.max(...apertures) >= CLOSED_EYE;
  if (isBlink && Math.min(...apertures) < LEAST_APERTURE) return [1, 1];
  const factorOf = (eye: 0 | 1): number => {
    const strength = isBlink
      ? Math.max(...strengths)
      : apertures[eye] < CLOSED_EYE
        ? 0
        : (strengths[eye] as number);
    return 1 + strength * Math.max(0, OPEN_EYE / apertures[eye] - 1);
  };
  return [factorOf(0), factorOf(1)];
}

/** The lids of one face. */
export class LidShapes {
  /** Closes the right and the left eye wholly. */
  readonly #closing: readonly [FaceField, FaceField];
  /** How far each eye is to be closed, below 0, so that it is open as eyes mostly are. */
  readonly opening: readonly [right: number, left: number];

  /** @param mesh - [468, 3] in centimetres. */
  constructor(mesh: ArrayLike<number>) {
    this.#closing = [closingField(mesh, 0), closingField(mesh, 1)];
    this.opening = [openingOf(mesh, 0), openingOf(mesh, 1)];
  }

  /** Adds to the offsets of one frame, [468, 3] in centimetres; an amount of 0 is as in the portrait, 1 closed. */
  add([right, left]: readonly [number, number], out: Float32Array): void {
    addField(this.#closing[0], right, out);
    addField(this.#closing[1], left, out);
  }
}

/** Height over width of the right (0) or the left (1) eye's opening in a mesh [468, 3]. */
export function eyeAperture(mesh: ArrayLike<number>, eye: 0 | 1): number {
  const { corners, upper, lower } = EYES[eye];
  return distance(mesh, upper[MIDDLE], lower[MIDDLE]) / distance(mesh, corners[0], corners[1]);
}

function openingOf(mesh: ArrayLike<number>, eye: 0 | 1): number {
  const aperture = eyeAperture(mesh, eye);
  if (aperture < CLOSED_EYE || aperture >= OPEN_EYE) return 0;
  return (-OPENING_SHARE * (OPEN_EYE - aperture)) / aperture;
}

function closingField(mesh: ArrayLike<number>, eye: 0 | 1): FaceField {
  const { upper, lower, aboveUpper, crease, belowLower } = EYES[eye];
  const field = new Float32Array(MESH_VALUES);
  for (let i = 0; i < upper.length; i++) {
    for (let axis = 0; axis < 3; axis++) {
      const gap = mesh[3 * upper[i]! + axis]! - mesh[3 * lower[i]! + axis]!;
      const down = -(1 - MEETING) * gap;
      const up = MEETING * gap;
      field[3 * upper[i]! + axis] = down;
      field[3 * aboveUpper[i]! + axis] = SKIN_FOLLOWS * down;
      field[3 * crease[i]! + axis] = CREASE_FOLLOWS * down;
      field[3 * lower[i]! + axis] = up;
      field[3 * belowLower[i]! + axis] = SKIN_FOLLOWS * up;
    }
  }
  return field;
}

function distance(mesh: ArrayLike<number>, a: number, b: number): number {
  return Math.hypot(
    mesh[3 * a]! - mesh[3 * b]!,
    mesh[3 * a + 1]! - mesh[3 * b + 1]!,
    mesh[3 * a + 2]! - mesh[3 * b + 2]!,
  );
}
