/** The sound of a clip: a track that was read before, as it is heard. */
import { MediaError, SubprocessError } from '../errors.ts';
import { DcBlocker } from './dc-blocker.ts';
import { decodeSound } from './decode-sound.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';
import { SoundLog } from './sound-log.ts';
import { DECODED_CHANNELS, mixOf, type SoundTrack } from './sound-track.ts';

/** Players take 48 kHz everywhere; some refuse what speech is recorded in. */
export const CLIP_SAMPLE_RATE = 48000;
export const CLIP_CHANNELS = 2;
/** Resamplers of two rates end a few samples apart; seconds. */
const LENGTH_TOLERANCE = 0.05;

/** Options of {@link readClipSound}. */
interface ReadClipSoundOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Seconds of the clip: longer sound is cut, shorter sound is followed by silence. */
  readonly duration: number;
  readonly niceness?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a track again: the same samples as {@link readAudio} gave, as stereo of 48 kHz, exactly as long as the clip.
 *
 * @returns pieces of interleaved little-endian float32.
 * @throws {@link MediaError} if it has become shorter meanwhile; {@link SubprocessError} if it does not decode at all.
 */
export async function* readClipSound(
  track: SoundTrack,
  { ffmpeg, duration, niceness, signal }: ReadClipSoundOptions,
): AsyncGenerator<Float32Array> {
  const total = Math.round(duration * CLIP_SAMPLE_RATE);
  const blockers = Array.from({ length: DECODED_CHANNELS }, () => new DcBlocker(CLIP_SAMPLE_RATE));
  let done = 0;
  const decoding = decodeSound(track.path, {
    ffmpeg,
    track: track.track,
    sanitise: track.sanitise,
    signal,
    parts: track.parts,
    cuts: track.cuts,
    log: new SoundLog(track.track),
    sampleRate: CLIP_SAMPLE_RATE,
    ...(niceness !== undefined && { niceness }),
  });
  try {
    for await (const { samples, stretch } of decoding) {
      const count = Math.min(samples.length / DECODED_CHANNELS, total - done);
      const heard = new Float32Array(count * CLIP_CHANNELS);
      const { voice, centre, sides } = mixOf(track, stretch);
      const other = voice === 'difference' ? -sides : sides;
      const value = (index: number, channel: number): number => {
        const sample = samples[index * DECODED_CHANNELS + channel]! * track.gain;
        return track.blocksDc ? blockers[channel]!.next(sample) : sample;
      };
      for (let i = 0; i < count; i++) {
        const left = sides * value(i, 0);
        const right = other * value(i, 1);
        const middle = centre * value(i, 2);
        heard[CLIP_CHANNELS * i] = left + middle;
        heard[CLIP_CHANNELS * i + 1] = right + middle;
      }
      if (count > 0) yield heard;
      done += count;
      if (done === total) return;
    }
  } catch (error) {
    // What was damaged when it was read first, is so again, and may not be more so.
    if (!(error instanceof SubprocessError) || done === 0) throw error;
  }
  const missing = track.duration - done / CLIP_SAMPLE_RATE;
  if (missing > LENGTH_TOLERANCE) {
    throw new MediaError(
      `Cannot read audio ${track.path}: expected the ${track.duration.toFixed(2)} s that it had, got ${missing.toFixed(2)} s less; it has changed meanwhile`,
      track.path,
    );
  }
  const piece = CLIP_SAMPLE_RATE;
  for (; done < total; done += piece) yield new Float32Array(Math.min(piece, total - done) * CLIP_CHANNELS);
}
