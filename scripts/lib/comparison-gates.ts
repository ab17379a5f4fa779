/** What a change to the fast sampler or to the exact savings must not fall behind. */
import { figures, times } from '../../src/compare/number-format.ts';
import type { CompareReport } from '../../src/compare/report.ts';
import { findComparison } from '../../src/compare/summary.ts';
import { FAST, ORIGINAL, PUBLISHED } from '../../src/compare/variants.ts';

/** A figure of a report, and what a change must not fall behind. */
export interface Gate {
  readonly name: string;
  readonly found: string;
  readonly wanted: string;
  readonly met: boolean;
}

const WANTED_DENOISE = 11;
const WANTED_JOB = 8;
const WANTED_SAVINGS = 1.25;
const WANTED_DIFFERENCE = 1e-3;

/** Gates for a comparison of the embedded bundle on two cores; only those that the report has figures for. */
export function comparisonGates(report: CompareReport): Gate[] {
  const found: Gate[] = [];
  const main = findComparison(report, FAST, ORIGINAL);
  if (main !== undefined) {
    const { evaluations, denoise, total, wholeJob } = main.speedUp;
    found.push(
      {
        name: 'Denoiser evaluations',
        found: `÷ ${figures(evaluations)}`,
        wanted: '≥ 12.5',
        met: evaluations >= 12.5,
      },
      {
        name: 'Denoising time',
        found: times(denoise.median),
        wanted: `≥ ${WANTED_DENOISE}×`,
        met: denoise.median >= WANTED_DENOISE,
      },
      {
        name: 'Sum of all stages',
        found: times(total.median),
        wanted: `≥ ${WANTED_JOB}×, goal 10×`,
        met: total.median >= WANTED_JOB,
      },
    );
    if (wholeJob !== undefined) {
      found.push({
        name: 'Whole job, stages overlapping',
        found: times(wholeJob.median),
        wanted: `≥ ${WANTED_JOB}×, goal 10×`,
        met: wholeJob.median >= WANTED_JOB,
      });
    }
  }
  const savings = findComparison(report, ORIGINAL, PUBLISHED);
  if (savings !== undefined) {
    const job = savings.speedUp.total.median;
    const difference = savings.largestLatentDifference ?? Number.NaN;
    found.push(
      {
        name: 'Exact savings, original preset',
        found: times(job),
        wanted: `≥ ${WANTED_SAVINGS}×`,
        met: job >= WANTED_SAVINGS,
      },
      {
        name: 'Exact savings, largest difference of latents',
        found: difference.toExponential(1),
        wanted: `< ${WANTED_DIFFERENCE}`,
        met: difference < WANTED_DIFFERENCE,
      },
    );
  }
  return found;
}
