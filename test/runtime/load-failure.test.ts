import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { EnvironmentError } from '../../src/errors.ts';
import { hasMusl, loadFailure } from '../../src/runtime/load-failure.ts';
import { temporaryDirectory } from '../helpers/media.ts';

/** What Node.js throws for a file that is no library. */
function brokenLibrary(): unknown {
  const file = path.join(temporaryDirectory(), 'broken.node');
  writeFileSync(file, 'no library');
  try {
    createRequire(import.meta.url)(file);
  } catch (error) {
    return error;
  }
  return undefined;
}

test('a library that does not load is reported with the loader’s words and a way out', {
  timeout: 120_000,
}, () => {
  const error = loadFailure(brokenLibrary(), () => false);
  assert.ok(error instanceof EnvironmentError);
  assert.match(
    error.message,
    /^Cannot load ONNX Runtime: expected its library for .*, got ".*broken\.node.*"/,
  );
  assert.match(error.message, /Install lcm-portrait again on this machine/);
});

test('musl is recognised by Node.js reporting no glibc, and named', { timeout: 120_000 }, () => {
  assert.equal(hasMusl('linux', '2.36'), false);
  assert.equal(hasMusl('linux', null), true);
  assert.equal(hasMusl('darwin', null), false);
  const missing = Object.assign(
    new Error(
      'Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by libonnxruntime.so.1)',
    ),
    { code: 'ERR_DLOPEN_FAILED' },
  );
  const { message } = loadFailure(missing, () => true)!;
  assert.match(message, /ld-linux-x86-64\.so\.2/);
  assert.match(message, /musl in place of glibc.*: use one with glibc, such as the image node:20-slim$/);
  assert.equal(loadFailure(new Error('backend not found')), undefined);
});
