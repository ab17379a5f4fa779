import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  compareRatios,
  lastOfMachine,
  parseHistory,
  RATIOS,
  type RatioEntry,
} from '../../scripts/lib/ratio-history.ts';

const entry = (processor: string, cores: number, commit: string): RatioEntry => ({
  date: '2026-01-02',
  commit,
  processor,
  cores,
  versions: { node: '20.19.0', onnxruntime: '1.30.0' },
  ratios: { denoiserPeakShare: 0.7, decodePerDenoise: 0.25 },
});

test('a history is read as it was written, and empty lines do not count', () => {
  const entries = [entry('one', 2, 'a'), entry('two', 2, 'b')];
  const text = `${entries.map((each) => JSON.stringify(each)).join('\n')}\n\n`;
  assert.deepEqual(parseHistory(text), entries);
  assert.deepEqual(parseHistory(''), []);
});

test('a line that is no entry is named', () => {
  const good = JSON.stringify(entry('one', 2, 'a'));
  assert.throws(() => parseHistory(`${good}\n{`), /line 2/);
  assert.throws(() => parseHistory('null'), /line 1/);
  const odd = JSON.stringify({ ...entry('one', 2, 'a'), ratios: { denoiserPeakShare: 'fast' } });
  assert.throws(() => parseHistory(`${good}\n${odd}`), /line 2/);
});

test('the last entry of the same processor and number of cores is found', () => {
  const history = [entry('one', 2, 'a'), entry('one', 2, 'b'), entry('one', 4, 'c'), entry('two', 2, 'd')];
  assert.equal(lastOfMachine(history, { processor: 'one', cores: 2 })?.commit, 'b');
  assert.equal(lastOfMachine(history, { processor: 'three', cores: 2 }), undefined);
});

test('ratios are better or worse by their own direction, beyond what measurements differ by', () => {
  const before = { denoiserPeakShare: 0.7, decodePerDenoise: 0.25, exactSavings: 1.2 };
  const now = { denoiserPeakShare: 0.77, decodePerDenoise: 0.3, exactSavings: 1.21, wallPerNetworks: 1.1 };
  const verdicts = compareRatios(now, before).map(({ name, verdict }) => [name, verdict]);
  assert.deepEqual(Object.fromEntries(verdicts), {
    denoiserPeakShare: 'better',
    decodePerDenoise: 'worse',
    exactSavings: 'same',
    wallPerNetworks: 'new',
  });
});

const stored = fileURLToPath(new URL('../../scripts/results/ratios.jsonl', import.meta.url));

test('the stored history can be read, and has no ratios that are unknown', {
  skip: existsSync(stored) ? false : 'nothing was recorded yet',
}, () => {
  const history = parseHistory(readFileSync(stored, 'utf8'));
  assert.ok(history.length > 0);
  for (const { ratios } of history) for (const name of Object.keys(ratios)) assert.ok(name in RATIOS, name);
});
