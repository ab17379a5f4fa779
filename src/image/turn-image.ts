/** Pictures turned by right angles. */
import type { RgbImage } from './rgb-image.ts';

/** A copy that is turned clockwise. @param quarters - 1, 2 or 3 quarter turns. */
export function turnImage({ data, width, height }: RgbImage, quarters: 1 | 2 | 3): RgbImage {
  const turned = new Uint8Array(data.length);
  const [newWidth, newHeight] = quarters === 2 ? [width, height] : [height, width];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [column, row] =
        quarters === 1
          ? [height - 1 - y, x]
          : quarters === 2
            ? [width - 1 - x, height - 1 - y]
            : [y, width - 1 - x];
      const from = (y * width + x) * 3;
      const to = (row * newWidth + column) * 3;
      turned[to] = data[from]!;
      turned[to + 1] = data[from + 1]!;
      turned[to + 2] = data[from + 2]!;
    }
  }
  return { data: turned, width: newWidth, height: newHeight };
}
