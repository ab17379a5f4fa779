/**
 * The scene of a bundle whose denoiser makes the whole picture: the networks see a drawing of the moved landmarks, and
 * their picture is pasted back into the photo. AniPortrait's way.
 */
import type { FaceFrame, Square } from '../face/crop.ts';
import { lowerFaceMask, type SoftMask } from '../face/lower-face-mask.ts';
import type { PortraitFace } from '../face/portrait-face.ts';
import { drawPoseImage, resizePoseImage } from '../face/pose-image.ts';
import { cropPart } from '../image/crop.ts';
import { pillowResize } from '../image/pillow-resize.ts';
import { toPlanar } from '../image/planar.ts';
import type { ImageRegion, RgbImage } from '../image/rgb-image.ts';
import { clipPixels } from '../models/clip-vision.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import type { SpatialSize } from '../models/unet-config.ts';
import type { FrameMotion } from '../motion/motion-source.ts';
import { type FrameSource, stillSource } from './frame-source.ts';
import { type DrivenFace, FramedFace } from './framed-face.ts';
import type { Framing } from './framing.ts';
import { PicturePaster } from './paste-picture.ts';
import type { FrameMaker, FrameParts, PosableFace } from './posable-face.ts';
import { PosablePortrait } from './posable-portrait.ts';

/** How networks see drawings. */
export interface DrawingView {
  /** Of the pictures that the networks see. */
  readonly size: SpatialSize;
  /** What the drawing's bytes are divided by to be handed to the networks as 2v − 1: 255, or 1 in the original. */
  readonly pixelDivisor: 1 | 255;
}

/** How a bundle's networks see drawings and the picture. */
interface DrawnView extends DrawingView {
  /** Side of the image encoder's picture; null without one. */
  readonly imageSize: number | null;
  readonly framing: Framing;
}

/** Options of {@link DrawnFace}. */
interface DrawnFaceOptions extends DrawnView {
  /** The whole picture. */
  readonly image: RgbImage;
  /** The face of the picture that is animated. */
  readonly face: Pick<PortraitFace, 'mesh' | 'transform'>;
  /** The square to animate, or to widen to the shape that the networks see. @defaultValue the one that fits the face best */
  readonly square?: Square;
  /** The part of the picture that the networks see, of their shape, in whole pixels. @defaultValue around the square */
  readonly frame?: FaceFrame;
}

const CHANNELS = 3;

/** The face of one picture, which can be drawn in other poses. */
export class DrawnFace implements PosableFace {
  readonly image: RgbImage;
  readonly framed: FramedFace;
  readonly view: DrawnView;

  constructor({ image, face, square, frame, ...view }: DrawnFaceOptions) {
    this.image = image;
    const { width, height } = view.size;
    this.framed = new FramedFace(image, face, { square, frame, aspect: width / height });
    this.view = view;
  }

  get mesh(): Float64Array {
    return this.framed.mesh;
  }

  get transform(): Float64Array {
    return this.framed.transform;
  }

  /** What the reference networks and the image encoder see. */
  reference(): SceneReference {
    const { size, imageSize } = this.view;
    const { frame } = this.framed;
    const cut = cropPart(this.image, frame, frame);
    const picture = pillowResize(cut, size.width, size.height, 'lanczos');
    return {
      picture: toPlanar(picture, new Float32Array(CHANNELS * size.width * size.height)),
      ...(imageSize !== null && { encoderPicture: clipPixels(cut, imageSize).data }),
    };
  }

  /** [3, H, W]: the landmarks of one frame as a drawing. */
  draw(motion: FrameMotion): Float32Array {
    const { size } = this.view;
    const points = this.framed.inFrame(this.framed.posedInPicture(motion), size);
    return drawingConditions(drawPoseImage(points, size), this.view);
  }

  conditions(motion: FrameMotion): FrameConditions {
    return { conditions: this.draw(motion) };
  }

  drivenFace(motion: FrameMotion): DrivenFace {
    return this.framed.drivenFace(motion, this.view.framing, this.view.size);
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

/** [3, H, W]: a drawing as the networks see it. */
export function drawingConditions(
  drawing: RgbImage,
  { size: { width, height }, pixelDivisor }: DrawingView,
): Float32Array {
  const { data } = resizePoseImage(drawing, width, height);
  const pixels = width * height;
  const out = new Float32Array(CHANNELS * pixels);
  const scale = 2 / pixelDivisor;
  for (let c = 0; c < CHANNELS; c++) {
    for (let i = 0; i < pixels; i++) out[c * pixels + i] = scale * data[CHANNELS * i + c]! - 1;
  }
  return out;
}

/** The faces of a source that can be drawn. */
export function drawnPortrait(source: FrameSource<DrawnFace>): PosablePortrait<DrawnFace> {
  return new PosablePortrait(source, () => new DrawnFrames(source));
}

/** Of a still. */
export function drawnStill(options: DrawnFaceOptions): PosablePortrait<DrawnFace> {
  const { image, size, framing } = options;
  const face = new DrawnFace(options);
  return drawnPortrait(stillSource(image, face, framing === 'crop' ? size : undefined));
}

/** The networks' picture, in its place in the photo or alone. */
class DrawnFrames implements FrameMaker<DrawnFace> {
  readonly #paster: PicturePaster;

  constructor({ width, height, reference }: FrameSource<DrawnFace>) {
    const { framed, view } = reference;
    this.#paster = new PicturePaster({
      width,
      height,
      size: view.size,
      place: view.framing === 'paste-back' ? framed.frame : view.size,
    });
  }

  make({ picture, face, decoded, changed }: FrameParts<DrawnFace>): RgbImage {
    const generated = toBytes(decoded, face.view.size);
    if (face.view.framing === 'crop') return generated;
    return this.#paster.paste(generated, picture, face.framed.frame, changed);
  }

  placeOf({ framed, view }: DrawnFace): ImageRegion | undefined {
    const { x, y, width, height } = framed.frame;
    return view.framing === 'crop' ? undefined : { left: x, top: y, width, height };
  }

  untouched(picture: RgbImage): RgbImage {
    return this.#paster.untouched(picture);
  }
}

/** @param decoded - [3, H, W] in [−1, 1]. */
function toBytes(decoded: Float32Array, { width, height }: SpatialSize): RgbImage {
  const pixels = width * height;
  const data = new Uint8ClampedArray(CHANNELS * pixels);
  for (let c = 0; c < CHANNELS; c++) {
    // Clamped and rounded by the array.
    for (let i = 0; i < pixels; i++) data[CHANNELS * i + c] = (decoded[c * pixels + i]! + 1) * 127.5;
  }
  return { data: new Uint8Array(data.buffer), width, height };
}
