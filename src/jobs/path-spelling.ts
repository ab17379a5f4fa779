/** What is odd about the spelling of a path, with the way to put it right. */

/** Escape sequences of YAML and JSON that names of files are taken for. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '\x85': '\\N',
  '\xa0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\0-\x1f\x7f-\x9f\u2028\u2029]/g;

/** Advice that fits every format: YAML and JSON read backslashes in double quotes, CSV and JSON Lines have other quotes. */
export const BACKSLASH_ADVICE =
  'in double quotes a backslash begins an escape sequence: put the path into single quotes, or write / for it';

/** A text with its control characters as escape sequences, so that a message shows them. */
export function visible(text: string): string {
  return text.replace(
    CONTROL,
    (character) => ESCAPES[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Why a text can hardly be the name that was meant; undefined if nothing is odd. */
export function describeControls(text: string): string | undefined {
  const [character] = text.match(CONTROL) ?? [];
  if (character === undefined) return undefined;
  return `it has the control character ${visible(character)}; ${BACKSLASH_ADVICE}`;
}

/**
 * What is odd about a path that leads nowhere.
 *
 * @param exists - whether there is a file or folder of another spelling.
 */
export function describeSpelling(
  text: string,
  exists: (other: string) => boolean,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const controls = describeControls(text);
  if (controls !== undefined) return controls;
  if (platform === 'win32') return undefined;
  const slashes = text.replaceAll('\\', '/');
  if (/^[a-z]:[/\\]/i.test(text)) {
    return `a path with a drive is one of Windows: write it as this system has it${text.includes('\\') ? ', with / for each backslash' : ''}`;
  }
  if (slashes === text) return undefined;
  return `a backslash separates folders on Windows only: write ${slashes}${exists(slashes) ? ', which is there' : ''}`;
}
