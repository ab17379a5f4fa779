/**
 * Runs all tests, or those whose path contains one of the words given:
 *
 *   node --import=tsx scripts/dev/run-tests.ts [WORD …]
 *
 * Node 20 takes no file patterns, and not every shell lists files.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const words = process.argv.slice(2);

const files = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => path.join('test', name))
  .filter((name) => words.length === 0 || words.some((word) => name.replaceAll(path.sep, '/').includes(word)))
  .sort();
if (files.length === 0) {
  console.error(`Cannot test: expected files in test/ that match ${words.join(' or ')}, got none`);
  process.exit(2);
}
const { status } = spawnSync(process.execPath, ['--import=tsx', '--test', ...files], {
  cwd: ROOT,
  stdio: 'inherit',
});
process.exit(status ?? 1);
