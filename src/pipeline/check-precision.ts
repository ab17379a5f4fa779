/** Whether a precision that was asked for can be had; told before heavy work. */
import { InvalidOptionError } from '../errors.ts';
import type { Bundle } from '../models/bundle.ts';
import type { Engine } from '../runtime/engine.ts';
import type { PrecisionChoice } from './animate-options.ts';

function refuse(precision: PrecisionChoice, expected: string, got: string): InvalidOptionError {
  return new InvalidOptionError(
    `Cannot use precision ${precision}: expected ${expected}, got ${got}`,
    'precision',
    precision,
  );
}

/** @throws {@link InvalidOptionError} if `int8` is asked of a bundle whose activations were not measured. */
export function checkBundlePrecision(precision: PrecisionChoice, { description }: Bundle): void {
  if (precision !== 'int8' || description.files.calibration !== undefined) return;
  throw refuse(
    precision,
    'a bundle with a calibration',
    `bundle ${description.name}, which has none; take float32, or measure one with scripts/calibrate.ts`,
  );
}

/** @throws {@link InvalidOptionError} if the device has no kernels for the precision. */
export function checkDevicePrecision(
  precision: PrecisionChoice,
  { device, precision: best }: Pick<Engine, 'device' | 'precision'>,
): void {
  if (precision === 'int8' && device !== 'cpu') {
    throw refuse(precision, 'device cpu, the only one with integer kernels', `${device}; add --device cpu`);
  }
  if (precision === 'float16' && best !== 'float16') {
    throw refuse(
      precision,
      'a device that is faster in half precision',
      `${device}, which is not; leave it out`,
    );
  }
}
