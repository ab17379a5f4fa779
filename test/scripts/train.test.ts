/** Tests of the training programs, in Python: all in one process, since loading PyTorch takes longer than most of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noTorch, PYTHON } from '../helpers/requirements.ts';

const FOLDER = fileURLToPath(new URL('../../scripts/train/', import.meta.url));
const MODULES = readdirSync(FOLDER)
  .filter((name) => /^test_.*\.py$/.test(name))
  .map((name) => name.replace('.py', ''));

/** Runs each module, and writes how it went: its tests, and the report of those that failed. */
const PROGRAM = `
import io, json, pathlib, sys, unittest
def run(name):
    report = io.StringIO()
    result = unittest.TextTestRunner(stream=report).run(unittest.defaultTestLoader.loadTestsFromName(name))
    return {'tests': result.testsRun, 'failure': '' if result.wasSuccessful() else report.getvalue()}
results = {name: run(name) for name in sys.argv[1:]}
import train
results['kinds'] = sorted(train.KINDS)
results['stages'] = {path.stem: train.read_settings(path.stem, [])['kind'] for path in train.CONFIG.glob('*.json')}
print(json.dumps(results))
`;

interface Results {
  readonly kinds: readonly string[];
  readonly stages: Readonly<Record<string, string>>;
  readonly [module: string]: unknown;
}

let results: Results;
before(() => {
  if (noTorch) return;
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', PROGRAM, ...MODULES], {
    cwd: FOLDER,
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' },
  });
  assert.equal(status, 0, stderr);
  results = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
});

for (const module of MODULES) {
  test(`${module}.py passes`, { skip: noTorch }, () => {
    const { tests, failure } = results[module] as { readonly tests: number; readonly failure: string };
    assert.equal(failure, '');
    assert.ok(tests > 0);
  });
}

test('every stage that can be trained has settings that its code knows', { skip: noTorch }, () => {
  const stages = Object.entries(results.stages);
  assert.ok(stages.length > 0);
  assert.deepEqual(
    stages.filter(([, kind]) => !results.kinds.includes(kind)),
    [],
  );
});
