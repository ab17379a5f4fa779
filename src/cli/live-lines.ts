/**
 * Lines that tell what is going on: on a terminal they change in place, below what stays; elsewhere there is only what stays.
 * All displays of the program are made of them.
 */

/** The part of a stream that a display needs. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Options of every display. */
export interface DisplayOptions {
  /** Writes nothing at all. @defaultValue false */
  readonly quiet?: boolean;
  /** The terminal cannot go back in a line. @defaultValue false */
  readonly dumb?: boolean;
  /** A clock in milliseconds. @defaultValue the monotonic one */
  readonly now?: () => number;
}

const REDRAW_MS = 200;
const BLANK_REST = '\x1b[K';
const BLANK_BELOW = '\x1b[J';

/** See the module. */
export class LiveLines {
  /** Whether lines can be changed in place. */
  readonly redraws: boolean;
  readonly now: () => number;
  readonly #stream: ProgressStream;
  readonly #quiet: boolean;
  #timer: NodeJS.Timeout | undefined;
  #drawn: readonly string[] = [];
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(
    stream: ProgressStream,
    { quiet = false, dumb = false, now = () => performance.now() }: DisplayOptions = {},
  ) {
    this.#stream = stream;
    this.#quiet = quiet;
    this.redraws = stream.isTTY === true && !dumb && !quiet;
    this.now = now;
  }

  /** Characters that a line has room for. */
  get width(): number {
    return Math.max(0, (this.#stream.columns || 80) - 1);
  }

  /** Draws what `render` gives, again and again until {@link LiveLines.clear}: time goes on without events. */
  keep(render: () => readonly string[]): void {
    if (!this.redraws) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.draw(render()), REDRAW_MS);
    this.#timer.unref();
  }

  /** Draws these lines in the place of those before, unless they are the same; what has no room is cut off. */
  draw(lines: readonly string[]): void {
    if (!this.redraws) return;
    this.#drawnAt = this.now();
    const shown = lines.map((line) => line.slice(0, this.width));
    if (shown.join('\n') === this.#drawn.join('\n')) return;
    // In one write, and each line blanked after its text: nothing flickers.
    const text = shown.map((line) => line + BLANK_REST).join('\n');
    const below = shown.length < this.#drawn.length ? BLANK_BELOW : '';
    this.#stream.write(`${this.#toFirst()}${text}${below}`);
    this.#drawn = shown;
  }

  /** As {@link LiveLines.draw}, but not more often than an eye can read. */
  offer(lines: readonly string[]): void {
    if (this.now() - this.#drawnAt >= REDRAW_MS) this.draw(lines);
  }

  /** A line that stays, above those that change. */
  print(text: string): void {
    if (this.#quiet) return;
    const drawn = this.#drawn;
    this.#erase();
    this.#stream.write(`lcm-portrait: ${text}\n`);
    this.draw(drawn);
  }

  /** Takes away what would be in the way of later output; may be called twice. */
  clear(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #erase(): void {
    if (this.#drawn.length > 0) this.#stream.write(`${this.#toFirst()}${BLANK_BELOW}`);
    this.#drawn = [];
  }

  /** To the beginning of the first of the drawn lines. */
  #toFirst(): string {
    return this.#drawn.length > 1 ? `\r\x1b[${this.#drawn.length - 1}A` : '\r';
  }
}

/** A bar of `width` characters. @param fraction - 0 to 1 */
export function drawBar(fraction: number, width: number): string {
  const filled = Math.floor(fraction * width + 1e-9);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

const MAX_BAR_WIDTH = 30;
const MIN_BAR_WIDTH = 8;

/** What is going on, a bar and facts on one line of `width` characters. What has no room goes from the end, the bar first. */
export function barLine(name: string, fraction: number, facts: readonly string[], width: number): string {
  const kept = [...facts];
  const line = () => [name, ...kept].join('  ');
  const room = Math.min(MAX_BAR_WIDTH, width - line().length - 2);
  if (room >= MIN_BAR_WIDTH) return [name, drawBar(fraction, room), ...kept].join('  ');
  while (kept.length > 1 && line().length > width) kept.pop();
  return line().slice(0, width);
}
