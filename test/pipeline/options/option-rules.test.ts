import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../../src/errors.ts';
import { atLeastOneOf, atMostOneOf, needsOneOf } from '../../../src/pipeline/options/option-rules.ts';
import type { OptionRule } from '../../../src/pipeline/options/option-spec.ts';

interface Options {
  readonly portrait?: string;
  readonly source?: string;
  readonly film?: string;
  readonly parts?: string;
}

/** What a rule says of some options; undefined if nothing. */
function messageOf(rule: OptionRule<Options>, values: Options): string | undefined {
  const broken = rule.find(values);
  return broken && new InvalidOptionError(broken.problem, broken.option, undefined).message;
}

test('one of several must be there', { timeout: 120_000 }, () => {
  const rule = atLeastOneOf<Options>(['portrait', 'source', 'film'], 'a picture');
  assert.equal(
    messageOf(rule, { parts: 'x' }),
    'Cannot animate without portrait: expected a picture, got nothing; or give source or film',
  );
  for (const key of ['portrait', 'source', 'film']) assert.equal(messageOf(rule, { [key]: 'x' }), undefined);
  assert.equal(rule.whole, true);
});

test('no two of several may be there', { timeout: 120_000 }, () => {
  const rule = atMostOneOf<Options>(['portrait', 'source']);
  assert.equal(
    messageOf(rule, { portrait: 'a', source: 'b' }),
    'Cannot use source: expected none together with portrait, got both; leave one out',
  );
  for (const values of [{}, { portrait: 'a' }, { source: 'b' }])
    assert.equal(messageOf(rule, values), undefined);
});

test('an option means nothing without one of those that it belongs to', { timeout: 120_000 }, () => {
  const rule = needsOneOf<Options>('parts', ['film', 'source']);
  assert.equal(
    messageOf(rule, { parts: 'x' }),
    'Cannot use parts: expected it together with film or source, got it alone',
  );
  for (const values of [{}, { parts: 'x', film: 'a' }, { parts: 'x', source: 'a' }]) {
    assert.equal(messageOf(rule, values), undefined);
  }
});
