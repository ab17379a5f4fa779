/**
 * Makes the graphs of a bundle's networks: reads weights, merges adapters, adds nodes. That takes from a tenth of a
 * second to minutes of CPU, so it runs in a thread of its own, see graph-worker.ts.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Bundle, BundlePart } from '../models/bundle.ts';
import { type BundleDescription, latentSize, pictureSizeOf } from '../models/bundle-description.ts';
import { atResolution, type Resolution } from '../models/bundle-size.ts';
import { type CalibratedNetwork, readCalibration } from '../models/calibration.ts';
import { buildClipVision } from '../models/clip-vision.ts';
import { buildDenoisingUnet, type DenoisingUnetOptions } from '../models/denoising-unet.ts';
import { buildPatchDecoder, buildPatchEncoder } from '../models/patch-transform.ts';
import { buildPoseGuider, posesByFrame } from '../models/pose-guider.ts';
import {
  type ActivationObserver,
  type Activations,
  type NetworkPrecision,
  Quantizer,
} from '../models/quantization.ts';
import { buildReferenceUnet } from '../models/reference-unet.ts';
import type { SpatialSize } from '../models/unet-config.ts';
import { buildVaeDecoder, buildVaeEncoder } from '../models/vae.ts';
import type { GraphBuilder, Precision } from '../onnx/graph.ts';
import { COPYING_DEVICES, type Device } from '../runtime/device.ts';
import { type LoraFile, openLora } from '../weights/lora.ts';
import { withLoras } from '../weights/lora-merge.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { WeightSource } from '../weights/weight-source.ts';

/** Networks of a clip. `unconditional` is the denoiser's guidance branch without reference. */
export type NetworkName =
  | 'image-encoder'
  | 'portrait-encoder'
  | 'reference-unet'
  | 'pose-guider'
  | 'denoising-unet'
  | 'unconditional-denoising-unet'
  | 'decoder';

/**
 * Networks that compute in float32 on every device: in half precision, a software WebGPU driver's pose features and
 * decoded pictures were far off (0.06 and more of 1), and none of them runs at every step.
 */
export const FLOAT32_NETWORKS: ReadonlySet<NetworkName> = new Set([
  'portrait-encoder',
  'pose-guider',
  'decoder',
]);

/** What a graph depends on besides the bundle. */
export interface GraphOptions {
  /** Of the pictures that the networks see. @defaultValue the bundle's */
  readonly resolution?: Resolution;
  /** Frames of a context window. */
  readonly windowFrames: number;
  /** Frames whose pose features are made at once. @defaultValue those of a window */
  readonly poseFrames?: number;
  /** Frames that are decoded at once. */
  readonly decodeFrames: number;
  /** The decoder takes parts of pictures, see {@link buildPatchDecoder}. @defaultValue false */
  readonly decodesParts?: boolean;
  /** Adapters of the denoising UNet. */
  readonly loras: readonly LoraFile[];
  readonly device: Device;
  /** `int8` needs a bundle with a calibration; what that does not name stays float32. */
  readonly precision: NetworkPrecision;
  /** Of a window, see {@link DenoisingUnetOptions}. @defaultValue 1 */
  readonly pieces?: number;
  /** Keeps large weights in half precision, and widens each when a layer needs it. @defaultValue false */
  readonly halfWeights?: boolean;
  /**
   * Makes what runs of the denoiser share as small as it can be, for a device that each of them copies it to, see {@link uploadsOf}: of the
   * reference, its features instead of the keys and values that are projected from them, and all of it, pose features too, in this precision.
   *
   * @defaultValue keys and values, all in float32
   */
  readonly uploads?: Precision | undefined;
}

/**
 * What a bundle's networks hand to the denoiser on a device, {@link GraphOptions.uploads}. Features that are gathered frame by frame in
 * ordinary memory, the embedded bundle's, are small and left alone.
 *
 * @param precision - of the denoiser.
 */
export function uploadsOf(
  { poseGuider }: BundleDescription,
  device: Device,
  precision: NetworkPrecision,
): Precision | undefined {
  if (!COPYING_DEVICES.has(device) || posesByFrame(poseGuider)) return undefined;
  return precision === 'float16' ? 'float16' : 'float32';
}

/** A graph whose weights are read when it is written, and the open files that they are read from. */
interface BundleGraph {
  readonly graph: GraphBuilder;
  /** What it computes in: some networks keep to float32 whatever was asked for. */
  readonly precision: NetworkPrecision;
  /** Names the state of its weights: graphs with equal keys have the same under the same names. */
  readonly weightsKey: unknown;
  /** Closes the files. */
  dispose(): void;
}

/** What a network's graph is made of. */
interface GraphParts {
  readonly description: BundleDescription;
  /** In pixels. */
  readonly picture: SpatialSize;
  readonly latents: SpatialSize;
  readonly windowFrames: number;
  readonly poseFrames: number;
  readonly decodeFrames: number;
  readonly decodesParts: boolean | undefined;
  readonly pieces: number | undefined;
  readonly form: { readonly device: Device; readonly precision: Precision };
  readonly uploads: Precision | undefined;
  /** Opens a part's weights. @throws {@link ModelError} if the file is damaged. */
  weights(part: BundlePart): WeightSource;
  /** The denoising UNet's weights with its adapters merged in. */
  denoiserWeights(): WeightSource;
  /** What a part's layers do with their activations: measure them, or compute in integers. */
  activations(part: CalibratedNetwork): Activations | undefined;
}

/** How a network's graph is made. */
export interface NetworkMaker {
  /** It computes in float32 whatever is asked for, see {@link FLOAT32_NETWORKS}. @defaultValue false */
  readonly float32?: boolean;
  readonly build: (parts: GraphParts) => GraphBuilder;
}

/** Settings of the denoising UNet that all its forms have in common. */
export function denoiserOptions({ latents, windowFrames, pieces, form, uploads, activations }: GraphParts) {
  const observed = activations('denoisingUnet');
  return {
    ...latents,
    ...form,
    frames: windowFrames,
    poseFeatures: true,
    shared: uploads,
    activations: observed,
    ...(observed === undefined && { pieces }),
  };
}

function denoiser(
  parts: GraphParts,
  options: Pick<DenoisingUnetOptions, 'reference' | 'imageEmbeds'>,
): GraphBuilder {
  return buildDenoisingUnet(parts.description.denoisingUnet, parts.denoiserWeights(), {
    ...denoiserOptions(parts),
    ...options,
  });
}

const BUILDERS: Readonly<Record<NetworkName, NetworkMaker['build']>> = {
  'image-encoder': ({ description, weights, form }) => {
    const { imageEncoder } = description;
    if (imageEncoder === null) throw new Error(`bundle ${description.name} has no image encoder`);
    return buildClipVision(imageEncoder, weights('imageEncoder'), form);
  },
  'portrait-encoder': ({ description: { codec }, weights, picture, form }) =>
    codec.type === 'patch-transform'
      ? buildPatchEncoder(codec, weights('codec'), picture)
      : buildVaeEncoder(codec, weights('codec'), { ...picture, ...form }),
  'reference-unet': ({ description, weights, denoiserWeights, latents, form, uploads }) =>
    buildReferenceUnet(description.denoisingUnet, weights('referenceUnet'), {
      ...latents,
      ...form,
      project: uploads === undefined ? denoiserWeights() : undefined,
    }),
  'pose-guider': ({ description, weights, picture, form, poseFrames, uploads, activations }) =>
    buildPoseGuider(description.poseGuider, weights('poseGuider'), {
      ...picture,
      ...form,
      frames: poseFrames,
      shared: uploads,
      activations: activations('poseGuider'),
    }),
  'denoising-unet': (parts) =>
    denoiser(parts, {
      reference: parts.uploads === undefined ? 'keys-values' : 'banks',
      imageEmbeds: 'input',
    }),
  // Its image embedding is all zeros.
  'unconditional-denoising-unet': (parts) => denoiser(parts, { reference: 'none', imageEmbeds: 'none' }),
  decoder: ({ description: { codec }, weights, picture, form, decodeFrames, decodesParts, activations }) =>
    codec.type === 'patch-transform'
      ? buildPatchDecoder(codec, weights('codec'), {
          ...picture,
          frames: decodeFrames,
          parts: decodesParts,
          activations: activations('codec'),
        })
      : buildVaeDecoder(codec, weights('codec'), { ...picture, ...form, batch: decodeFrames }),
};

/** How the graphs of a clip's networks are made. */
export const NETWORK_MAKERS = Object.fromEntries(
  Object.entries(BUILDERS).map(([name, build]) => [
    name,
    { build, float32: FLOAT32_NETWORKS.has(name as NetworkName) },
  ]),
) as Readonly<Record<NetworkName, NetworkMaker>>;

/**
 * The ONNX graph of one network of a clip.
 *
 * @param observer - measures the activations of a network that may be computed in integers.
 * @throws {@link ModelError} if a weight file is damaged or does not fit the bundle's description.
 */
export function openBundleGraph(
  bundle: Bundle,
  network: NetworkName,
  options: GraphOptions,
  observer?: ActivationObserver,
): BundleGraph {
  return openGraph(bundle, NETWORK_MAKERS[network], options, observer);
}

/** {@link openBundleGraph} of a network that is made as `maker` says. */
export function openGraph(
  bundle: Bundle,
  maker: NetworkMaker,
  options: GraphOptions,
  observer?: ActivationObserver,
): BundleGraph {
  const { description } = atResolution(bundle, options.resolution);
  const { files } = description;
  const { windowFrames, poseFrames = windowFrames, decodeFrames, device } = options;
  const integers = options.precision === 'int8';
  const precision = maker.float32 || options.precision === 'int8' ? 'float32' : options.precision;
  let calibrated = false;
  const opened: { dispose(): void }[] = [];
  const states: unknown[] = [];
  const open = (part: BundlePart): WeightSource => {
    states.push(files[part]?.sha256);
    const file = openSafetensors(bundle.pathOf(part));
    opened.push(file);
    return file;
  };
  const activationsOf = (part: CalibratedNetwork): Activations | undefined => {
    if (!integers) return observer;
    calibrated = true;
    states.push(files.calibration?.sha256);
    return new Quantizer(readCalibration(bundle).networks[part] ?? {});
  };
  const denoiserWeights = (): WeightSource => {
    const base = open('denoisingUnet');
    const loras = options.loras.map(({ path, scale }) => {
      const lora = openLora(path);
      opened.push(lora);
      states.push([hashOf(path), scale, ...(lora.configPath === undefined ? [] : [hashOf(lora.configPath)])]);
      return { lora, scale };
    });
    return withLoras(base, loras);
  };
  const dispose = (): void => {
    for (const file of opened) file.dispose();
  };
  try {
    const graph = maker.build({
      description,
      picture: pictureSizeOf(description),
      latents: latentSize(description),
      windowFrames,
      poseFrames,
      decodeFrames,
      decodesParts: options.decodesParts,
      pieces: options.pieces,
      form: { device, precision },
      uploads: options.uploads,
      weights: open,
      denoiserWeights,
      activations: activationsOf,
    });
    const form = calibrated ? 'int8' : graph.precision;
    if (options.halfWeights) graph.keepWeightsInHalf();
    const weightsKey = { precision: form, ...(options.halfWeights && { weights: 'float16' }), states };
    return { graph, precision: form, weightsKey, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
