/** The scene of a bundle whose denoiser changes a warped portrait: the mesh moves the photo, the networks add the rest. */
import type { ImageRegion, RgbImage } from '../image/rgb-image.ts';
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
  return warpPortrait(stillSource(image, portrait, framing === 'crop' ? displaySize : undefined), framing);
}

/** The warped portrait at the viewer's size, with what the networks change in it. */
class WarpFrames implements FrameMaker<AnimatedPortrait> {
  readonly #composer: FrameComposer;
  readonly #pasteBack: boolean;

  constructor({ width, height, reference }: FrameSource<AnimatedPortrait>, framing: Framing) {
    const { resolution, displaySize } = reference;
    this.#composer = new FrameComposer({ resolution, displaySize, width, height });
    this.#pasteBack = framing === 'paste-back';
  }

  make({ picture, face, motion, decoded, changed }: FrameParts<AnimatedPortrait>): RgbImage {
    const around = this.#pasteBack ? { picture, square: face.square, changed } : undefined;
    return this.#composer.compose(face.renderBase(motion), decoded, face.maskOf(motion), around);
  }

  placeOf({ square: { x, y, side } }: AnimatedPortrait): ImageRegion | undefined {
    return this.#pasteBack ? { left: x, top: y, width: side, height: side } : undefined;
  }

  untouched(picture: RgbImage): RgbImage {
    return this.#composer.untouched(picture);
  }
}
