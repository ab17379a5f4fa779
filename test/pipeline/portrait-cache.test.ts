import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { PortraitRequest } from '../../src/pipeline/frame-protocol.ts';
import { type OpenedPortrait, PortraitCache } from '../../src/pipeline/portrait-cache.ts';
import type { ScenePortrait } from '../../src/scene/scene.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const directory = temporaryDirectory();
const fileOf = (name: string, contents: string): string => {
  const file = path.join(directory, name);
  writeFileSync(file, contents);
  return file;
};
const ada = fileOf('ada.jpg', 'ada');
const ben = fileOf('ben.jpg', 'ben');
const beach = fileOf('beach.jpg', 'beach');

const base = {
  kind: 'open-portrait',
  resolution: 256,
  framing: 'paste-back',
  view: { type: 'warp' },
} as const;

/** A cache whose portraits have a size, and say something. */
function counted({ side = 512, notice = 'two faces' } = {}) {
  const cache = new PortraitCache();
  let opened = 0;
  let clip = 0;
  return async (request: Partial<PortraitRequest> & { readonly path: string }) => {
    const notices: string[] = [];
    const note = (message: string) => notices.push(message);
    const before = opened;
    const { portrait } = await cache.get({ ...base, clip: clip++, ...request }, note, async () => {
      opened += 1;
      note(notice);
      const made = { width: side, height: side } as ScenePortrait;
      return { portrait: made, faces: [], notices: [notice] } satisfies OpenedPortrait;
    });
    assert.deepEqual(notices, [notice], 'said each time');
    assert.equal(portrait.width, side);
    return opened > before;
  };
}

test('the portrait of the clip before is not opened again, whatever its file is called', async () => {
  const opens = counted();
  const copy = path.join(directory, 'copy.jpg');
  copyFileSync(ada, copy);
  const asked: [request: Partial<PortraitRequest> & { path: string }, opens: boolean][] = [
    [{ path: ada }, true],
    [{ path: ada }, false],
    [{ path: copy }, false],
    [{ path: ben }, true],
    [{ path: ada }, true],
    [{ path: ada, framing: 'crop' }, true],
    [{ path: ada, framing: 'crop', face: 2 }, true],
    [{ path: ada, framing: 'crop', face: 2, background: beach }, true],
    [{ path: ada, framing: 'crop', face: 2, background: beach }, false],
  ];
  for (const [request, expected] of asked) assert.equal(await opens(request), expected);
  writeFileSync(beach, 'another beach');
  assert.equal(await opens({ path: ada, framing: 'crop', face: 2, background: beach }), true);
});

test('large portraits, and those whose notices name their file, are opened each time', async () => {
  for (const opens of [counted({ side: 1920 }), counted({ notice: `the eyes in ${ada} are closed` })]) {
    assert.equal(await opens({ path: ada }), true);
    assert.equal(await opens({ path: ada }), true);
  }
});

test('a portrait that could not be opened is tried again', async () => {
  const cache = new PortraitCache();
  const request = { ...base, clip: 1, path: path.join(directory, 'missing.jpg') };
  for (let i = 0; i < 2; i++) {
    const failure = new Error('no such file');
    await assert.rejects(
      cache.get(
        request,
        () => {},
        async () => Promise.reject(failure),
      ),
      failure,
    );
  }
});
