/**
 * The header of a safetensors file: 8 bytes of length, then JSON that names every tensor's type, shape and place.
 *
 * Source: the format section of the safetensors project's README, and the checks of its Rust reader.
 */
import { ModelError } from '../errors.ts';
import { elementCount } from '../tensor/tensor.ts';
import { ELEMENT_BYTES } from './element-types.ts';
import type { WeightInfo } from './weight-source.ts';

/** Longer headers are refused by the reference reader, too. */
export const MAX_HEADER_BYTES = 100_000_000;

/** A tensor's type, shape and place. */
export interface HeaderEntry extends WeightInfo {
  /** First byte, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/** What a header says. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, HeaderEntry>;
}

/**
 * Reads and checks the JSON of a header.
 *
 * @param path - the file, for messages.
 * @param dataBytes - length of what follows the header in the file.
 * @throws {@link ModelError} naming file and key unless every tensor has a known type, a shape, and bytes of its own that
 *   fit it, without gaps.
 */
export function parseSafetensorsHeader(path: string, text: string, dataBytes: number): SafetensorsHeader {
  const fail = (expected: string, got: string, cause?: unknown): ModelError =>
    new ModelError(
      `Cannot read ${path}: expected ${expected}, got ${got}; download or export the file again`,
      path,
      cause === undefined ? undefined : { cause },
    );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fail('a JSON header', 'something else', cause);
  }
  if (!isRecord(json)) throw fail('a JSON object as header', typeof json);
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw fail('every name once', `${duplicate} twice`);

  const entries = new Map<string, HeaderEntry>();
  for (const [key, entry] of Object.entries(json)) {
    if (key === '__metadata__') continue;
    entries.set(key, parseEntry(key, entry, dataBytes, fail));
  }
  let end = 0;
  let previous = 'the header';
  for (const [key, entry] of [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== end) {
      const problem = entry.begin < end ? 'an overlap' : 'a gap';
      throw fail(`${key} to begin at byte ${end}, after ${previous}`, `${problem}: byte ${entry.begin}`);
    }
    end = entry.end;
    previous = key;
  }
  if (end !== dataBytes) throw fail(`${end} bytes of tensors`, `${dataBytes} bytes`);
  return { metadata: readMetadata(json.__metadata__), entries };
}

/**
 * Writes a header, the length in front included, for tensors that follow each other in the order given.
 *
 * @param metadata - `__metadata__`; left out when empty.
 */
export function encodeSafetensorsHeader(
  tensors: Iterable<readonly [name: string, info: WeightInfo]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const members: string[] = [];
  if (Object.keys(metadata).length > 0) members.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let begin = 0;
  for (const [name, { dims, dtype }] of tensors) {
    const end = begin + elementCount(dims) * ELEMENT_BYTES[dtype]!;
    members.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape: dims, data_offsets: [begin, end] })}`,
    );
    begin = end;
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  // Spaces align the tensors to 8 bytes.
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  header.set(json, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  return header;
}

type Fail = (expected: string, got: string) => ModelError;

function parseEntry(key: string, entry: unknown, dataBytes: number, fail: Fail): HeaderEntry {
  if (!isRecord(entry)) throw fail(`an object for ${key}`, JSON.stringify(entry));
  const { dtype, shape, data_offsets: offsets } = entry;
  const bytes =
    typeof dtype === 'string' && Object.hasOwn(ELEMENT_BYTES, dtype) ? ELEMENT_BYTES[dtype] : undefined;
  if (typeof dtype !== 'string' || bytes === undefined) {
    throw fail(`a dtype of ${Object.keys(ELEMENT_BYTES).join(', ')} for ${key}`, JSON.stringify(dtype));
  }
  if (!isCounts(shape)) throw fail(`a shape for ${key}`, JSON.stringify(shape));
  if (!isCounts(offsets) || offsets.length !== 2) throw fail(`offsets for ${key}`, JSON.stringify(offsets));
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    throw fail(`${key} within ${dataBytes} bytes of tensors`, `bytes ${begin} to ${end}`);
  }
  const size = elementCount(shape) * bytes;
  if (end - begin !== size) {
    throw fail(`${size} bytes for ${key}, ${dtype} [${shape.join(', ')}]`, `${end - begin} bytes`);
  }
  return { dtype, dims: shape, begin, end };
}

/** What a file says about itself is of no weight for its tensors: writers that do not keep to strings are read all the same. */
function readMetadata(metadata: unknown): Record<string, string> {
  if (!isRecord(metadata)) return {};
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

function isRecord(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function isCounts(json: unknown): json is number[] {
  return Array.isArray(json) && json.every((count) => Number.isSafeInteger(count) && count >= 0);
}

/** The first name that occurs twice at the outermost level of valid JSON; `JSON.parse` would keep the last. */
function findDuplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let last = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token !== ':') last = token;
    else if (depth === 1) {
      const key: string = JSON.parse(last);
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}
