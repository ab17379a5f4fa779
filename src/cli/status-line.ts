/** One line that tells what is going on: redrawn on a terminal, printed now and then elsewhere. */
import type { ProgressStream } from './progress-bar.ts';

const CLEAR_LINE = '\r\x1b[K';
/** Elsewhere than on a terminal, a line for every so many percent. */
const PERCENT_STEP = 10;
const REDRAW_MS = 200;

/** See the module. */
export class StatusLine {
  readonly #stream: ProgressStream;
  readonly #quiet: boolean;
  readonly #redraws: boolean;
  #name = '';
  #drawn = '';
  #drawnAt = 0;
  #printedPercent = 0;

  constructor(
    stream: ProgressStream,
    { quiet = false, dumb = false }: { readonly quiet?: boolean; readonly dumb?: boolean } = {},
  ) {
    this.#stream = stream;
    this.#quiet = quiet;
    this.#redraws = stream.isTTY === true && !dumb;
  }

  /** Something new begins. */
  begin(name: string): void {
    if (name === this.#name) return;
    this.#name = name;
    if (this.#redraws) this.#draw(`${name}…`);
    else this.#print(name);
  }

  /** How far it is. */
  update(text: string, percent: number): void {
    if (this.#redraws) {
      if (performance.now() - this.#drawnAt < REDRAW_MS) return;
      this.#draw(`${this.#name}: ${text}`);
    } else if (percent >= this.#printedPercent + PERCENT_STEP) {
      this.#printedPercent = percent - (percent % PERCENT_STEP);
      this.#print(`${this.#name}: ${text}`);
    }
  }

  /** A line that stays. */
  note(message: string): void {
    const line = this.#drawn;
    this.clear();
    this.#print(`note: ${message}`);
    if (line !== '') this.#draw(line);
  }

  /** Takes away what would be in the way of later output; may be called twice. */
  clear(): void {
    if (this.#drawn !== '') this.#stream.write(CLEAR_LINE);
    this.#drawn = '';
  }

  #draw(line: string): void {
    if (this.#quiet) return;
    const text = line.slice(0, Math.max(0, (this.#stream.columns ?? 80) - 1));
    this.#stream.write(`\r${text}\x1b[K`);
    this.#drawn = text;
    this.#drawnAt = performance.now();
  }

  #print(text: string): void {
    if (!this.#quiet) this.#stream.write(`lcm-portrait: ${text}\n`);
  }
}
