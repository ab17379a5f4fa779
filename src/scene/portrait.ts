/**
 * The portrait of a clip: its face, the square around it, and the warps that move it, at the size that the networks see
 * and at the size that the viewer sees.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Square } from '../face/crop.ts';
import { type CellMask, faceMask } from '../face/face-mask.ts';
import { loadFaceMesh } from '../face/face-mesh.ts';
import { keepTeeth } from '../face/keep-teeth.ts';
import { lowerFaceMask, type SoftMask } from '../face/lower-face-mask.ts';
import type { PortraitFace } from '../face/portrait-face.ts';
import { drawPoseImage, resizePoseImage } from '../face/pose-image.ts';
import { copyOf, PortraitWarp } from '../face/warp.ts';
import type { Sampling } from '../face/warp-source.ts';
import { cropSquare } from '../image/crop.ts';
import { type SeenPicture, toPlanar } from '../image/planar.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { FrameBase, FrameConditions, PixelBox, SceneReference } from '../models/frame-conditions.ts';
import type { FrameMotion } from '../motion/motion-source.ts';
import type { PlacedPicture } from '../pixels/pixel-kernels.ts';
import type { CutOut } from './background.ts';
import { readBy } from './compose-frame.ts';
import { type DrivenFace, FramedFace } from './framed-face.ts';
import type { Framing } from './framing.ts';
import { limitPose } from './limit-pose.ts';
import { matteImage, matteOf } from './moving-matte.ts';
import type { PosableFace } from './posable-face.ts';

/** The networks' warp samples from this many times their resolution, as in training. */
const SOURCE_OVERSAMPLING = 1.5;
const CHANNELS = 3;
/** Side in pixels of the cells of the face's mask; as in training. */
const MASK_CELL = 8;

/** Drawings are read before the next is made: one memory for all of this thread is enough, and fresh memory costs more than drawing. */
let canvas: Uint8Array | undefined;

/** What {@link AnimatedPortrait} is made of. */
export interface AnimatedPortraitOptions {
  /** The whole picture. */
  readonly image: RgbImage;
  /** The face of the picture that is animated. */
  readonly face: Pick<PortraitFace, 'mesh' | 'transform'>;
  /** The square to animate, in whole pixels. @defaultValue the one that fits the face best */
  readonly square?: Square;
  /** Side of the square that the networks see. */
  readonly resolution: number;
  readonly framing: Framing;
  /** The person and what stands behind, where it is not the picture's own. */
  readonly cutOut?: CutOut | undefined;
}

/** A portrait that can be posed. Holds no native memory. */
export class AnimatedPortrait implements PosableFace {
  readonly image: RgbImage;
  /** The person and what stands behind, where it is not the picture's own. */
  readonly cutOut: CutOut | undefined;
  readonly resolution: number;
  /** The square of the picture that is animated, in whole pixels; it may reach over the edges. */
  readonly square: Square;
  /** Side of {@link AnimatedPortrait.renderBase}'s pictures. */
  readonly displaySize: number;
  /** [468, 3] in cm. */
  readonly mesh: Float64Array;
  /** Row-major 4×4, from the face to the camera. */
  readonly transform: Float64Array;
  readonly #framed: FramedFace;
  readonly #framing: Framing;
  #networkWarp: PortraitWarp | undefined;
  #displayWarp: PortraitWarp | undefined;
  #matteWarp: PortraitWarp | undefined;

  /** Prepares nothing yet: the warps are made when they are first needed, see {@link AnimatedPortrait.create}. */
  constructor({ image, face, square, resolution, framing, cutOut }: AnimatedPortraitOptions) {
    this.image = image;
    this.cutOut = cutOut;
    this.resolution = resolution;
    const framed = new FramedFace(image, face, { square });
    this.#framed = framed;
    this.#framing = framing;
    this.mesh = framed.mesh;
    this.transform = framed.transform;
    this.square = framed.square;
    this.displaySize = framing === 'crop' ? resolution : framed.square.side;
  }

  /** Crops the square out in the sizes that are needed, one at a time, so that other frames get their turn between. */
  static async create(options: AnimatedPortraitOptions): Promise<AnimatedPortrait> {
    const portrait = new AnimatedPortrait(options);
    await nextTurn();
    portrait.#warpForNetworks();
    await nextTurn();
    portrait.#warpForDisplay();
    await nextTurn();
    return portrait;
  }

  #warpForNetworks(): PortraitWarp {
    this.#networkWarp ??= this.#warpAt(this.resolution * SOURCE_OVERSAMPLING);
    return this.#networkWarp;
  }

  #warpForDisplay(): PortraitWarp {
    // The networks see the picture's own surroundings, as in training.
    this.#displayWarp ??= this.#warpAt(this.displaySize, this.cutOut?.foreground, 'spline');
    return this.#displayWarp;
  }

  /** The warp of the square of a picture at `size` pixels. */
  #warpAt(size: number, image = this.image, sampling: Sampling = 'linear'): PortraitWarp {
    const { x, y, side } = this.square;
    const source = cropSquare(image, { x, y, size: side }, size);
    return new PortraitWarp(
      source,
      this.#framed.inSquare(this.#framed.points, size),
      loadFaceMesh().triangles,
      sampling,
    );
  }

  /** The square as the reference UNet's codec sees it, [3, S, S] in [−1, 1]. */
  reference(): SceneReference {
    const { resolution } = this;
    const { x, y, side } = this.square;
    const crop = cropSquare(this.image, { x, y, size: side }, resolution);
    return { picture: toPlanar(crop, new Float32Array(CHANNELS * resolution * resolution)) };
  }

  /** The pixels of the picture that a clip may change where it moves the lower face alone. */
  lowerFaceMask(motion: FrameMotion, strength = 1): SoftMask {
    const { width, height } = this.image;
    return lowerFaceMask([this.#framed.points, this.#framed.posedInPicture(limitPose(motion))], {
      width,
      height,
      strength,
    });
  }

  /** What the networks are given for one frame: pose drawing, warped portrait and reliability, [7, S, S]. */
  conditions(motion: FrameMotion): FrameConditions {
    const size = this.resolution;
    const points = this.#framed.posedPoints(limitPose(motion), size);
    const whole = drawPoseImage(points, { width: size, height: size }, canvas);
    canvas = whole.data;
    const drawing = resizePoseImage(whole, size, size);
    const warped = this.#warpForNetworks().render(points, size, size, motion.gaze);
    const conditions: SeenPicture[] = [
      // The canvas stays this thread's.
      { data: drawing === whole ? drawing.data.slice() : drawing.data, channels: 3 },
      { data: warped.image.data, channels: 3 },
      { data: warped.reliability, channels: 1 },
    ];
    return { conditions, base: warped.image.data, shown: this.#shownAt(points) };
  }

  /** The part of {@link AnimatedPortrait.conditions} that a frame is decoded over. */
  base(motion: FrameMotion): FrameBase {
    const size = this.resolution;
    const points = this.#framed.posedPoints(limitPose(motion), size);
    const { data: base } = this.#warpForNetworks().renderImage(points, size, size, motion.gaze);
    return { base, shown: this.#shownAt(points) };
  }

  /** Where the decoded difference of a frame is looked at. */
  shown(motion: FrameMotion): PixelBox {
    return this.#shownAt(this.#framed.posedPoints(limitPose(motion), this.resolution));
  }

  #shownAt(points: Float64Array): PixelBox {
    return readBy(faceMask(points, this.resolution, MASK_CELL), this.resolution);
  }

  /** What the motion of one frame asks of the face. */
  drivenFace(motion: FrameMotion): DrivenFace {
    const size = { width: this.resolution, height: this.resolution };
    return this.#framed.drivenFace(limitPose(motion), this.#framing, size);
  }

  /** Where the decoded difference of one frame counts. */
  maskOf(motion: FrameMotion): CellMask {
    return faceMask(this.#framed.posedPoints(limitPose(motion), this.resolution), this.resolution, MASK_CELL);
  }

  /** Takes from a frame's decoded difference, in place, what would change the teeth from one frame to the next. */
  keepTeeth(motion: FrameMotion, difference: Float32Array): void {
    keepTeeth(difference, this.#framed.posedPoints(limitPose(motion), this.resolution), this.resolution);
  }

  /** The portrait warped to one frame at the viewer's size: a square of side {@link displaySize}. */
  renderBase(motion: FrameMotion): RgbImage {
    return copyOf(this.drawBase(motion));
  }

  /** The same, where it is drawn. */
  drawBase(motion: FrameMotion): PlacedPicture {
    const size = this.displaySize;
    const points = this.#framed.posedPoints(limitPose(motion), size);
    return this.#warpForDisplay().draw(points, size, size, motion.gaze);
  }

  /** How much the person covers of each pixel of {@link AnimatedPortrait.renderBase}, 0 to 255. */
  renderMatte(motion: FrameMotion, { alpha }: CutOut): Uint8Array {
    const size = this.displaySize;
    const { width, height } = this.image;
    this.#matteWarp ??= this.#warpAt(size, matteImage(alpha, width, height));
    const points = this.#framed.posedPoints(limitPose(motion), size);
    return matteOf(this.#matteWarp.renderImage(points, size, size), points);
  }
}
