/** A comparison as text for the terminal. */

import { decimals, figures, gigaFlops, percent, spreadText, times } from '../compare/number-format.ts';
import type { CompareReport } from '../compare/report.ts';
import { findComparison, shownRatio, summarise } from '../compare/summary.ts';
import { ORIGINAL } from '../compare/variants.ts';
import { formatTable } from './format-table.ts';

/** The summary, tables of times and quality, and where the report lies. */
export function formatComparison(report: CompareReport, page: string): string {
  const { variants, limit } = report;
  const ofFloats = variants.some(({ precision }) => precision === 'int8')
    ? ' of floats, which integers may pass'
    : '';
  const withJob = variants.some(({ wholeJob }) => wholeJob !== undefined);
  const timeTable = formatTable(
    [
      '',
      'evaluations',
      'denoise, s',
      'all stages, s',
      ...(withJob ? ['whole job, s'] : []),
      'GFLOP/s',
      'of limit',
    ],
    variants.map(({ id, denoiserEvaluations, times: seconds, wholeJob, denoiserFlops, limitShare }) => [
      id,
      String(denoiserEvaluations),
      spreadText(seconds.denoise),
      spreadText(seconds.total),
      ...(withJob ? [wholeJob === undefined ? '–' : spreadText(wholeJob)] : []),
      figures(denoiserFlops / 1e9),
      percent(limitShare),
    ]),
  );
  const hasIdentity = variants.some(({ identity }) => identity !== undefined);
  const original = variants.find(({ id }) => id === ORIGINAL);
  const quality = variants.flatMap(({ id, mouth, identity, times: seconds }) => {
    const comparison = findComparison(report, id, ORIGINAL);
    const against = comparison
      ? [
          times(original && shownRatio(original.times.denoise.median, seconds.denoise.median)),
          decimals(comparison.face.psnr, 1),
          decimals(comparison.face.ssim, 4),
          decimals(comparison.face.msSsim, 4),
          times(comparison.flickerRatio.inside),
        ]
      : ['–', '–', '–', '–', '–'];
    return [
      [
        id,
        ...against,
        decimals(mouth.correlation, 2),
        decimals(mouth.lag, 0),
        ...(hasIdentity ? [decimals(identity, 3)] : []),
      ],
    ];
  });
  const qualityTable = formatTable(
    [
      'against original, face',
      'faster',
      'PSNR, dB',
      'SSIM',
      'MS-SSIM',
      'flicker',
      'mouth r',
      'lag',
      ...(hasIdentity ? ['identity'] : []),
    ],
    quality,
  );
  return `${page}\n${summarise(report)}\n\n${timeTable}\n${qualityTable}\nlimit of this machine: ${gigaFlops(limit.flops, '/s')} in matrix products${ofFloats}\n`;
}
