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
import { toPlanar } from '../image/planar.ts';
import type { ImageRegion, RgbImage } from '../image/rgb-image.ts';
import { clipPixels } from '../models/clip-vision.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import type { FrameMotion } from '../motion/motion-source.ts';
import { type FrameSource, stillSource } from './frame-source.ts';
import { type DrivenFace, FramedFace } from './framed-face.ts';
import type { Framing } from './framing.ts';
import { PicturePaster } from './paste-picture.ts';
import type { FrameMaker, FrameParts, PosableFace } from './posable-face.ts';
import { PosablePortrait } from './posable-portrait.ts';

/** How networks see drawings. */
export interface DrawingView {
  /** Side of the square that the networks see. */
  readonly resolution: number;
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
  /** The square to animate, in whole pixels. @defaultValue the one that fits the face best */
  readonly square?: Square;
}

const CHANNELS = 3;

/** The face of one picture, which can be drawn in other poses. */
export class DrawnFace implements PosableFace {
  readonly image: RgbImage;
  readonly framed: FramedFace;
  readonly view: DrawnView;

  constructor({ image, face, square, ...view }: DrawnFaceOptions) {
    this.image = image;
    this.framed = new FramedFace(image, face, square);
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
    const { resolution: size } = this.view;
    const points = this.framed.posedPoints(motion, size);
    return drawingConditions(drawPoseImage(points, { width: size, height: size }), this.view);
  }

  conditions(motion: FrameMotion): FrameConditions {
    return { conditions: this.draw(motion) };
  }

  drivenFace(motion: FrameMotion): DrivenFace {
    return this.framed.drivenFace(motion, this.view.framing, this.view.resolution);
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

/** [3, S, S]: a drawing as the networks see it. */
export function drawingConditions(
  drawing: RgbImage,
  { resolution: size, pixelDivisor }: DrawingView,
): Float32Array {
  const { data } = resizePoseImage(drawing, size, size);
  const pixels = size * size;
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
  const { image, resolution, framing } = options;
  const face = new DrawnFace(options);
  return drawnPortrait(stillSource(image, face, framing === 'crop' ? resolution : undefined));
}

/** The networks' picture, in the photo's square or alone. */
class DrawnFrames implements FrameMaker<DrawnFace> {
  readonly #paster: PicturePaster;

  constructor({ width, height, reference }: FrameSource<DrawnFace>) {
    const { framed, view } = reference;
    this.#paster = new PicturePaster({
      width,
      height,
      size: view.resolution,
      side: view.framing === 'paste-back' ? framed.square.side : view.resolution,
    });
  }

  make({ picture, face, decoded, changed }: FrameParts<DrawnFace>): RgbImage {
    const generated = toBytes(decoded, face.view.resolution);
    if (face.view.framing === 'crop') return generated;
    return this.#paster.paste(generated, picture, face.framed.square, changed);
  }

  placeOf({ framed, view }: DrawnFace): ImageRegion | undefined {
    const { x, y, side } = framed.square;
    return view.framing === 'crop' ? undefined : { left: x, top: y, width: side, height: side };
  }

  untouched(picture: RgbImage): RgbImage {
    return this.#paster.untouched(picture);
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
