/**
 * Says whether a comparison of the embedded bundle on two cores passes the gates. Ends with 1 if it does not.
 *
 * Usage: lcm-portrait compare --output report …; node --import=tsx scripts/bench/compare-gates.ts report
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { CompareReport } from '../../src/compare/report.ts';
import { comparisonGates } from '../lib/comparison-gates.ts';
import { markdownTable } from '../lib/markdown-table.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Cannot read the report: expected the folder that compare wrote, got none');
  process.exit(2);
}
const report = JSON.parse(readFileSync(path.join(folder, 'report.json'), 'utf8')) as CompareReport;
if (report.clip.bundle !== 'tiny') {
  console.error(`Cannot judge the report: expected one of the bundle tiny, got ${report.clip.bundle}`);
  process.exit(2);
}
const gates = comparisonGates(report);
console.log(
  markdownTable(
    ['gate, on two cores', 'found', 'wanted', ''],
    gates.map(({ name, found, wanted, met }) => [name, found, wanted, met ? 'met' : 'missed']),
  ),
);
if (gates.length === 0 || gates.some(({ met }) => !met)) process.exitCode = 1;
