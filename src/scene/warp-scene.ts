/** The scene of a bundle whose denoiser changes a warped portrait: the mesh moves the photo, the networks add the rest. */
import type { RgbImage } from '../image/rgb-image.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import type { MotionSource } from '../motion/motion-source.ts';
import { FrameComposer } from './compose-frame.ts';
import type { DrivenFace } from './framed-face.ts';
import { AnimatedPortrait, type AnimatedPortraitOptions } from './portrait.ts';
import type { Scene, ScenePortrait } from './scene.ts';

/** A portrait that can be warped. */
export class WarpPortrait implements ScenePortrait {
  readonly portrait: AnimatedPortrait;
  readonly composer: FrameComposer;

  private constructor(portrait: AnimatedPortrait, composer: FrameComposer) {
    this.portrait = portrait;
    this.composer = composer;
  }

  /** Prepares the warps. */
  static async create(options: AnimatedPortraitOptions): Promise<WarpPortrait> {
    const portrait = await AnimatedPortrait.create(options);
    return new WarpPortrait(portrait, new FrameComposer(portrait, options.framing === 'paste-back'));
  }

  get mesh(): Float64Array {
    return this.portrait.mesh;
  }

  get width(): number {
    return this.composer.width;
  }

  get height(): number {
    return this.composer.height;
  }

  get reference(): SceneReference {
    return { picture: this.portrait.reference };
  }

  withMotion(motion: MotionSource): Scene {
    return new WarpScene(this, motion);
  }
}

/** Draws and composes on the thread that it is called on, some tens of milliseconds a frame. */
class WarpScene implements Scene {
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #portrait: AnimatedPortrait;
  readonly #motion: MotionSource;
  readonly #composer: FrameComposer;

  constructor({ portrait, composer, width, height, reference }: WarpPortrait, motion: MotionSource) {
    this.width = width;
    this.height = height;
    this.reference = reference;
    this.#portrait = portrait;
    this.#motion = motion;
    this.#composer = composer;
  }

  async conditions(frame: number): Promise<FrameConditions> {
    return this.#portrait.renderConditions(await this.#motion.at(frame));
  }

  async drivenFace(frame: number): Promise<DrivenFace> {
    return this.#portrait.drivenFace(await this.#motion.at(frame));
  }

  async compose(frame: number, decoded: Float32Array): Promise<RgbImage> {
    const motion = await this.#motion.at(frame);
    return this.#composer.compose(this.#portrait.renderBase(motion), decoded, this.#portrait.maskOf(motion));
  }
}
