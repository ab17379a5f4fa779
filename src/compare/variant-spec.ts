/** Variants as a user writes them: `sampler=dpmpp,steps=8,guidance=2.5`, and sweeps, `steps=1,2,4,8`. */

import { InvalidOptionError, writeLibraryOption, writeText } from '../errors.ts';
import type { PresetName, SamplerName } from '../pipeline/animate-options.ts';
import { refusalOf } from '../pipeline/options/check-options.ts';
import { isNumeric, keysWhere, type OptionKey, specOf } from '../pipeline/options/clip-keys.ts';
import type { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import type { ValueOf } from '../pipeline/options/option-spec.ts';
import { alternatives } from '../pipeline/options/option-types.ts';
import { findInvalidOptions } from '../pipeline/resolve-options.ts';
import { DISTILLED_SAMPLERS } from '../schedulers/create-scheduler.ts';

type Table = typeof CLIP_OPTIONS;

/** Options of a clip that a variant may set, by the names that they have there. */
type Settings = {
  readonly [Key in keyof Table as Table[Key] extends { readonly setting: infer Name extends string }
    ? Name
    : never]?: ValueOf<Table[Key]>;
};

/** A variant in addition to the bundle's own presets; what is left out is the preset's. */
export interface VariantSpec extends Settings {
  /** Whose settings, adapters included, are the start. @defaultValue `fast` for `lcm` and `tcd`, else `original` */
  readonly preset?: PresetName;
}

/** A setting with a number. */
type NumberSetting = {
  [Name in keyof Settings]-?: NonNullable<Settings[Name]> extends number ? Name : never;
}[keyof Settings];

/** One setting of the preset `fast` over several values. */
export interface SweepSpec {
  readonly setting: NumberSetting;
  readonly values: readonly number[];
}

/** Other names of samplers. */
const SAMPLER_ALIASES: Readonly<Record<string, SamplerName>> = {
  dpmpp: 'dpmsolver',
  'dpm++': 'dpmsolver',
  'dpmsolver++': 'dpmsolver',
};

/** Options of a clip by the settings of a variant. */
const KEY_OF_SETTING: ReadonlyMap<string, OptionKey> = new Map(
  keysWhere(({ setting }) => setting !== undefined).map((key) => [specOf(key).setting!, key]),
);
const SETTING_NAMES = [...KEY_OF_SETTING.keys()];
const NUMBER_SETTINGS = SETTING_NAMES.filter((setting) => isNumeric(KEY_OF_SETTING.get(setting)!));

function refuse(option: string, text: string, expected: string, got: string): InvalidOptionError {
  const refusal = ['Cannot use ', { option }, ` ${JSON.stringify(text)}`];
  return new InvalidOptionError({ refusal, expected, got }, option, text);
}

/** A number where the text is one. */
function readNumber(text: string): number | string {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isNaN(value) ? text : value;
}

/**
 * Reads a variant.
 *
 * @param option - what the user calls it, for messages.
 * @throws {@link InvalidOptionError} that says what is wrong with it.
 * @example
 * parseVariant('sampler=dpmpp,steps=8'); // { sampler: 'dpmsolver', steps: 8 }
 */
export function parseVariant(text: string, option = 'with'): VariantSpec {
  const spec: Record<string, unknown> = {};
  for (const part of text.split(',')) {
    const [setting = '', value = '', ...rest] = part.split('=').map((word) => word.trim());
    const key = KEY_OF_SETTING.get(setting);
    if (value === '' || rest.length > 0 || key === undefined) {
      throw refuse(option, text, 'settings like sampler=dpmpp,steps=8,guidance=2.5', JSON.stringify(part));
    }
    if (setting in spec) throw refuse(option, text, `${setting} once`, 'it twice');
    if (key === 'sampler') spec[setting] = SAMPLER_ALIASES[value.toLowerCase()] ?? value;
    else spec[setting] = isNumeric(key) ? readNumber(value) : value;
  }
  return checkVariant(spec, option, text);
}

/** @throws {@link InvalidOptionError} if the settings contradict each other or are out of range. */
export function checkVariant(
  spec: Readonly<Record<string, unknown>> | VariantSpec,
  option = 'with',
  text = JSON.stringify(spec),
): VariantSpec {
  const entries = Object.entries(spec).filter(([, value]) => value !== undefined);
  for (const [setting] of entries) {
    if (!KEY_OF_SETTING.has(setting)) {
      throw refuse(option, text, `settings among ${SETTING_NAMES.join(', ')}`, setting);
    }
  }
  const options = Object.fromEntries(
    entries.map(([setting, value]) => [KEY_OF_SETTING.get(setting)!, value]),
  );
  const [wrong] = findInvalidOptions(options, { partial: true });
  if (wrong?.problem !== undefined) {
    const { setting = wrong.option } = specOf(wrong.option as OptionKey);
    const expected = writeText(wrong.problem.expected, writeLibraryOption);
    const got = writeText(wrong.problem.got, writeLibraryOption);
    throw refuse(option, text, `${setting} to be ${expected}`, got);
  }
  return spec as VariantSpec;
}

/** The preset whose settings a variant starts from. */
export function presetOf({ preset, sampler }: VariantSpec): PresetName {
  if (preset !== undefined) return preset;
  return sampler === undefined || DISTILLED_SAMPLERS.has(sampler) ? 'fast' : 'original';
}

/**
 * Reads a sweep of a setting that is a number.
 *
 * @throws {@link InvalidOptionError} that says what is wrong with it.
 * @example
 * parseSweep('steps=1,2,4,8'); // { setting: 'steps', values: [1, 2, 4, 8] }
 */
export function parseSweep(text: string, option = 'sweep'): SweepSpec {
  const [setting = '', values = '', ...rest] = text.split('=').map((word) => word.trim());
  if (values === '' || rest.length > 0 || !NUMBER_SETTINGS.includes(setting)) {
    throw refuse(option, text, 'steps=1,2,4,8, guidance=1,2 or every=1,2,3', JSON.stringify(text));
  }
  return checkSweep({ setting, values: values.split(',').map(readNumber) }, option, text);
}

/** @throws {@link InvalidOptionError} if a value is out of range, or none is there. */
export function checkSweep(
  sweep: { readonly setting: string; readonly values: readonly unknown[] },
  option = 'sweep',
  text = JSON.stringify(sweep),
): SweepSpec {
  const { setting, values } = sweep;
  const key = KEY_OF_SETTING.get(setting);
  if (key === undefined || !NUMBER_SETTINGS.includes(setting)) {
    throw refuse(option, text, alternatives(NUMBER_SETTINGS), String(setting));
  }
  if (values.length === 0) throw refuse(option, text, 'at least one value', 'none');
  for (const value of values) {
    const refusal = refusalOf(specOf(key).type, value);
    if (refusal !== undefined) {
      throw refuse(option, text, `${setting} to be ${refusal.expected}`, refusal.got);
    }
  }
  return { setting: setting as NumberSetting, values: [...new Set(values as readonly number[])] };
}
