/** Whether a requested precision is available; checked before heavy work. */
import { InvalidOptionError, type OptionProblem } from '../errors.ts';
import type { Bundle, BundlePreset } from '../models/bundle.ts';
import type { PrecisionChoice } from '../models/bundle-terms.ts';
import type { Engine } from '../runtime/engine.ts';
import { integersAreFaster } from '../runtime/integer-instructions.ts';

/** The caller's choice, if there is one. */
interface AskedPrecision {
  readonly precision?: PrecisionChoice | undefined;
}

function refuse(precision: PrecisionChoice, problem: OptionProblem): InvalidOptionError {
  const refusal = ['Cannot use ', { option: 'precision' }, ` ${precision}`];
  return new InvalidOptionError({ refusal, ...problem }, 'precision', precision);
}

/** @throws {@link InvalidOptionError} if `int8` is asked of a bundle whose activations were not measured. */
export function checkBundlePrecision(precision: PrecisionChoice, { description }: Bundle): void {
  if (precision !== 'int8' || description.files.calibration !== undefined) return;
  throw refuse(precision, {
    expected: 'a bundle with a calibration',
    got: `bundle ${description.name}, which has none`,
    hint: `take float32, or measure one with: lcm-portrait models calibrate ${description.name}`,
  });
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

/**
 * What is asked of a bundle: the caller's choice, or the preset's where the bundle has it.
 *
 * @throws {@link InvalidOptionError} if the caller asks for what the bundle does not have.
 */
export function bundlePrecision(
  bundle: Bundle,
  { precision }: AskedPrecision,
  preset: BundlePreset,
  notice: (message: string) => void,
): PrecisionChoice {
  if (precision !== undefined) {
    checkBundlePrecision(precision, bundle);
    return precision;
  }
  const wanted = preset.precision ?? 'auto';
  if (wanted !== 'int8' || bundle.description.files.calibration !== undefined) return wanted;
  notice(fellBack(`bundle ${bundle.description.name} has no calibration for int8`));
  return 'auto';
}

/**
 * What a clip is rendered in on a device: `precision`, or `auto` where that is a preset's choice and cannot be had there, or
 * would make nothing faster.
 *
 * @throws {@link InvalidOptionError} if the caller asks for what the device does not have.
 */
export function devicePrecision(
  precision: PrecisionChoice,
  { precision: asked }: AskedPrecision,
  engine: Pick<Engine, 'device' | 'precision'>,
  notice: (message: string) => void,
  isFaster: () => boolean = integersAreFaster,
): PrecisionChoice {
  if (asked !== undefined) {
    checkDevicePrecision(precision, engine);
    return precision;
  }
  const { device, precision: best } = engine;
  const fallBack = (why: string): PrecisionChoice => {
    notice(fellBack(why));
    return 'auto';
  };
  if (precision === 'int8' && device !== 'cpu') return fallBack(`device ${device} has no integer kernels`);
  if (precision === 'int8' && !isFaster()) {
    return fallBack(
      'this processor is not known to be faster in 8-bit integers; precision int8 takes them all the same',
    );
  }
  if (precision === 'float16' && best !== 'float16') {
    return fallBack(`device ${device} is not faster in half precision`);
  }
  return precision;
}

function fellBack(why: string): string {
  return `the preset's precision is left out: ${why}`;
}
