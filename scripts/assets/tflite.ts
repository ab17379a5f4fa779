/**
 * Reads the operators, shapes and weights of a TensorFlow Lite file; only the tables that plain convolutional
 * networks use.
 *
 * Source: schema.fbs of TensorFlow Lite (field order of the tables), FlatBuffers "Internals" (vtables).
 */
import { type FlexValue, readFlexMap } from './flexbuffers.ts';

/** One tensor of the graph; `data` is empty where the tensor is computed when the graph runs. */
export interface TfliteTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: 'float32' | 'float16' | 'int32' | 'other';
  readonly data: Uint8Array;
}

/** What an operator that is not TensorFlow Lite's own says of itself. */
export interface CustomOperator {
  readonly name: string;
  /** Its options as a map. @throws an error if they are none */
  options(): ReadonlyMap<string, FlexValue>;
  /** The same as they stand in the file. */
  readonly bytes: Uint8Array;
}

/** One operator; `inputs` and `outputs` are indices of tensors, -1 for an input that is left out. */
export interface TfliteOperator {
  readonly code: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Reads the n-th field of the operator's options, as a signed byte or a 32-bit integer; 0 where absent. */
  option(field: number, kind: 'byte' | 'int32'): number;
  /** Of an operator that is not TensorFlow Lite's own. */
  readonly custom: CustomOperator | undefined;
}

/** The first subgraph of a file. */
export interface TfliteModel {
  readonly tensors: readonly TfliteTensor[];
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

const TENSOR_TYPES = ['float32', 'float16', 'int32'] as const;

/** A table of a flatbuffer at a byte offset. */
class Table {
  readonly #view: DataView;
  readonly #at: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  /** Offset of the n-th field's value, or 0 where the field has its default. */
  #field(index: number): number {
    const vtable = this.#at - this.#view.getInt32(this.#at, true);
    const entry = 4 + 2 * index;
    if (entry >= this.#view.getUint16(vtable, true)) return 0;
    const offset = this.#view.getUint16(vtable + entry, true);
    return offset === 0 ? 0 : this.#at + offset;
  }

  byte(index: number): number {
    const at = this.#field(index);
    return at === 0 ? 0 : this.#view.getInt8(at);
  }

  int32(index: number): number {
    const at = this.#field(index);
    return at === 0 ? 0 : this.#view.getInt32(at, true);
  }

  /** Start and length of a vector field. */
  #vector(index: number): { start: number; length: number } {
    const at = this.#field(index);
    if (at === 0) return { start: 0, length: 0 };
    const vector = at + this.#view.getUint32(at, true);
    return { start: vector + 4, length: this.#view.getUint32(vector, true) };
  }

  bytes(index: number): Uint8Array {
    const { start, length } = this.#vector(index);
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + start, length);
  }

  int32s(index: number): number[] {
    const { start, length } = this.#vector(index);
    return Array.from({ length }, (_, i) => this.#view.getInt32(start + 4 * i, true));
  }

  table(index: number): Table | undefined {
    const at = this.#field(index);
    return at === 0 ? undefined : new Table(this.#view, at + this.#view.getUint32(at, true));
  }

  tables(index: number): Table[] {
    const { start, length } = this.#vector(index);
    return Array.from({ length }, (_, i) => {
      const at = start + 4 * i;
      return new Table(this.#view, at + this.#view.getUint32(at, true));
    });
  }
}

/** Reads a TensorFlow Lite file; the weights stay views of `bytes`. */
export function readTflite(bytes: Uint8Array): TfliteModel {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const model = new Table(view, view.getUint32(0, true));
  // Codes below 127 stand in the old byte field, newer ones in the int32 field; the larger one counts.
  const decoder = new TextDecoder();
  const codes = model.tables(1).map((code) => ({
    number: Math.max(code.byte(0), code.int32(3)),
    name: decoder.decode(code.bytes(1)),
  }));
  const subgraph = model.tables(2)[0];
  if (subgraph === undefined) throw new Error('Cannot read the TensorFlow Lite file: it has no subgraph');
  const buffers = model.tables(4);
  return {
    tensors: subgraph.tables(0).map((tensor) => ({
      name: decoder.decode(tensor.bytes(3)),
      dims: tensor.int32s(0),
      type: TENSOR_TYPES[tensor.byte(1)] ?? 'other',
      data: buffers[tensor.int32(2)]?.bytes(0) ?? new Uint8Array(0),
    })),
    operators: subgraph.tables(3).map((operator) => {
      const options = operator.table(4);
      const code = codes[operator.int32(0)];
      const custom = operator.bytes(5);
      return {
        code: code?.number ?? -1,
        custom: code?.name
          ? {
              name: code.name,
              options: () => (custom.length > 0 ? readFlexMap(custom) : new Map()),
              bytes: custom,
            }
          : undefined,
        inputs: operator.int32s(1),
        outputs: operator.int32s(2),
        option: (field, kind) => options?.[kind](field) ?? 0,
      };
    }),
    inputs: subgraph.int32s(1),
    outputs: subgraph.int32s(2),
  };
}
