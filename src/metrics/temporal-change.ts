/** How much a clip changes in time, in the face and around it. */
import type { RgbImage } from '../image/rgb-image.ts';
import { assertSameSize, type Box } from './picture.ts';
import { mean } from './series.ts';

/** Mean absolute values in levels (0 to 255), inside and outside of a box; NaN where the box leaves nothing. */
export interface Change {
  readonly inside: number;
  readonly outside: number;
}

/**
 * Mean of |Σ weight · picture| over all bytes, inside and outside of `box`.
 *
 * @param pictures - of one size, as many as `weights`.
 * @throws {@link ShapeError} if the sizes differ.
 */
export function weightedChange(pictures: readonly RgbImage[], weights: readonly number[], box: Box): Change {
  const { width, height } = pictures[0]!;
  for (const picture of pictures) assertSameSize(picture, pictures[0]!);
  let [inside, insideCount, outside, outsideCount] = [0, 0, 0, 0];
  for (let y = 0; y < height; y++) {
    const inRows = y >= box.top && y < box.bottom;
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      let sum = 0;
      for (let c = at; c < at + 3; c++) {
        let value = 0;
        for (let k = 0; k < pictures.length; k++) value += weights[k]! * pictures[k]!.data[c]!;
        sum += Math.abs(value);
      }
      if (inRows && x >= box.left && x < box.right) {
        inside += sum;
        insideCount += 3;
      } else {
        outside += sum;
        outsideCount += 3;
      }
    }
  }
  return { inside: inside / insideCount, outside: outside / outsideCount };
}

/** Second difference in time: nothing for a still picture and for one that changes evenly. */
const SECOND_DIFFERENCE: readonly number[] = [1, -2, 1];

/** Takes the frames of a clip in order, and keeps three of them. */
export class FlickerMeter {
  readonly #box: Box;
  readonly #last: RgbImage[] = [];
  readonly #changes: Change[] = [];

  /** @param box - the face. */
  constructor(box: Box) {
    this.#box = box;
  }

  /** Adds the next frame, which is kept until two more have come. */
  add(frame: RgbImage): void {
    this.#last.push(frame);
    if (this.#last.length > SECOND_DIFFERENCE.length) this.#last.shift();
    if (this.#last.length === SECOND_DIFFERENCE.length) {
      this.#changes.push(weightedChange(this.#last, SECOND_DIFFERENCE, this.#box));
    }
  }

  /** Mean absolute second difference so far, in levels; NaN before the third frame. */
  result(): Change {
    return {
      inside: mean(this.#changes.map(({ inside }) => inside)),
      outside: mean(this.#changes.map(({ outside }) => outside)),
    };
  }
}
