/** A bundle's networks, loaded into engines: what is the same for every kind of bundle. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { writeSeen } from '../image/planar.ts';
import type { Bundle } from '../models/bundle.ts';
import { latentSize, pictureSizeOf } from '../models/bundle-description.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import { posesByFrame } from '../models/pose-guider.ts';
import { freeDeviceMemory } from '../runtime/device-memory.ts';
import type { KeepingNetwork, Network } from '../runtime/engine.ts';
import { guidanceEmbedding } from '../schedulers/guidance.ts';
import { firstNonFinite, type Tensor } from '../tensor/tensor.ts';
import type { NetworkName } from './bundle-graphs.ts';
import {
  type ClipNetworks,
  type FrameToDecode,
  GatheredPose,
  isKept,
  type NamedInputs,
  type PoseFeatures,
} from './clip-networks.ts';
import { type DeviceWindow, devicePieces, deviceWindowBytes, openInBatches } from './device-batches.ts';
import { gatherPose } from './gather-pose.ts';
import { checkHalves, halfOverflow } from './half-overflow.ts';
import type { LoadNetworksOptions } from './load-options.ts';
import { networkBytes } from './network-memory.ts';
import { countWindowsAtOnce, NetworkOpener } from './network-opener.ts';
import type { NetworkShelf } from './network-shelf.ts';
import { OpenNetworks } from './open-networks.ts';
import { takesTurns } from './take-turns.ts';

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
/** Frames whose pose features are made at once on a processor, where each depends on its frame alone: more take memory, and no less time. */
const POSE_FRAMES = 4;
/** Networks that make what the denoiser sees of a portrait. */
const ONCE_A_PORTRAIT: readonly NetworkName[] = ['image-encoder', 'portrait-encoder', 'reference-unet'];

/** Base of the networks of every kind of bundle. */
export abstract class BundleNetworks implements ClipNetworks {
  abstract readonly decodeFrames: number;
  abstract readonly decodesOverBase: boolean;
  readonly inTurn: boolean;
  readonly windowsAtOnce: number;
  readonly poseFrames: number;
  protected readonly bundle: Bundle;
  protected readonly onCpu: boolean;
  readonly #windowFrames: number;
  readonly #networks = new OpenNetworks();
  #openRest: (() => Promise<void>) | undefined;
  #opening: Promise<void> | undefined;
  readonly #shelf: NetworkShelf | undefined;
  readonly #lowMemory: boolean;
  readonly #forOnePortrait: boolean;
  /** Computes as few frames of a window at once as possible. */
  readonly #fewAtOnce: boolean;
  /** Pieces of a window on a GPU; more once memory was lacking. */
  #devicePieces = 1;
  /** Whether what the denoiser shares with others is rounded to half precision before it is handed over. */
  #handsHalves = false;
  /** The pose guider, where its features can stay in the denoiser's engine: nothing gathers those of several windows. */
  #keepingGuider: KeepingNetwork | undefined;

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
    this.poseFrames = this.onCpu && this.posesByFrame ? Math.min(POSE_FRAMES, windowFrames) : windowFrames;
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
    const { windowsAtOnce, inTurn, poseFrames, decodeFrames, decodesOverBase } = this;
    const use = {
      windowsAtOnce,
      inTurn,
      fewAtOnce: this.#fewAtOnce,
      poseFrames,
      decodeFrames,
      decodesOverBase,
    };
    const opener = new NetworkOpener(options, use);
    this.#handsHalves = opener.uploads === 'float16';
    const loadOne = async (name: NetworkName): Promise<void> => {
      signal?.throwIfAborted();
      if (name === DENOISER && windowsAtOnce > 1) {
        const { first, openRest } = await opener.openDenoisers();
        this.#networks.keepFirst(name, first);
        this.#openRest = () => openRest((network) => this.#networks.add(name, network));
      } else if (name === 'pose-guider' && opener.posesStayInEngine && !this.posesByFrame) {
        this.#keepingGuider = await opener.openKeeping(name);
      } else {
        const open = (pieces: number): Promise<Network> => opener.open(name, pieces);
        const isDenoiser = name.endsWith('denoising-unet');
        const network = await (this.onCpu || !isDenoiser
          ? open(1)
          : this.#openInBatches(name, open, window, options));
        this.#networks.keep(name, network);
      }
    };
    try {
      if (inTurn) for (const name of names) await this.#place(name, opener, options);
      else {
        // One is built while others are opened, in the two engines; all settle before an error is thrown.
        const ends = await Promise.allSettled(names.map(loadOne));
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      }
      const { timeCondProjDim } = this.bundle.description.denoisingUnet;
      if (timeCondProjDim && embeddedGuidance !== null) {
        const data = Float32Array.from(guidanceEmbedding(embeddedGuidance, timeCondProjDim));
        await this.#networks.bind(DENOISER, { guidance_embeds: { data, dims: [1, timeCondProjDim] } });
      }
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  /** Opens a network on a GPU in as many pieces as its memory asks for. */
  #openInBatches(
    name: NetworkName,
    open: (pieces: number) => Promise<Network>,
    window: DeviceWindow,
    { onNotice }: LoadNetworksOptions,
  ): Promise<Network> {
    return openInBatches({
      name,
      windowFrames: this.#windowFrames,
      pieces: this.#devicePieces,
      open,
      bytes: (pieces) => deviceWindowBytes(window, pieces),
      onFewer: (pieces) => {
        this.#devicePieces = pieces;
      },
      onNotice,
    });
  }

  async #place(name: NetworkName, opener: NetworkOpener, { signal }: LoadNetworksOptions): Promise<void> {
    signal?.throwIfAborted();
    await opener.make(name);
    const place = this.#shelf!.place({
      stage: this.#lowMemory ? name : STAGES[name],
      bytes: networkBytes(this.bundle.description, name, {
        windowFrames: this.#windowFrames,
        lowMemory: this.#lowMemory,
        fewAtOnce: this.#fewAtOnce,
      }),
      open: () => opener.open(name),
    });
    this.#networks.keepPlace(name, place);
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
    return this.#networks.use(name, run);
  }

  get posesByFrame(): boolean {
    return posesByFrame(this.bundle.description.poseGuider);
  }

  get frameShape(): readonly [number, number, number] {
    const { description } = this.bundle;
    const { height, width } = latentSize(description);
    return [description.codec.latentChannels, height, width];
  }

  /**
   * Keys and values of the reference UNet's attention, and the image's embedding.
   *
   * @throws {@link NumericalError} if the denoiser is handed them in half precision and they are too large for it.
   */
  async makeReference(reference: SceneReference): Promise<NamedInputs> {
    const { latents, ...embedding } = await this.encodePortrait(reference);
    const keysAndValues = await this.use('reference-unet', (network) =>
      network.run({ latents: latents!, ...embedding }),
    );
    if (this.#handsHalves) {
      checkHalves('image-encoder', embedding);
      checkHalves('reference-unet', keysAndValues);
    }
    if (this.#forOnePortrait) for (const name of ONCE_A_PORTRAIT) await this.#networks.close(name);
    return { ...keysAndValues, ...embedding };
  }

  async bindReference(reference: NamedInputs, options: { readonly transfer?: boolean } = {}): Promise<void> {
    await this.#networks.bind(DENOISER, reference, options);
  }

  async poseFeatures(frames: readonly FrameConditions[]): Promise<PoseFeatures> {
    const size = this.poseFrames;
    if (frames.length === size) return this.#runGuider(frames);
    const groups: NamedInputs[] = [];
    for (let begin = 0; begin < frames.length; begin += size) {
      const group = Array.from({ length: size }, (_, i) => frames[Math.min(begin + i, frames.length - 1)]!);
      groups.push((await this.#runGuider(group)) as NamedInputs);
    }
    const places = frames.map((_, i) => ({ group: Math.floor(i / size), index: i % size }));
    return gatherPose(groups, places);
  }

  async #runGuider(frames: readonly FrameConditions[]): Promise<PoseFeatures> {
    const { poseGuider } = this.bundle.description;
    const { height, width } = pictureSizeOf(this.bundle.description);
    const values = poseGuider.inChannels * height * width;
    const data = new Float32Array(frames.length * values);
    for (const [i, { conditions }] of frames.entries()) {
      if (conditions instanceof Float32Array) data.set(conditions, i * values);
      else writeSeen(conditions, data, i * values);
      // They are megabytes, a large bundle's tens of them: timers and signals get their turn between frames.
      await nextTurn();
    }
    const dims = [frames.length, poseGuider.inChannels, height, width];
    const guider = this.#keepingGuider;
    if (guider !== undefined) {
      return guider.run({ [guider.inputs[0]!.name]: { data, dims } }, { transfer: true });
    }
    return this.use('pose-guider', (network) =>
      network.run({ [network.inputs[0]!.name]: { data, dims } }, { transfer: true }),
    );
  }

  /** @throws {@link NumericalError} if pose features are too large for the half precision that the denoiser is handed them in. */
  async denoise(
    branch: 'conditional' | 'unconditional',
    latents: Tensor,
    timestep: number,
    pose: PoseFeatures,
  ): Promise<Tensor> {
    const name = branch === 'conditional' ? 'denoising-unet' : 'unconditional-denoising-unet';
    const own = { latents, timestep: { data: Float32Array.of(timestep), dims: [1] } };
    const outputs = await this.use(name, (network) => {
      // A window's features are megabytes, and may be the same for both branches of guidance.
      if (!(pose instanceof GatheredPose)) return network.run(own, { held: pose });
      // Latents stay the caller's.
      const inputs = { ...own, ...pose.features, latents: { ...latents, data: latents.data.slice() } };
      return network.run(inputs, { transfer: true });
    });
    const prediction = outputs.model_output!;
    if (firstNonFinite(prediction) >= 0 && this.#handsHalves && isKept(pose)) {
      const output = await pose.findNonFinite();
      if (output !== undefined) throw halfOverflow('pose-guider', output);
    }
    return prediction;
  }

  async dispose(): Promise<void> {
    await this.#opening?.catch(() => {});
    await this.#networks.dispose();
    await this.#keepingGuider?.dispose();
  }
}
