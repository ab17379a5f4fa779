/**
 * Runs tests:
 *
 *   node --import=tsx scripts/dev/run-tests.ts [--unit] [WORD …]
 *
 * All of them, or with --unit those that are not slow, or those whose path contains one of the words. Node 20 takes no file
 * patterns, and not every shell lists files.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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

/**
 * Files of these folders share processes: starting one and loading the program takes longer than most of their tests. They
 * compute, and change nothing of the process.
 */
const TOGETHER: readonly string[] = [
  ...[
    'compare',
    'denoising',
    'face',
    'image',
    'metrics',
    'models',
    'motion',
    'scene',
    'schedulers',
    'weights',
  ],
];
/** Files of one process: few enough that all cores are busy to the end. */
const FILES_TOGETHER = 7;

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
/** Files, or modules in `folder` that import several of them. */
function share(names: readonly string[], folder: string): string[] {
  const alone: string[] = [];
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const [, top = ''] = name.split('/');
    if (!TOGETHER.includes(top)) alone.push(name);
    else groups.set(top, [...(groups.get(top) ?? []), name]);
  }
  const modules = [...groups].flatMap(([top, members]) => {
    const count = Math.ceil(members.length / FILES_TOGETHER);
    return Array.from({ length: count }, (_, part) => {
      const file = path.join(folder, `${top}-${part + 1}.test.mjs`);
      const own = members.filter((_member, i) => i % count === part);
      const imports = own.map(
        (name) => `import ${JSON.stringify(pathToFileURL(path.join(ROOT, name)).href)};\n`,
      );
      writeFileSync(file, imports.join(''));
      return file;
    });
  });
  return [...modules, ...alone];
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-unit-'));
const shared = share(files, folder);
const timeLimit = pathToFileURL(path.join(ROOT, 'test/helpers/time-limit.ts')).href;
// Node leaves one core idle unless it is told not to.
const options = [`--test-timeout=${FILE_LIMIT_MS}`, `--test-concurrency=${os.availableParallelism()}`];
const { status } = spawnSync(
  process.execPath,
  ['--import=tsx', `--import=${timeLimit}`, '--test', ...options, ...shared],
  { cwd: ROOT, stdio: 'inherit' },
);
rmSync(folder, { recursive: true, force: true });
process.exit(status ?? 1);
