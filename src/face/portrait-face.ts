/** Chooses the face of a portrait, and refuses portraits that cannot be animated well. */
import { FaceError, type FaceProblem, InvalidOptionError } from '../errors.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { boundsOf } from './bounds.ts';
import { type FaceChoice, placeOf } from './face-choice.ts';
import type { FoundFace } from './face-finder.ts';
import { fitFaceGeometry } from './geometry.ts';
import { matrixToPose } from './rotation.ts';

/** Smallest larger extent of the landmarks, in pixels: below it there is no detail to animate. */
const MIN_FACE_SIZE = 64;
/** Smallest size of a face in a picture that was made smaller for the video: below it, the part around the face is shown instead. */
export const MIN_SHRUNK_FACE_SIZE = 96;
/** How far a face may be turned to the side, and up or down, in degrees: beyond, one eye or the lips are hidden. */
export const MAX_YAW = 35;
export const MAX_PITCH = 30;

/** The face of a portrait that is animated. */
export interface PortraitFace {
  /** [468 · 3] px of the image. */
  readonly landmarks: Float64Array;
  /** [468 · 3] cm, see {@link fitFaceGeometry}. */
  readonly mesh: Float64Array;
  /** Row-major 4×4, from the face to the camera. */
  readonly transform: Float64Array;
  /** Rotations about x, y, z in degrees and position in cm. */
  readonly pose: Float64Array;
  /** Width or height of the landmarks in pixels, whichever is larger. */
  readonly size: number;
}

/** Options of {@link choosePortraitFace}. */
interface ChooseFaceOptions {
  /** The portrait's file, for messages. */
  readonly path: string;
  /** Which face. @defaultValue the largest one that can be animated */
  readonly choice?: FaceChoice | undefined;
  /** Receives a sentence when there was something to choose. */
  readonly onNotice?: (message: string) => void;
}

/** The box around landmarks [n · 3] in pixels, and its larger side. */
export function boxOf(landmarks: Float64Array): SeenFace['box'] & { readonly size: number } {
  const { left: x, top: y, right, bottom } = boundsOf(landmarks, 3);
  const [width, height] = [right - x, bottom - y];
  return { x, y, width, height, size: Math.max(width, height) };
}

/** "12° to the left of the picture", for the person who looks at it. */
function describeTurn(pitch: number, yaw: number): string {
  const parts: string[] = [];
  if (Math.abs(yaw) > MAX_YAW) {
    parts.push(`${Math.round(Math.abs(yaw))}° to the ${yaw > 0 ? 'right' : 'left'} of the picture`);
  }
  if (Math.abs(pitch) > MAX_PITCH) parts.push(`${Math.round(Math.abs(pitch))}° ${pitch > 0 ? 'down' : 'up'}`);
  return parts.join(' and ');
}

/** A face of a picture, and whether it can be animated. */
export interface SeenFace {
  /** Counted from 1 at the left. */
  readonly number: number;
  /** Of the landmarks, in pixels of the picture. */
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  /** Degrees: down, to the right of the picture, clockwise; against the line from the camera to the face. */
  readonly angles: { readonly pitch: number; readonly yaw: number; readonly roll: number };
  /** Larger extent in pixels. */
  readonly size: number;
  /** Why it cannot be animated; undefined if it can. */
  readonly problem?: FaceProblem;
}

/** A face with what animating it takes. */
interface ExaminedFace {
  readonly seen: SeenFace;
  readonly face: PortraitFace;
}

/** The face that landmarks [468 · 3] in pixels of a picture show. */
export function portraitFaceOf(landmarks: Float64Array, width: number, height: number): PortraitFace {
  const { mesh, transform } = fitFaceGeometry(landmarks, width, height);
  return { landmarks, mesh, transform, pose: matrixToPose(transform), size: boxOf(landmarks).size };
}

/**
 * How a face of landmarks [468 · 3] px looks turned, in degrees. Its pose counts from the camera's axis: a face far from the middle of a
 * group or a panorama that looks into the camera is turned by as much as it is off that axis, and shows both of its sides all the same.
 */
function anglesOf(landmarks: Float64Array, width: number, height: number): SeenFace['angles'] {
  const box = boxOf(landmarks);
  const shift = [width / 2 - box.x - box.width / 2, height / 2 - box.y - box.height / 2, 0];
  const centred = landmarks.map((value, i) => value + shift[i % 3]!);
  const [pitch, yaw, roll] = portraitFaceOf(centred, width, height).pose as unknown as [
    number,
    number,
    number,
  ];
  return { pitch, yaw, roll };
}

function problemOf({ pitch, yaw }: SeenFace['angles'], size: number): FaceProblem | undefined {
  if (size < MIN_FACE_SIZE) return 'too-small';
  if (Math.abs(yaw) > MAX_YAW || Math.abs(pitch) > MAX_PITCH) return 'turned-away';
  return undefined;
}

/** All faces, in the order in which they were found: the largest first. */
function examineFaces(
  { width, height }: Pick<RgbImage, 'width' | 'height'>,
  faces: readonly FoundFace[],
): ExaminedFace[] {
  const examined = faces.map(({ landmarks }) => ({
    face: portraitFaceOf(landmarks, width, height),
    box: boxOf(landmarks),
  }));
  const leftToRight = [...examined].sort((a, b) => a.box.x - b.box.x);
  return examined.map((one) => {
    const { face, box } = one;
    const angles = anglesOf(face.landmarks, width, height);
    const problem = problemOf(angles, face.size);
    const seen: SeenFace = {
      number: leftToRight.indexOf(one) + 1,
      box: { x: box.x, y: box.y, width: box.width, height: box.height },
      angles,
      size: face.size,
      ...(problem !== undefined && { problem }),
    };
    return { seen, face };
  });
}

/** The face that was meant; undefined where there is none. */
function findChosen(examined: readonly ExaminedFace[], choice: FaceChoice): ExaminedFace | undefined {
  const place = placeOf(choice);
  if (place === undefined) return examined.find(({ seen }) => seen.number === choice);
  const [x, y] = place;
  return examined.find(
    ({ seen: { box } }) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height,
  );
}

function describeFace({ number, box, problem }: SeenFace): string {
  const [x, y] = centreOf(box);
  const reason = problem === undefined ? '' : problem === 'too-small' ? ', too small' : ', turned away';
  return `${number} around pixel (${x}, ${y})${reason}`;
}

function centreOf({ x, y, width, height }: SeenFace['box']): readonly [number, number] {
  return [Math.round(x + width / 2), Math.round(y + height / 2)];
}

/** What {@link choosePortraitFace} finds. */
export interface ChosenFace extends PortraitFace {
  /** Its number in `faces`. */
  readonly number: number;
  /** All faces of the picture, from the left. */
  readonly faces: readonly SeenFace[];
}

/**
 * Takes the face of a portrait that is chosen, or else the largest one that can be animated.
 *
 * @param faces - what the face finder found in `image`, the largest first.
 * @throws {@link FaceError} if there is no face, or none, or the chosen one not, that is large enough and looks this way.
 * @throws {@link InvalidOptionError} if no face is where one is chosen.
 */
export function choosePortraitFace(
  image: Pick<RgbImage, 'width' | 'height'>,
  faces: readonly FoundFace[],
  { path, choice, onNotice }: ChooseFaceOptions,
): ChosenFace {
  const examined = examineFaces(image, faces);
  const all = examined.map(({ seen }) => seen).sort((a, b) => a.number - b.number);
  const chosen =
    choice === undefined
      ? (examined.find(({ seen }) => seen.problem === undefined) ?? examined[0])
      : findChosen(examined, choice);
  if (examined.length === 0) {
    throw new FaceError(
      `Cannot animate ${path}: expected a face, found none. Use an upright, well lit picture of one person who looks at ` +
        'the camera, with the whole face visible and large in the picture.',
      path,
      'no-face',
    );
  }
  if (chosen === undefined) {
    throw new InvalidOptionError(
      { expected: `one of the faces of ${path} (${all.map(describeFace).join('; ')})`, got: String(choice) },
      'face',
      choice,
    );
  }
  refuseUnlessUsable(chosen, path, all);
  if (choice === undefined && all.length > 1) {
    const [x, y] = centreOf(faces[examined.indexOf(chosen)]!.detection.box);
    const which = chosen === examined[0] ? 'the largest one' : 'the largest one that can be animated';
    onNotice?.(
      `${path} shows ${all.length} faces; ${which}, around pixel (${x}, ${y}), is animated. ` +
        `The option face chooses another: ${all.map(describeFace).join('; ')}.`,
    );
  }
  return { ...chosen.face, number: chosen.seen.number, faces: all };
}

function refuseUnlessUsable({ face, seen }: ExaminedFace, path: string, all: readonly SeenFace[]): void {
  const others =
    all.length > 1 ? ` The picture shows ${all.length} faces: ${all.map(describeFace).join('; ')}.` : '';
  if (seen.problem === 'too-small') {
    throw new FaceError(
      `Cannot animate ${path}: expected a face of at least ${MIN_FACE_SIZE} pixels, got one of ${Math.round(face.size)} pixels. ` +
        `Use the picture at a higher resolution, or one taken from nearer; enlarging this one adds no detail.${others}`,
      path,
      'too-small',
    );
  }
  if (seen.problem === 'turned-away') {
    throw new FaceError(
      `Cannot animate ${path}: expected a face within ${MAX_YAW}° of the camera sideways and ${MAX_PITCH}° up or down, ` +
        `got one turned ${describeTurn(seen.angles.pitch, seen.angles.yaw)}. Use a picture in which the person looks towards the camera.${others}`,
      path,
      'turned-away',
    );
  }
}
