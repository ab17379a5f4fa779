/**
 * One network's weights as people have them: in one file or several, with the names of any generation of the libraries
 * that wrote them, perhaps below a prefix. All of it becomes the names that the builders know.
 */
import path from 'node:path';
import type { WeightSpec } from '../models/weight-reader.ts';
import { elementCount } from '../tensor/tensor.ts';
import { openWeights } from '../weights/open-weights.ts';
import { recogniseWeights } from '../weights/recognise-weights.ts';
import type { WeightFile, WeightSource } from '../weights/weight-source.ts';
import { summariseKeys } from './key-summary.ts';
import { positionalTable } from './positional-table.ts';

/** Names that older or newer libraries give to weights, and the builders' names. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  // Attention of autoencoders, before diffusers 0.17.
  [/\.(mid_block\.attentions\.\d+)\.query\./, '.$1.to_q.'],
  [/\.(mid_block\.attentions\.\d+)\.key\./, '.$1.to_k.'],
  [/\.(mid_block\.attentions\.\d+)\.value\./, '.$1.to_v.'],
  [/\.(mid_block\.attentions\.\d+)\.proj_attn\./, '.$1.to_out.0.'],
  // Weight norm, since PyTorch 2.1's parametrizations.
  [/\.parametrizations\.weight\.original0$/, '.weight_g'],
  [/\.parametrizations\.weight\.original1$/, '.weight_v'],
];

/** Buffers that follow from the architecture; files may have them or not. */
const IGNORED = /(?:^|\.)(?:position_ids|num_batches_tracked|masked_spec_embed)$/;
/** Sinusoidal tables, which are computed where a file has none. */
const POSITIONAL_TABLE = /(?:^|\.)pe$/;

/** Names that are compared to find a prefix. */
const ANCHORS = 12;

/** A weight's place. */
interface Place {
  readonly file: WeightFile;
  readonly key: string;
}

/** One network's open files; the caller disposes of them. */
export interface Checkpoint {
  /** What is wrong with the files, a line for each kind of problem; empty when they fit. */
  readonly problems: readonly string[];
  /** Its weights under the builders' names; only to be read when there are no problems. */
  readonly weights: WeightSource;
  /** The file that has a weight; undefined for one that is computed. */
  fileOf(key: string): string | undefined;
  dispose(): void;
}

/** Names and shapes in files, before it is known what they should be. */
export interface OpenFiles {
  readonly files: readonly WeightFile[];
  dispose(): void;
}

/** Opens files of one network. */
export function openFiles(paths: readonly string[]): OpenFiles {
  const files: WeightFile[] = [];
  const dispose = (): void => {
    for (const file of files) file.dispose();
  };
  try {
    for (const each of paths) files.push(openWeights(each));
  } catch (error) {
    dispose();
    throw error;
  }
  return { files, dispose };
}

/**
 * Compares open files with what the network needs.
 *
 * @param network - for messages, e.g. `denoising UNet`.
 * @param files - where two have the same weight, the last counts.
 * @param hint - part of the prefix to prefer where a file holds several networks.
 */
export function checkCheckpoint(
  network: string,
  { files, dispose }: OpenFiles,
  specs: readonly WeightSpec[],
  hint: string,
): Checkpoint {
  const wanted = new Map(specs.map((spec) => [spec.key, spec]));
  const places = new Map<string, Place>();
  const surplus: string[] = [];
  for (const file of files) {
    const prefix = findPrefix(file, specs, hint);
    for (const key of file.keys()) {
      if (!key.startsWith(prefix)) continue;
      const name = currentName(key.slice(prefix.length));
      if (wanted.has(name)) places.set(name, { file, key });
      else if (!IGNORED.test(name) && !POSITIONAL_TABLE.test(name)) surplus.push(name);
    }
  }
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const { key, dims, used } of specs) {
    const place = places.get(key);
    if (place === undefined) {
      if (used && !POSITIONAL_TABLE.test(key)) missing.push(key);
      continue;
    }
    const stored = place.file.info(place.key).dims;
    if (withoutPointKernel(stored).join() === withoutPointKernel(dims).join()) continue;
    if (POSITIONAL_TABLE.test(key)) places.delete(key);
    else misshapen.push(`${key} [${stored.join(', ')}] instead of [${dims.join(', ')}]`);
  }
  return {
    problems: describeProblems(network, files, { missing, misshapen, surplus }),
    weights: sourceOf(files.map((file) => file.path).join(' + '), wanted, places),
    fileOf: (key) => places.get(key)?.file.path,
    dispose,
  };
}

/** A name as the builders have it. */
function currentName(key: string): string {
  let name = key;
  for (const [old, current] of RENAMED) name = name.replace(old, current);
  return name;
}

/** What stands in front of this network's names: nothing, `module.`, or the network's own name in a file of several. */
function findPrefix(file: WeightFile, specs: readonly WeightSpec[], hint: string): string {
  const step = Math.max(1, Math.floor(specs.length / ANCHORS));
  const anchors = specs.filter((spec, i) => i % step === 0 && spec.used).map(({ key }) => key);
  const votes = new Map<string, number>([['', 0]]);
  for (const key of file.keys()) {
    const name = currentName(key);
    for (const anchor of anchors) {
      if (name !== anchor && !name.endsWith(`.${anchor}`)) continue;
      const prefix = name.slice(0, name.length - anchor.length);
      votes.set(prefix, (votes.get(prefix) ?? 0) + 1);
    }
  }
  const rank = ([prefix, count]: [string, number]): number =>
    count * 4 + (prefix === '' ? 2 : 0) + (prefix.includes(hint) ? 3 : 0);
  return [...votes].sort((a, b) => rank(b) - rank(a))[0]![0];
}

function withoutPointKernel(dims: readonly number[]): readonly number[] {
  return dims.length === 4 && dims[2] === 1 && dims[3] === 1 ? dims.slice(0, 2) : dims;
}

function describeProblems(
  network: string,
  files: readonly WeightFile[],
  { missing, misshapen, surplus }: Record<'missing' | 'misshapen' | 'surplus', readonly string[]>,
): string[] {
  const names = files.map((file) => path.basename(file.path)).join(' and ');
  const list = (what: string, keys: readonly string[]): string[] =>
    keys.length === 0 ? [] : [`${names}: ${keys.length} ${what}: ${summariseKeys(keys).join(', ')}`];
  const problems = [
    ...list('missing', missing),
    ...list('of another shape', misshapen),
    ...list(`that do not belong to the ${network}`, surplus),
  ];
  if (problems.length === 0) return [];
  const kinds = files.flatMap((file) => {
    const kind = recogniseWeights(file);
    return kind === undefined || isExpected(kind, network) ? [] : [`${path.basename(file.path)} is ${kind}`];
  });
  return [...kinds, ...problems];
}

/** Whether a file that does not fit is at least of the right kind. */
function isExpected(kind: string, network: string): boolean {
  return (
    kind.replace(/^(?:an?|the) /, '').startsWith(network) ||
    (network === 'denoising UNet' && kind === 'motion modules')
  );
}

function sourceOf(
  label: string,
  wanted: ReadonlyMap<string, WeightSpec>,
  places: ReadonlyMap<string, Place>,
): WeightSource {
  const has = (key: string): boolean =>
    places.has(key) || (wanted.get(key)?.used === true && POSITIONAL_TABLE.test(key));
  return {
    path: label,
    keys: () => [...wanted.keys()].filter(has),
    has,
    info: (key) => {
      const { dims } = wanted.get(key)!;
      const place = places.get(key);
      return { dims, dtype: place === undefined ? 'F32' : place.file.info(place.key).dtype };
    },
    read: (key) => {
      const { dims } = wanted.get(key)!;
      const place = places.get(key);
      if (place === undefined) return positionalTable(dims);
      const { data } = place.file.read(place.key);
      if (data.length !== elementCount(dims)) throw new Error(`${key} has ${data.length} values`);
      return { data, dims };
    },
  };
}
