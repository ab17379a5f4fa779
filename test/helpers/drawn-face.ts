import sharp from 'sharp';
import type { RgbImage } from '../../src/image/rgb-image.ts';

/** Where {@link drawFace} puts things, in px of its 512 × 512 picture. */
export const DRAWN_FACE = {
  eyeY: 235,
  rightEyeX: 208,
  leftEyeX: 304,
  noseTip: [256, 292],
  mouth: [256, 340],
} as const;

/** How a face is drawn. */
export interface DrawnExpression {
  /** Pixels of 512 by which the lips are apart. @defaultValue 0 */
  readonly mouth?: number;
  /** Whether the lids are shut. @defaultValue false */
  readonly eyesShut?: boolean;
}

const OPEN_EYES = `
    <path d="M180 236 Q208 216 236 238 Q208 250 180 236 Z" fill="#f6f2ee" stroke="#2a1a12" stroke-width="3"/>
    <path d="M276 238 Q304 216 332 236 Q304 250 276 238 Z" fill="#f6f2ee" stroke="#2a1a12" stroke-width="3"/>
    <circle cx="208" cy="235" r="10" fill="#4a3220"/><circle cx="304" cy="235" r="10" fill="#4a3220"/>
    <circle cx="208" cy="235" r="5" fill="#0c0806"/><circle cx="304" cy="235" r="5" fill="#0c0806"/>`;
const SHUT_EYES = `
    <path d="M180 238 Q208 216 236 240 Q208 252 180 238 Z" fill="#d8a482"/>
    <path d="M276 240 Q304 216 332 238 Q304 252 276 240 Z" fill="#d8a482"/>
    <path d="M180 238 Q208 252 236 240 M276 240 Q304 252 332 238" fill="none" stroke="#2a1a12" stroke-width="4"/>`;

function mouth(open: number): string {
  const [upper, lower] = [340 - 0.3 * open, 340 + 0.7 * open];
  return `
  <path d="M216 340 Q240 ${upper - 14} 256 ${upper - 7} Q272 ${upper - 14} 296 340 Q256 ${upper + 8} 216 340 Z" fill="#a8504a"/>
  <path d="M216 340 Q256 ${lower + 6} 296 340 Q276 ${lower + 22} 256 ${lower + 22} Q236 ${lower + 22} 216 340 Z" fill="#bf655c"/>
  ${
    open === 0
      ? '<path d="M216 340 Q256 347 296 340" fill="none" stroke="#5c2420" stroke-width="3"/>'
      : `<path d="M218 340 Q256 ${340 - open * 0.8} 294 340 Q256 ${340 + open * 1.6} 218 340 Z" fill="#2a0c0c"/>`
  }`;
}

const svgOf = ({
  mouth: open = 0,
  eyesShut = false,
}: DrawnExpression): string => `<svg xmlns="http://www.w3.org/2000/svg" width="512" height="512">
  <defs>
    <radialGradient id="skin" cx="0.45" cy="0.4" r="0.7">
      <stop offset="0" stop-color="#f0c8a8"/><stop offset="0.7" stop-color="#d8a482"/><stop offset="1" stop-color="#9c6a4c"/>
    </radialGradient>
    <filter id="soft"><feGaussianBlur stdDeviation="3"/></filter>
  </defs>
  <rect width="512" height="512" fill="#8fa3b0"/>
  <path d="M60 512 Q90 420 210 410 L302 410 Q422 420 452 512 Z" fill="#34465c"/>
  <path d="M210 360 L210 430 Q256 460 302 430 L302 360 Z" fill="#b98462"/>
  <ellipse cx="256" cy="215" rx="128" ry="150" fill="#33241b"/>
  <ellipse cx="256" cy="262" rx="104" ry="136" fill="url(#skin)"/>
  <path d="M150 225 Q170 120 256 128 Q342 120 362 225 Q330 165 256 165 Q182 165 150 225 Z" fill="#33241b"/>
  <g filter="url(#soft)" fill="#8a5a42" opacity="0.55">
    <ellipse cx="208" cy="228" rx="34" ry="16"/><ellipse cx="304" cy="228" rx="34" ry="16"/>
    <path d="M248 230 L240 290 Q256 304 272 290 L264 230 Z" opacity="0.5"/>
    <ellipse cx="256" cy="303" rx="24" ry="7"/><ellipse cx="256" cy="366" rx="26" ry="6"/>
  </g>
  <g fill="none" stroke="#2c1d14" stroke-width="8" stroke-linecap="round">
    <path d="M176 208 Q205 194 236 206"/><path d="M276 206 Q307 194 336 208"/>
  </g>
  <g>
  ${eyesShut ? SHUT_EYES : OPEN_EYES}
  </g>
  <g fill="#5e3626"><ellipse cx="243" cy="300" rx="7" ry="4"/><ellipse cx="269" cy="300" rx="7" ry="4"/></g>
${mouth(open)}
</svg>`;

/** A shaded drawing of a face that looks at the camera; the networks take it for a face. */
export async function drawFace(size = 512, expression: DrawnExpression = {}): Promise<RgbImage> {
  const { data, info } = await sharp(Buffer.from(svgOf(expression)))
    .resize(size, size)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height };
}
