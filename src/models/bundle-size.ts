/** Bundles at other sizes than the one that they are described with. */
import { InvalidOptionError } from '../errors.ts';
import type { Bundle } from './bundle.ts';

/** Sides of the square that networks see, in pixels; those of AniPortrait halve it six times. */
export const RESOLUTIONS = { min: 256, max: 768, step: 64 } as const;

/**
 * The bundle with its networks at another size: those of AniPortrait are convolutions and attention, which take any.
 *
 * @param resolution - a multiple of 64 pixels. @defaultValue the bundle's own
 * @throws {@link InvalidOptionError} if the networks are made for one size.
 */
export function atResolution(bundle: Bundle, resolution?: number): Bundle {
  const { description } = bundle;
  if (resolution === undefined || resolution === description.resolution) return bundle;
  if (description.codec.type === 'patch-transform') {
    const problem = {
      expected: `${description.resolution}, the one size of bundle ${description.name}`,
      got: String(resolution),
      hint: 'leave it out, or take a bundle of AniPortrait’s networks',
    };
    throw new InvalidOptionError(problem, 'resolution', resolution);
  }
  return { ...bundle, description: { ...description, resolution } };
}
