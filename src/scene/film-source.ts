/** A film as the pictures of a clip: each frame of the clip starts from a frame of the film, and from the face in it. */
import type { Square } from '../face/crop.ts';
import { squareCrop } from '../face/crop.ts';
import { projectMesh } from '../face/geometry.ts';
import { poseToMatrix } from '../face/rotation.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { FilmFrames } from '../media/film-frames.ts';
import { MESH_VALUES, POSE_VALUES } from '../motion/motion.ts';
import type { FaceTrack } from '../tracking/track-film.ts';
import type { FrameSource, SourceFrame } from './frame-source.ts';

/** The face of one picture: its mesh [468, 3] in cm, and where it is, as a row-major 4×4 matrix. */
interface PlacedFace {
  readonly mesh: Float64Array;
  readonly transform: Float64Array;
}

/** Makes the face of a picture ready to be posed. */
type MakePosable<Posable> = (image: RgbImage, face: PlacedFace, square: Square) => Posable | Promise<Posable>;

/** Options of {@link openFilmSource}. */
interface FilmSourceOptions<Posable> {
  readonly frames: FilmFrames;
  readonly track: FaceTrack;
  readonly makePosable: MakePosable<Posable>;
}

/** Seconds over which the square follows the face: slowly, so that the picture in it does not jitter. */
const FOLLOW_SECONDS = 0.8;
/** Share of the square's side that the face may be nearer to or further from the camera than it usually is. */
const QUANTILE = 0.9;
/** Frames over which the change fades in after, and out before, frames without the face. */
const FADE_FRAMES = 3;
/** Faces that are kept ready: a frame is drawn for the networks, and composed when they have answered. */
const KEPT_FACES = 4;

/**
 * The pictures of the clip in the film's order, forwards and, where the clip is longer, back again.
 *
 * @throws {@link MediaError} if the film cannot be decoded.
 */
export async function openFilmSource<Posable>(
  options: FilmSourceOptions<Posable>,
): Promise<FrameSource<Posable>> {
  const { frames, track, makePosable } = options;
  const { rest } = track;
  const picture = await frames.at(rest.frame);
  const squares = followFace(track, picture);
  const reference = await makePosable(picture, placeOf(track, rest.frame), squares(rest.frame));
  return new FilmSource(options, reference, squares, picture);
}

class FilmSource<Posable> implements FrameSource<Posable> {
  readonly width: number;
  readonly height: number;
  readonly reference: Posable;
  readonly changes = 'lower-face';
  readonly #options: FilmSourceOptions<Posable>;
  readonly #squares: (filmFrame: number) => Square;
  /** By the film's frame; those used last come last. */
  readonly #kept = new Map<number, Promise<SourceFrame<Posable>>>();

  constructor(
    options: FilmSourceOptions<Posable>,
    reference: Posable,
    squares: (filmFrame: number) => Square,
    { width, height }: RgbImage,
  ) {
    this.#options = options;
    this.reference = reference;
    this.#squares = squares;
    // H.264 with subsampled colours has even sizes only.
    this.width = width & ~1;
    this.height = height & ~1;
  }

  at(frame: number): Promise<SourceFrame<Posable>> {
    const shown = filmFrameOf(frame, this.#options.track.frames);
    const known = this.#kept.get(shown);
    this.#kept.delete(shown);
    const made = known ?? this.#make(shown);
    this.#kept.set(shown, made);
    if (this.#kept.size > KEPT_FACES) this.#kept.delete(this.#kept.keys().next().value!);
    return made;
  }

  async #make(shown: number): Promise<SourceFrame<Posable>> {
    const { frames, track, makePosable } = this.#options;
    const picture = await frames.at(shown);
    const strength = changeStrength(track, shown);
    if (strength === 0) return { picture, face: undefined, strength };
    return {
      picture,
      face: await makePosable(picture, placeOf(track, shown), this.#squares(shown)),
      strength,
    };
  }
}

/** The film's frame that frame `frame` of the clip shows: the film forwards, then backwards, and so on. */
export function filmFrameOf(frame: number, filmFrames: number): number {
  if (filmFrames === 1) return 0;
  const round = 2 * (filmFrames - 1);
  const place = frame % round;
  return place < filmFrames ? place : round - place;
}

/** How much of a frame is changed: all of it where the face was seen, nothing where not, with soft changes between. */
export function changeStrength(
  { seen, frames }: Pick<FaceTrack, 'seen' | 'frames'>,
  filmFrame: number,
): number {
  if (seen[filmFrame] !== 1) return 0;
  let distance = FADE_FRAMES + 1;
  for (let step = 1; step <= FADE_FRAMES; step++) {
    for (const other of [filmFrame - step, filmFrame + step]) {
      if (other >= 0 && other < frames && seen[other] !== 1) distance = Math.min(distance, step);
    }
  }
  return distance / (FADE_FRAMES + 1);
}

function placeOf(track: FaceTrack, filmFrame: number): PlacedFace {
  const mesh = new Float32Array(MESH_VALUES);
  track.meshes!.read(filmFrame, mesh);
  const pose = track.poses.subarray(filmFrame * POSE_VALUES, (filmFrame + 1) * POSE_VALUES);
  return { mesh: Float64Array.from(mesh), transform: poseToMatrix(pose) };
}

/** The square around the face by the film's frame: of one size, its place following the face without haste. */
function followFace(
  track: FaceTrack,
  { width, height }: Pick<RgbImage, 'width' | 'height'>,
): (filmFrame: number) => Square {
  const { frames, fps, seen } = track;
  const centres = new Float64Array(2 * frames);
  const sides: number[] = [];
  for (let frame = 0; frame < frames; frame++) {
    const { mesh, transform } = placeOf(track, frame);
    const { x, y, side } = squareCrop(projectMesh(mesh, transform, width, height), width, height);
    centres[2 * frame] = x + side / 2;
    centres[2 * frame + 1] = y + side / 2;
    if (seen[frame] === 1) sides.push(side);
  }
  sides.sort((a, b) => a - b);
  const side = Math.round(sides[Math.min(sides.length - 1, Math.floor(QUANTILE * sides.length))]!);
  const reach = Math.round(FOLLOW_SECONDS * fps);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-2 * ((i - reach) / reach) ** 2));
  return (filmFrame) => {
    const begin = lastCut(track.cuts, filmFrame);
    const end = nextCut(track.cuts, filmFrame) ?? frames;
    let [x, y, total] = [0, 0, 0];
    for (let offset = -reach; offset <= reach; offset++) {
      const frame = filmFrame + offset;
      if (frame < begin || frame >= end) continue;
      const weight = weights[offset + reach]!;
      x += weight * centres[2 * frame]!;
      y += weight * centres[2 * frame + 1]!;
      total += weight;
    }
    return { x: Math.round(x / total - side / 2), y: Math.round(y / total - side / 2), side };
  };
}

function lastCut(cuts: readonly number[], frame: number): number {
  return cuts.findLast((cut) => cut <= frame) ?? 0;
}

function nextCut(cuts: readonly number[], frame: number): number | undefined {
  return cuts.find((cut) => cut > frame);
}
