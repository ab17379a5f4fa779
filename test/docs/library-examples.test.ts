/** What README.md and docs/library.md show of the library. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as library from '../../src/index.ts';
import { ROOT } from '../helpers/run-program.ts';

/** Of the repository: compiled tests are elsewhere. */
const read = (name: string): string => readFileSync(`${ROOT}${name}`, 'utf8');
const indentation = /^[ \t]+/gm;

/** The TypeScript of a page, without the imports. */
function examplesOf(page: string): string[] {
  return [...read(page).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) =>
    code!.replace(/^import .*\n+/gm, ''),
  );
}

test('every example of the library is one that is compiled', () => {
  const compiled = read('test/docs/library-examples.ts').replace(indentation, '');
  const examples = ['README.md', 'docs/library.md'].flatMap(examplesOf);
  assert.equal(examples.length, 5);
  for (const example of examples) assert.ok(compiled.includes(example.replace(indentation, '')), example);
});

test('the table of functions names all that are exported, and the table of errors all classes', () => {
  const page = read('docs/library.md');
  const missing = Object.keys(library).filter((name) => !page.includes(`\`${name}`));
  assert.deepEqual(missing, []);
});
