/** Times in which a film does not show the face. */
import type { TimeSpan } from '../errors.ts';
import type { RawTrack } from './raw-track.ts';

/** From the first picture without the face to the next with it, or to the film's end; seconds. */
export type Gap = TimeSpan;

/** All of them, in order. */
export function findGaps(raw: RawTrack): Gap[] {
  const gaps: Gap[] = [];
  let from: number | undefined;
  for (let picture = 0; picture < raw.pictures; picture++) {
    const time = raw.pictureTime(picture);
    if (raw.isFound(picture)) {
      if (from !== undefined) gaps.push({ from, to: time });
      from = undefined;
    } else {
      from ??= time;
    }
  }
  if (from !== undefined) gaps.push({ from, to: raw.endTime });
  return gaps;
}

/** At most so many are named. */
const NAMED = 5;

/** "3.20–6.40 s and 8.00–8.20 s". */
export function describeSpans(spans: readonly TimeSpan[]): string {
  const named = spans.slice(0, NAMED).map(({ from, to }) => `${from.toFixed(2)}–${to.toFixed(2)} s`);
  const more = spans.length - named.length;
  if (more > 0) return `${named.join(', ')} and ${more} more`;
  return named.length < 2 ? named.join() : `${named.slice(0, -1).join(', ')} and ${named.at(-1)}`;
}
