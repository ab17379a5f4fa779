/** The command line of the encoder; pure functions. */
import path from 'node:path';
import { CLIP_CHANNELS, CLIP_SAMPLE_RATE } from './clip-sound.ts';
import { type FfmpegSpec, fileUrl, SECOND_PIPE } from './ffmpeg-command.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { frameRateText } from './frame-rate.ts';
import { chooseEncoders, ENCODER_THREADS, outputFormatOf } from './output-formats.ts';
import type { RawPixels } from './pack-frame.ts';
import type { SoundTrack } from './sound-track.ts';

/** What an output's frames are best handed over as: what the encoder takes, if it can be made here. */
export function rawPixelsOf(outputPath: string, ffmpeg: FfmpegInfo, transparent: boolean): RawPixels {
  if (transparent) return 'rgba';
  const { encoding, video } = chooseEncoders(outputPath, ffmpeg, transparent);
  return encoding.colours === 'bt709' && video.pixelFormat === 'yuv420p' ? 'yuv420p' : 'rgb24';
}

/** Untagged video is shown with the matrix that the player guesses from its size, so faces change colour. */
const BT709_TAGS = ['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'];

/** What is encoded. */
interface EncodeRequest {
  readonly ffmpeg: FfmpegInfo;
  /** The name that the output will have: it decides about the container. */
  readonly outputPath: string;
  /** What is written meanwhile: a file, a folder, or `-`. */
  readonly target: string;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly frames: number;
  readonly sound?: SoundTrack | undefined;
  readonly crf: number;
  /** Whether frames have a fourth channel, how opaque they are. */
  readonly transparent: boolean;
  /** What frames are handed over as. @defaultValue 'rgba' where they are transparent, otherwise 'rgb24' */
  readonly pixels?: RawPixels | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether it is watched while it is made: fast, in small pieces, and without looking ahead. */
  readonly live: boolean;
}

/** Seconds of a live video that who watches gets at once. */
const LIVE_PIECE = 0.2;
/** Seconds between its pictures that need no other. */
const LIVE_GROUP = 0.4;

/** Of options that are given twice, the last one holds. */
function liveOptions(encoder: string, fps: number): string[] {
  const fast =
    encoder === 'libx264'
      ? ['-preset', 'ultrafast', '-tune', 'zerolatency', '-x264-params', 'partitions=none']
      : [];
  const group = String(Math.max(1, Math.round(fps * LIVE_GROUP)));
  const pieces = ['-frag_duration', String(LIVE_PIECE * 1e6), '-flush_packets', '1'];
  return ['-threads:v', '1', ...fast, '-g', group, ...pieces];
}

/**
 * @throws {@link EnvironmentError} if the ffmpeg lacks an encoder.
 * @throws {@link InvalidOptionError} if the output cannot be transparent.
 */
export function encodeSpec(request: EncodeRequest): FfmpegSpec {
  const { width, height, fps, crf, metadata, ffmpeg, outputPath, transparent, live } = request;
  const { muxer, place } = outputFormatOf(outputPath);
  const { encoding, video, audio } = chooseEncoders(outputPath, ffmpeg, transparent);
  const { pixels = transparent ? 'rgba' : 'rgb24' } = request;
  const rawVideo = ['-f', 'rawvideo', '-pixel_format', pixels, '-video_size', `${width}x${height}`];
  const pictures = { source: 'pipe:0', options: [...rawVideo, '-framerate', frameRateText(fps)] };
  const samples = ['-f', 'f32le', '-ar', String(CLIP_SAMPLE_RATE), '-ac', String(CLIP_CHANNELS)];
  const sound =
    request.sound === undefined || audio === undefined ? [] : [{ source: SECOND_PIPE, options: samples }];
  const inYuv = encoding.colours === 'bt709';
  return {
    inputs: [pictures, ...sound],
    videoFilters: [
      ...(inYuv && pixels !== 'yuv420p'
        ? ['scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int']
        : []),
      `format=${inYuv || encoding.filters === undefined ? video.pixelFormat : pixels}`,
      ...(encoding.filters ?? []),
    ],
    outputOptions: [
      ...['-map', '0:v:0'],
      ...['-threads:v', String(ENCODER_THREADS)],
      ...video.arguments({ crf, pixelsPerSecond: width * height * fps }),
      ...['-pix_fmt', video.pixelFormat],
      ...(inYuv ? [...BT709_TAGS, '-color_range', 'tv'] : []),
      ...(sound.length > 0 ? ['-map', '1:a:0', ...audio!.arguments] : []),
      // The sound file's title, chapters and dates are not those of the video; equal input gives equal bytes.
      ...['-map_metadata', '-1', '-map_chapters', '-1', '-fflags', '+bitexact'],
      ...['-flags:v', '+bitexact', '-flags:a', '+bitexact'],
      ...Object.entries(metadata).flatMap(([key, value]) => ['-metadata', `${key}=${value}`]),
      ...muxer,
      ...(live ? liveOptions(video.name, fps) : []),
    ],
    output:
      place === 'stream'
        ? 'pipe:1'
        : place === 'folder'
          ? framePattern(request.target)
          : fileUrl(request.target),
  };
}

/** ffmpeg's name for the numbered frames of a folder; its own per cent signs stand for themselves. */
function framePattern(folder: string): string {
  return `${fileUrl(folder).replaceAll('%', '%%')}${path.sep}%06d.png`;
}
