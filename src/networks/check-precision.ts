/** Whether a device has the precision that is asked of it; what a bundle has is known before, see `resolve-sampling.ts`. */
import { InvalidOptionError, type OptionProblem } from '../errors.ts';
import type { PrecisionChoice } from '../models/bundle-terms.ts';
import type { Engine } from '../runtime/engine.ts';
import { integersAreFaster } from '../runtime/integer-instructions.ts';

function refuse(precision: PrecisionChoice, problem: OptionProblem): InvalidOptionError {
  const refusal = ['Cannot use ', { option: 'precision' }, ` ${precision}`];
  return new InvalidOptionError({ refusal, ...problem }, 'precision', precision);
}

/** @throws {@link InvalidOptionError} if the device has no kernels for the precision. */
export function checkDevicePrecision(
  precision: PrecisionChoice,
  { device, precision: best }: Pick<Engine, 'device' | 'precision'>,
): void {
  if (precision === 'int8' && device !== 'cpu') {
    throw refuse(precision, {
      expected: 'device cpu, the only one with integer kernels',
      got: device,
      hint: ['set ', { option: 'device', value: 'cpu' }],
    });
  }
  if (precision === 'float16' && best !== 'float16') {
    throw refuse(precision, {
      expected: 'a device that is faster in half precision',
      got: `${device}, which is not`,
      hint: 'leave it out',
    });
  }
}

/** What is really computed in, where a device has the choice. */
export function computedPrecision(
  precision: PrecisionChoice,
  { precision: best }: Pick<Engine, 'precision'>,
): Exclude<PrecisionChoice, 'auto'> {
  return precision === 'auto' ? best : precision;
}

/**
 * What a clip is rendered in on a device: `precision`, or `auto` where that is a preset's choice and cannot be had there, or
 * would make nothing faster. Integers are left out silently: presets have them for the processors that gain by them, and
 * results say what a clip was computed in.
 *
 * @throws {@link InvalidOptionError} if the caller asks for what the device does not have.
 */
export function devicePrecision(
  precision: PrecisionChoice,
  { precision: asked }: { readonly precision?: PrecisionChoice | undefined },
  engine: Pick<Engine, 'device' | 'precision'>,
  notice: (message: string) => void,
  isFaster: () => boolean = integersAreFaster,
): PrecisionChoice {
  if (asked !== undefined) {
    checkDevicePrecision(precision, engine);
    return precision;
  }
  const { device, precision: best } = engine;
  if (precision === 'int8' && (device !== 'cpu' || !isFaster())) return 'auto';
  if (precision === 'float16' && best !== 'float16') {
    notice(`the preset's precision is left out: device ${device} is not faster in half precision`);
    return 'auto';
  }
  return precision;
}
