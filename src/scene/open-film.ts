/** From a film to a face that can be given another voice. */
import type { FaceFinder } from '../face/face-finder.ts';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';
import { FilmFrames } from '../media/film-frames.ts';
import type { MotionSource } from '../motion/motion-source.ts';
import { RevoicedMotion } from '../motion/revoiced-motion.ts';
import { type FaceTrack, trackFilm } from '../tracking/track-film.ts';
import { DrawnFace, drawnPortrait } from './drawn-scene.ts';
import { changeStrength, filmFrameOf, openFilmSource } from './film-source.ts';
import type { Framing } from './framing.ts';
import { AnimatedPortrait } from './portrait.ts';
import { MAX_VIDEO_SIDE, type Scene, type ScenePortrait, type SceneView } from './scene.ts';
import { warpPortrait } from './warp-scene.ts';

/** Options of {@link openFilm}. */
export interface OpenFilmOptions {
  /** The film's file. */
  readonly path: string;
  readonly ffmpeg: FfmpegInfo;
  readonly finder: FaceFinder;
  /** Frames a second of the clip. @defaultValue the film's */
  readonly fps?: number | undefined;
  /** Seconds of the clip: more of the film is not looked at. @defaultValue all of it */
  readonly duration?: number | undefined;
  /** Which face, counted from 1 at the left. @defaultValue the largest */
  readonly face?: number | undefined;
  /** Side of the square that the networks see, in pixels. */
  readonly resolution: number;
  readonly view: SceneView;
  readonly onNotice: (message: string) => void;
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A film's face before it gets its voice; holds programs that decode, see {@link FilmPortrait.dispose}. */
export class FilmPortrait implements ScenePortrait {
  readonly mesh: Float64Array;
  readonly track: FaceTrack;
  readonly #portrait: ScenePortrait;
  readonly #frames: FilmFrames;

  /** @internal made by {@link openFilm} */
  constructor(track: FaceTrack, portrait: ScenePortrait, frames: FilmFrames) {
    this.track = track;
    this.mesh = Float64Array.from(track.rest.mesh!);
    this.#portrait = portrait;
    this.#frames = frames;
  }

  get width(): number {
    return this.#portrait.width;
  }

  get height(): number {
    return this.#portrait.height;
  }

  get transform(): Float64Array {
    return this.#portrait.transform;
  }

  get reference(): ScenePortrait['reference'] {
    return this.#portrait.reference;
  }

  /** @param speech - motion of the new voice, made for {@link mesh}. */
  withMotion(speech: MotionSource): Scene {
    const { track, mesh } = this;
    return this.#portrait.withMotion(
      new RevoicedMotion({
        speech,
        meshes: track.meshes!,
        rest: mesh,
        filmFrame: (frame) => filmFrameOf(frame, track.frames),
        strength: (filmFrame) => changeStrength(track, filmFrame),
      }),
    );
  }

  /** Ends the programs; may be called twice. */
  dispose(): Promise<void> {
    return this.#frames.dispose();
  }
}

/**
 * Follows the film's face from its begin to its end, then prepares its frames for the view of the networks. Frames in which
 * the face is not seen stay as they are.
 *
 * @throws what {@link trackFilm} throws.
 */
export async function openFilm(options: OpenFilmOptions): Promise<FilmPortrait> {
  const { path, ffmpeg, resolution, view, onNotice, onProgress, signal } = options;
  const { finder, fps, duration, face } = options;
  const track = await trackFilm(path, {
    ffmpeg,
    finder,
    fps,
    duration,
    face,
    signal,
    onNotice,
    onProgress,
    gaps: 'hold',
  });
  const frames = new FilmFrames(path, { ffmpeg, fps: track.fps, maxSide: MAX_VIDEO_SIDE, signal });
  const framing: Framing = 'paste-back';
  try {
    const portrait =
      view.type === 'warp'
        ? warpPortrait(
            await openFilmSource({
              frames,
              track,
              makePosable: (image, face, square) =>
                new AnimatedPortrait({ image, face, square, resolution, framing }),
            }),
            framing,
          )
        : drawnPortrait(
            await openFilmSource({
              frames,
              track,
              makePosable: (image, face, square) => new DrawnFace({ image, face, square, framing, ...view }),
            }),
          );
    return new FilmPortrait(track, portrait, frames);
  } catch (error) {
    await frames.dispose();
    throw error;
  }
}
