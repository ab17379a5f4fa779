/** The parts of a motion that can come from sources of their own. */

/** All parts. */
export const MOTION_PARTS = ['head', 'eyes', 'brows', 'mouth'] as const;
/** What can come from a source of its own. */
export type MotionPart = (typeof MOTION_PARTS)[number];

/** `head,eyes`: the parts of a list, each once and in the order of {@link MOTION_PARTS}; undefined if it is none. */
export function readPartList(text: string): MotionPart[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  if (!names.every((name) => (MOTION_PARTS as readonly string[]).includes(name))) return undefined;
  return MOTION_PARTS.filter((part) => names.includes(part));
}

/** Whether a text is a list of parts. */
export function isPartList(text: string): boolean {
  return readPartList(text) !== undefined;
}
