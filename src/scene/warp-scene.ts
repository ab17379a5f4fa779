/** The scene of a bundle whose denoiser changes a warped portrait: the mesh moves the photo, the networks add the rest. */

import { cropSquare } from '../image/crop.ts';
import type { ImageRegion, RgbImage } from '../image/rgb-image.ts';
import type { FrameMotion } from '../motion/motion-source.ts';
import { type CutOut, placeInFront } from './background.ts';
import { FrameComposer } from './compose-frame.ts';
import { type FrameSource, stillSource } from './frame-source.ts';
import type { Framing } from './framing.ts';
import { AnimatedPortrait, type AnimatedPortraitOptions } from './portrait.ts';
import type { FrameMaker, FrameParts } from './posable-face.ts';
import { PosablePortrait } from './posable-portrait.ts';

/** The faces of a source that can be warped. */
export function warpPortrait(
  source: FrameSource<AnimatedPortrait>,
  framing: Framing,
): PosablePortrait<AnimatedPortrait> {
  return new PosablePortrait(source, () => new WarpFrames(source, framing));
}

/** Prepares the warps of a still. */
export async function warpStill(
  options: AnimatedPortraitOptions,
): Promise<PosablePortrait<AnimatedPortrait>> {
  const { framing } = options;
  const portrait = await AnimatedPortrait.create(options);
  const { image, displaySize } = portrait;
  const size = framing === 'crop' ? { width: displaySize, height: displaySize } : undefined;
  return warpPortrait(stillSource(image, portrait, size), framing);
}

/** The warped portrait at the viewer's size, with what the networks change in it. */
class WarpFrames implements FrameMaker<AnimatedPortrait> {
  readonly #composer: FrameComposer;
  readonly #pasteBack: boolean;
  #squareBehind: RgbImage | undefined;

  constructor({ width, height, reference }: FrameSource<AnimatedPortrait>, framing: Framing) {
    const { resolution, displaySize } = reference;
    this.#composer = new FrameComposer({ resolution, displaySize, width, height });
    this.#pasteBack = framing === 'paste-back';
  }

  make({ picture, face, motion, decoded, changed, memory }: FrameParts<AnimatedPortrait>): RgbImage {
    const { cutOut } = face;
    const shown = cutOut?.foreground ?? picture;
    const rests = cutOut === undefined;
    const around = this.#pasteBack
      ? { picture: shown, square: face.square, changed, memory, rests }
      : undefined;
    face.keepTeeth(motion, decoded);
    const frame = this.#composer.compose(face.drawBase(motion), decoded, face.maskOf(motion), around);
    if (cutOut === undefined) return frame;
    return placeInFront(frame, this.#matteOf(face, motion, cutOut), this.#behind(face, cutOut));
  }

  /** The matte of a frame: that of the square as it moves, around it that of the picture. */
  #matteOf(face: AnimatedPortrait, motion: FrameMotion, cutOut: CutOut): Uint8Array {
    const moved = face.renderMatte(motion, cutOut);
    if (!this.#pasteBack) return moved;
    const { width, height } = this.#composer;
    const { square, image } = face;
    const matte = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) {
      matte.set(cutOut.alpha.subarray(y * image.width, y * image.width + width), y * width);
    }
    const left = Math.max(0, square.x);
    const right = Math.min(width, square.x + square.side);
    for (let y = Math.max(0, square.y); y < Math.min(height, square.y + square.side); y++) {
      const from = (y - square.y) * square.side + left - square.x;
      matte.set(moved.subarray(from, from + right - left), y * width + left);
    }
    return matte;
  }

  /** What stands behind a frame; of a video that shows the square alone, its part. */
  #behind(face: AnimatedPortrait, { behind }: CutOut): RgbImage | undefined {
    if (behind === undefined || this.#pasteBack) return behind;
    const { x, y, side } = face.square;
    this.#squareBehind ??= cropSquare(behind, { x, y, size: side }, face.displaySize);
    return this.#squareBehind;
  }

  placeOf({ square: { x, y, side } }: AnimatedPortrait): ImageRegion | undefined {
    return this.#pasteBack ? { left: x, top: y, width: side, height: side } : undefined;
  }

  untouched(picture: RgbImage): RgbImage {
    return this.#composer.untouched(picture);
  }
}
