/** The networks of a bundle whose codec is the patch transform and whose denoiser changes a warped portrait. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bundle, BundlePart } from '../models/bundle.ts';
import { latentSize } from '../models/bundle-description.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { GraphOptions, NetworkName } from './bundle-graphs.ts';
import type { ClipNetworks, FrameToDecode, NamedInputs } from './clip-networks.ts';
import type { GraphThread } from './graph-thread.ts';
import type { FrameConditions, SceneReference } from './scene.ts';

/** Frames that are decoded in one run; more gain nothing. */
export const DECODE_FRAMES = 4;

/** What decides which networks are loaded. */
export interface NetworksChoice {
  readonly bundle: Bundle;
  readonly windowFrames: number;
  readonly loras: readonly { readonly part: BundlePart; readonly scale: number }[];
  /** Whether guidance needs the half without the reference. */
  readonly guided: boolean;
}

/** What {@link PatchNetworks.load} needs. */
export interface PatchNetworksOptions extends NetworksChoice {
  readonly graphs: GraphThread;
  /** Runs the denoiser only, so that nothing waits between its steps. */
  readonly denoisingEngine: Engine;
  /** Runs everything else. */
  readonly sideEngine: Engine;
  readonly signal?: AbortSignal | undefined;
}

/** See {@link ClipNetworks}. */
export class PatchNetworks implements ClipNetworks {
  readonly decodeFrames = DECODE_FRAMES;
  readonly #bundle: Bundle;
  readonly #networks: ReadonlyMap<NetworkName, Network>;

  private constructor(bundle: Bundle, networks: ReadonlyMap<NetworkName, Network>) {
    this.#bundle = bundle;
    this.#networks = networks;
  }

  /** @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph. */
  static async load(options: PatchNetworksOptions): Promise<PatchNetworks> {
    const { bundle, graphs, denoisingEngine, sideEngine, windowFrames, loras, guided, signal } = options;
    const names: NetworkName[] = [
      'portrait-encoder',
      'reference-unet',
      'pose-guider',
      'denoising-unet',
      ...(guided ? (['unconditional-denoising-unet'] as const) : []),
      'decoder',
    ];
    const networks = new Map<NetworkName, Network>();
    const loaded = new PatchNetworks(bundle, networks);
    try {
      for (const name of names) {
        signal?.throwIfAborted();
        const engine = name.endsWith('denoising-unet') ? denoisingEngine : sideEngine;
        const graphOptions: GraphOptions = {
          windowFrames,
          decodeFrames: DECODE_FRAMES,
          loras,
          device: engine.device,
        };
        const graph = await graphs.build(bundle, name, graphOptions);
        networks.set(name, await engine.load(name, graph, { transfer: true }));
      }
      return loaded;
    } catch (error) {
      await loaded.dispose();
      throw error;
    }
  }

  #network(name: NetworkName): Network {
    const network = this.#networks.get(name);
    if (network === undefined) throw new Error(`${name} was not loaded`);
    return network;
  }

  get frameShape(): readonly [number, number, number] {
    const { description } = this.#bundle;
    const { height, width } = latentSize(description);
    return [description.codec.latentChannels, height, width];
  }

  /** Keys and values of the reference UNet's attention. */
  async makeReference({ picture }: SceneReference): Promise<NamedInputs> {
    const { resolution } = this.#bundle.description;
    const { latents } = await this.#network('portrait-encoder').run({
      picture: { data: picture, dims: [1, 3, resolution, resolution] },
    });
    return this.#network('reference-unet').run({ latents: latents! });
  }

  async bindReference(reference: NamedInputs, options: { readonly transfer?: boolean } = {}): Promise<void> {
    await this.#network('denoising-unet').bind(reference, options);
  }

  async poseFeatures(frames: readonly FrameConditions[]): Promise<NamedInputs> {
    const { resolution, poseGuider } = this.#bundle.description;
    const values = poseGuider.inChannels * resolution * resolution;
    const data = new Float32Array(frames.length * values);
    for (const [i, { conditions }] of frames.entries()) {
      data.set(conditions, i * values);
      // A window's conditions are tens of megabytes: timers and signals get their turn between frames.
      await nextTurn();
    }
    const dims = [frames.length, poseGuider.inChannels, resolution, resolution];
    const network = this.#network('pose-guider');
    return network.run({ [network.inputs[0]!.name]: { data, dims } }, { transfer: true });
  }

  async denoise(
    half: 'conditional' | 'unconditional',
    latents: Tensor,
    timestep: number,
    pose: NamedInputs,
  ): Promise<Tensor> {
    const name = half === 'conditional' ? 'denoising-unet' : 'unconditional-denoising-unet';
    const outputs = await this.#network(name).run({
      latents,
      timestep: { data: Float32Array.of(timestep), dims: [1] },
      ...pose,
    });
    return outputs.model_output!;
  }

  /** @returns [3, S, S] for each frame: picture minus warped portrait. */
  async decode(frames: readonly FrameToDecode[]): Promise<Float32Array[]> {
    const [channels, height, width] = this.frameShape;
    const plane = height * width;
    const size = this.#bundle.description.resolution;
    const pixels = 3 * size * size;
    const data = new Float32Array(channels * DECODE_FRAMES * plane);
    const base = new Float32Array(DECODE_FRAMES * pixels);
    frames.forEach(({ latents, conditions }, f) => {
      for (let c = 0; c < channels; c++) {
        data.set(latents.data.subarray(c * plane, (c + 1) * plane), (c * DECODE_FRAMES + f) * plane);
      }
      base.set(conditions.base, f * pixels);
    });
    const { difference } = await this.#network('decoder').run(
      {
        latents: { data, dims: [1, channels, DECODE_FRAMES, height, width] },
        base: { data: base, dims: [DECODE_FRAMES, 3, size, size] },
      },
      { transfer: true },
    );
    return frames.map((_, f) => difference!.data.slice(f * pixels, (f + 1) * pixels));
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#networks.values()].map((network) => network.dispose()));
  }
}
