/**
 * The options of a clip: each is described here, and nowhere else. From this table follow the type that callers see, the
 * checks and their messages, the flags of the command line and their help, the keys of manifests with their JSON Schema, the
 * settings of a comparison's variants, what travels through a queue, and what tells clips apart.
 */
import type { Writable } from 'node:stream';
import { z } from 'zod';
import { DRIVING_MODES } from '../../driving/driving-modes.ts';
import { isPartList, MOTION_PARTS } from '../../driving/motion-parts.ts';
import {
  FACE_CHOICE_EXPECTED,
  type FaceChoice,
  isFaceChoice,
  readFaceChoice,
} from '../../face/face-choice.ts';
import { exactFrameRate, readFrameRate } from '../../media/frame-rate.ts';
import {
  FILE_ENDINGS,
  findOutputFormat,
  OUTPUT_NAME_EXPECTED,
  TRANSPARENT_ENDINGS,
} from '../../media/output-formats.ts';
import { RESOLUTIONS } from '../../models/bundle-size.ts';
import { MAX_DENOISE_EVERY, PRECISIONS, PRESETS, WINDOW_LAYOUTS } from '../../models/bundle-terms.ts';
import { EMOTIONS_EXPECTED, isEmotions } from '../../motion/emotions.ts';
import { STYLE_NAMES } from '../../motion/speaking-style.ts';
import { FACE_MOTION_SOURCES } from '../../motion/speech-clip-motion.ts';
import { DEVICE_CHOICES } from '../../runtime/device.ts';
import { BACKGROUND_EXPECTED } from '../../scene/background-words.ts';
import { FRAMINGS } from '../../scene/framing.ts';
import {
  ASPECT_EXPECTED,
  FITS,
  parseAspect,
  parseVideoSize,
  VIDEO_SIZE_EXPECTED,
} from '../../scene/video-shape.ts';
import { DISTILLED_SAMPLERS, DISTILLED_STEPS, SAMPLERS } from '../../schedulers/create-scheduler.ts';
import { GAP_CHOICES } from '../../tracking/gap-choices.ts';
import { parseLora } from '../../weights/lora-argument.ts';
import type { ProgressEvent } from '../progress-event.ts';
import { atLeastOneOf, atMostOneOf, needsOneOf, type OptionRule, outputIsNoInput } from './option-rules.ts';
import { type OptionsOf, option } from './option-spec.ts';
import { boolean, instance, integer, listOf, number, oneOf, path, steps } from './option-types.ts';

/** A LoRA many times as strong as trained is a slip of the pen. */
const MAX_LORA_SCALE = 10;
const LORAS = `LoRA files, each with a scale from ${-MAX_LORA_SCALE} to ${MAX_LORA_SCALE}`;

const FROM_PRESET = "the preset's";
const DRIVING_PARTS = `some of ${MOTION_PARTS.join(', ')}, separated by commas`;

/** Every option by name, in the order of help and messages. */
export const CLIP_OPTIONS = {
  /** Picture with one clear face; given, unless there is a `source`. */
  portrait: option(path('the path of a picture with one clear face'), {
    description: 'Picture with one clear face.',
    group: 'input',
    path: { to: 'input', holds: 'picture' },
    flag: {},
  }),
  /** Film whose mouth is to speak `audio`; its head, eyes, background and light stay, and it goes back and forth where it is shorter. */
  source: option(path('the path of a film of one person'), {
    description: 'Film that gets another voice, in place of a portrait.',
    group: 'input',
    path: { to: 'input', holds: 'film' },
    flag: { help: 'film that gets another voice, in place of a portrait' },
  }),
  /** Speech, in any file that ffmpeg can read sound from. @defaultValue the driving film's sound */
  audio: option(path('the path of a speech recording'), {
    description: "Speech: any sound or video file; without one, the driving film's sound.",
    group: 'input',
    path: { to: 'input', holds: 'sound' },
    flag: {
      alias: '--speech',
      help: 'speech (also --speech): any sound or video file (required, unless a film, a motion file or --idle moves the face)',
    },
  }),
  /** Sound that is heard in place of the speech, which moves the face: a mix with music, of the same length. @defaultValue the speech */
  soundtrack: option(path('the path of a sound file as long as the speech'), {
    description: 'Sound that is heard in place of the speech, as long as it: a mix with music.',
    group: 'input',
    otherwise: 'the speech',
    path: { to: 'input', holds: 'sound' },
    flag: {},
  }),
  /** Seconds of a silent clip, 0.5 to 3600, in which the face breathes, blinks and looks; its end leads back to its beginning. */
  idle: option(number(0.5, 3600), {
    description: 'Seconds of a silent clip that can be looped: the face breathes, blinks and looks.',
    group: 'clip',
    otherwise: 'none',
    placeholder: true,
    flag: {
      value: 'seconds',
      help: 'in place of speech: a silent clip, 0.5 to 3600 s, that can be looped: the face breathes, blinks and looks',
    },
  }),
  /** Which sound track of the file with the speech, counted from 1. @defaultValue the one that the file names as its default */
  audioTrack: option(integer(1, 64), {
    description: 'Which sound track of the file with the speech, counted from 1.',
    group: 'clip',
    otherwise: "the file's default",
    flag: { help: 'which sound track of the file with the speech, counted from 1' },
  }),
  /** Film of a person: its expression and head pose move the portrait, its sound becomes the clip's. */
  driving: option(path('the path of a film of a person'), {
    description: "Film of a person that moves the portrait; its sound becomes the clip's.",
    group: 'input',
    path: { to: 'input', holds: 'film' },
    flag: { help: "film of a person that moves the portrait; its sound becomes the clip's" },
  }),
  /** Motion file that moves the portrait, as `motion extract` writes it. */
  motion: option(path('the path of a motion file'), {
    description: 'Motion file that moves the portrait, as `motion extract` writes it.',
    group: 'input',
    path: { to: 'input', holds: 'motion' },
    flag: { help: 'motion file that moves the portrait, as "motion extract" writes it' },
  }),
  /**
   * Landmark video, as AniPortrait and `motion show` draw it, that a bundle with AniPortrait's networks sees instead of landmarks;
   * the clip shows the largest square in the middle of the portrait, and the video's sound is heard.
   */
  poseVideo: option(path('the path of a landmark video'), {
    description:
      "Landmark video, as AniPortrait and `motion show` draw it, that AniPortrait's networks see; its sound becomes the clip's.",
    group: 'input',
    path: { to: 'input', holds: 'film' },
    flag: { help: "landmark video that moves the portrait, with AniPortrait's networks (pose2vid)" },
  }),
  /** Motion file that moves the head alone; or `calm`, `natural` or `lively`. */
  headMotion: option(path('the path of a motion file, or the name of a template'), {
    description: 'Motion file that moves the head alone, or one of the templates calm, natural and lively.',
    group: 'input',
    path: { to: 'name', holds: 'motion' },
    key: 'own',
    flag: { value: 'file|name', help: 'motion file that moves the head alone; or calm, natural or lively' },
  }),
  /**
   * What the film or the motion file moves, of head, eyes, brows and mouth, separated by commas; the speech moves the rest.
   * @defaultValue all four; with `audio` all but the mouth
   */
  drivingParts: option(z.string(DRIVING_PARTS).refine(isPartList, DRIVING_PARTS), {
    description:
      'What film or motion file move: some of head, eyes, brows and mouth; the speech moves the rest.',
    group: 'clip',
    otherwise: 'all; with --audio all but mouth',
    flag: { value: 'parts', help: 'what film or motion file move, as head,eyes,brows,mouth' },
  }),
  /**
   * `relative`: motion about the portrait's own pose, fitted to its proportions; `absolute`: AniPortrait's way, the head is
   * turned as in the film. @defaultValue 'relative'
   */
  drivingMode: option(oneOf(DRIVING_MODES), {
    description: "Motion about the portrait's own pose, or the film's own poses as AniPortrait takes them.",
    group: 'clip',
    default: 'relative',
    flag: {},
  }),
  /** What to do where the film does not show the face for longer than half a second. @defaultValue 'refuse' */
  drivingGaps: option(oneOf(GAP_CHOICES), {
    description:
      'What to do where the film shows no face for longer than half a second: refuse it, or hold the face still.',
    group: 'clip',
    default: 'refuse',
    flag: { help: 'refuse or hold (keep still) where the film shows no face for longer than 0.5 s' },
  }),
  /** Which face of the film, counted from 1 at the left. @defaultValue the largest */
  drivingFace: option(integer(1, 64), {
    description: 'Which face of the film, counted from 1 at the left.',
    group: 'clip',
    otherwise: 'the largest',
    flag: { help: 'which face of the film, counted from 1 at the left' },
  }),
  /** Which face of the portrait: its number, from 1 at the left, or a place in it as `x,y` in pixels. @defaultValue the largest that can be animated */
  face: option(
    z
      .union([z.number(), z.string()], FACE_CHOICE_EXPECTED)
      .refine(isFaceChoice, FACE_CHOICE_EXPECTED) as z.ZodType<FaceChoice>,
    {
      description:
        'Which face of the portrait: its number, from 1 at the left, or a place in it as x,y in pixels.',
      group: 'clip',
      otherwise: 'the largest that can be animated',
      fromText: readFaceChoice,
      flag: {
        value: 'n|x,y',
        help: 'which face of the portrait, counted from 1 at the left, or a place in it',
      },
    },
  ),
  /** Pixels of the video, as `1080x1920`: the part of the portrait around the head. @defaultValue the portrait's */
  size: option(
    path(VIDEO_SIZE_EXPECTED).refine((value) => parseVideoSize(value) !== undefined, VIDEO_SIZE_EXPECTED),
    {
      description: 'Pixels of the video, as 1080x1920: shows the part of the portrait around the head.',
      group: 'clip',
      otherwise: "the portrait's",
      placeholder: true,
      flag: { value: 'WxH' },
    },
  ),
  /** Shape of the video, as `9:16`: the part of the portrait around the head. @defaultValue the portrait's */
  aspect: option(
    path(ASPECT_EXPECTED).refine((value) => parseAspect(value) !== undefined, ASPECT_EXPECTED),
    {
      description: 'Shape of the video, as 9:16: shows the part of the portrait around the head.',
      group: 'clip',
      otherwise: "the portrait's",
      flag: { value: 'W:H' },
    },
  ),
  /** With `size` or `aspect`: the part around the head, or the whole portrait with an edge around it. @defaultValue 'crop' */
  fit: option(oneOf(FITS), {
    description:
      'How another shape is filled: with the part around the head, or with the whole portrait and an edge.',
    group: 'clip',
    otherwise: 'crop',
    flag: { help: 'with --size or --aspect: crop around the head, or pad the whole portrait' },
  }),
  /**
   * What stands behind the person: a colour by name or as `#rrggbb`, `blurred`, `transparent` for an `output` that can be, or
   * the path of a picture. @defaultValue the portrait's own
   */
  background: option(path(BACKGROUND_EXPECTED), {
    description: 'What stands behind the person: a colour, blurred, transparent, or the path of a picture.',
    group: 'clip',
    otherwise: "the portrait's own",
    path: { to: 'name', holds: 'picture' },
    key: 'own',
    flag: {
      value: 'colour|file',
      help: 'behind the person: green, blue, white, grey, black, #rrggbb, blurred, transparent, or a picture',
    },
  }),
  /** Video to write: a name of {@link OUTPUT_FORMATS}, such as `talk.mp4`, `frames/` or `-`. */
  output: option(
    path(OUTPUT_NAME_EXPECTED).refine((value) => findOutputFormat(value) !== undefined, OUTPUT_NAME_EXPECTED),
    {
      description: `Video to write: ${FILE_ENDINGS.join(', ')}; a name that ends in / is a folder of numbered PNGs.`,
      group: 'output',
      required: true,
      path: { to: 'output' },
      flag: {
        help: `video to write: ${FILE_ENDINGS.join(', ')}; NAME/ for a folder of PNGs, - for MP4 to standard output`,
      },
    },
  ),
  /**
   * Quality on x264's scale, 0 (lossless) to 51; encoders of other files have what looks alike.
   * @defaultValue 18; 10 with `source`
   */
  crf: option(integer(0, 51), {
    description: "Quality of the video on x264's scale, less is better.",
    group: 'output',
    otherwise: '18, with --source 10',
    key: 'value',
    flag: { help: "quality on x264's scale, 0 (lossless) to 51" },
  }),
  /** Folder of a bundle, or the name of an embedded or installed one. @defaultValue 'tiny' */
  bundle: option(path('the name of an embedded or installed bundle, or the path of a bundle folder'), {
    description: 'Networks to use: the name of a bundle, or its folder.',
    group: 'networks',
    default: 'tiny',
    path: { to: 'name', marker: 'bundle.json' },
    key: 'own',
    flag: { value: 'name|folder', help: 'networks to use' },
  }),
  /** Folder of installed bundles. @defaultValue the user's */
  bundleStore: option(path('the path of a folder of bundles'), {
    description: 'Folder of installed bundles.',
    group: 'networks',
    otherwise: "the user's",
    path: { to: 'folder' },
    key: 'none',
  }),
  /**
   * Side of the square that the networks see, 256 to 768 pixels in steps of 64, for bundles of AniPortrait's networks; time and
   * memory grow with its square. @defaultValue the bundle's
   */
  resolution: option(steps(RESOLUTIONS), {
    description: "Side of the square that the networks see, for bundles of AniPortrait's networks.",
    group: 'networks',
    otherwise: "the bundle's",
    flag: {
      value: 'pixels',
      help: "side of the square that the networks see, for AniPortrait's: 256 to 768",
    },
  }),
  /**
   * Takes less memory, and more time: networks are opened one at a time, also those of small bundles, and large weights stay in
   * half precision until a layer needs them. @defaultValue false
   */
  lowMemory: option(boolean(), {
    description: 'Takes less memory and more time: one network at a time, large weights in half precision.',
    group: 'networks',
    default: false,
    key: 'none',
    flag: { help: 'take less memory and more time' },
  }),
  /** LoRAs to merge into the denoising UNet, after those of the preset. @defaultValue none */
  loras: option(
    listOf(
      z.object(
        {
          path: path(LORAS),
          scale: z.number(LORAS).min(-MAX_LORA_SCALE, LORAS).max(MAX_LORA_SCALE, LORAS),
        },
        LORAS,
      ),
      LORAS,
    ),
    {
      description:
        "LoRAs to merge after the preset's, file or file:scale; a job's take the place of the defaults'.",
      group: 'sampling',
      path: { to: 'items', noun: 'LoRA', holds: 'weights' },
      key: 'own',
      repeatable: true,
      fromText: parseLora,
      flag: {
        name: '--lora',
        value: 'file[:scale]',
        help: "LoRA to merge, after the preset's; may be repeated (scale: 1)",
      },
    },
  ),
  /** Starting point for sampler, steps, guidance, windows, precision and LoRA. @defaultValue 'fast' */
  preset: option(oneOf(PRESETS), {
    description: 'Starting point for sampler, steps, guidance, windows, precision and LoRA.',
    group: 'sampling',
    default: 'fast',
    placeholder: true,
    setting: 'preset',
    flag: {},
  }),
  /** @defaultValue the preset's */
  sampler: option(oneOf(SAMPLERS), {
    description: 'What the clip is denoised with.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    placeholder: true,
    setting: 'sampler',
    flag: {},
  }),
  /** Denoising steps, 1 to 100 (LCM and TCD: to 50). @defaultValue the preset's */
  steps: option(integer(1, 100), {
    description: `Denoising steps, for lcm and tcd to ${DISTILLED_STEPS}.`,
    group: 'sampling',
    otherwise: FROM_PRESET,
    placeholder: true,
    setting: 'steps',
    flag: { help: 'denoising steps, 1 to 100' },
  }),
  /** Classifier-free guidance scale, 1 to 20; 1 is off. @defaultValue the preset's */
  guidance: option(number(1, 20), {
    description: 'Classifier-free guidance, 1 is off.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    setting: 'guidance',
    flag: { value: 'scale', help: 'guidance, 1 (off) to 20' },
  }),
  /**
   * Denoises every nth frame only, 1 to 8, and blends the latents of those between; about n times as fast where denoising is
   * most of the work. @defaultValue the preset's
   */
  denoiseEvery: option(integer(1, MAX_DENOISE_EVERY), {
    description: 'Denoises every nth frame and blends those between.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    setting: 'every',
    flag: { help: `denoise every nth frame, 1 to ${MAX_DENOISE_EVERY}, and blend those between` },
  }),
  /**
   * `overlapping` windows are the same at every step; `moving` ones lie side by side and begin elsewhere at each step, which is
   * less work; `loop` is AniPortrait's way. @defaultValue the preset's
   */
  windows: option(oneOf(WINDOW_LAYOUTS), {
    description: 'How the clip is cut into windows.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    setting: 'windows',
    flag: { value: 'kind', help: 'overlapping, moving (less work) or loop' },
  }),
  /** What the networks compute in. @defaultValue the preset's, or 'auto' where it cannot be had */
  precision: option(oneOf(PRECISIONS), {
    description: 'What networks compute in; int8 on CPUs, with a bundle that has a calibration.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    setting: 'precision',
    flag: { help: 'auto, float32, float16 (GPU) or int8 (CPU, faster, slightly coarser)' },
  }),
  /** Seed of noise, head motion and blinks, 0 to 2^53 − 1. @defaultValue 42 */
  seed: option(integer(0, Number.MAX_SAFE_INTEGER, '2^53 − 1'), {
    description: 'Seed of noise, head motion and blinks.',
    group: 'clip',
    default: 42,
    placeholder: true,
    flag: { help: 'seed of noise, head motion and blinks' },
  }),
  /** Frames a second, 1 to 120; 29.97 and the like mean 30000/1001, exactly. @defaultValue the bundle's */
  fps: option(number(1, 120), {
    description: 'Frames a second: a number, or a fraction such as 30000/1001, which 29.97 means, too.',
    group: 'clip',
    otherwise: "the bundle's",
    placeholder: true,
    fromText: readFrameRate,
    canonical: exactFrameRate,
    flag: { help: 'frames a second, 1 to 120, or a fraction: 30000/1001, which 29.97 means, too' },
  }),
  /** Lets the clip's end lead back to its beginning, so that it can be shown again and again. @defaultValue false */
  loop: option(boolean(), {
    description: "Lets the clip's end lead back to its beginning, so that it can be shown again and again.",
    group: 'clip',
    otherwise: 'no, but for idle clips',
    flag: { help: "let the clip's end lead back to its beginning" },
  }),
  /** Where the networks run; `auto` takes the first that opens. @defaultValue 'auto' */
  device: option(oneOf(DEVICE_CHOICES), {
    description: 'Where the networks run.',
    group: 'machine',
    default: 'auto',
    flag: {},
  }),
  /** Threads of the engine, 1 to 256. @defaultValue one for each core */
  threads: option(integer(1, 256), {
    description: 'Threads of the engine.',
    group: 'machine',
    otherwise: 'one for each core',
    flag: {},
  }),
  /** Whether the video shows the whole photo, or the square around the face. @defaultValue 'paste-back' */
  framing: option(oneOf(FRAMINGS), {
    description: 'The whole photo, or the square around the face.',
    group: 'clip',
    default: 'paste-back',
    flag: { help: 'paste-back (whole photo) or crop' },
  }),
  /** Strength of facial expression, 0 to 3. @defaultValue 1 */
  expressionScale: option(number(0, 3), {
    description: 'Strength of facial expression.',
    group: 'clip',
    default: 1,
    flag: { value: 'x', help: 'facial expression, 0 to 3' },
  }),
  /** Strength of lip and jaw motion on top of it, 0 to 3. @defaultValue 1 */
  mouthScale: option(number(0, 3), {
    description: 'Strength of lip and jaw motion on top of it.',
    group: 'clip',
    default: 1,
    flag: { value: 'x', help: 'lips and jaw on top of it, 0 to 3' },
  }),
  /** Strength of head motion, 0 to 3. @defaultValue 1 */
  headPoseScale: option(number(0, 3), {
    description: 'Strength of head motion.',
    group: 'clip',
    default: 1,
    flag: { value: 'x', help: 'head motion, 0 to 3' },
  }),
  /** Strength of blinks, 0 to 1. @defaultValue 1 */
  blinkScale: option(number(0, 1), {
    description: 'Strength of blinks.',
    group: 'clip',
    default: 1,
    flag: { value: 'x', help: 'blinks, 0 to 1' },
  }),
  /** Keeps the head where it is in the portrait. @defaultValue false */
  still: option(boolean(), {
    description: 'Keeps the head where it is in the portrait.',
    group: 'clip',
    default: false,
    flag: { help: 'keep the head where it is in the portrait' },
  }),
  /** How lively head, brows, eyes and lips are: `calm` is a newsreader, `lively` a storyteller. @defaultValue 'natural' */
  style: option(oneOf(STYLE_NAMES), {
    description: 'How lively head, brows, eyes and lips are.',
    group: 'clip',
    default: 'natural',
    flag: { help: 'how lively head, brows, eyes and lips are: calm, natural or lively' },
  }),
  /**
   * What the face shows all along: happy (or smile), sad, angry or surprised, each with a strength from 0 to 1, such as
   * `happy:0.6` or `sad:0.5,surprised:0.3`. @defaultValue none
   */
  emotion: option(path(EMOTIONS_EXPECTED).refine(isEmotions, EMOTIONS_EXPECTED), {
    description:
      'What the face shows: happy (or smile), sad, angry or surprised, each with a strength from 0 to 1.',
    group: 'clip',
    otherwise: 'none',
    flag: { value: 'name:x', help: 'what the face shows, such as happy:0.6: happy, sad, angry or surprised' },
  }),
  /**
   * Where head, brows and blinks come from: the bundle's own networks, where it has some, or always the generator that
   * follows the speech. @defaultValue 'bundle'
   */
  faceMotion: option(oneOf(FACE_MOTION_SOURCES), {
    description:
      "Where head, brows and blinks come from: the bundle's own networks, where it has some, or the generator.",
    group: 'clip',
    default: 'bundle',
    flag: { help: "head, brows and blinks: the bundle's own, where it has some, or generated" },
  }),
  /** Replaces an existing output. @defaultValue false */
  overwrite: option(boolean(), {
    description: 'Replaces an output that is a file from elsewhere.',
    group: 'output',
    default: false,
    flag: { name: '--force', help: 'replace an existing output' },
  }),
  /** Program to use instead of the one that is found. */
  ffmpegPath: option(path('the path of the ffmpeg program'), {
    description: 'Program to use instead of the one that is found.',
    group: 'machine',
  }),
  /** Cancels the job; {@link animate} rejects with `signal.reason`. */
  signal: option(
    instance<AbortSignal>('an AbortSignal', (value) => value instanceof AbortSignal),
    { description: 'Cancels the job.', group: 'run' },
  ),
  /** Where the video goes whose `output` is `-`; it is not ended. */
  stream: option(
    instance<Writable>(
      'a stream to write to',
      (value) => typeof (value as Writable | null)?.write === 'function',
    ),
    { description: 'Where the video goes whose output is -.', group: 'run' },
  ),
  /** Called on the caller's thread, in order. */
  onProgress: option(
    instance<(event: ProgressEvent) => void>('a function', (value) => typeof value === 'function'),
    { description: 'Called with what the job tells on its way.', group: 'run' },
  ),
};

type ClipValues = OptionsOf<typeof CLIP_OPTIONS>;

/** What the kind of an output allows. */
const OUTPUT_RULES: readonly OptionRule<ClipValues>[] = [
  {
    find: ({ output, stream }) => {
      if (output !== '-' || stream !== undefined) return undefined;
      const problem = { expected: ['a file name, or ', { option: 'stream' }, ' with -'], got: '- alone' };
      return { option: 'output', problem };
    },
  },
  {
    find: ({ output, background }) => {
      if (output === undefined || background !== 'transparent') return undefined;
      const format = findOutputFormat(output);
      if (format === undefined || format.transparent !== undefined) return undefined;
      const problem = {
        expected: [
          'transparent with ',
          { option: 'output' },
          ` that ends in ${TRANSPARENT_ENDINGS.join(', ')}`,
        ],
        got: `it with ${output}`,
      };
      return { option: 'background', problem };
    },
  },
  {
    find: ({ framing, size, aspect }) => {
      const option = size !== undefined ? 'size' : aspect !== undefined ? 'aspect' : undefined;
      if (framing !== 'crop' || option === undefined) return undefined;
      const problem = {
        expected: ['none with ', { option: 'framing' }, ' crop, which is a square'],
        got: 'both; leave one out',
      };
      return { option, problem };
    },
  },
  {
    find: ({ output, crf }) => {
      if (output === undefined || crf === undefined) return undefined;
      if (findOutputFormat(output)?.opaque.hasQuality !== false) return undefined;
      const problem = {
        expected: ['none with ', { option: 'output' }, ` ${output}, which is lossless`],
        got: String(crf),
      };
      return { option: 'crf', problem };
    },
  },
  {
    find: ({ output, fps }) => {
      const maxFps = output === undefined ? undefined : findOutputFormat(output)?.maxFps;
      if (maxFps === undefined || fps === undefined || fps <= maxFps) return undefined;
      const problem = {
        expected: [`at most ${maxFps} with `, { option: 'output' }, ` ${output}`],
        got: String(fps),
      };
      return { option: 'fps', problem };
    },
  },
];

/** Rules between options, in the order of messages. */
export const CLIP_RULES: readonly OptionRule<ClipValues>[] = [
  atLeastOneOf<ClipValues>(['portrait', 'source'], 'the path of a picture with one clear face'),
  atMostOneOf<ClipValues>(['portrait', 'source']),
  // A film has its own head and eyes, and the new voice its mouth.
  atMostOneOf<ClipValues>(['source', 'driving']),
  atMostOneOf<ClipValues>(['source', 'motion']),
  atMostOneOf<ClipValues>(['source', 'headMotion']),
  atMostOneOf<ClipValues>(['source', 'poseVideo']),
  atLeastOneOf<ClipValues>(
    ['audio', 'driving', 'motion', 'poseVideo', 'idle'],
    'the path of a speech recording',
  ),
  atMostOneOf<ClipValues>(['driving', 'motion']),
  atMostOneOf<ClipValues>(['audio', 'idle']),
  atMostOneOf<ClipValues>(['driving', 'idle']),
  atMostOneOf<ClipValues>(['motion', 'idle']),
  atMostOneOf<ClipValues>(['source', 'idle']),
  // A film has its own end and beginning.
  atMostOneOf<ClipValues>(['source', 'loop']),
  ...['face', 'size', 'aspect', 'background'].map((key) =>
    atMostOneOf<ClipValues>(['source', key as 'face' | 'size' | 'aspect' | 'background']),
  ),
  atMostOneOf<ClipValues>(['size', 'aspect']),
  // Drawn lines move all of the face, and lie in a square.
  ...(['audio', 'driving', 'motion', 'headMotion', 'idle', 'loop', 'size', 'aspect'] as const).map((key) =>
    atMostOneOf<ClipValues>(['poseVideo', key]),
  ),
  needsOneOf<ClipValues>('fit', ['size', 'aspect']),
  needsOneOf<ClipValues>('soundtrack', ['audio', 'driving', 'poseVideo']),
  ...OUTPUT_RULES,
  needsOneOf<ClipValues>('drivingParts', ['driving', 'motion']),
  needsOneOf<ClipValues>('drivingMode', ['driving', 'motion'], CLIP_OPTIONS.drivingMode.default),
  needsOneOf<ClipValues>('drivingGaps', ['driving'], CLIP_OPTIONS.drivingGaps.default),
  needsOneOf<ClipValues>('drivingFace', ['driving', 'source']),
  needsOneOf<ClipValues>('audioTrack', ['audio', 'driving', 'poseVideo']),
  {
    find: ({ sampler, steps }) => {
      if (sampler === undefined || !DISTILLED_SAMPLERS.has(sampler)) return undefined;
      if (steps === undefined || steps <= DISTILLED_STEPS) return undefined;
      const problem = {
        expected: [`at most ${DISTILLED_STEPS} with `, { option: 'sampler' }, ` ${sampler}`],
        got: String(steps),
        hint: 'take another sampler for more',
      };
      return { option: 'steps', problem };
    },
  },
  {
    find: ({ source, framing }) => {
      if (source === undefined || framing !== 'crop') return undefined;
      const problem = {
        expected: ['paste-back with ', { option: 'source' }, ', which keeps its surroundings'],
        got: 'crop',
      };
      return { option: 'framing', problem };
    },
  },
  ...outputIsNoInput<ClipValues>(CLIP_OPTIONS),
];
