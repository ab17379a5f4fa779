import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noTorch, PYTHON } from '../helpers/requirements.ts';

const FOLDER = fileURLToPath(new URL('../../scripts/train/', import.meta.url));
const python = (...args: string[]) =>
  spawnSync(PYTHON, args, {
    cwd: FOLDER,
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' },
  });

for (const file of readdirSync(FOLDER).filter((name) => /^test_.*\.py$/.test(name))) {
  test(`${file} passes`, { skip: noTorch }, () => {
    const { status, stderr } = python('-m', 'unittest', file.replace('.py', ''));
    assert.equal(status, 0, stderr);
  });
}

test('every stage that can be trained has settings that its code knows', { skip: noTorch }, () => {
  const program = [
    'import pathlib, train',
    'for path in sorted(train.CONFIG.glob("*.json")):',
    '    settings = train.read_settings(path.stem, [])',
    '    assert settings["kind"] in train.KINDS, path',
  ].join('\n');
  const { status, stderr } = python('-c', program);
  assert.equal(status, 0, stderr);
});
