/** Words on a strip, for pictures that stand side by side. */

import type { RgbImage } from './rgb-image.ts';
import { sharp } from './sharp.ts';

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/**
 * A strip of light text on dark grey, centred; text that is too long is made narrower.
 *
 * @param width - pixels.
 * @param height - pixels; the letters are half as high.
 */
export async function drawLabel(text: string, width: number, height: number): Promise<RgbImage> {
  const size = Math.round(height / 2);
  // A sans-serif letter is about half as wide as it is high.
  const fitted =
    text.length * size * 0.55 > width * 0.94
      ? ` textLength="${Math.round(width * 0.94)}" lengthAdjust="spacingAndGlyphs"`
      : '';
  const safe = text.replace(/[&<>]/g, (character) => ENTITIES[character]!);
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<rect width="100%" height="100%" fill="#1b1b1e"/>` +
    `<text x="${width / 2}" y="${Math.round(height * 0.68)}" font-family="sans-serif" font-size="${size}" fill="#f2f2f2" ` +
    `text-anchor="middle"${fitted}>${safe}</text></svg>`;
  const { data } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height };
}
