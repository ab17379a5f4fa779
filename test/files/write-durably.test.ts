/** Files that appear whole, on disks of every kind. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { publishFile, writeDurably } from '../../src/files/write-durably.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const LIMIT = { timeout: 120_000 };
const folder = temporaryDirectory();
const at = (name: string): string => path.join(folder, name);

/** Files can be written, but not synchronised: the system answers with `code`. */
async function failSync(t: TestContext, code: string): Promise<void> {
  const handle = await open(process.execPath);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  t.mock.method(prototype, 'sync', async () => {
    throw Object.assign(new Error(`${code}: fsync`), { code });
  });
}

for (const code of ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']) {
  test(`a file system without fsync (${code}) takes files all the same`, LIMIT, async (t) => {
    await failSync(t, code);
    await writeDurably(at('settings.json'), code);
    assert.equal(readFileSync(at('settings.json'), 'utf8'), code);
    writeFileSync(at('.partial'), code);
    await publishFile(at('.partial'), at(`${code}.mp4`), { replace: false });
    assert.equal(readFileSync(at(`${code}.mp4`), 'utf8'), code);
    assert.ok(!existsSync(at('.partial')));
  });
}

for (const code of ['EIO', 'ENOSPC', 'EDQUOT']) {
  test(`what could not be written (${code}) is an error, and the old file stays`, LIMIT, async (t) => {
    writeFileSync(at('old.json'), 'old');
    const before = readdirSync(folder);
    await failSync(t, code);
    await assert.rejects(writeDurably(at('old.json'), 'new'), { code });
    assert.equal(readFileSync(at('old.json'), 'utf8'), 'old');
    assert.deepEqual(readdirSync(folder), before);
  });
}

test('a file that is there is replaced only where that is allowed', LIMIT, async () => {
  writeFileSync(at('talk.mp4'), 'mine');
  writeFileSync(at('.new'), 'new');
  await assert.rejects(publishFile(at('.new'), at('talk.mp4'), { replace: false }), { code: 'EEXIST' });
  assert.equal(readFileSync(at('talk.mp4'), 'utf8'), 'mine');
  await publishFile(at('.new'), at('talk.mp4'), { replace: true });
  assert.equal(readFileSync(at('talk.mp4'), 'utf8'), 'new');
});
