import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
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
      'libonnxruntime_providers_cuda.so (ONNXRUNTIME_NODE_INSTALL=1 node …',
  );
  for (const name of ['libcublas.so.13', 'libcublasLt.so.13', 'libcudnn.so.9'])
    writeFileSync(path.join(libraries, name), '');
  writeFileSync(path.join(runtimeFolder, 'libonnxruntime_providers_cuda.so'), '');
  assert.deepEqual(findCudaRequirements({}, search).missing, []);
});

test('LD_LIBRARY_PATH counts, and ONNX Runtime’s own folder is found', () => {
  const own = path.join(folder, 'own');
  mkdirSync(own);
  writeFileSync(path.join(own, 'libcudnn.so.9'), '');
  const { found } = findCudaRequirements({ LD_LIBRARY_PATH: `:${own}` });
  assert.ok(found.includes(path.join(own, 'libcudnn.so.9')));
});
