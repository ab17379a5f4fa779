import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { writeFlags } from '../../src/cli/option-flags.ts';
import { InvalidOptionError, InvalidOptionsError, MediaError } from '../../src/errors.ts';
import { packError, unpackError } from '../../src/runtime/thread-errors.ts';

const LIMIT = { timeout: 120_000 };

test('options are written as the flags of the command, with values', LIMIT, () => {
  const animate = writeFlags();
  assert.equal(animate({ option: 'headPoseScale' }), '--head-pose-scale');
  assert.equal(animate({ option: 'device', value: 'cpu' }), '--device cpu');
  assert.equal(animate({ option: 'overwrite', value: true }), '--force');
  assert.equal(animate({ option: 'bundleStore' }), 'bundleStore');
  const bench = writeFlags(new Command('bench').option('--devices <list>').option('--repeats <n>'));
  assert.equal(bench({ option: 'device', value: 'cpu' }), '--devices cpu');
  assert.equal(bench({ option: 'repeats' }), '--repeats');
  assert.equal(bench({ option: 'overwrite', value: true }), 'overwrite: true');
});

test(
  'an error is written in flags, whatever thread it comes from; a path that is called like an option stays',
  LIMIT,
  () => {
    const problem = {
      refusal: ['Cannot use ', { option: 'sampler' }, ' of sampler/steps.txt'],
      expected: ['one with ', { option: 'steps' }],
      got: 'none',
      hint: ['set ', { option: 'overwrite', value: true }],
    };
    const error = new InvalidOptionError(problem, 'sampler', 'x');
    const message = 'Cannot use sampler of sampler/steps.txt: expected one with steps, got none; set ';
    assert.equal(error.message, `${message}overwrite: true`);
    const travelled = unpackError(structuredClone(packError(error))) as InvalidOptionError;
    assert.ok(travelled instanceof InvalidOptionError);
    const written = travelled.writtenAs(writeFlags());
    assert.ok(written instanceof InvalidOptionError);
    assert.equal(
      written.message,
      'Cannot use --sampler of sampler/steps.txt: expected one with --steps, got none; set --force',
    );
    assert.deepEqual([written.option, written.value, written.code], ['--sampler', 'x', 'INVALID_OPTION']);
    assert.equal(written.cause, travelled);
    assert.equal(travelled.message, error.message);

    const media = new MediaError(['Cannot write a: set ', { option: 'overwrite', value: true }], 'a');
    const writtenMedia = media.writtenAs(writeFlags());
    assert.ok(writtenMedia instanceof MediaError);
    assert.deepEqual(
      [writtenMedia.message, writtenMedia.path, writtenMedia.name],
      ['Cannot write a: set --force', 'a', 'MediaError'],
    );
    const all = new InvalidOptionsError([error, error]).writtenAs(writeFlags());
    assert.deepEqual(
      all.errors.map(({ option }) => option),
      ['--sampler', '--sampler'],
    );
    assert.match(all.message, /set --force\n.*set --force$/);
  },
);
