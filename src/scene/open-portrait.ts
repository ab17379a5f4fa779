/** From a picture file to a portrait that can be posed. */
import type { FaceFinder } from '../face/face-finder.ts';
import { choosePortraitFace } from '../face/portrait-face.ts';
import { loadImage } from '../image/load-image.ts';
import { resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { drawnStill } from './drawn-scene.ts';
import type { Framing } from './framing.ts';
import { MAX_VIDEO_SIDE, type ScenePortrait, type SceneView } from './scene.ts';
import { warpStill } from './warp-scene.ts';

/** Options of {@link openPortrait}. */
interface OpenPortraitOptions {
  /** The picture's file. */
  readonly path: string;
  /** Side of the square that the networks see, in pixels. */
  readonly resolution: number;
  readonly framing: Framing;
  readonly view: SceneView;
  readonly finder: FaceFinder;
  readonly onNotice: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Makes a picture fit for video: at most Full HD, and not one pixel wide. */
function fitForVideo(image: RgbImage, notice: (message: string) => void): RgbImage {
  const longest = Math.max(image.width, image.height);
  if (longest <= MAX_VIDEO_SIDE) return image;
  const scale = MAX_VIDEO_SIDE / longest;
  const width = Math.max(2, Math.round(image.width * scale));
  const height = Math.max(2, Math.round(image.height * scale));
  notice(`the portrait has ${image.width}×${image.height} pixels: the video will have ${width}×${height}`);
  return resizeImage(image, width, height, 'area');
}

/**
 * Loads the picture, finds its face and prepares it for the view of the networks.
 *
 * @throws {@link MediaError} if the picture cannot be read.
 * @throws {@link FaceError} if it has no face that can be animated.
 */
export async function openPortrait(options: OpenPortraitOptions): Promise<ScenePortrait> {
  const { path, resolution, framing, view, finder, onNotice, signal } = options;
  const image = fitForVideo(await loadImage(path, { onNotice }), onNotice);
  signal?.throwIfAborted();
  const faces = await finder.findPortrait(image);
  signal?.throwIfAborted();
  const face = choosePortraitFace(image, faces, { path, onNotice });
  return view.type === 'warp'
    ? warpStill({ image, face, resolution, framing })
    : drawnStill({ image, face, resolution, framing, ...view });
}
