import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../helpers/run-program.ts';

const LIMIT = { timeout: 120_000 };
const SCRIPTS = path.join(ROOT, 'scripts');
const table = readFileSync(path.join(SCRIPTS, 'README.md'), 'utf8');
const read = (name: string): string => readFileSync(path.join(SCRIPTS, name), 'utf8');
const filesOf = (folder: string): string[] =>
  readdirSync(path.join(SCRIPTS, folder)).map((name) => `${folder}/${name}`);

/** Files that are started, as their heads say; the others belong to them. */
function isProgram(name: string): boolean {
  if (!/\.(ts|py|sh)$/.test(name)) return false;
  const [head = ''] = read(name).split(/\nimport |\n\n(?=[a-z])/, 1);
  return !name.endsWith('.ts') || head.includes(`scripts/${name}`);
}

test('the table of scripts has every program, and every result that they have written', LIMIT, () => {
  const programs = ['dev', 'bench', 'assets', 'golden'].flatMap(filesOf).filter(isProgram);
  assert.ok(programs.length > 40, `${programs.length} programs`);
  const names = [...programs, ...filesOf('results')];
  assert.deepEqual(
    names.filter((name) => !table.includes(name)),
    [],
  );
});

test('what the table names is there', LIMIT, () => {
  const named =
    table.match(/\b(dev|bench|assets|golden|train|results)\/[\w/-]+\.(ts|py|sh|mdx?|jsonl|txt)/g) ?? [];
  assert.ok(named.length > 60, `${named.length} files`);
  assert.deepEqual(
    named.filter((name) => !existsSync(path.join(SCRIPTS, name))),
    [],
  );
});

test('every result names the commit that it was measured on', LIMIT, () => {
  const nameless = filesOf('results').filter((name) => !/\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b/.test(read(name)));
  assert.deepEqual(nameless, []);
});
