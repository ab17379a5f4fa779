/** Where networks get their weights from: a checkpoint file, with or without adapters merged into it. */
import type { Tensor } from '../tensor/tensor.ts';

/** Shape and stored element type of one weight. */
export interface WeightInfo {
  readonly dims: readonly number[];
  /** As the file names it, e.g. `F16`. */
  readonly dtype: string;
}

/** Weights by name, read one at a time. */
export interface WeightSource {
  /** The file, for messages. */
  readonly path: string;
  /** Every name, in the order of the file. */
  keys(): Iterable<string>;
  has(key: string): boolean;
  /** @throws {@link ModelError} naming file and key if there is none. */
  info(key: string): WeightInfo;
  /**
   * The weight as float32, read at this moment.
   *
   * @throws {@link ModelError} naming file and key if there is none.
   */
  read(key: string): Tensor;
}

/** Weights in an open file; the caller disposes of it. */
export interface WeightFile extends WeightSource {
  /** What the file says about itself; empty where it says nothing. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Closes the file; may be called twice. */
  dispose(): void;
}
