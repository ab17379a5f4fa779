/** The measurements of held-out people in Markdown. */

import { cosine, mean } from '../../src/metrics/series.ts';
import type { PersonMeasures } from './evaluate-person.ts';
import { formatNumber, markdownTable } from './markdown-table.ts';

interface Row {
  readonly title: string;
  readonly digits: number;
  readonly value: (person: PersonMeasures) => number;
  /** Of all people's values, the one that is furthest from what is wanted. */
  readonly worst: 'least' | 'greatest' | 'largest';
  readonly wanted?: string;
}

const ROWS: readonly Row[] = [
  {
    title: 'Mouth: correlation of driving and found opening',
    digits: 2,
    value: (p) => p.correlation,
    worst: 'least',
    wanted: '≥ 0.7',
  },
  { title: 'Mouth: lag, frames', digits: 1, value: (p) => p.lag, worst: 'largest', wanted: '0 ± 1' },
  {
    title: 'Mouth: amplitude, found / driving',
    digits: 2,
    value: (p) => p.amplitude,
    worst: 'least',
  },
  {
    title: 'Mouth: correlation of what the phones say and found opening',
    digits: 2,
    value: (p) => p.phoneCorrelation,
    worst: 'least',
    wanted: '≥ 0.6',
  },
  {
    title: 'Identity: faceres similarity to the portrait',
    digits: 3,
    value: (p) => mean(p.similarities),
    worst: 'least',
    wanted: '≥ 0.8',
  },
  {
    title: 'Change between frames outside of the face, levels',
    digits: 2,
    value: (p) => p.clip.change.outside,
    worst: 'greatest',
  },
  {
    title: 'Change between frames in the face, levels',
    digits: 2,
    value: (p) => p.clip.change.inside,
    worst: 'greatest',
  },
  {
    title: 'Jitter outside of the face, levels',
    digits: 2,
    value: (p) => p.clip.jitter.outside,
    worst: 'greatest',
  },
  {
    title: 'Jitter in the face, levels',
    digits: 2,
    value: (p) => p.clip.jitter.inside,
    worst: 'greatest',
  },
  { title: 'Frames without a face', digits: 0, value: (p) => p.clip.missing, worst: 'greatest', wanted: '0' },
  ...(['silence', 'closed', 'vowels'] as const).map((sound): Row => {
    const title = { silence: 'in silence', closed: 'at P, B, M', vowels: 'in vowels' }[sound];
    return {
      title: `Opening ${title}, mm: found (driving in the table below)`,
      digits: 1,
      value: (p) => 10 * p.foundPhones[sound],
      worst: sound === 'vowels' ? 'least' : 'greatest',
    };
  }),
];

function worstOf(values: readonly number[], worst: Row['worst']): number {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return Number.NaN;
  if (worst === 'least') return Math.min(...finite);
  if (worst === 'greatest') return Math.max(...finite);
  return finite.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
}

/**
 * Mean, worst and wanted values over all people.
 *
 * @param warps - the same people's clips without anything generated.
 */
export function summaryTable(people: readonly PersonMeasures[], warps: readonly PersonMeasures[]): string {
  return markdownTable(
    ['Measure', 'mean', 'worst', 'warp alone: mean', 'worst', 'wanted'],
    ROWS.map(({ title, digits, value, worst, wanted = '' }) => {
      const cells = (measures: readonly PersonMeasures[]): string[] => {
        const values = measures.map(value);
        return [formatNumber(mean(values), digits), formatNumber(worstOf(values, worst), digits)];
      };
      return [title, ...cells(people), ...cells(warps), wanted];
    }),
  );
}

/** A row for each person. */
export function peopleTable(people: readonly PersonMeasures[]): string {
  const pair = (driving: number, found: number): string =>
    Number.isFinite(found) ? `${formatNumber(10 * driving, 1)} → ${formatNumber(10 * found, 1)}` : '–';
  return markdownTable(
    [
      'Portrait',
      'speech',
      'r',
      'lag',
      'amplitude',
      'similarity',
      'change out',
      'in',
      'jitter out',
      'in',
      'silence',
      'P B M',
      'vowels',
    ],
    people.map((p) => [
      p.portrait,
      p.speech,
      formatNumber(p.correlation, 2),
      formatNumber(p.lag, 0),
      formatNumber(p.amplitude, 2),
      formatNumber(mean(p.similarities), 3),
      formatNumber(p.clip.change.outside, 2),
      formatNumber(p.clip.change.inside, 2),
      formatNumber(p.clip.jitter.outside, 2),
      formatNumber(p.clip.jitter.inside, 2),
      pair(p.drivingPhones.silence, p.foundPhones.silence),
      pair(p.drivingPhones.closed, p.foundPhones.closed),
      pair(p.drivingPhones.vowels, p.foundPhones.vowels),
    ]),
  );
}

/** Mean similarity of the portraits of different people: what the identity measure gives by chance. */
export function chanceSimilarity(people: readonly PersonMeasures[]): number {
  const found = people.flatMap((p) => p.embedding ?? []);
  return mean(found.flatMap((a, i) => found.slice(i + 1).map((b) => cosine(a, b))));
}
