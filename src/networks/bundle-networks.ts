/** A bundle's networks, loaded into engines: what is the same for every kind of bundle. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bundle } from '../models/bundle.ts';
import { latentSize } from '../models/bundle-description.ts';
import type { PrecisionChoice } from '../models/bundle-terms.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import { posesByFrame } from '../models/pose-guider.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import { guidanceEmbedding } from '../schedulers/guidance.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LoraFile } from '../weights/lora.ts';
import { FLOAT32_NETWORKS, type GraphOptions, type NetworkName } from './bundle-graphs.ts';
import type { ClipNetworks, FrameToDecode, NamedInputs } from './clip-networks.ts';
import type { GraphThread } from './graph-thread.ts';
import { openWithFallback } from './half-precision-network.ts';
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
  /** Told which networks went over from half precision to float32. */
  readonly onNotice?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bundles up to this size have their networks loaded side by side; the memory of larger ones takes them one by one. */
const MAX_BYTES_AT_ONCE = 256e6;

/** Base of the networks of every kind of bundle. */
export abstract class BundleNetworks implements ClipNetworks {
  abstract readonly decodeFrames: number;
  abstract readonly decodesOverBase: boolean;
  protected readonly bundle: Bundle;
  readonly #networks = new Map<NetworkName, Network>();

  protected constructor(bundle: Bundle) {
    this.bundle = bundle;
  }

  abstract encodePortrait(reference: SceneReference): Promise<NamedInputs>;
  abstract decode(frames: readonly FrameToDecode[]): Promise<Float32Array[]>;

  /**
   * Loads the denoiser, the pose guider and what else is named.
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
      this.#networks.set(name, await this.#loadOne(name, options));
    };
    try {
      const { files } = this.bundle.description;
      const bytes = Object.values(files).reduce((sum, file) => sum + (file?.bytes ?? 0), 0);
      if (bytes <= MAX_BYTES_AT_ONCE) {
        // One is built while others are opened, in the two engines; all settle before an error is thrown.
        const ends = await Promise.allSettled(names.map(loadOne));
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      } else for (const name of names) await loadOne(name);
      const { timeCondProjDim } = this.bundle.description.denoisingUnet;
      if (timeCondProjDim && embeddedGuidance !== null) {
        const data = Float32Array.from(guidanceEmbedding(embeddedGuidance, timeCondProjDim));
        await this.network('denoising-unet').bind({
          guidance_embeds: { data, dims: [1, timeCondProjDim] },
        });
      }
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  async #loadOne(name: NetworkName, options: LoadNetworksOptions): Promise<Network> {
    const { bundle, graphs, denoisingEngine, sideEngine, windowFrames, loras } = options;
    const engine = name.endsWith('denoising-unet') ? denoisingEngine : sideEngine;
    const { device } = engine;
    const precision = options.precision === 'auto' ? engine.precision : options.precision;
    const open = (form: GraphOptions['precision']): Promise<Network> => {
      const { decodeFrames } = this;
      const graphOptions: GraphOptions = { windowFrames, decodeFrames, loras, device, precision: form };
      return loadWritten(engine, name, (how) => graphs.build(bundle, name, graphOptions, how));
    };
    return openWithFallback({
      name,
      precision: FLOAT32_NETWORKS.has(name) && precision === 'float16' ? 'float32' : precision,
      open,
      onNotice: options.onNotice,
    });
  }

  protected network(name: NetworkName): Network {
    const network = this.#networks.get(name);
    if (network === undefined) throw new Error(`${name} was not loaded`);
    return network;
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
    const keysAndValues = await this.network('reference-unet').run({ latents: latents!, ...embedding });
    return { ...keysAndValues, ...embedding };
  }

  async bindReference(reference: NamedInputs, options: { readonly transfer?: boolean } = {}): Promise<void> {
    await this.network('denoising-unet').bind(reference, options);
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
    const network = this.network('pose-guider');
    return network.run({ [network.inputs[0]!.name]: { data, dims } }, { transfer: true });
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
    const outputs = await this.network(name).run(inputs, { held: pose });
    return outputs.model_output!;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#networks.values()].map((network) => network.dispose()));
  }
}
