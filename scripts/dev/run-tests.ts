/**
 * Runs tests:
 *
 *   node --import=tsx scripts/dev/run-tests.ts [--unit] [--times] [WORD …]
 *
 * All of them, or with --unit those that are not slow, or those whose path contains one of the words; --times lists what each
 * file took. They run compiled (scripts/lib/compile-tests.ts); a file by itself runs as it is, too:
 *
 *   node --import=tsx --test test/tensor/float16.test.ts
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type EventData, run } from 'node:test';
import { spec, tap } from 'node:test/reporters';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { compileTests } from '../lib/compile-tests.ts';
import { failedItself, formatFailures } from '../lib/test-failures.ts';
import { formatTimes, readTimes, TIMES_FOLDER } from '../lib/test-times.ts';

/**
 * Left out of --unit: files and folders of tests that take more than some seconds of computing, because they run whole
 * programs, networks of full width, Python or other processes. Paths begin in test/.
 */
const SLOW: readonly string[] = [
  ...['e2e/', 'scripts/', 'serve/', 'tracking/'],
  ...['cli/animate.test.ts', 'cli/batch.test.ts', 'cli/main.test.ts', 'cli/models.test.ts'],
  ...['cli/refusals.test.ts', 'html/narrow-page.test.ts', 'scene/background.test.ts'],
  ...['bundles/full-disk.test.ts', 'bundles/import-aniportrait.test.ts', 'bundles/fuse-bundle.test.ts'],
  ...['files/file-lock.test.ts', 'jobs/job-lock.test.ts', 'jobs/queue.test.ts', 'package.test.ts'],
  ...['models/denoising-unet.test.ts', 'models/reference-unet.test.ts', 'models/exact-savings.test.ts'],
  ...['models/flops.test.ts', 'models/pieces.test.ts', 'denoising/aniportrait-loop.test.ts'],
  ...['pipeline/open-job.test.ts', 'pipeline/studio.test.ts'],
  ...['pipeline/replaced-bundle.test.ts', 'container.test.ts'],
  ...['cli/run-process.test.ts', 'cli/examine-machine.test.ts', 'files/own-file.test.ts'],
  ...['media/browser-colours.test.ts', 'compare/embed-shown-person.test.ts', 'driving/pose-video.test.ts'],
  ...['scene/open-film.test.ts'],
  ...['media/video-writer.test.ts', 'media/output-formats.test.ts', 'media/odd-sound.test.ts'],
  ...['media/read-audio.test.ts', 'media/film-frames.test.ts'],
  ...['runtime/webgpu.test.ts'],
  ...['networks/half-precision-network.test.ts'],
];

/** Started before all others, the longest first, so that no core waits for the last of them. */
const LONGEST: readonly string[] = [
  ...['e2e/aniportrait.test.ts', 'e2e/batch.test.ts', 'serve/page.test.ts', 'e2e/compare.test.ts'],
  ...['e2e/animate.test.ts', 'e2e/golden-clip.test.ts', 'serve/queue.test.ts'],
  ...['serve/restart.test.ts', 'jobs/queue.test.ts', 'pipeline/studio.test.ts', 'cli/main.test.ts'],
];

/**
 * Files of these folders share processes, but for the longest: starting one and loading the program takes longer than most of
 * their tests. They leave the process as it was, and measure nothing of it.
 */
const TOGETHER: readonly string[] = [
  ...['bundles', 'compare', 'denoising', 'driving', 'face', 'image', 'jobs', 'media', 'metrics', 'models'],
  ...['motion', 'networks', 'pipeline', 'scene', 'schedulers', 'weights'],
];
/** Files of one process: few enough that all cores are busy to the end. */
const FILES_TOGETHER = 7;

/** For a file of tests that hangs before a test begins, or computes without an end; see test/helpers/time-limit.ts. */
const FILE_LIMIT_MS = 60 * 60_000;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { values, positionals: words } = parseArgs({
  options: { unit: { type: 'boolean', default: false }, times: { type: 'boolean', default: false } },
  allowPositionals: true,
});

const names = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll(path.sep, '/'))
  .filter((name) => name.endsWith('.test.ts'))
  .filter((name) => !values.unit || !SLOW.some((slow) => name.startsWith(slow)))
  .filter((name) => words.length === 0 || words.some((word) => `test/${name}`.includes(word)))
  .sort();
if (names.length === 0) {
  console.error(`Cannot test: expected files in test/ that match ${words.join(' or ')}, got none`);
  process.exit(2);
}

/** A process of tests: files of test/, and the module that imports them. */
interface Share {
  readonly names: readonly string[];
  readonly module: string;
}

/**
 * A module that imports others, one after the other. Its own test comes first and ends last of all that is imported: tests that
 * are there would otherwise begin and end, and what was made for all of them be removed, while a module still waits for something.
 */
function importsOf(urls: readonly string[], titles: readonly string[]): string {
  return [
    "import { test } from 'node:test';",
    'let loaded;',
    `test(${JSON.stringify(`modules load: ${titles.join(', ')}`)}, () => new Promise((resolve) => { loaded = resolve; }));`,
    ...urls.map((url) => `await import(${JSON.stringify(url)});`),
    'loaded();',
    '',
  ].join('\n');
}

/** Which files share a process, in the order in which the processes start; `folder` takes modules that import several. */
function share(tree: string, folder: string): Share[] {
  const moduleOf = (name: string): string => path.join(tree, 'test', name.replace(/\.ts$/, '.js'));
  const alone: string[] = [];
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const [top = ''] = name.split('/');
    if (!TOGETHER.includes(top) || LONGEST.includes(name)) alone.push(name);
    else groups.set(top, [...(groups.get(top) ?? []), name]);
  }
  const shared = [...groups].flatMap(([top, members]) => {
    if (members.length === 1) {
      alone.push(...members);
      return [];
    }
    const count = Math.ceil(members.length / FILES_TOGETHER);
    return Array.from({ length: count }, (_, part) => {
      const module = path.join(folder, `${top}-${part + 1}.test.mjs`);
      const own = members.filter((_member, i) => i % count === part);
      const urls = own.map((name) => pathToFileURL(moduleOf(name)).href);
      writeFileSync(module, importsOf(urls, own));
      return { names: own, module };
    });
  });
  const rank = (name: string): number => (LONGEST.indexOf(name) + 1 || LONGEST.length + 1) - 1;
  alone.sort((a, b) => rank(a) - rank(b));
  const first = alone.filter((name) => LONGEST.includes(name)).length;
  const own = alone.map((name) => ({ names: [name], module: moduleOf(name) }));
  return [...own.slice(0, first), ...shared, ...own.slice(first)];
}

process.chdir(ROOT);
const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-unit-'));
const tree = await compileTests(ROOT);
process.once('exit', () => {
  for (const made of [folder, tree]) rmSync(made, { recursive: true, force: true, maxRetries: 3 });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const shares = share(tree, folder);
// Processes of tests are started with what this one was started with.
const preloaded = ['time-limit.js', ...(values.times ? ['process-times.js'] : [])].map(
  (name) => `--import=${pathToFileURL(path.join(tree, 'test/helpers', name))}`,
);
process.execArgv.splice(0, Number.POSITIVE_INFINITY, '--enable-source-maps', ...preloaded);
process.env[TIMES_FOLDER] = folder;
const tests = run({
  files: shares.map(({ module }) => module),
  concurrency: os.availableParallelism(), // Node's default leaves one core idle
  timeout: FILE_LIMIT_MS,
});
const failures: EventData.TestFail[] = [];
tests.on('test:fail', (failure) => {
  process.exitCode = 1;
  if (failedItself(failure)) failures.push(failure);
});
const report = process.stdout.isTTY ? tests.compose(new spec()) : tests.compose(tap);
for await (const text of report) process.stdout.write(text);
if (values.times) console.log(formatTimes(readTimes(folder, shares)));
// A reporter of TAP leaves a failure among thousands of lines.
if (!process.stdout.isTTY && failures.length > 0) console.log(`\n${formatFailures(failures, ROOT)}`);
