/**
 * Non-rigid registration of two similar grey pictures: what landmarks do not reach (hair, neck, collar) is brought to
 * lie on top of each other before pictures are averaged.
 *
 * Source: Thirion 1998, "Image matching as a diffusion process: an analogy with Maxwell's demons" (demons algorithm).
 */
import { blur, halve, type Planes, planes, resizePlanes, sampleAt } from './planes.ts';

const COARSEST = 32;
/** Bounds one step to about a pixel where contrast is low. */
const CONTRAST_FLOOR = 4e-4;

export interface RegistrationOptions {
  /** Steps on each level of the pyramid, the coarsest first; the last count serves the levels beyond. */
  readonly steps: readonly number[];
  /** Stiffness: blur of the displacements, in pixels of the level. */
  readonly sigma: number;
}

/**
 * Finds the displacements, two channels (x, y) in pixels, for which `moving(p + displacement(p))` looks like `fixed(p)`.
 *
 * @param fixed - one channel, values about 0 to 1.
 * @param moving - one channel of the same size.
 */
export function registerPictures(fixed: Planes, moving: Planes, options: RegistrationOptions): Planes {
  const pyramid = [{ fixed, moving }];
  while (pyramid[0]!.fixed.size > COARSEST) {
    const { fixed, moving } = pyramid[0]!;
    pyramid.unshift({ fixed: halve(fixed), moving: halve(moving) });
  }
  let field = planes(pyramid[0]!.fixed.size, 2);
  pyramid.forEach((level, index) => {
    const { size } = level.fixed;
    if (field.size !== size) field = resizePlanes(field, size, size / field.size);
    const steps = options.steps[Math.min(index, options.steps.length - 1)]!;
    for (let step = 0; step < steps; step++) {
      const warped = new Float32Array(size * size);
      for (let y = 0, i = 0; y < size; y++) {
        for (let x = 0; x < size; x++, i++) {
          warped[i] = sampleAt(level.moving, x + field.data[2 * i]!, y + field.data[2 * i + 1]!, 0);
        }
      }
      for (let y = 1; y < size - 1; y++) {
        for (let x = 1; x < size - 1; x++) {
          const i = y * size + x;
          const difference = level.fixed.data[i]! - warped[i]!;
          const gradientX =
            (warped[i + 1]! - warped[i - 1]! + level.fixed.data[i + 1]! - level.fixed.data[i - 1]!) / 4;
          const gradientY =
            (warped[i + size]! -
              warped[i - size]! +
              level.fixed.data[i + size]! -
              level.fixed.data[i - size]!) /
            4;
          const gain =
            difference / (gradientX ** 2 + gradientY ** 2 + difference * difference * 0.5 + CONTRAST_FLOOR);
          field.data[2 * i]! += gain * gradientX;
          field.data[2 * i + 1]! += gain * gradientY;
        }
      }
      field = blur(field, options.sigma);
    }
  });
  return field;
}
