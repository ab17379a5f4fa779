/** What a `background` may be. */

/** Colours by name; `green` is the one that is keyed out. */
const COLOURS: Readonly<Record<string, readonly [number, number, number]>> = {
  green: [0, 177, 64],
  blue: [0, 71, 187],
  white: [255, 255, 255],
  grey: [128, 128, 128],
  gray: [128, 128, 128],
  black: [0, 0, 0],
};

/** What a background may be, for messages. */
export const BACKGROUND_EXPECTED = `a colour (${Object.keys(COLOURS).join(', ')} or #rrggbb), blurred, transparent, or the path of a picture`;

/** Whether a background is a word, not a file. */
export function isBackgroundWord(value: string): boolean {
  return value === 'blurred' || value === 'transparent' || colourOf(value) !== undefined;
}

/** Whether nothing stands behind. */
export function isTransparent({ background }: { readonly background?: string | undefined }): boolean {
  return background === 'transparent';
}

/** Red, green and blue of a colour's name or `#rrggbb`; undefined for what is none. */
export function colourOf(value: string): readonly [number, number, number] | undefined {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(value);
  if (match === null) return COLOURS[value.toLowerCase()];
  return [match[1]!, match[2]!, match[3]!].map((digits) =>
    Number.parseInt(digits, 16),
  ) as unknown as readonly [number, number, number];
}
