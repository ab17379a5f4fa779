import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { BatchJob } from '../../src/jobs/manifest.ts';
import { packJob, unpackJob } from '../../src/jobs/queued-job.ts';

const HERE = path.resolve('/studio/share');
const THERE = path.resolve('/mnt/other');

function job(loras: readonly string[], bundle?: string): BatchJob {
  return {
    index: 3,
    name: 'clip',
    place: 'line 1',
    options: {
      portrait: path.join(HERE, 'faces/a.jpg'),
      audio: path.join(HERE, 'a.wav'),
      output: path.join(HERE, 'out/a.mp4'),
      device: 'cpu',
      threads: 2,
      steps: 3,
      ...(loras.length > 0 && { loras: loras.map((file, i) => ({ path: file, scale: 1 - i / 4 })) }),
      ...(bundle !== undefined && { bundle, bundleStore: path.join(HERE, 'bundles') }),
    },
    priority: 2,
    attempts: 4,
  };
}

test('files in the shared folder travel relative to it, others and names as they are', () => {
  const outside = path.resolve('/opt/loras/c.safetensors');
  const packed = packJob(
    job([path.join(HERE, 'loras/b.safetensors'), outside], path.join(HERE, 'bundles/mine')),
    'key',
    HERE,
    path.join(HERE, '.lcm-portrait'),
  );
  assert.deepEqual(
    [packed.options.portrait, packed.options.audio, packed.output, packed.options.bundle],
    ['./faces/a.jpg', './a.wav', './out/a.mp4', './bundles/mine'],
  );
  assert.deepEqual(packed.options.loras, [
    { path: './loras/b.safetensors', scale: 1 },
    { path: outside, scale: 0.75 },
  ]);
  assert.deepEqual([packed.options.device, packed.options.threads], [undefined, undefined]);

  const travelled = JSON.parse(JSON.stringify(packed)) as typeof packed;
  const { options } = unpackJob(travelled, THERE).job;
  assert.deepEqual(options.loras, [
    { path: path.join(THERE, 'loras/b.safetensors'), scale: 1 },
    { path: outside, scale: 0.75 },
  ]);
  assert.equal(options.portrait, path.join(THERE, 'faces/a.jpg'));
  assert.equal(options.bundle, path.join(THERE, 'bundles/mine'));
  assert.deepEqual(
    [packed.options.bundleStore, options.bundleStore],
    ['./bundles', path.join(THERE, 'bundles')],
  );
  assert.equal(options.steps, 3);
});

test('without a shared folder of its own, a worker sees the files where the batch does', () => {
  const sent = job([path.join(HERE, 'b.safetensors')], 'tiny');
  const { job: seen, stateFolder } = unpackJob(
    packJob(sent, 'key', HERE, path.join(HERE, 'state')),
    undefined,
  );
  const { device: _, threads: __, ...options } = sent.options;
  assert.deepEqual(seen.options, options);
  assert.equal(stateFolder, path.join(HERE, 'state'));
});
