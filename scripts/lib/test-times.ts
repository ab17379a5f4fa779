/** What processes of tests took: written by each with test/helpers/process-times.ts, read by scripts/dev/run-tests.ts. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The environment variable with the folder that times are written to. */
export const TIMES_FOLDER = 'LCM_PORTRAIT_TEST_TIMES';

/** Seconds that a process of tests took. */
export interface ProcessTimes {
  readonly wall: number;
  /** Processor time of the process and of its threads. */
  readonly own: number;
  /** That of the processes that it started and saw ending; 0 where the system does not tell. */
  readonly children: number;
}

/** Times of one or several files of tests. */
export interface TestTimes extends ProcessTimes {
  readonly names: readonly string[];
}

/** The file in {@link TIMES_FOLDER} for the process that runs `module`. */
export function timesFile(folder: string, module: string): string {
  return path.join(folder, `${module.replaceAll(/[^\w.-]/g, '_').slice(-200)}.json`);
}

/** Those of the processes that ended by themselves, by processor time, the longest first. */
export function readTimes(
  folder: string,
  shares: readonly { readonly names: readonly string[]; readonly module: string }[],
): TestTimes[] {
  return shares
    .filter(({ module }) => existsSync(timesFile(folder, module)))
    .map(({ names, module }) => ({
      names,
      ...(JSON.parse(readFileSync(timesFile(folder, module), 'utf8')) as ProcessTimes),
    }))
    .sort((a, b) => b.own + b.children - (a.own + a.children));
}

/** A table, a line for each process. */
export function formatTimes(times: readonly TestTimes[]): string {
  const sum = (of: (each: TestTimes) => number): number => times.reduce((total, each) => total + of(each), 0);
  const row = (wall: number, own: number, children: number, text: string): string =>
    `${[wall, own + children, own, children].map((value) => value.toFixed(1).padStart(11)).join('')}  ${text}`;
  return [
    `${['wall', 'processor', 'own', 'children'].map((head) => head.padStart(11)).join('')}  seconds`,
    ...times.map(({ names, wall, own, children }) => row(wall, own, children, names.join(' '))),
    row(
      sum(({ wall }) => wall),
      sum(({ own }) => own),
      sum(({ children }) => children),
      'all',
    ),
  ].join('\n');
}
