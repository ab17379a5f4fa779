import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { ModelError } from '../../src/errors.ts';
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts';
import type { WeightSource } from '../../src/weights/weight-source.ts';
import { assertAllClose } from './assert-close.ts';

/** Description of an input in a golden file. */
export interface StreamInput {
  readonly stream: string;
  readonly shape: readonly number[];
  readonly scale?: number;
  readonly offset?: number;
  readonly kind?: 'bytes' | 'pose_bytes';
}

/** Stored numbers of an output: all of them in the tensor file, or some at flat indices. */
export interface GoldenOutput {
  readonly shape: readonly number[];
  readonly tensor?: string;
  readonly at: readonly number[];
  readonly values: readonly number[];
}

/** One case of a golden file. */
export interface GoldenCase {
  readonly name: string;
  readonly namespace?: string;
  readonly keys?: readonly (readonly [string, readonly number[]])[];
  readonly inputs: Readonly<Record<string, StreamInput>>;
  readonly outputs: Readonly<Record<string, GoldenOutput>>;
}

/** A golden file of networks with its tensors. */
export interface GoldenFile {
  readonly namespace: string;
  readonly keys: readonly (readonly [string, readonly number[]])[];
  readonly cases: readonly GoldenCase[];
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Stored pictures, by name. */
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

const FOLDER = new URL('../golden/networks/', import.meta.url);

/** FNV-1a, 32 bit. */
export function fnv1a(text: string): number {
  let hash = 2166136261;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
}

/** `count` pseudo-random 32-bit words from a seed. */
export function goldenWords(seed: number, count: number): Uint32Array {
  const words = new Uint32Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (state + 0x9e3779b9) | 0;
    let t = state ^ (state >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    words[i] = t ^ (t >>> 15);
  }
  return words;
}

function stream(name: string, dims: readonly number[], offset: number, scale: number): Tensor {
  const words = goldenWords(fnv1a(name), elementCount(dims));
  const data = new Float32Array(words.length); // millions: a loop, since Float32Array.from takes ten times as long
  for (let i = 0; i < data.length; i++) data[i] = offset + scale * ((words[i]! >>> 8) / 8388608 - 1);
  return tensor(data, dims);
}

/** The table that motion modules add to their tokens, [1, length, channels]. */
function positionalTable(dims: readonly number[]): Tensor {
  const [, length, channels] = dims as [number, number, number];
  const data = new Float32Array(length * channels);
  for (let p = 0; p < length; p++) {
    for (let i = 0; i < channels; i += 2) {
      const rate = Math.fround(Math.exp((-Math.log(10000) * i) / channels));
      data[p * channels + i] = Math.sin(p * rate);
      data[p * channels + i + 1] = Math.cos(p * rate);
    }
  }
  return tensor(data, dims);
}

/** The weight `key` of `namespace`. */
export function goldenWeight(namespace: string, key: string, dims: readonly number[]): Tensor {
  const last = key.slice(key.lastIndexOf('.') + 1);
  const name = `${namespace}:${key}`;
  if (last === 'pe') return positionalTable(dims);
  if (last === 'num_batches_tracked') return tensor(new Float32Array(elementCount(dims)), dims);
  if (['running_var', 'scale', 'weight_g'].includes(last)) return stream(name, dims, 1, 0.1);
  if (dims.length === 1) return stream(name, dims, last === 'weight' ? 1 : 0, 0.1);
  return stream(name, dims, 0, Math.sqrt(3 / elementCount(dims.slice(1))));
}

/** Weights by formula; `rename` gives a key its name in the formula. */
export function goldenWeights(
  namespace: string,
  keys: readonly (readonly [string, readonly number[]])[],
  rename: (key: string) => string = (key) => key,
): WeightSource {
  const shapes = new Map(keys);
  const made = new Map<string, Tensor>();
  const find = (key: string): readonly number[] => {
    const dims = shapes.get(key);
    if (dims === undefined) throw new ModelError(`Cannot read ${key} of ${namespace}`, namespace);
    return dims;
  };
  return {
    path: namespace,
    keys: () => shapes.keys(),
    has: (key) => shapes.has(key),
    info: (key) => ({ dims: find(key), dtype: 'F32' }),
    read: (key) => {
      const value = made.get(key) ?? goldenWeight(namespace, rename(key), find(key));
      made.set(key, value);
      return value;
    },
  };
}

/** An input by formula; `pose_bytes` are a sparse picture of bytes. */
export function goldenInput({
  stream: name,
  shape,
  scale = Math.sqrt(3),
  offset = 0,
  kind,
}: StreamInput): Tensor {
  if (kind === undefined) return stream(name, shape, offset, scale);
  const words = goldenWords(fnv1a(name), elementCount(shape));
  const byte = (word: number): number => (kind === 'bytes' || (word & 255) < 48 ? word >>> 24 : 0);
  return tensor(Float32Array.from(words, byte), shape);
}

function readSafetensors(bytes: Buffer): Pick<GoldenFile, 'tensors' | 'bytes'> {
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Tensor>();
  const pictures = new Map<string, Uint8Array>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    const start = 8 + headerLength;
    const copy = new Uint8Array(bytes.subarray(start + begin, start + end));
    if (entry.dtype === 'F32') tensors.set(name, tensor(new Float32Array(copy.buffer), entry.shape));
    else if (entry.dtype === 'U8') pictures.set(name, copy);
  }
  return { tensors, bytes: pictures };
}

/** Reads `name.json` and `name.safetensors`. */
export function readGoldenFile(name: string): GoldenFile {
  const json = JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as Omit<
    GoldenFile,
    'tensors' | 'bytes'
  >;
  return { ...json, ...readSafetensors(readFileSync(new URL(`${name}.safetensors`, FOLDER))) };
}

/** Keys and shapes of a published checkpoint. */
export function readFullSizeKeys(name: string): [string, number[]][] {
  return JSON.parse(gunzipSync(readFileSync(new URL(`full_size/${name}.json.gz`, FOLDER))).toString('utf8'));
}

/** Counts of the published sizes. */
export function readFullSizeSummary(): {
  readonly parameters: Readonly<Record<string, number>>;
  readonly gflops: Readonly<Record<string, number>>;
} {
  return JSON.parse(readFileSync(new URL('full_size/summary.json', FOLDER), 'utf8'));
}

/** Compares an output with what is stored of it, within `atol`. */
export function assertGolden(
  file: GoldenFile,
  expected: GoldenOutput,
  actual: Float32Array,
  atol: number,
  label: string,
): void {
  const whole = expected.tensor === undefined ? undefined : file.tensors.get(expected.tensor);
  if (whole !== undefined) assertAllClose(actual, whole.data, { rtol: 0, atol }, label);
  const chosen = expected.at.map((index) => actual[index]!);
  assertAllClose(chosen, expected.values, { rtol: 0, atol }, `${label} (chosen)`);
  if (actual.length !== elementCount(expected.shape)) throw new Error(`${label}: ${actual.length} values`);
}

/** The case of that name. */
export function goldenCase(file: GoldenFile, name: string): GoldenCase {
  const found = file.cases.find((item) => item.name === name);
  if (found === undefined) throw new Error(`no golden case ${name}`);
  return found;
}
