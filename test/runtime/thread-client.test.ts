import assert from 'node:assert/strict';
import test from 'node:test';
import { FaceError } from '../../src/errors.ts';
import { ThreadClient } from '../../src/runtime/thread-client.ts';
import type { EchoRequest, EchoResults, EchoTime } from './fixtures/echo-worker.ts';

const SCRIPT = new URL('./fixtures/echo-worker.ts', import.meta.url);

async function withThread(use: (thread: ThreadClient<EchoRequest, EchoResults>) => Promise<void>) {
  const thread = new ThreadClient<EchoRequest, EchoResults>(SCRIPT);
  try {
    await use(thread);
  } finally {
    await thread.close();
  }
}

test('answers find their requests, whatever the order they come in, with the notices before them', () =>
  withThread(async (thread) => {
    const order: string[] = [];
    const echo = async (size: number, answer: EchoTime): Promise<void> => {
      const value = new Float32Array(size).fill(size);
      const echoed = await thread.request(
        { kind: 'echo', value, answer },
        {
          transfer: [value.buffer],
          onNotice: (notice) => order.push(notice),
          onProgress: ({ done, total }) => order.push(`${done} of ${total}`),
        },
      );
      assert.equal(value.length, 0, 'moved');
      assert.deepEqual(echoed, new Float32Array(size).fill(size));
      order.push(String(size));
    };
    // The first is answered when the second was.
    const first = echo(3, 'after the next');
    await echo(5, 'at once');
    await first;
    assert.deepEqual(order, ['3 values', '0 of 3', '5 values', '0 of 5', '5', '3']);
  }));

test('an error of a known class arrives as one, with its fields; any other as a plain error', () =>
  withThread(async (thread) => {
    await assert.rejects(thread.request({ kind: 'refuse' }), (error: Error) => {
      assert.ok(error instanceof FaceError);
      assert.deepEqual(
        [error.name, error.code, error.message, error.path, error.problem],
        ['FaceError', 'FACE', 'Cannot animate a.jpg: expected a face', 'a.jpg', 'no-face'],
      );
      assert.match(error.stack ?? '', /echo-worker/);
      return true;
    });
    await assert.rejects(thread.request({ kind: 'bug' }), (error: Error) => {
      assert.equal(error.constructor, Error);
      assert.equal(error.message, 'undefined is not a face');
      return true;
    });
  }));

test('closing waits for what was asked before; afterwards requests are refused', async () => {
  const thread = new ThreadClient<EchoRequest, EchoResults>(SCRIPT);
  const order: string[] = [];
  const answered = thread
    .request({ kind: 'echo', value: new Float32Array(1), answer: 'later' })
    .then(() => order.push('answer'));
  await Promise.all([answered, thread.close().then(() => order.push('closed')), thread.close()]);
  assert.deepEqual(order, ['answer', 'closed']);
  await assert.rejects(thread.request({ kind: 'bug' }), /ended with exit code 0/);
});

test('a thread that ends rejects what waits for it, and can still be closed', () =>
  withThread(async (thread) => {
    const waiting = thread.request({ kind: 'echo', value: new Float32Array(1), answer: 'never' });
    const exit = thread.request({ kind: 'exit' });
    await assert.rejects(waiting, /ended with exit code 3/);
    await assert.rejects(exit, /ended with exit code 3/);
  }));
