/**
 * The portrait of a clip: its face, the square around it, and the warps that move it, at the size that the networks see
 * and at the size that the viewer sees.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Square } from '../face/crop.ts';
import { type CellMask, faceMask } from '../face/face-mask.ts';
import { loadFaceMesh } from '../face/face-mesh.ts';
import type { PortraitFace } from '../face/portrait-face.ts';
import { drawPoseImage, resizePoseImage } from '../face/pose-image.ts';
import { PortraitWarp } from '../face/warp.ts';
import { cropSquare } from '../image/crop.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { FrameConditions } from '../models/frame-conditions.ts';
import type { FrameMotion } from '../motion/motion-source.ts';
import type { Framing } from './framed-face.ts';
import { type DrivenFace, FramedFace } from './framed-face.ts';

/** The networks' warp samples from this many times their resolution, as in training. */
const SOURCE_OVERSAMPLING = 1.5;
const CHANNELS = 3;
/** Side in pixels of the cells of the face's mask; as in training. */
const MASK_CELL = 8;
/** Channels of the pose guider's input: pose drawing, warped portrait, reliability. */
const CONDITION_CHANNELS = 7;

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

/** A byte as the networks see it, in [−1, 1]. */
const BYTE_AS_FLOAT = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1);

/** Planar floats in [−1, 1] from interleaved bytes. */
export function toPlanar({ data, width, height }: RgbImage, out: Float32Array, offset = 0): Float32Array {
  const pixels = width * height;
  for (let i = 0, from = 0, to = offset; i < pixels; i++, from += CHANNELS, to++) {
    out[to] = BYTE_AS_FLOAT[data[from]!]!;
    out[to + pixels] = BYTE_AS_FLOAT[data[from + 1]!]!;
    out[to + 2 * pixels] = BYTE_AS_FLOAT[data[from + 2]!]!;
  }
  return out;
}

/** The square of the picture at the sizes that are needed. */
interface Cuts {
  readonly framed: FramedFace;
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
  readonly #framed: FramedFace;
  readonly #framing: Framing;
  readonly #networkWarp: PortraitWarp;
  readonly #displayWarp: PortraitWarp;

  private constructor({ image, resolution, framing }: AnimatedPortraitOptions, cuts: Cuts) {
    this.image = image;
    this.resolution = resolution;
    const { framed } = cuts;
    this.#framed = framed;
    this.#framing = framing;
    this.mesh = framed.mesh;
    this.square = framed.square;
    this.displaySize = framing === 'crop' ? resolution : framed.square.side;
    const { triangles } = loadFaceMesh();
    const warpOf = (source: RgbImage): PortraitWarp =>
      new PortraitWarp(source, framed.inSquare(framed.points, source.width), triangles);
    this.#networkWarp = warpOf(cuts.source);
    this.#displayWarp = framing === 'crop' ? this.#networkWarp : warpOf(cuts.display);
    this.reference = toPlanar(cuts.reference, new Float32Array(CHANNELS * resolution * resolution));
  }

  /** Cuts the square out in the sizes that are needed, one at a time, so that other frames get their turn between. */
  static async create(options: AnimatedPortraitOptions): Promise<AnimatedPortrait> {
    const { image, face, resolution, framing } = options;
    const framed = new FramedFace(image, face);
    const { square } = framed;
    const cut = async (size: number): Promise<RgbImage> => {
      await nextTurn();
      return cropSquare(image, { x: square.x, y: square.y, size: square.side }, size);
    };
    const source = await cut(resolution * SOURCE_OVERSAMPLING);
    const display = framing === 'crop' ? source : await cut(square.side);
    const reference = await cut(resolution);
    await nextTurn();
    return new AnimatedPortrait(options, { framed, source, display, reference });
  }

  /** What the networks are given for one frame: [7, S, S] of pose drawing, warped portrait and reliability. */
  renderConditions(motion: FrameMotion): FrameConditions {
    const size = this.resolution;
    const pixels = size * size;
    const points = this.#framed.posedPoints(motion, size);
    const drawing = resizePoseImage(drawPoseImage(points, { width: size, height: size }), size, size);
    const warped = this.#networkWarp.render(points, size, size);
    const conditions = new Float32Array(CONDITION_CHANNELS * pixels);
    toPlanar(drawing, conditions);
    toPlanar(warped.image, conditions, CHANNELS * pixels);
    const { reliability } = warped;
    for (let i = 0; i < pixels; i++) conditions[6 * pixels + i] = BYTE_AS_FLOAT[reliability[i]!]!;
    return { conditions, base: conditions.subarray(CHANNELS * pixels, 2 * CHANNELS * pixels) };
  }

  /** What the motion of one frame asks of the face. */
  drivenFace(motion: FrameMotion): DrivenFace {
    return this.#framed.drivenFace(motion, this.#framing, this.resolution);
  }

  /** Where the decoded difference of one frame counts. */
  maskOf(motion: FrameMotion): CellMask {
    return faceMask(this.#framed.posedPoints(motion, this.resolution), this.resolution, MASK_CELL);
  }

  /** The portrait warped to one frame at the viewer's size: a square of side {@link displaySize}. */
  renderBase(motion: FrameMotion): RgbImage {
    const size = this.displaySize;
    return this.#displayWarp.renderImage(this.#framed.posedPoints(motion, size), size, size);
  }
}
