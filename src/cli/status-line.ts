/** One line that tells what is going on: redrawn on a terminal, printed now and then elsewhere. */
import { type DisplayOptions, LiveLines, type ProgressStream } from './live-lines.ts';

/** Elsewhere than on a terminal, a line for every so many percent. */
const PERCENT_STEP = 10;

/** See the module. */
export class StatusLine {
  readonly #lines: LiveLines;
  #name = '';
  #printedPercent = 0;

  constructor(stream: ProgressStream, options: DisplayOptions = {}) {
    this.#lines = new LiveLines(stream, options);
  }

  /** Something new begins. */
  begin(name: string): void {
    if (name === this.#name) return;
    this.#name = name;
    if (this.#lines.redraws) this.#lines.draw([`${name}…`]);
    else this.#lines.print(name);
  }

  /** How far it is. */
  update(text: string, percent: number): void {
    const line = `${this.#name}: ${text}`;
    if (this.#lines.redraws) this.#lines.offer([line]);
    else if (percent >= this.#printedPercent + PERCENT_STEP) {
      this.#printedPercent = percent - (percent % PERCENT_STEP);
      this.#lines.print(line);
    }
  }

  /** A line that stays. */
  note(message: string): void {
    this.#lines.print(`note: ${message}`);
  }

  /** Takes away what would be in the way of later output; may be called twice. */
  clear(): void {
    this.#lines.clear();
  }
}
