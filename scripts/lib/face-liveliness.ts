/** How lively faces are: sizes and speeds of what they do within a few seconds. */
import { deviation, mean, median } from '../../src/metrics/series.ts';
import type { FaceState, FaceValue } from './talk-measures.ts';
import { bandShares, countBlinks, meanSpeed, percentile, seriesOf } from './talk-statistics.ts';

/** Seconds of a window, and the least that a rest of a clip must last to be one. */
const WINDOW = 4;
const LEAST_WINDOW = 2.5;
const HEAD = ['pitch', 'yaw', 'roll'] as const;

/** Of faces, over all windows of {@link WINDOW} seconds of their clips. */
export interface Liveliness {
  readonly seconds: number;
  /** Opening of the lips in mm: 5th, 50th and 95th percentile. */
  readonly openings: readonly [number, number, number];
  /** Standard deviation within a window, median: mm, and degrees of the head. */
  readonly spread: Readonly<Record<'opening' | 'width' | 'brows' | (typeof HEAD)[number], number>>;
  /** Mean speed of pitch, yaw and roll, degrees a second. */
  readonly speed: readonly [number, number, number];
  /** Shares of the variance of pitch under 1 Hz, from 1 to 3 Hz, above. */
  readonly bands: readonly [number, number, number];
  readonly blinksPerMinute: number;
  /** Height over width of the eyes: median and least. */
  readonly lids: readonly [number, number];
}

/** @param clips - frames of each; frames without a face are left out. */
export function livelinessOf(clips: readonly (readonly FaceState[])[], fps: number): Liveliness {
  const seen = clips.map((clip) => clip.filter(({ opening }) => Number.isFinite(opening)));
  const windows = seen.flatMap((clip) => windowsOf(clip, fps));
  const frames = seen.flat();
  const spread = (value: FaceValue): number =>
    median(windows.map((window) => deviation(seriesOf(window, value))));
  const openings = seriesOf(frames, 'opening');
  const lids = seriesOf(frames, 'lids');
  const shares = windows.map((window) => bandShares(seriesOf(window, 'pitch'), fps));
  const seconds = frames.length / fps;
  const blinks = seen.reduce((sum, clip) => sum + countBlinks(seriesOf(clip, 'lids')), 0);
  return {
    seconds,
    openings: [percentile(openings, 0.05), percentile(openings, 0.5), percentile(openings, 0.95)],
    spread: {
      ...{ opening: spread('opening'), width: spread('width'), brows: spread('brows') },
      ...{ pitch: spread('pitch'), yaw: spread('yaw'), roll: spread('roll') },
    },
    speed: triple((axis) => mean(windows.map((window) => meanSpeed(seriesOf(window, HEAD[axis]!), fps)))),
    bands: triple((band) => mean(shares.map((share) => share[band]!))),
    blinksPerMinute: (60 * blinks) / seconds,
    lids: [median(lids), lids.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)],
  };
}

/** Parts of a clip that follow each other; a clip that is shorter than one is one. */
function windowsOf(clip: readonly FaceState[], fps: number): (readonly FaceState[])[] {
  const length = Math.round(WINDOW * fps);
  if (clip.length <= length) return clip.length > 1 ? [clip] : [];
  const windows: (readonly FaceState[])[] = [];
  for (let from = 0; from < clip.length; from += length) {
    const window = clip.slice(from, from + length);
    if (window.length >= LEAST_WINDOW * fps) windows.push(window);
  }
  return windows;
}

function triple(of: (index: 0 | 1 | 2) => number): [number, number, number] {
  return [of(0), of(1), of(2)];
}
