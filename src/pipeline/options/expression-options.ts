/** How the person moves: what speech, seed and style make of face and head. A part of the table in `clip-options.ts`. */
import { EMOTIONS_EXPECTED, isEmotions } from '../../motion/emotions.ts';
import { STYLE_NAMES } from '../../motion/speaking-style.ts';
import { FACE_MOTION_SOURCES } from '../../motion/speech-clip-motion.ts';
import { option } from './option-spec.ts';
import { boolean, integer, number, oneOf, path } from './option-types.ts';

/** See {@link CLIP_OPTIONS}. */
export const EXPRESSION_OPTIONS = {
  /** Seed of noise, head motion and blinks, 0 to 2^53 − 1. @defaultValue 42 */
  seed: option(integer(0, Number.MAX_SAFE_INTEGER, '2^53 − 1'), {
    description: 'Seed of noise, head motion and blinks.',
    group: 'clip',
    default: 42,
    placeholder: true,
    flag: { help: 'seed of noise, head motion and blinks' },
  }),
  /** Strength of facial expression, 0 to 3. @defaultValue 1 */
  expressionScale: option(number(0, 3), {
    description: 'Strength of facial expression.',
    group: 'clip',
    default: 1,
    flag: { value: 'x', help: 'strength of facial expression, 0 to 3' },
  }),
  /** Strength of lip and jaw motion on top of it, 0 to 3. @defaultValue 1 */
  mouthScale: option(number(0, 3), {
    description: 'Strength of lip and jaw motion, multiplied with that of the expression.',
    group: 'clip',
    default: 1,
    flag: { value: 'x', help: 'strength of lips and jaw, multiplied with it, 0 to 3' },
  }),
  /** Strength of head motion, 0 to 3. @defaultValue 1 */
  headPoseScale: option(number(0, 3), {
    description: 'Strength of head motion.',
    group: 'clip',
    default: 1,
    flag: { value: 'x', help: 'strength of head motion, 0 to 3' },
  }),
  /** Strength of blinks, 0 to 1. @defaultValue 1 */
  blinkScale: option(number(0, 1), {
    description: 'Strength of blinks.',
    group: 'clip',
    default: 1,
    flag: { value: 'x', help: 'strength of blinks, 0 to 1' },
  }),
  /** Keeps the head where it is in the portrait. @defaultValue false */
  still: option(boolean(), {
    description: 'Keeps the head at rest.',
    group: 'clip',
    default: false,
    flag: { help: 'keep the head at rest' },
  }),
  /** How lively head, brows, eyes and lips are: `calm` is a newsreader, `lively` a storyteller. @defaultValue 'natural' */
  style: option(oneOf(STYLE_NAMES), {
    description: 'How much head, brows, eyes and lips move.',
    group: 'clip',
    default: 'natural',
    flag: { help: 'how much head, brows, eyes and lips move: calm, natural or lively' },
  }),
  /**
   * What the face shows all along: happy (or smile), sad, angry or surprised, each with a strength from 0 to 1, such as
   * `happy:0.6` or `sad:0.5,surprised:0.3`. @defaultValue none
   */
  emotion: option(path(EMOTIONS_EXPECTED).refine(isEmotions, EMOTIONS_EXPECTED), {
    description: 'Emotion: happy (or smile), sad, angry or surprised, each with a strength from 0 to 1.',
    group: 'clip',
    otherwise: 'none',
    flag: {
      value: 'name:x',
      help: 'emotion with its strength, for example happy:0.6; happy, sad, angry or surprised',
    },
  }),
  /**
   * Where head, brows and blinks come from: the bundle's own networks, where it has some, or always the generator that
   * follows the speech. @defaultValue 'bundle'
   */
  faceMotion: option(oneOf(FACE_MOTION_SOURCES), {
    description:
      "Source of head, brow and blink motion: the bundle's own networks, if it has any, or the motion generator.",
    group: 'clip',
    default: 'bundle',
    flag: { help: "source of head, brows and blinks: the bundle's networks, if it has any, or generated" },
  }),
};
