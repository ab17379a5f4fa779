import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { test } from 'node:test';
import { LOADER, moduleFile } from '../helpers/run-program.ts';

const canBind = spawnSync('taskset', ['-c', '0', 'true']).status === 0 && cpus().length > 1;

test('an engine of a process that is bound to one core starts no thread on another', {
  timeout: 120_000,
  skip: canBind ? false : 'no taskset, or one core',
}, () => {
  const program = [process.execPath, ...LOADER, moduleFile('test/runtime/fixtures/engine-threads.ts')];
  const started = execFileSync('taskset', ['-c', '0', ...program], { encoding: 'utf8' });
  const cores: unknown = JSON.parse(started);
  assert.ok(Array.isArray(cores) && cores.every((of) => of === '0'), started);
});
