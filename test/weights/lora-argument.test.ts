import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLora } from '../../src/weights/lora-argument.ts';

test('a LoRA is a path and, after the last colon, a scale', () => {
  assert.deepEqual(parseLora('style.safetensors'), { path: 'style.safetensors', scale: 1 });
  assert.deepEqual(parseLora('a:b/style.safetensors:-0.5'), { path: 'a:b/style.safetensors', scale: -0.5 });
  assert.deepEqual(parseLora('C:\\style.safetensors'), { path: 'C:\\style.safetensors', scale: 1 });
  assert.deepEqual(parseLora('C:\\style.safetensors:.8'), { path: 'C:\\style.safetensors', scale: 0.8 });
});
