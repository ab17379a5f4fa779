/** Reads a network's weights and keeps account of them, so that a file that does not fit is described in one message. */
import { ModelError } from '../errors.ts';
import { elementCount } from '../tensor/tensor.ts';
import type { WeightSource } from '../weights/weight-source.ts';

/** One weight that a network has. */
export interface WeightSpec {
  readonly key: string;
  readonly dims: readonly number[];
  /** False for what the checkpoint holds but the graph does not need; such a weight may be missing. */
  readonly used: boolean;
}

/** What a network is made of, without its weights. */
export interface NetworkDescription {
  readonly weights: readonly WeightSpec[];
  /** Multiplications and additions of convolutions and matrix products in one run. */
  readonly flops: number;
}

/** How many keys of each kind a message names. */
const LISTED_KEYS = 8;

/** A weight that will be read when its graph is written. */
interface PendingWeight {
  readonly dims: readonly number[];
  /** Reads it; halves of one weight that follow each other read the file once. */
  read(): Float32Array;
}

interface Ledger {
  readonly source: WeightSource | undefined;
  readonly specs: Map<string, WeightSpec>;
  readonly missing: string[];
  readonly misshapen: string[];
  latest?: { readonly name: string; readonly data: Float32Array };
}

/** A view of a weight file below one module path; views of one reader share their account. */
export class WeightReader {
  readonly #ledger: Ledger;
  readonly #prefix: string;
  readonly #declaring: boolean;

  private constructor(ledger: Ledger, prefix: string, declaring: boolean) {
    this.#ledger = ledger;
    this.#prefix = prefix;
    this.#declaring = declaring;
  }

  /** Reads from `source`; call {@link WeightReader.finish} when the graph is complete. */
  static open(source: WeightSource): WeightReader {
    return new WeightReader({ source, specs: new Map(), missing: [], misshapen: [] }, '', false);
  }

  /** Reads nothing: only collects what a network would read. */
  static listing(): WeightReader {
    return new WeightReader({ source: undefined, specs: new Map(), missing: [], misshapen: [] }, '', false);
  }

  /** The reader of a sub-module, e.g. `resnets.0`. */
  at(path: string): WeightReader {
    return new WeightReader(this.#ledger, `${this.#prefix}${path}.`, this.#declaring);
  }

  /** The same reader, but {@link WeightReader.take} only declares: for modules whose output nobody reads. */
  declaring(): WeightReader {
    return new WeightReader(this.#ledger, this.#prefix, true);
  }

  /** The full name of `key`. */
  name(key: string): string {
    return this.#prefix + key;
  }

  /** Whether the file has `key`; never when listing. */
  has(key: string): boolean {
    return this.#ledger.source?.has(this.name(key)) ?? false;
  }

  /** Notes a weight that the checkpoint has and the graph does not need: its shape is checked, nothing is read. */
  declare(key: string, dims: readonly number[]): void {
    this.#account(key, dims, false);
  }

  /**
   * The weight `key`, which must have the shape `dims`. What does not fit is noted:
   * {@link WeightReader.finish} throws before a graph with it can be used.
   */
  take(key: string, dims: readonly number[]): PendingWeight {
    this.#account(key, dims, !this.#declaring);
    const name = this.name(key);
    return { dims, read: () => this.#read(name) };
  }

  #read(name: string): Float32Array {
    const ledger = this.#ledger;
    if (ledger.source === undefined) throw new Error(`${name} is only listed`);
    if (ledger.latest?.name !== name) {
      delete ledger.latest;
      ledger.latest = { name, data: ledger.source.read(name).data };
    }
    return ledger.latest.data;
  }

  #account(key: string, dims: readonly number[], used: boolean): void {
    const { source, specs, missing, misshapen } = this.#ledger;
    const name = this.name(key);
    if (!specs.get(name)?.used) specs.set(name, { key: name, dims, used });
    if (source === undefined) return;
    if (!source.has(name)) {
      if (used) missing.push(name);
      return;
    }
    const stored = source.info(name).dims;
    if (stored.length === dims.length && stored.every((dim, axis) => dim === dims[axis])) return;
    misshapen.push(`${name} [${stored.join(', ')}] instead of [${dims.join(', ')}]`);
  }

  /** Everything that was taken or declared so far, in order. */
  specs(): WeightSpec[] {
    return [...this.#ledger.specs.values()];
  }

  /**
   * Ends the account.
   *
   * @param network - for the message.
   * @param ours - whether a key of the file belongs to this network. @defaultValue every key does
   * @throws {@link ModelError} that names missing, surplus and misshapen keys together.
   */
  finish(network: string, ours: (key: string) => boolean = () => true): void {
    const { source, specs, missing, misshapen } = this.#ledger;
    if (source === undefined) return;
    const surplus = [...source.keys()].filter((key) => ours(key) && !specs.has(key));
    const list = (what: string, keys: readonly string[]): string[] => {
      if (keys.length === 0) return [];
      const shown = keys.slice(0, LISTED_KEYS).join(', ');
      const more = keys.length > LISTED_KEYS ? ` and ${keys.length - LISTED_KEYS} more` : '';
      return [`${keys.length} ${what}: ${shown}${more}`];
    };
    const problems = [
      ...list('missing', missing),
      ...list('of another shape', misshapen),
      ...list('that do not belong to it', surplus),
    ];
    if (problems.length === 0) return;
    throw new ModelError(
      `Cannot build the ${network}: expected its ${specs.size} weights in ${source.path}, got ${problems.join('; ')}. ` +
        'Check that the file and the configuration belong together.',
      source.path,
    );
  }
}

/** Number of values in all weights, used or not. */
export function countParameters(specs: readonly WeightSpec[]): number {
  return specs.reduce((sum, { dims }) => sum + elementCount(dims), 0);
}
