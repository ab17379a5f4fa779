/** A portrait, or a film's faces, that can be posed, whatever the kind of bundle. */
import type { FrameBase, FrameConditions, PixelBox, SceneReference } from '../models/frame-conditions.ts';
import type { MotionSource } from '../motion/motion-source.ts';
import type { FrameSource } from './frame-source.ts';
import type { DrivenFace } from './framed-face.ts';
import type { FrameMaker, PosableFace } from './posable-face.ts';
import type { ComposedPicture, Scene, ScenePortrait } from './scene.ts';

/** See above. */
export class PosablePortrait<Face extends PosableFace> implements ScenePortrait {
  readonly width: number;
  readonly height: number;
  readonly mesh: Float64Array;
  readonly transform: Float64Array;
  readonly reference: SceneReference;
  readonly #source: FrameSource<Face>;
  readonly #openMaker: (source: FrameSource<Face>) => FrameMaker<Face>;

  /** @param openMaker - makes what one clip's frames are made by. */
  constructor(source: FrameSource<Face>, openMaker: (source: FrameSource<Face>) => FrameMaker<Face>) {
    this.#source = source;
    this.#openMaker = openMaker;
    this.width = source.width;
    this.height = source.height;
    this.mesh = source.reference.mesh;
    this.transform = source.reference.transform;
    this.reference = source.reference.reference();
  }

  withMotion(motion: MotionSource): Scene {
    const { width, height, reference } = this;
    return new PosedScene({ width, height, reference }, this.#source, this.#openMaker(this.#source), motion);
  }
}

/** Draws and composes on the thread that it is called on, up to some tens of milliseconds a frame. */
class PosedScene<Face extends PosableFace> implements Scene {
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #source: FrameSource<Face>;
  readonly #maker: FrameMaker<Face>;
  readonly #motion: MotionSource;

  constructor(
    { width, height, reference }: Pick<Scene, 'width' | 'height' | 'reference'>,
    source: FrameSource<Face>,
    maker: FrameMaker<Face>,
    motion: MotionSource,
  ) {
    this.width = width;
    this.height = height;
    this.reference = reference;
    this.#source = source;
    this.#maker = maker;
    this.#motion = motion;
  }

  async conditions(frame: number): Promise<FrameConditions> {
    const { face = this.#source.reference } = await this.#source.at(frame);
    return face.conditions(await this.#motion.at(frame));
  }

  async base(frame: number): Promise<FrameBase> {
    const { face = this.#source.reference } = await this.#source.at(frame);
    return face.base?.(await this.#motion.at(frame)) ?? {};
  }

  async shown(frame: number): Promise<PixelBox | undefined> {
    const { face = this.#source.reference } = await this.#source.at(frame);
    return face.shown?.(await this.#motion.at(frame));
  }

  async drivenFace(frame: number): Promise<DrivenFace> {
    const { face = this.#source.reference } = await this.#source.at(frame);
    return face.drivenFace(await this.#motion.at(frame));
  }

  async compose(frame: number, decoded: Float32Array, memory?: Uint8Array): Promise<ComposedPicture> {
    const { picture, face, strength } = await this.#source.at(frame);
    if (face === undefined) return this.#maker.untouched(picture);
    const motion = await this.#motion.at(frame);
    if (this.#source.changes === 'lower-face') {
      const changed = face.lowerFaceMask(motion, strength);
      return this.#maker.make({ picture, face, motion, decoded, changed, memory });
    }
    const made = this.#maker.make({ picture, face, motion, decoded, changed: undefined, memory });
    return { ...made, changed: this.#maker.placeOf(face) };
  }
}
