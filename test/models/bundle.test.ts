import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ModelError } from '../../src/errors.ts';
import {
  EMBEDDED_BUNDLES,
  listEmbeddedBundles,
  openBundle,
  reopenBundle,
  verifyBundle,
} from '../../src/models/bundle.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();

const TINY = JSON.parse(readFileSync(path.join(EMBEDDED_BUNDLES, 'tiny/bundle.json'), 'utf8'));

/** The embedded bundle's description with one file for all parts, changed by `changes`. */
function writeBundle(name: string, changes: Record<string, unknown> = {}, content = 'weights'): string {
  const made = path.join(folder, name);
  mkdirSync(made);
  const file = {
    path: 'w.safetensors',
    bytes: 7,
    sha256: createHash('sha256').update('weights').digest('hex'),
  };
  writeFileSync(path.join(made, 'w.safetensors'), content);
  const files = Object.fromEntries(Object.keys(TINY.files).map((part) => [part, file]));
  const description = { ...TINY, name, files, ...changes };
  writeFileSync(path.join(made, 'bundle.json'), JSON.stringify(description));
  return made;
}

/** A copy of the embedded bundle by links, without some of its files. */
function copyTiny(name: string, changes: Record<string, unknown>, left: readonly string[] = []): string {
  const made = path.join(folder, name);
  mkdirSync(made);
  for (const { path: file } of Object.values(TINY.files as Record<string, { path: string }>)) {
    if (!left.includes(file)) symlinkSync(path.join(EMBEDDED_BUNDLES, 'tiny', file), path.join(made, file));
  }
  writeFileSync(path.join(made, 'bundle.json'), JSON.stringify({ ...TINY, name, ...changes }));
  return made;
}

test('the embedded bundle opens by name, and its files are what it says', async () => {
  assert((await listEmbeddedBundles()).includes('tiny'));
  const bundle = await openBundle('tiny');
  await verifyBundle(bundle);
  const total = Object.values(bundle.description.files).reduce((sum, { bytes }) => sum + bytes, 0);
  assert(total <= 40e6, `${total} bytes`);
});

test('a folder without bundle.json is an error that names the embedded bundles', async () => {
  await assert.rejects(openBundle(path.join(folder, 'none')), (error) => {
    assert(error instanceof ModelError);
    assert.match(error.message, /expected a folder with bundle\.json or one of tiny/);
    return true;
  });
});

test('a bundle of another version, or that is no JSON, is refused', async () => {
  await assert.rejects(
    openBundle(writeBundle('new', { formatVersion: 99 })),
    /expected format version 1, got 99/,
  );
  const broken = writeBundle('broken');
  writeFileSync(path.join(broken, 'bundle.json'), '{');
  await assert.rejects(openBundle(broken), /not valid JSON/);
});

test('a LoRA that is not there is missed by those who use it', async () => {
  const { lcmLora, ...others } = TINY.files;
  const unlisted = await openBundle(copyTiny('unlisted', { files: others }));
  const gone = await openBundle(copyTiny('gone', {}, [lcmLora.path]));
  for (const bundle of [unlisted, gone]) {
    assert.deepEqual([...bundle.missing], ['lcmLora']);
    const wanted = /expected a file for lcmLora, got none; fetch the bundle again or use its preset original/;
    assert.throws(() => bundle.pathOf('lcmLora'), wanted);
    await assert.rejects(verifyBundle(bundle), wanted);
    assert.ok(bundle.pathOf('denoisingUnet').startsWith(bundle.folder));
  }
  assert.deepEqual([...(await openBundle('tiny')).missing], []);
});

test('a file that was cut is found on opening, one that was changed on verifying', async () => {
  await assert.rejects(openBundle(writeBundle('cut', {}, 'wei')), /expected denoisingUnet of 7 bytes, got 3/);
  const changed = await openBundle(writeBundle('changed', {}, 'WEIGHTS'));
  await assert.rejects(verifyBundle(changed), /expected SHA-256/);
  await verifyBundle(await openBundle(writeBundle('whole')));
});

test('all files that were changed are named, where they lie', async () => {
  const files = { ...(TINY.files as Record<string, { sha256: string }>) };
  for (const part of ['codec', 'motion']) files[part] = { ...files[part]!, sha256: '0'.repeat(64) };
  const made = copyTiny('two-changed', { files });
  const places = ['codec', 'motion'].map((part) =>
    path.join(made, `${part}.safetensors`).replace(/[.\\]/g, '\\$&'),
  );
  await assert.rejects(verifyBundle(await openBundle(made)), new RegExp(places.join(' .*, ')));
});

test('a bundle that is replaced in its place is another one, and is not opened for a job that began with the first', async () => {
  const made = writeBundle('replaced');
  const bundle = await openBundle(made);
  assert.equal((await openBundle(made)).fingerprint, bundle.fingerprint);
  assert.equal((await reopenBundle(bundle)).fingerprint, bundle.fingerprint);
  const refused = async (): Promise<void> => {
    await assert.rejects(reopenBundle(bundle), (error) => {
      assert(error instanceof ModelError);
      assert.match(
        error.message,
        /Cannot use bundle replaced: expected the files .* the bundle was replaced meanwhile/,
      );
      return true;
    });
  };
  const file = path.join(made, 'w.safetensors');
  // Of the same size, at the same time, under the same declared hash: another file.
  utimesSync(file, 1e9, 1e9);
  const { fingerprint } = await openBundle(made);
  assert.notEqual(fingerprint, bundle.fingerprint);
  writeFileSync(`${file}.new`, 'WEIGHTS');
  utimesSync(`${file}.new`, 1e9, 1e9);
  renameSync(`${file}.new`, file);
  assert.notEqual((await openBundle(made)).fingerprint, fingerprint);
  await refused();
  // The files as they were, but another description.
  const described = path.join(made, 'bundle.json');
  const before = (await openBundle(made)).fingerprint;
  writeFileSync(
    described,
    readFileSync(described, 'utf8').replace('"sharedFraction":', ' "sharedFraction":'),
  );
  assert.notEqual((await openBundle(made)).fingerprint, before);
});
