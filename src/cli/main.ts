#!/usr/bin/env node
/** The program's entry: connects the commands to this process. Starts fast: what is heavy is loaded by commands. */
import { readFileSync } from 'node:fs';
import { runProgram } from './program.ts';

// A reader that has gone, as in `lcm-portrait … | head -1`, or a closed terminal, is no reason to fail: the
// video is the result, the text is not.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (!['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'].includes(error.code ?? '')) throw error;
  });
}

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

process.exitCode = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  version: manifest.version,
  loadPipeline: () => import('../pipeline/animate.ts'),
  examine: async () => (await import('./examine-machine.ts')).examineMachine(process.env),
});
