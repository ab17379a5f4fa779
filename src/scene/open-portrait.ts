/** From a picture file to a portrait that can be posed. */
import { FaceError, InvalidOptionError } from '../errors.ts';
import type { FaceFrame } from '../face/crop.ts';
import { type FaceChoice, placeOf } from '../face/face-choice.ts';
import type { FaceFinder } from '../face/face-finder.ts';
import { openHalfClosedEyes } from '../face/half-closed-eyes.ts';
import type { PersonMatter } from '../face/person-matte.ts';
import {
  boxOf,
  type ChosenFace,
  choosePortraitFace,
  MIN_SHRUNK_FACE_SIZE,
  portraitFaceOf,
  type SeenFace,
} from '../face/portrait-face.ts';
import { loadImage } from '../image/load-image.ts';
import { resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { turnImage } from '../image/turn-image.ts';
import type { SpatialSize } from '../models/unet-config.ts';
import { halfClosedFactors } from '../motion/lid-shapes.ts';
import { cutOut } from './background.ts';
import { drawnStill } from './drawn-scene.ts';
import type { Framing } from './framing.ts';
import { refineFace } from './refine-face.ts';
import { MAX_VIDEO_SIDE, type ScenePortrait, type SceneView } from './scene.ts';
import { chooseView, drawView, type Rectangle, sizeOfView, type VideoShape } from './video-shape.ts';
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
  /** Loads the network that cuts people out; needed for a `background`. */
  readonly matter?: () => Promise<PersonMatter>;
  /** Which face. @defaultValue the largest that can be animated */
  readonly face?: FaceChoice | undefined;
  /** Of the video. @defaultValue the picture's */
  readonly shape?: VideoShape | undefined;
  /** As {@link isBackgroundWord} knows it, or the path of a picture. @defaultValue the picture's own */
  readonly background?: string | undefined;
  /** Animates the largest part of the networks' shape in the middle of the picture, wherever the face is; of a view of drawings alone. */
  readonly centred?: boolean | undefined;
  readonly onNotice: (message: string) => void;
  /** Receives all faces of the picture, from the left, in pixels of the file. */
  readonly onFaces?: (faces: readonly SeenFace[]) => void;
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

/** A picture with the face in it that is animated. */
interface Framed {
  readonly image: RgbImage;
  readonly face: ChosenFace;
}

/** Looks for the face: in the picture as the video shows it, or, where it is lost in that, in the picture as it was. */
async function findFace(original: RgbImage, options: OpenPortraitOptions): Promise<Framed> {
  const { path, face: choice, finder, onNotice, signal } = options;
  const notices: string[] = [];
  const fitted = fitForVideo(original, (message) => notices.push(message));
  const scale = original.width / fitted.width;
  // A place is one of the file's picture.
  const scaled = choice === undefined ? undefined : scaleChoice(choice, 1 / scale);
  const faces = await finder.findAll(fitted);
  signal?.throwIfAborted();
  let chosen: ChosenFace;
  try {
    chosen = choosePortraitFace(fitted, faces, { path, choice: scaled, onNotice });
  } catch (error) {
    if (!(error instanceof FaceError) || fitted === original || error.problem === 'turned-away') throw error;
    return findLostFace(original, options);
  }
  // Of a panorama, the part around its face shows more than the whole, made smaller.
  if (fitted !== original && chosen.size < MIN_SHRUNK_FACE_SIZE) {
    const { x, y, width, height } = boxOf(chosen.landmarks);
    const face = scaleChoice(`${x + width / 2},${y + height / 2}`, scale);
    const lost = await findLostFace(original, { ...options, face }).catch((error: unknown) => {
      // What is no face in the large picture, or turned away in it, stays what it is in the small one.
      if (error instanceof FaceError || error instanceof InvalidOptionError) return undefined;
      throw error;
    });
    if (lost !== undefined) return lost;
  }
  for (const message of notices) onNotice(message);
  const landmarks = await finder.refine(fitted, chosen.landmarks);
  const face = { ...chosen, ...portraitFaceOf(landmarks, fitted.width, fitted.height) };
  return { image: fitted, face: inPixelsOf(face, scale) };
}

/** Looks for small faces in a large picture, of which the video then shows the part around the one that is taken. */
async function findLostFace(
  original: RgbImage,
  { path, face: choice, finder, onNotice, signal }: OpenPortraitOptions,
): Promise<Framed> {
  const seen = await finder.findSmall(original);
  signal?.throwIfAborted();
  const face = choosePortraitFace(original, seen, { path, choice, onNotice });
  const view = partAround(original, face);
  onNotice(
    `the portrait has ${original.width}×${original.height} pixels, in which its face is small: the video shows the ${view.width}×${view.height} around it`,
  );
  const image = drawView(original, view, view);
  const landmarks = moveLandmarks(await finder.refine(original, face.landmarks), view, 1);
  return { image, face: { ...face, ...portraitFaceOf(landmarks, image.width, image.height) } };
}

/** Lids that would be opened by a smaller factor stay as they are. */
const LEAST_OPENING = 1.05;

/** Quarter turns that are tried where no face is seen, likeliest first. */
const TURNS = [1, 3, 2] as const;

/** The face, and the picture that it is upright in: a file does not always say how the camera was held. */
async function findUprightFace(
  original: RgbImage,
  options: OpenPortraitOptions,
): Promise<{ readonly framed: Framed; readonly upright: RgbImage }> {
  const { path, face: choice, onNotice, signal } = options;
  const attempt = async (image: RgbImage) => {
    const notices: string[] = [];
    const framed = await findFace(image, { ...options, onNotice: (message) => notices.push(message) });
    const tell = () => {
      for (const message of notices) onNotice(message);
    };
    return { framed, upright: image, turn: quartersOf(framed.face.landmarks), tell };
  };
  const seen = await attempt(original).catch((error: unknown) => {
    if (!(error instanceof FaceError) || error.problem !== 'no-face') throw error;
    return error;
  });
  // A place is one of the picture as the file has it.
  if (choice === undefined && (seen instanceof FaceError || seen.turn !== 0)) {
    const fitted = fitForVideo(original, () => {});
    for (const quarters of seen instanceof FaceError ? TURNS : [seen.turn as 1 | 2 | 3]) {
      signal?.throwIfAborted();
      const turned = await attempt(turnImage(fitted, quarters)).catch(() => undefined);
      if (turned === undefined || turned.turn !== 0) continue;
      onNotice(
        `${path} shows an upright face when it is turned by ${quarters * 90}° clockwise, and is animated so: the file does not say how the camera was held`,
      );
      turned.tell();
      return turned;
    }
  }
  if (seen instanceof FaceError) throw seen;
  seen.tell();
  return seen;
}

/** Outer corners of the person's right and left eye, in MediaPipe's mesh. */
const [RIGHT_EYE, LEFT_EYE] = [33, 263] as const;

/** By how many quarters a picture has to be turned clockwise for the eyes to be side by side. */
function quartersOf(landmarks: Float64Array): 0 | 1 | 2 | 3 {
  const dx = landmarks[3 * LEFT_EYE]! - landmarks[3 * RIGHT_EYE]!;
  const dy = landmarks[3 * LEFT_EYE + 1]! - landmarks[3 * RIGHT_EYE + 1]!;
  if (Math.abs(dx) >= Math.abs(dy)) return dx >= 0 ? 0 : 2;
  return dy > 0 ? 3 : 1;
}

/** The list of faces in pixels of the file's picture. */
function inPixelsOf(face: ChosenFace, scale: number): ChosenFace {
  if (scale === 1) return face;
  const faces = face.faces.map(({ box, size, ...others }) => ({
    ...others,
    size: size * scale,
    box: { x: box.x * scale, y: box.y * scale, width: box.width * scale, height: box.height * scale },
  }));
  return { ...face, faces };
}

function scaleChoice(choice: FaceChoice, scale: number): FaceChoice {
  const place = placeOf(choice);
  return place === undefined ? choice : place.map((value) => (value * scale).toFixed(2)).join(',');
}

/** As much around a small face of a large picture as a video shows. */
function partAround({ width, height }: RgbImage, { landmarks }: Pick<ChosenFace, 'landmarks'>): Rectangle {
  const box = boxOf(landmarks);
  const part = {
    width: Math.min(width & ~1, MAX_VIDEO_SIDE),
    height: Math.min(height & ~1, MAX_VIDEO_SIDE),
  };
  const start = (middle: number, length: number, size: number): number =>
    Math.round(Math.min(size - length, Math.max(0, middle - length / 2)));
  return {
    x: start(box.x + box.width / 2, part.width, width),
    y: start(box.y + box.height / 2, part.height, height),
    ...part,
  };
}

/** Landmarks [468 · 3] of a picture in pixels of a part of it that is enlarged by `scale`. */
function moveLandmarks(landmarks: Float64Array, { x, y }: Rectangle, scale: number): Float64Array {
  return landmarks.map((value, i) => (i % 3 === 0 ? value - x : i % 3 === 1 ? value - y : value) * scale);
}

/** The largest rectangle of a shape in the middle of a picture. */
function middleFrame({ width, height }: RgbImage, shape: SpatialSize): FaceFrame {
  const scale = Math.min(width / shape.width, height / shape.height);
  const size = { width: Math.round(scale * shape.width), height: Math.round(scale * shape.height) };
  return { x: (width - size.width) >> 1, y: (height - size.height) >> 1, ...size };
}

/** The part of the file's picture that the video shows, where another shape is asked for. */
function reshape({ image, face }: Framed, original: RgbImage, shape: VideoShape | undefined): Framed {
  if (shape === undefined) return { image, face };
  // Of the picture as it was, if the video shows all of that, so that nothing is enlarged again.
  const isWhole = Math.abs(image.width / image.height - original.width / original.height) < 0.01;
  const source = isWhole ? original : image;
  const landmarks = face.landmarks.map((value) => (value * source.width) / image.width);
  const view = chooseView(source, boxOf(landmarks), shape);
  const size = sizeOfView(view, shape);
  const moved = moveLandmarks(landmarks, view, size.width / view.width);
  const drawn = drawView(source, view, size);
  return { image: drawn, face: { ...face, ...portraitFaceOf(moved, size.width, size.height) } };
}

/** The picture with lids that it has caught half closed as they are mostly. */
function withOpenEyes(framed: Framed, { path, onNotice }: OpenPortraitOptions): Framed {
  const factors = halfClosedFactors(framed.face.mesh);
  if (Math.max(...factors) <= LEAST_OPENING) return framed;
  onNotice(`the eyes in ${path} are half closed, and are opened: what lids hide of them is made up`);
  const { image, landmarks } = openHalfClosedEyes(framed.image, framed.face.landmarks, factors);
  return { image, face: { ...framed.face, ...portraitFaceOf(landmarks, image.width, image.height) } };
}

/**
 * Loads the picture, finds its face and prepares it for the view of the networks.
 *
 * @throws {@link MediaError} if the picture, or what stands behind, cannot be read.
 * @throws {@link FaceError} if it has no face that can be animated.
 * @throws {@link InvalidOptionError} if no face is where one is chosen.
 */
export async function openPortrait(options: OpenPortraitOptions): Promise<ScenePortrait> {
  const { path, resolution, framing, view, shape, background, matter, finder, onNotice, signal } = options;
  const original = await loadImage(path, { onNotice });
  signal?.throwIfAborted();
  const { framed: found, upright } = await findUprightFace(original, options);
  const { face: refined, eyesClosed } = await refineFace(found.image, found.face, finder);
  if (eyesClosed) {
    onNotice(`the eyes in ${path} are closed, and stay so; take a picture with open eyes for eyes that look`);
  }
  const reshaped = reshape({ ...found, face: refined }, upright, shape);
  // Networks that draw the whole picture see the eyes as they are.
  const { image, face } = view.type === 'warp' ? withOpenEyes(reshaped, options) : reshaped;
  options.onFaces?.(face.faces);
  if (view.type !== 'warp') {
    if (background !== undefined) {
      throw new InvalidOptionError(
        { expected: 'none with a bundle that draws the whole picture', got: background },
        'background',
        background,
      );
    }
    const frame = options.centred ? { frame: middleFrame(image, view.size) } : {};
    return drawnStill({ image, face, framing, ...view, ...frame });
  }
  if (background === undefined) return warpStill({ image, face, resolution, framing });
  if (matter === undefined) throw new Error('a background needs the network that cuts people out');
  const cut = await cutOut(image, background, { face: boxOf(face.landmarks), matter: await matter() });
  signal?.throwIfAborted();
  return warpStill({ image, face, resolution, framing, cutOut: cut });
}
