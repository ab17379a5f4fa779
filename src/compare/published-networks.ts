/**
 * A bundle's denoiser the way AniPortrait's program runs it, to measure what the exact savings save: both guidance branches
 * in one batch, the reference projected at every step for every frame, pose features of both branches at every step.
 *
 * The program also runs the reference UNet for both branches and to its end; that comes once a clip and is left out here, as it
 * would show in short clips only.
 */

import { writeSeen } from '../image/planar.ts';
import type { Bundle } from '../models/bundle.ts';
import { pictureSizeOf } from '../models/bundle-description.ts';
import { resolutionOf } from '../models/bundle-size.ts';
import type { FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import type { NetworkPrecision } from '../models/quantization.ts';
import type { ClipNetworks, FrameToDecode, NamedInputs, PoseFeatures } from '../networks/clip-networks.ts';
import { openWithFallback } from '../networks/half-precision-network.ts';
import type { NetworksChoice } from '../networks/load-options.ts';
import { loadWritten } from '../networks/write-graph.ts';
import { defaultCacheFolder } from '../pipeline/machine-places.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { secondsSince } from './clock.ts';
import { openGraphThread, PUBLISHED_MAKERS, type PublishedNetworkName } from './published-graphs.ts';

/** What {@link PublishedNetworks.load} needs. */
interface PublishedNetworksOptions extends Pick<NetworksChoice, 'bundle' | 'windowFrames' | 'loras'> {
  readonly engine: Engine;
  /** For what both forms have in common: encoding the portrait, decoding. Stays the caller's. */
  readonly lean: ClipNetworks;
  /** Called with the networks that went over from half precision to float32. */
  readonly onNotice?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** `[f0, f1, …]` twice over, for the two branches. */
function doubled({ data, dims }: Tensor): Tensor {
  const twice = new Float32Array(2 * data.length);
  twice.set(data);
  twice.set(data, data.length);
  return { data: twice, dims: [2 * dims[0]!, ...dims.slice(1)] };
}

/** The embeddings of the two branches: the unconditional one sees zeros. */
function bothBranches({ data, dims }: Tensor): Tensor {
  const both = new Float32Array(2 * data.length);
  both.set(data, data.length);
  return { data: both, dims: [2 * dims[0]!, ...dims.slice(1)] };
}

/** See the module; {@link ClipNetworks} says what the methods do. */
export class PublishedNetworks implements ClipNetworks {
  /** Called with the seconds of each run of the pose guider, which is part of each evaluation. */
  onPose: (seconds: number) => void = () => {};
  readonly frameShape: readonly [channels: number, height: number, width: number];
  readonly decodeFrames: number;
  /** The pictures of a window are only put together. */
  readonly posesByFrame = false;
  readonly poseFrames: number;
  readonly windowsAtOnce = 1;
  readonly decodesOverBase: boolean;
  readonly inTurn: boolean;
  readonly #bundle: Bundle;
  readonly #lean: ClipNetworks;
  readonly #networks: ReadonlyMap<PublishedNetworkName, Network>;
  /** Of the run that also made the conditional branch. */
  #unconditional: Tensor | undefined;

  private constructor(
    { bundle, lean, windowFrames }: PublishedNetworksOptions,
    networks: ReadonlyMap<PublishedNetworkName, Network>,
  ) {
    this.#bundle = bundle;
    this.#lean = lean;
    this.#networks = networks;
    this.frameShape = lean.frameShape;
    this.poseFrames = windowFrames;
    this.decodeFrames = lean.decodeFrames;
    this.decodesOverBase = lean.decodesOverBase;
    this.inTurn = lean.inTurn;
  }

  /** @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph. */
  static async load(options: PublishedNetworksOptions): Promise<PublishedNetworks> {
    const { bundle, windowFrames, loras, engine, lean, onNotice, signal } = options;
    const networks = new Map<PublishedNetworkName, Network>();
    const loaded = new PublishedNetworks(options, networks);
    const { device } = engine;
    const { decodeFrames } = lean;
    const openIn = async (name: PublishedNetworkName, precision: NetworkPrecision): Promise<Network> => {
      // A network may be opened long after the others: in float32, when half precision was not enough.
      const graphs = openGraphThread(defaultCacheFolder());
      try {
        const resolution = resolutionOf(bundle.description);
        const form = { resolution, windowFrames, decodeFrames, loras, device, precision };
        return await loadWritten(engine, name, (how) => graphs.build(bundle, name, form, how));
      } finally {
        await graphs.dispose();
      }
    };
    try {
      for (const name of Object.keys(PUBLISHED_MAKERS) as PublishedNetworkName[]) {
        signal?.throwIfAborted();
        const precision = PUBLISHED_MAKERS[name].float32 ? 'float32' : engine.precision;
        const open = (form: NetworkPrecision): Promise<Network> => openIn(name, form);
        networks.set(name, await openWithFallback({ name, precision, open, onNotice }));
      }
      return loaded;
    } catch (error) {
      await loaded.dispose();
      throw error;
    }
  }

  #network(name: PublishedNetworkName): Network {
    const network = this.#networks.get(name);
    if (network === undefined) throw new Error(`${name} was not loaded`);
    return network;
  }

  encodePortrait(reference: SceneReference): Promise<NamedInputs> {
    return this.#lean.encodePortrait(reference);
  }

  /** The reference UNet's banks, and the image's embedding for both branches. */
  async makeReference(reference: SceneReference): Promise<NamedInputs> {
    const { latents, image_embeds } = await this.encodePortrait(reference);
    const embedding = image_embeds === undefined ? {} : { image_embeds };
    const banks = await this.#network('published-reference-unet').run({ latents: latents!, ...embedding });
    return image_embeds === undefined ? banks : { ...banks, image_embeds: bothBranches(image_embeds) };
  }

  async bindReference(reference: NamedInputs, options: { readonly transfer?: boolean } = {}): Promise<void> {
    await this.#network('published-denoising-unet').bind(reference, options);
  }

  /** Only puts the window's conditions together: the guider runs at every step. */
  async poseFeatures(frames: readonly FrameConditions[]): Promise<NamedInputs> {
    const { poseGuider } = this.#bundle.description;
    const { height, width } = pictureSizeOf(this.#bundle.description);
    const values = poseGuider.inChannels * height * width;
    const data = new Float32Array(frames.length * values);
    for (const [i, { conditions }] of frames.entries()) {
      if (conditions instanceof Float32Array) data.set(conditions, i * values);
      else writeSeen(conditions, data, i * values);
    }
    return { pictures: { data, dims: [frames.length, poseGuider.inChannels, height, width] } };
  }

  async denoise(
    branch: 'conditional' | 'unconditional',
    latents: Tensor,
    timestep: number,
    conditions: PoseFeatures,
  ): Promise<Tensor> {
    if (branch === 'unconditional') {
      const made = this.#unconditional;
      if (made === undefined) throw new Error('the unconditional branch comes with the conditional one');
      this.#unconditional = undefined;
      return made;
    }
    const begin = performance.now();
    const guider = this.#network('published-pose-guider');
    const { pictures } = conditions as NamedInputs;
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
