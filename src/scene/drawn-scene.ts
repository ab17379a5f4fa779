/**
 * The scene of a bundle whose denoiser makes the whole picture: the networks see a drawing of the moved landmarks, and
 * their picture is pasted back into the photo. AniPortrait's way.
 */
import type { Square } from '../face/crop.ts';
import { lowerFaceMask, type SoftMask } from '../face/lower-face-mask.ts';
import type { PortraitFace } from '../face/portrait-face.ts';
import { drawPoseImage, resizePoseImage } from '../face/pose-image.ts';
import { cropSquare } from '../image/crop.ts';
import { pillowResize } from '../image/pillow-resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { clipPixels } from '../models/clip-vision.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import type { FrameMotion, MotionSource } from '../motion/motion-source.ts';
import { type FrameSource, stillSource } from './frame-source.ts';
import { type DrivenFace, FramedFace } from './framed-face.ts';
import type { Framing } from './framing.ts';
import { PicturePaster } from './paste-picture.ts';
import { toPlanar } from './portrait.ts';
import type { Scene, ScenePortrait } from './scene.ts';

/** How a bundle's networks see drawings. */
interface DrawnView {
  /** Side of the square that the networks see. */
  readonly resolution: number;
  /** What the drawing's bytes are divided by to be handed to the networks as 2v − 1: 255, or 1 in the original. */
  readonly pixelDivisor: 1 | 255;
  /** Side of the image encoder's picture; null without one. */
  readonly imageSize: number | null;
}

/** Options of {@link DrawnFace}. */
interface DrawnFaceOptions extends DrawnView {
  /** The whole picture. */
  readonly image: RgbImage;
  /** The face of the picture that is animated. */
  readonly face: Pick<PortraitFace, 'mesh' | 'transform'>;
  /** The square to animate, in whole pixels. @defaultValue the one that fits the face best */
  readonly square?: Square;
}

const CHANNELS = 3;

/** The face of one picture, which can be drawn in other poses. */
export class DrawnFace {
  readonly image: RgbImage;
  readonly framed: FramedFace;
  readonly view: DrawnView;

  constructor({ image, face, square, ...view }: DrawnFaceOptions) {
    this.image = image;
    this.framed = new FramedFace(image, face, square);
    this.view = view;
  }

  /** What the reference networks and the image encoder see. */
  reference(): SceneReference {
    const { resolution, imageSize } = this.view;
    const { x, y, side } = this.framed.square;
    const cut = cropSquare(this.image, { x, y, size: side }, side);
    const picture = pillowResize(cut, resolution, resolution, 'lanczos');
    return {
      picture: toPlanar(picture, new Float32Array(CHANNELS * resolution * resolution)),
      ...(imageSize !== null && { encoderPicture: clipPixels(cut, imageSize).data }),
    };
  }

  /** [3, S, S]: the landmarks of one frame as a drawing. */
  draw(motion: FrameMotion): Float32Array {
    const { resolution: size, pixelDivisor } = this.view;
    const points = this.framed.posedPoints(motion, size);
    const { data } = resizePoseImage(drawPoseImage(points, { width: size, height: size }), size, size);
    const pixels = size * size;
    const out = new Float32Array(CHANNELS * pixels);
    const scale = 2 / pixelDivisor;
    for (let c = 0; c < CHANNELS; c++) {
      for (let i = 0; i < pixels; i++) out[c * pixels + i] = scale * data[CHANNELS * i + c]! - 1;
    }
    return out;
  }

  /** The pixels of the picture that a clip may change where it moves the lower face alone. */
  lowerFaceMask(motion: FrameMotion, strength = 1): SoftMask {
    const { width, height } = this.image;
    return lowerFaceMask([this.framed.points, this.framed.posedInPicture(motion)], {
      width,
      height,
      strength,
    });
  }
}

/** A portrait, or a film's faces, that can be drawn in other poses. */
export class DrawnPortrait implements ScenePortrait {
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #source: FrameSource<DrawnFace>;
  readonly #framing: Framing;

  constructor(source: FrameSource<DrawnFace>, framing: Framing) {
    this.#source = source;
    this.#framing = framing;
    this.width = source.width;
    this.height = source.height;
    this.reference = source.reference.reference();
  }

  /** Of a still. */
  static of(options: DrawnFaceOptions, framing: Framing): DrawnPortrait {
    const { image, resolution } = options;
    // H.264 with subsampled colours has even sizes only.
    const size =
      framing === 'paste-back'
        ? { width: image.width & ~1, height: image.height & ~1 }
        : { width: resolution, height: resolution };
    return new DrawnPortrait(stillSource(image, new DrawnFace(options), size), framing);
  }

  get mesh(): Float64Array {
    return this.#source.reference.framed.mesh;
  }

  get transform(): Float64Array {
    return this.#source.reference.framed.transform;
  }

  withMotion(motion: MotionSource): Scene {
    return new DrawnScene(this, this.#source, this.#framing, motion);
  }
}

/** Draws and composes on the thread that it is called on, some milliseconds a frame. */
class DrawnScene implements Scene {
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #source: FrameSource<DrawnFace>;
  readonly #framing: Framing;
  readonly #motion: MotionSource;
  readonly #paster: PicturePaster;

  constructor(
    { width, height, reference }: DrawnPortrait,
    source: FrameSource<DrawnFace>,
    framing: Framing,
    motion: MotionSource,
  ) {
    this.width = width;
    this.height = height;
    this.reference = reference;
    this.#source = source;
    this.#framing = framing;
    this.#motion = motion;
    const { framed, view } = source.reference;
    this.#paster = new PicturePaster({
      width,
      height,
      size: view.resolution,
      side: framing === 'paste-back' ? framed.square.side : view.resolution,
    });
  }

  async conditions(frame: number): Promise<FrameConditions> {
    const { face = this.#source.reference } = await this.#source.at(frame);
    return { conditions: face.draw(await this.#motion.at(frame)) };
  }

  async drivenFace(frame: number): Promise<DrivenFace> {
    const { face = this.#source.reference } = await this.#source.at(frame);
    return face.framed.drivenFace(await this.#motion.at(frame), this.#framing, face.view.resolution);
  }

  async compose(frame: number, decoded: Float32Array): Promise<RgbImage> {
    const { picture, face, strength } = await this.#source.at(frame);
    if (face === undefined) return this.#paster.untouched(picture);
    const generated = toBytes(decoded, face.view.resolution);
    if (this.#framing === 'crop') return generated;
    const changed =
      this.#source.changes === 'lower-face'
        ? face.lowerFaceMask(await this.#motion.at(frame), strength)
        : undefined;
    return this.#paster.paste(generated, picture, face.framed.square, changed);
  }
}

/** @param decoded - [3, S, S] in [−1, 1]. */
function toBytes(decoded: Float32Array, size: number): RgbImage {
  const pixels = size * size;
  const data = new Uint8ClampedArray(CHANNELS * pixels);
  for (let c = 0; c < CHANNELS; c++) {
    // Clamped and rounded by the array.
    for (let i = 0; i < pixels; i++) data[CHANNELS * i + c] = (decoded[c * pixels + i]! + 1) * 127.5;
  }
  return { data: new Uint8Array(data.buffer), width: size, height: size };
}
