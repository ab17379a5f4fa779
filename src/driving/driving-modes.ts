/** How recorded motion is carried over to a portrait. */

/** Names of the ways. */
export const DRIVING_MODES = ['relative', 'absolute'] as const;
/**
 * `relative`: the recording's motion about its own rest is carried over to the portrait's pose and proportions. `absolute`,
 * as AniPortrait does it: the head is turned as in the recording, whatever the portrait's pose is.
 */
export type DrivingMode = (typeof DRIVING_MODES)[number];
