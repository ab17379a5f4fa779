import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { LOADER, MAIN, ROOT } from '../helpers/run-program.ts';

const LIMIT = { timeout: 600_000, skip: process.platform !== 'linux' && 'names of Linux’s devices' };
const program = [process.execPath, ...LOADER, MAIN].map((word) => `'${word}'`).join(' ');

/** Runs a line of bash in which `$program` is the program. */
async function bash(line: string): Promise<string> {
  const run = await promisify(execFile)('bash', ['-c', line.replaceAll('$program', program)], { cwd: ROOT });
  return run.stdout + run.stderr;
}

test('a reader that goes, and closed streams, are no failure', LIMIT, async () => {
  assert.equal(await bash('$program --help 2>&1 | head -c 6; echo "|$PIPESTATUS"'), 'Usage:|0\n');
  assert.equal(await bash('$program models list <&- >&- 2>&-; echo $?'), '0\n');
  assert.equal(await bash('$program nonsense 2> >(exec true); echo $?'), '2\n');
});

test('text that cannot be written is an error with a status of its own', LIMIT, async () => {
  assert.equal(
    await bash('$program models list 2>&1 >/dev/full; echo $?'),
    'lcm-portrait: error: Cannot write to standard output: expected room for the text, got an error (ENOSPC)\n3\n',
  );
  assert.equal(await bash('$program models list 2>/dev/full >/dev/null; echo $?'), '0\n');
});
