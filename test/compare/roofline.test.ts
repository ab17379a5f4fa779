import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { placeUnderRoof, TrafficCounter } from '../../src/compare/roofline.ts';
import { buildMemoryProbe, memoryProbeBytes } from '../../src/models/memory-probe.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { withTemporary } from '../helpers/with-temporary.ts';

test('a network is bound by what it meets first', () => {
  const limits = { flops: 200e9, memory: 20e9 };
  const slow = placeUnderRoof({ flops: 1e9, bytes: 1e9, seconds: 0.1 }, limits);
  assert.deepEqual(slow, { bytes: 1e9, intensity: 1, bandwidth: 1e10, bandwidthShare: 0.5, bound: 'memory' });
  assert.equal(placeUnderRoof({ flops: 20e9, bytes: 1e9, seconds: 0.1 }, limits).bound, 'arithmetic');
});

test('bytes of a run are those that its operators read and write, and no file is left', async () => {
  const folder = temporaryDirectory();
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  const counter = await withTemporary(folder, () => TrafficCounter.open(engine, 1));
  const opened = readdirSync(folder);
  try {
    assert.ok(counter.memoryLimit > 1e8, String(counter.memoryLimit));
    const shape = { elements: 5000, sums: 3 };
    const model = buildMemoryProbe(shape).toBytes();
    const { bytes, placements } = await counter.count('probe', { model }, () => ({
      x: { data: new Float32Array(shape.elements).fill(1), dims: [shape.elements] },
    }));
    // The largest element is one number more, and the axis of the search another.
    const extra = bytes - memoryProbeBytes(shape);
    assert.ok(extra >= 0 && extra <= 16, String(extra));
    assert.deepEqual(placements.slice(0, 1), [{ provider: 'cpu', operator: 'Add', nodes: 3 }]);
    assert.deepEqual(new Set(placements.map(({ provider }) => provider)), new Set(['cpu']));
  } finally {
    await counter.dispose();
    await engine.dispose();
  }
  assert.ok(opened.length > 0);
  assert.deepEqual(readdirSync(folder), []);
});
