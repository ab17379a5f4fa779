/** What is in a media file, found with ffmpeg alone: builds that come in packages have no ffprobe. */
import { MediaError, SubprocessError } from '../errors.ts';
import { type FfmpegRun, type FfmpegSpec, fileUrl, parseComplaint, runFfmpeg } from './ffmpeg-command.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { assertReadableFile } from './media-file.ts';

/**
 * Formats that hold what they are: none of these opens another file, as playlists (HLS, DASH, concat, IMF), session
 * descriptions and sequences of pictures do.
 */
const CONTAINED_FORMATS = [
  ...[
    'aac',
    'ac3',
    'aiff',
    'amr',
    'amrnb',
    'amrwb',
    'ape',
    'au',
    'caf',
    'dts',
    'eac3',
    'flac',
    'gsm',
    'mp3',
    'mpc',
    'mpc8',
  ],
  ...['oma', 'sox', 'spdif', 'tak', 'tta', 'voc', 'w64', 'wav', 'wv', 'xwma'],
  ...[
    '3g2',
    '3gp',
    'asf',
    'avi',
    'dv',
    'flv',
    'gif',
    'h264',
    'hevc',
    'ivf',
    'm4a',
    'm4v',
    'matroska',
    'mjpeg',
    'mov',
    'mp4',
  ],
  ...['mpeg', 'mpegts', 'mpegvideo', 'mxf', 'nut', 'ogg', 'rm', 'webm', 'wtv', 'yuv4mpegpipe'],
  ...['bmp_pipe', 'jpeg_pipe', 'png_pipe', 'tiff_pipe', 'webp_pipe'],
];

/** A file that calls itself a recording may not make ffmpeg open network addresses, nor other files. */
export const INPUT_OPTIONS = [
  ...['-protocol_whitelist', 'file,subfile,pipe,crypto,data'],
  ...['-format_whitelist', CONTAINED_FORMATS.join(',')],
] as const;

/** The first video stream of a file. */
interface VideoInfo {
  /** ffmpeg's name, e.g. `h264`. */
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  /** Average over the stream: frames divided by duration; 0 for a single picture without duration. */
  readonly fps: number;
  /** Decoded frames. */
  readonly frames: number;
  /** E.g. `yuv420p`. */
  readonly pixelFormat: string;
  /** When the first frame is shown, in seconds. */
  readonly startTime: number;
  /** Seconds from the first frame to the end of the last. */
  readonly duration: number;
}

/** The first audio stream of a file. */
interface AudioInfo {
  /** ffmpeg's name, e.g. `aac`. */
  readonly codec: string;
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** When the first sample is heard, in seconds; encoder delay that players skip is not counted. */
  readonly startTime: number;
  /** Seconds from the first sample to the last. */
  readonly duration: number;
}

/** What {@link probeMedia} finds. */
interface MediaInfo {
  /** Seconds from time 0 to the end of the last stream. */
  readonly duration: number;
  readonly video?: VideoInfo;
  readonly audio?: AudioInfo;
}

/** Options of {@link probeMedia}. */
export interface ProbeOptions {
  readonly ffmpeg: FfmpegInfo;
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link measureMedia}. */
interface MeasureOptions extends ProbeOptions {
  /** Seconds after which nothing is read. */
  readonly maxDuration: number;
}

/**
 * Decodes the first video and the first audio stream from end to end, so every number is counted, none is the header's word.
 *
 * @throws {@link MediaError} if the file cannot be read or has neither picture nor sound that decodes.
 */
export function probeMedia(mediaPath: string, options: ProbeOptions): Promise<MediaInfo> {
  return readStreams(mediaPath, packetListSpec(mediaPath), options);
}

/**
 * As {@link probeMedia}, but counts coded packets without decoding any: cheap for files that nobody has looked at, and not
 * misled by what a header says of their length.
 *
 * @throws {@link MediaError} if the file cannot be read or has neither picture nor sound.
 */
export function measureMedia(
  mediaPath: string,
  { maxDuration, ...options }: MeasureOptions,
): Promise<MediaInfo> {
  const spec = packetListSpec(mediaPath);
  const outputOptions = ['-c', 'copy', '-t', String(maxDuration), ...spec.outputOptions];
  return readStreams(mediaPath, { ...spec, outputOptions }, options);
}

async function readStreams(
  mediaPath: string,
  spec: FfmpegSpec,
  { ffmpeg, signal }: ProbeOptions,
): Promise<MediaInfo> {
  await assertReadableFile(mediaPath, 'media file');
  const streams: StreamLine[] = [];
  let complaint = '';
  const onStderrLine = (line: string) => {
    complaint = parseComplaint(line) ?? complaint;
    const stream = parseStreamLine(line);
    if (stream) streams.push(stream);
  };
  const purpose = `read media file ${mediaPath}`;
  const run = runFfmpeg(ffmpeg.path, spec, { purpose, signal, onStderrLine });
  const packets = await readPacketList(run);
  try {
    await run.done;
  } catch (error) {
    if (!(error instanceof SubprocessError)) throw error;
    const got = streams.length > 0 || !complaint ? 'nothing that decodes' : complaint;
    throw new MediaError(
      `Cannot read media file ${mediaPath}: expected picture or sound, got ${got}`,
      mediaPath,
      { cause: error },
    );
  }
  return describeStreams(streams, packets);
}

/** The coded frames of a video. */
interface VideoSpan {
  readonly count: number;
  /** Seconds from the first frame's beginning to the last one's end. */
  readonly duration: number;
}

/**
 * Counts the coded frames of the first video stream without decoding them.
 *
 * @throws {@link SubprocessError} if the container cannot be read to its end.
 */
export async function readVideoSpan(mediaPath: string, options: ProbeOptions): Promise<VideoSpan> {
  const spec: FfmpegSpec = {
    inputs: [{ source: fileUrl(mediaPath), options: INPUT_OPTIONS }],
    outputOptions: ['-map', '0:v:0', '-c', 'copy', '-f', 'framecrc'],
    output: 'pipe:1',
  };
  const run = runFfmpeg(options.ffmpeg.path, spec, {
    purpose: `read video ${mediaPath}`,
    signal: options.signal,
  });
  const { spans } = await readPacketList(run);
  await run.done;
  const { count, start, end } = spans.get(0) ?? { count: 0, start: 0, end: 0 };
  return { count, duration: end - start };
}

async function readPacketList(run: FfmpegRun): Promise<PacketList> {
  const packets = new PacketList();
  try {
    for await (const chunk of run.stdout.setEncoding('utf8')) packets.append(chunk as string);
  } catch (error) {
    // A child that is killed closes its pipe: the reason follows from `done`.
    run.kill();
    await run.done;
    throw error;
  }
  return packets;
}

/** Seconds from `hh:mm:ss.ff`, NaN from anything else. */
export function parseTimestamp(text: string): number {
  const match = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text);
  return match ? Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]) : Number.NaN;
}

function packetListSpec(mediaPath: string): FfmpegSpec {
  return {
    inputs: [{ source: fileUrl(mediaPath), options: INPUT_OPTIONS }],
    // Every line of framecrc is one decoded frame: stream, dts, pts, duration, size, checksum, in units of its time base.
    outputOptions: ['-map', '0:v:0?', '-map', '0:a:0?', '-copyts', '-f', 'framecrc'],
    output: 'pipe:1',
  };
}

type StreamLine =
  | { readonly kind: 'video'; codec: string; pixelFormat: string; width: number; height: number }
  | { readonly kind: 'audio'; codec: string; sampleRate: number; channels: number };

const CHANNEL_COUNTS: Readonly<Record<string, number>> = { mono: 1, stereo: 2, '5.1': 6, '7.1': 8 };

/** Reads one stream of the input from ffmpeg's summary; the output's streams, which follow it, have codecs without a name in brackets. */
function parseStreamLine(line: string): StreamLine | undefined {
  const match = /\[info\] +Stream #0:\d+[^ ]*: (Video|Audio): (\w+)(.*)$/.exec(line);
  if (!match) return undefined;
  const [, kind, codec = '', rest = ''] = match;
  if (kind === 'Audio') {
    const layout = /, (\d+) Hz, ([^,]+)/.exec(rest);
    const name = layout?.[2]?.replace(/\(.*\)/, '').trim() ?? '';
    const channels = CHANNEL_COUNTS[name] ?? Number(/^(\d+) channels/.exec(name)?.[1] ?? Number.NaN);
    return { kind: 'audio', codec, sampleRate: Number(layout?.[1]), channels };
  }
  const size = /, (\d+)x(\d+)[ ,[]/.exec(`${rest},`);
  const pixelFormat = /, (\w+)(?:\([^)]*\))?(?=, \d+x\d+)/.exec(rest)?.[1] ?? '';
  return { kind: 'video', codec, pixelFormat, width: Number(size?.[1]), height: Number(size?.[2]) };
}

interface StreamSpan {
  timeBase: number;
  count: number;
  start: number;
  end: number;
}

/** Counts and spans of the streams in framecrc's text. */
class PacketList {
  readonly spans = new Map<number, StreamSpan>();
  #rest = '';

  append(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#add(line);
  }

  #add(line: string): void {
    const timeBase = /^#tb (\d+): (\d+)\/(\d+)/.exec(line);
    if (timeBase) {
      const unit = Number(timeBase[2]) / Number(timeBase[3]);
      this.spans.set(Number(timeBase[1]), { timeBase: unit, count: 0, start: 0, end: 0 });
    }
    if (line.startsWith('#')) return;
    const [stream, , pts = 0, duration = 0] = line.split(',').map(Number);
    const span = this.spans.get(stream ?? -1);
    if (!span) return;
    const start = pts * span.timeBase;
    const end = (pts + duration) * span.timeBase;
    span.start = span.count === 0 ? start : Math.min(span.start, start);
    span.end = span.count === 0 ? end : Math.max(span.end, end);
    span.count++;
  }
}

function describeStreams(streams: readonly StreamLine[], { spans }: PacketList): MediaInfo {
  const video = streams.find((stream) => stream.kind === 'video');
  const audio = streams.find((stream) => stream.kind === 'audio');
  // The streams of the output are numbered in the order of the -map options.
  const videoSpan = video && spans.get(0);
  const audioSpan = audio && spans.get(video ? 1 : 0);
  const result: { duration: number; video?: VideoInfo; audio?: AudioInfo } = {
    duration: Math.max(0, ...[...spans.values()].map((span) => span.end)),
  };
  if (video && videoSpan) {
    const { kind: _, ...stream } = video;
    const duration = videoSpan.end - videoSpan.start;
    const fps = duration > 0 ? videoSpan.count / duration : 0;
    result.video = { ...stream, fps, frames: videoSpan.count, startTime: videoSpan.start, duration };
  }
  if (audio && audioSpan) {
    const { kind: _, ...stream } = audio;
    result.audio = { ...stream, startTime: audioSpan.start, duration: audioSpan.end - audioSpan.start };
  }
  return result;
}
