/** What the commands that measure have in common: a status line, Ctrl-C, and JSON in place of text. */
import type { CliContext, Measuring } from './context.ts';
import { StatusLine } from './status-line.ts';
import { untilStopped } from './stop-signals.ts';

/** Switches that every measuring command has. */
export interface MeasuringSwitches {
  readonly quiet: boolean;
  readonly json: boolean;
}

/** One measuring command. */
interface MeasuringCommand<Event, Report> {
  /** What the status line says first. */
  readonly title: string;
  /** What is said at the first Ctrl-C, after `stopping`. */
  readonly onStop?: string;
  measure(
    measuring: Measuring,
    inside: { readonly signal: AbortSignal; readonly onProgress: (event: Event) => void },
  ): Promise<Report>;
  /** Shows an event to people. */
  show(status: StatusLine, event: Event): void;
  /** The report for people. */
  format(report: Report): string;
}

/**
 * Runs a measuring command; results go to standard output, all else to standard error.
 *
 * @throws the reason of the signal when it was stopped, else what `measure` throws.
 */
export async function runMeasuring<Event extends object, Report>(
  context: CliContext,
  { quiet, json }: MeasuringSwitches,
  command: MeasuringCommand<Event, Report>,
): Promise<void> {
  const { stdout, stderr, env } = context;
  const writeJson = (value: object) => stdout.write(`${JSON.stringify(value)}\n`);
  const status = new StatusLine(stderr, { quiet: quiet || json, dumb: env.TERM === 'dumb' });
  await untilStopped({ stderr, clear: () => status.clear(), outcome: command.onStop }, async (signal) => {
    const measuring = await context.loadComparison();
    signal.throwIfAborted();
    status.begin(command.title);
    const report = await command.measure(measuring, {
      signal,
      onProgress: (event) => {
        if (json) writeJson(event);
        else command.show(status, event);
      },
    });
    status.clear();
    if (json) writeJson({ type: 'result', report });
    else stdout.write(command.format(report));
  });
}
