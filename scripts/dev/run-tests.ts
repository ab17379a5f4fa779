/**
 * Runs tests:
 *
 *   node --import=tsx scripts/dev/run-tests.ts [--unit] [WORD …]
 *
 * All of them, or with --unit those that are not slow, or those whose path contains one of the words. Node 20 takes no file
 * patterns, and not every shell lists files.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * Left out of --unit: files and folders of tests that take more than some seconds of computing, because they run whole
 * programs, networks of full width, Python or other processes. Paths begin in test/.
 */
const SLOW: readonly string[] = [
  ...['e2e/', 'scripts/', 'serve/', 'tracking/'],
  ...['cli/animate.test.ts', 'cli/batch.test.ts', 'cli/main.test.ts', 'cli/models.test.ts'],
  ...['bundles/full-disk.test.ts', 'bundles/import-aniportrait.test.ts', 'bundles/fuse-bundle.test.ts'],
  ...['files/file-lock.test.ts', 'jobs/job-lock.test.ts', 'jobs/queue.test.ts', 'package.test.ts'],
  ...['models/denoising-unet.test.ts', 'models/reference-unet.test.ts', 'models/exact-savings.test.ts'],
  ...['models/flops.test.ts', 'denoising/aniportrait-loop.test.ts', 'pipeline/studio.test.ts'],
  ...['media/video-writer.test.ts', 'runtime/webgpu.test.ts'],
];

/** For a file of tests that hangs before a test begins, or computes without an end; see test/helpers/time-limit.ts. */
const FILE_LIMIT_MS = 60 * 60_000;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { values, positionals: words } = parseArgs({
  options: { unit: { type: 'boolean', default: false } },
  allowPositionals: true,
});

const files = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll(path.sep, '/'))
  .filter((name) => name.endsWith('.test.ts'))
  .filter((name) => !values.unit || !SLOW.some((slow) => name.startsWith(slow)))
  .map((name) => `test/${name}`)
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort();
if (files.length === 0) {
  console.error(`Cannot test: expected files in test/ that match ${words.join(' or ')}, got none`);
  process.exit(2);
}
const timeLimit = pathToFileURL(path.join(ROOT, 'test/helpers/time-limit.ts')).href;
// Node leaves one core idle unless it is told not to.
const options = [`--test-timeout=${FILE_LIMIT_MS}`, `--test-concurrency=${os.availableParallelism()}`];
const { status } = spawnSync(
  process.execPath,
  ['--import=tsx', `--import=${timeLimit}`, '--test', ...options, ...files],
  { cwd: ROOT, stdio: 'inherit' },
);
process.exit(status ?? 1);
