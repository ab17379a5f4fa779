/** Opens what moves a clip and what is heard in it: speech, a driving film, motion files. */
import { MOTION_PARTS, type MotionPart, readPartList } from '../driving/motion-parts.ts';
import { InvalidOptionError } from '../errors.ts';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';
import { readAudio } from '../media/read-audio.ts';
import type { SoundTrack } from '../media/sound-track.ts';
import type { RequestProgress } from '../runtime/thread-client.ts';
import type { AnimateOptions } from './animate-options.ts';
import type { ClipDriving, FrameThread, ThreadRecording } from './frame-thread.ts';
import { locateHeadMotion } from './head-motions.ts';
import type { ResolvedOptions } from './resolve-options.ts';

/** Hz of the speech that moves a mouth. */
const SAMPLE_RATE = 16_000;
/** A film shorter than the sound by less than this plays to its end; the last frame is shown a little longer. */
const SHORTER_TOLERANCE = 0.1;

/** A soundtrack may differ from the speech by what encoders add at its ends. */
const SOUNDTRACK_TOLERANCE = 0.25;

/** The part of a clip's options that says what moves it and what is heard. */
type MotionOptions = Pick<
  ResolvedOptions,
  | ('audio' | 'audioTrack' | 'soundtrack' | 'idle')
  | ('driving' | 'drivingMode' | 'drivingParts' | 'drivingGaps' | 'drivingFace')
  | ('motion' | 'headMotion' | 'poseVideo' | 'fps')
>;

/** See {@link openMotionInputs}. */
export interface MotionInputs {
  /** Mono speech, 16 kHz; silence where nothing is heard. */
  readonly pcm: Float32Array;
  /** Seconds of the clip. */
  readonly duration: number;
  /** What is heard; undefined for a clip without sound. */
  readonly sound: SoundTrack | undefined;
  readonly driving: ClipDriving;
  /** Frames a second of what moves the clip, where they decide. */
  readonly fps?: number;
}

/** The file that a clip's voice or, without one, its motion comes from: names the clip to people. */
export function voiceOf({
  audio,
  driving,
  motion,
  poseVideo,
}: Pick<AnimateOptions, 'audio' | 'driving' | 'motion' | 'poseVideo'>): string {
  return audio ?? driving ?? motion ?? poseVideo ?? '';
}

/**
 * Reads the sound and opens the recordings; the sound decides how long the clip is.
 *
 * @throws what {@link readAudio}, {@link trackFilm} and {@link readMotionFile} throw.
 */
export async function openMotionInputs(
  options: MotionOptions,
  {
    ffmpeg,
    frameThread,
    signal,
    notice,
    tracking,
  }: {
    readonly ffmpeg: FfmpegInfo;
    readonly frameThread: () => FrameThread;
    readonly signal: AbortSignal;
    readonly notice: (message: string) => void;
    /** Receives how far a film is looked at. */
    readonly tracking?: (film: string, progress: RequestProgress) => void;
  },
): Promise<MotionInputs> {
  const { audio, soundtrack, idle, driving, motion, headMotion, audioTrack } = options;
  const { drivingMode, drivingGaps, drivingFace } = options;
  const read = (file: string, track?: number) => readAudio(file, { ffmpeg, track, signal, onNotice: notice });
  const opened: ThreadRecording[] = [];
  const open = async (source: Parameters<FrameThread['openRecording']>[0]): Promise<ThreadRecording> => {
    const recording = await frameThread().openRecording(source, {
      onNotice: notice,
      onProgress: (progress) => tracking?.(source.path, progress),
      signal,
    });
    opened.push(recording);
    return recording;
  };
  try {
    const head =
      headMotion === undefined
        ? undefined
        : await open({ type: 'motion-file', path: locateHeadMotion(headMotion) });
    const speech = audio === undefined ? undefined : await read(audio, audioTrack);
    const heardTrack = async <Own extends SoundTrack | undefined>(voice: {
      readonly duration: number;
      readonly track: Own;
    }): Promise<SoundTrack | Own> => {
      if (soundtrack === undefined) return voice.track;
      const { duration: heard, track } = await read(soundtrack);
      if (Math.abs(heard - voice.duration) > SOUNDTRACK_TOLERANCE)
        throw wrongLength(soundtrack, heard, voice.duration);
      return track;
    };
    const { poseVideo } = options;
    if (poseVideo !== undefined) {
      const poses = await open({ type: 'pose-video', path: poseVideo, ffmpeg, fps: options.fps });
      const { frames, fps, hasSound } = poses.info;
      const duration = frames / fps;
      const track = hasSound ? (await read(poseVideo, audioTrack)).track : undefined;
      const sound = await heardTrack({ duration, track });
      if (sound === undefined)
        notice(`${poseVideo} has no sound: the clip will be silent; give it one as soundtrack`);
      const pcm = new Float32Array(Math.round(duration * SAMPLE_RATE));
      return { pcm, duration, sound, driving: { poses }, fps };
    }
    const duration = speech?.duration;
    const face =
      driving !== undefined
        ? await open({
            type: 'film',
            path: driving,
            ffmpeg,
            duration,
            face: drivingFace,
            gaps: drivingGaps,
          })
        : motion !== undefined
          ? await open({ type: 'motion-file', path: motion })
          : undefined;
    const withHead = head === undefined ? {} : { head };
    if (face === undefined && idle !== undefined) {
      const pcm = new Float32Array(Math.round(idle * SAMPLE_RATE));
      return { pcm, duration: idle, sound: undefined, driving: withHead };
    }
    if (face === undefined) return { ...speech!, sound: await heardTrack(speech!), driving: withHead };

    const name = (driving ?? motion)!;
    const parts = partsOf(options, face);
    const filmed = face.info.frames / face.info.fps;
    const clipDriving: ClipDriving = { ...withHead, face: { recording: face, parts, mode: drivingMode } };
    const heard =
      speech ?? (driving !== undefined && face.info.hasSound ? await read(driving, audioTrack) : undefined);
    if (heard !== undefined) {
      if (filmed < heard.duration - SHORTER_TOLERANCE) {
        notice(
          `${name} lasts ${filmed.toFixed(1)} s, the sound ${heard.duration.toFixed(1)} s: its motion is played back and forth`,
        );
      }
      return { ...heard, sound: await heardTrack(heard), driving: clipDriving };
    }
    notice(`${name} has no sound: the clip will be silent, unless a recording is given, too`);
    const pcm = new Float32Array(Math.round(filmed * SAMPLE_RATE));
    return { pcm, duration: filmed, sound: undefined, driving: clipDriving };
  } catch (error) {
    for (const recording of opened) await recording.dispose();
    throw error;
  }
}

function wrongLength(soundtrack: string, heard: number, spoken: number): InvalidOptionError {
  return new InvalidOptionError(
    {
      expected: `a recording as long as the speech (${spoken.toFixed(2)} s)`,
      got: `${heard.toFixed(2)} s; cut it, or fill it with silence`,
    },
    'soundtrack',
    soundtrack,
  );
}

/** What a recording moves: what the caller says, else all that it has, but for the mouth where a voice is given. */
function partsOf(
  { drivingParts, audio, motion }: Pick<MotionOptions, 'drivingParts' | 'audio' | 'motion'>,
  { info: { hasFace } }: ThreadRecording,
): readonly MotionPart[] {
  const wanted =
    (drivingParts === undefined ? undefined : readPartList(drivingParts)) ??
    MOTION_PARTS.filter((part) => audio === undefined || part !== 'mouth');
  if (hasFace) return wanted;
  if (drivingParts !== undefined && wanted.some((part) => part !== 'head')) {
    throw new InvalidOptionError(
      { expected: `head alone, as ${motion} holds no more`, got: drivingParts },
      'drivingParts',
      drivingParts,
    );
  }
  return ['head'];
}

/** Frees all recordings. */
export async function disposeDriving({ face, head, poses }: ClipDriving): Promise<void> {
  await face?.recording.dispose();
  await head?.dispose();
  await poses?.dispose();
}
