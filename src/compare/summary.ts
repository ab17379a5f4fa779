/** A report in a sentence: what terminal and page begin with. */
import { decimals, figures, times } from './number-format.ts';
import type { CompareReport, Comparison, VariantReport } from './report.ts';
import { FAST, ORIGINAL } from './variants.ts';

/** The comparison of two variants, if both are there. */
export function findComparison(report: CompareReport, of: string, against: string): Comparison | undefined {
  return report.comparisons.find((comparison) => comparison.of === of && comparison.against === against);
}

/** The variant of that name, if it finished. */
function findVariant(report: CompareReport, id: string): VariantReport | undefined {
  return report.variants.find((variant) => variant.id === id);
}

/** The ratio of two times as they are shown: who divides the figures of the table gets the headline's. */
export function shownRatio(slow: number, fast: number): number {
  return Number(figures(slow)) / Number(figures(fast));
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
    original.wholeJob === undefined || fast.wholeJob === undefined
      ? `${times(shownRatio(original.times.total.median, fast.times.total.median))} faster over all stages`
      : `${times(shownRatio(original.wholeJob.median, fast.wholeJob.median))} faster over the whole job`;
  const denoising = shownRatio(original.times.denoise.median, fast.times.denoise.median);
  return (
    `${fast.title} denoises ${times(denoising)} faster than ${original.title} and is ${whole}; ` +
    `its faces differ from the original's by ${decimals(main.face.psnr, 1)} dB PSNR and ` +
    `${decimals(main.face.ssim, 3)} SSIM, and flicker ${times(main.flickerRatio.inside)} as much.`
  );
}
