/**
 * Builds ONNX graphs node by node and writes them as ModelProto bytes. Knows the file format, not any runtime.
 *
 * Source: onnx.proto3 (field numbers), opset 21 and IR version 10, which ONNX Runtime 1.30 accepts.
 */
import { encodeHalf } from '../tensor/float16.ts';
import { Message } from './protobuf.ts';

/** Element types that our graphs use, with their numbers in TensorProto.DataType. */
const DATA_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
} as const;
/** Name of an element type. */
type DataType = keyof typeof DATA_TYPES;

/** Little-endian elements of a tensor, in the array of their type; float16 is kept as bit patterns. */
type TensorData = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array | Uint16Array;

/** A tensor that a graph carries. */
export interface GraphTensor {
  readonly type: DataType;
  readonly dims: readonly number[];
  /** The elements, or what reads them when the graph is written: large weights are then in memory one at a time. */
  readonly data: TensorData | (() => TensorData);
}

/** What the graph computes in. */
export type Precision = 'float32' | 'float16';

/** An edge of the graph: what a node, an input or a constant produces. */
export interface Value {
  readonly name: string;
}

/** A dimension: a number, or a name for one that is known only when the graph runs. */
type Dim = number | string;

/** Attribute of a node. A plain number is an integer and must be whole; wrap a float in {@link floatAttribute}. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly tensor: GraphTensor };

/** Marks an attribute as FLOAT, also where its value is whole (`epsilon: 1`). */
export function floatAttribute(value: number): Attribute {
  return { float: value };
}

/** Options of a node. */
interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Operator domain, e.g. `com.microsoft`. @defaultValue the ONNX domain */
  readonly domain?: string;
  /** Number of outputs. @defaultValue 1 */
  readonly outputs?: number;
}

const IR_VERSION = 10;
const MICROSOFT_DOMAIN = 'com.microsoft';
/** Bytes of each type. */
const ELEMENT_BYTES: Readonly<Record<DataType, number>> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  int32: 4,
  int64: 8,
  bool: 1,
  float16: 2,
};
/** Smaller tensors stay in the model's own file. */
const MIN_EXTERNAL_BYTES = 1024;
/** Smaller weights stay in float32. */
const MIN_HALVED_BYTES = 65_536;
/** `EXTERNAL` of TensorProto. */
const EXTERNAL_LOCATION = 1;

function attributeMessage(name: string, value: Attribute): Message {
  const message = new Message();
  message.string(1, name);
  const setType = (type: number): void => message.varint(20, type);
  if (typeof value === 'number') {
    if (!Number.isInteger(value))
      throw new Error(`attribute ${name} is not whole: wrap it in floatAttribute`);
    message.varint(3, value);
    setType(2);
  } else if (typeof value === 'string') {
    message.string(4, value);
    setType(3);
  } else if ('float' in value) {
    message.float(2, value.float);
    setType(1);
  } else if ('floats' in value) {
    for (const item of value.floats) message.float(7, item);
    setType(6);
  } else if ('tensor' in value) {
    message.message(5, tensorMessage('', value.tensor));
    setType(4);
  } else {
    for (const item of value) message.varint(8, item);
    setType(7);
  }
  return message;
}

/** A tensor that lies outside of its graph's file. */
interface ExternalTensor {
  /** Name, type and shape. */
  readonly id: string;
  /** Bytes. */
  readonly length: number;
  read(): Uint8Array;
}

/** Where a tensor's bytes lie. */
interface ExternalPlace {
  /** Name of the file, in the folder that the engine is given. */
  readonly location: string;
  readonly offset: number;
}

function byteLength({ type, dims }: GraphTensor): number {
  return dims.reduce((product, dim) => product * dim, ELEMENT_BYTES[type]);
}

/** A float32 tensor in half precision. */
function halved({ dims, data }: GraphTensor): GraphTensor {
  const read = (): Uint16Array =>
    encodeHalf((typeof data === 'function' ? data() : data) as Float32Array, 'F16');
  return { type: 'float16', dims, data: read };
}

function bytesOf(name: string, tensor: GraphTensor): Uint8Array {
  const data = typeof tensor.data === 'function' ? tensor.data() : tensor.data;
  const expected = byteLength(tensor);
  if (data.byteLength !== expected) {
    throw new Error(`${name} has ${data.byteLength} bytes instead of ${expected}`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function tensorMessage(
  name: string,
  tensor: GraphTensor,
  place?: ExternalPlace & { readonly length: number },
): Message {
  const message = new Message();
  for (const dim of tensor.dims) message.varint(1, dim);
  message.varint(2, DATA_TYPES[tensor.type]);
  if (name !== '') message.string(8, name);
  if (place === undefined) {
    message.bytes(9, bytesOf(name, tensor));
    return message;
  }
  for (const [key, value] of Object.entries(place)) {
    const entry = new Message();
    entry.string(1, key);
    entry.string(2, String(value));
    message.message(13, entry);
  }
  message.varint(14, EXTERNAL_LOCATION);
  return message;
}

function valueInfoMessage(name: string, type: DataType, dims: readonly Dim[] | undefined): Message {
  const tensorType = new Message();
  tensorType.varint(1, DATA_TYPES[type]);
  if (dims !== undefined) {
    const shape = new Message();
    for (const dim of dims) {
      const item = new Message();
      if (typeof dim === 'number') item.varint(1, dim);
      else item.string(2, dim);
      shape.message(1, item);
    }
    tensorType.message(2, shape);
  }
  const valueType = new Message();
  valueType.message(1, tensorType);
  const message = new Message();
  message.string(1, name);
  message.message(2, valueType);
  return message;
}

/** Options of {@link GraphBuilder.input}. */
interface InputOptions {
  /** Leaves the value as it is declared, whatever the graph's precision. @defaultValue false */
  readonly exact?: boolean;
  /** What it is declared as. @defaultValue 'float32' */
  readonly type?: Precision;
}

/** Options of {@link GraphBuilder}. */
export interface GraphOptions {
  /** @defaultValue 21 */
  readonly opset?: number | undefined;
  /** What the graph computes in; its inputs and outputs are float32 all the same, unless they say otherwise. @defaultValue 'float32' */
  readonly precision?: Precision | undefined;
}

/** Collects inputs, constants, nodes and outputs of one graph. Weights are read when it is written. */
export class GraphBuilder {
  readonly #name: string;
  readonly #opset: number;
  readonly #nodes: Message[] = [];
  readonly #inputs: Message[] = [];
  readonly #outputs: Message[] = [];
  readonly #initializers = new Map<string, GraphTensor>();
  /** Names of weights in float32. */
  readonly #weights = new Set<string>();
  readonly #domains = new Set<string>();
  readonly precision: Precision;
  #counter = 0;

  /** @param name - the graph's name in tools that show it. */
  constructor(name: string, { opset = 21, precision = 'float32' }: GraphOptions = {}) {
    this.#name = name;
    this.#opset = opset;
    this.precision = precision;
  }

  #fresh(prefix: string): string {
    this.#counter += 1;
    return `${prefix}_${this.#counter}`;
  }

  /** `value` in another element type. */
  cast(value: Value, type: DataType): Value {
    return this.op('Cast', [value], { to: DATA_TYPES[type] });
  }

  /** Declares an input; the value that is returned has the graph's precision, unless `exact`. */
  input(name: string, dims?: readonly Dim[], { exact = false, type = 'float32' }: InputOptions = {}): Value {
    this.#inputs.push(valueInfoMessage(name, type, dims));
    return exact || this.precision === type ? { name } : this.cast({ name }, this.precision);
  }

  /** Makes `value`, which has the graph's precision, an output under `name`. */
  output(name: string, value: Value, dims?: readonly Dim[], type: Precision = 'float32'): void {
    if (this.precision === type) this.#addNode('Identity', [value], [name], {});
    else this.#addNode('Cast', [value], [name], { attributes: { to: DATA_TYPES[type] } });
    this.#outputs.push(valueInfoMessage(name, type, dims));
  }

  /** A weight or constant; a second call with the same `name` returns the first one's value. */
  initializer(name: string, value: GraphTensor): Value {
    if (!this.#initializers.has(name)) this.#initializers.set(name, value);
    return { name };
  }

  /** A float32 constant, whatever the graph's precision. */
  float32(name: string, data: Float32Array, dims: readonly number[]): Value {
    return this.initializer(name, { type: 'float32', dims, data });
  }

  /**
   * A weight in the graph's precision.
   *
   * @param data - float32 elements, or what reads them when the graph is written.
   */
  weight(name: string, data: Float32Array | (() => Float32Array), dims: readonly number[]): Value {
    if (this.precision === 'float32') {
      this.#weights.add(name);
      return this.initializer(name, { type: 'float32', dims, data });
    }
    return this.initializer(name, halved({ type: 'float32', dims, data }));
  }

  /**
   * Large weights are written in half precision, and widened by a node each time the graph runs, just before a layer needs them:
   * half the memory, for the time that widening takes.
   */
  keepWeightsInHalf(): void {
    for (const name of this.#weights) {
      const tensor = this.#initializers.get(name)!;
      if (byteLength(tensor) < MIN_HALVED_BYTES) continue;
      const half = `${name}:half`;
      this.#initializers.delete(name);
      this.#initializers.set(half, halved(tensor));
      this.#addNode('Cast', [{ name: half }], [name], { attributes: { to: DATA_TYPES.float32 } });
      // A graph's nodes are in the order of their inputs.
      this.#nodes.unshift(this.#nodes.pop()!);
    }
    this.#weights.clear();
  }

  /** A scalar constant in the graph's precision. */
  scalar(value: number): Value {
    return this.weight(`scalar:${value}`, Float32Array.of(value), []);
  }

  /** A one-dimensional int64 constant, for shapes, axes and indices. */
  int64(values: readonly number[]): Value {
    return this.initializer(`int64:${values.join(',')}`, {
      type: 'int64',
      dims: [values.length],
      data: BigInt64Array.from(values, BigInt),
    });
  }

  #addNode(
    opType: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly string[],
    { attributes = {}, domain = '' }: NodeOptions,
  ): void {
    const message = new Message();
    for (const input of inputs) message.string(1, input?.name ?? '');
    for (const output of outputs) message.string(2, output);
    message.string(3, this.#fresh(`node_${opType}`));
    message.string(4, opType);
    for (const [name, value] of Object.entries(attributes)) message.message(5, attributeMessage(name, value));
    if (domain !== '') {
      message.string(7, domain);
      this.#domains.add(domain);
    }
    this.#nodes.push(message);
  }

  /** Adds a node with one output; `undefined` skips an optional input. */
  op(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): Value {
    const name = this.#fresh(opType);
    this.#addNode(opType, inputs, [name], { attributes, domain });
    return { name };
  }

  /** Adds a node of ONNX Runtime's own operators with one output. */
  msOp(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    return this.op(opType, inputs, attributes, MICROSOFT_DOMAIN);
  }

  /** Adds a node with several outputs. */
  ops(opType: string, inputs: readonly (Value | undefined)[], options: NodeOptions): Value[] {
    const names = Array.from({ length: options.outputs ?? 1 }, () => this.#fresh(opType));
    this.#addNode(opType, inputs, names, options);
    return names.map((name) => ({ name }));
  }

  #model(initializers: Iterable<Message>): Uint8Array {
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.string(2, this.#name);
    for (const initializer of initializers) graph.message(5, initializer);
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);

    const model = new Message();
    model.varint(1, IR_VERSION);
    model.string(2, 'lcm-portrait');
    model.message(7, graph);
    const opset = (domain: string, version: number): Message => {
      const message = new Message();
      message.string(1, domain);
      message.varint(2, version);
      return message;
    };
    model.message(8, opset('', this.#opset));
    for (const domain of this.#domains) model.message(8, opset(domain, 1));
    return model.toBytes();
  }

  /** The graph as the bytes of an ONNX file, weights included; at most 2 GB. */
  toBytes(): Uint8Array {
    return this.#model(Array.from(this.#initializers, ([name, value]) => tensorMessage(name, value)));
  }

  /** The tensors that are large enough to lie outside of the graph's own file. */
  externalTensors(): ExternalTensor[] {
    return [...this.#initializers]
      .map(([name, value]) => ({
        id: `${name}:${value.type}:${value.dims.join('x')}`,
        length: byteLength(value),
        read: () => bytesOf(name, value),
      }))
      .filter(({ length }) => length >= MIN_EXTERNAL_BYTES);
  }

  /**
   * The graph as the bytes of an ONNX file whose large tensors lie in other files, of any size.
   *
   * @param place - where each of {@link GraphBuilder.externalTensors} lies; called with its `id`.
   */
  toExternalBytes(place: (id: string) => ExternalPlace): Uint8Array {
    return this.#model(
      Array.from(this.#initializers, ([name, value]) => {
        const length = byteLength(value);
        if (length < MIN_EXTERNAL_BYTES) return tensorMessage(name, value);
        const { location, offset } = place(`${name}:${value.type}:${value.dims.join('x')}`);
        return tensorMessage(name, value, { location, offset, length });
      }),
    );
  }
}
