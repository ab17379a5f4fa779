/** Tells where a film goes on with another scene. */
import type { RgbImage } from '../image/rgb-image.ts';

/** The picture is looked at in so many cells, by the mean of a few pixels in each. */
const COLUMNS = 24;
const ROWS = 16;
const SAMPLES = 4;
/**
 * Mean difference of the cells, of 255, above which a picture shows another scene, if it also is so many times the usual
 * difference from one picture to the next: a shaking camera changes all pictures.
 */
const MIN_DIFFERENCE = 24;
const MIN_RATIO = 6;
/** Share of the newest difference in the usual one. */
const LEARNING = 0.1;

/** Looks at pictures in their order. */
export class CutDetector {
  #last: Float32Array | undefined;
  #usual = 0;

  /** Whether this picture begins another scene. */
  isCut(image: RgbImage): boolean {
    const cells = cellsOf(image);
    const last = this.#last;
    this.#last = cells;
    if (last === undefined || last.length !== cells.length) return false;
    let difference = 0;
    for (let i = 0; i < cells.length; i++) difference += Math.abs(cells[i]! - last[i]!) / cells.length;
    const cut = difference > MIN_DIFFERENCE && difference > MIN_RATIO * this.#usual;
    if (!cut) this.#usual += LEARNING * (difference - this.#usual);
    return cut;
  }
}

function cellsOf({ data, width, height }: RgbImage): Float32Array {
  const cells = new Float32Array(COLUMNS * ROWS * 3);
  for (let row = 0; row < ROWS * SAMPLES; row++) {
    const y = Math.floor(((row + 0.5) * height) / (ROWS * SAMPLES));
    for (let column = 0; column < COLUMNS * SAMPLES; column++) {
      const x = Math.floor(((column + 0.5) * width) / (COLUMNS * SAMPLES));
      const from = (y * width + x) * 3;
      const to = (Math.floor(row / SAMPLES) * COLUMNS + Math.floor(column / SAMPLES)) * 3;
      for (let channel = 0; channel < 3; channel++) {
        cells[to + channel]! += data[from + channel]! / SAMPLES ** 2;
      }
    }
  }
  return cells;
}
