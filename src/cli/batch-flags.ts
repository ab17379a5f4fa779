/** Checks of flags with numbers and devices, for commands whose options are not those of one clip. */
import { InvalidOptionError } from '../errors.ts';
import { alternatives, parseNumber } from '../pipeline/options/option-types.ts';
import { DEVICE_CHOICES, type DeviceChoice } from '../runtime/device.ts';

/** Flags with numbers, by their names in the library. */
export type NumericFlags = Readonly<
  Record<
    string,
    { readonly flag: string; readonly min: number; readonly max: number; readonly integer: boolean }
  >
>;

type Given = string | boolean | undefined;

/** The numbers that were given; what is wrong goes to `errors`. */
export function readNumbers(
  values: Readonly<Record<string, Given>>,
  flags: NumericFlags,
  errors: InvalidOptionError[],
): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [key, { flag, min, max, integer }] of Object.entries(flags)) {
    const text = values[key];
    if (text === undefined) continue;
    const value = parseNumber(String(text));
    const fits = typeof value === 'number' && value >= min && value <= max;
    if (fits && (!integer || Number.isInteger(value))) numbers[key] = value;
    else {
      const kind = integer ? 'an integer' : 'a number';
      const problem = { expected: `${kind} from ${min} to ${max}`, got: JSON.stringify(text) };
      errors.push(new InvalidOptionError(problem, flag, text));
    }
  }
  return numbers;
}

/** The device that was given; one that is none goes to `errors`. */
export function readDevice(value: Given, errors: InvalidOptionError[]): DeviceChoice | undefined {
  if (value === undefined) return undefined;
  const device = DEVICE_CHOICES.find((name) => name === value);
  if (device !== undefined) return device;
  const problem = { expected: alternatives(DEVICE_CHOICES), got: JSON.stringify(value) };
  errors.push(new InvalidOptionError(problem, '--device', value));
  return undefined;
}
