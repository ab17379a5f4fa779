/** Speech and sound tracks as mono PCM, from anything that ffmpeg decodes. */
import { MediaError, SubprocessError } from '../errors.ts';
import { type FfmpegSpec, fileUrl, parseComplaint, runFfmpeg } from './ffmpeg-command.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { assertReadableFile } from './media-file.ts';
import { INPUT_OPTIONS, parseTimestamp } from './probe.ts';

/** Longest recording that {@link readAudio} takes, in seconds: at 16 kHz two hours are 461 MB of float32. */
const MAX_AUDIO_DURATION = 7200;
/** −60 dBFS: below this peak a recording has no audible speech. */
const SILENCE_PEAK = 1e-3;
/** A header may round, and encoders pad: less than this is not a missing end. */
const MISSING_END_TOLERANCE = 0.25;

/** Decoded sound; sample 0 is at time 0 of the file, so a track that starts late begins with silence. */
interface AudioClip {
  /** Mono, nominally −1 … 1; channels are averaged. */
  readonly pcm: Float32Array;
  /** Hz. */
  readonly sampleRate: number;
  /** Seconds. */
  readonly duration: number;
}

/** Options of {@link readAudio}. */
interface ReadAudioOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Hz. @defaultValue 16000 */
  readonly sampleRate?: number;
  /** Seconds; longer sound is refused. @defaultValue {@link MAX_AUDIO_DURATION} */
  readonly maxDuration?: number;
  /** Receives a sentence for what is odd but usable: silence, a damaged or missing part. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Filters that put sample 0 at time 0, fill gaps with silence, and average channels instead of adding them up. */
export function alignedAudioFilter(sampleRate: number): string {
  return `aresample=${sampleRate}:async=1:first_pts=0:rematrix_maxval=1`;
}

/**
 * Decodes the first audio stream of a sound or video file. A damaged file gives what decodes, with a notice.
 *
 * @throws {@link MediaError} if the file cannot be read, has no sound, is longer than `maxDuration`, or nothing in it decodes.
 */
export async function readAudio(audioPath: string, options: ReadAudioOptions): Promise<AudioClip> {
  const { ffmpeg, sampleRate = 16000, maxDuration = MAX_AUDIO_DURATION, onNotice, signal } = options;
  await assertReadableFile(audioPath, 'audio');
  const refuse = (expected: string, got: string, cause?: unknown) =>
    new MediaError(`Cannot read audio ${audioPath}: expected ${expected}, got ${got}`, audioPath, { cause });

  const log = new DecodeLog();
  const run = runFfmpeg(ffmpeg.path, decodeSpec(audioPath, sampleRate, maxDuration), {
    purpose: `read audio ${audioPath}`,
    signal,
    onStderrLine: (line) => log.add(line),
  });
  const samples = new SampleBuffer();
  try {
    for await (const chunk of run.stdout) samples.append(chunk as Uint8Array);
  } catch (error) {
    // A child that is killed closes its pipe: the reason follows from `done`.
    run.kill();
    await run.done;
    throw error;
  }
  try {
    await run.done;
  } catch (error) {
    if (!(error instanceof SubprocessError)) throw error;
    if (log.hasInput && !log.hasAudio)
      throw refuse('a file with sound', 'one without an audio stream', error);
    if (samples.length === 0)
      throw refuse('sound that ffmpeg can decode', log.refusal ?? error.message, error);
    log.complaint ||= error.message;
  }

  const pcm = samples.take();
  const duration = pcm.length / sampleRate;
  if (pcm.length === 0) throw refuse('sound that ffmpeg can decode', log.refusal ?? 'no samples');
  if (duration > maxDuration)
    throw refuse(`at most ${maxDuration} s`, 'a longer recording; cut it into parts');
  const peak = findPeak(pcm);
  if (!Number.isFinite(peak)) throw refuse('finite samples', 'NaN or infinity');

  const missing = log.duration - duration;
  if (missing > MISSING_END_TOLERANCE) {
    onNotice?.(
      `${audioPath} is damaged or cut off: ${missing.toFixed(1)} s of ${log.duration.toFixed(1)} s are missing`,
    );
  } else if (log.complaint) {
    onNotice?.(`${audioPath} is damaged (${log.complaint}): used the ${duration.toFixed(1)} s that decode`);
  }
  if (peak < SILENCE_PEAK) onNotice?.(`${audioPath} is silent: the mouth will stay closed`);
  return { pcm, sampleRate, duration };
}

function decodeSpec(audioPath: string, sampleRate: number, maxDuration: number): FfmpegSpec {
  return {
    inputs: [{ source: fileUrl(audioPath), options: INPUT_OPTIONS }],
    audioFilters: [alignedAudioFilter(sampleRate)],
    // One second more than allowed shows that there is more, without decoding all of it.
    outputOptions: ['-map', '0:a:0', '-vn', '-sn', '-ac', '1', '-t', String(maxDuration + 1), '-f', 'f32le'],
    output: 'pipe:1',
  };
}

/** What ffmpeg said about its input. */
class DecodeLog {
  hasInput = false;
  hasAudio = false;
  /** Seconds that the header states; NaN where it states none. */
  duration = Number.NaN;
  complaint = '';

  /** The complaint as what was got. */
  get refusal(): string | undefined {
    return this.complaint ? `a file that it refuses (${this.complaint})` : undefined;
  }

  add(line: string): void {
    if (/\[info\] Input #0/.test(line)) this.hasInput = true;
    if (/\[info\] +Stream #0:\d+.*: Audio:/.test(line)) this.hasAudio = true;
    const stated = /\[info\] +Duration: (\S+),/.exec(line)?.[1];
    if (stated !== undefined && Number.isNaN(this.duration)) this.duration = parseTimestamp(stated);
    this.complaint = parseComplaint(line) ?? this.complaint;
  }
}

/** Little-endian float32 samples that arrive in pieces of any length. */
class SampleBuffer {
  #bytes = new Uint8Array(1 << 20);
  #used = 0;

  get length(): number {
    return this.#used >> 2;
  }

  append(chunk: Uint8Array): void {
    if (this.#used + chunk.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + chunk.length));
      larger.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#used);
    this.#used += chunk.length;
  }

  /** The samples in an array of their own; the buffer is empty afterwards. */
  take(): Float32Array {
    const pcm = new Float32Array(this.#bytes.buffer.slice(0, this.#used & ~3));
    this.#bytes = new Uint8Array(0);
    this.#used = 0;
    return pcm;
  }
}

/** Largest magnitude; NaN if any sample is NaN. */
function findPeak(pcm: Float32Array): number {
  let peak = 0;
  for (let i = 0; i < pcm.length; i++) {
    const magnitude = Math.abs(pcm[i]!);
    if (!(magnitude <= peak)) peak = magnitude;
    if (Number.isNaN(peak)) return peak;
  }
  return peak;
}
