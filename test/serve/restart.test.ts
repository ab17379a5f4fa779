/** Servers that are killed at any moment: no clip is lost, none is half there, and finished ones stay. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RandomStream } from '../../src/tensor/random.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';

const KILLS = Number(process.env.SERVE_KILLS ?? 4);
const CLIPS = 4;

test('clips survive kills at random moments, to the same bytes', async () => {
  const undisturbed = await ServerProcess.start(temporaryFolder());
  const expected = new Map<number, string>();
  for (let seed = 0; seed < CLIPS; seed++) {
    const { id } = await undisturbed.order({ seed });
    expected.set(seed, (await undisturbed.until(id, 'succeeded')).result.sha256);
  }
  await undisturbed.end('SIGKILL');

  const random = new RandomStream([Number(process.env.SERVE_SEED ?? 1)]);
  const folder = temporaryFolder();
  const ordered = new Map<string, number>();
  const done = new Set<string>();
  for (let kill = 0; kill <= KILLS; kill++) {
    const server = await ServerProcess.start(folder, { stepMs: kill < KILLS ? 25 : 1 });
    // Every clip that was ever answered for is there; those that were done still are, whole.
    for (const [id, seed] of ordered) {
      const clip = await server.json(`/v1/clips/${id}`);
      assert.equal(clip.options?.seed, seed);
      if (!done.has(id)) continue;
      assert.equal(clip.state, 'succeeded');
      assert.equal(clip.result.sha256, expected.get(seed));
    }
    while (ordered.size < CLIPS) {
      const { id } = await server.order({ seed: ordered.size });
      ordered.set(id, ordered.size);
    }
    if (kill === KILLS) {
      for (const [id, seed] of ordered) {
        const clip = await server.until(id, 'succeeded');
        assert.equal(clip.result?.sha256, expected.get(seed), clip.error?.message);
      }
      // Clips that are done are noted once more after they say so.
      await server.end('SIGTERM');
      for (const id of ordered.keys()) {
        const names = readdirSync(path.join(folder, 'clips', id));
        assert.ok(
          names.includes('video.mp4') && !names.some((name) => name.includes('partial')),
          names.join(),
        );
      }
      continue;
    }
    await sleep(random.uniform() * 2500);
    for (const { id, state } of (await server.json('/v1/clips')).clips)
      if (state === 'succeeded') done.add(id);
    await server.end('SIGKILL');
    for (const id of ordered.keys()) {
      // What has its final name is whole: the next server says so by its hash.
      if (done.has(id)) assert.ok(existsSync(path.join(folder, 'clips', id, 'video.mp4')));
    }
  }
});

test('a server that is killed while it receives a file leaves nothing of it', async () => {
  const folder = temporaryFolder();
  const server = await ServerProcess.start(folder);
  let isOver = false;
  const endless = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await sleep(5);
      if (isOver) controller.close();
      else controller.enqueue(new Uint8Array(4096));
    },
  });
  const head = new TextEncoder().encode(
    '--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n',
  );
  const body = endless.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({ start: (controller) => controller.enqueue(head) }),
  );
  const init = {
    method: 'POST',
    body,
    duplex: 'half',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  };
  const sending = server.fetch('/v1/uploads', init as RequestInit).catch(() => undefined);
  const uploads = path.join(folder, 'uploads');
  while (readdirSync(uploads).length === 0) await sleep(20);
  await server.end('SIGKILL');
  isOver = true;
  await sending;
  assert.equal(readdirSync(uploads).length, 1);
  const next = await ServerProcess.start(folder);
  assert.deepEqual(readdirSync(uploads), []);
  await next.end('SIGTERM');
});
