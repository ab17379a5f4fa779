/** Gives damaged manifests and weights to what reads them: each is read, or refused with a typed error that names it. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ModelError, PipelineError } from '../../src/errors.ts';
import { loadManifest } from '../../src/jobs/manifest.ts';
import { ManifestError } from '../../src/jobs/manifest-schema.ts';
import { openLora } from '../../src/weights/lora.ts';
import { openWeights } from '../../src/weights/open-weights.ts';
import { mutate, seededRandom } from './mutations.ts';

/** A file to damage. */
export interface FuzzSeed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What was tried, and what went wrong. */
export interface FuzzResult {
  readonly tried: number;
  readonly read: number;
  readonly refused: number;
  /** Untyped errors, long reads, files left behind; with the number that makes the input again. */
  readonly failures: readonly string[];
  readonly slowestSeconds: number;
}

/** An input may take as long at most. */
const MAX_SECONDS = 20;
/** Tensors of one input that are read; more say nothing new. */
const MAX_TENSORS = 64;

/** Whether a file is a manifest, by its ending. */
const isManifest = (name: string): boolean => /\.(?:yaml|json|jsonl|csv|tsv|txt)$/.test(name);

/** Files that manifests ask for. */
const INPUTS = ['a.jpg', 'b.wav', 'c.wav', 'x.safetensors', 'y'];

async function read(file: string, inputs: string): Promise<void> {
  if (isManifest(file)) {
    await loadManifest(file, { baseFolder: inputs });
    return;
  }
  const weights = openWeights(file);
  try {
    let left = MAX_TENSORS;
    for (const key of weights.keys()) {
      if (left-- === 0) break;
      weights.read(key);
    }
  } finally {
    weights.dispose();
  }
  try {
    openLora(file).dispose();
  } catch (error) {
    if (!(error instanceof ModelError)) throw error; // a network that can be read is no LoRA
  }
}

/**
 * Reads damaged copies of `seeds` in `folder`, which is made and emptied.
 *
 * @param numbers - each makes one input: which file, and what is wrong with it.
 * @param onInput - called before each, so that a watcher knows what hangs.
 */
export async function fuzzReaders(
  seeds: readonly FuzzSeed[],
  numbers: Iterable<number>,
  folder: string,
  onInput: (number: number, name: string) => void = () => {},
): Promise<FuzzResult> {
  rmSync(folder, { recursive: true, force: true });
  const inputs = path.join(folder, 'inputs');
  mkdirSync(inputs, { recursive: true });
  for (const name of INPUTS) writeFileSync(path.join(inputs, name), name);
  const failures: string[] = [];
  let [tried, readable, refused, slowestSeconds] = [0, 0, 0, 0];
  for (const number of numbers) {
    const random = seededRandom(number);
    const seed = seeds[Math.floor(random() * seeds.length)]!;
    const name = `input${path.extname(seed.name)}`;
    const file = path.join(folder, name);
    writeFileSync(file, mutate(seed.bytes, random));
    onInput(number, seed.name);
    // Of this process, so that a busy machine is no failure.
    const begin = process.cpuUsage();
    try {
      await read(file, inputs);
      readable += 1;
    } catch (error) {
      const expected = isManifest(name) ? error instanceof ManifestError : error instanceof ModelError;
      // A manifest may ask for a bundle that is none.
      if (expected || (isManifest(name) && error instanceof PipelineError)) refused += 1;
      else failures.push(`${number}, ${seed.name}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    const { user, system } = process.cpuUsage(begin);
    const seconds = (user + system) / 1e6;
    if (seconds > MAX_SECONDS) failures.push(`${number}, ${seed.name}: took ${seconds.toFixed(1)} s`);
    slowestSeconds = Math.max(slowestSeconds, seconds);
    const left = readdirSync(folder).filter((each) => each !== name && each !== 'inputs');
    if (left.length > 0) failures.push(`${number}, ${seed.name}: left ${left.join(', ')}`);
    rmSync(file, { force: true });
    tried += 1;
  }
  return { tried, read: readable, refused, failures, slowestSeconds };
}
