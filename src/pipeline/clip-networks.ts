/** A bundle's networks, ready for one clip: loaded into engines, with what stays the same over the clip bound to them. */
import type { Bundle, BundlePart } from '../models/bundle.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { GraphOptions, NetworkName } from './bundle-graphs.ts';
import type { GraphThread } from './graph-thread.ts';

/** Frames that are decoded in one run; more gain nothing. */
export const DECODE_FRAMES = 4;

/** What {@link ClipNetworks.load} needs. */
export interface ClipNetworksOptions {
  readonly bundle: Bundle;
  readonly graphs: GraphThread;
  /** Runs the denoiser only, so that nothing waits between its steps. */
  readonly denoisingEngine: Engine;
  /** Runs everything else. */
  readonly sideEngine: Engine;
  readonly windowFrames: number;
  readonly loras: readonly { readonly part: BundlePart; readonly scale: number }[];
  /** Whether guidance needs the half without the reference. */
  readonly guided: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Loaded networks; the engines own them, so disposing of the engines disposes of these. */
export class ClipNetworks {
  readonly #bundle: Bundle;
  readonly #options: ClipNetworksOptions;
  readonly #networks: ReadonlyMap<NetworkName, Network>;

  private constructor(options: ClipNetworksOptions, networks: ReadonlyMap<NetworkName, Network>) {
    this.#bundle = options.bundle;
    this.#options = options;
    this.#networks = networks;
  }

  /** @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph. */
  static async load(options: ClipNetworksOptions): Promise<ClipNetworks> {
    const { graphs, denoisingEngine, sideEngine, windowFrames, loras, guided, signal } = options;
    const names: NetworkName[] = [
      'portrait-encoder',
      'reference-unet',
      'pose-guider',
      'denoising-unet',
      ...(guided ? (['unconditional-denoising-unet'] as const) : []),
      'decoder',
    ];
    const networks = new Map<NetworkName, Network>();
    for (const name of names) {
      signal?.throwIfAborted();
      const engine = name.endsWith('denoising-unet') ? denoisingEngine : sideEngine;
      const graphOptions: GraphOptions = {
        windowFrames,
        decodeFrames: DECODE_FRAMES,
        loras,
        device: engine.device,
      };
      networks.set(name, await engine.load(name, await graphs.build(name, graphOptions)));
    }
    return new ClipNetworks(options, networks);
  }

  #network(name: NetworkName): Network {
    const network = this.#networks.get(name);
    if (network === undefined) throw new Error(`${name} was not loaded`);
    return network;
  }

  /** `[channels, height, width]` of one frame's latents. */
  get frameShape(): readonly [number, number, number] {
    const { resolution, codec } = this.#bundle.description;
    const cells = resolution / codec.patchSize;
    return [codec.latentChannels, cells, cells];
  }

  /**
   * Runs the reference UNet once and binds its keys and values to the denoiser for the whole clip.
   *
   * @param picture - [3, S, S] in [−1, 1].
   */
  async bindReference(picture: Float32Array): Promise<void> {
    const { resolution } = this.#bundle.description;
    const { latents } = await this.#network('portrait-encoder').run({
      picture: { data: picture, dims: [1, 3, resolution, resolution] },
    });
    const keysAndValues = await this.#network('reference-unet').run({ latents: latents! });
    await this.#network('denoising-unet').bind(keysAndValues, { transfer: true });
  }

  /**
   * Pose features of one window.
   *
   * @param conditions - one [7, S, S] for each frame of the window.
   */
  async poseFeatures(conditions: readonly Float32Array[]): Promise<Record<string, Tensor>> {
    const { resolution, poseGuider } = this.#bundle.description;
    const values = poseGuider.inChannels * resolution * resolution;
    const data = new Float32Array(conditions.length * values);
    conditions.forEach((frame, i) => {
      data.set(frame, i * values);
    });
    const dims = [conditions.length, poseGuider.inChannels, resolution, resolution];
    const network = this.#network('pose-guider');
    return network.run({ [network.inputs[0]!.name]: { data, dims } }, { transfer: true });
  }

  /** One evaluation of the denoiser. */
  async denoise(
    half: 'conditional' | 'unconditional',
    latents: Tensor,
    timestep: number,
    pose: Readonly<Record<string, Tensor>>,
  ): Promise<Tensor> {
    const name = half === 'conditional' ? 'denoising-unet' : 'unconditional-denoising-unet';
    const outputs = await this.#network(name).run({
      latents,
      timestep: { data: Float32Array.of(timestep), dims: [1] },
      ...pose,
    });
    return outputs.model_output!;
  }

  /**
   * Decodes up to {@link DECODE_FRAMES} frames.
   *
   * @param latents - [1, C, 1, h, w] for each frame.
   * @param bases - [3, S, S], the warped portrait of each frame.
   * @returns [3, S, S] for each frame: picture minus warped portrait.
   */
  async decode(latents: readonly Tensor[], bases: readonly Float32Array[]): Promise<Float32Array[]> {
    const [channels, height, width] = this.frameShape;
    const plane = height * width;
    const pixels = this.#bundle.description.resolution ** 2 * 3;
    const data = new Float32Array(channels * DECODE_FRAMES * plane);
    const base = new Float32Array(DECODE_FRAMES * pixels);
    latents.forEach((frame, f) => {
      for (let c = 0; c < channels; c++) {
        data.set(frame.data.subarray(c * plane, (c + 1) * plane), (c * DECODE_FRAMES + f) * plane);
      }
      base.set(bases[f]!, f * pixels);
    });
    const size = this.#options.bundle.description.resolution;
    const { difference } = await this.#network('decoder').run(
      {
        latents: { data, dims: [1, channels, DECODE_FRAMES, height, width] },
        base: { data: base, dims: [DECODE_FRAMES, 3, size, size] },
      },
      { transfer: true },
    );
    return latents.map((_, f) => difference!.data.subarray(f * pixels, (f + 1) * pixels));
  }
}
