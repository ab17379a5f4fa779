/** The scene of a bundle whose denoiser changes a warped portrait: the mesh moves the photo, the networks add the rest. */
import type { RgbImage } from '../image/rgb-image.ts';
import type { ClipMotion } from './clip-motion.ts';
import type { FrameComposer } from './compose-frame.ts';
import type { AnimatedPortrait } from './portrait.ts';
import type { FrameConditions, Scene, SceneReference } from './scene.ts';

/** Draws and composes on the thread that it is called on, some tens of milliseconds a frame. */
export class WarpScene implements Scene {
  readonly #portrait: AnimatedPortrait;
  readonly #motion: ClipMotion;
  readonly #composer: FrameComposer;

  constructor(portrait: AnimatedPortrait, motion: ClipMotion, composer: FrameComposer) {
    this.#portrait = portrait;
    this.#motion = motion;
    this.#composer = composer;
  }

  get width(): number {
    return this.#composer.width;
  }

  get height(): number {
    return this.#composer.height;
  }

  get reference(): SceneReference {
    return { picture: this.#portrait.reference };
  }

  async conditions(frame: number): Promise<FrameConditions> {
    return this.#portrait.renderConditions(await this.#motion.at(frame));
  }

  async compose(frame: number, decoded: Float32Array): Promise<RgbImage> {
    const motion = await this.#motion.at(frame);
    return this.#composer.compose(this.#portrait.renderBase(motion), decoded, this.#portrait.maskOf(motion));
  }
}
