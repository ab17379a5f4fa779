import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FewAtOnce } from '../../src/runtime/few-at-once.ts';

/** Work that ends when it is told to. */
class Works {
  readonly begun: number[] = [];
  readonly #ends = new Map<number, { resolve: (value: number) => void; reject: (error: Error) => void }>();

  begin(number: number): Promise<number> {
    this.begun.push(number);
    return new Promise((resolve, reject) => this.#ends.set(number, { resolve, reject }));
  }

  async end(number: number, error?: Error): Promise<void> {
    const { resolve, reject } = this.#ends.get(number)!;
    if (error) reject(error);
    else resolve(number);
    await new Promise((done) => setImmediate(done));
  }
}

test('as many begin as there are places, and the others in their order', async () => {
  const [few, works] = [new FewAtOnce(2), new Works()];
  const results = [1, 2, 3, 4].map((number) => few.run(() => works.begin(number)));
  assert.deepEqual(works.begun, [1, 2]);
  await works.end(2);
  assert.deepEqual(works.begun, [1, 2, 3]);
  await works.end(3);
  await works.end(1);
  assert.deepEqual(works.begun, [1, 2, 3, 4]);
  // A place that nobody waited for is there again.
  const last = few.run(() => works.begin(5));
  assert.deepEqual(works.begun, [1, 2, 3, 4, 5]);
  await works.end(4);
  await works.end(5);
  assert.deepEqual(await Promise.all([...results, last]), [1, 2, 3, 4, 5]);
});

test('work that fails gives its place back', async () => {
  const [few, works] = [new FewAtOnce(1), new Works()];
  const failing = few.run(() => works.begin(1));
  const next = few.run(() => works.begin(2));
  const rejected = assert.rejects(failing, /no picture/);
  await works.end(1, new Error('no picture'));
  await rejected;
  await works.end(2);
  assert.equal(await next, 2);
});
