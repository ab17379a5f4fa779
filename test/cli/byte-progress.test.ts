import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createByteProgress, renderBytes } from '../../src/cli/byte-progress.ts';

test('a line tells part, bytes, pace and what is left, and fits the terminal', () => {
  const state = { done: 3e9, total: 6e9, what: 'Fetching a.safetensors', seconds: 10, begun: 1e9 };
  const line = renderBytes(state, 120);
  assert.match(
    line,
    /^Fetching a\.safetensors {2}█+░+ {2}50 % {2}3\.0 GB of 6\.0 GB {2}200 MB\/s {2}15 s left$/,
  );
  for (const columns of [100, 60, 30, 5, 1])
    assert(renderBytes(state, columns).length < Math.max(1, columns));
  assert.equal(renderBytes({ ...state, total: undefined }, 100), 'Fetching a.safetensors  3.0 GB  200 MB/s');
  assert.doesNotMatch(renderBytes({ ...state, done: 6e9 }, 120), /left/);
});

test('a terminal gets one line that changes; anything else a line for every tenth; quiet is quiet', () => {
  const written: string[] = [];
  const stream = { write: (text: string) => void written.push(text), isTTY: true, columns: 80 };
  let now = 0;
  const bar = createByteProgress(stream, { now: () => now });
  for (let done = 0; done <= 100; done += 10) {
    bar.update(done, 100, 'Importing');
    now += 50;
  }
  bar.notice('something');
  bar.close();
  bar.close();
  assert(written.filter((text) => text.startsWith('\rImporting')).length < 6);
  const line = written.findLast((text) => text.startsWith('\rImporting'))!;
  assert.deepEqual(written.slice(-4), ['\r\x1b[J', 'lcm-portrait: note: something\n', line, '\r\x1b[J']);

  written.length = 0;
  const lines = createByteProgress({ write: stream.write });
  for (let done = 0; done <= 100; done++) lines.update(done, 100, 'Importing');
  assert.equal(written.length, 11);
  assert.equal(written.at(-1), 'lcm-portrait: Importing: 100 % of 100 B\n');
  written.length = 0;
  const quiet = createByteProgress(stream, { quiet: true });
  quiet.update(1, 2, 'x');
  quiet.notice('x');
  quiet.close();
  assert.deepEqual(written, []);
});
