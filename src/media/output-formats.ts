/**
 * What a clip can be written as: one table, from which the check of an output's name, its message and its help follow, the
 * encoders that an ffmpeg is asked for, and the encoder's arguments.
 */
import { EnvironmentError, InvalidOptionError } from '../errors.ts';

/** What an encoder's arguments depend on. */
interface EncoderInput {
  /** On x264's scale, 0 (lossless) to 51. */
  readonly crf: number;
  /** Of all frames of a second. */
  readonly pixelsPerSecond: number;
}

/** An encoder of ffmpeg and how it is driven. */
interface VideoEncoder {
  /** ffmpeg's name. */
  readonly name: string;
  /** What it is given. */
  readonly pixelFormat: string;
  readonly arguments: (input: EncoderInput) => readonly string[];
}

/** How a file is made of frames with three, or four, channels. */
interface Encoding {
  /** Best first; the first that an ffmpeg has is taken. */
  readonly video: readonly VideoEncoder[];
  /** The same for sound, with ffmpeg's options; empty where a file has none. */
  readonly audio: readonly { readonly name: string; readonly arguments: readonly string[] }[];
  /**
   * Where colours are kept as luma and differences: the range is the studio's, the matrix BT.709, and the file says so.
   * `rgb` files have no matrix, or one that their standard prescribes.
   */
  readonly colours: 'bt709' | 'rgb';
  /** Filters between the frames and the encoder, after those of `colours`. */
  readonly filters?: readonly string[];
  /** Whether there is a choice of quality. */
  readonly hasQuality: boolean;
}

/** A kind of output. */
export interface OutputFormat {
  /** As people call it. */
  readonly label: string;
  /** Endings of names, lower case; `/` stands for a folder and `-` for standard output. */
  readonly endings: readonly string[];
  readonly place: 'file' | 'folder' | 'stream';
  /** ffmpeg's name of the container, with its options. */
  readonly muxer: readonly string[];
  readonly opaque: Encoding;
  /** Undefined where nothing can be transparent. */
  readonly transparent?: Encoding;
  /** Frames a second that players still show. @defaultValue no limit */
  readonly maxFps?: number;
}

/** x264's bytes depend on the number of its threads: the same on every machine, and as many as it takes on two cores. */
export const ENCODER_THREADS = 3;

/** How much lower x264's faster preset is set, for the quality that its usual one has at a factor. */
const FASTER_PRESET = 3.5;
/** What of that preset a warped picture gains nothing by: files and SSIM are the same to 2 %, with up to 15 % less work on large pictures. */
const LEFT_OUT = 'me=dia:weightp=0:partitions=p8x8,i8x8';

const H264: VideoEncoder[] = [
  {
    name: 'libx264',
    pixelFormat: 'yuv420p',
    // Of a picture that mostly rests: the SSIM of `medium`, a file 2 to 15 % larger, half of the time.
    arguments: ({ crf }) => {
      const factor = crf === 0 ? 0 : Math.max(1, crf - FASTER_PRESET);
      const quality = ['-preset', 'veryfast', '-crf', String(factor)];
      return ['-c:v', 'libx264', ...quality, '-x264-params', LEFT_OUT];
    },
  },
  {
    name: 'libopenh264',
    pixelFormat: 'yuv420p',
    // It knows no quality target: 0.1 bit a pixel looks like x264's 23, and six steps halve the rate.
    arguments: ({ crf, pixelsPerSecond }) => {
      const bitrate = Math.round(0.1 * pixelsPerSecond * 2 ** ((23 - crf) / 6));
      return ['-c:v', 'libopenh264', '-b:v', String(bitrate)];
    },
  },
];
const H264_AAC: Encoding = {
  video: H264,
  audio: [{ name: 'aac', arguments: ['-c:a', 'aac', '-b:a', '160k', '-ac', '2'] }],
  colours: 'bt709',
  hasQuality: true,
};

/** VP9's scale goes to 63, and its 31 looks like x264's 23. */
const VP9_CRF = 1.35;

function vp9(pixelFormat: string): Encoding {
  return {
    video: [
      {
        name: 'libvpx-vp9',
        pixelFormat,
        arguments: ({ crf }) => [
          ...['-c:v', 'libvpx-vp9', '-b:v', '0', '-crf', String(Math.min(63, Math.round(crf * VP9_CRF)))],
          // Transparency and hidden reference frames exclude each other.
          ...['-deadline', 'good', '-cpu-used', '4', '-auto-alt-ref', pixelFormat === 'yuva420p' ? '0' : '1'],
        ],
      },
    ],
    audio: [
      { name: 'libopus', arguments: ['-c:a', 'libopus', '-b:a', '128k', '-ac', '2'] },
      { name: 'libvorbis', arguments: ['-c:a', 'libvorbis', '-q:a', '5', '-ac', '2'] },
    ],
    colours: 'bt709',
    hasQuality: true,
  };
}

const PRORES_4444: Encoding = {
  video: [
    {
      name: 'prores_ks',
      pixelFormat: 'yuva444p10le',
      arguments: () => ['-c:v', 'prores_ks', '-profile:v', '4444', '-vendor', 'apl0', '-alpha_bits', '16'],
    },
  ],
  audio: [{ name: 'pcm_s16le', arguments: ['-c:a', 'pcm_s16le', '-ac', '2'] }],
  colours: 'bt709',
  // This encoder tags what it writes as its frames are tagged, whatever the options say.
  filters: ['setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709'],
  hasQuality: false,
};

const GIF: Encoding = {
  video: [{ name: 'gif', pixelFormat: 'pal8', arguments: () => ['-c:v', 'gif'] }],
  audio: [],
  colours: 'rgb',
  // A palette for each frame: one for all would keep every frame in memory until the last.
  filters: ['split[seen][kept];[seen]palettegen=stats_mode=single[colours];[kept][colours]paletteuse=new=1'],
  hasQuality: false,
};

const WEBP: Encoding = {
  video: [
    {
      // The encoder turns colours into its standard's luma and differences itself.
      name: 'libwebp_anim',
      pixelFormat: 'bgra',
      arguments: ({ crf }) => {
        const quality = Math.max(0, Math.min(100, Math.round(110 - 1.4 * crf)));
        return ['-c:v', 'libwebp_anim', '-quality', String(quality), '-compression_level', '4'];
      },
    },
  ],
  audio: [],
  colours: 'rgb',
  hasQuality: true,
};

function png(pixelFormat: string): Encoding {
  return {
    video: [{ name: 'png', pixelFormat, arguments: () => ['-c:v', 'png'] }],
    audio: [],
    colours: 'rgb',
    hasQuality: false,
  };
}

/** All kinds of output, in the order of messages. */
export const OUTPUT_FORMATS = {
  mp4: {
    label: 'MP4 (H.264, AAC)',
    endings: ['.mp4', '.m4v'],
    place: 'file',
    // The index first, so that a browser can play while it loads.
    muxer: ['-movflags', '+faststart', '-f', 'mp4'],
    opaque: H264_AAC,
  },
  mov: {
    label: 'QuickTime (H.264, AAC; ProRes 4444 where it is transparent)',
    endings: ['.mov'],
    place: 'file',
    muxer: ['-movflags', '+faststart', '-f', 'mov'],
    opaque: H264_AAC,
    transparent: PRORES_4444,
  },
  webm: {
    label: 'WebM (VP9, Opus)',
    endings: ['.webm'],
    place: 'file',
    muxer: ['-f', 'webm'],
    opaque: vp9('yuv420p'),
    transparent: vp9('yuva420p'),
  },
  gif: {
    label: 'GIF, without sound',
    endings: ['.gif'],
    place: 'file',
    muxer: ['-loop', '0', '-f', 'gif'],
    opaque: GIF,
    // Times are hundredths of a second, and players show a hundredth as a tenth.
    maxFps: 50,
  },
  webp: {
    label: 'animated WebP, without sound',
    endings: ['.webp'],
    place: 'file',
    muxer: ['-loop', '0', '-f', 'webp'],
    opaque: WEBP,
    transparent: WEBP,
  },
  png: {
    label: 'a folder of numbered PNGs, without sound',
    endings: ['/'],
    place: 'folder',
    muxer: ['-f', 'image2', '-start_number', '1'],
    opaque: png('rgb24'),
    transparent: png('rgba'),
  },
  stream: {
    label: 'fragmented MP4 to standard output',
    endings: ['-'],
    place: 'stream',
    muxer: [
      '-movflags',
      '+frag_keyframe+empty_moov+default_base_moof',
      '-frag_duration',
      '1000000',
      '-f',
      'mp4',
    ],
    opaque: H264_AAC,
  },
} as const satisfies Readonly<Record<string, OutputFormat>>;

const FORMATS: readonly OutputFormat[] = Object.values(OUTPUT_FORMATS);

/** Endings of files, as messages list them. */
export const FILE_ENDINGS: readonly string[] = FORMATS.filter(({ place }) => place === 'file').flatMap(
  ({ endings }) => endings,
);

/** What the name of an output is, as a message expects it. */
export const OUTPUT_NAME_EXPECTED = `the path of the video to write, ending in ${FILE_ENDINGS.join(', ')}, or in / for a folder of PNGs, or - for standard output`;

/** Every encoder that some output is written with. */
export const OUTPUT_ENCODERS: readonly string[] = [
  ...new Set(
    FORMATS.flatMap(({ opaque, transparent = opaque }) => [opaque, transparent]).flatMap(({ video, audio }) =>
      [...video, ...audio].map(({ name }) => name),
    ),
  ),
];

/** The kind of an output by its name; undefined if there is none. */
export function findOutputFormat(outputPath: string): OutputFormat | undefined {
  if (outputPath === '-') return OUTPUT_FORMATS.stream;
  if (/[/\\]$/.test(outputPath)) return OUTPUT_FORMATS.png;
  const [ending] = /\.[^./\\]*$/.exec(outputPath) ?? [''];
  return FORMATS.find(({ place, endings }) => place === 'file' && endings.includes(ending.toLowerCase()));
}

/**
 * The kind of an output by its name.
 *
 * @throws {@link InvalidOptionError} if the ending is not known.
 */
export function outputFormatOf(outputPath: string): OutputFormat {
  const format = findOutputFormat(outputPath);
  if (format !== undefined) return format;
  const [ending = 'no extension'] = /\.[^./\\]*$/.exec(outputPath) ?? [];
  throw new InvalidOptionError(
    `Cannot write ${outputPath}: expected a name that ends in ${FILE_ENDINGS.join(', ')}, got ${ending}`,
    'output',
    outputPath,
  );
}

/** Endings of outputs that may be transparent, for messages. */
export const TRANSPARENT_ENDINGS: readonly string[] = FORMATS.filter(
  ({ transparent }) => transparent !== undefined,
).flatMap(({ endings }) => endings);

/** The part of an ffmpeg that choosing needs. */
interface EncoderList {
  readonly path: string;
  readonly version: string;
  readonly encoders: readonly string[];
}

/** Encoders that were chosen for an output. */
interface ChosenEncoders {
  readonly encoding: Encoding;
  readonly video: VideoEncoder;
  /** Undefined for what has no sound. */
  readonly audio: { readonly name: string; readonly arguments: readonly string[] } | undefined;
}

/**
 * The encoders of an ffmpeg for an output.
 *
 * @throws {@link InvalidOptionError} if what is written cannot be transparent.
 * @throws {@link EnvironmentError} if the ffmpeg lacks an encoder; it names the endings that the ffmpeg can write.
 */
export function chooseEncoders(outputPath: string, ffmpeg: EncoderList, transparent = false): ChosenEncoders {
  const format = outputFormatOf(outputPath);
  const encoding = transparent ? format.transparent : format.opaque;
  if (encoding === undefined) {
    throw new InvalidOptionError(
      `Cannot write ${outputPath}: expected one of ${TRANSPARENT_ENDINGS.join(', ')} (a folder of PNGs) for transparency, got ${format.endings[0]}`,
      'output',
      outputPath,
    );
  }
  const video = firstOf(encoding.video, ffmpeg);
  const audio = firstOf(encoding.audio, ffmpeg);
  const missing = [
    ...(video === undefined ? [encoding.video] : []),
    ...(audio === undefined && encoding.audio.length > 0 ? [encoding.audio] : []),
  ].map((choices) => choices.map(({ name }) => name).join(' or '));
  if (video !== undefined && missing.length === 0) return { encoding, video, audio };
  const writable = FORMATS.filter((each) => {
    const needed = transparent ? each.transparent : each.opaque;
    return needed !== undefined && canEncode(needed, ffmpeg);
  }).flatMap(({ endings }) => endings);
  throw new EnvironmentError(
    `Cannot write ${outputPath}: expected an ffmpeg with the encoder ${missing.join(' and ')}, got ${ffmpeg.path} ` +
      `(${ffmpeg.version}), which has ${ffmpeg.encoders.join(', ')} and writes ${writable.join(', ') || 'nothing'}${transparent ? ' with transparency' : ''}. ` +
      'Take another ending, or set FFMPEG_PATH to a build that has the encoder',
  );
}

function firstOf<Encoder extends { readonly name: string }>(
  choices: readonly Encoder[],
  { encoders }: EncoderList,
): Encoder | undefined {
  return choices.find(({ name }) => encoders.includes(name));
}

function canEncode({ video, audio }: Encoding, ffmpeg: EncoderList): boolean {
  return firstOf(video, ffmpeg) !== undefined && (audio.length === 0 || firstOf(audio, ffmpeg) !== undefined);
}
