import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { clockOffset, operatorFlops, readOperatorProfile } from '../../src/compare/operator-profile.ts';
import { buildMatrixProbe, matrixProbeFlops } from '../../src/models/matrix-probe.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { monotonicNow } from '../../src/runtime/time-span.ts';

test('operations are counted from shapes', () => {
  // 2 · outputs · (inputs · kernel): by hand.
  const image = [2, 8, 10, 10];
  assert.equal(operatorFlops('Conv', [image, [4, 8, 3, 3], [4]], [[2, 4, 10, 10]]), 2 * 800 * 72);
  assert.equal(operatorFlops('Gemm', [[6, 5], [7]], [[6, 7]]), 2 * 6 * 7 * 5);
  assert.equal(operatorFlops('MatMul', [[3, 6, 5]], [[3, 6, 7]]), 2 * 3 * 6 * 7 * 5);
  const attention = [
    [2, 10, 16],
    [2, 30, 16],
    [2, 30, 16],
  ];
  assert.equal(operatorFlops('MultiHeadAttention', attention, [[2, 10, 16]]), 2 * 2 * (2 * 10 * 30 * 16));
  assert.equal(operatorFlops('Add', [image, image], [image]), 0);
});

test('a session lies within its caller’s times', () => {
  const session = [
    { begin: 10, end: 12 },
    { begin: 20, end: 23 },
  ];
  // 100 later; the caller sees each run a little longer on both sides.
  const caller = [
    { begin: 109.7, end: 112.3 },
    { begin: 119.9, end: 123.1 },
  ];
  const offset = clockOffset(session, caller);
  assert.ok(Math.abs(offset - 100) <= 0.1, String(offset));
});

test('an engine that profiles tells runs and operators that account for them', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lcm-portrait-operators-'));
  const engine = await Engine.open({ device: 'cpu', threads: 1, profileFolder: folder });
  try {
    const shape = { size: 256, products: 5 };
    const begin = monotonicNow();
    const network = await engine.load('probe', buildMatrixProbe(shape).toBytes());
    const disposed = await engine.load('disposed', buildMatrixProbe({ size: 64, products: 1 }).toBytes());
    await disposed.dispose();
    const x = { data: new Float32Array(256 * 256).fill(0.5), dims: [256, 256] };
    for (let i = 0; i < 3; i++) await network.run({ x });
    const profiles = await engine.takeProfiles();
    const end = monotonicNow();
    assert.deepEqual(
      profiles.map(({ name, runs }) => [name, runs.length]),
      [
        ['probe', 3],
        ['disposed', 0],
      ],
    );
    const { prefix, runs, load } = profiles[0]!;
    for (const span of [load, ...runs])
      assert.ok(begin <= span.begin && span.begin <= span.end && span.end <= end);

    const found = await readOperatorProfile(prefix, 4);
    assert.equal(found.runs.length, 3);
    assert.equal(found.operators.length, 4);
    const products = found.groups.filter(({ operator }) => operator === 'MatMul');
    const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
    assert.equal(sum(products.map(({ calls }) => calls)), 3 * shape.products);
    assert.equal(sum(products.map(({ flops }) => flops)), 3 * matrixProbeFlops(shape));
    // Each product reads two matrices, also where the engine keeps one to itself, and writes one.
    assert.equal(sum(products.map(({ bytes }) => bytes)), 3 * shape.products * 3 * 4 * 256 ** 2);
    const inRuns = sum(runs.map((run) => (run.end - run.begin) / 1e3));
    const inOperators = sum(found.groups.map(({ seconds }) => seconds));
    assert.ok(inOperators > 0 && inOperators <= inRuns);
    // Afterwards nothing is noted, and networks run on.
    await network.run({ x });
    assert.deepEqual(await engine.takeProfiles(), []);
  } finally {
    await engine.dispose();
    await rm(folder, { recursive: true, force: true });
  }
});
