/**
 * Half precision has numbers up to 65504 only: a network that goes beyond them returns infinity or NaN. Then it is opened
 * in float32, runs again on the same inputs, and stays there.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NetworkPrecision } from '../models/quantization.ts';
import type { InputOptions, NamedTensors, Network, RunOptions, TensorInfo } from '../runtime/engine.ts';
import { firstNonFinite, type Tensor } from '../tensor/tensor.ts';

/** Options of {@link HalfPrecisionNetwork}. */
interface HalfPrecisionOptions {
  /** Opens the same network in float32; called once, and only when it is needed. */
  readonly openExact: () => Promise<Network>;
  /** Called before that. */
  readonly onFallback: () => void;
}

/** A network in half precision that changes over to float32 when its outputs are not finite. */
export class HalfPrecisionNetwork implements Network {
  readonly name: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly #half: Network;
  readonly #options: HalfPrecisionOptions;
  /** Inputs that the float32 network needs as well, should it come to that. */
  readonly #bound = new Map<string, Tensor>();
  #exact: Promise<Network> | undefined;

  /** @param half - disposed of by this. */
  constructor(half: Network, options: HalfPrecisionOptions) {
    this.#half = half;
    this.#options = options;
    this.name = half.name;
    this.inputs = half.inputs;
    this.outputs = half.outputs;
  }

  /** See {@link Network.run}; outputs of float32 may be not finite either. */
  async run(inputs: NamedTensors, options?: RunOptions): Promise<Record<string, Tensor>> {
    if (this.#exact === undefined) {
      // Copied, whatever the options say: they may be needed again.
      const outputs = await this.#half.run(inputs, { ...options, transfer: false });
      if (await areFinite(outputs)) return outputs;
      this.#exact ??= this.#fallBack();
    }
    return (await this.#exact).run(inputs, options);
  }

  /** See {@link Network.bind}. */
  async bind(inputs: NamedTensors, options?: InputOptions): Promise<void> {
    if (this.#exact !== undefined) return (await this.#exact).bind(inputs, options);
    for (const [name, { data, dims }] of Object.entries(inputs)) {
      this.#bound.set(name, { data: data.slice(), dims });
    }
    return this.#half.bind(inputs, options);
  }

  async #fallBack(): Promise<Network> {
    this.#options.onFallback();
    const exact = await this.#options.openExact();
    await exact.bind(Object.fromEntries(this.#bound), { transfer: true });
    this.#bound.clear();
    await this.#half.dispose();
    return exact;
  }

  /** See {@link Network.dispose}. */
  async dispose(): Promise<void> {
    await this.#half.dispose();
    await this.#exact?.then(
      (exact) => exact.dispose(),
      () => undefined,
    );
  }
}

async function areFinite(outputs: Readonly<Record<string, Tensor>>): Promise<boolean> {
  for (const output of Object.values(outputs)) {
    if (firstNonFinite(output) >= 0) return false;
    // A reference's keys and values are a hundred megabytes: timers and signals get their turn between them.
    await nextTurn();
  }
  return true;
}

/** What {@link openWithFallback} opens. */
interface OpenWithFallbackOptions {
  /** For the notice. */
  readonly name: string;
  readonly precision: NetworkPrecision;
  readonly open: (precision: NetworkPrecision) => Promise<Network>;
  /** Called when the network falls back from half precision to float32. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** Opens a network; one in half precision with float32 to fall back to. */
export async function openWithFallback(options: OpenWithFallbackOptions): Promise<Network> {
  const { name, precision, open, onNotice } = options;
  const network = await open(precision);
  if (precision !== 'float16') return network;
  return new HalfPrecisionNetwork(network, {
    openExact: () => open('float32'),
    onFallback: () =>
      onNotice?.(`${name} returned NaN or infinity in half precision; it runs in float32 from now on`),
  });
}
