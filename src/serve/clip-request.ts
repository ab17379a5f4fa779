/** From the fields of a request to the options of a clip: all problems are reported at once, and no path is taken. */
import { InvalidOptionError } from '../errors.ts';
import { HEAD_MOTIONS } from '../pipeline/head-motions.ts';
import { showValue } from '../pipeline/options/check-options.ts';
import {
  isNumeric,
  isOption,
  JOB_OPTION_KEYS,
  type JobOptionKey,
  keysWhere,
  type OptionKey,
  specOf,
} from '../pipeline/options/clip-keys.ts';
import type { FileContent } from '../pipeline/options/option-spec.ts';
import { alternatives, kindOfType, parseNumber } from '../pipeline/options/option-types.ts';
import { findInvalidOptions } from '../pipeline/resolve-options.ts';
import { isBackgroundWord } from '../scene/background-words.ts';
import { parseVideoSize } from '../scene/video-shape.ts';
import { CLIP_FORMATS, type ClipFormat, DEFAULT_FORMAT, isClipFormat, outputOf } from './clip-format.ts';
import { type FieldProblem, fieldError } from './problem.ts';
import { type FormValues, ReceivedFile } from './receive-form.ts';
import { findSample } from './samples.ts';
import type { ServeLimits } from './serve-options.ts';
import type { UploadFacts, UploadStore } from './upload-store.ts';

/** Where results go is the server's to say. */
const OWN_KEYS: readonly string[] = ['output', 'overwrite'];

/** Options that clients may set, in the order of the table. */
export const CLIENT_KEYS: readonly JobOptionKey[] = JOB_OPTION_KEYS.filter(
  (key) => !OWN_KEYS.includes(key) && specOf(key).path?.to !== 'folder',
);

/** Fields in addition to the clip's options. */
const EXTRA_FIELDS = ['name', 'webhook'] as const;
/** What a clip is written as. */
const FORMAT_FIELD = 'format';
/** Most characters in the texts that are not options. */
export const MAX_NAME_LENGTH = 200;

/** What a file has to be, and how that is said. */
interface FileNeed {
  readonly expected: string;
  readonly accepts: (facts: UploadFacts) => boolean;
}

const NEEDS: Readonly<Record<FileContent, FileNeed>> = {
  picture: { expected: 'a picture', accepts: ({ kind }) => kind === 'picture' },
  sound: {
    expected: 'sound, or a film with sound',
    accepts: ({ kind, hasSound }) => kind === 'sound' || (kind === 'film' && hasSound !== false),
  },
  film: { expected: 'a film', accepts: ({ kind }) => kind === 'film' },
  motion: { expected: 'a motion file', accepts: ({ kind }) => kind === 'motion' },
  weights: { expected: 'a safetensors file', accepts: ({ kind }) => kind === 'weights' },
};

function needOf(key: OptionKey): FileNeed | undefined {
  const { path } = specOf(key);
  const holds = path !== undefined && 'holds' in path ? path.holds : undefined;
  return holds && NEEDS[holds];
}

/** Options that files are given for. */
export const FILE_KEYS: readonly OptionKey[] = keysWhere((_, key) => needOf(key) !== undefined);

/** A file that a clip is made of, by its id, with the client's name for it. */
interface FileReference {
  readonly id: string;
  readonly name: string;
}

/** What a client asks for; can be written as JSON. */
export interface ClipRequest {
  readonly name?: string;
  readonly webhook?: string;
  /** What a clip is written as. @defaultValue 'mp4' */
  readonly format?: ClipFormat;
  /** Options with ids in place of paths. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Every file that `options` name. */
  readonly files: readonly FileReference[];
}

/** What a request is checked against. */
interface RequestSurroundings {
  readonly uploads: UploadStore;
  /** Names of bundles that can be used. */
  readonly bundles: readonly string[];
  /** Of files it is known what they hold; of what else makes a clip long or large, the request says it. */
  readonly limits: Pick<ServeLimits, 'seconds' | 'pixels'>;
  /** Whether notes may go to a URL; a sentence about what is wrong with it otherwise. */
  readonly refuseWebhook: (url: string) => string | undefined;
}

/** What may be in a form, and how it is checked as a whole. */
export interface FormKind {
  /** Options of a clip that may be set. */
  readonly keys: readonly OptionKey[];
  /** Fields that are read by what `read` does. */
  readonly own: readonly string[];
  /** Whether it says what it is written as. */
  readonly hasFormat: boolean;
  /** @throws {@link InvalidOptionError} if a value cannot be read. */
  readonly read?: (field: string, values: readonly unknown[]) => unknown;
  readonly check: (
    options: Readonly<Record<string, unknown>>,
    format: ClipFormat,
  ) => readonly Pick<InvalidOptionError, 'option' | 'message'>[];
}

/** The form of a clip. */
export const CLIP_FORM: FormKind = {
  keys: CLIENT_KEYS,
  own: [],
  hasFormat: true,
  check: (options, format) => {
    const output = `clip.${format}`;
    const transparent = CLIP_FORMATS.filter((name) => outputOf(name).transparent !== undefined);
    return findInvalidOptions({ ...options, output }).map(({ option, message }) => ({
      option,
      // The output's name is the server's: clients say what it is written as.
      message:
        option === 'background' && message.includes(output)
          ? `Cannot use background: expected transparent with ${FORMAT_FIELD} ${alternatives(transparent)}, got it with ${format}`
          : message.replaceAll(`output ${output}`, `${FORMAT_FIELD} ${format}`),
    }));
  },
};

/**
 * Reads and checks a form.
 *
 * @throws {@link RequestError} with all fields that are wrong.
 */
export function readClipRequest(
  form: FormValues,
  surroundings: RequestSurroundings,
  kind: FormKind = CLIP_FORM,
): ClipRequest {
  const reader = new RequestReader(surroundings, kind);
  return reader.read(form);
}

class RequestReader {
  readonly #surroundings: RequestSurroundings;
  readonly #kind: FormKind;
  readonly #problems: FieldProblem[] = [];
  readonly #files = new Map<string, FileReference>();

  constructor(surroundings: RequestSurroundings, kind: FormKind) {
    this.#surroundings = surroundings;
    this.#kind = kind;
  }

  read(form: FormValues): ClipRequest {
    const given: [string, unknown][] = [];
    const extra: Record<string, string> = {};
    const { keys, own, hasFormat, check } = this.#kind;
    let format: ClipFormat | undefined;
    for (const [field, values] of form) {
      if ((EXTRA_FIELDS as readonly string[]).includes(field)) {
        const text = this.#only(field, values);
        if (text !== undefined) extra[field] = this.#readExtra(field, text) ?? '';
      } else if (field === FORMAT_FIELD && hasFormat) {
        format = this.#readFormat(values);
      } else if (own.includes(field)) {
        const value = this.#readOwn(field, values);
        if (value !== undefined) given.push([field, value]);
      } else if (isOption(field) && (keys as readonly string[]).includes(field)) {
        const value = this.#readOption(field, values);
        if (value !== undefined) given.push([field, value]);
      } else if (isOption(field) && !(CLIENT_KEYS as readonly string[]).includes(field)) {
        this.#refuse(field, 'expected an option of the clip, got one that the server sets itself');
      } else if (values.length > 0) {
        given.push([field, values[0]]); // unknown: reported with a suggestion by the check below
      }
    }
    const options = Object.fromEntries(given); // also of a name such as __proto__
    const reported = new Set(this.#problems.map(({ field }) => field));
    for (const { option, message } of check(options, format ?? DEFAULT_FORMAT)) {
      if (!reported.has(option)) this.#problems.push({ field: option, detail: message });
    }
    this.#checkLimits(options);
    if (this.#problems.length > 0) throw fieldError(this.#problems);
    return {
      ...(extra.name && { name: extra.name }),
      ...(extra.webhook && { webhook: extra.webhook }),
      ...(format !== undefined && { format }),
      options,
      files: inOrderOf([options.portrait, options.source, options.audio], [...this.#files.values()]),
    };
  }

  #checkLimits({ idle, size }: Readonly<Record<string, unknown>>): void {
    const { seconds, pixels } = this.#surroundings.limits;
    if (typeof idle === 'number' && idle > seconds)
      this.#refuse('idle', `expected at most ${seconds} s, got ${idle}`);
    const { width = 0, height = 0 } = (typeof size === 'string' && parseVideoSize(size)) || {};
    const [most, got] = [pixels, width * height].map((each) => (each / 1e6).toFixed(1));
    if (width * height > pixels) this.#refuse('size', `expected at most ${most} megapixels, got ${got}`);
  }

  #refuse(field: string, what: string): void {
    this.#problems.push({ field, detail: `Cannot use ${field}: ${what}` });
  }

  /** The value of a field that may be given once. */
  #only(field: string, values: readonly unknown[]): unknown {
    const given = values.filter((value) => value !== '' && value !== null && value !== undefined);
    if (given.length > 1) this.#refuse(field, `expected it once, got it ${given.length} times`);
    return given.length === 1 ? given[0] : undefined;
  }

  #readExtra(field: string, value: unknown): string | undefined {
    if (typeof value !== 'string' || value.length > MAX_NAME_LENGTH || /[\p{Cc}\p{Cs}]/u.test(value)) {
      this.#refuse(field, `expected at most ${MAX_NAME_LENGTH} characters of text`);
      return undefined;
    }
    const refusal = field === 'webhook' ? this.#surroundings.refuseWebhook(value) : undefined;
    if (refusal !== undefined) this.#refuse(field, refusal);
    return value.trim();
  }

  #readFormat(values: readonly unknown[]): ClipFormat | undefined {
    const value = this.#only(FORMAT_FIELD, values);
    if (value === undefined || isClipFormat(value)) return value;
    this.#refuse(FORMAT_FIELD, `expected ${alternatives(CLIP_FORMATS)}, got ${show(value)}`);
    return undefined;
  }

  #readOwn(field: string, values: readonly unknown[]): unknown {
    try {
      return this.#kind.read?.(
        field,
        values.filter((value) => value !== '' && value !== null),
      );
    } catch (error) {
      if (!(error instanceof InvalidOptionError)) throw error;
      this.#problems.push({ field, detail: error.message });
      return undefined;
    }
  }

  #readOption(key: OptionKey, values: readonly unknown[]): unknown {
    const { path, repeatable } = specOf(key);
    if (path?.to === 'items') return this.#readItems(key, values);
    if (repeatable) return values.map((value) => readValue(key, value));
    const value = this.#only(key, values);
    if (value === undefined) return undefined;
    if (path?.to === 'input') return this.#readFile(key, value);
    if (path?.to === 'name') return this.#readName(key, value);
    if (value instanceof ReceivedFile) {
      this.#refuse(key, 'expected a value, got a file');
      return undefined;
    }
    return readValue(key, value);
  }

  /** A name from a list; what may also be a file takes one. */
  #readName(key: OptionKey, value: unknown): unknown {
    if (key === 'background' && typeof value === 'string' && isBackgroundWord(value)) return value;
    const names =
      key === 'bundle' ? this.#surroundings.bundles : key === 'background' ? ['a colour'] : HEAD_MOTIONS;
    if (typeof value === 'string' && (names as readonly string[]).includes(value)) return value;
    if (needOf(key) !== undefined) return this.#readFile(key, value, ` or one of ${alternatives(names)}`);
    this.#refuse(key, `expected ${alternatives(names)}, got ${show(value)}`);
    return undefined;
  }

  /** Files with something to be said of each: `id` or `id:scale`, or objects with `id`. */
  #readItems(key: OptionKey, values: readonly unknown[]): unknown {
    const items = values.filter((value) => value !== '' && value !== null);
    return items.map((value) => {
      if (value instanceof ReceivedFile) return { path: this.#readFile(key, value), scale: 1 };
      if (typeof value === 'string') {
        const [, id = '', scale] = /^(.*?)(?::([+-]?[\d.]+))?$/.exec(value) ?? [];
        return { path: this.#readFile(key, id), scale: scale === undefined ? 1 : parseNumber(scale) };
      }
      const { id, scale = 1 } = (typeof value === 'object' ? value : {}) as { id?: unknown; scale?: unknown };
      return { path: this.#readFile(key, id), scale };
    });
  }

  /** @returns the id of a file that fits. */
  #readFile(key: OptionKey, value: unknown, otherwise = ''): string {
    const { expected, accepts } = needOf(key)!;
    const found = this.#find(value);
    if (found === undefined) {
      this.#refuse(
        key,
        `expected ${expected}, or the id of one that was uploaded${otherwise}, got ${show(value)}`,
      );
    } else if (!accepts(found)) {
      const got = {
        picture: 'a picture',
        sound: 'sound',
        film: 'a film without sound',
        motion: 'a motion file',
        weights: 'weights',
      };
      this.#refuse(
        key,
        `expected ${expected}${otherwise}, got ${found.kind === 'film' && key !== 'audio' ? 'a film' : got[found.kind]}`,
      );
    } else {
      this.#files.set(found.id, { id: found.id, name: found.name });
    }
    return found?.id ?? 'none'; // a value of the right type: the problem has been reported
  }

  #find(value: unknown): (FileReference & UploadFacts) | undefined {
    if (value instanceof ReceivedFile) return value.upload;
    if (typeof value !== 'string') return undefined;
    return this.#surroundings.uploads.get(value) ?? findSample(value);
  }
}

/** Text as the option's own type; JSON has it already, and what cannot be read is for the check of the type. */
function readValue(key: OptionKey, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const { fromText, type } = specOf(key);
  if (fromText !== undefined) return fromText(value);
  if (isNumeric(key)) return parseNumber(value.trim());
  if (kindOfType(type) === 'boolean') {
    if (/^(true|on|1)$/i.test(value)) return true;
    if (/^(false|off|0)$/i.test(value)) return false;
  }
  return value;
}

function show(value: unknown): string {
  return value instanceof ReceivedFile ? 'another file' : showValue(value);
}

/** Files with these ids first, in this order: clips are called after them, whatever order a client has sent them in. */
function inOrderOf(ids: readonly unknown[], files: readonly FileReference[]): FileReference[] {
  const rank = ({ id }: FileReference): number => (ids.includes(id) ? ids.indexOf(id) : ids.length);
  return [...files].sort((a, b) => rank(a) - rank(b));
}
