/** A report in a sentence, and its wanted figures: what terminal and page begin with. */

import { decimals, figures, times } from './number-format.ts';
import type { CompareReport, Comparison, VariantReport } from './report.ts';
import { FAST, ORIGINAL, PUBLISHED } from './variants.ts';

/** The comparison of two variants, if both are there. */
export function findComparison(report: CompareReport, of: string, against: string): Comparison | undefined {
  return report.comparisons.find((comparison) => comparison.of === of && comparison.against === against);
}

/** The variant of that name, if it finished. */
export function findVariant(report: CompareReport, id: string): VariantReport | undefined {
  return report.variants.find((variant) => variant.id === id);
}

/** The speed-up and its cost, in one or two sentences. */
export function summarise(report: CompareReport): string {
  const main = findComparison(report, FAST, ORIGINAL);
  const fast = findVariant(report, FAST);
  const original = findVariant(report, ORIGINAL);
  if (main === undefined || fast === undefined || original === undefined) {
    const names = report.variants.map(({ id, title }) => `${id} (${title})`).join(', ');
    return report.variants.length === 0
      ? 'Nothing was finished, so there is nothing to compare.'
      : `Measured: ${names}; without both presets, fast and original, there is no speed-up to tell.`;
  }
  const whole =
    main.speedUp.wholeJob === undefined
      ? `${times(main.speedUp.total.median)} faster over all stages`
      : `${times(main.speedUp.wholeJob.median)} faster over the whole job`;
  return (
    `${fast.title} denoises ${times(main.speedUp.denoise.median)} faster than ${original.title} and is ${whole}; ` +
    `its faces differ from the original's by ${decimals(main.face.psnr, 1)} dB PSNR and ` +
    `${decimals(main.face.ssim, 3)} SSIM, and flicker ${times(main.flickerRatio.inside)} as much.`
  );
}

/** A figure with what it should be. */
export interface WantedFigure {
  readonly name: string;
  readonly found: string;
  readonly wanted: string;
  /** Undefined where it cannot be told. */
  readonly met: boolean;
}

/** Wanted of the embedded bundle on two cores. */
const WANTED_DENOISE = 11;
const WANTED_JOB = 8;
const WANTED_SAVINGS = 1.25;
const WANTED_DIFFERENCE = 1e-3;

/** The project's own aims for the embedded bundle, with what was found; only those that the report can tell. */
export function wantedFigures(report: CompareReport): WantedFigure[] {
  const found: WantedFigure[] = [];
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
