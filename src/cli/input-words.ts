/** Words of a command line that belong to no flag: `animate face.jpg speech.wav`, as people begin. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { InvalidOptionError } from '../errors.ts';
import { SNIFF_BYTES, sniffContent } from '../serve/sniff-content.ts';

/** What a file holds, so far as its beginning and its name tell. */
type WordKind = 'picture' | 'sound' | 'film' | 'motion' | 'unknown';

const ENDINGS: Readonly<Record<Exclude<WordKind, 'unknown'>, RegExp>> = {
  picture: /\.(jpe?g|png|webp|gif|tiff?|avif|hei[cf]|bmp)$/i,
  sound: /\.(wav|mp3|m4a|aac|flac|og[ga]|opus|wma|aiff?|caf|amr|au|ac3|mka)$/i,
  film: /\.(mp4|m4v|mov|mkv|webm|avi|ts|flv|mpe?g)$/i,
  motion: /\.(motion|npy)$/i,
};

/** The options that words stand for, and what is wrong with the words. */
interface InputWords {
  readonly options: { readonly portrait?: string; readonly audio?: string };
  readonly error?: InvalidOptionError;
  /** With an error: names of the options that its corrected command line has. */
  readonly corrected: readonly string[];
}

/**
 * Takes one picture for the portrait and one recording for the speech, in any order. All else is refused with the command line
 * that was probably meant.
 *
 * @param given - options of flags; a word takes the place of none of them.
 * @param command - its name, for the corrected command line.
 */
export function readInputWords(
  words: readonly string[],
  given: Readonly<Record<string, unknown>>,
  command: string,
): InputWords {
  const kinds = words.map(kindOf);
  const taken = new Map<string, string>();
  const take = (word: string, ...keys: readonly string[]) => {
    const free = keys.find((key) => given[key] === undefined && !taken.has(key));
    if (free !== undefined) taken.set(free, word);
    return free;
  };
  const keys = words.map((word, i) => {
    if (kinds[i] === 'picture') return take(word, 'portrait');
    if (kinds[i] === 'sound') return take(word, 'audio');
    if (kinds[i] === 'motion') return take(word, 'motion');
    if (kinds[i] !== 'film') return undefined;
    return take(word, ...(i > 0 && i === words.length - 1 ? ['output'] : []), 'driving', 'output');
  });
  const clear = keys.every((key) => key === 'portrait' || key === 'audio');
  if (clear) return { options: Object.fromEntries(taken), corrected: [] };

  const said = words.map((word) => JSON.stringify(word)).join(' ');
  if (taken.size === 0) {
    const message = `Cannot use ${said}: expected options, got ${words.length === 1 ? 'a word that belongs' : 'words that belong'} to none`;
    return { options: {}, error: new InvalidOptionError(message, words[0]!, words), corrected: [] };
  }
  const line = words.map((word, i) => `${keys[i] === undefined ? '--…' : `--${keys[i]}`} ${quoted(word)}`);
  if (given.output === undefined && !taken.has('output')) line.push('--output …');
  const error = new InvalidOptionError(
    `Cannot use ${said}: expected options, or a picture and a recording without them, ` +
      `got ${words.map((word, i) => nameOf(word, kinds[i]!)).join(', ')}; write: lcm-portrait ${command} ${line.join(' ')}`,
    words[0]!,
    words,
  );
  return { options: {}, error, corrected: ['portrait', 'audio', 'output', ...taken.keys()] };
}

function kindOf(word: string): WordKind {
  const byName = (Object.keys(ENDINGS) as (keyof typeof ENDINGS)[]).find((kind) => ENDINGS[kind].test(word));
  const content = sniff(word);
  if (content === undefined) return byName ?? 'unknown';
  const { kind, extension } = content;
  if (kind === 'picture' || kind === 'motion') return kind;
  if (kind === 'weights') return 'unknown';
  // Containers hold sound and film alike: there the name decides.
  if (ENDINGS.sound.test(extension) && extension !== '.ogg') return 'sound';
  return byName === 'sound' ? 'sound' : 'film';
}

/** What the file begins with; undefined where there is none, or a pipe, whose bytes could not be read again. */
function sniff(file: string) {
  try {
    if (!statSync(file).isFile()) return undefined;
    const head = Buffer.alloc(SNIFF_BYTES);
    const descriptor = openSync(file, 'r');
    try {
      return sniffContent(head.subarray(0, readSync(descriptor, head, 0, SNIFF_BYTES, 0)));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined; // the options' own check says why it cannot be read
  }
}

function nameOf(word: string, kind: WordKind): string {
  if (kind === 'unknown') return existsSync(word) ? 'a file of another kind' : 'a word that is no file';
  if (kind === 'motion') return 'a motion file';
  return `a ${kind === 'sound' ? 'recording' : kind}`;
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w./~:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
