/** A face in its picture and the square, or rectangle, around it that is animated: where its landmarks are, at rest and in motion. */
import { type FaceFrame, frameAround, type Square, squareCrop } from '../face/crop.ts';
import { projectMesh } from '../face/geometry.ts';
import type { PortraitFace } from '../face/portrait-face.ts';
import { multiplyMatrices, poseToMatrix } from '../face/rotation.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { SpatialSize } from '../models/unet-config.ts';
import { lipOpening } from '../motion/expression-basis.ts';
import type { FrameMotion } from '../motion/motion-source.ts';
import type { Framing } from './framing.ts';

/** The face that a frame should show. */
export interface DrivenFace {
  /** [468, 2] in pixels of the video's frame. */
  readonly landmarks: Float64Array;
  /** Distance of the inner lips in cm. */
  readonly mouthOpening: number;
}

/** Options of {@link FramedFace}. */
interface FramingOptions {
  /** Where the face's square is prescribed, in whole pixels. @defaultValue the one that fits the face best */
  readonly square?: Square | undefined;
  /** What the networks see, where that is prescribed. @defaultValue around the square */
  readonly frame?: FaceFrame | undefined;
  /** Width by height of what the networks see. @defaultValue 1 */
  readonly aspect?: number;
}

/** See above. */
export class FramedFace {
  /** The square, in whole pixels; it may reach over the picture's edges. */
  readonly square: Square;
  /** What of the picture the networks see: the square, or a rectangle about its middle. */
  readonly frame: FaceFrame;
  /** Landmarks at rest, [468, 2] in pixels of the picture. */
  readonly points: Float64Array;
  /** [468, 3] in cm. */
  readonly mesh: Float64Array;
  /** Row-major 4×4, from the face to the camera. */
  readonly transform: Float64Array;
  readonly #width: number;
  readonly #height: number;

  /**
   * @param face - its mesh and where it is.
   */
  constructor(
    { width, height }: Pick<RgbImage, 'width' | 'height'>,
    { mesh, transform }: Pick<PortraitFace, 'mesh' | 'transform'>,
    { square, frame, aspect = 1 }: FramingOptions = {},
  ) {
    this.mesh = mesh;
    this.transform = transform;
    this.#width = width;
    this.#height = height;
    this.points = projectMesh(mesh, transform, width, height);
    const { x, y, side } = square ?? squareCrop(this.points, width, height);
    this.square = { x: Math.round(x), y: Math.round(y), side: Math.round(side) };
    this.frame = frame ?? frameAround({ x, y, side }, aspect, { width, height });
  }

  /** Landmarks of the picture in pixels of the square at `size`. */
  inSquare(points: Float64Array, size: number): Float64Array {
    const { x, y, side } = this.square;
    return points.map((value, i) => ((value - (i % 2 === 0 ? x : y)) * size) / side);
  }

  /** Landmarks of the picture in pixels of the frame at a size. */
  inFrame(points: Float64Array, size: SpatialSize): Float64Array {
    const { x, y, width, height } = this.frame;
    return points.map((value, i) =>
      i % 2 === 0 ? ((value - x) * size.width) / width : ((value - y) * size.height) / height,
    );
  }

  /** Landmarks of one frame, [468, 2] in pixels of the picture. */
  posedInPicture({ offsets, pose }: FrameMotion): Float64Array {
    const posed = this.mesh.map((value, i) => value + offsets[i]!);
    const transform = multiplyMatrices(this.transform, poseToMatrix(pose));
    return projectMesh(posed, transform, this.#width, this.#height);
  }

  /** Landmarks of one frame, [468, 2] in pixels of the square at `size`. */
  posedPoints(motion: FrameMotion, size: number): Float64Array {
    return this.inSquare(this.posedInPicture(motion), size);
  }

  /**
   * What the motion of one frame asks of the face, in pixels of the video.
   *
   * @param size - of a video that shows the frame alone.
   */
  drivenFace(motion: FrameMotion, framing: Framing, size: SpatialSize): DrivenFace {
    const posed = this.posedInPicture(motion);
    const landmarks = framing === 'crop' ? this.inFrame(posed, size) : posed;
    return { landmarks, mouthOpening: lipOpening(this.mesh.map((value, i) => value + motion.offsets[i]!)) };
  }
}
