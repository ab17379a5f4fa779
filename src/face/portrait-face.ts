/** Chooses the face of a portrait, and refuses portraits that cannot be animated well. */
import { FaceError } from '../errors.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { FoundFace } from './face-finder.ts';
import { fitFaceGeometry } from './geometry.ts';
import { matrixToPose } from './rotation.ts';

/** Smallest larger extent of the landmarks, in pixels: below it there is no detail to animate. */
export const MIN_FACE_SIZE = 64;
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
  /** Receives a sentence when there was something to choose. */
  readonly onNotice?: (message: string) => void;
}

/** Larger extent of landmarks [n · 3] in pixels. */
export function landmarkExtent(landmarks: Float64Array): number {
  const lowest = [Infinity, Infinity];
  const highest = [-Infinity, -Infinity];
  for (let i = 0; i < landmarks.length; i += 3) {
    for (const axis of [0, 1]) {
      lowest[axis] = Math.min(lowest[axis]!, landmarks[i + axis]!);
      highest[axis] = Math.max(highest[axis]!, landmarks[i + axis]!);
    }
  }
  return Math.max(highest[0]! - lowest[0]!, highest[1]! - lowest[1]!);
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

/**
 * Takes the largest face of a portrait and checks that it can be animated.
 *
 * @param faces - what the face finder found in `image`, the largest first.
 * @throws {@link FaceError} if there is no face, or the largest one is too small or turned too far away.
 */
export function choosePortraitFace(
  image: RgbImage,
  faces: readonly FoundFace[],
  { path, onNotice }: ChooseFaceOptions,
): PortraitFace {
  const face = faces[0];
  if (face === undefined) {
    throw new FaceError(
      `Cannot animate ${path}: expected a face, found none. Use an upright, well lit picture of one person who looks at ` +
        'the camera, with the whole face visible and large in the picture.',
      path,
      'no-face',
    );
  }
  const { landmarks } = face;
  const size = landmarkExtent(landmarks);
  if (size < MIN_FACE_SIZE) {
    throw new FaceError(
      `Cannot animate ${path}: expected a face of at least ${MIN_FACE_SIZE} pixels, got one of ${Math.round(size)} pixels. ` +
        'Use the picture at a higher resolution, or one taken from nearer; enlarging this one adds no detail.',
      path,
      'too-small',
    );
  }
  const { mesh, transform } = fitFaceGeometry(landmarks, image.width, image.height);
  const pose = matrixToPose(transform);
  const [pitch, yaw] = [pose[0]!, pose[1]!];
  if (Math.abs(yaw) > MAX_YAW || Math.abs(pitch) > MAX_PITCH) {
    throw new FaceError(
      `Cannot animate ${path}: expected a face within ${MAX_YAW}° of the camera sideways and ${MAX_PITCH}° up or down, ` +
        `got one turned ${describeTurn(pitch, yaw)}. Use a picture in which the person looks towards the camera.`,
      path,
      'turned-away',
    );
  }
  if (faces.length > 1) {
    const { box } = face.detection;
    const [x, y] = [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
    onNotice?.(
      `${path} shows ${faces.length} faces; the largest one, around pixel (${x}, ${y}), is animated. ` +
        'Crop the picture to choose another.',
    );
  }
  return { landmarks, mesh, transform, pose, size };
}
