/** Connects the program to the process that it runs in. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MediaError } from '../errors.ts';
import { userHome } from '../files/user-home.ts';
import type { CliContext } from './context.ts';
import { runProgram } from './program.ts';
import { reportError } from './report-error.ts';

/**
 * Runs this process's command line; the process ends with its status when nothing is left to do.
 *
 * @param parts - what commands work with.
 */
export async function runThisProcess(
  parts: Pick<CliContext, 'loadPipeline' | 'loadJobs' | 'loadComparison' | 'loadServer' | 'examine'>,
): Promise<void> {
  // A reader that has gone, as in `lcm-portrait … | head -1`, or a closed terminal, is no reason to fail: the
  // video is the result, the text is not. Text that somebody wants and that cannot be kept is one, at the end.
  let lost: NodeJS.ErrnoException | undefined;
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'].includes(error.code ?? '')) lost ??= error;
  });
  // Without either, ONNX Runtime writes a file of its own into the working folder.
  if (process.platform === 'linux' && !process.env.HOME && !process.env.XDG_CACHE_HOME) {
    process.env.XDG_CACHE_HOME = path.join(userHome(), '.cache');
  }
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const args = process.argv.slice(2);
  const context: CliContext = {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    version: manifest.version,
    ...parts,
  };
  // A bug outside any promise that the command waits for: reported like every other, after what a bar has drawn.
  process.on('uncaughtException', (error) => {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    process.exit(reportError(error, context, args.includes('--json')));
  });
  process.exitCode = await runProgram(args, context);
  process.on('exit', () => {
    if (lost === undefined || process.exitCode !== 0) return;
    const message = `Cannot write to standard output: expected room for the text, got an error (${lost.code})`;
    process.exitCode = reportError(new MediaError(message, '-', { cause: lost }), context, false);
  });
}
