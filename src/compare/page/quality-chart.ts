/** Quality against time, as SVG: a point for each variant, those of a sweep joined by a line. */

import { escapeHtml } from '../../html/markup.ts';
import { figures } from '../number-format.ts';

/** A variant in the chart. */
interface ChartPoint {
  readonly label: string;
  /** Seconds. */
  readonly time: number;
  readonly quality: number;
  readonly swept: boolean;
}

const WIDTH = 760;
const HEIGHT = 320;
const LEFT = 64;
const RIGHT = 24;
const TOP = 16;
const BOTTOM = 48;

/** Round numbers over a range, `count` of them at most or one more; of 5 wanted, at least 2 are found. */
export function ticks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw) ?? raw;
  const found: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

/** Fewer marks do not show what an axis measures. */
const MIN_TIME_TICKS = 3;

/** Doublings over a range, for the logarithmic axis of time; round numbers where it is too narrow for them. */
export function timeTicks(low: number, high: number): number[] {
  const found: number[] = [];
  for (let power = Math.ceil(Math.log2(low)); 2 ** power <= high; power++) found.push(2 ** power);
  return found.length >= MIN_TIME_TICKS ? found : ticks(low, high, 5);
}

/**
 * Draws the points; seconds on a logarithmic axis.
 *
 * @param axis - what quality is measured in.
 */
export function qualityChart(points: readonly ChartPoint[], axis: string): string {
  const shown = points.filter(({ time, quality }) => time > 0 && Number.isFinite(quality));
  if (shown.length === 0) return '<p>No variant has a finite quality to draw.</p>';
  const timesOf = shown.map(({ time }) => time);
  const qualities = shown.map(({ quality }) => quality);
  const span = Math.max(...qualities) - Math.min(...qualities) || Math.abs(qualities[0]!) * 0.1 || 1;
  const [low, high] = [Math.min(...qualities) - 0.15 * span, Math.max(...qualities) + 0.15 * span];
  const [first, last] = [Math.min(...timesOf) / 1.3, Math.max(...timesOf) * 1.5];
  const x = (time: number): number =>
    LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(time / first)) / Math.log(last / first);
  const y = (quality: number): number => TOP + ((HEIGHT - TOP - BOTTOM) * (high - quality)) / (high - low);
  const at = (value: number): string => value.toFixed(1);

  const grid = [
    ...ticks(low, high, 5).map(
      (tick) =>
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(tick))}" y2="${at(y(tick))}" class="grid"/>` +
        `<text x="${LEFT - 8}" y="${at(y(tick) + 4)}" text-anchor="end" class="faint">${escapeHtml(String(tick))}</text>`,
    ),
    ...timeTicks(first, last).map(
      (tick) =>
        `<line x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" class="grid"/>` +
        `<text x="${at(x(tick))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle" class="faint">${tick} s</text>`,
    ),
  ];
  const sweep = shown.filter(({ swept }) => swept).sort((a, b) => a.time - b.time);
  const line =
    sweep.length > 1
      ? `<polyline points="${sweep.map(({ time, quality }) => `${at(x(time))},${at(y(quality))}`).join(' ')}" class="sweep"/>`
      : '';
  const marks = shown.map(({ label, time, quality, swept }) => {
    const right = x(time) > WIDTH * 0.8;
    return (
      `<circle cx="${at(x(time))}" cy="${at(y(quality))}" r="5" class="${swept ? 'swept' : 'point'}">` +
      `<title>${escapeHtml(label)}: ${figures(time)} s, ${figures(quality)} ${escapeHtml(axis)}</title></circle>` +
      `<text x="${at(x(time) + (right ? -9 : 9))}" y="${at(y(quality) - 8)}" text-anchor="${right ? 'end' : 'start'}">${escapeHtml(label)}</text>`
    );
  });
  return (
    `<div class="scroll"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Quality against time">${grid.join('')}${line}${marks.join('')}` +
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">seconds for all stages (logarithmic)</text>` +
    `<text transform="translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(axis)}</text></svg></div>`
  );
}
