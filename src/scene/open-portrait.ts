/** From a picture file to a portrait that can be posed. */
import { FaceError } from '../errors.ts';
import type { FaceFinder, FoundFace } from '../face/face-finder.ts';
import { choosePortraitFace, landmarkExtent, MIN_FACE_SIZE } from '../face/portrait-face.ts';
import { loadImage } from '../image/load-image.ts';
import { resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { turnImage } from '../image/turn-image.ts';
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

/** A picture as it will be animated, with its faces. */
interface SeenPicture {
  readonly image: RgbImage;
  readonly faces: readonly FoundFace[];
}

/** A face that is seen this clearly is not upside down. */
const CLEAR_SCORE = 0.75;
/** Upside down, a detector's score is lower by at least this. */
const SCORE_GAIN = 0.1;

/** The picture at the video's size; where that shows no face, as a camera was held that did not note it, or at its own size. */
async function findUprightFace(original: RgbImage, options: OpenPortraitOptions): Promise<SeenPicture> {
  const { path, finder, onNotice, signal } = options;
  const image = fitForVideo(original, onNotice);
  const faces = await finder.find(image);
  const score = faces[0]?.detection.score ?? 0;
  const quarters = faces[0] === undefined ? undefined : turnOf(faces[0]);
  if (quarters === 0 && score >= CLEAR_SCORE) return fitOrCut(original, { image, faces }, options);
  let best: { readonly turned: SeenPicture; readonly quarters: number; readonly score: number } | undefined;
  for (const turn of quarters === undefined
    ? ([1, 3, 2] as const)
    : quarters === 0
      ? ([2] as const)
      : [quarters]) {
    signal?.throwIfAborted();
    const turned = turnImage(image, turn);
    const found = await finder.find(turned);
    if (found[0] === undefined || turnOf(found[0]) !== 0) continue;
    const clear = found[0].detection.score;
    if (clear < (best?.score ?? score + (quarters === 0 ? SCORE_GAIN : 0))) continue;
    best = { turned: { image: turned, faces: found }, quarters: turn, score: clear };
  }
  if (best === undefined) return fitOrCut(original, { image, faces }, options);
  onNotice(
    `${path} shows an upright face when it is turned by ${best.quarters * 90}° clockwise, and is animated so: the file does not say how the camera was held`,
  );
  return best.turned;
}

/** How a picture has to be turned clockwise for the face to be upright, in quarters, from its eyes. */
function turnOf({ landmarks }: FoundFace): 0 | 1 | 2 | 3 {
  const [dx, dy] = [0, 1].map((axis) => landmarks[3 * LEFT_EYE + axis]! - landmarks[3 * RIGHT_EYE + axis]!);
  if (Math.abs(dx!) >= Math.abs(dy!)) return dx! >= 0 ? 0 : 2;
  return dy! > 0 ? 3 : 1;
}

async function fitOrCut(
  original: RgbImage,
  seen: SeenPicture,
  options: OpenPortraitOptions,
): Promise<SeenPicture> {
  const isFit = seen.faces[0] !== undefined && isLargeEnough(seen.faces[0]);
  return isFit || seen.image === original ? seen : findInOriginal(original, seen, options);
}

/** A face that has pixels enough in the picture, but not in the one that was made smaller. */
async function findInOriginal(
  original: RgbImage,
  shrunk: SeenPicture,
  { path, framing, finder, onNotice }: OpenPortraitOptions,
): Promise<SeenPicture> {
  const [face] = (await finder.findSmall(original)).filter(isLargeEnough);
  if (face === undefined) return shrunk;
  const { width, height } = shrunk.image;
  const size = Math.round(landmarkExtent(face.landmarks));
  const scale = width / original.width;
  if (framing !== 'crop' && size * scale >= MIN_FACE_SIZE)
    return { image: shrunk.image, faces: [scaled(face, scale)] };
  if (framing !== 'crop') {
    throw new FaceError(
      [
        `Cannot animate ${path}: expected a face of at least ${MIN_FACE_SIZE} pixels in the video, got one of ` +
          `${Math.round(size * scale)}, as the picture is made smaller from ${original.width}×${original.height} to ` +
          `${width}×${height}. Crop the picture around the person, or set `,
        { option: 'framing', value: 'crop' },
      ],
      path,
      'too-small',
    );
  }
  const { box } = face.detection;
  const image = cutAround(
    original,
    box.x + box.width / 2,
    box.y + box.height / 2,
    Math.min(MAX_VIDEO_SIDE, 4 * size),
  );
  onNotice(`the face is cut from the picture of ${original.width}×${original.height} pixels at its own size`);
  return { image, faces: await finder.find(image) };
}

/** A face in a picture that was made smaller. */
function scaled({ detection, landmarks, presence }: FoundFace, scale: number): FoundFace {
  const { x, y, width, height } = detection.box;
  const box = { x: x * scale, y: y * scale, width: width * scale, height: height * scale };
  return {
    detection: { ...detection, box, keypoints: detection.keypoints.map((value) => value * scale) },
    landmarks: landmarks.map((value) => value * scale),
    presence,
  };
}

/** A part of a picture, up to `side` pixels wide and high. */
function cutAround(image: RgbImage, x: number, y: number, side: number): RgbImage {
  const width = Math.min(image.width, side);
  const height = Math.min(image.height, side);
  const left = Math.round(Math.max(0, Math.min(image.width - width, x - width / 2)));
  const top = Math.round(Math.max(0, Math.min(image.height - height, y - height / 2)));
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + width * 3), row * width * 3);
  }
  return { data, width, height };
}

function isLargeEnough({ landmarks }: FoundFace): boolean {
  return landmarkExtent(landmarks) >= MIN_FACE_SIZE;
}

/** Outer corners of the person's right and left eye, in MediaPipe's mesh. */
const RIGHT_EYE = 33;
const LEFT_EYE = 263;

/**
 * Loads the picture, finds its face and prepares it for the view of the networks.
 *
 * @throws {@link MediaError} if the picture cannot be read.
 * @throws {@link FaceError} if it has no face that can be animated.
 */
export async function openPortrait(options: OpenPortraitOptions): Promise<ScenePortrait> {
  const { path, resolution, framing, view, onNotice, signal } = options;
  const original = await loadImage(path, { onNotice });
  signal?.throwIfAborted();
  const { image, faces } = await findUprightFace(original, options);
  signal?.throwIfAborted();
  const face = choosePortraitFace(image, faces, { path, onNotice });
  return view.type === 'warp'
    ? warpStill({ image, face, resolution, framing })
    : drawnStill({ image, face, resolution, framing, ...view });
}
