import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatComparison } from '../../src/cli/format-compare.ts';
import { EXAMPLE_REPORT } from '../compare/example-report.ts';

test('a variant in whose frames no face was found has no identity next to one that has', () => {
  const [first, ...others] = EXAMPLE_REPORT.variants.map(({ identity: _, ...variant }) => variant);
  const report = { ...EXAMPLE_REPORT, variants: [{ ...first!, identity: 0.98765 }, ...others] };
  const rows = formatComparison(report, 'report.html').split('\n');
  const header = rows.findIndex((row) => row.startsWith('against original'));
  assert.match(rows[header]!, /lag {2}identity$/);
  assert.match(rows[header + 1]!, / 0\.988$/);
  assert.match(rows[header + 2]!, / –$/);
  assert.ok(!formatComparison(EXAMPLE_REPORT, 'report.html').includes('identity'));
});
