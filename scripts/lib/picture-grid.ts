/** Contact sheets. */
import { resizeImage } from '../../src/image/resize.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

/** Pixels between pictures, and their grey. */
const GAP = 4;
const GREY = 40;

/**
 * Pictures in rows and columns, each made to fit a cell; what is undefined stays empty.
 *
 * @param rows - top to bottom, each from left to right.
 * @param cell - size of a cell in pixels.
 */
export function pictureGrid(
  rows: readonly (readonly (RgbImage | undefined)[])[],
  cell: { readonly width: number; readonly height: number },
): RgbImage {
  const columns = Math.max(...rows.map((row) => row.length));
  const width = columns * (cell.width + GAP) + GAP;
  const height = rows.length * (cell.height + GAP) + GAP;
  const data = new Uint8Array(width * height * 3).fill(GREY);
  for (const [j, row] of rows.entries()) {
    for (const [i, picture] of row.entries()) {
      if (picture === undefined) continue;
      const scale = Math.min(cell.width / picture.width, cell.height / picture.height);
      const [w, h] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
      const fitted = resizeImage(picture, w, h, scale < 1 ? 'area' : 'bicubic');
      const left = GAP + i * (cell.width + GAP) + ((cell.width - w) >> 1);
      const top = GAP + j * (cell.height + GAP) + ((cell.height - h) >> 1);
      for (let y = 0; y < h; y++) {
        data.set(fitted.data.subarray(y * w * 3, (y + 1) * w * 3), ((top + y) * width + left) * 3);
      }
    }
  }
  return { data, width, height };
}
