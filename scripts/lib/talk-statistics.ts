/** How one talking face compares with another that says the same: numbers about series of face states. */
import { bestLag, correlation, deviation, mean, median } from '../../src/metrics/series.ts';
import type { FaceState, FaceValue } from './talk-measures.ts';

/** Frames by which mouth and mouth may be apart. */
const LAG_REACH = 5;
/** A blink: lids come under this share of their usual opening. */
const BLINK_DEPTH = 0.65;
/** Slow, medium and fast motion of the head, in Hz. */
const BANDS = [1, 3] as const;

/** A value of all frames. */
export function seriesOf(states: readonly FaceState[], value: FaceValue): number[] {
  return states.map((state) => state[value]);
}

/** How one series follows another. */
export interface Agreement {
  /** At no shift. */
  readonly correlation: number;
  /** In frames: above 0 the follower comes later. */
  readonly lag: number;
  /** Standard deviation of the follower over the driver's. */
  readonly amplitude: number;
}

/** Both series are of the same frames; what is not finite is left out. */
export function agreement(driver: readonly number[], follower: readonly number[]): Agreement {
  const count = Math.min(driver.length, follower.length);
  const [a, b] = [driver.slice(0, count), follower.slice(0, count)];
  return {
    correlation: correlation(a, b),
    lag: bestLag(a, b, LAG_REACH),
    amplitude: deviation(b) / deviation(a),
  };
}

/** The value that a share, 0 to 1, of the finite values does not exceed, between the two nearest; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const position = share * (sorted.length - 1);
  const index = Math.min(Math.floor(position), sorted.length - 1);
  const next = sorted[Math.min(index + 1, sorted.length - 1)]!;
  return sorted[index]! + (next - sorted[index]!) * (position - index);
}

/** How loud speech is at each frame: root mean square over 80 ms around it. */
export function loudnessOf(pcm: Float32Array, sampleRate: number, fps: number, frames: number): number[] {
  const reach = 0.04 * sampleRate;
  return Array.from({ length: frames }, (_, frame) => {
    const middle = (frame / fps) * sampleRate;
    const part = pcm.subarray(
      Math.max(0, Math.round(middle - reach)),
      Math.max(0, Math.round(middle + reach)),
    );
    return part.length === 0
      ? 0
      : Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / part.length);
  });
}

/** Mean absolute change, in units a second. */
export function meanSpeed(values: readonly number[], fps: number): number {
  return fps * mean(values.slice(1).map((value, i) => Math.abs(value - values[i]!)));
}

/**
 * Shares of the variance in slow (under 1 Hz), medium (1 to 3 Hz) and fast motion, which add up to 1; NaN of a series that does
 * not move or has gaps.
 */
export function bandShares(values: readonly number[], fps: number): [number, number, number] {
  const count = values.length;
  const middle = mean(values);
  const power: [number, number, number] = [0, 0, 0];
  for (let k = 1; k <= count / 2; k++) {
    let [re, im] = [0, 0];
    for (let i = 0; i < count; i++) {
      re += (values[i]! - middle) * Math.cos((2 * Math.PI * k * i) / count);
      im -= (values[i]! - middle) * Math.sin((2 * Math.PI * k * i) / count);
    }
    const hertz = (k * fps) / count;
    const band = hertz < BANDS[0] ? 0 : hertz < BANDS[1] ? 1 : 2;
    // The highest frequency of an even count stands alone; all others stand for two.
    power[band] += (re * re + im * im) * (2 * k === count ? 1 : 2);
  }
  const total = power[0] + power[1] + power[2];
  return total > 0 ? [power[0] / total, power[1] / total, power[2] / total] : [NaN, NaN, NaN];
}

/** How often lids, as shares of the eyes' length, fall under two thirds of their usual opening and rise again. */
export function countBlinks(lids: readonly number[]): number {
  const limit = BLINK_DEPTH * median(lids);
  let [blinks, closed] = [0, false];
  for (const value of lids) {
    if (!Number.isFinite(value)) continue;
    if (value < limit && !closed) blinks++;
    closed = value < limit;
  }
  return blinks;
}
