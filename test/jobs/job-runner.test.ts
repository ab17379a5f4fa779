import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { RenderRequest } from '../../src/jobs/clip-renderer.ts';
import { JobRunner } from '../../src/jobs/job-runner.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { fakeRenderer } from './fake-renderer.ts';

const folder = temporaryDirectory();
const options = { portrait: 'ada.jpg', audio: 'hello.wav', output: path.join(folder, 'warm-up.mp4') };

/** A runner whose renderers prepare as a test says. */
function runnerOf(onPrepare: (request: RenderRequest) => Promise<void>) {
  const steps: string[] = [];
  const stop = new AbortController();
  const runner = new JobRunner({
    ...{ stateFolder: folder, concurrency: 1, retryDelay: 1, signal: stop.signal },
    openRenderer: async () => {
      steps.push('open');
      return fakeRenderer({
        onPrepare,
        onRender: () => void steps.push('render'),
        onDispose: () => void steps.push('dispose'),
      });
    },
  });
  return { runner, steps, stop };
}

test('a renderer gets ready once, with a clip that is not rendered, and is kept', async () => {
  let prepared = 0;
  const { runner, steps } = runnerOf(async ({ options: { portrait, output } }) => {
    prepared += 1;
    assert.deepEqual({ portrait, output }, { portrait: options.portrait, output: options.output });
  });
  await Promise.all([runner.warmUp(options), runner.warmUp(options)]);
  assert.equal(prepared, 1);
  assert.deepEqual(steps, ['open']);
  await runner.dispose();
  assert.deepEqual(steps, ['open', 'dispose']);
});

test('what a warm-up fails with is nobody’s error, and its end is waited for', async () => {
  const failing = runnerOf(async () => Promise.reject(new Error('no such file')));
  await failing.runner.warmUp(options);
  await failing.runner.dispose();

  let fail = (_: Error): void => {};
  const { runner, steps, stop } = runnerOf(
    ({ options: { signal } }) =>
      new Promise((_, reject) => {
        fail = reject;
        signal?.addEventListener('abort', () => steps.push('aborted'));
      }),
  );
  const warming = runner.warmUp(options);
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('the server stops'));
  const disposing = runner.dispose();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(steps, ['open', 'aborted']);
  fail(new Error('the server stops'));
  await Promise.all([warming, disposing]);
  assert.deepEqual(steps, ['open', 'aborted', 'dispose']);
});
