import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasDotProducts } from '../../src/runtime/integer-instructions.ts';

const linux = (arch: string, flags: string): Parameters<typeof hasDotProducts>[0] => ({
  platform: 'linux',
  arch,
  cpuInfo: `processor\t: 0\nmodel name\t: a processor\n${flags}\nbugs\t\t: none\n`,
});

test('processors on Linux say themselves whether they have products of bytes', () => {
  assert.ok(hasDotProducts(linux('x64', 'flags\t\t: fpu sse2 avx2 avx512f avx512_vnni rdpid')));
  assert.ok(hasDotProducts(linux('x64', 'flags\t\t: fpu sse2 avx2 avx_vnni')));
  assert.ok(!hasDotProducts(linux('x64', 'flags\t\t: fpu sse2 avx2 avx512f')));
  assert.ok(hasDotProducts(linux('arm64', 'Features\t: fp asimd asimddp')));
  assert.ok(!hasDotProducts(linux('arm64', 'Features\t: fp asimd')));
  assert.ok(!hasDotProducts({ platform: 'linux', arch: 'x64', cpuInfo: '' }));
});

test("of Macs, Apple's own processors have them; of other systems nothing is known", () => {
  assert.ok(hasDotProducts({ platform: 'darwin', arch: 'arm64', cpuInfo: '' }));
  assert.ok(!hasDotProducts({ platform: 'darwin', arch: 'x64', cpuInfo: '' }));
  assert.ok(!hasDotProducts({ platform: 'win32', arch: 'x64', cpuInfo: '' }));
});
