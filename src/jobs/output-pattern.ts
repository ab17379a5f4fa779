/** Names of outputs with placeholders. */
import path from 'node:path';
import { findOutputFormat } from '../media/output-formats.ts';
import { closestName } from '../pipeline/options/check-options.ts';
import { PLACEHOLDERS } from './manifest-schema.ts';
import { describeControls, describeSpelling } from './path-spelling.ts';

/** Of file systems everywhere. */
const MAX_NAME_BYTES = 255;
/** Stands for the output of a clip where only its other options are looked at. */
const ANY_OUTPUT = 'output.mp4';

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

/** An output of the kind that a pattern names, as what other options may be depends on it; the pattern is looked at later. */
export function outputLike(pattern: unknown): string {
  if (typeof pattern !== 'string' || findOutputFormat(pattern) === undefined) return ANY_OUTPUT;
  return /[/\\]$/.test(pattern) ? 'output/' : `output${path.extname(pattern)}`;
}

/** What is wrong with a pattern before anything is filled in. */
export function describePattern(pattern: string): string | undefined {
  const controls = describeControls(pattern);
  if (controls !== undefined) return controls;
  return pattern.includes('\\') ? describeSpelling(pattern, () => false) : undefined;
}

/** What is wrong with the length of an output's name. */
export function describeLength(output: string): string | undefined {
  const bytes = Buffer.byteLength(path.basename(output));
  return bytes > MAX_NAME_BYTES
    ? `expected a name of at most ${MAX_NAME_BYTES} bytes, got ${bytes}`
    : undefined;
}
