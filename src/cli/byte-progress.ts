/** Progress of work that is counted in bytes: a bar on a terminal, a line for every tenth elsewhere. */
import { formatBytes, formatSeconds } from './format.ts';
import type { ProgressStream } from './progress-bar.ts';

/** Shows bytes; `close` takes away what would be in the way of later output, and may be called twice. */
export interface ByteProgress {
  /** `total` is undefined until it is known; `what` names the file or network. */
  update(done: number, total: number | undefined, what: string): void;
  notice(message: string): void;
  close(): void;
}

const MAX_BAR_WIDTH = 30;
const MIN_BAR_WIDTH = 8;
const REDRAW_MS = 200;
const CLEAR_LINE = '\r\x1b[K';

/**
 * One line of at most `columns − 1` characters: what, bar, bytes, pace and remaining time.
 *
 * @param seconds - since the work began.
 * @param begun - bytes that were there when it began.
 */
export function renderBytes(
  {
    done,
    total,
    what,
    seconds,
    begun,
  }: {
    readonly done: number;
    readonly total: number | undefined;
    readonly what: string;
    readonly seconds: number;
    readonly begun: number;
  },
  columns: number,
): string {
  const room = Math.max(0, columns - 1);
  const pace = seconds > 1 ? (done - begun) / seconds : 0;
  const facts = [
    total === undefined ? formatBytes(done) : `${Math.floor((100 * done) / total)} %`,
    ...(total === undefined ? [] : [`${formatBytes(done)} of ${formatBytes(total)}`]),
    ...(pace > 0 ? [`${formatBytes(pace)}/s`] : []),
    ...(pace > 0 && total !== undefined && done < total
      ? [`${formatSeconds((total - done) / pace)} left`]
      : []),
  ];
  const line = [what, ...facts].join('  ');
  const width = Math.min(MAX_BAR_WIDTH, room - line.length - 2);
  if (total === undefined || width < MIN_BAR_WIDTH) return line.slice(0, room);
  const filled = Math.floor((done / total) * width);
  return [what, '█'.repeat(filled) + '░'.repeat(width - filled), ...facts].join('  ');
}

/**
 * The display for a stream.
 *
 * @param now - a clock in milliseconds.
 */
export function createByteProgress(
  stream: ProgressStream,
  options: { readonly quiet?: boolean; readonly dumb?: boolean; readonly now?: () => number } = {},
): ByteProgress {
  const { quiet = false, dumb = false, now = () => performance.now() } = options;
  const redraws = stream.isTTY === true && !dumb;
  let first: { readonly at: number; readonly begun: number } | undefined;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = '';
  let shown = '';
  const clear = (): void => {
    if (drawn !== '') stream.write(CLEAR_LINE);
    drawn = '';
  };
  return {
    update(done, total, what) {
      if (quiet) return;
      first ??= { at: now(), begun: done };
      if (!redraws) {
        const tenth = total === undefined ? '' : ` ${10 * Math.floor((10 * done) / Math.max(1, total))} %`;
        if (`${what}${tenth}` === shown) return;
        shown = `${what}${tenth}`;
        stream.write(
          `lcm-portrait: ${what}${total === undefined ? '' : `:${tenth} of ${formatBytes(total)}`}\n`,
        );
        return;
      }
      if (now() - drawnAt < REDRAW_MS && done !== total) return;
      drawnAt = now();
      const seconds = (drawnAt - first.at) / 1000;
      const line = renderBytes({ done, total, what, seconds, begun: first.begun }, stream.columns || 80);
      stream.write(`\r${line}\x1b[K`);
      drawn = line;
    },
    notice(message) {
      if (quiet) return;
      clear();
      stream.write(`lcm-portrait: note: ${message}\n`);
    },
    close: clear,
  };
}
