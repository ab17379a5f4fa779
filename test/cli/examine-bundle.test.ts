import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describePlacements } from '../../src/cli/describe-placements.ts';
import { describeEstimate, describeNetwork } from '../../src/cli/examine-bundle.ts';

const PLACEMENTS = [
  { provider: 'webgpu', operator: 'Conv', nodes: 60 },
  { provider: 'webgpu', operator: 'Add', nodes: 40 },
  { provider: 'cpu', operator: 'Reshape', nodes: 3 },
  { provider: 'cpu', operator: 'Gather', nodes: 1 },
];

test('nodes are counted by where they run, and those that have strayed are named', () => {
  assert.equal(describePlacements(PLACEMENTS), '100 nodes on webgpu, 4 on cpu (Reshape 3, Gather 1)');
  // What was asked for counts, not where most nodes are.
  assert.equal(
    describePlacements(PLACEMENTS.slice(2), 'webgpu'),
    '0 nodes on webgpu, 4 on cpu (Reshape 3, Gather 1)',
  );
});

test('a network with nodes on the CPU is a note, and one without is in order', () => {
  const strayed = describeNetwork({ network: 'decoder', placements: PLACEMENTS }, 'webgpu');
  assert.equal(strayed.verdict, 'note');
  assert.match(strayed.advice!, /copies tensors between webgpu and memory/);
  const { verdict, advice } = describeNetwork(
    { network: 'decoder', placements: PLACEMENTS.slice(0, 2) },
    'webgpu',
  );
  assert.deepEqual([verdict, advice], ['ok', undefined]);
});

test('a clip that does not fit says what to do', () => {
  const estimate = { preset: 'fast', frames: 25, fps: 25, seconds: 90, memoryBytes: 9.9e9 } as const;
  const [memory, time] = describeEstimate(estimate, 8e9);
  assert.equal(memory!.verdict, 'note');
  assert.match(memory!.advice!, /--low-memory/);
  assert.match(time!.found, /for 25 frames at 25 fps, preset fast/);
  assert.equal(describeEstimate(estimate, 12e9)[0]!.verdict, 'ok');
});

test('where other programs keep the machine busy, the time of a clip is a note that says so', () => {
  const estimate = { preset: 'fast', frames: 25, fps: 25, seconds: 90, memoryBytes: 1e9 } as const;
  assert.deepEqual(describeEstimate(estimate, 8e9)[1]!.verdict, 'ok');
  const busy = 'other programs keep this machine busy';
  const { verdict, advice } = describeEstimate({ ...estimate, busy }, 8e9)[1]!;
  assert.deepEqual([verdict, advice], ['note', busy]);
});
