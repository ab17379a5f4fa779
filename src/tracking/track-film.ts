/** From a film to what one face in it did: found, followed, and put on an even grid of frames. */
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FaceError, FaceLostError, InvalidOptionError, MediaError, type TimeSpan } from '../errors.ts';
import type { FaceFinder } from '../face/face-finder.ts';
import { hashFile } from '../files/hash-file.ts';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';
import { readTimedFrames } from '../media/read-timed-frames.ts';
import { findRest } from '../motion/find-rest.ts';
import type { RecordedMotion } from '../motion/recorded-motion.ts';
import { CutDetector } from './cut-detector.ts';
import { FaceTracker } from './face-tracker.ts';
import type { GapChoice } from './gap-choices.ts';
import { describeSpans, findGaps, type Gap } from './gaps.ts';
import { RawTrack } from './raw-track.ts';
import { resampleTrack } from './resample-track.ts';
import { smoothTrack } from './smooth-track.ts';

/** Pictures are looked at with at most so many pixels along their longer side: lips and lids of a face are tens of them. */
const MAX_SIDE = 640;
/** Of films with more, so many frames a second are looked at. */
const MAX_RATE = 60;
/** Seconds from the film's begin in which as many faces as `face` counts must be seen. */
const FACE_WAIT = 1;
/** Seconds for which a face may be out of sight; its motion is interpolated. */
const MAX_GAP = 0.5;

/** Options of {@link trackFilm}. */
export interface TrackFilmOptions {
  readonly ffmpeg: FfmpegInfo;
  /** The caller's to dispose of. */
  readonly finder: FaceFinder;
  /** Which face to follow, counted from 1 at the left of the first picture that shows it. @defaultValue the largest */
  readonly face?: number | undefined;
  /** `hold` keeps the last motion while the face is out of sight. @defaultValue 'refuse' */
  readonly gaps?: GapChoice | undefined;
  /**
   * Frames a second of the result. Its frame `i` then belongs to picture `i` of {@link readFrames} at the same rate.
   * @defaultValue the film's own rate, up to 60; an uneven one is made even
   */
  readonly fps?: number | undefined;
  /** Seconds after which the film is not looked at. @defaultValue all */
  readonly duration?: number | undefined;
  /** Receives a sentence for what was chosen or guessed. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /** Seconds of film done, and in all where the file says so. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  /** Called if the film has sound. */
  readonly onSound?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A face followed through a film. */
export interface FaceTrack extends RecordedMotion {
  /** For each frame 1 where the face was seen, 0 where its motion is interpolated or held. */
  readonly seen: Uint8Array;
  /** Numbers of the frames that begin another scene. */
  readonly cuts: readonly number[];
  /** Width by height of the picture as it is shown; the poses belong to it. */
  readonly aspect: number;
}

/**
 * Follows one face through a film. Pictures are read as a stream; memory grows by 6 kB for each frame.
 *
 * @throws {@link MediaError} if the file has no moving picture that decodes.
 * @throws {@link FaceError} if it shows no face, {@link FaceLostError} if the face is out of sight for longer than half a second.
 * @throws {@link InvalidOptionError} if there are fewer faces than `face` counts.
 * @throws `signal.reason` if it aborts.
 */
export async function trackFilm(filmPath: string, options: TrackFilmOptions): Promise<FaceTrack> {
  const { gaps: gapChoice = 'refuse', fps, duration, face, onNotice, signal } = options;
  const { raw, cuts, aspect } = await watchFilm(filmPath, options);
  if (raw.pictures < 2) {
    throw new MediaError(
      `Cannot follow a face in ${filmPath}: expected a film, got a single picture`,
      filmPath,
    );
  }
  if (raw.count === 0) {
    throw new FaceError(
      `Cannot follow a face in ${filmPath}: expected a face, found none in ${raw.pictures} frames. ` +
        'Use a film of a person who looks towards the camera, with the whole face visible and large in the picture.',
      filmPath,
      'no-face',
    );
  }
  const gaps = findGaps(raw);
  checkGaps(filmPath, gaps, { face, gapChoice, onNotice });
  signal?.throwIfAborted();

  const rate = fps ?? raw.evenRate(MAX_RATE);
  const even = await resampleTrack(raw, { fps: rate, cuts, maxGap: MAX_GAP, duration, signal });
  raw.clear();
  const smooth = await smoothTrack(even, signal);
  const { meshes, poses, seen } = smooth;
  const rest = findRest(meshes, poses, (frame) => seen[frame] === 1);
  await nextTurn();
  const { sha256 } = await hashFile(filmPath, { signal });
  return {
    fps: rate,
    frames: meshes.frames,
    meshes,
    poses,
    rest,
    seen,
    cuts: smooth.cuts,
    aspect,
    origin: { name: path.basename(filmPath), sha256 },
  };
}

/** Reads all pictures and looks for the face in each. */
async function watchFilm(
  filmPath: string,
  { ffmpeg, finder, face, fps, duration, onNotice, onProgress, onSound, signal }: TrackFilmOptions,
): Promise<{ readonly raw: RawTrack; readonly cuts: readonly number[] } & Pick<FaceTrack, 'aspect'>> {
  const tracker = new FaceTracker(finder, {
    face,
    onFirstSight: ({ faces, chosen }) => {
      if (faces < 2 || face !== undefined) return;
      onNotice?.(
        `${filmPath} shows ${faces} faces; the largest one, ${ordinal(chosen)} from the left, is followed. ` +
          `Another is chosen by its place, 1 to ${faces} from the left.`,
      );
    },
  });
  const scenes = new CutDetector();
  const raw = new RawTrack();
  const cuts: number[] = [];
  let total: number | undefined;
  let aspect = 1;
  const frames = readTimedFrames(filmPath, {
    ffmpeg,
    maxSide: MAX_SIDE,
    maxRate: MAX_RATE,
    fps,
    duration,
    signal,
    onSound,
    onDuration: (seconds) => {
      total = duration === undefined ? seconds : Math.min(seconds, duration);
    },
  });
  for await (const { time, ...image } of frames) {
    const cut = scenes.isCut(image);
    if (cut) cuts.push(time);
    aspect = image.width / image.height;
    const found = await tracker.next(image, cut);
    raw.append(time, found);
    if (raw.count === 0 && time >= FACE_WAIT && face !== undefined && tracker.mostFaces > 0) {
      throw new InvalidOptionError(
        `Cannot follow face ${face} of ${filmPath}: expected so many faces in the first second, found ${tracker.mostFaces}`,
        'drivingFace',
        face,
      );
    }
    onProgress?.(time, total);
    signal?.throwIfAborted();
  }
  if (raw.count === 0 && face !== undefined && tracker.mostFaces > 0) {
    throw new InvalidOptionError(
      `Cannot follow face ${face} of ${filmPath}: expected so many faces, found ${tracker.mostFaces}`,
      'drivingFace',
      face,
    );
  }
  return { raw, cuts, aspect };
}

function checkGaps(
  filmPath: string,
  gaps: readonly Gap[],
  { gapChoice, onNotice }: Pick<TrackFilmOptions, 'face' | 'onNotice'> & { readonly gapChoice: GapChoice },
): void {
  const lengthOf = ({ from, to }: TimeSpan): number => to - from;
  const long = gaps.filter((gap) => lengthOf(gap) > MAX_GAP);
  const short = gaps.filter((gap) => lengthOf(gap) <= MAX_GAP);
  if (short.length > 0) {
    onNotice?.(
      `${filmPath} shows the face not always: its motion is interpolated at ${describeSpans(short)}`,
    );
  }
  if (long.length === 0) return;
  if (gapChoice === 'hold') {
    onNotice?.(`${filmPath} shows the face not always: it is held still at ${describeSpans(long)}`);
    return;
  }
  throw new FaceLostError(
    [
      `Cannot follow the face in ${filmPath}: expected it in sight, got none at ${describeSpans(long)}. `,
      'Cut these parts out, or let the face be held still there: ',
      { option: 'drivingGaps', value: 'hold' },
    ],
    filmPath,
    long,
  );
}

function ordinal(n: number): string {
  return n === 1 ? 'the first' : n === 2 ? 'the second' : n === 3 ? 'the third' : `number ${n}`;
}
