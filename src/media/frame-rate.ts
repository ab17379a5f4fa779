/**
 * Frame rates as film and television have them: 30000/1001, which people write as 29.97, is no decimal number. A file that
 * says 29.97 exactly drifts from its sound by a frame in nine hours, and players take it for a variable rate.
 */

/** Rates of the NTSC family are these, times 1000/1001. */
const NTSC_BASES: readonly number[] = [24, 30, 48, 60, 120];
/** 23.976 and 23.98 both mean 24000/1001: decimals are rounded to two places at worst. */
const NTSC_TOLERANCE = 0.0051;
/**
 * The rate that a number means: that of the NTSC family which it rounds, or else itself.
 *
 * @param fps - frames a second.
 * @example
 * exactFrameRate(29.97) === 30000 / 1001; // true
 * exactFrameRate(25); // 25
 */
export function exactFrameRate(fps: number): number {
  for (const base of NTSC_BASES) {
    const rate = (base * 1000) / 1001;
    if (Math.abs(fps - rate) < NTSC_TOLERANCE) return rate;
  }
  return fps;
}

/**
 * Reads `25`, `29.97` or `30000/1001`; what is neither comes back as it is.
 *
 * @example
 * readFrameRate('30000/1001'); // 29.97002997002997
 */
export function readFrameRate(text: string): number | string {
  const match = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(?:\/\s*(\d+))?\s*$/.exec(text);
  if (match === null) return text;
  const [, numerator, denominator = '1'] = match;
  const fps = Number(numerator) / Number(denominator);
  return Number.isFinite(fps) ? fps : text;
}

/**
 * A rate as ffmpeg reads it: `25`, `30000/1001`, `12.5`.
 *
 * @param fps - frames a second, as {@link exactFrameRate} gives them.
 */
export function frameRateText(fps: number): string {
  const base = NTSC_BASES.find((each) => (each * 1000) / 1001 === fps);
  return base === undefined ? String(fps) : `${base * 1000}/1001`;
}

/** A rate as people read it, without rounding where it is whole: `25`, `29.97`, `23.976`. */
export function frameRateLabel(fps: number): string {
  return String(Number(fps.toFixed(3)));
}
