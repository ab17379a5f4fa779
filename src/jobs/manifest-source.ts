/**
 * Manifests as they are written: YAML, JSON, JSON Lines, CSV. All become one form, `{ defaults, jobs }`, that remembers on
 * which line a value stands.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Document, isAlias, isMap, isNode, isSeq, LineCounter, parseDocument } from 'yaml';
import { describeFileProblem } from '../errors.ts';
import { ManifestError, type ManifestProblem } from './manifest-schema.ts';
import { parseTable } from './manifest-table.ts';
import { decodeText } from './manifest-text.ts';
import { BACKSLASH_ADVICE } from './path-spelling.ts';

/** Keys and indices from the root of a manifest to a value. */
export type ManifestPath = readonly (string | number)[];

/** A manifest before it is checked. */
export interface ManifestSource {
  /** The file as the user wrote it, or `manifest`. */
  readonly name: string;
  /** Where relative paths start. */
  readonly folder: string;
  readonly value: unknown;
  /** Where a value stands, or with `key` its name. */
  placeOf(path: ManifestPath, key?: 'key'): string;
  readonly notices: readonly string[];
}

/** Larger files are no manifests. */
const MAX_BYTES = 64_000_000;

type Parser = (text: string, name: string) => Omit<ManifestSource, 'name' | 'folder'>;

const PARSERS: Readonly<Record<string, Parser>> = {
  '.yaml': parseYaml,
  '.yml': parseYaml,
  '.json': parseJson,
  '.jsonl': parseJsonLines,
  '.ndjson': parseJsonLines,
  '.csv': parseTableJobs,
  '.tsv': parseTableJobs,
  '.txt': parseTableJobs,
};

/**
 * Reads a manifest, or takes one that is an object.
 *
 * @throws {@link ManifestError} if the file cannot be read, or is not what its extension says.
 */
export async function readManifest(manifest: string | object): Promise<ManifestSource> {
  if (typeof manifest !== 'string') {
    return {
      name: 'manifest',
      folder: process.cwd(),
      value: manifest,
      placeOf: pathText,
      notices: [],
    };
  }
  const refuse = (message: string) => new ManifestError(manifest, [{ place: '', message }]);
  const parser = PARSERS[path.extname(manifest).toLowerCase()];
  if (parser === undefined) {
    const known = Object.keys(PARSERS).join(', ');
    throw refuse(`expected a file that ends in ${known}, got ${path.extname(manifest) || 'no extension'}`);
  }
  let bytes: Buffer;
  try {
    bytes = await readFile(manifest);
  } catch (error) {
    throw refuse(`expected a file, got ${describeFileProblem(error)}`);
  }
  if (bytes.length > MAX_BYTES) {
    throw refuse(`expected at most ${MAX_BYTES / 1e6} MB, got ${Math.round(bytes.length / 1e6)} MB`);
  }
  const text = decodeText(bytes);
  if (text === undefined) {
    throw refuse(
      'expected text in UTF-8 or UTF-16, got other bytes; save it as UTF-8, in Excel as "CSV UTF-8"',
    );
  }
  const source = parser(text, manifest);
  return { ...source, name: manifest, folder: path.dirname(path.resolve(manifest)) };
}

function parseYaml(text: string, name: string) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const problems = document.errors.map(
    (error): ManifestProblem => ({
      place: `line ${lines.linePos(error.pos[0]).line}`,
      message: `expected YAML, got: ${error.message}${error.code === 'BAD_DQ_ESCAPE' ? `; ${BACKSLASH_ADVICE}` : ''}`,
    }),
  );
  if (problems.length > 0) throw new ManifestError(name, problems);
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    const message = `expected YAML, got: ${error instanceof Error ? error.message : String(error)}`;
    throw new ManifestError(name, [{ place: '', message }]);
  }
  return fromAniPortrait(value, placesIn(document, lines));
}

function parseJson(text: string, name: string) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: '1.2', prettyErrors: false });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // Where the text is not JSON, YAML's parser knows the line, unless it takes it for YAML.
    const position = /position (\d+)/.exec(String(error))?.[1];
    const at = position === undefined ? document.errors[0]?.pos[0] : Number(position);
    const line = at === undefined ? undefined : text.slice(0, at).split('\n').length;
    throw new ManifestError(name, [
      { place: line === undefined ? '' : `line ${line}`, message: describeJsonError(error) },
    ]);
  }
  const twice = document.errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  if (twice.length > 0) {
    throw new ManifestError(
      name,
      twice.map(({ pos }) => ({
        place: `line ${lines.linePos(pos[0]).line}`,
        message: 'expected each key once, got one twice',
      })),
    );
  }
  return fromAniPortrait(value, placesIn(document, lines));
}

function describeJsonError(error: unknown): string {
  const { message } = error as Error;
  const advice = /escape/i.test(message)
    ? `; ${BACKSLASH_ADVICE.replace('put the path into single quotes, or ', '')}`
    : '';
  return `expected JSON, got: ${message}${advice}`;
}

function parseJsonLines(text: string, name: string) {
  const problems: ManifestProblem[] = [];
  const jobs: unknown[] = [];
  const places: string[] = [];
  for (const [i, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === '') continue;
    const place = `line ${i + 1}`;
    try {
      jobs.push(JSON.parse(line));
      places.push(place);
    } catch (error) {
      problems.push({ place, message: describeJsonError(error).replace('JSON', 'a JSON object') });
    }
  }
  if (problems.length > 0) throw new ManifestError(name, problems);
  return { value: { jobs }, placeOf: rowPlaces(places), notices: [] };
}

function parseTableJobs(text: string, name: string) {
  const { rows, headerLine } = parseTable(text, name);
  const placeOfRow = rowPlaces(rows.map(({ line }) => `line ${line}`));
  return {
    value: { jobs: rows.map(({ values }) => values) },
    // The names of all rows' values are those of the columns.
    placeOf: (path: ManifestPath, key?: 'key') =>
      key === undefined ? placeOfRow(path) : `line ${headerLine}`,
    notices: [],
  };
}

/** Keys of AniPortrait's own configuration besides the map of its jobs. */
const ANIPORTRAIT_KEYS: ReadonlySet<string> = new Set([
  ...['pretrained_base_model_path', 'pretrained_vae_path', 'image_encoder_path', 'denoising_unet_path'],
  ...['reference_unet_path', 'pose_guider_path', 'motion_module_path', 'inference_config', 'weight_dtype'],
  ...['audio_inference_config', 'pose_temp', 'test_cases'],
]);

/**
 * AniPortrait's configuration maps a picture to a list of recordings under `test_cases`; the same map alone is taken too.
 * Everything else becomes what it is.
 */
function fromAniPortrait(value: unknown, placeOf: ManifestSource['placeOf']) {
  const plain = { value, placeOf, notices: [] };
  if (!isRecord(value)) return plain;
  const whole = 'test_cases' in value;
  const cases = whole ? value.test_cases : value;
  const others = whole ? Object.keys(value).filter((key) => key !== 'test_cases') : [];
  if (!isRecord(cases) || (!whole && ('jobs' in value || 'defaults' in value))) return plain;
  const entries = Object.entries(cases);
  const isListOfPaths = (list: unknown) =>
    Array.isArray(list) && list.every((item) => typeof item === 'string');
  if (!entries.every(([, list]) => isListOfPaths(list))) return plain;
  if (others.some((key) => !ANIPORTRAIT_KEYS.has(key))) return plain;
  const root = whole ? ['test_cases'] : [];
  return {
    value: { jobs: entries.map(([portrait, audio]) => ({ portrait, audio })) },
    // jobs[i].audio[j] stands at test_cases[portrait][j].
    placeOf: (path: ManifestPath) => {
      const portrait = typeof path[1] === 'number' ? entries[path[1]]?.[0] : undefined;
      if (portrait === undefined) return placeOf(root);
      return path[2] === 'audio'
        ? placeOf([...root, portrait, ...path.slice(3)])
        : placeOf([...root, portrait], 'key');
    },
    notices:
      others.length > 0
        ? [`AniPortrait's own settings are not used: ${others.join(', ')}; choose networks with bundle`]
        : [],
  };
}

function placesIn(document: Document, lines: LineCounter): ManifestSource['placeOf'] {
  const lineOf = (node: unknown) => {
    const start = isNode(node) ? node.range?.[0] : undefined;
    return start === undefined ? undefined : lines.linePos(start).line;
  };
  return (path, key) => {
    let node: unknown = document.contents;
    let line = lineOf(node) ?? 1;
    for (const [depth, part] of path.entries()) {
      while (isAlias(node)) node = node.resolve(document);
      if (isMap(node)) {
        const pair = node.items.find(
          (item) => String(isNode(item.key) ? item.key.toJSON() : item.key) === String(part),
        );
        if (pair === undefined) break; // came by way of a merged map, or is missing
        const wantsKey = key !== undefined && depth === path.length - 1;
        line = lineOf(wantsKey ? pair.key : (pair.value ?? pair.key)) ?? line;
        node = pair.value;
      } else if (isSeq(node) && typeof part === 'number') {
        node = node.items[part];
        line = lineOf(node) ?? line;
      } else break;
    }
    return `line ${line}`;
  };
}

/** Places in a file with a job on each line. */
function rowPlaces(places: readonly string[]): ManifestSource['placeOf'] {
  return ([root, index]) =>
    root === 'jobs' && typeof index === 'number' ? (places[index] ?? 'line 1') : 'line 1';
}

/** `jobs[2].steps`, for manifests that are objects. */
function pathText(path: ManifestPath): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}

/** Whether a value is an object with keys. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
