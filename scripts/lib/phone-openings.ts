/** How far a mouth is open while certain sounds are spoken. */

import { mean } from '../../src/metrics/series.ts';
import type { Phone } from './held-out.ts';

const CLOSED = new Set(['P', 'B', 'M']);
const VOWELS = new Set([
  'AA',
  'AE',
  'AH',
  'AO',
  'AW',
  'AY',
  'EH',
  'ER',
  'EY',
  'IH',
  'IY',
  'OW',
  'OY',
  'UH',
  'UW',
]);
/** Pauses that are long enough for the mouth to come to rest, and the time at their ends that it takes, in seconds. */
const MIN_SILENCE = 0.3;
const REST_MARGIN = 0.1;
/** A closure may come this much next to its label, in seconds: labels and frames are coarse. */
const CLOSURE_MARGIN = 0.04;

/** Openings in cm; NaN where the clip has no such sound. */
export interface PhoneOpenings {
  /** Mean in pauses. */
  readonly silence: number;
  /** Mean over P, B and M of the least opening. */
  readonly closed: number;
  /** Mean over vowels of the mean opening. */
  readonly vowels: number;
}

/**
 * What the phones alone say of the mouth, for each frame: 1 in vowels, 0 at P, B and M and in silence; NaN at other sounds,
 * which leave it free.
 */
export function phoneTargets(frames: number, fps: number, phones: readonly Phone[]): number[] {
  return Array.from({ length: frames }, (_, frame) => {
    const phone = phones.find(({ start, end }) => frame / fps >= start && frame / fps < end);
    if (phone === undefined) return Number.NaN;
    if (VOWELS.has(phone.name)) return 1;
    return CLOSED.has(phone.name) || phone.name === 'SIL' ? 0 : Number.NaN;
  });
}

/** Openings between two times of a clip whose frame `i` is at `i / fps` seconds. */
function within(openings: readonly number[], fps: number, start: number, end: number): number[] {
  return openings.slice(Math.max(0, Math.ceil(start * fps)), Math.max(0, Math.floor(end * fps) + 1));
}

/** The least opening at each P, B and M, in order; NaN where no mouth was found. */
export function closures(openings: readonly number[], fps: number, phones: readonly Phone[]): number[] {
  return phones
    .filter(({ name }) => CLOSED.has(name))
    .map(({ start, end }) => {
      const found = within(openings, fps, start - CLOSURE_MARGIN, end + CLOSURE_MARGIN);
      const finite = found.filter(Number.isFinite);
      return finite.length === 0 ? Number.NaN : Math.min(...finite);
    });
}

/**
 * The opening in the middle of each consonant that leaves the lips apart, away from closed lips and pauses: what comes near 0 is
 * closed where it should not be. `phones` follow one another.
 */
export function partedOpenings(openings: readonly number[], fps: number, phones: readonly Phone[]): number[] {
  const shut = (phone: Phone | undefined): boolean =>
    phone === undefined || CLOSED.has(phone.name) || phone.name === 'SIL';
  return phones
    .filter(
      (phone, i) => !shut(phone) && !VOWELS.has(phone.name) && !shut(phones[i - 1]) && !shut(phones[i + 1]),
    )
    .map(({ start, end }) => openings[Math.round(((start + end) / 2) * fps)] ?? Number.NaN)
    .filter(Number.isFinite);
}

/** The opening in the middle of each vowel, and whether it stands next to closed lips: what comes near 0 is closed and should not be. */
export function vowelOpenings(
  openings: readonly number[],
  fps: number,
  phones: readonly Phone[],
): { readonly opening: number; readonly nextToClosed: boolean }[] {
  const isClosed = (phone: Phone | undefined): boolean => phone !== undefined && CLOSED.has(phone.name);
  return phones
    .map(({ name, start, end }, i) => ({
      isVowel: VOWELS.has(name),
      opening: openings[Math.round(((start + end) / 2) * fps)] ?? Number.NaN,
      nextToClosed: isClosed(phones[i - 1]) || isClosed(phones[i + 1]),
    }))
    .filter(({ isVowel, opening }) => isVowel && Number.isFinite(opening));
}

/** Openings at the phones of a clip whose frame `i` is at `i / fps` seconds. */
export function measurePhones(
  openings: readonly number[],
  fps: number,
  phones: readonly Phone[],
): PhoneOpenings {
  return {
    silence: mean(
      phones
        .filter(({ name, start, end }) => name === 'SIL' && end - start >= MIN_SILENCE)
        .flatMap(({ start, end }) => within(openings, fps, start + REST_MARGIN, end - REST_MARGIN)),
    ),
    closed: mean(closures(openings, fps, phones)),
    vowels: mean(
      phones
        .filter(({ name }) => VOWELS.has(name))
        .map(({ start, end }) => mean(within(openings, fps, start, end))),
    ),
  };
}
