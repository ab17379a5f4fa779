import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barLine, drawBar, LiveLines } from '../../src/cli/live-lines.ts';

const ESCAPE = '\x1b';
/** Of what displays write: a sequence, the end of a line, or text. */
const PIECES = new RegExp(`${ESCAPE}\\[\\d*[AKJ]|\\r|\\n|[^${ESCAPE}\\r\\n]+`, 'g');

/** What a terminal shows after these writes: its lines, without blanks at the end. */
function shown(writes: readonly string[]): string[] {
  const lines = [''];
  let [row, column] = [0, 0];
  for (const [piece] of writes.join('').matchAll(PIECES)) {
    if (piece === '\r') column = 0;
    else if (piece === '\n') {
      [row, column] = [row + 1, 0];
      lines[row] ??= '';
    } else if (piece.endsWith('A') && piece.startsWith('\x1b')) row -= Number(piece.slice(2, -1));
    else if (piece === '\x1b[K') lines[row] = lines[row]!.slice(0, column);
    else if (piece === '\x1b[J') {
      lines[row] = lines[row]!.slice(0, column);
      lines.length = row + 1;
    } else {
      assert.ok(row >= 0 && !piece.startsWith('\x1b'), JSON.stringify(piece));
      lines[row] = lines[row]!.slice(0, column) + piece + lines[row]!.slice(column + piece.length);
      column += piece.length;
    }
  }
  return lines;
}

function terminal(options: { columns?: number; quiet?: boolean; dumb?: boolean; isTTY?: boolean } = {}) {
  const { columns = 20, isTTY = true, ...rest } = options;
  const writes: string[] = [];
  const clock = { now: 0 };
  const stream = { isTTY, columns, write: (text: string) => writes.push(text) };
  return { writes, clock, lines: new LiveLines(stream, { ...rest, now: () => clock.now }) };
}

test('lines change in place, fewer and more of them, and what is printed stays above', () => {
  const { writes, lines } = terminal();
  lines.draw(['one, long', 'two', 'three']);
  assert.deepEqual(shown(writes), ['one, long', 'two', 'three']);
  lines.draw(['1', '2']);
  assert.deepEqual(shown(writes), ['1', '2']);
  lines.print('note: a');
  lines.print('note: b');
  assert.deepEqual(shown(writes), ['lcm-portrait: note: a', 'lcm-portrait: note: b', '1', '2']);
  lines.draw(['x', 'y', 'z']);
  lines.draw(['x']);
  assert.deepEqual(shown(writes), ['lcm-portrait: note: a', 'lcm-portrait: note: b', 'x']);
  lines.clear();
  lines.clear();
  assert.deepEqual(shown(writes), ['lcm-portrait: note: a', 'lcm-portrait: note: b', '']);
});

test('a line is as long as the terminal has room for, less one', () => {
  const { writes, lines } = terminal({ columns: 6 });
  lines.draw(['0123456789', 'ab']);
  assert.deepEqual(shown(writes), ['01234', 'ab']);
});

test('what is the same is not written again; what is offered comes at most five times a second', () => {
  const { writes, lines, clock } = terminal();
  lines.draw(['a']);
  lines.draw(['a']);
  assert.equal(writes.length, 1);
  lines.offer(['b']);
  clock.now += 199;
  lines.offer(['c']);
  assert.deepEqual(shown(writes), ['a']);
  clock.now += 1;
  lines.offer(['d']);
  assert.deepEqual(shown(writes), ['d']);
});

test('where lines cannot be changed, only what stays is written; quiet is quiet', () => {
  for (const options of [{ isTTY: false }, { dumb: true }]) {
    const { writes, lines } = terminal(options);
    lines.keep(() => assert.fail());
    lines.draw(['a']);
    lines.offer(['a']);
    lines.print('note: a');
    lines.clear();
    assert.deepEqual(writes, ['lcm-portrait: note: a\n']);
  }
  const { writes, lines } = terminal({ quiet: true });
  lines.draw(['a']);
  lines.print('a');
  lines.clear();
  assert.deepEqual(writes, []);
});

test('a bar is full only at 1, and gives way to the facts, which go from the end', () => {
  assert.equal(drawBar(0.999, 10), '█████████░');
  assert.equal(drawBar(1, 10), '██████████');
  assert.equal(
    barLine('Name', 0.5, ['50 %', 'a', 'b'], 40),
    `Name  ${'█'.repeat(11)}${'░'.repeat(11)}  50 %  a  b`,
  );
  assert.equal(barLine('Name', 0.5, ['50 %', 'a', 'b'], 18), 'Name  50 %  a  b');
  assert.equal(barLine('Name', 0.5, ['50 %', 'a', 'b'], 12), 'Name  50 %');
  assert.equal(barLine('Name', 0.5, ['50 %'], 3), 'Nam');
});
