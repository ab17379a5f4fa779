/** Which groups of inputs a worker thread has, so that those of many runs are sent to it once. */
import type { Tensor } from '../tensor/tensor.ts';

/** Inputs by name. */
type Group = Readonly<Record<string, Tensor>>;

/** What to do before a run. */
interface Admission {
  readonly id: number;
  /** Whether the group has to be sent. */
  readonly isNew: boolean;
  /** Groups that make room. */
  readonly dropped: readonly number[];
}

/** Groups by their identity; those that were not used for longest go first. The caller's arrays are not kept alive. */
export class HeldInputs {
  readonly #ids = new WeakMap<Group, number>();
  /** Bytes of what the worker has; used last, last. */
  readonly #sizes = new Map<number, number>();
  #bytes = 0;
  readonly #maxBytes: number;
  #nextId = 1;

  /** @param maxBytes - kept beyond the latest group. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A number for a group that the worker makes itself and keeps until it is asked to drop it. */
  reserve(): number {
    return this.#nextId++;
  }

  /** Notes that a run uses `group`, whose arrays do not change any more. */
  admit(group: Group): Admission {
    const known = this.#ids.get(group);
    const size = known === undefined ? undefined : this.#sizes.get(known);
    if (known !== undefined && size !== undefined) {
      this.#sizes.delete(known);
      this.#sizes.set(known, size);
      return { id: known, isNew: false, dropped: [] };
    }
    const bytes = Object.values(group).reduce((sum, { data }) => sum + data.byteLength, 0);
    const dropped: number[] = [];
    for (const [other, held] of this.#sizes) {
      if (this.#bytes + bytes <= this.#maxBytes) break;
      this.#sizes.delete(other);
      this.#bytes -= held;
      dropped.push(other);
    }
    const id = this.#nextId++;
    this.#ids.set(group, id);
    this.#sizes.set(id, bytes);
    this.#bytes += bytes;
    return { id, isNew: true, dropped };
  }
}
