/** Bundles at other sizes than the one that they are described with. */
import { InvalidOptionError } from '../errors.ts';
import type { Bundle } from './bundle.ts';
import { type BundleDescription, pictureSizeOf } from './bundle-description.ts';
import type { SpatialSize } from './unet-config.ts';

/** Sides of the pictures that networks see, in pixels; those of AniPortrait halve them six times. */
export const RESOLUTIONS = { min: 256, max: 768, step: 64 } as const;
/** What {@link parseResolution} expects. */
export const RESOLUTION_EXPECTED = `a multiple of ${RESOLUTIONS.step} from ${RESOLUTIONS.min} to ${RESOLUTIONS.max}, or two, as 512x768`;

/** The side of a square, or width and height, as in `512x768`. */
export type Resolution = number | string;

function isSide(side: number): boolean {
  const { min, max, step } = RESOLUTIONS;
  return side >= min && side <= max && side % step === 0;
}

/** The size that a resolution stands for; undefined if it is none. */
export function parseResolution(resolution: Resolution): SpatialSize | undefined {
  const found = /^(\d+)(?:x(\d+))?$/.exec(String(resolution));
  if (found === null) return undefined;
  const width = Number(found[1]);
  const height = Number(found[2] ?? found[1]);
  return isSide(width) && isSide(height) ? { width, height } : undefined;
}

/** The resolution of a bundle's pictures. */
export function resolutionOf(description: BundleDescription): Resolution {
  const { width, height } = pictureSizeOf(description);
  return width === height ? width : `${width}x${height}`;
}

/**
 * The bundle with its networks at another size: those of AniPortrait are convolutions and attention, which take any.
 *
 * @param resolution - sides that are multiples of 64 pixels. @defaultValue the bundle's own
 * @throws {@link InvalidOptionError} if the networks are made for one size, or it is no size.
 */
export function atResolution(bundle: Bundle, resolution?: Resolution): Bundle {
  const { description } = bundle;
  if (resolution === undefined || resolution === resolutionOf(description)) return bundle;
  if (description.codec.type === 'patch-transform') {
    const problem = {
      expected: `${description.resolution}, the one size of bundle ${description.name}`,
      got: String(resolution),
      hint: 'leave it out, or take a bundle of AniPortrait’s networks',
    };
    throw new InvalidOptionError(problem, 'resolution', resolution);
  }
  const size = parseResolution(resolution);
  if (size === undefined) {
    const problem = { expected: RESOLUTION_EXPECTED, got: String(resolution) };
    throw new InvalidOptionError(problem, 'resolution', resolution);
  }
  const { pictureSize: _, ...others } = description;
  const { width, height } = size;
  return {
    ...bundle,
    description: {
      ...others,
      resolution: Math.max(width, height),
      ...(width !== height && { pictureSize: size }),
    },
  };
}
