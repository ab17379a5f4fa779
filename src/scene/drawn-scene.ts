/**
 * The scene of a bundle whose denoiser makes the whole picture: the networks see a drawing of the moved landmarks, and
 * their picture is pasted back into the photo. AniPortrait's way.
 */

import type { PortraitFace } from '../face/portrait-face.ts';
import { drawPoseImage, resizePoseImage } from '../face/pose-image.ts';
import { cropSquare } from '../image/crop.ts';
import { pillowResize } from '../image/pillow-resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { clipPixels } from '../models/clip-vision.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import type { FrameMotion, MotionSource } from '../motion/motion-source.ts';
import type { Framing } from './framed-face.ts';
import { type DrivenFace, FramedFace } from './framed-face.ts';
import { PicturePaster } from './paste-picture.ts';
import { toPlanar } from './portrait.ts';
import type { Scene, ScenePortrait } from './scene.ts';

/** Options of {@link DrawnPortrait}. */
export interface DrawnPortraitOptions {
  /** The whole picture. */
  readonly image: RgbImage;
  /** The face of the picture that is animated. */
  readonly face: PortraitFace;
  /** Side of the square that the networks see. */
  readonly resolution: number;
  readonly framing: Framing;
  /** What the drawing's bytes are divided by to be handed to the networks as 2v − 1: 255, or 1 in the original. */
  readonly pixelDivisor: 1 | 255;
  /** Side of the image encoder's picture; null without one. */
  readonly imageSize: number | null;
}

const CHANNELS = 3;

/** A portrait that can be drawn in other poses. */
export class DrawnPortrait implements ScenePortrait {
  readonly mesh: Float64Array;
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #framed: FramedFace;
  readonly #framing: Framing;
  readonly #resolution: number;
  readonly #pixelDivisor: number;
  readonly #paster: PicturePaster | undefined;

  constructor({ image, face, resolution, framing, pixelDivisor, imageSize }: DrawnPortraitOptions) {
    this.#framed = new FramedFace(image, face);
    this.#framing = framing;
    this.#resolution = resolution;
    this.#pixelDivisor = pixelDivisor;
    this.mesh = this.#framed.mesh;
    const { square } = this.#framed;
    if (framing === 'paste-back') this.#paster = new PicturePaster(image, square, resolution);
    this.width = this.#paster?.width ?? resolution;
    this.height = this.#paster?.height ?? resolution;
    const cut = cropSquare(image, { x: square.x, y: square.y, size: square.side }, square.side);
    const picture = pillowResize(cut, resolution, resolution, 'lanczos');
    this.reference = {
      picture: toPlanar(picture, new Float32Array(CHANNELS * resolution * resolution)),
      ...(imageSize !== null && { encoderPicture: clipPixels(cut, imageSize).data }),
    };
  }

  withMotion(motion: MotionSource): Scene {
    return new DrawnScene(this, motion);
  }

  /** [3, S, S]: the landmarks of one frame as a drawing. */
  draw(motion: FrameMotion): Float32Array {
    const size = this.#resolution;
    const points = this.#framed.posedPoints(motion, size);
    const { data } = resizePoseImage(drawPoseImage(points, { width: size, height: size }), size, size);
    const pixels = size * size;
    const out = new Float32Array(CHANNELS * pixels);
    const scale = 2 / this.#pixelDivisor;
    for (let c = 0; c < CHANNELS; c++) {
      for (let i = 0; i < pixels; i++) out[c * pixels + i] = scale * data[CHANNELS * i + c]! - 1;
    }
    return out;
  }

  /** What the motion of one frame asks of the face. */
  drivenFace(motion: FrameMotion): DrivenFace {
    return this.#framed.drivenFace(motion, this.#framing, this.#resolution);
  }

  /** @param decoded - [3, S, S] in [−1, 1]. */
  finish(decoded: Float32Array): RgbImage {
    const size = this.#resolution;
    const pixels = size * size;
    const data = new Uint8ClampedArray(CHANNELS * pixels);
    for (let c = 0; c < CHANNELS; c++) {
      // Clamped and rounded by the array.
      for (let i = 0; i < pixels; i++) data[CHANNELS * i + c] = (decoded[c * pixels + i]! + 1) * 127.5;
    }
    const picture = { data: new Uint8Array(data.buffer), width: size, height: size };
    return this.#paster?.paste(picture) ?? picture;
  }
}

/** Draws and composes on the thread that it is called on, some milliseconds a frame. */
class DrawnScene implements Scene {
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #portrait: DrawnPortrait;
  readonly #motion: MotionSource;

  constructor(portrait: DrawnPortrait, motion: MotionSource) {
    this.width = portrait.width;
    this.height = portrait.height;
    this.reference = portrait.reference;
    this.#portrait = portrait;
    this.#motion = motion;
  }

  async conditions(frame: number): Promise<FrameConditions> {
    return { conditions: this.#portrait.draw(await this.#motion.at(frame)) };
  }

  async drivenFace(frame: number): Promise<DrivenFace> {
    return this.#portrait.drivenFace(await this.#motion.at(frame));
  }

  async compose(_frame: number, decoded: Float32Array): Promise<RgbImage> {
    return this.#portrait.finish(decoded);
  }
}
