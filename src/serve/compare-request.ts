/** The form of a comparison: the clip's options that all variants share, and what is compared. */
import { findInvalidCompareOptions } from '../compare/compare-options.ts';
import {
  checkSweep,
  checkVariant,
  parseSweep,
  parseVariant,
  type SweepSpec,
  type VariantSpec,
} from '../compare/variant-spec.ts';
import { InvalidOptionError } from '../errors.ts';
import { showValue } from '../pipeline/options/check-options.ts';
import { keysOf } from '../pipeline/options/clip-keys.ts';
import { parseNumber } from '../pipeline/options/option-types.ts';
import { CLIENT_KEYS, type FormKind } from './clip-request.ts';

const SHARED: readonly string[] = keysOf('input', 'networks', 'clip');

/** Options of the clip that may be set. */
export const COMPARE_KEYS = CLIENT_KEYS.filter((key) => SHARED.includes(key));

/** Each variant holds networks in memory. */
const MAX_VARIANTS = 8;

/** Fields of the comparison alone, with what is said of them. */
export const COMPARE_FIELDS = {
  repeats: 'How often every variant renders the clip, 1 to 100.',
  wholeJob: 'Whether whole jobs are measured as well, stages overlapping.',
  variants: 'Another variant, as sampler=dpmpp,steps=8; may be repeated.',
  sweeps: 'A setting of the preset fast with several values, as steps=1,2,4,8; may be repeated.',
} as const;

/** See {@link FormKind}. */
export const COMPARE_FORM: FormKind = {
  keys: COMPARE_KEYS,
  own: Object.keys(COMPARE_FIELDS),
  hasFormat: false,
  read: (field, values) => {
    switch (field as keyof typeof COMPARE_FIELDS) {
      case 'repeats':
        return numberOf(only(field, values));
      case 'wholeJob':
        return switchOf(only(field, values));
      case 'variants':
        return values.map((value) => readVariant(value));
      case 'sweeps':
        return values.map((value) => readSweep(value));
    }
  },
  check: (options) => {
    const errors = findInvalidCompareOptions({ ...(options as object), output: 'report' });
    const { variants = [], sweeps = [] } = options as {
      variants?: readonly VariantSpec[];
      sweeps?: readonly SweepSpec[];
    };
    const count = variants.length + sweeps.reduce((sum, { values }) => sum + values.length, 0);
    if (count <= MAX_VARIANTS) return errors;
    const problem = { expected: `at most ${MAX_VARIANTS} with those of sweeps`, got: String(count) };
    return [...errors, new InvalidOptionError(problem, 'variants', count)];
  },
};

function only(field: string, values: readonly unknown[]): unknown {
  if (values.length <= 1) return values[0];
  throw new InvalidOptionError({ expected: 'it once', got: `it ${values.length} times` }, field, values);
}

function numberOf(value: unknown): unknown {
  return typeof value === 'string' ? parseNumber(value.trim()) : value;
}

/** A switch; the check of the library knows no other words. */
function switchOf(value: unknown): unknown {
  if (value === undefined || typeof value === 'boolean') return value;
  if (typeof value === 'string' && /^(true|on|1)$/i.test(value)) return true;
  if (typeof value === 'string' && /^(false|off|0)$/i.test(value)) return false;
  throw new InvalidOptionError({ expected: 'true or false', got: showValue(value) }, 'wholeJob', value);
}

function readVariant(value: unknown): VariantSpec {
  if (typeof value === 'string') return parseVariant(value, 'variants');
  return checkVariant(objectOf('variants', 'sampler=dpmpp,steps=8', value), 'variants');
}

function readSweep(value: unknown): SweepSpec {
  if (typeof value === 'string') return parseSweep(value, 'sweeps');
  const { setting, values } = objectOf('sweeps', 'steps=1,2,4,8', value);
  if (typeof setting === 'string' && Array.isArray(values)) return checkSweep({ setting, values }, 'sweeps');
  const problem = { expected: 'setting and values, or text as steps=1,2,4,8', got: showValue(value) };
  throw new InvalidOptionError(problem, 'sweeps', value);
}

function objectOf(field: string, example: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  const problem = { expected: `text as ${example}, or an object`, got: showValue(value) };
  throw new InvalidOptionError(problem, field, value);
}
