/** What failed in a run of tests: said once more at its end, where a log that is cut still has it. */
import type { EventData } from 'node:test';

/** Lines of an error that are repeated. */
const LINES = 30;

/** An error of a test, or of a process of tests, with how that ended. */
interface Ended extends Error {
  readonly exitCode?: number | null;
  readonly signal?: string | null;
}

/** Whether a test failed by itself, and not for a test within it that is reported as well. */
export function failedItself({ details: { error } }: EventData.TestFail): boolean {
  return (error as { failureType?: string }).failureType !== 'subtestsFailed';
}

/** The title, its file and the error of each failed test, with `root` taken off paths; empty where none failed. */
export function formatFailures(failures: readonly EventData.TestFail[], root: string): string {
  if (failures.length === 0) return '';
  const entries = failures.map(({ name, file, details: { error } }) => {
    const { cause, stack, message, exitCode, signal } = error as Ended;
    const ended = exitCode === undefined ? '' : ` (exit code ${exitCode}, signal ${signal})`;
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : `${stack ?? message}${ended}`;
    const lines = text.split('\n').slice(0, LINES);
    return [`✖ ${name} (${file ?? 'no file'})`, ...lines.map((line) => `  ${line}`)].join('\n');
  });
  return [`Failed: ${failures.length}`, ...entries].join('\n\n').replaceAll(root, '');
}
