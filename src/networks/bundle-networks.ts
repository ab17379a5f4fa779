/** A bundle's networks, loaded into engines: what is the same for every kind of bundle. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bundle } from '../models/bundle.ts';
import { latentSize } from '../models/bundle-description.ts';
import type { PrecisionChoice } from '../models/bundle-terms.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import { posesByFrame } from '../models/pose-guider.ts';
import { piecesOf } from '../models/window-pieces.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import { guidanceEmbedding } from '../schedulers/guidance.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LoraFile } from '../weights/lora.ts';
import { FLOAT32_NETWORKS, type GraphOptions, type NetworkName } from './bundle-graphs.ts';
import type { ClipNetworks, FrameToDecode, NamedInputs } from './clip-networks.ts';
import type { GraphThread } from './graph-thread.ts';
import { openWithFallback } from './half-precision-network.ts';
import { networkBytes } from './network-memory.ts';
import type { NetworkShelf, ShelfPlace } from './network-shelf.ts';
import { takesTurns } from './take-turns.ts';
import { loadWritten } from './write-graph.ts';

/** What decides which networks are loaded. */
export interface NetworksChoice {
  readonly bundle: Bundle;
  readonly windowFrames: number;
  readonly loras: readonly LoraFile[];
  /** Whether guidance needs the half without the reference. */
  readonly guided: boolean;
  /** Guidance scale that the denoiser takes as an input; null where guidance is two evaluations. */
  readonly embeddedGuidance: number | null;
  /** `auto` is what the device is best at. */
  readonly precision: PrecisionChoice;
  /** One network at a time, and large weights in half precision. @defaultValue false */
  readonly lowMemory?: boolean;
}

/** What networks need of an engine. */
export type LoadingEngine = Pick<Engine, 'device' | 'precision' | 'load'>;

/** What networks are loaded with. */
export interface LoadNetworksOptions extends NetworksChoice {
  readonly graphs: Pick<GraphThread, 'build'>;
  /** Runs the denoiser only, so that nothing waits between its steps. */
  readonly denoisingEngine: LoadingEngine;
  /** Runs everything else. */
  readonly sideEngine: LoadingEngine;
  /** Where networks of large bundles take turns; without it, all are kept open. */
  readonly shelf?: NetworkShelf;
  /** Called with the networks that fell back from half precision to float32. */
  readonly onNotice?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is done at the same time, where networks take turns; the pose guider is small and works ahead of the denoiser. */
const STAGES: Readonly<Record<NetworkName, string>> = {
  'image-encoder': 'image encoder',
  'portrait-encoder': 'portrait encoder',
  'reference-unet': 'reference',
  'pose-guider': 'denoising',
  'denoising-unet': 'denoising',
  'unconditional-denoising-unet': 'denoising',
  decoder: 'decoding',
};

/** Base of the networks of every kind of bundle. */
export abstract class BundleNetworks implements ClipNetworks {
  abstract readonly decodeFrames: number;
  abstract readonly decodesOverBase: boolean;
  readonly inTurn: boolean;
  protected readonly bundle: Bundle;
  protected readonly onCpu: boolean;
  readonly #windowFrames: number;
  /** Open from the beginning to the end. */
  readonly #kept = new Map<NetworkName, Network>();
  /** Opened when they are used. */
  readonly #places = new Map<NetworkName, ShelfPlace>();
  /** Inputs that a network keeps, which takes turns and loses them when it is closed. */
  readonly #bound = new Map<NetworkName, NamedInputs>();
  readonly #boundTo = new WeakMap<Network, NamedInputs>();

  readonly #shelf: NetworkShelf | undefined;
  readonly #lowMemory: boolean;
  /** Computes as few frames of a window at once as possible. */
  readonly #fewAtOnce: boolean;

  protected constructor(options: LoadNetworksOptions) {
    const { bundle, windowFrames, denoisingEngine, shelf, lowMemory = false } = options;
    this.bundle = bundle;
    this.onCpu = denoisingEngine.device === 'cpu';
    this.#windowFrames = windowFrames;
    this.#lowMemory = lowMemory;
    this.#shelf = takesTurns(bundle, denoisingEngine.device, lowMemory) ? shelf : undefined;
    this.inTurn = this.#shelf !== undefined;
    this.#fewAtOnce = lowMemory || this.#hasLittleRoom();
  }

  /** Whether the denoiser and the pose guider next to it should compute fewer frames at once. */
  #hasLittleRoom(): boolean {
    const wanted = (['denoising-unet', 'pose-guider'] as const).reduce(
      (sum, name) => sum + networkBytes(this.bundle.description, name, { windowFrames: this.#windowFrames }),
      0,
    );
    return wanted > (this.#shelf?.budgetBytes ?? Infinity);
  }

  abstract encodePortrait(reference: SceneReference): Promise<NamedInputs>;
  abstract decode(frames: readonly FrameToDecode[]): Promise<Float32Array[]>;

  /**
   * Loads the denoiser, the pose guider and what else is named. Where networks take turns, their graphs are made, so that
   * nothing is found to be missing hours later, and opened when they are needed.
   *
   * @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph.
   */
  protected async load(others: readonly NetworkName[], options: LoadNetworksOptions): Promise<void> {
    const { guided, embeddedGuidance, signal } = options;
    const names: NetworkName[] = [
      'denoising-unet',
      ...(guided ? (['unconditional-denoising-unet'] as const) : []),
      ...others,
      'pose-guider',
    ];
    const loadOne = async (name: NetworkName): Promise<void> => {
      signal?.throwIfAborted();
      this.#kept.set(name, await this.#open(name, options));
    };
    try {
      if (this.inTurn) for (const name of names) await this.#place(name, options);
      else {
        // One is built while others are opened, in the two engines; all settle before an error is thrown.
        const ends = await Promise.allSettled(names.map(loadOne));
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      }
      const { timeCondProjDim } = this.bundle.description.denoisingUnet;
      if (timeCondProjDim && embeddedGuidance !== null) {
        const data = Float32Array.from(guidanceEmbedding(embeddedGuidance, timeCondProjDim));
        await this.#bind('denoising-unet', { guidance_embeds: { data, dims: [1, timeCondProjDim] } });
      }
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  async #place(name: NetworkName, options: LoadNetworksOptions): Promise<void> {
    const { bundle, graphs, signal } = options;
    signal?.throwIfAborted();
    const { device, precision } = this.#formOf(name, options);
    await graphs.build(bundle, name, this.#graphOptions(options, device, precision));
    const place = this.#shelf!.place({
      stage: this.#lowMemory ? name : STAGES[name],
      bytes: networkBytes(bundle.description, name, {
        windowFrames: this.#windowFrames,
        lowMemory: this.#lowMemory,
        fewAtOnce: this.#fewAtOnce,
      }),
      open: () => this.#open(name, options),
    });
    this.#places.set(name, place);
  }

  #formOf(name: NetworkName, { denoisingEngine, sideEngine, precision: asked }: LoadNetworksOptions) {
    const engine = name.endsWith('denoising-unet') ? denoisingEngine : sideEngine;
    const wanted = asked === 'auto' ? engine.precision : asked;
    const precision = FLOAT32_NETWORKS.has(name) && wanted === 'float16' ? 'float32' : wanted;
    return { engine, device: engine.device, precision };
  }

  #graphOptions(
    { windowFrames, loras }: LoadNetworksOptions,
    device: GraphOptions['device'],
    precision: GraphOptions['precision'],
  ): GraphOptions {
    const { resolution } = this.bundle.description;
    const halfWeights = this.#lowMemory && device === 'cpu' && precision === 'float32';
    const { decodeFrames } = this;
    const pieces = this.inTurn ? piecesOf(windowFrames, this.#fewAtOnce) : 1;
    // Kernels of GPUs are compiled for a shape.
    const decodesParts = this.decodesOverBase && this.onCpu;
    return {
      resolution,
      windowFrames,
      decodeFrames,
      decodesParts,
      pieces,
      loras,
      device,
      precision,
      halfWeights,
    };
  }

  #open(name: NetworkName, options: LoadNetworksOptions): Promise<Network> {
    const { bundle, graphs, onNotice } = options;
    const { engine, device, precision } = this.#formOf(name, options);
    const open = (form: GraphOptions['precision']): Promise<Network> => {
      const graphOptions = this.#graphOptions(options, device, form);
      const write = (how: { readonly rebuild: boolean }) => graphs.build(bundle, name, graphOptions, how);
      // The denoiser's cores are nobody else's where networks take turns: the pose guider is done when it begins.
      return loadWritten(engine, name, write, !this.inTurn && engine !== options.denoisingEngine);
    };
    return openWithFallback({ name, precision, open, onNotice });
  }

  /** Runs a network, which may have to be opened first. */
  protected use<T>(name: NetworkName, run: (network: Network) => Promise<T>): Promise<T> {
    const place = this.#places.get(name);
    if (place !== undefined) {
      return place.use(async (network) => {
        const bound = this.#bound.get(name);
        if (bound !== undefined && this.#boundTo.get(network) !== bound) {
          await network.bind(bound);
          this.#boundTo.set(network, bound);
        }
        return run(network);
      });
    }
    const network = this.#kept.get(name);
    if (network === undefined) throw new Error(`${name} was not loaded`);
    return run(network);
  }

  /** Gives a network inputs for all its runs. */
  async #bind(
    name: NetworkName,
    inputs: NamedInputs,
    options: { readonly transfer?: boolean } = {},
  ): Promise<void> {
    if (this.inTurn) this.#bound.set(name, { ...this.#bound.get(name), ...inputs });
    else await this.use(name, (network) => network.bind(inputs, options));
  }

  get posesByFrame(): boolean {
    return posesByFrame(this.bundle.description.poseGuider);
  }

  get frameShape(): readonly [number, number, number] {
    const { description } = this.bundle;
    const { height, width } = latentSize(description);
    return [description.codec.latentChannels, height, width];
  }

  /** Keys and values of the reference UNet's attention, and the image's embedding. */
  async makeReference(reference: SceneReference): Promise<NamedInputs> {
    const { latents, ...embedding } = await this.encodePortrait(reference);
    const keysAndValues = await this.use('reference-unet', (network) =>
      network.run({ latents: latents!, ...embedding }),
    );
    return { ...keysAndValues, ...embedding };
  }

  async bindReference(reference: NamedInputs, options: { readonly transfer?: boolean } = {}): Promise<void> {
    await this.#bind('denoising-unet', reference, options);
  }

  async poseFeatures(frames: readonly FrameConditions[]): Promise<NamedInputs> {
    const { resolution, poseGuider } = this.bundle.description;
    const values = poseGuider.inChannels * resolution * resolution;
    const data = new Float32Array(frames.length * values);
    for (const [i, { conditions }] of frames.entries()) {
      data.set(conditions, i * values);
      // A window's conditions are tens of megabytes: timers and signals get their turn between frames.
      await nextTurn();
    }
    const dims = [frames.length, poseGuider.inChannels, resolution, resolution];
    return this.use('pose-guider', (network) =>
      network.run({ [network.inputs[0]!.name]: { data, dims } }, { transfer: true }),
    );
  }

  async denoise(
    half: 'conditional' | 'unconditional',
    latents: Tensor,
    timestep: number,
    pose: NamedInputs,
  ): Promise<Tensor> {
    const name = half === 'conditional' ? 'denoising-unet' : 'unconditional-denoising-unet';
    const inputs = { latents, timestep: { data: Float32Array.of(timestep), dims: [1] } };
    // A window's features are megabytes, and the same at every step.
    const outputs = await this.use(name, (network) => network.run(inputs, { held: pose }));
    return outputs.model_output!;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#kept.values()].map((network) => network.dispose()));
    for (const place of this.#places.values()) await place.clear();
    this.#places.clear();
  }
}
