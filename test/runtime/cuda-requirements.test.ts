import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { describeMissing, findCudaRequirements } from '../../src/runtime/cuda-requirements.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();

test('every library and the provider are looked for, and what is missing is reported with where it comes from', () => {
  const libraries = path.join(folder, 'libraries');
  const runtimeFolder = path.join(folder, 'runtime');
  for (const each of [libraries, runtimeFolder]) mkdirSync(each);
  for (const name of ['libcuda.so.1', 'libcudart.so.13', 'libcurand.so.10'])
    writeFileSync(path.join(libraries, name), '');
  const search = { folders: [path.join(folder, 'nowhere'), libraries], runtimeFolder };
  const { found, missing } = findCudaRequirements({}, search);
  assert.equal(found.length, 3);
  assert.deepEqual(
    describeMissing(missing).replace(/node .*$/, 'node …'),
    'libcublas.so.13, libcublasLt.so.13 (CUDA 13); libcudnn.so.9 (cuDNN 9 for CUDA 13); ' +
      'libonnxruntime_providers_shared.so, libonnxruntime_providers_cuda.so (ONNXRUNTIME_NODE_INSTALL=1 node …',
  );
  for (const name of ['libcublas.so.13', 'libcublasLt.so.13', 'libcudnn.so.9'])
    writeFileSync(path.join(libraries, name), '');
  for (const name of ['cuda', 'shared'])
    writeFileSync(path.join(runtimeFolder, `libonnxruntime_providers_${name}.so`), '');
  assert.deepEqual(findCudaRequirements({}, search).missing, []);
});

test('a driver that is older than CUDA 13 is missing, as its library’s link says', () => {
  const missingWith = (version: string): string => {
    const drivers = path.join(folder, version);
    mkdirSync(drivers);
    writeFileSync(path.join(drivers, `libcuda.so.${version}`), '');
    symlinkSync(`libcuda.so.${version}`, path.join(drivers, 'libcuda.so.1'));
    return describeMissing(findCudaRequirements({}, { folders: [drivers] }).missing);
  };
  const wanted = 'libcuda.so.1 (the NVIDIA driver, version 580 or later; 570.133.20 is installed)';
  assert.ok(missingWith('570.133.20').startsWith(wanted));
  assert.ok(!missingWith('580.65.06').includes('libcuda.so.1'));
});

test('LD_LIBRARY_PATH counts, and ONNX Runtime’s own folder is found', () => {
  const own = path.join(folder, 'own');
  mkdirSync(own);
  writeFileSync(path.join(own, 'libcudnn.so.9'), '');
  const { found } = findCudaRequirements({ LD_LIBRARY_PATH: `:${own}` });
  assert.ok(found.includes(path.join(own, 'libcudnn.so.9')));
});
