/**
 * The pictures that a clip is made from. A portrait is a source of one picture, which every frame of the clip starts from; of
 * a film that gets another voice, each frame starts from its own.
 */
import type { RgbImage } from '../image/rgb-image.ts';

/** What one frame of the clip starts from. */
export interface SourceFrame<Posable> {
  /** The whole picture; shown as it is where no face is animated. */
  readonly picture: RgbImage;
  /** The picture's face, ready to be posed; undefined where the picture shows none. */
  readonly face: Posable | undefined;
  /** How much of a change shows, 0 to 1. */
  readonly strength: number;
}

/** How much of a picture the networks may change: all around the face, or the lower face alone. */
type ChangedPart = 'square' | 'lower-face';

/** Pictures by the clip's frames. */
export interface FrameSource<Posable> {
  /** Pixels of the clip's frames, even. */
  readonly width: number;
  readonly height: number;
  /** The face that the reference networks see; motion is made for its proportions. */
  readonly reference: Posable;
  readonly changes: ChangedPart;
  /** What frame `frame` of the clip starts from, counted from 0. Asked for in any order near to each other. */
  at(frame: number): Promise<SourceFrame<Posable>>;
}

/**
 * The source of a portrait: one picture for every frame.
 *
 * @param size - of the clip's frames, where they show a part of the picture. @defaultValue frames as large as the picture
 */
export function stillSource<Posable>(
  picture: RgbImage,
  face: Posable,
  size?: { readonly width: number; readonly height: number },
): FrameSource<Posable> {
  const frame = Promise.resolve({ picture, face, strength: 1 });
  // H.264 with subsampled colours has even sizes only.
  const { width, height } = size ?? { width: picture.width & ~1, height: picture.height & ~1 };
  return { width, height, reference: face, changes: 'square', at: () => frame };
}
