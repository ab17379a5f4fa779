/** Progress of work that is counted in bytes: a bar on a terminal, a line for every tenth elsewhere. */
import { remainingSeconds } from '../pipeline/progress.ts';
import { formatBytes, formatSeconds } from './format.ts';
import { barLine, type DisplayOptions, LiveLines, type ProgressStream } from './live-lines.ts';

/** Shows bytes; `close` takes away what would be in the way of later output, and may be called twice. */
export interface ByteProgress {
  /** `total` is undefined until it is known; `what` names the file or network. */
  update(done: number, total: number | undefined, what: string): void;
  notice(message: string): void;
  close(): void;
}

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
  const remaining =
    pace > 0 && total !== undefined
      ? remainingSeconds({ elapsed: seconds, before: begun, done, total })
      : undefined;
  const facts = [
    total === undefined ? formatBytes(done) : `${Math.floor((100 * done) / total)} %`,
    ...(total === undefined ? [] : [`${formatBytes(done)} of ${formatBytes(total)}`]),
    ...(pace > 0 ? [`${formatBytes(pace)}/s`] : []),
    ...(remaining === undefined || done === total ? [] : [`${formatSeconds(remaining)} left`]),
  ];
  return total === undefined
    ? [what, ...facts].join('  ').slice(0, room)
    : barLine(what, done / total, facts, room);
}

/** The display for a stream. */
export function createByteProgress(stream: ProgressStream, options: DisplayOptions = {}): ByteProgress {
  const lines = new LiveLines(stream, options);
  let first: { readonly at: number; readonly begun: number } | undefined;
  let printed = '';
  return {
    update(done, total, what) {
      first ??= { at: lines.now(), begun: done };
      if (!lines.redraws) {
        const tenth = total === undefined ? '' : ` ${10 * Math.floor((10 * done) / Math.max(1, total))} %`;
        if (`${what}${tenth}` === printed) return;
        printed = `${what}${tenth}`;
        lines.print(`${what}${total === undefined ? '' : `:${tenth} of ${formatBytes(total)}`}`);
        return;
      }
      const seconds = (lines.now() - first.at) / 1000;
      const line = renderBytes({ done, total, what, seconds, begun: first.begun }, lines.width + 1);
      if (done === total) lines.draw([line]);
      else lines.offer([line]);
    },
    notice: (message) => lines.print(`note: ${message}`),
    close: () => lines.clear(),
  };
}
