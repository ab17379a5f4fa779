/** A bundle's networks, loaded into engines: what is the same for every kind of bundle. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bundle } from '../models/bundle.ts';
import { latentSize, pictureSizeOf } from '../models/bundle-description.ts';
import { resolutionOf } from '../models/bundle-size.ts';
import type { PrecisionChoice } from '../models/bundle-terms.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import { posesByFrame } from '../models/pose-guider.ts';
import { piecesOf } from '../models/window-pieces.ts';
import { freeDeviceMemory } from '../runtime/device-memory.ts';
import type { DeviceNetwork, Engine, Network } from '../runtime/engine.ts';
import { usableCores } from '../runtime/usable-cores.ts';
import { guidanceEmbedding } from '../schedulers/guidance.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LoraFile } from '../weights/lora.ts';
import { FLOAT32_NETWORKS, type GraphOptions, type NetworkName } from './bundle-graphs.ts';
import type { ClipNetworks, FrameToDecode, NamedInputs, PoseFeatures } from './clip-networks.ts';
import { type DeviceWindow, devicePieces, deviceWindowBytes, openInBatches } from './device-batches.ts';
import type { GraphThread } from './graph-thread.ts';
import { openWithFallback } from './half-precision-network.ts';
import { networkBytes } from './network-memory.ts';
import type { NetworkShelf, ShelfPlace } from './network-shelf.ts';
import { takesTurns } from './take-turns.ts';
import { loadWritten, loadWrittenOnDevice } from './write-graph.ts';

/** What decides which networks are loaded. */
export interface NetworksChoice {
  readonly bundle: Bundle;
  readonly windowFrames: number;
  /** Denoises windows one after another, each on all cores, also where two at the same time take less. @defaultValue false */
  readonly oneAtATime?: boolean;
  /** Whether the clip is too short to pay for starting a second denoiser; no matter where one is kept. @defaultValue false */
  readonly isShort?: boolean;
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
export type LoadingEngine = Pick<Engine, 'device' | 'precision' | 'load'> &
  Partial<Pick<Engine, 'threads' | 'holdsTensors' | 'loadOnDevice'>>;

/** What networks are loaded with. */
export interface LoadNetworksOptions extends NetworksChoice {
  readonly graphs: Pick<GraphThread, 'build'>;
  /** Runs the denoiser only, so that nothing waits between its steps. */
  readonly denoisingEngine: LoadingEngine;
  /** Opens engines like the one that runs the denoiser, or gives those that are open; without it, that runs alone. */
  readonly furtherEngines?: ((count: number) => Promise<readonly LoadingEngine[]>) | undefined;
  /** Runs everything else. */
  readonly sideEngine: LoadingEngine;
  /** Closes networks that run once a portrait when they have: there will be no other. @defaultValue false */
  readonly forOnePortrait?: boolean | undefined;
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

const DENOISER = 'denoising-unet' satisfies NetworkName;
/** Networks that make what the denoiser sees of a portrait. */
const ONCE_A_PORTRAIT: readonly NetworkName[] = ['image-encoder', 'portrait-encoder', 'reference-unet'];

/**
 * Windows that are denoised at the same time on a processor. Threads of one run wait for each other, so that two windows with
 * half of the cores each take less of them than one with all; more of them take more memory than they gain.
 */
const MAX_WINDOWS_AT_ONCE = 2;

/** Pieces of a window that is denoised at the same time as another: two such windows take less memory than one in one piece, and no more time. */
const PIECES_BESIDE = 4;

function coresOf({ threads }: LoadingEngine): number {
  return threads ?? usableCores();
}

function countWindowsAtOnce(options: LoadNetworksOptions): number {
  const { denoisingEngine: engine, furtherEngines, guided, oneAtATime = false } = options;
  // With guidance there are two networks, which would be opened twice each.
  if (engine.device !== 'cpu' || furtherEngines === undefined || guided || oneAtATime) return 1;
  return Math.min(coresOf(engine), MAX_WINDOWS_AT_ONCE);
}

/** Base of the networks of every kind of bundle. */
export abstract class BundleNetworks implements ClipNetworks {
  abstract readonly decodeFrames: number;
  abstract readonly decodesOverBase: boolean;
  readonly inTurn: boolean;
  readonly windowsAtOnce: number;
  protected readonly bundle: Bundle;
  protected readonly onCpu: boolean;
  readonly #windowFrames: number;
  /** Open from the beginning to the end; the denoiser in as many engines as there are windows at once. */
  readonly #kept = new Map<NetworkName, Network[]>();
  #openRest: (() => Promise<void>) | undefined;
  #opening: Promise<void> | undefined;
  /** Runs of a network that have not ended. */
  readonly #runs = new Map<Network, number>();
  /** Opened when they are used. */
  readonly #places = new Map<NetworkName, ShelfPlace>();
  /** Inputs that a network keeps, where it takes turns and loses them when it is closed, or is opened in another engine later. */
  readonly #bound = new Map<NetworkName, NamedInputs>();
  readonly #boundTo = new WeakMap<Network, NamedInputs>();

  readonly #shelf: NetworkShelf | undefined;
  readonly #lowMemory: boolean;
  readonly #forOnePortrait: boolean;
  /** Computes as few frames of a window at once as possible. */
  readonly #fewAtOnce: boolean;
  /** Pieces of a window on a GPU; more once memory was lacking. */
  #devicePieces = 1;
  /** The pose guider, where its features can stay on the denoiser's device: nothing gathers those of several windows. */
  #guiderOnDevice: DeviceNetwork | undefined;

  protected constructor(options: LoadNetworksOptions) {
    const { bundle, windowFrames, denoisingEngine, shelf, lowMemory = false } = options;
    this.bundle = bundle;
    this.onCpu = denoisingEngine.device === 'cpu';
    this.#windowFrames = windowFrames;
    this.#lowMemory = lowMemory;
    this.#forOnePortrait = options.forOnePortrait ?? false;
    this.#shelf = takesTurns(bundle, denoisingEngine.device, lowMemory) ? shelf : undefined;
    this.inTurn = this.#shelf !== undefined;
    this.windowsAtOnce = this.inTurn ? 1 : countWindowsAtOnce(options);
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
    const { denoisingEngine } = options;
    const window: DeviceWindow = {
      description: this.bundle.description,
      windowFrames: this.#windowFrames,
      networks: names,
      precision: denoisingEngine.precision,
    };
    if (!this.onCpu)
      this.#devicePieces = devicePieces(window, await freeDeviceMemory(denoisingEngine.device));
    const loadOne = async (name: NetworkName): Promise<void> => {
      signal?.throwIfAborted();
      if (name === DENOISER && this.windowsAtOnce > 1) {
        this.#kept.set(name, [await this.#openFirstDenoiser(options)]);
        return;
      }
      if (name === 'pose-guider' && this.#posesStayOnDevice(options)) {
        this.#guiderOnDevice = await this.#openOnDevice(name, options);
        return;
      }
      const isDenoiser = name.endsWith('denoising-unet');
      const open = (pieces: number): Promise<Network> => this.#open(name, options, pieces);
      const network = await (this.onCpu || !isDenoiser
        ? open(1)
        : openInBatches({
            name,
            windowFrames: this.#windowFrames,
            pieces: this.#devicePieces,
            open,
            bytes: (pieces) => deviceWindowBytes(window, pieces),
            onFewer: (pieces) => {
              this.#devicePieces = pieces;
            },
            onNotice: options.onNotice,
          }));
      this.#kept.set(name, [network]);
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
    devicePieces = 1,
  ): GraphOptions {
    const resolution = resolutionOf(this.bundle.description);
    const halfWeights = this.#lowMemory && device === 'cpu' && precision === 'float32';
    const { decodeFrames } = this;
    const ofKept = this.windowsAtOnce > 1 ? PIECES_BESIDE : devicePieces;
    const pieces = this.inTurn ? piecesOf(windowFrames, this.#fewAtOnce) : ofKept;
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

  #open(name: NetworkName, options: LoadNetworksOptions, pieces = 1): Promise<Network> {
    const { bundle, graphs, onNotice } = options;
    const { engine, device, precision } = this.#formOf(name, options);
    const open = (form: GraphOptions['precision']): Promise<Network> => {
      const graphOptions = this.#graphOptions(options, device, form, pieces);
      const write = (how: { readonly rebuild: boolean }) => graphs.build(bundle, name, graphOptions, how);
      // The denoiser's cores are nobody else's where networks take turns: the pose guider is done when it begins.
      return loadWritten(engine, name, write, {
        sharesCores: !this.inTurn && engine !== options.denoisingEngine,
      });
    };
    return openWithFallback({ name, precision, open, onNotice });
  }

  /** Whether the denoiser reads pose features where the guider has left them: no others than a window's own. */
  #posesStayOnDevice({ denoisingEngine, sideEngine }: LoadNetworksOptions): boolean {
    return denoisingEngine.holdsTensors === true && sideEngine === denoisingEngine && !this.posesByFrame;
  }

  #openOnDevice(name: NetworkName, options: LoadNetworksOptions): Promise<DeviceNetwork> {
    const { bundle, graphs } = options;
    const { engine, device, precision } = this.#formOf(name, options);
    const graphOptions = this.#graphOptions(options, device, precision);
    return loadWrittenOnDevice(engine as Engine, name, (how) =>
      graphs.build(bundle, name, graphOptions, how),
    );
  }

  /** Opens the denoiser in one engine, with its share of the cores; {@link BundleNetworks.openFurther} opens it in others. */
  async #openFirstDenoiser(options: LoadNetworksOptions): Promise<Network> {
    const { bundle, graphs, denoisingEngine, furtherEngines } = options;
    const { device, precision } = this.#formOf(DENOISER, options);
    const { model, ...form } = await graphs.build(
      bundle,
      DENOISER,
      this.#graphOptions(options, device, precision),
    );
    const threads = Math.max(1, Math.floor(coresOf(denoisingEngine) / this.windowsAtOnce));
    const open = (engine: LoadingEngine, bytes: Uint8Array): Promise<Network> =>
      loadWritten(engine, DENOISER, async () => ({ ...form, model: bytes }), { threads });
    const copies = Array.from({ length: this.windowsAtOnce - 1 }, () => model.slice());
    this.#openRest = async () => {
      const engines = await furtherEngines!(copies.length);
      for (const engine of engines) await this.#addDenoiser(await open(engine, copies.pop()!));
    };
    return open(denoisingEngine, model);
  }

  async #addDenoiser(network: Network): Promise<void> {
    const networks = this.#kept.get(DENOISER);
    for (let bound: NamedInputs | undefined; bound !== this.#bound.get(DENOISER); ) {
      bound = this.#bound.get(DENOISER);
      if (bound !== undefined) await network.bind(bound);
    }
    if (networks === undefined) await network.dispose();
    else networks.push(network);
  }

  /**
   * Opens the denoiser for the windows that are denoised at the same time as the first; until then, they wait for it. A thread that starts after
   * the one that made the graphs has ended takes over its memory.
   *
   * @throws {@link ModelError} if the engine refuses the graph.
   */
  async openFurther(): Promise<void> {
    const open = this.#openRest;
    this.#openRest = undefined;
    this.#opening = open?.();
    await this.#opening;
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
    return this.#useLeastBusy(this.#opened(name), run);
  }

  #opened(name: NetworkName): readonly Network[] {
    const networks = this.#kept.get(name);
    if (networks === undefined) throw new Error(`${name} was not loaded`);
    return networks;
  }

  async #useLeastBusy<T>(networks: readonly Network[], run: (network: Network) => Promise<T>): Promise<T> {
    const runsOf = (network: Network): number => this.#runs.get(network) ?? 0;
    const network = networks.reduce((best, other) => (runsOf(other) < runsOf(best) ? other : best));
    this.#runs.set(network, runsOf(network) + 1);
    try {
      return await run(network);
    } finally {
      this.#runs.set(network, runsOf(network) - 1);
    }
  }

  /** Gives a network inputs for all its runs. */
  async #bind(
    name: NetworkName,
    inputs: NamedInputs,
    options: { readonly transfer?: boolean } = {},
  ): Promise<void> {
    const isShared = name === DENOISER && this.windowsAtOnce > 1;
    if (this.inTurn || isShared) this.#bound.set(name, { ...this.#bound.get(name), ...inputs });
    if (this.inTurn) return;
    const transfer = options.transfer === true && !isShared;
    await Promise.all(this.#opened(name).map((network) => network.bind(inputs, { transfer })));
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
    if (this.#forOnePortrait) for (const name of ONCE_A_PORTRAIT) await this.#close(name);
    return { ...keysAndValues, ...embedding };
  }

  async #close(name: NetworkName): Promise<void> {
    const networks = this.#kept.get(name) ?? [];
    this.#kept.delete(name);
    await Promise.all(networks.map((network) => network.dispose()));
  }

  async bindReference(reference: NamedInputs, options: { readonly transfer?: boolean } = {}): Promise<void> {
    await this.#bind('denoising-unet', reference, options);
  }

  async poseFeatures(frames: readonly FrameConditions[]): Promise<PoseFeatures> {
    const { poseGuider } = this.bundle.description;
    const { height, width } = pictureSizeOf(this.bundle.description);
    const values = poseGuider.inChannels * height * width;
    const data = new Float32Array(frames.length * values);
    for (const [i, { conditions }] of frames.entries()) {
      data.set(conditions, i * values);
      // A window's conditions are tens of megabytes: timers and signals get their turn between frames.
      await nextTurn();
    }
    const dims = [frames.length, poseGuider.inChannels, height, width];
    const guider = this.#guiderOnDevice;
    if (guider !== undefined) {
      return guider.run({ [guider.inputs[0]!.name]: { data, dims } }, { transfer: true });
    }
    return this.use('pose-guider', (network) =>
      network.run({ [network.inputs[0]!.name]: { data, dims } }, { transfer: true }),
    );
  }

  async denoise(
    half: 'conditional' | 'unconditional',
    latents: Tensor,
    timestep: number,
    pose: PoseFeatures,
  ): Promise<Tensor> {
    const name = half === 'conditional' ? 'denoising-unet' : 'unconditional-denoising-unet';
    const inputs = { latents, timestep: { data: Float32Array.of(timestep), dims: [1] } };
    // A window's features are megabytes, and the same for both branches of guidance.
    const outputs = await this.use(name, (network) => network.run(inputs, { held: pose }));
    return outputs.model_output!;
  }

  async dispose(): Promise<void> {
    await this.#opening?.catch(() => {});
    await Promise.all([...this.#kept.values()].flat().map((network) => network.dispose()));
    await this.#guiderOnDevice?.dispose();
    for (const place of this.#places.values()) await place.clear();
    this.#places.clear();
  }
}
