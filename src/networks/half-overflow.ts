/**
 * What networks hand to the denoiser in half precision, which has no numbers beyond 65504, on a device that every run copies its inputs to. A
 * denoiser in float32 is given the same numbers, so where they are not finite no other network helps, but a clip in float32 does.
 */
import { NumericalError } from '../errors.ts';
import type { NetworkName } from './bundle-graphs.ts';
import type { NamedInputs } from './clip-networks.ts';

/** The largest number of IEEE 754's binary16, and what is as near to the one that would follow. */
const HALF_MAX = 65_504;
const ROUNDED_TO_INFINITY = 65_520;

/** The error for an output of a network that is not finite in half precision. */
export function halfOverflow(network: NetworkName, output: string): NumericalError {
  return new NumericalError([
    `Cannot hand ${output} of ${network} to the denoiser: expected numbers up to ${HALF_MAX}, the largest of half precision, got larger ones or NaN; render with `,
    { option: 'precision', value: 'float32' },
  ]);
}

/** @throws {@link NumericalError} unless all of a network's outputs have a number of half precision next to them. */
export function checkHalves(network: NetworkName, outputs: NamedInputs): void {
  for (const [name, { data }] of Object.entries(outputs))
    for (let i = 0; i < data.length; i++)
      if (!(Math.abs(data[i]!) < ROUNDED_TO_INFINITY)) throw halfOverflow(network, name);
}
