/** Variants as a user writes them: `sampler=dpmpp,steps=8,guidance=2.5`, and sweeps, `steps=1,2,4,8`. */

import { InvalidOptionError } from '../errors.ts';
import { MAX_DENOISE_EVERY } from '../models/bundle-terms.ts';
import type { PrecisionChoice, PresetName, SamplerName, WindowLayout } from '../pipeline/animate-options.ts';
import { SAMPLERS } from '../schedulers/create-scheduler.ts';

/** A variant beside the bundle's own presets; what is left out is the preset's. */
export interface VariantSpec {
  /** Whose settings, adapters included, are the start. @defaultValue `fast` for `lcm` and `tcd`, else `original` */
  readonly preset?: PresetName;
  readonly sampler?: SamplerName;
  /** 1 to 100; 1 to 50 for `lcm` and `tcd`. */
  readonly steps?: number;
  /** 1 (off) to 20. */
  readonly guidance?: number;
  /** Denoises every nth frame only, 1 to 8. */
  readonly every?: number;
  readonly windows?: WindowLayout;
  readonly precision?: PrecisionChoice;
}

/** A setting with a number. */
type NumberSetting = 'steps' | 'guidance' | 'every';

/** One setting of the preset `fast` over several values. */
export interface SweepSpec {
  readonly setting: NumberSetting;
  readonly values: readonly number[];
}

/** Other names of samplers. */
const ALIASES: Readonly<Record<string, SamplerName>> = {
  dpmpp: 'dpmsolver',
  'dpm++': 'dpmsolver',
  'dpmsolver++': 'dpmsolver',
};
const PRESETS: readonly PresetName[] = ['fast', 'faster', 'original'];
const WINDOWS: readonly WindowLayout[] = ['overlapping', 'moving', 'loop'];
const PRECISIONS: readonly PrecisionChoice[] = ['auto', 'float32', 'float16', 'int8'];
const KEYS = ['preset', 'sampler', 'steps', 'guidance', 'every', 'windows', 'precision'] as const;
/** Samplers whose steps are those of a distillation. */
const DISTILLED: ReadonlySet<SamplerName> = new Set(['lcm', 'tcd']);
const MAX_STEPS = 100;
const MAX_DISTILLED_STEPS = 50;
const MAX_GUIDANCE = 20;
const MAXIMA: Readonly<Record<NumberSetting, number>> = {
  steps: MAX_STEPS,
  guidance: MAX_GUIDANCE,
  every: MAX_DENOISE_EVERY,
};

function refuse(option: string, text: string, expected: string, got: string): InvalidOptionError {
  return new InvalidOptionError(
    `Cannot use ${option} ${JSON.stringify(text)}: expected ${expected}, got ${got}`,
    option,
    text,
  );
}

/** Whether a setting's number is one that samplers take. */
function expectNumber(option: string, key: NumberSetting, text: string, value: number): number {
  const max = MAXIMA[key];
  const fits = key === 'guidance' ? Number.isFinite(value) : Number.isInteger(value);
  if (fits && value >= 1 && value <= max) return value;
  const kind = key === 'guidance' ? 'a number' : 'an integer';
  throw refuse(option, text, `${key} to be ${kind} from 1 to ${max}`, String(value));
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
  const spec: { -readonly [Key in keyof VariantSpec]: VariantSpec[Key] } = {};
  for (const part of text.split(',')) {
    const [key = '', value = '', ...rest] = part.split('=').map((word) => word.trim());
    if (value === '' || rest.length > 0 || !(KEYS as readonly string[]).includes(key)) {
      throw refuse(option, text, `settings like sampler=dpmpp,steps=8,guidance=2.5`, JSON.stringify(part));
    }
    if (key in spec) throw refuse(option, text, `${key} once`, 'it twice');
    switch (key as (typeof KEYS)[number]) {
      case 'preset': {
        const preset = PRESETS.find((name) => name === value);
        if (preset === undefined) throw refuse(option, text, 'preset fast, faster or original', value);
        spec.preset = preset;
        break;
      }
      case 'sampler': {
        const sampler = ALIASES[value.toLowerCase()] ?? SAMPLERS.find((name) => name === value);
        if (sampler === undefined) {
          throw refuse(option, text, `a sampler: ${[...SAMPLERS, 'dpmpp'].join(', ')}`, value);
        }
        spec.sampler = sampler;
        break;
      }
      case 'windows': {
        const windows = WINDOWS.find((name) => name === value);
        if (windows === undefined) throw refuse(option, text, `windows ${WINDOWS.join(', ')}`, value);
        spec.windows = windows;
        break;
      }
      case 'precision': {
        const precision = PRECISIONS.find((name) => name === value);
        if (precision === undefined) throw refuse(option, text, `precision ${PRECISIONS.join(', ')}`, value);
        spec.precision = precision;
        break;
      }
      case 'steps':
      case 'guidance':
      case 'every':
        spec[key as NumberSetting] = expectNumber(option, key as NumberSetting, text, Number(value));
        break;
    }
  }
  return checkVariant(spec, option, text);
}

/** @throws {@link InvalidOptionError} if the settings contradict each other or are out of range. */
export function checkVariant(spec: VariantSpec, option = 'with', text = JSON.stringify(spec)): VariantSpec {
  const { preset, sampler, steps, guidance, every, windows, precision } = spec;
  if (preset !== undefined && !PRESETS.includes(preset)) {
    throw refuse(option, text, 'preset fast, faster or original', String(preset));
  }
  if (sampler !== undefined && !SAMPLERS.includes(sampler)) {
    throw refuse(option, text, `a sampler: ${SAMPLERS.join(', ')}`, String(sampler));
  }
  if (windows !== undefined && !WINDOWS.includes(windows)) {
    throw refuse(option, text, `windows ${WINDOWS.join(', ')}`, String(windows));
  }
  if (precision !== undefined && !PRECISIONS.includes(precision)) {
    throw refuse(option, text, `precision ${PRECISIONS.join(', ')}`, String(precision));
  }
  if (steps !== undefined) expectNumber(option, 'steps', text, steps);
  if (guidance !== undefined) expectNumber(option, 'guidance', text, guidance);
  if (every !== undefined) expectNumber(option, 'every', text, every);
  if (sampler !== undefined && DISTILLED.has(sampler) && steps !== undefined && steps > MAX_DISTILLED_STEPS) {
    throw refuse(option, text, `at most ${MAX_DISTILLED_STEPS} steps with ${sampler}`, String(steps));
  }
  return spec;
}

/** The preset whose settings a variant starts from. */
export function presetOf({ preset, sampler }: VariantSpec): PresetName {
  if (preset !== undefined) return preset;
  return sampler === undefined || DISTILLED.has(sampler) ? 'fast' : 'original';
}

/**
 * Reads a sweep of `steps`, `guidance` or `every`.
 *
 * @throws {@link InvalidOptionError} that says what is wrong with it.
 * @example
 * parseSweep('steps=1,2,4,8'); // { setting: 'steps', values: [1, 2, 4, 8] }
 */
export function parseSweep(text: string, option = 'sweep'): SweepSpec {
  const match = /^\s*(steps|guidance|every)\s*=(.+)$/.exec(text);
  if (match === null)
    throw refuse(option, text, 'steps=1,2,4,8, guidance=1,2 or every=1,2,3', JSON.stringify(text));
  const setting = match[1] as SweepSpec['setting'];
  const values = match[2]!.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  return checkSweep({ setting, values }, option, text);
}

/** @throws {@link InvalidOptionError} if a value is out of range, or none is there. */
export function checkSweep(sweep: SweepSpec, option = 'sweep', text = JSON.stringify(sweep)): SweepSpec {
  const { setting, values } = sweep;
  if (!Object.hasOwn(MAXIMA, setting)) {
    throw refuse(option, text, 'steps, guidance or every', String(setting));
  }
  if (values.length === 0) throw refuse(option, text, 'at least one value', 'none');
  for (const value of values) expectNumber(option, setting, text, value);
  return { setting, values: [...new Set(values)] };
}
