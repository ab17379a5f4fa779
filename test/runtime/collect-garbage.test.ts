import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectGarbage } from '../../src/runtime/collect-garbage.ts';

test('arrays that nobody uses are freed, and the function is not left behind', () => {
  const before = process.memoryUsage().arrayBuffers;
  let array: Uint8Array | undefined = new Uint8Array(64e6);
  assert.ok(process.memoryUsage().arrayBuffers >= before + array.length);
  array = undefined;
  collectGarbage();
  assert.ok(process.memoryUsage().arrayBuffers < before + 32e6);
  assert.equal('gc' in globalThis, false);
});
