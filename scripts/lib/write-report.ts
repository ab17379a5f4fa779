/** Reports of measurements. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Writes a report of these lines to a file, or prints it where there is none. */
export async function writeReport(output: string | undefined, lines: readonly string[]): Promise<void> {
  const report = [...lines, ''].join('\n');
  if (output === undefined) {
    console.log(report);
    return;
  }
  await mkdir(path.dirname(output), { recursive: true });
  await writeFile(output, report);
}
