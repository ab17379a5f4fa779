import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ROOT, runProgram } from '../helpers/run-program.ts';

test('--help lists commands and exit statuses on stdout', async () => {
  const { stdout, stderr, status } = await runProgram(['--help']);
  assert.equal(status, 0);
  assert.equal(stderr, '');
  for (const text of ['animate', 'doctor', 'Exit status:', '130  stopped by Ctrl-C']) {
    assert.ok(stdout.includes(text), text);
  }
});

test('--version prints the version of the package', async () => {
  const { stdout, status } = await runProgram(['--version']);
  assert.equal(status, 0);
  assert.equal(stdout.trim(), JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')).version);
});

test('a command line without a command gets the help on stderr and fails', async () => {
  const { stdout, stderr, status } = await runProgram([]);
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^Usage: lcm-portrait/);
});

test('a misspelt command is one line with the command that was meant', async () => {
  const { stdout, stderr, status } = await runProgram(['anmate']);
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^lcm-portrait: error: .*unknown command 'anmate'.*animate.*\n.*--help.*\n$/);
});

test('help loads neither the networks nor the picture library', async () => {
  // The loader prints every module that is loaded.
  const { stderr, status } = await runProgram(['animate', '--help'], { env: { NODE_DEBUG: 'esm,module' } });
  assert.equal(status, 0);
  for (const heavy of ['onnxruntime', '/sharp/', 'pipeline/animate.ts', 'fluent-ffmpeg']) {
    assert.ok(!stderr.includes(heavy), heavy);
  }
  assert.ok(stderr.includes('commander'), 'the loader printed what it loaded');
});

test('the list of commands loads none of them', async () => {
  const { stderr, status } = await runProgram(['--help'], { env: { NODE_DEBUG: 'esm,module' } });
  assert.equal(status, 0);
  for (const heavy of ['/zod/', 'cli/animate.ts', 'cli/batch.ts', 'clip-options.ts']) {
    assert.ok(!stderr.includes(heavy), heavy);
  }
  assert.ok(stderr.includes('commander'), 'the loader printed what it loaded');
});
