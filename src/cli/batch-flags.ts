/** Checks of flags with numbers and devices, for commands whose options are not those of one clip. */
import { InvalidOptionError } from '../errors.ts';
import type { DeviceName } from '../pipeline/animate-options.ts';
import { parseNumber } from './animate-flags.ts';

/** Flags with numbers, by their names in the library. */
export type NumericFlags = Readonly<
  Record<
    string,
    { readonly flag: string; readonly min: number; readonly max: number; readonly integer: boolean }
  >
>;

type Given = string | boolean | undefined;

const DEVICES: Record<DeviceName, true> = {
  auto: true,
  cpu: true,
  cuda: true,
  webgpu: true,
  coreml: true,
  dml: true,
};

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
      const message = `Cannot use ${flag}: expected ${kind} from ${min} to ${max}, got ${JSON.stringify(text)}`;
      errors.push(new InvalidOptionError(message, flag, text));
    }
  }
  return numbers;
}

/** The device that was given; one that is none goes to `errors`. */
export function readDevice(value: Given, errors: InvalidOptionError[]): DeviceName | undefined {
  if (value === undefined) return undefined;
  const name = String(value);
  if (Object.hasOwn(DEVICES, name)) return name as DeviceName;
  const known = Object.keys(DEVICES).join(', ');
  const message = `Cannot use --device: expected ${known}, got ${JSON.stringify(value)}`;
  errors.push(new InvalidOptionError(message, '--device', value));
  return undefined;
}
