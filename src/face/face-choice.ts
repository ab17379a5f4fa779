/** Which of several faces is animated, as people say it: by its number, or by a place in it. */

/** A number, counted from 1 at the left, or a place `x,y` in pixels of the picture. */
export type FaceChoice = number | string;

/** What {@link isFaceChoice} accepts, for messages. */
export const FACE_CHOICE_EXPECTED =
  'the number of a face, from 1 at the left, or a place in it as x,y in pixels';

const PLACE = /^\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*$/;

/** Whether a value chooses a face. */
export function isFaceChoice(value: unknown): value is FaceChoice {
  return typeof value === 'number'
    ? Number.isInteger(value) && value >= 1 && value <= 64
    : typeof value === 'string' && PLACE.test(value);
}

/** A choice from text; what is none stays text. */
export function readFaceChoice(text: string): FaceChoice {
  return /^\s*\d+\s*$/.test(text) ? Number(text) : text;
}

/** The place of a choice that is one. */
export function placeOf(choice: FaceChoice): readonly [x: number, y: number] | undefined {
  const match = typeof choice === 'string' ? PLACE.exec(choice) : null;
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}
