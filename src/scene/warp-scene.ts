/** The scene of a bundle whose denoiser changes a warped portrait: the mesh moves the photo, the networks add the rest. */
import type { RgbImage } from '../image/rgb-image.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import type { MotionSource } from '../motion/motion-source.ts';
import { FrameComposer } from './compose-frame.ts';
import { type FrameSource, stillSource } from './frame-source.ts';
import type { DrivenFace } from './framed-face.ts';
import type { Framing } from './framing.ts';
import { AnimatedPortrait, type AnimatedPortraitOptions } from './portrait.ts';
import type { Scene, ScenePortrait } from './scene.ts';

/** A portrait, or a film's faces, that can be warped. */
export class WarpPortrait implements ScenePortrait {
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #source: FrameSource<AnimatedPortrait>;
  readonly #framing: Framing;

  constructor(source: FrameSource<AnimatedPortrait>, framing: Framing) {
    this.#source = source;
    this.#framing = framing;
    this.width = source.width;
    this.height = source.height;
    this.reference = { picture: source.reference.referencePicture() };
  }

  /** Prepares the warps of a still. */
  static async create(options: AnimatedPortraitOptions): Promise<WarpPortrait> {
    const portrait = await AnimatedPortrait.create(options);
    const { image, displaySize } = portrait;
    // H.264 with subsampled colours has even sizes only.
    const size =
      options.framing === 'paste-back'
        ? { width: image.width & ~1, height: image.height & ~1 }
        : { width: displaySize, height: displaySize };
    return new WarpPortrait(stillSource(image, portrait, size), options.framing);
  }

  get mesh(): Float64Array {
    return this.#source.reference.mesh;
  }

  get transform(): Float64Array {
    return this.#source.reference.transform;
  }

  withMotion(motion: MotionSource): Scene {
    return new WarpScene(this, this.#source, this.#framing, motion);
  }
}

/** Draws and composes on the thread that it is called on, some tens of milliseconds a frame. */
class WarpScene implements Scene {
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #source: FrameSource<AnimatedPortrait>;
  readonly #motion: MotionSource;
  readonly #composer: FrameComposer;
  readonly #pasteBack: boolean;

  constructor(
    { width, height, reference }: WarpPortrait,
    source: FrameSource<AnimatedPortrait>,
    framing: Framing,
    motion: MotionSource,
  ) {
    this.width = width;
    this.height = height;
    this.reference = reference;
    this.#source = source;
    this.#motion = motion;
    const { resolution, displaySize } = source.reference;
    this.#composer = new FrameComposer({ resolution, displaySize, width, height });
    this.#pasteBack = framing === 'paste-back';
  }

  async conditions(frame: number): Promise<FrameConditions> {
    const { face = this.#source.reference } = await this.#source.at(frame);
    return face.renderConditions(await this.#motion.at(frame));
  }

  async drivenFace(frame: number): Promise<DrivenFace> {
    const { face = this.#source.reference } = await this.#source.at(frame);
    return face.drivenFace(await this.#motion.at(frame));
  }

  async compose(frame: number, decoded: Float32Array): Promise<RgbImage> {
    const { picture, face, strength } = await this.#source.at(frame);
    if (face === undefined) return this.#composer.untouched(picture);
    const motion = await this.#motion.at(frame);
    const changed = this.#source.changes === 'lower-face' ? face.lowerFaceMask(motion, strength) : undefined;
    const around = this.#pasteBack ? { picture, square: face.square, changed } : undefined;
    return this.#composer.compose(face.renderBase(motion), decoded, face.maskOf(motion), around);
  }
}
