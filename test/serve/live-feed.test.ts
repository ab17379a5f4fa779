import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Clip } from '../../src/serve/clip.ts';
import { liveFeed } from '../../src/serve/live-feed.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const LIMIT = { timeout: 120_000 };

test('what an earlier attempt left is not sent: a clip is watched from its beginning', LIMIT, async () => {
  const file = path.join(temporaryDirectory(), 'live.mp4');
  writeFileSync(file, 'of a server that was killed');
  const clip = new Clip({
    ...{ id: 'A', number: 1, client: 'a', createdAt: '', state: 'queued', log: [] },
    request: { options: {}, files: [] },
  });
  const feed = liveFeed(clip, file, new AbortController().signal);
  await sleep(50); // long enough to open what is there
  clip.add('state', 'starting');
  await sleep(50);
  rmSync(file);
  writeFileSync(file, 'from the beginning');
  clip.add('state', 'processing');
  const response = await feed;
  clip.add('state', 'succeeded');
  assert.equal(await response.text(), 'from the beginning');
});
