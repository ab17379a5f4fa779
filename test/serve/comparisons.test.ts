/** Comparisons as a real server process takes them; what they render is drawn. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type Json, jsonOf, PORTRAIT, ServerProcess, SPEECH, temporaryFolder } from './server-process.ts';

const folder = temporaryFolder();
const server = await ServerProcess.start(folder, { stepMs: 25 });

test('a comparison is ordered with files, followed to its end, and read as a page', async () => {
  const form = new FormData();
  form.append('portrait', new Blob([readFileSync(PORTRAIT)]), 'anna <b>.jpg');
  form.append('audio', new Blob([readFileSync(SPEECH)]), 'hello.wav');
  for (const field of ['sampler=dpmpp,steps=8', 'preset=faster']) form.append('variants', field);
  form.append('sweeps', 'steps=1,2');
  form.append('repeats', '2');
  const response = await server.fetch('/v1/compare', { method: 'POST', body: form });
  assert.equal(response.status, 202);
  const ordered = await jsonOf(response);
  const { self } = ordered.links;
  assert.equal(response.headers.get('location'), self);
  assert.deepEqual(ordered.options.variants, [{ sampler: 'dpmsolver', steps: 8 }, { preset: 'faster' }]);
  assert.deepEqual(ordered.options.sweeps, [{ setting: 'steps', values: [1, 2] }]);
  assert.equal((await server.fetch(`${self}/report.html`)).status, 409);

  const stages = new Set<string>();
  let fraction = 0;
  for await (const { data } of server.followOf(self)) {
    if (!data.progress) continue;
    stages.add(data.progress.stage);
    assert.ok(data.progress.fraction >= fraction);
    fraction = data.progress.fraction;
  }
  assert.ok(stages.has('render'));
  const done = await server.json(self);
  assert.equal(done.state, 'succeeded');
  assert.deepEqual(done.notices, ['the portrait anna <b>.jpg is looked at']);
  assert.match(done.result.summary, /denoises 12\.5× faster/);
  assert.ok(done.result.speedUp.denoise > 5 && done.result.variants[0].seconds.denoise > 0);
  assert.deepEqual((await server.json('/v1/comparisons')).comparisons[0].id, done.id);
  assert.deepEqual((await server.json('/v1/clips')).clips, []);
  assert.equal((await server.fetch(`/v1/clips/${done.id}`)).status, 404);

  // Nothing that the policy of the server forbids, nothing of the server's folders, no markup in names.
  const page = await server.fetch(done.links.report);
  assert.match(
    page.headers.get('content-security-policy')!,
    /default-src 'none'; script-src 'self'; style-src 'self'/,
  );
  const html = await page.text();
  assert.ok(!/<style|<script(?![^>]* src=)|\sstyle=|\son\w+=|src="data:video/.test(html));
  assert.ok(html.includes('anna &lt;b&gt;.jpg') && !html.includes('<b>.jpg'));
  const written = html + (await (await server.fetch(done.links.data)).text());
  assert.ok(!written.includes(folder) && !written.includes('uploads'));
  const files = [...html.matchAll(/(?:src|href)="([^"#:]+)"/g)].map((match) => match[1]!);
  assert.ok(['report.css', 'report.js', 'videos/fast.mp4'].every((name) => files.includes(name)));
  for (const name of files) {
    const file = await server.fetch(`${self}/${name}`, { headers: { range: 'bytes=0-9' } });
    assert.equal(file.status, 206, name);
    assert.equal((await file.arrayBuffer()).byteLength, 10);
  }
  for (const name of ['comparison.json', 'videos/..%2f..%2fcomparison.json', 'videos/none.mp4', 'videos/']) {
    assert.equal((await server.fetch(`${self}/${name}`)).status, 404, name);
  }
});

test('every wrong field is reported at once', async () => {
  const wrong = {
    ...{ portrait: 'sample:short.wav', audio: 'sample:short.wav', repeats: 0, wholeJob: 'perhaps' },
    ...{ variants: ['steps=x'], sweeps: [{ setting: 'steps' }], steps: 3, output: '/tmp', format: 'webm' },
  };
  const { errors } = await jsonOf(await server.post('/v1/compare', wrong));
  const fields = errors.map(({ field }: Json) => field).sort();
  assert.deepEqual(fields, [
    ...['format', 'output', 'portrait', 'repeats', 'steps', 'sweeps', 'variants', 'wholeJob'],
  ]);
  const many = await server.post('/v1/compare', {
    portrait: 'sample:ada.jpg',
    audio: 'sample:short.wav',
    sweeps: ['steps=1,2,3,4', 'every=1,2,3,4,5'],
  });
  assert.match((await jsonOf(many)).detail, /expected at most 8 with those of sweeps, got 9/);
  // A comparison's fields are none of a clip's.
  assert.equal(
    (await server.post('/v1/clips', { portrait: 'sample:ada.jpg', audio: 'sample:short.wav', repeats: 1 }))
      .status,
    422,
  );
});

test('an order with a key is taken once, and is not that of a clip', async () => {
  const order = { portrait: 'sample:ada.jpg', audio: 'sample:short.wav', seed: 9 };
  const headers = { 'idempotency-key': 'comparison-9' };
  const first = await jsonOf(await server.post('/v1/compare', order, headers));
  const again = await server.post('/v1/compare', order, headers);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  assert.equal((await jsonOf(again)).id, first.id);
  assert.equal((await server.post('/v1/clips', order, headers)).status, 422);
  assert.equal((await server.untilOf(first.links.self, 'succeeded')).state, 'succeeded');
});

test('one that fails says why, and which field', async () => {
  const { links } = await server.orderComparison({ seed: 13 });
  const { state, error } = await server.untilOf(links.self, 'failed');
  assert.equal(state, 'failed');
  assert.deepEqual(error, {
    ...{ code: 'FACE', message: 'Cannot use ada.jpg: expected a face', field: 'portrait' },
  });
});

test('it runs alone and in its turn, and is cancelled or removed like a clip', async () => {
  const data = temporaryFolder();
  const slow = await ServerProcess.start(data, { stepMs: 100, concurrency: 2 });
  const before = await slow.order({ seed: 1 });
  const comparison = await slow.orderComparison();
  const after = await slow.order({ seed: 2 });
  const { self } = comparison.links;
  // What is there when each begins: the one before has ended, and the one after has not begun.
  const { startedAt } = await slow.untilOf(self, 'processing');
  assert.equal((await slow.json(`/v1/clips/${after.id}`)).state, 'queued');
  // Its video is complete; that it has succeeded is written to the disk meanwhile.
  assert.ok((await slow.until(before.id, 'succeeded')).finishedAt <= startedAt);
  const canceled = await jsonOf(await slow.fetch(self, { method: 'DELETE' }));
  assert.equal(canceled.state, 'canceled');
  assert.equal((await slow.until(after.id, 'succeeded')).state, 'succeeded');
  assert.deepEqual(readdirSync(path.join(data, 'comparisons', comparison.id)), ['comparison.json']);
  assert.equal((await slow.fetch(self, { method: 'DELETE' })).status, 204);
  assert.ok(!existsSync(path.join(data, 'comparisons', comparison.id)));
  assert.equal((await slow.fetch(self)).status, 404);

  // Killed in the middle: the next server starts it again, at its place.
  const next = await slow.orderComparison({ seed: 3 });
  const last = await slow.order({ seed: 4 });
  await slow.untilOf(next.links.self, 'processing');
  await slow.end('SIGKILL');
  const second = await ServerProcess.start(data, { stepMs: 5 });
  assert.equal((await second.untilOf(next.links.self, 'succeeded')).state, 'succeeded');
  const clip = await second.until(last.id, 'succeeded');
  assert.ok(clip.startedAt >= (await second.json(next.links.self)).finishedAt);
  await second.end('SIGTERM');
  assert.equal(second.child.exitCode, 0);
});
