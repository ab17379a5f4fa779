/** What a clip is made of: who is seen, what is heard, what moves the face. A part of the table in `clip-options.ts`. */
import { z } from 'zod';
import { DRIVING_MODES } from '../../driving/driving-modes.ts';
import { isPartList, MOTION_PARTS } from '../../driving/motion-parts.ts';
import {
  FACE_CHOICE_EXPECTED,
  type FaceChoice,
  isFaceChoice,
  readFaceChoice,
} from '../../face/face-choice.ts';
import { GAP_CHOICES } from '../../tracking/gap-choices.ts';
import { option } from './option-spec.ts';
import { integer, number, oneOf, path } from './option-types.ts';

const DRIVING_PARTS = `some of ${MOTION_PARTS.join(', ')}, separated by commas`;

/** See {@link CLIP_OPTIONS}. */
export const SOURCE_OPTIONS = {
  /** Picture with one clear face; given, unless there is a `source`. */
  portrait: option(path('the path of a picture with one clear face'), {
    description: 'Image with a clear face.',
    group: 'input',
    path: { to: 'input', holds: 'picture' },
    flag: {},
  }),
  /** Film whose mouth is to speak `audio`; its head, eyes, background and light stay, and it goes back and forth where it is shorter. */
  source: option(path('the path of a film of one person'), {
    description: 'Video to re-voice, instead of a portrait.',
    group: 'input',
    path: { to: 'input', holds: 'film' },
    flag: { help: 'video to re-voice, instead of a portrait' },
  }),
  /** Speech, in any file that ffmpeg can read sound from. @defaultValue the driving film's sound */
  audio: option(path('the path of a speech recording'), {
    description: 'Speech, from any audio or video file; without it, the audio of the driving video.',
    group: 'input',
    path: { to: 'input', holds: 'sound' },
    flag: {
      alias: '--speech',
      help: 'speech, from any audio or video file (alias: --speech; required unless --driving, --motion, --pose-video or --idle is given)',
    },
  }),
  /** Sound that is heard in place of the speech, which moves the face: a mix with music, of the same length. @defaultValue the speech */
  soundtrack: option(path('the path of a sound file as long as the speech'), {
    description:
      'Audio for the video instead of the speech, of the same length: for example, a mix with music.',
    group: 'input',
    otherwise: 'the speech',
    path: { to: 'input', holds: 'sound' },
    flag: {},
  }),
  /** Seconds of a silent clip, 0.5 to 3600, in which the face breathes, blinks and looks; its end leads back to its beginning. */
  idle: option(number(0.5, 3600), {
    description:
      'Length in seconds of a silent, seamlessly looping clip: the face breathes, blinks and looks around.',
    group: 'clip',
    otherwise: 'none',
    placeholder: true,
    flag: {
      value: 'seconds',
      help: 'instead of speech: a silent, seamlessly looping clip of 0.5 to 3600 s, in which the face breathes, blinks and looks around',
    },
  }),
  /** Which sound track of the file with the speech, counted from 1. @defaultValue the one that the file names as its default */
  audioTrack: option(integer(1, 64), {
    description: 'Audio track of the speech file, counted from 1.',
    group: 'clip',
    otherwise: "the file's default",
    flag: { help: 'audio track of the speech file, counted from 1' },
  }),
  /** Film of a person: its expression and head pose move the portrait, its sound becomes the clip's. */
  driving: option(path('the path of a film of a person'), {
    description: "Driving video: a film of a person that moves the portrait; its audio becomes the clip's.",
    group: 'input',
    path: { to: 'input', holds: 'film' },
    flag: { help: "driving video: its face moves the portrait, its audio becomes the clip's" },
  }),
  /** Motion file that moves the portrait, as `motion extract` writes it. */
  motion: option(path('the path of a motion file'), {
    description: 'Motion file that moves the portrait; `motion extract` makes one.',
    group: 'input',
    path: { to: 'input', holds: 'motion' },
    flag: { help: 'motion file that moves the portrait; "motion extract" makes one' },
  }),
  /**
   * Landmark video, as AniPortrait and `motion show` draw it, that a bundle with AniPortrait's networks sees instead of landmarks;
   * the clip shows the largest square in the middle of the portrait, and the video's sound is heard.
   */
  poseVideo: option(path('the path of a landmark video'), {
    description:
      "Landmark video, as AniPortrait and `motion show` draw it, for AniPortrait bundles; its audio becomes the clip's.",
    group: 'input',
    path: { to: 'input', holds: 'film' },
    flag: { help: 'landmark video that drives the portrait, for AniPortrait bundles (pose2vid)' },
  }),
  /** Motion file that moves the head alone; or `calm`, `natural` or `lively`. */
  headMotion: option(path('the path of a motion file, or the name of a template'), {
    description: 'Motion file that moves only the head, or one of the templates calm, natural and lively.',
    group: 'input',
    path: { to: 'name', holds: 'motion' },
    key: 'own',
    flag: {
      value: 'file|name',
      help: 'motion file that moves only the head; or one of the templates calm, natural and lively',
    },
  }),
  /**
   * What the film or the motion file moves, of head, eyes, brows and mouth, separated by commas; the speech moves the rest.
   * @defaultValue all four; with `audio` all but the mouth
   */
  drivingParts: option(z.string(DRIVING_PARTS).refine(isPartList, DRIVING_PARTS), {
    description:
      'What the driving video or motion file moves: some of head, eyes, brows and mouth; speech moves the rest.',
    group: 'clip',
    otherwise: 'all; with --audio all but mouth',
    flag: {
      value: 'parts',
      help: 'what the driving video or motion file moves: a list of head,eyes,brows,mouth',
    },
  }),
  /**
   * `relative`: motion about the portrait's own pose, fitted to its proportions; `absolute`: AniPortrait's way, the head is
   * turned as in the film. @defaultValue 'relative'
   */
  drivingMode: option(oneOf(DRIVING_MODES), {
    description:
      "Motion relative to the portrait's own pose, or the video's absolute poses, as AniPortrait does.",
    group: 'clip',
    default: 'relative',
    flag: {},
  }),
  /** What to do where the film does not show the face for longer than half a second. @defaultValue 'refuse' */
  drivingGaps: option(oneOf(GAP_CHOICES), {
    description:
      'What to do if the video shows no face for more than half a second: refuse it, or hold the face still.',
    group: 'clip',
    default: 'refuse',
    flag: { help: 'if the video shows no face for more than 0.5 s: refuse it, or hold the face still' },
  }),
  /** Which face of the film, counted from 1 at the left. @defaultValue the largest */
  drivingFace: option(integer(1, 64), {
    description: 'Which face of the video, counted from 1 at the left.',
    group: 'clip',
    otherwise: 'the largest',
    flag: { help: 'which face of the video, counted from 1 at the left' },
  }),
  /** Which face of the portrait: its number, from 1 at the left, or a place in it as `x,y` in pixels. @defaultValue the largest that can be animated */
  face: option(
    z
      .union([z.number(), z.string()], FACE_CHOICE_EXPECTED)
      .refine(isFaceChoice, FACE_CHOICE_EXPECTED) as z.ZodType<FaceChoice>,
    {
      description:
        'Which face of the portrait: its number, from 1 at the left, or a point inside it as x,y in pixels.',
      group: 'clip',
      otherwise: 'the largest that can be animated',
      fromText: readFaceChoice,
      flag: {
        value: 'n|x,y',
        help: 'which face of the portrait: its number, from 1 at the left, or a point inside it',
      },
    },
  ),
};
