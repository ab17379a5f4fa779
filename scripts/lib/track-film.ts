/** The face of a film, frame by frame, as the project's own networks find it. */
import type { FaceFinder } from '../../src/face/face-finder.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';

/** Landmarks of a film. */
export interface TrackedFilm {
  /** Of its pictures, in pixels. */
  readonly width: number;
  readonly height: number;
  /** [468 · 3] px of the largest face, by frame; undefined where none was found. */
  readonly landmarks: readonly (Float64Array | undefined)[];
}

/** What a film is tracked with. */
export interface TrackFilmOptions {
  readonly finder: FaceFinder;
  readonly ffmpeg: FfmpegInfo;
  /** Frames a second, by repeating and dropping. */
  readonly fps: number;
}

/**
 * Finds the largest face of every frame.
 *
 * @throws {@link MediaError} if the file cannot be read or has no picture.
 */
export async function trackFilm(
  file: string,
  { finder, ffmpeg, fps }: TrackFilmOptions,
): Promise<TrackedFilm> {
  let [width, height] = [0, 0];
  const landmarks: (Float64Array | undefined)[] = [];
  for await (const picture of readFrames(file, { ffmpeg, fps })) {
    ({ width, height } = picture);
    landmarks.push((await finder.findPortrait(picture))[0]?.landmarks);
  }
  return { width, height, landmarks };
}
