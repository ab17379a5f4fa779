/** The matte of a portrait in motion: it is warped as the portrait is, so that it moves with it and never flickers. */
import { FACE_OVAL } from '../face/face-rings.ts';
import type { RgbImage } from '../image/rgb-image.ts';

/** The face's outline, drawn in towards its middle so that its edge is the matte's own. */
const FACE_SHARE = 0.9;

/** A matte as a picture that can be warped. @param alpha - 0 to 255 */
export function matteImage(alpha: Uint8Array, width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < alpha.length; i++) data.fill(alpha[i]!, 3 * i, 3 * i + 3);
  return { data, width, height };
}

/**
 * The matte of a warped one: what a warp draws into a face, mouth and lids, is no part of it.
 *
 * @param points - landmarks of the frame, [468, 2] in pixels.
 */
export function matteOf({ data, width, height }: RgbImage, points: ArrayLike<number>): Uint8Array {
  const alpha = new Uint8Array(width * height);
  for (let i = 0; i < alpha.length; i++) alpha[i] = data[3 * i]!;
  let [middleX, middleY] = [0, 0];
  for (const index of FACE_OVAL) {
    middleX += points[2 * index]! / FACE_OVAL.length;
    middleY += points[2 * index + 1]! / FACE_OVAL.length;
  }
  const outline = FACE_OVAL.map((index) => [
    middleX + FACE_SHARE * (points[2 * index]! - middleX),
    middleY + FACE_SHARE * (points[2 * index + 1]! - middleY),
  ]);
  for (let y = 0; y < height; y++) {
    const crossings: number[] = [];
    for (const [i, [x1, y1]] of outline.entries()) {
      const [x2, y2] = outline[(i + 1) % outline.length] as [number, number];
      const level = y + 0.5;
      if (y1! > level === y2 > level) continue;
      crossings.push(x1! + ((level - y1!) / (y2 - y1!)) * (x2 - x1!));
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const from = Math.max(0, Math.ceil(crossings[i]! - 0.5));
      const to = Math.min(width, Math.floor(crossings[i + 1]! + 0.5));
      if (to > from) alpha.fill(255, y * width + from, y * width + to);
    }
  }
  return alpha;
}
