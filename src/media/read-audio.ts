/** Speech and sound tracks as mono PCM, from anything that ffmpeg decodes. */
import { MediaError, SubprocessError } from '../errors.ts';
import { DcBlocker } from './dc-blocker.ts';
import { decodeSound } from './decode-sound.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { type FilePart, findJoinedFiles } from './joined-files.ts';
import { PartMeter } from './joined-parts.ts';
import { assertReadableFile } from './media-file.ts';
import { hasDcOffset, quietSpeechGain, unscaledGain } from './sound-level.ts';
import { SoundLog, type SoundTrackInfo } from './sound-log.ts';
import type { PartCut, SoundTrack } from './sound-track.ts';
import { VoiceMix } from './voice-mix.ts';

/** Longest recording that {@link readAudio} takes, in seconds: at 16 kHz two hours are 461 MB of float32. */
const MAX_AUDIO_DURATION = 7200;
/** −60 dBFS: below this peak a recording has no audible speech, unless it has the pauses of speech. */
const SILENCE_PEAK = 1e-3;
/** A header may round, and encoders pad: less than this is not a missing end. */
const MISSING_END_TOLERANCE = 0.25;

/** Decoded sound; sample 0 is at time 0 of the file, so a track that starts late begins with silence. */
interface AudioClip {
  /** The voice: mono, nominally −1 … 1. */
  readonly pcm: Float32Array;
  /** Hz. */
  readonly sampleRate: number;
  /** Seconds. */
  readonly duration: number;
  /** What was read: {@link readClipSound} reads the same again, as it is heard. */
  readonly track: SoundTrack;
}

/** Options of {@link readAudio}. */
interface ReadAudioOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Hz. @defaultValue 16000 */
  readonly sampleRate?: number;
  /** Which sound track of the file, from 1. @defaultValue the one that the file names as its default, or the first */
  readonly track?: number | undefined;
  /** Seconds; longer sound is refused. @defaultValue {@link MAX_AUDIO_DURATION} */
  readonly maxDuration?: number;
  /** Receives a sentence for what is odd but usable: silence, a damaged or missing part. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Refuse = (expected: string, got: string, cause?: unknown) => MediaError;

/**
 * Decodes a sound track of a sound or video file. A damaged file gives what decodes, with a notice.
 *
 * @throws {@link MediaError} if the file cannot be read, has no sound or not this track, is longer than `maxDuration`, or nothing
 *   in it decodes.
 */
export async function readAudio(audioPath: string, options: ReadAudioOptions): Promise<AudioClip> {
  const { sampleRate = 16000, onNotice = () => {} } = options;
  await assertReadableFile(audioPath, 'audio');
  const refuse: Refuse = (expected, got, cause) =>
    new MediaError(`Cannot read audio ${audioPath}: expected ${expected}, got ${got}`, audioPath, { cause });

  const parts = await findJoinedFiles(audioPath);
  const { log, sound, track, sanitise, cuts } = await decodeTrack(
    audioPath,
    { ...options, sampleRate, parts },
    refuse,
  );
  const gain = unscaledGain(sound.peak);
  const { peak: loudest } = sound;
  const { pcm, mixes } = sound.take();
  const duration = pcm.length / sampleRate;
  if (gain !== 1) {
    onNotice(
      `${audioPath} has samples up to ${loudest.toPrecision(3)}, and not to 1: scaled by ${gain.toPrecision(3)}`,
    );
    for (let i = 0; i < pcm.length; i++) pcm[i]! *= gain;
  }
  if (mixes.some(({ voice }) => voice === 'difference')) {
    onNotice(`${audioPath} has two channels that cancel each other: one of them is turned over`);
  }
  if (parts.length > 0) {
    onNotice(
      `${audioPath} is ${parts.length} recordings that were joined: read as one of ${duration.toFixed(1)} s`,
    );
  } else if (mixes.length > 1) {
    onNotice(
      `${audioPath} changes its sample rate or its channels on the way, as joined recordings do: read as one of ${duration.toFixed(1)} s`,
    );
  }
  const blocksDc = hasDcOffset(pcm);
  if (blocksDc) {
    const blocker = new DcBlocker(sampleRate);
    for (let i = 0; i < pcm.length; i++) pcm[i] = blocker.next(pcm[i]!);
  }

  const missing = log.duration - duration;
  if (missing > MISSING_END_TOLERANCE) {
    onNotice(
      `${audioPath} is damaged or cut off: ${missing.toFixed(1)} s of ${log.duration.toFixed(1)} s are missing`,
    );
  } else if (log.complaint) {
    onNotice(`${audioPath} is damaged (${log.complaint}): used the ${duration.toFixed(1)} s that decode`);
  }
  const peak = findPeak(pcm);
  const louder = quietSpeechGain(pcm, sampleRate, peak);
  if (louder !== 1) {
    const level = Math.round(20 * Math.log10(peak));
    onNotice(
      `${audioPath} is very quiet (${level} dB at its loudest): the mouth follows it, its sound stays quiet`,
    );
    for (let i = 0; i < pcm.length; i++) pcm[i]! *= louder;
  } else if (peak < SILENCE_PEAK) onNotice(`${audioPath} is silent: the mouth will stay closed`);
  return {
    pcm,
    sampleRate,
    duration,
    track: { path: audioPath, track, sanitise, gain, blocksDc, mixes, parts, cuts, duration },
  };
}

/** A track that has been decoded. */
interface DecodedTrack {
  readonly log: SoundLog;
  readonly sound: VoiceMix;
  readonly track: number;
  readonly sanitise: boolean;
  readonly cuts: readonly PartCut[];
}

/** How a track is decoded. */
interface DecodePass {
  readonly track: number;
  readonly sanitise?: boolean;
  readonly cuts?: readonly PartCut[];
}

/** How all passes read the file. */
interface DecodeOptions extends ReadAudioOptions {
  readonly sampleRate: number;
  readonly parts: readonly FilePart[];
}

/** Reads the file once; again if it turns out that another track, or another way of decoding, is needed. */
async function decodeTrack(audioPath: string, options: DecodeOptions, refuse: Refuse): Promise<DecodedTrack> {
  const { track: wanted, sampleRate, onNotice = () => {} } = options;
  const first = (wanted ?? 1) - 1;
  let decoded = await decodeOnce(audioPath, { track: first }, options, refuse);
  const { tracks } = decoded.log;
  if (wanted === undefined && tracks.length > 1) {
    const track = Math.max(
      0,
      tracks.findIndex(({ isDefault }) => isDefault),
    );
    onNotice(
      `${audioPath} has ${tracks.length} sound tracks (${describeTracks(tracks)}): ` +
        `number ${track + 1} is used; audioTrack (--audio-track) chooses another`,
    );
    if (track !== first) decoded = await decodeOnce(audioPath, { track }, options, refuse);
  }
  const { track, cuts } = decoded;
  const odd = decoded.sound.firstNotFinite;
  if (odd === undefined) {
    return cuts.length === 0 ? decoded : decodeOnce(audioPath, { track, cuts }, options, refuse);
  }
  const clean = await decodeOnce(audioPath, { track, sanitise: true, cuts }, options, refuse);
  if (clean.sound.peak === 0) throw refuse('finite samples', 'NaN or infinity');
  onNotice(
    `${audioPath} has samples that are no numbers (NaN or infinity), the first at ${(odd / sampleRate).toFixed(2)} s: taken for silence`,
  );
  return clean;
}

function describeTracks(tracks: readonly SoundTrackInfo[]): string {
  return tracks
    .map(({ description, isDefault }, i) => `${i + 1}: ${description}${isDefault ? ', default' : ''}`)
    .join('; ');
}

async function decodeOnce(
  audioPath: string,
  { track, sanitise = false, cuts }: DecodePass,
  options: DecodeOptions,
  refuse: Refuse,
): Promise<DecodedTrack> {
  const { ffmpeg, sampleRate, parts, maxDuration = MAX_AUDIO_DURATION, track: wanted, signal } = options;
  const log = new SoundLog(track);
  const meter = cuts === undefined ? new PartMeter(sampleRate) : undefined;
  const sound = new VoiceMix();
  try {
    const pass = { ffmpeg, sampleRate, track, sanitise, parts, log, signal, meter, ...(cuts && { cuts }) };
    for await (const piece of decodeSound(audioPath, pass)) {
      sound.append(piece);
      if (sound.length > maxDuration * sampleRate) {
        throw refuse(`at most ${maxDuration} s`, 'a longer recording; cut it into parts');
      }
    }
  } catch (error) {
    if (!(error instanceof SubprocessError)) throw error;
    if (log.hasInput && log.tracks.length === 0)
      throw refuse('a file with sound', 'one without an audio stream', error);
    if (log.hasInput && wanted !== undefined && wanted > log.tracks.length)
      throw refuse(
        `sound track ${wanted}, as audioTrack says`,
        `a file with ${log.tracks.length} (${describeTracks(log.tracks)})`,
        error,
      );
    if (sound.length === 0) throw refuse('sound that ffmpeg can decode', log.refusal ?? error.message, error);
    log.complaint ||= error.message;
  }
  if (sound.length === 0) throw refuse('sound that ffmpeg can decode', log.refusal ?? 'no samples');
  return { log, sound, track, sanitise, cuts: cuts ?? meter!.cuts() };
}

function findPeak(pcm: Float32Array): number {
  let peak = 0;
  for (let i = 0; i < pcm.length; i++) peak = Math.max(peak, Math.abs(pcm[i]!));
  return peak;
}
