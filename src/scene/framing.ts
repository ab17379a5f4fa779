/** What of the picture a video shows. */

/** `paste-back` keeps the photo's size and background; `crop` returns the square around the face. */
export const FRAMINGS = ['paste-back', 'crop'] as const;
/** One of {@link FRAMINGS}. */
export type Framing = (typeof FRAMINGS)[number];
