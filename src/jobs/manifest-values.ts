/** Keys and values of a manifest's jobs and defaults: which there are, what they may be, and how text becomes an option. */
import { closestName, refusalOf } from '../pipeline/options/check-options.ts';
import { JOB_OPTION_KEYS, keysOf, specOf } from '../pipeline/options/clip-keys.ts';
import { findInvalidOptions } from '../pipeline/resolve-options.ts';
import type { ManifestProblems } from './manifest-problems.ts';
import { JOB_CONTROLS, type JobControl } from './manifest-schema.ts';
import type { ManifestPath } from './manifest-source.ts';

export type Values = Readonly<Record<string, unknown>>;

/** Belong to the batch, since its jobs share the engine. */
const SHARED_KEYS: readonly string[] = keysOf('machine');
const CONTROL_KEYS = Object.keys(JOB_CONTROLS) as (keyof JobControl)[];
const JOB_KEYS: readonly string[] = ['id', ...JOB_OPTION_KEYS, ...CONTROL_KEYS];
/** Options that are what they say, whatever files there are. */
export const VALUE_KEYS = JOB_OPTION_KEYS.filter((key) => specOf(key).group !== 'input' && key !== 'output');

/** Keys and values of a job or of the defaults, without its files; `refused` are for others. */
export function checkValues(
  values: Values,
  at: ManifestPath,
  refused: readonly string[],
  problems: ManifestProblems,
): void {
  findUnknownKeys(values, at, { known: JOB_KEYS, of: 'a job', refused }, problems);
  const clip = readWritten(values);
  for (const { option, message } of findInvalidOptions(clip, { partial: true })) {
    problems.add([...at, option], message);
  }
  for (const key of CONTROL_KEYS) {
    const value = values[key];
    const refusal = value === undefined ? undefined : refusalOf(JOB_CONTROLS[key].type, value);
    if (refusal !== undefined) {
      problems.add([...at, key], `cannot use ${key}: expected ${refusal.expected}, got ${show(value)}`);
    }
  }
  for (const key of ['id', 'output']) {
    const value = values[key];
    if (value !== undefined && (typeof value !== 'string' || value.trim() === '')) {
      problems.add([...at, key], `cannot use ${key}: expected text, got ${show(value)}`);
    }
  }
}

/** Keys that `of`, a job or a manifest, does not have. */
export function findUnknownKeys(
  values: Values,
  at: ManifestPath,
  keys: { readonly known: readonly string[]; readonly of: string; readonly refused?: readonly string[] },
  problems: ManifestProblems,
): void {
  const { known, of, refused = [] } = keys;
  for (const key of Object.keys(values)) {
    if (values[key] === undefined || (known.includes(key) && !refused.includes(key))) continue;
    let message = unknownKey(key, of, known);
    if (SHARED_KEYS.includes(key))
      message = `cannot use ${key} here: the jobs of a batch share it; set it for the batch`;
    if (refused.includes(key)) message = `cannot use ${key} here: expected it in a job, each has its own`;
    problems.add([...at, key], message, 'key');
  }
}

function unknownKey(key: string, what: string, known: readonly string[]): string {
  const suggestion = closestName(key, known);
  const hint = suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
  return `cannot use ${key}: expected a key of ${what}, got an unknown name${hint}`;
}

/** Options as the library takes them; what cannot be read stays as it is, for the check of the options. */
export function readWritten(values: Values): Record<string, unknown> {
  const read: Record<string, unknown> = Object.fromEntries(
    VALUE_KEYS.filter((key) => values[key] !== undefined).map((key) => [key, values[key]]),
  );
  for (const key of VALUE_KEYS) {
    const { fromText, repeatable } = specOf(key);
    const value = read[key];
    if (fromText === undefined || value === undefined) continue;
    const readText = (item: unknown): unknown => (typeof item === 'string' ? fromText(item) : item);
    if (repeatable) read[key] = (Array.isArray(value) ? value : [value]).map(readText);
    else read[key] = readText(value);
  }
  return read;
}

/** How a message names the kind of a value. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : show(value);
}

/** A value as a message shows it. */
export function show(value: unknown): string {
  if (typeof value === 'object') return kindOf(value);
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 80 ? text : `${text.slice(0, 76)}…"`;
}
