/** Reports of measurements. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';

/** Of the minute before the measurement began. */
const LOAD = loadavg()[0]!;

/** The commit that is measured, abbreviated; ends in `+` where files of the program were changed since. */
export function measuredCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no', ':/src', ':/assets') !== '';
  return git('rev-parse', '--short=10', 'HEAD') + (changed ? '+' : '');
}

/** A sentence for a report: what was measured, and how busy the machine was before. */
export function measuredOn(): string {
  return `Measured on commit ${measuredCommit()}; the machine’s load average was ${LOAD.toFixed(1)} when the measurement began.`;
}

/** Writes a report to a file, or prints it where there is none; its first line is the title. */
export async function writeReport(output: string | undefined, lines: readonly string[]): Promise<void> {
  const [title, ...others] = lines;
  const report = [title, '', measuredOn(), ...others, ''].join('\n');
  if (output === undefined) {
    console.log(report);
    return;
  }
  await mkdir(path.dirname(output), { recursive: true });
  await writeFile(output, report);
}
