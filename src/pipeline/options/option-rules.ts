/** Rules between options: what no option can know by itself. */
import { resolve } from 'node:path';
import { showValue } from './check-options.ts';
import type { OptionRule, OptionTable } from './option-spec.ts';

/** One of the options must be given, the first if in doubt; `expected` is said of that. */
export function atLeastOneOf<Options extends object>(
  [first, ...others]: readonly [keyof Options & string, ...(keyof Options & string)[]],
  expected: string,
): OptionRule<Options> {
  return {
    whole: true,
    find: (values) => {
      if ([first, ...others].some((key) => values[key] !== undefined)) return undefined;
      return {
        option: first,
        problem: {
          refusal: ['Cannot animate without ', { option: first }],
          expected,
          got: 'nothing',
          ...(others.length > 0 && { hint: ['or give ', ...mentions(others)] }),
        },
      };
    },
  };
}

/** No two of the options may be given. */
export function atMostOneOf<Options extends object>(
  keys: readonly (keyof Options & string)[],
): OptionRule<Options> {
  return {
    find: (values) => {
      const [first, second] = keys.filter((key) => values[key] !== undefined);
      if (first === undefined || second === undefined) return undefined;
      return {
        option: second,
        problem: { expected: ['none together with ', { option: first }], got: 'both; leave one out' },
      };
    },
  };
}

/**
 * The option means nothing unless one of `others` is given.
 *
 * @param standard - its default, which options that were resolved before have without anybody's wish.
 */
export function needsOneOf<Options extends object>(
  key: keyof Options & string,
  others: readonly (keyof Options & string)[],
  standard?: unknown,
): OptionRule<Options> {
  return {
    whole: true,
    find: (values) => {
      if (values[key] === undefined || values[key] === standard) return undefined;
      if (others.some((other) => values[other] !== undefined)) return undefined;
      return {
        option: key,
        problem: { expected: ['it together with ', ...mentions(others)], got: 'it alone' },
      };
    },
  };
}

/** The output is no file that is read: a rule for each input of the table. */
export function outputIsNoInput<Options extends { readonly output: string }>(
  table: OptionTable,
): OptionRule<Options>[] {
  return Object.entries(table)
    .filter(([, { path }]) => path?.to === 'input')
    .map(([key]) => ({
      find: (values) => {
        const { output } = values;
        const input: unknown = values[key as keyof Options];
        if (typeof input !== 'string' || output === undefined) return undefined;
        if (resolve(input) !== resolve(output)) return undefined;
        const problem = { expected: ['another file than ', { option: key }], got: showValue(output) };
        return { option: 'output', problem };
      },
    }));
}

/** The options, with `,` and `or` between them. */
function mentions(keys: readonly string[]): (string | { readonly option: string })[] {
  return keys.flatMap((key, i) => [
    ...(i === 0 ? [] : [i === keys.length - 1 ? ' or ' : ', ']),
    { option: key },
  ]);
}
