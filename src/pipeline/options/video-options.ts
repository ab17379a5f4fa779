/** What the video shows and how it is written: its shape, surroundings, file and frames. A part of the table in `clip-options.ts`. */
import { exactFrameRate, readFrameRate } from '../../media/frame-rate.ts';
import { FILE_ENDINGS, findOutputFormat, OUTPUT_NAME_EXPECTED } from '../../media/output-formats.ts';
import { BACKGROUND_EXPECTED } from '../../scene/background-words.ts';
import { FRAMINGS } from '../../scene/framing.ts';
import {
  ASPECT_EXPECTED,
  FITS,
  parseAspect,
  parseVideoSize,
  VIDEO_SIZE_EXPECTED,
} from '../../scene/video-shape.ts';
import { option } from './option-spec.ts';
import { boolean, integer, number, oneOf, path } from './option-types.ts';

/** See {@link CLIP_OPTIONS}. */
export const VIDEO_OPTIONS = {
  /** Pixels of the video, as `1080x1920`: the part of the portrait around the head. @defaultValue the portrait's */
  size: option(
    path(VIDEO_SIZE_EXPECTED).refine((value) => parseVideoSize(value) !== undefined, VIDEO_SIZE_EXPECTED),
    {
      description: 'Size of the video in pixels, for example 1080x1920, cropped around the head.',
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
      description: 'Aspect ratio of the video, for example 9:16, cropped around the head.',
      group: 'clip',
      otherwise: "the portrait's",
      flag: { value: 'W:H' },
    },
  ),
  /** With `size` or `aspect`: the part around the head, or the whole portrait with an edge around it. @defaultValue 'crop' */
  fit: option(oneOf(FITS), {
    description: 'How to fit another aspect ratio: crop around the head, or pad the whole portrait.',
    group: 'clip',
    otherwise: 'crop',
    flag: { help: 'with --size or --aspect: crop around the head, or pad the whole portrait' },
  }),
  /**
   * What stands behind the person: a colour by name or as `#rrggbb`, `blurred`, `transparent` for an `output` that can be, or
   * the path of a picture. @defaultValue the portrait's own
   */
  background: option(path(BACKGROUND_EXPECTED), {
    description: 'Background: a colour, blurred, transparent, or the path of an image.',
    group: 'clip',
    otherwise: "the portrait's own",
    path: { to: 'name', holds: 'picture' },
    key: 'own',
    flag: {
      value: 'colour|file',
      help: 'background: green, blue, white, grey, black, #rrggbb, blurred, transparent, or an image',
    },
  }),
  /** Video to write: a name of {@link OUTPUT_FORMATS}, such as `talk.mp4`, `frames/` or `-`. */
  output: option(
    path(OUTPUT_NAME_EXPECTED).refine((value) => findOutputFormat(value) !== undefined, OUTPUT_NAME_EXPECTED),
    {
      description: `Output file: ${FILE_ENDINGS.join(', ')}; a name that ends in / is a folder of numbered PNGs.`,
      group: 'output',
      required: true,
      path: { to: 'output' },
      flag: {
        short: '-o',
        help: `output file: ${FILE_ENDINGS.join(', ')}; NAME/ for a folder of PNGs, - for MP4 on standard output`,
      },
    },
  ),
  /**
   * Quality on x264's scale, 0 (lossless) to 51; encoders of other files have what looks alike.
   * @defaultValue 18; 10 with `source`
   */
  crf: option(integer(0, 51), {
    description: "Quality on x264's scale, 0 (lossless) to 51; lower is better.",
    group: 'output',
    otherwise: '18, with --source 10',
    key: 'value',
    flag: { help: "quality on x264's scale, 0 (lossless) to 51; lower is better" },
  }),
  /** Frames a second, 1 to 120; 29.97 and the like mean 30000/1001, exactly. @defaultValue the bundle's */
  fps: option(number(1, 120), {
    description: 'Frame rate: a number, or a fraction such as 30000/1001; 29.97 means the same.',
    group: 'clip',
    otherwise: "the bundle's",
    placeholder: true,
    fromText: readFrameRate,
    canonical: exactFrameRate,
    flag: { help: 'frame rate, 1 to 120, or a fraction: 30000/1001; 29.97 means the same' },
  }),
  /** Lets the clip's end lead back to its beginning, so that it can be shown again and again. @defaultValue false */
  loop: option(boolean(), {
    description: 'Makes the end of the clip lead back to its beginning, for seamless looping.',
    group: 'clip',
    otherwise: 'only with --idle',
    flag: { help: 'make the end of the clip lead back to its beginning' },
  }),
  /** Whether the video shows the whole photo, or the square around the face. @defaultValue 'paste-back' */
  framing: option(oneOf(FRAMINGS), {
    description: 'The whole photo, or the square around the face.',
    group: 'clip',
    default: 'paste-back',
    flag: { help: 'paste-back (whole photo) or crop' },
  }),
  /** Replaces an existing output. @defaultValue false */
  overwrite: option(boolean(), {
    description: 'Overwrites an existing output.',
    group: 'output',
    default: false,
    flag: { name: '--force', help: 'overwrite an existing output' },
  }),
};
