/**
 * Videos of another shape than the photo: the part of the picture around the head that fits, or the whole picture, or head,
 * with what is missing around it.
 */
import { boxMean } from '../image/box-filter.ts';
import { Resampler, resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';

/** How a picture gets another shape: the part around the head, or the whole picture with an edge. */
export const FITS = ['crop', 'pad'] as const;
/** One of {@link FITS}. */
type Fit = (typeof FITS)[number];

/** Longest side of a video in pixels. */
const MAX_SIDE = 3840;
/** Shortest side of a video in pixels. */
const MIN_SIDE = 64;
/** Longest side of a video whose size is not stated. */
const USUAL_SIDE = 1920;
/** Most that one side may be of the other. */
const MAX_ASPECT = 5;

/** What {@link parseVideoSize} reads, for messages. */
export const VIDEO_SIZE_EXPECTED = `WIDTHxHEIGHT in even pixels from ${MIN_SIDE} to ${MAX_SIDE}, such as 1080x1920`;
/** What {@link parseAspect} reads, for messages. */
export const ASPECT_EXPECTED = `WIDTH:HEIGHT from 1:${MAX_ASPECT} to ${MAX_ASPECT}:1, such as 9:16`;

/** Pixels of a video. */
interface VideoSize {
  readonly width: number;
  readonly height: number;
}

/** `1080x1920`; undefined for what is none. */
export function parseVideoSize(text: string): VideoSize | undefined {
  const match = /^(\d{1,5})[x×](\d{1,5})$/i.exec(text.trim());
  if (match === null) return undefined;
  const [width, height] = [Number(match[1]), Number(match[2])];
  const isRight = (side: number): boolean => side % 2 === 0 && side >= MIN_SIDE && side <= MAX_SIDE;
  return isRight(width) && isRight(height) && isAspect(width / height) ? { width, height } : undefined;
}

/** Width over height of `9:16`; undefined for what is none. */
export function parseAspect(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)$/.exec(text.trim());
  if (match === null) return undefined;
  const aspect = Number(match[1]) / Number(match[2]);
  return isAspect(aspect) ? aspect : undefined;
}

function isAspect(aspect: number): boolean {
  return aspect >= 1 / MAX_ASPECT && aspect <= MAX_ASPECT;
}

/** The shape that is asked for. */
export interface VideoShape {
  /** Pixels; undefined if only the aspect is stated. */
  readonly size?: VideoSize;
  /** Width over height. */
  readonly aspect: number;
  readonly fit: Fit;
}

/** The shape of options that were checked; undefined if none is asked for. */
export function readShape(options: {
  readonly size?: string | undefined;
  readonly aspect?: string | undefined;
  readonly fit?: Fit | undefined;
}): VideoShape | undefined {
  const { fit = 'crop' } = options;
  const size = options.size === undefined ? undefined : parseVideoSize(options.size);
  if (size !== undefined) return { size, aspect: size.width / size.height, fit };
  const aspect = options.aspect === undefined ? undefined : parseAspect(options.aspect);
  return aspect === undefined ? undefined : { aspect, fit };
}

/** A rectangle in pixels; it may reach over the picture's edges. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Hair, ears and chin around the box of a face's landmarks, in heights and widths of the face. */
const HEAD = { above: 0.55, side: 0.2, below: 0.3 };
/** Where the middle of the head stands from the top of a part that is cut out. */
const HEAD_HEIGHT = 0.42;

/** The head around a face. */
function headAround({ x, y, width, height }: Rectangle): Rectangle {
  return {
    x: x - HEAD.side * width,
    y: y - HEAD.above * height,
    width: (1 + 2 * HEAD.side) * width,
    height: (1 + HEAD.above + HEAD.below) * height,
  };
}

/**
 * The part of a picture that a video of another shape shows: with `crop` the largest that lies in the picture, around the
 * head, or more where the head is not in it; with `pad` the whole picture.
 */
export function chooseView(picture: VideoSize, face: Rectangle, { aspect, fit }: VideoShape): Rectangle {
  const head = headAround(face);
  const inside = Math.min(picture.width, picture.height * aspect);
  const around = Math.max(picture.width, picture.height * aspect);
  // Never more than all: a head that goes beyond the picture is not seen any better for it.
  const needed = Math.min(around, Math.max(head.width, head.height * aspect));
  const width = fit === 'pad' ? around : Math.max(inside, needed);
  const height = width / aspect;
  const y = place(head.y + head.height / 2 - HEAD_HEIGHT * height, height, picture.height);
  return {
    x: place(head.x + head.width / 2 - width / 2, width, picture.width),
    // What is missing below a bust would be its body: it is missing above.
    y: fit === 'crop' && height > picture.height ? picture.height - height : y,
    width,
    height,
  };
}

/** Moves a part into the picture, or, if it is larger, around its middle. */
function place(start: number, length: number, size: number): number {
  if (length >= size) return (size - length) / 2;
  return Math.min(size - length, Math.max(0, start));
}

/** Pixels of the video of a part. */
export function sizeOfView(view: Rectangle, { size }: VideoShape): VideoSize {
  if (size !== undefined) return size;
  const scale = Math.min(1, USUAL_SIDE / Math.max(view.width, view.height));
  const even = (side: number): number => Math.max(MIN_SIDE, 2 * Math.round((side * scale) / 2));
  return { width: even(view.width), height: even(view.height) };
}

/** How soft what stands around a padded picture is, as a share of the longer side. */
const EDGE_BLUR = 0.05;

/** A part of a picture as a picture of its own; beyond the edges stands the picture itself, enlarged and blurred. */
export function drawView(image: RgbImage, view: Rectangle, { width, height }: VideoSize): RgbImage {
  const resampler = new Resampler({
    sourceWidth: image.width,
    sourceHeight: image.height,
    targetWidth: width,
    targetHeight: height,
    box: view,
    filter: 'bicubic',
  });
  const drawn = resampler.apply(image);
  const left = (-view.x / view.width) * width;
  const top = (-view.y / view.height) * height;
  const right = left + (image.width / view.width) * width;
  const bottom = top + (image.height / view.height) * height;
  if (left < 1 && top < 1 && right > width - 1 && bottom > height - 1) return drawn;
  const around = blurredCover(image, { width, height });
  const data = drawn.data.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x + 0.5 >= left && x + 0.5 <= right && y + 0.5 >= top && y + 0.5 <= bottom) continue;
      const at = (y * width + x) * 3;
      for (let c = 0; c < 3; c++) data[at + c] = around.data[at + c]!;
    }
  }
  return { data, width, height };
}

/** A picture that covers a size, its middle part if their shapes differ. */
export function coverWith(image: RgbImage, { width, height }: VideoSize): RgbImage {
  const scale = Math.max(width / image.width, height / image.height);
  const [shownWidth, shownHeight] = [width / scale, height / scale];
  const box = {
    x: (image.width - shownWidth) / 2,
    y: (image.height - shownHeight) / 2,
    width: shownWidth,
    height: shownHeight,
  };
  const sizes = { sourceWidth: image.width, sourceHeight: image.height };
  return new Resampler({ ...sizes, targetWidth: width, targetHeight: height, box }).apply(image);
}

function blurredCover(image: RgbImage, size: VideoSize): RgbImage {
  const small = resizeImage(image, Math.min(256, image.width), Math.min(256, image.height), 'area');
  return blurImage(coverWith({ ...small }, { width: size.width, height: size.height }), EDGE_BLUR);
}

/** A picture out of focus: three means over squares come close to a Gaussian. */
export function blurImage({ data, width, height }: RgbImage, share: number): RgbImage {
  const radius = Math.max(1, Math.round(share * Math.max(width, height)));
  const out = new Uint8Array(data.length);
  for (let c = 0; c < 3; c++) {
    let plane = Float32Array.from({ length: width * height }, (_, i) => data[3 * i + c]!);
    for (let pass = 0; pass < 3; pass++) plane = boxMean(plane, width, height, radius) as typeof plane;
    for (let i = 0; i < plane.length; i++) out[3 * i + c] = Math.round(plane[i]!);
  }
  return { data: out, width, height };
}
