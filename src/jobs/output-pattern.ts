/** Names of outputs with placeholders. */
import { closestName } from '../pipeline/options/check-options.ts';
import { PLACEHOLDERS } from './manifest-schema.ts';

/** A placeholder, a brace that stands for itself, or one that is alone. */
const BRACES = /\{\{|\}\}|\{([^{}]*)\}|\{[^{}]*|\}/g;

/** The placeholders of a pattern, known or not. */
export function placeholdersOf(pattern: string): string[] {
  return [...pattern.matchAll(BRACES)].flatMap(([, name]) => (name === undefined ? [] : [name]));
}

/**
 * Fills in a pattern; `{{` and `}}` stand for braces.
 *
 * @returns the text, or the problem with the pattern.
 * @example
 * fillPattern('{portrait}/{audio}.mp4', { portrait: 'ada', audio: 'hello' }).text; // 'ada/hello.mp4'
 */
export function fillPattern(
  pattern: string,
  values: Readonly<Record<string, unknown>>,
): { readonly text: string; readonly problem?: string } {
  let problem: string | undefined;
  const text = pattern.replace(BRACES, (whole, name: string | undefined) => {
    if (whole === '{{') return '{';
    if (whole === '}}') return '}';
    if (name === undefined) {
      const missing = whole === '}' ? 'a { before }' : `a } after ${whole}`;
      problem ??= `expected ${missing}, got none; a brace of the name itself is written twice`;
      return whole;
    }
    if (!PLACEHOLDERS.includes(name)) {
      const suggestion = closestName(name, PLACEHOLDERS);
      problem ??= `expected a placeholder such as {${suggestion ?? 'portrait'}}, got ${whole}`;
      return whole;
    }
    const value = values[name];
    if (value === undefined) problem ??= `${whole} has no value: the job does not set ${name}`;
    // A rate of 30000/1001 is called 29.97.
    const text = typeof value === 'number' ? String(Number(value.toFixed(3))) : String(value);
    // A value names a file, not a folder: its slashes would.
    return text.replace(/[/\\]/g, '_');
  });
  return problem === undefined ? { text } : { text, problem };
}
