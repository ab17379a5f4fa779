import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeDeviceMemory } from '../../src/runtime/device-memory.ts';

test('the free memory of a GPU is what NVIDIA’s tool says, in MiB', async () => {
  const asked: string[] = [];
  const ask = async (query: string) => {
    asked.push(query);
    return '40536\n';
  };
  assert.equal(await freeDeviceMemory('cuda', ask), 40_536 * 2 ** 20);
  assert.equal(await freeDeviceMemory('webgpu', ask), 40_536 * 2 ** 20);
  assert.deepEqual(asked, ['memory.free', 'memory.free']);
});

test('where nobody tells, it is unknown', async () => {
  const missing = () => Promise.reject(new Error('ENOENT'));
  assert.equal(await freeDeviceMemory('cuda', missing), undefined);
  assert.equal(await freeDeviceMemory('cuda', async () => '[N/A]'), undefined);
  assert.equal(await freeDeviceMemory('cpu', () => assert.fail('nobody is asked')), undefined);
});
