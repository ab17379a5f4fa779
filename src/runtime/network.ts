/** A network that an engine has opened: what callers see of it, and its half on their side of the worker thread. */
import { ModelError, ShapeError } from '../errors.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import type { Device } from './device.ts';
import type { HeldInputs } from './held-inputs.ts';
import type { KeptTensor, Request, Results, RunRequest, TensorInfo, WireTensor } from './protocol.ts';
import type { ThreadClient } from './thread-client.ts';

/** Tensors by the name of the input or output. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/**
 * Outputs that stay in the engine for its other networks to read: on its device, where that can hold them, or in its thread, in the
 * element type that the network gives them.
 */
export interface KeptTensors {
  /** By the name of the output. */
  readonly outputs: Readonly<Record<string, { readonly dims: readonly number[] }>>;
  /** What they take of memory. */
  readonly bytes: number;
  /**
   * Name of an output with NaN or infinity; undefined where there is none, and for outputs on a device, whose numbers cannot be read. Reads
   * all of them.
   */
  findNonFinite(): Promise<string | undefined>;
  /** Frees them after the runs that are queued; may be called twice. */
  release(): void;
}

/** Options of {@link Engine.load} and {@link Network.bind}. */
export interface InputOptions {
  /** Moves the arrays to the worker instead of copying them; they are empty afterwards. @defaultValue false */
  readonly transfer?: boolean | undefined;
}

/** Options of {@link Network.run}. */
export interface RunOptions extends InputOptions {
  /**
   * Further inputs, which other runs of networks of the same engine share: the worker keeps them for runs with the same
   * object. Their arrays stay the caller's and must not change; those that the engine keeps must not have been released.
   */
  readonly held?: NamedTensors | KeptTensors | undefined;
}

/** A network that is ready to run. */
export interface Network {
  readonly name: string;
  /** Inputs with their shapes; -1 where any size is taken. */
  readonly inputs: readonly TensorInfo[];
  /** Outputs with their shapes; -1, or no shape at all, where they are known only after a run. */
  readonly outputs: readonly TensorInfo[];
  /**
   * Runs the network once. Calls are queued in order.
   *
   * @param inputs - one tensor for each input that is not bound; copied, unless `transfer` is set.
   * @throws {@link ShapeError} if an input is missing, unknown or of another shape.
   * @throws {@link ModelError} if the network fails; `cause` is the runtime's error.
   */
  run(inputs: NamedTensors, options?: RunOptions): Promise<Record<string, Tensor>>;
  /** Keeps `inputs` in the worker for all later runs; inputs of {@link Network.run} take precedence. */
  bind(inputs: NamedTensors, options?: InputOptions): Promise<void>;
  /** Frees the network after the runs that are queued; may be called twice. */
  dispose(): Promise<void>;
}

/** A network of {@link Engine.loadKeeping}. */
export interface KeepingNetwork extends Omit<Network, 'run'> {
  /** As {@link Network.run}; the outputs stay where they are until the caller releases them. */
  run(inputs: NamedTensors, options?: InputOptions): Promise<KeptTensors>;
}

/** The thread of one engine. */
export type EngineThread = ThreadClient<Request, Results>;

export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim();
}

/** Arrays for a message, and the buffers to move with it. */
function pack(inputs: NamedTensors, transfer: boolean): { tensors: WireTensor[]; buffers: ArrayBuffer[] } {
  const buffers = new Set<ArrayBuffer>();
  const tensors = Object.entries(inputs).map(([name, { data, dims }]): WireTensor => {
    const whole = data.byteLength === data.buffer.byteLength && data.buffer instanceof ArrayBuffer;
    const movable = transfer && whole && !buffers.has(data.buffer as ArrayBuffer);
    // A view would take its whole buffer along, and a buffer can move only once.
    const own = movable ? data : data.slice();
    buffers.add(own.buffer as ArrayBuffer);
    return { name, dims, data: own };
  });
  return { tensors, buffers: [...buffers] };
}

/** A group that the worker has made of outputs. */
class KeptOutputs implements KeptTensors {
  readonly group: number;
  readonly outputs: KeptTensors['outputs'];
  readonly bytes: number;
  readonly #client: EngineThread;
  #released = false;

  constructor(client: EngineThread, group: number, outputs: readonly KeptTensor[]) {
    this.#client = client;
    this.group = group;
    this.outputs = Object.fromEntries(outputs.map(({ name, dims }) => [name, { dims }]));
    this.bytes = outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  findNonFinite(): Promise<string | undefined> {
    return this.#client.request({ kind: 'find-non-finite', group: this.group });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    // A worker that has ended holds nothing any more.
    this.#client.request({ kind: 'drop', groups: [this.group] }).catch(() => {});
  }
}

/** What a network takes of its engine. */
interface EngineParts {
  readonly client: EngineThread;
  readonly held: HeldInputs;
  readonly device: Device;
}

/** See {@link Network}. */
export class WorkerNetwork implements Network {
  readonly name: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly #client: EngineThread;
  readonly #id: number;
  readonly #held: HeldInputs;
  readonly #device: Device;
  readonly #bound = new Set<string>();
  #disposed: Promise<void> | undefined;

  constructor({ client, held, device }: EngineParts, id: number, name: string, info: Results['load']) {
    this.#client = client;
    this.#held = held;
    this.#device = device;
    this.#id = id;
    this.name = name;
    this.inputs = info.inputs;
    this.outputs = info.outputs;
  }

  /** Tensors without data are those that the engine keeps. */
  #check(inputs: Readonly<Record<string, Omit<Tensor, 'data'> & Partial<Tensor>>>): void {
    for (const [name, { data, dims }] of Object.entries(inputs)) {
      const expected = this.inputs.find((input) => input.name === name);
      if (expected === undefined) {
        const known = this.inputs.map((input) => input.name).join(', ');
        throw new ShapeError(`Cannot run ${this.name}: expected inputs ${known}, got ${name}`);
      }
      const fits =
        dims.length === expected.dims.length &&
        dims.every((dim, axis) => expected.dims[axis] === -1 || expected.dims[axis] === dim);
      const length = elementCount(dims);
      const values = data?.length ?? length;
      if (!fits || length !== values) {
        throw new ShapeError(
          `Cannot run ${this.name}: expected ${name} of shape [${expected.dims.join(', ')}], ` +
            `got [${dims.join(', ')}] with ${values} values`,
        );
      }
    }
  }

  async #request<R extends Request>(
    request: R,
    buffers: readonly ArrayBuffer[],
    verb: string,
  ): Promise<Results[R['kind']]> {
    if (this.#disposed !== undefined) {
      throw new ModelError(`Cannot ${verb} ${this.name}: it was disposed of`, this.name);
    }
    try {
      return await this.#client.request(request, { transfer: buffers });
    } catch (error) {
      throw new ModelError(`Cannot ${verb} ${this.name}: ${messageOf(error)}`, this.name, { cause: error });
    }
  }

  async run(
    inputs: NamedTensors,
    { transfer = false, held }: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    const { request, buffers } = this.#prepare(inputs, { transfer, held });
    const outputs = await this.#request({ kind: 'run', ...request }, buffers, 'run');
    return Object.fromEntries(outputs.map(({ name, data, dims }) => [name, { data, dims }]));
  }

  /** See {@link KeepingNetwork}. */
  async runKeeping(inputs: NamedTensors, { transfer }: InputOptions = {}): Promise<KeptTensors> {
    const keep = this.#held.reserve();
    const { request, buffers } = this.#prepare(inputs, { transfer });
    const outputs = await this.#request({ kind: 'run-keeping', ...request, keep }, buffers, 'run');
    return new KeptOutputs(this.#client, keep, outputs);
  }

  /** @throws {@link ShapeError} if an input is missing, unknown or of another shape. */
  #prepare(
    inputs: NamedTensors,
    { transfer = false, held }: RunOptions,
  ): { readonly request: RunRequest; readonly buffers: readonly ArrayBuffer[] } {
    const all = { ...(held instanceof KeptOutputs ? held.outputs : (held as NamedTensors)), ...inputs };
    this.#check(all);
    const missing = this.inputs.filter(({ name }) => !(name in all) && !this.#bound.has(name));
    if (missing.length > 0) {
      throw new ShapeError(
        `Cannot run ${this.name}: expected inputs ${missing.map((input) => input.name).join(', ')}, got none`,
      );
    }
    const { tensors, buffers } = pack(inputs, transfer);
    const group = held instanceof KeptOutputs ? held.group : held && this.#hold(held as NamedTensors);
    return { request: { network: this.#id, tensors, held: group }, buffers };
  }

  /** The number of a group that the worker has when it comes to the next request. */
  #hold(group: NamedTensors): number {
    const { id, isNew, dropped } = this.#held.admit(group);
    const send = (request: Request, transfer: readonly ArrayBuffer[] = []): void => {
      // The failure surfaces when the network runs.
      this.#client.request(request, { transfer }).catch(() => {});
    };
    if (dropped.length > 0) send({ kind: 'drop', groups: dropped });
    if (isNew) {
      const { tensors, buffers } = pack(group, false);
      send({ kind: 'hold', group: id, device: this.#device, tensors }, buffers);
    }
    return id;
  }

  async bind(inputs: NamedTensors, { transfer = false }: InputOptions = {}): Promise<void> {
    this.#check(inputs);
    const { tensors, buffers } = pack(inputs, transfer);
    // Counted at once, so that a run that is queued behind this one may rely on it.
    for (const name of Object.keys(inputs)) this.#bound.add(name);
    await this.#request({ kind: 'bind', network: this.#id, tensors }, buffers, 'bind inputs of');
  }

  dispose(): Promise<void> {
    // A worker that has ended holds nothing any more.
    this.#disposed ??= this.#client
      .request({ kind: 'release', network: this.#id })
      .then(undefined, () => undefined);
    return this.#disposed;
  }
}
