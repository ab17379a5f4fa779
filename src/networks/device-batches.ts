/**
 * Frames that a GPU computes at once: all of a window where its memory has the room, else as many as fit. What is known of that memory is
 * little, so a network that runs out of it is opened once more with half of the frames at once.
 */
import { EnvironmentError, ModelError } from '../errors.ts';
import type { BundleDescription } from '../models/bundle-description.ts';
import { piecesShare } from '../models/window-pieces.ts';
import type { InputOptions, NamedTensors, Network, RunOptions, TensorInfo } from '../runtime/engine.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { NetworkName } from './bundle-graphs.ts';
import { weightBytes, windowActivations } from './network-memory.ts';

/** The rest of the free memory is for what the engine and the driver need. */
const USABLE_SHARE = 0.9;
/** More save nothing: what is whole of a window stays. */
const MAX_PIECES = 16;

/** What a window needs of a GPU depends on. */
export interface DeviceWindow {
  readonly description: BundleDescription;
  readonly windowFrames: number;
  /** Networks that are in the GPU's memory at the same time. */
  readonly networks: readonly NetworkName[];
  readonly precision: 'float32' | 'float16';
}

/** Bytes of a GPU's memory that a window takes in so many pieces; an estimate. */
export function deviceWindowBytes(
  { description, windowFrames, networks, precision }: DeviceWindow,
  pieces: number,
): number {
  const bytesEach = precision === 'float16' ? 2 : 4;
  const weights = networks.reduce((sum, name) => sum + weightBytes(description, name, bytesEach), 0);
  return weights + windowActivations(description, windowFrames) * piecesShare(pieces) * (bytesEach / 4);
}

/**
 * The fewest pieces that a window fits into a GPU's memory in.
 *
 * @param freeBytes - undefined where it is not known: the whole window is tried.
 */
export function devicePieces(window: DeviceWindow, freeBytes: number | undefined): number {
  if (freeBytes === undefined) return 1;
  let pieces = 1;
  const most = Math.min(MAX_PIECES, window.windowFrames);
  while (pieces < most && deviceWindowBytes(window, pieces) > USABLE_SHARE * freeBytes) pieces *= 2;
  return Math.min(pieces, most);
}

/** Words of ONNX Runtime, CUDA and Dawn for memory that is not there. */
const NO_MEMORY =
  /out[ _]of[ _](device[ _])?memory|failed to allocate memory|bad_alloc|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|not enough memory/i;

function isOutOfMemory(error: unknown): boolean {
  return error instanceof ModelError && NO_MEMORY.test(error.message);
}

/** Options of {@link openInBatches}. */
interface OpenInBatchesOptions {
  readonly name: string;
  readonly windowFrames: number;
  /** To begin with. */
  readonly pieces: number;
  readonly open: (pieces: number) => Promise<Network>;
  /** Memory that the window takes in so many pieces, for the message. */
  readonly bytes: (pieces: number) => number;
  /** Called with the pieces that are taken from now on. */
  readonly onFewer?: ((pieces: number) => void) | undefined;
  readonly onNotice?: ((message: string) => void) | undefined;
}

/**
 * Opens a network of windows on a GPU. When it, or one of its runs, lacks memory, it is opened once more in twice as many pieces.
 *
 * @throws {@link EnvironmentError} with what would be needed when those lack memory, too.
 */
export async function openInBatches(options: OpenInBatchesOptions): Promise<Network> {
  const { pieces } = options;
  try {
    return new BatchedNetwork(await options.open(pieces), options);
  } catch (error) {
    if (!isOutOfMemory(error)) throw error;
    return openSmaller(options, error);
  }
}

/** The second and last try. */
async function openSmaller(options: OpenInBatchesOptions, cause: unknown): Promise<Network> {
  const { windowFrames, pieces, open, onFewer, onNotice, name } = options;
  const fewer = 2 * pieces;
  if (pieces >= Math.min(MAX_PIECES, windowFrames)) throw lacksMemory(options, pieces, cause);
  const frames = Math.ceil(windowFrames / fewer);
  onNotice?.(
    `${name} ran out of the device's memory with ${Math.ceil(windowFrames / pieces)} frames at once: it computes ${frames} at a time from now on`,
  );
  onFewer?.(fewer);
  try {
    return new BatchedNetwork(await open(fewer), { ...options, pieces: fewer, last: true });
  } catch (error) {
    throw isOutOfMemory(error) ? lacksMemory(options, fewer, error) : error;
  }
}

function lacksMemory(
  { name, bytes, windowFrames }: OpenInBatchesOptions,
  pieces: number,
  cause: unknown,
): EnvironmentError {
  const count = Math.ceil(windowFrames / pieces);
  const frames = count === 1 ? 'one frame' : `${count} frames`;
  return new EnvironmentError(
    [
      `Cannot run ${name}: expected about ${(bytes(pieces) / 1e9).toFixed(1)} GB of the device's memory for ${frames} at once, got less; take a smaller `,
      { option: 'resolution' },
      ', close other programs that use the GPU, or render with ',
      { option: 'device', value: 'cpu' },
    ],
    { cause },
  );
}

/** A network that is replaced by one of smaller batches when a run lacks memory. */
class BatchedNetwork implements Network {
  readonly #options: OpenInBatchesOptions & { readonly last?: boolean };
  /** Inputs that another network would need as well. */
  readonly #bound = new Map<string, Tensor>();
  #network: Network;
  #replacing: Promise<void> | undefined;

  constructor(network: Network, options: OpenInBatchesOptions & { readonly last?: boolean }) {
    this.#network = network;
    this.#options = options;
  }

  get name(): string {
    return this.#network.name;
  }

  get inputs(): readonly TensorInfo[] {
    return this.#network.inputs;
  }

  get outputs(): readonly TensorInfo[] {
    return this.#network.outputs;
  }

  /** See {@link Network.run}. */
  async run(inputs: NamedTensors, options?: RunOptions): Promise<Record<string, Tensor>> {
    await this.#replacing;
    // Copied, whatever the options say: they may be needed again.
    const kept = { ...options, transfer: false };
    const network = this.#network;
    try {
      return await network.run(inputs, kept);
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      if (this.#options.last) throw lacksMemory(this.#options, this.#options.pieces, error);
      // Of several runs that fail, the first replaces the network.
      if (network === this.#network) this.#replacing ??= this.#replace(error);
      await this.#replacing;
      return this.#network.run(inputs, kept);
    }
  }

  async #replace(cause: unknown): Promise<void> {
    await this.#network.dispose();
    this.#network = await openSmaller(this.#options, cause);
    await this.#network.bind(Object.fromEntries(this.#bound));
    this.#bound.clear();
  }

  /** See {@link Network.bind}. */
  async bind(inputs: NamedTensors, options?: InputOptions): Promise<void> {
    await this.#replacing;
    if (this.#replacing === undefined && !this.#options.last) {
      for (const [name, { data, dims }] of Object.entries(inputs)) {
        this.#bound.set(name, { data: data.slice(), dims });
      }
    }
    await this.#network.bind(inputs, options);
  }

  /** See {@link Network.dispose}. */
  async dispose(): Promise<void> {
    await this.#replacing?.catch(() => {});
    await this.#network.dispose();
  }
}
