/** Checks of names and values by the table that describes them, for commands and calls of any table. */

import type { z } from 'zod';
import { InvalidOptionError, InvalidOptionsError } from '../../errors.ts';
import type { OptionRule, OptionSpec, OptionTable } from './option-spec.ts';

/** What {@link findWrongValues} has found. */
interface CheckedValues {
  readonly errors: InvalidOptionError[];
  /** The values that are right by themselves. */
  readonly right: Readonly<Record<string, unknown>>;
}

/**
 * Values that their types refuse, and options that must be given and are not, in the order of the table.
 *
 * @param values - a value of undefined counts as not given.
 * @param options - `task` says what cannot be done without a required option: `animate`; without it nothing is missing.
 */
export function findWrongValues(
  table: OptionTable,
  values: Readonly<Record<string, unknown>>,
  { task }: { readonly task?: string | undefined } = {},
): CheckedValues {
  const errors: InvalidOptionError[] = [];
  const right: Record<string, unknown> = {};
  for (const [key, { type, required }] of Object.entries(table) as [string, OptionSpec][]) {
    const value = values[key];
    if (value === undefined) {
      if (!required || task === undefined) continue;
      const problem = {
        refusal: [`Cannot ${task} without `, { option: key }],
        expected: refusalOf(type, value)!.expected,
        got: 'nothing',
      };
      errors.push(new InvalidOptionError(problem, key, value));
      continue;
    }
    const refusal = refusalOf(type, value);
    if (refusal === undefined) right[key] = value;
    else errors.push(new InvalidOptionError(refusal, key, value));
  }
  return { errors, right };
}

/** Everything that is wrong with `values` by a table and its rules. */
export function findWrongOptions<Options extends object>(
  table: OptionTable,
  rules: readonly OptionRule<Options>[],
  values: Options,
  task: string,
): InvalidOptionError[] {
  const all = values as Readonly<Record<string, unknown>>;
  const { errors, right } = findWrongValues(table, all, { task });
  for (const { find, whole } of rules) {
    const broken = find((whole ? values : right) as Partial<Options>);
    if (broken !== undefined) {
      errors.push(new InvalidOptionError(broken.problem, broken.option, all[broken.option]));
    }
  }
  return errors;
}

/** @throws {@link InvalidOptionsError} with everything that {@link findWrongOptions} finds. */
export function checkOptions<Options extends object>(
  ...args: Parameters<typeof findWrongOptions<Options>>
): void {
  const errors = findWrongOptions(...args);
  if (errors.length > 0) throw new InvalidOptionsError(errors);
}

/**
 * Names that are none of `names`, with what they were probably meant to be.
 *
 * @param task - what they are no options of: `animate`.
 */
export function findUnknownNames(
  values: Readonly<Record<string, unknown>>,
  names: readonly string[],
  task: string,
): InvalidOptionError[] {
  return Object.entries(values)
    .filter(([key, value]) => value !== undefined && !names.includes(key))
    .map(([key, value]) => {
      const suggestion = closestName(key, names);
      const problem = {
        expected: `an option of ${task}`,
        got: 'an unknown name',
        ...(suggestion !== undefined && { hint: ['did you mean ', { option: suggestion }, '?'] }),
      };
      return new InvalidOptionError(problem, key, value);
    });
}

/** A value that a type refuses: what was expected, and what of it is wrong; undefined if it is accepted. */
export function refusalOf(
  type: z.ZodType,
  value: unknown,
): { readonly expected: string; readonly got: string } | undefined {
  const { error } = type.safeParse(value);
  const issue = error?.issues[0];
  if (issue === undefined) return undefined;
  if (type.def.type !== 'array') return { expected: issue.message, got: showValue(value) };
  const [index] = issue.path;
  const wrong: unknown = typeof index === 'number' ? (value as readonly unknown[])[index] : value;
  return { expected: issue.message, got: JSON.stringify(wrong) ?? String(wrong) };
}

/** A value in a message: short, on one line, without its contents when it is an object. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') {
    const text = JSON.stringify(value);
    return text.length <= 80 ? text : `${text.slice(0, 76)}…"`;
  }
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

/**
 * The member of `names` nearest to `word` in edits, or undefined when none is near.
 *
 * @example
 * closestName('--stps', ['--seed', '--steps']); // '--steps'
 */
export function closestName(word: string, names: Iterable<string>): string | undefined {
  let closest: string | undefined;
  // More than a third of the letters wrong is another word, not a slip.
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const edits = editDistance(word.toLowerCase(), name.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      closest = name;
    }
  }
  return closest;
}

/** Levenshtein distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substituted = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
