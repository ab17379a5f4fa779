/** What to do about times in which a film does not show the face. */

/** Names of the choices. */
export const GAP_CHOICES = ['refuse', 'hold'] as const;
/** `refuse` the film where they are long, or `hold` the face still. */
export type GapChoice = (typeof GAP_CHOICES)[number];
