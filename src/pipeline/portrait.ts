/**
 * The portrait of a clip: its face, the square around it, and the warps that move it, at the size that the networks see
 * and at the size that the viewer sees.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Square, squareCrop } from '../face/crop.ts';
import { type CellMask, faceMask } from '../face/face-mask.ts';
import { loadFaceMesh } from '../face/face-mesh.ts';
import { projectMesh } from '../face/geometry.ts';
import type { PortraitFace } from '../face/portrait-face.ts';
import { drawPoseImage, resizePoseImage } from '../face/pose-image.ts';
import { multiplyMatrices, poseToMatrix } from '../face/rotation.ts';
import { PortraitWarp } from '../face/warp.ts';
import { cropSquare } from '../image/crop.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { Framing } from './animate-options.ts';
import type { FrameConditions } from './scene.ts';

/** The networks' warp samples from this many times their resolution, as in training. */
const SOURCE_OVERSAMPLING = 1.5;
const CHANNELS = 3;
/** Side in pixels of the cells of the face's mask; as in training. */
const MASK_CELL = 8;
/** Channels of the pose guider's input: pose drawing, warped portrait, reliability. */
const CONDITION_CHANNELS = 7;

/** The motion of one frame. */
export interface FrameMotion {
  /** [468, 3] in cm, added to the portrait's mesh. */
  readonly offsets: Float32Array;
  /** [6]: degrees about x, y, z; cm. */
  readonly pose: Float32Array;
}

/** What {@link AnimatedPortrait} is made of. */
export interface AnimatedPortraitOptions {
  /** The whole picture. */
  readonly image: RgbImage;
  /** The face of the picture that is animated. */
  readonly face: PortraitFace;
  /** Side of the square that the networks see. */
  readonly resolution: number;
  readonly framing: Framing;
}

/** Planar floats in [−1, 1] from interleaved bytes. */
export function toPlanar({ data, width, height }: RgbImage, out: Float32Array, offset = 0): Float32Array {
  const pixels = width * height;
  for (let c = 0; c < CHANNELS; c++) {
    const start = offset + c * pixels;
    for (let i = 0; i < pixels; i++) out[start + i] = data[i * CHANNELS + c]! / 127.5 - 1;
  }
  return out;
}

/** The square of the picture at the sizes that are needed. */
interface Cuts {
  /** Landmarks, [468, 2] in pixels of the picture. */
  readonly points: Float64Array;
  readonly square: Square;
  /** For the networks' warp. */
  readonly source: RgbImage;
  /** For the viewer's warp. */
  readonly display: RgbImage;
  /** For the reference UNet. */
  readonly reference: RgbImage;
}

/** A portrait that can be posed. Holds no native memory. */
export class AnimatedPortrait {
  readonly image: RgbImage;
  readonly resolution: number;
  /** The square of the picture that is animated, in whole pixels; it may reach over the edges. */
  readonly square: Square;
  /** Side of {@link AnimatedPortrait.renderBase}'s pictures. */
  readonly displaySize: number;
  /** [3, S, S] in [−1, 1]: the square as the reference UNet's codec sees it. */
  readonly reference: Float32Array;
  /** [468, 3] in cm. */
  readonly mesh: Float64Array;
  readonly #transform: Float64Array;
  readonly #networkWarp: PortraitWarp;
  readonly #displayWarp: PortraitWarp;

  private constructor({ image, face, resolution, framing }: AnimatedPortraitOptions, cuts: Cuts) {
    this.image = image;
    this.resolution = resolution;
    this.mesh = face.mesh;
    this.#transform = face.transform;
    this.square = cuts.square;
    this.displaySize = framing === 'crop' ? resolution : cuts.square.side;
    const { triangles } = loadFaceMesh();
    const warpOf = (source: RgbImage): PortraitWarp =>
      new PortraitWarp(source, this.#inSquare(cuts.points, source.width), triangles);
    this.#networkWarp = warpOf(cuts.source);
    this.#displayWarp = framing === 'crop' ? this.#networkWarp : warpOf(cuts.display);
    this.reference = toPlanar(cuts.reference, new Float32Array(CHANNELS * resolution * resolution));
  }

  /** Cuts the square out in the sizes that are needed, one at a time, so that other frames get their turn between. */
  static async create(options: AnimatedPortraitOptions): Promise<AnimatedPortrait> {
    const { image, face, resolution, framing } = options;
    const points = projectMesh(face.mesh, face.transform, image.width, image.height);
    const exact = squareCrop(points, image.width, image.height);
    const square = { x: Math.round(exact.x), y: Math.round(exact.y), side: Math.round(exact.side) };
    const cut = async (size: number): Promise<RgbImage> => {
      await nextTurn();
      return cropSquare(image, { x: square.x, y: square.y, size: square.side }, size);
    };
    const source = await cut(resolution * SOURCE_OVERSAMPLING);
    const display = framing === 'crop' ? source : await cut(square.side);
    const reference = await cut(resolution);
    await nextTurn();
    return new AnimatedPortrait(options, { points, square, source, display, reference });
  }

  #inSquare(points: Float64Array, size: number): Float64Array {
    const { x, y, side } = this.square;
    return points.map((value, i) => ((value - (i % 2 === 0 ? x : y)) * size) / side);
  }

  /** Landmarks of one frame, [468, 2] in pixels of the square at `size`. */
  #posedPoints({ offsets, pose }: FrameMotion, size: number): Float64Array {
    const posed = this.mesh.map((value, i) => value + offsets[i]!);
    const transform = multiplyMatrices(this.#transform, poseToMatrix(pose));
    return this.#inSquare(projectMesh(posed, transform, this.image.width, this.image.height), size);
  }

  /** What the networks are given for one frame: [7, S, S] of pose drawing, warped portrait and reliability. */
  renderConditions(motion: FrameMotion): FrameConditions {
    const size = this.resolution;
    const pixels = size * size;
    const points = this.#posedPoints(motion, size);
    const drawing = resizePoseImage(drawPoseImage(points, { width: size, height: size }), size, size);
    const warped = this.#networkWarp.render(points, size, size);
    const conditions = new Float32Array(CONDITION_CHANNELS * pixels);
    toPlanar(drawing, conditions);
    const base = toPlanar(warped.image, new Float32Array(CHANNELS * pixels));
    conditions.set(base, CHANNELS * pixels);
    for (let i = 0; i < pixels; i++) conditions[6 * pixels + i] = warped.reliability[i]! / 127.5 - 1;
    return { conditions, base };
  }

  /** Where the decoded difference of one frame counts. */
  maskOf(motion: FrameMotion): CellMask {
    return faceMask(this.#posedPoints(motion, this.resolution), this.resolution, MASK_CELL);
  }

  /** The portrait warped to one frame at the viewer's size: a square of side {@link displaySize}. */
  renderBase(motion: FrameMotion): RgbImage {
    const size = this.displaySize;
    return this.#displayWarp.render(this.#posedPoints(motion, size), size, size).image;
  }
}
