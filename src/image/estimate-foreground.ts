/**
 * The colours of what stands in front, without those of what is behind it shining through at its soft edges.
 *
 * Source: Forte 2021, "Approximate fast foreground colour estimation" (blur fusion), with two radii.
 */
import { boxMean } from './box-filter.ts';
import type { RgbImage } from './rgb-image.ts';

/** Radii of the two passes, as shares of the picture's longer side. */
const RADII = [0.045, 0.006] as const;
/** How much more a pixel counts that shows one layer alone. */
const PURITY = 3;
/** Keeps the division finite where nothing of one layer is near. */
const LEAST = 1e-5;

/** A picture as two layers. */
export interface Layers {
  readonly foreground: RgbImage;
  readonly background: RgbImage;
}

/**
 * @param alpha - [width · height], 0 to 1: how much of each pixel the foreground covers.
 * @returns both layers, each continued into the other's part.
 */
export function estimateLayers(image: RgbImage, alpha: Float32Array): Layers {
  const { width, height } = image;
  const pixels = width * height;
  const foreground = new Uint8Array(pixels * 3);
  const background = new Uint8Array(pixels * 3);
  // Pixels of one layer alone say most of it.
  const inFront = alpha.map((value) => value ** PURITY);
  const beyond = alpha.map((value) => (1 - value) ** PURITY);
  for (let c = 0; c < 3; c++) {
    const plane = Float32Array.from({ length: pixels }, (_, i) => image.data[3 * i + c]!);
    let front: Float32Array = plane;
    let back: Float32Array = plane;
    for (const share of RADII) {
      const radius = Math.max(1, Math.round(share * Math.max(width, height)));
      const blurred = (layer: Float32Array, weight: Float32Array): Float32Array => {
        const sum = boxMean(
          layer.map((value, i) => value * weight[i]!),
          width,
          height,
          radius,
        );
        const total = boxMean(weight, width, height, radius);
        return sum.map((value, i) => (total[i]! > LEAST ? value / total[i]! : layer[i]!));
      };
      const blurredFront = blurred(front, inFront);
      const blurredBack = blurred(back, beyond);
      // What the blurred layers leave unexplained belongs to the front, as far as it covers the pixel.
      front = blurredFront.map((value, i) => {
        const a = alpha[i]!;
        return clampByte(value + a * (plane[i]! - a * value - (1 - a) * blurredBack[i]!));
      });
      back = blurredBack.map((value, i) => (alpha[i]! < LEAST ? plane[i]! : value));
    }
    for (let i = 0; i < pixels; i++) {
      foreground[3 * i + c] = alpha[i] === 1 ? image.data[3 * i + c]! : Math.round(front[i]!);
      background[3 * i + c] = Math.round(clampByte(back[i]!));
    }
  }
  return {
    foreground: { data: foreground, width, height },
    background: { data: background, width, height },
  };
}

function clampByte(value: number): number {
  return Math.min(255, Math.max(0, value));
}
