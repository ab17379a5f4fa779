import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionsError } from '../../src/errors.ts';
import { BATCH_OPTIONS, BATCH_RULES, type RunBatchOptions } from '../../src/jobs/batch-options.ts';
import { WORKER_OPTIONS } from '../../src/jobs/worker-options.ts';
import { checkOptions, findWrongOptions } from '../../src/pipeline/options/check-options.ts';

const LIMIT = { timeout: 120_000 };
const problemsOf = (options: RunBatchOptions): string[] =>
  findWrongOptions(BATCH_OPTIONS, BATCH_RULES, options, 'run a batch').map(({ message }) => message);

test('all that is wrong with a batch is named at once, in the order of the table', LIMIT, () => {
  const options = { reportFolder: true, stateFolder: '', concurrency: 0, retryDelay: Number.NaN };
  assert.deepEqual(problemsOf(options as unknown as RunBatchOptions), [
    'Cannot use stateFolder: expected the path of a folder, got ""',
    'Cannot use reportFolder: expected the path of a folder, got true',
    'Cannot use concurrency: expected an integer from 1 to 64, got 0',
    'Cannot use retryDelay: expected a number from 0 to 3600, got NaN',
  ]);
});

test('what other machines do is not set here, and a folder is shared with somebody', LIMIT, () => {
  assert.deepEqual(problemsOf({ queue: 'redis://a', device: 'cpu', threads: 2, concurrency: 1 }), [
    'Cannot use device with queue: expected it where the work is done, got it here; give it to the workers',
    'Cannot use threads with queue: expected it where the work is done, got it here; give it to the workers',
    'Cannot use concurrency with queue: expected it where the work is done, got it here; give it to the workers',
  ]);
  assert.deepEqual(problemsOf({ sharedFolder: 'a' }), [
    'Cannot use sharedFolder: expected it together with queue, got it alone',
  ]);
  assert.deepEqual(problemsOf({ queue: 'redis://a', sharedFolder: 'a', reportFolder: false }), []);
});

test('a worker needs a queue', LIMIT, () => {
  assert.throws(
    () => checkOptions(WORKER_OPTIONS, [], { lockSeconds: 0 }, 'work'),
    (error) => {
      assert.ok(error instanceof InvalidOptionsError);
      assert.deepEqual(
        error.errors.map(({ message }) => message),
        [
          'Cannot work without queue: expected redis://host:port/database or rediss://…, got nothing',
          'Cannot use lockSeconds: expected a number from 1 to 3600, got 0',
        ],
      );
      return true;
    },
  );
});
