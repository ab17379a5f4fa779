/** Takes out a constant offset, which loudness would be measured with and which clicks where a clip begins. */

/** Below what is heard and what a voice has. */
const CORNER_HZ = 10;

/**
 * A filter for one channel; it keeps its state between pieces.
 *
 * Source: J. O. Smith, Introduction to Digital Filters, "DC Blocker".
 */
export class DcBlocker {
  readonly #pole: number;
  #input: number | undefined;
  #output = 0;

  constructor(sampleRate: number) {
    this.#pole = Math.exp((-2 * Math.PI * CORNER_HZ) / sampleRate);
  }

  /** The next sample without its offset. */
  next(sample: number): number {
    // The offset is there from the first sample on: it is no step.
    this.#output = sample - (this.#input ?? sample) + this.#pole * this.#output;
    this.#input = sample;
    return this.#output;
  }
}
