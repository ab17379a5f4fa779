import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type EventData, run, test } from 'node:test';
import { failedItself, formatFailures } from '../../scripts/lib/test-failures.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const FAILING = `
import { test } from 'node:test';
test('passes', () => {});
test('holds another', (t) => t.test('is wrong', () => { throw new TypeError('no such thing'); }));
test('waits', { timeout: 1 }, () => new Promise((resolve) => { setTimeout(resolve, 50); }));
`;

test('each test that failed by itself is named with its file and its error', {
  timeout: 600_000,
}, async () => {
  const folder = temporaryDirectory();
  const [wrong, broken] = ['wrong.test.mjs', 'broken.test.mjs'].map((name) => path.join(folder, name));
  writeFileSync(wrong!, FAILING);
  writeFileSync(broken!, 'process.exit(3);');
  // Within a test Node runs no others, unless it does not know.
  delete process.env.NODE_TEST_CONTEXT;
  const failures: EventData.TestFail[] = [];
  const tests = run({ files: [wrong!, broken!] });
  for await (const { type, data } of tests) if (type === 'test:fail') failures.push(data);
  assert.equal(failures.length, 4);
  const text = formatFailures(failures.filter(failedItself), `${folder}${path.sep}`);
  const entries = text.split('\n\n').map((each) => each.split('\n').slice(0, 2));
  assert.deepEqual(entries[0], ['Failed: 3']);
  assert.deepEqual(
    new Set(entries.slice(1).map((lines) => lines.join('|'))),
    new Set([
      '✖ is wrong (wrong.test.mjs)|  TypeError: no such thing',
      '✖ waits (wrong.test.mjs)|  Error [ERR_TEST_FAILURE]: test timed out after 1ms',
      '✖ broken.test.mjs (broken.test.mjs)|  test failed (exit code 3, signal null)',
    ]),
  );
  assert.equal(formatFailures([], ''), '');
});
