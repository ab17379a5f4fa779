/** A disk that is really full, before and in the middle: everything is reported, nothing is lost, and orders continue when there is room. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fillDisk, mountSmallDisk } from '../helpers/small-disk.ts';
import { type Json, jsonOf, PORTRAIT, ServerProcess } from './server-process.ts';

const disk = mountSmallDisk(16);

test('orders and files are refused while it is full, and a clip that runs resumes from its checkpoints afterwards', {
  skip: disk.skip,
}, async () => {
  const server = await ServerProcess.start(disk.folder, { stepMs: 150, diskFullMs: 300 });
  const { id } = await server.order();
  await server.until(id, 'processing');
  const empty = fillDisk(disk.folder);
  const form = new FormData();
  form.append('file', new Blob([readFileSync(PORTRAIT)]), 'a.jpg');
  for (const refused of [
    await server.fetch('/v1/uploads', { method: 'POST', body: form }),
    await server.post('/v1/clips', { portrait: 'sample:ada.jpg', audio: 'sample:short.wav', seed: 2 }),
  ]) {
    const { type, detail } = await jsonOf(refused);
    assert.deepEqual([refused.status, type], [507, '/docs#storage-full']);
    assert.match(detail, /the disk is full/);
  }
  assert.deepEqual(readdirSync(path.join(disk.folder, 'uploads')), []);
  assert.deepEqual(readdirSync(path.join(disk.folder, 'clips')), [id]);
  const isTold = ({ notices }: Json): boolean =>
    notices.includes('the disk is full: the clip continues when there is space');
  while (!isTold(await server.json(`/v1/clips/${id}`))) await sleep(50);
  assert.equal((await server.fetch('/healthz')).status, 200);
  empty();
  const done = await server.until(id, 'succeeded');
  assert.equal(done.state, 'succeeded');
  const video = Buffer.from(await (await server.fetch(done.links.video)).arrayBuffer());
  assert.equal(video.length, done.result.bytes);
  // It is remembered, too.
  await server.end('SIGKILL');
  const next = await ServerProcess.start(disk.folder);
  assert.equal((await next.json(`/v1/clips/${id}`)).state, 'succeeded');
  await next.end('SIGKILL');
});
