import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { placeInRows, type Track, traceEvents, writeTrace } from '../../src/compare/trace.ts';
import { fc } from '../helpers/fast-check.ts';

interface Event {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
}

const spans = fc.array(
  fc
    .record({ begin: fc.integer({ min: 0, max: 200 }), length: fc.integer({ min: 0, max: 60 }) })
    .map(({ begin, length }) => ({ name: 'x', begin, end: begin + length })),
  { maxLength: 30 },
);

/** Whether two spans of a row are apart or one lies in the other. */
function fit(a: { begin: number; end: number }, b: { begin: number; end: number }): boolean {
  const apart = a.end <= b.begin || b.end <= a.begin;
  return apart || (a.begin <= b.begin && b.end <= a.end) || (b.begin <= a.begin && a.end <= b.end);
}

test('rows hold every span once, and spans of a row nest or follow each other', () => {
  fc.assert(
    fc.property(spans, (given) => {
      const rows = placeInRows(given);
      assert.equal(rows.flat().length, given.length);
      assert.deepEqual(new Set(rows.flat()), new Set(given));
      for (const row of rows) for (const a of row) for (const b of row) assert.ok(fit(a, b));
    }),
  );
});

test('spans that do not overlap share one row', () => {
  const given = [0, 1, 2, 3].map((begin) => ({ name: 'x', begin, end: begin + 1 }));
  assert.equal(placeInRows(given).length, 1);
});

const TRACKS: readonly Track[] = [
  {
    process: 'program',
    name: 'engine',
    spans: [
      { name: 'run', category: 'run', begin: 1000.5, end: 1003.25 },
      { name: 'Conv', category: 'operator', begin: 1001, end: 1002, args: { node: 'a' } },
      { name: 'late', category: 'run', begin: 1003, end: 1004 },
    ],
  },
  { process: 'encoder', name: 'encoder', spans: [] },
];

test('events have the fields of the format, microseconds from the origin, and names for their rows', () => {
  const events = [...traceEvents(TRACKS, 1000)] as Event[];
  const complete = events.filter(({ ph }) => ph === 'X');
  const found = complete.map(({ name, ts, dur, tid }) => [name, ts, dur, tid]);
  assert.deepEqual(found, [
    ['run', 500, 2750, 1],
    ['Conv', 1000, 1000, 1],
    ['late', 3000, 1000, 2],
  ]);
  const names = events.filter(({ name }) => name === 'thread_name');
  assert.deepEqual(
    names.map((event) => (event as unknown as { args: { name: string } }).args.name),
    ['engine', 'engine, 2'],
  );
});

test('the file is JSON with all events in it', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lcm-portrait-trace-'));
  try {
    const file = path.join(folder, 'trace.json');
    await writeTrace(file, TRACKS, { origin: 1000, facts: { frames: 3 } });
    const { traceEvents: written, otherData } = JSON.parse(await readFile(file, 'utf8'));
    assert.deepEqual(written, JSON.parse(JSON.stringify([...traceEvents(TRACKS, 1000)])));
    assert.deepEqual(otherData, { frames: 3 });
    await writeTrace(path.join(folder, 'empty.json'), [], { origin: 0, facts: {} });
    assert.deepEqual(JSON.parse(await readFile(path.join(folder, 'empty.json'), 'utf8')).traceEvents, []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
