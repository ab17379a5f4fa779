/**
 * Emotions as lasting offsets of a face: corners of the mouth, cheeks, brows and lids. The opening of the mouth is left
 * alone: lips that the speech closes stay closed.
 */
import { InvalidOptionError } from '../errors.ts';
import type { BrowMove } from './brow-shapes.ts';
import { type FaceField, fieldOf } from './face-field.ts';

/** What a face can show. */
export type EmotionName = 'happy' | 'sad' | 'angry' | 'surprised';
/** Strengths, 0 to 1; what is left out is 0. */
export type Emotions = Readonly<Partial<Record<EmotionName, number>>>;

const NAMES: Readonly<Record<string, EmotionName>> = {
  happy: 'happy',
  smile: 'happy',
  sad: 'sad',
  angry: 'angry',
  surprised: 'surprised',
};
/** What {@link parseEmotions} takes, for messages. */
export const EMOTIONS_EXPECTED =
  'happy (or smile), sad, angry or surprised, each with a strength from 0 to 1, such as happy:0.6 or sad:0.5,surprised:0.3';

/**
 * Reads emotions as a user writes them; without a number the strength is 1.
 *
 * @throws {@link InvalidOptionError} if a name is unknown or twice there, or a strength is not from 0 to 1.
 * @example
 * parseEmotions('happy:0.6'); // { happy: 0.6 }
 */
export function parseEmotions(text: string): Emotions {
  const emotions = readEmotions(text);
  if (emotions !== undefined) return emotions;
  throw new InvalidOptionError({ expected: EMOTIONS_EXPECTED, got: JSON.stringify(text) }, 'emotion', text);
}

/** Whether {@link parseEmotions} can read it. */
export function isEmotions(text: string): boolean {
  return readEmotions(text) !== undefined;
}

function readEmotions(text: string): Emotions | undefined {
  const emotions: Partial<Record<EmotionName, number>> = {};
  for (const part of text.split(',')) {
    const match = /^\s*([a-z]+)\s*(?::\s*(\d+\.?\d*|\.\d+)\s*)?$/.exec(part);
    const written = match?.[1];
    const name = written !== undefined && Object.hasOwn(NAMES, written) ? NAMES[written]! : undefined;
    const strength = match?.[2] === undefined ? 1 : Number(match[2]);
    if (name === undefined || strength > 1 || emotions[name] !== undefined) return undefined;
    emotions[name] = strength;
  }
  return emotions;
}

/** Landmarks: corners of the mouth, cheeks under the eyes, wings of the nose; the person's right first. */
const CORNERS = [61, 291] as const;
const CHEEKS = [50, 280] as const;
const NOSTRILS = [98, 327] as const;
const CHIN = 199;
/** From the right to the left corner along the upper and the lower inner lip, pair by pair. */
const UPPER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308] as const;
const LOWER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308] as const;
/** Width of the mouth in centimetres from where on a portrait smiles already, and where it can hardly smile more. */
const SMILING = [5.2, 7] as const;
const LEAST_SMILE = 0.35;

const STILL: BrowMove = { rightInner: 0, rightOuter: 0, leftInner: 0, leftOuter: 0, furrow: 0 };

interface EmotionShape {
  readonly field: (mesh: ArrayLike<number>) => FaceField;
  /** In centimetres. */
  readonly brows: BrowMove;
  /** How far the eyes close, below 0 open. */
  readonly lids: number;
}

/** The same move on both sides; `x` is outwards. */
function both(
  landmarks: readonly [number, number],
  [x, y, z]: readonly [number, number, number],
  reach: readonly [number, number],
) {
  return [
    { landmark: landmarks[0], move: [-x, y, z], reach },
    { landmark: landmarks[1], move: [x, y, z], reach },
  ] as const;
}

function brows(inner: number, outer: number, furrow: number): BrowMove {
  return { rightInner: inner, rightOuter: outer, leftInner: inner, leftOuter: outer, furrow };
}

const SHAPES: Readonly<Record<EmotionName, EmotionShape>> = {
  happy: {
    field: (mesh) => {
      const width = mesh[3 * CORNERS[1]]! - mesh[3 * CORNERS[0]]!;
      const already = Math.min(1, Math.max(0, (width - SMILING[0]) / (SMILING[1] - SMILING[0])));
      const room = 1 - (1 - LEAST_SMILE) * already;
      return fieldOf(mesh, [
        ...both(CORNERS, [0.36 * room, 0.42 * room, -0.24 * room], [1.7, 1.5]),
        ...both(CHEEKS, [0.05 * room, 0.26 * room, 0.14 * room], [1.6, 1.4]),
      ]);
    },
    brows: brows(0.04, 0.08, 0),
    lids: 0.16,
  },
  sad: {
    field: (mesh) =>
      fieldOf(mesh, [
        ...both(CORNERS, [-0.06, -0.34, -0.05], [1.4, 1.4]),
        { landmark: CHIN, move: [0, 0.08, 0.06], reach: [1.6, 1.1] },
      ]),
    brows: { ...brows(0.4, -0.1, 0.06) },
    lids: 0.14,
  },
  angry: {
    field: (mesh) =>
      fieldOf(mesh, [
        ...both(CORNERS, [-0.14, -0.1, 0.05], [1.5, 1.3]),
        ...both(NOSTRILS, [0.08, 0.1, 0], [0.8, 0.8]),
      ]),
    brows: brows(-0.06, 0.02, 0.36),
    lids: 0.12,
  },
  surprised: { field: (mesh) => fieldOf(mesh, []), brows: brows(0.62, 0.55, 0), lids: -0.28 },
};

/** An emotion, or a mixture, on one face. */
interface FaceEmotion {
  /** [468, 3] in centimetres; moves both lips of each place of the mouth alike. */
  readonly field: FaceField;
  /** In centimetres. */
  readonly brows: BrowMove;
  /** How far the eyes close, below 0 open. */
  readonly lids: number;
}

/** What `emotions` do to the face with `mesh`, [468, 3] in centimetres. */
export function faceEmotion(mesh: ArrayLike<number>, emotions: Emotions): FaceEmotion {
  const field = new Float32Array(fieldOf(mesh, []).length);
  let [moved, lids] = [STILL, 0];
  for (const [name, strength] of Object.entries(emotions) as [EmotionName, number][]) {
    const shape = SHAPES[name];
    shape.field(mesh).forEach((value, i) => {
      field[i]! += strength * value;
    });
    moved = {
      rightInner: moved.rightInner + strength * shape.brows.rightInner,
      rightOuter: moved.rightOuter + strength * shape.brows.rightOuter,
      leftInner: moved.leftInner + strength * shape.brows.leftInner,
      leftOuter: moved.leftOuter + strength * shape.brows.leftOuter,
      furrow: moved.furrow + strength * shape.brows.furrow,
    };
    lids += strength * shape.lids;
  }
  // Lips that meet must meet after as before.
  for (let i = 0; i < UPPER.length; i++) {
    for (let axis = 0; axis < 3; axis++) {
      const [upper, lower] = [3 * UPPER[i]! + axis, 3 * LOWER[i]! + axis];
      const mean = (field[upper]! + field[lower]!) / 2;
      field[upper] = mean;
      field[lower] = mean;
    }
  }
  return { field, brows: moved, lids };
}
