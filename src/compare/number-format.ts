/** Numbers as tables and pages show them. */
import type { Spread } from '../metrics/series.ts';

const NONE = '–';

/** `digits` decimals; a dash where there is no number, ∞ where it is infinite. */
export function decimals(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  return value.toFixed(digits).replace('-', '−');
}

/** Three significant digits without an exponent, as many decimals as that takes, at most four. */
export function figures(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value) || value === 0)
    return decimals(value, 0);
  const before = Math.floor(Math.log10(Math.abs(value)));
  return decimals(value, Math.min(4, Math.max(0, 2 - before)));
}

/** `1.42 s (1.38–1.60)`: the middle, and the range where there is more than one. */
export function spreadText({ median, min, max, count }: Spread, unit = ''): string {
  const range = count > 1 ? ` (${figures(min)}–${figures(max)})` : '';
  return `${figures(median)}${unit}${range}`;
}

/** A ratio with a times sign; a dash where there is none. */
export function times(value: number | null | undefined): string {
  const text = figures(value);
  return text === NONE ? NONE : `${text}×`;
}

/** `12.3 GFLOP`, for counts and rates. */
export function gigaFlops(flops: number, per = ''): string {
  const tera = flops >= 1e12;
  return `${figures(flops / (tera ? 1e12 : 1e9))} ${tera ? 'T' : 'G'}FLOP${per}`;
}

/** A share in percent. */
export function percent(share: number): string {
  return `${decimals(share * 100, 0)} %`;
}
