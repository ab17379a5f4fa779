/**
 * AniPortrait's landmark videos: films of drawn faces, which its networks see in place of landmarks. What is drawn says where lines
 * run, not where the 468 points of a mesh are: such a video moves a portrait as it is, and only where networks look at drawings.
 *
 * Source: AniPortrait, `pose2vid.py` and `vid2pose.py`, commit 7f6593f.
 */
import { MediaError } from '../errors.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';
import { FilmFrames } from '../media/film-frames.ts';
import { exactFrameRate } from '../media/frame-rate.ts';
import { probeMedia } from '../media/probe.ts';
import { backAndForth } from './back-and-forth.ts';

/** Brightest channel up to which a pixel is background: encoders leave some noise around lines. */
const DARK = 40;
/** Share of a drawing that is background, at least; lines of a face that fills the picture are a few hundredths. */
const MIN_DARK = 0.8;
/** Share of it that is drawn, at least. */
const MIN_DRAWN = 0.001;
/** Most frames a second of a clip. */
const MAX_RATE = 60;
/** Frames that are looked at beforehand, evenly spaced. */
const CHECKED = 5;

/** Options of {@link PoseVideo.open}. */
interface PoseVideoOptions {
  readonly ffmpeg: FfmpegInfo;
  /** Frames a second. @defaultValue the video's own, up to 60 */
  readonly fps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An opened landmark video; dispose of it after use. */
export class PoseVideo {
  readonly frames: number;
  readonly fps: number;
  readonly hasSound: boolean;
  readonly #pictures: FilmFrames;

  private constructor(
    pictures: FilmFrames,
    { frames, fps, hasSound }: Pick<PoseVideo, 'frames' | 'fps' | 'hasSound'>,
  ) {
    this.#pictures = pictures;
    this.frames = frames;
    this.fps = fps;
    this.hasSound = hasSound;
  }

  /**
   * Opens a video and makes sure that it shows drawings.
   *
   * @throws {@link MediaError} if it cannot be read, or shows something else.
   */
  static async open(videoPath: string, { ffmpeg, fps, signal }: PoseVideoOptions): Promise<PoseVideo> {
    const { video, audio } = await probeMedia(videoPath, { ffmpeg, signal });
    if (video === undefined || video.frames < 2) {
      const got = video === undefined ? 'a file without pictures' : 'a single picture';
      throw new MediaError(
        `Cannot read landmarks in ${videoPath}: expected a video of them, got ${got}`,
        videoPath,
      );
    }
    // Frames divided by a duration: 25 is 24.999999….
    const rate = fps ?? Math.min(MAX_RATE, exactFrameRate(Number(video.fps.toFixed(3))));
    const frames = Math.max(1, Math.round(video.duration * rate));
    const pictures = new FilmFrames(videoPath, { ffmpeg, fps: rate, signal });
    try {
      for (let i = 0; i < CHECKED; i++) {
        const frame = Math.floor(((frames - 1) * i) / (CHECKED - 1));
        checkDrawing(await pictures.at(frame), videoPath, frame / rate);
      }
      return new PoseVideo(pictures, { frames, fps: rate, hasSound: audio !== undefined });
    } catch (error) {
      await pictures.dispose();
      throw error;
    }
  }

  /** The drawing of a frame of the clip, with channels as they were drawn; played back and forth where the clip is longer. */
  async at(frame: number): Promise<RgbImage> {
    const { data, width, height } = await this.#pictures.at(backAndForth(frame, this.frames));
    return swapped({ data, width, height });
  }

  /** Ends the programs that read; may be called twice. */
  dispose(): Promise<void> {
    return this.#pictures.dispose();
  }
}

function checkDrawing({ data, width, height }: RgbImage, videoPath: string, time: number): void {
  const pixels = width * height;
  let dark = 0;
  for (let i = 0; i < data.length; i += 3) {
    if (Math.max(data[i]!, data[i + 1]!, data[i + 2]!) <= DARK) dark++;
  }
  if (dark >= MIN_DARK * pixels && pixels - dark >= MIN_DRAWN * pixels) return;
  const got =
    dark < MIN_DARK * pixels
      ? 'a picture of something else; a film of a person is a driving film'
      : 'a picture that is black';
  throw new MediaError(
    `Cannot read landmarks in ${videoPath}: expected coloured lines on black, as "motion show" and AniPortrait draw them, ` +
      `got ${got} at ${time.toFixed(2)} s`,
    videoPath,
  );
}

/** Drawings have their channels the other way round than pictures. */
export function swapped({ data, width, height }: RgbImage): RgbImage {
  const other = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    other[i] = data[i + 2]!;
    other[i + 1] = data[i + 1]!;
    other[i + 2] = data[i]!;
  }
  return { data: other, width, height };
}
