/**
 * Types of options as zod schemas. The message of each is what it expects, in words that follow "expected": the one place
 * where a type is put into words.
 */
import { z } from 'zod';

/** An integer; `maxText` is how a large `max` is written. */
export function integer(min: number, max: number, maxText = String(max)): z.ZodType<number> {
  const expected = `an integer from ${min} to ${maxText}`;
  return z.int(expected).min(min, expected).max(max, expected);
}

/** An integer of a range, in steps from its beginning; `expected` is said of any other. */
export function steps(
  { min, max, step }: { readonly min: number; readonly max: number; readonly step: number },
  expected: string,
): z.ZodType<number> {
  return z.int(expected).min(min, expected).max(max, expected).multipleOf(step, expected);
}

/** A number; NaN is none. */
export function number(min: number, max: number): z.ZodType<number> {
  const expected = `a number from ${min} to ${max}`;
  return z.number(expected).min(min, expected).max(max, expected);
}

/** A number above 0. */
export function positive(max: number, expected: string): z.ZodType<number> {
  return z.number(expected).gt(0, expected).max(max, expected);
}

/** One of several names. */
export function oneOf<const Name extends string>(names: readonly Name[]): z.ZodType<Name> {
  return z.enum(names as readonly [Name, ...Name[]], alternatives(names));
}

/** True or false: a switch on the command line. */
export function boolean(): z.ZodType<boolean> {
  return z.boolean('true or false');
}

/**
 * A path, or a name in the place of one.
 *
 * @param expected - what is there, as in `the path of a speech recording`.
 */
export function path(expected: string): z.ZodType<string> {
  return z
    .string(expected)
    .min(1, expected)
    .refine((value) => !value.includes('\0'), expected);
}

/** A folder that may not be there. */
export function folder(): z.ZodType<string> {
  return path('the path of a folder');
}

/** A folder, or false for none. */
export function folderOrNone(): z.ZodType<string | false> {
  return z.union([folder(), z.literal(false)], 'the path of a folder');
}

/** A list; `expected` stands for whatever is wrong in it, so that a message need not say where. */
export function listOf<Item>(item: z.ZodType<Item>, expected: string): z.ZodType<readonly Item[]> {
  return z.array(item, expected);
}

/** A list that is not empty; `expected` is said of one that is. */
export function someOf<Item>(item: z.ZodType<Item>, expected: string): z.ZodType<readonly Item[]> {
  return z.array(item, expected).min(1, expected);
}

/** What has no form in JSON: a function, a signal. */
export function instance<T>(expected: string, accepts: (value: unknown) => boolean): z.ZodType<T> {
  return z.custom<T>(accepts, expected);
}

/** A number, or the text if it is none. */
export function parseNumber(text: string): number | string {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

/** `a, b or c`. */
export function alternatives(names: readonly string[]): string {
  return names.join(', ').replace(/, (?=[^,]*$)/, ' or ');
}

/** The kind of a type as zod calls it: `number`, `boolean`, `enum`, `string`, `array`, … */
export function kindOfType(type: z.ZodType): string {
  return type.def.type;
}

/** The names of a type that is one of several; undefined for others. */
export function namesOfType(type: z.ZodType): readonly string[] | undefined {
  return type instanceof z.ZodEnum ? type.options.map(String) : undefined;
}

/** A part of a JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * A type as JSON Schema, draft 2020-12.
 *
 * @param io - `output` for values as they are after parsing, `input` for those that readers must accept: objects may have
 *   more properties there.
 */
export function jsonSchemaOf(type: z.ZodType, io: 'input' | 'output' = 'output'): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(type, { io });
  return schema;
}

/** Least and greatest of a number type that has both. */
export function rangeOfType(type: z.ZodType): { readonly min: number; readonly max: number } | undefined {
  if (kindOfType(type) !== 'number') return undefined;
  const { minimum, maximum } = jsonSchemaOf(type) as { minimum?: number; maximum?: number };
  return minimum === undefined || maximum === undefined ? undefined : { min: minimum, max: maximum };
}
