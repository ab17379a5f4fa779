/**
 * A bundle's denoiser the way AniPortrait's program runs it, to measure what the exact savings save: both guidance halves
 * in one batch, the reference projected at every step for every frame, pose features of both halves at every step.
 *
 * The program also runs the reference UNet for both halves and to its end; that comes once a clip and is left out here, as it
 * would show in short clips only.
 */
import type { Bundle } from '../models/bundle.ts';
import type { NetworkName } from '../pipeline/bundle-graphs.ts';
import type { NetworksChoice } from '../pipeline/bundle-networks.ts';
import type { ClipNetworks, FrameToDecode, NamedInputs } from '../pipeline/clip-networks.ts';
import { GraphThread } from '../pipeline/graph-thread.ts';
import { defaultCacheFolder } from '../pipeline/open-job.ts';
import type { FrameConditions, SceneReference } from '../pipeline/scene.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { secondsSince } from './clock.ts';

/** What {@link PublishedNetworks.load} needs. */
export interface PublishedNetworksOptions extends Pick<NetworksChoice, 'bundle' | 'windowFrames' | 'loras'> {
  readonly engine: Engine;
  /** For what both forms have in common: decoding. Stays the caller's. */
  readonly lean: ClipNetworks;
  readonly signal?: AbortSignal | undefined;
}

/** `[f0, f1, …]` twice over, for the two halves. */
function doubled({ data, dims }: Tensor): Tensor {
  const twice = new Float32Array(2 * data.length);
  twice.set(data);
  twice.set(data, data.length);
  return { data: twice, dims: [2 * dims[0]!, ...dims.slice(1)] };
}

/** See the module; {@link ClipNetworks} says what the methods do. */
export class PublishedNetworks implements ClipNetworks {
  /** Told the seconds of each run of the pose guider, which is part of each evaluation. */
  onPose: (seconds: number) => void = () => {};
  readonly frameShape: readonly [channels: number, height: number, width: number];
  readonly decodeFrames: number;
  readonly decodesOverBase: boolean;
  readonly #bundle: Bundle;
  readonly #lean: ClipNetworks;
  readonly #networks: ReadonlyMap<NetworkName, Network>;
  /** Of the run that also made the conditional half. */
  #unconditional: Tensor | undefined;

  private constructor(
    { bundle, lean }: PublishedNetworksOptions,
    networks: ReadonlyMap<NetworkName, Network>,
  ) {
    this.#bundle = bundle;
    this.#lean = lean;
    this.#networks = networks;
    this.frameShape = lean.frameShape;
    this.decodeFrames = lean.decodeFrames;
    this.decodesOverBase = lean.decodesOverBase;
  }

  /** @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph. */
  static async load(options: PublishedNetworksOptions): Promise<PublishedNetworks> {
    const { bundle, windowFrames, loras, engine, lean, signal } = options;
    const names: readonly NetworkName[] = [
      'portrait-encoder',
      'published-reference-unet',
      'published-pose-guider',
      'published-denoising-unet',
    ];
    const networks = new Map<NetworkName, Network>();
    const loaded = new PublishedNetworks(options, networks);
    const graphs = new GraphThread(defaultCacheFolder());
    const { device, precision } = engine;
    const graphOptions = { windowFrames, decodeFrames: lean.decodeFrames, loras, device, precision };
    try {
      for (const name of names) {
        signal?.throwIfAborted();
        const { model, dataFolder } = await graphs.build(bundle, name, graphOptions);
        networks.set(name, await engine.load(name, model, { transfer: true, dataFolder }));
      }
      return loaded;
    } catch (error) {
      await loaded.dispose();
      throw error;
    } finally {
      await graphs.dispose();
    }
  }

  #network(name: NetworkName): Network {
    const network = this.#networks.get(name);
    if (network === undefined) throw new Error(`${name} was not loaded`);
    return network;
  }

  /** The reference UNet's banks. */
  async makeReference({ picture }: SceneReference): Promise<NamedInputs> {
    const { resolution } = this.#bundle.description;
    const { latents } = await this.#network('portrait-encoder').run({
      picture: { data: picture, dims: [1, 3, resolution, resolution] },
    });
    return this.#network('published-reference-unet').run({ latents: latents! });
  }

  async bindReference(reference: NamedInputs, options: { readonly transfer?: boolean } = {}): Promise<void> {
    await this.#network('published-denoising-unet').bind(reference, options);
  }

  /** Only puts the window's conditions together: the guider runs at every step. */
  async poseFeatures(frames: readonly FrameConditions[]): Promise<NamedInputs> {
    const { resolution, poseGuider } = this.#bundle.description;
    const values = poseGuider.inChannels * resolution * resolution;
    const data = new Float32Array(frames.length * values);
    for (const [i, { conditions }] of frames.entries()) data.set(conditions, i * values);
    return { pictures: { data, dims: [frames.length, poseGuider.inChannels, resolution, resolution] } };
  }

  async denoise(
    half: 'conditional' | 'unconditional',
    latents: Tensor,
    timestep: number,
    { pictures }: NamedInputs,
  ): Promise<Tensor> {
    if (half === 'unconditional') {
      const made = this.#unconditional;
      if (made === undefined) throw new Error('the unconditional half comes with the conditional one');
      this.#unconditional = undefined;
      return made;
    }
    const begin = performance.now();
    const guider = this.#network('published-pose-guider');
    const pose = await guider.run({ [guider.inputs[0]!.name]: doubled(pictures!) }, { transfer: true });
    this.onPose(secondsSince(begin));
    const { model_output } = await this.#network('published-denoising-unet').run(
      { latents: doubled(latents), timestep: { data: Float32Array.of(timestep), dims: [1] }, ...pose },
      { transfer: true },
    );
    const { data, dims } = model_output!;
    const middle = data.length / 2;
    const shape = [dims[0]! / 2, ...dims.slice(1)];
    this.#unconditional = { data: data.subarray(0, middle), dims: shape };
    return { data: data.subarray(middle), dims: shape };
  }

  decode(frames: readonly FrameToDecode[]): Promise<Float32Array[]> {
    return this.#lean.decode(frames);
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#networks.values()].map((network) => network.dispose()));
  }
}
