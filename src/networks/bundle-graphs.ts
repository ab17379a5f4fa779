/**
 * Makes the graphs of a bundle's networks: reads weights, merges adapters, adds nodes. That takes from a tenth of a
 * second to minutes of CPU, so it runs in a thread of its own, see graph-worker.ts.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Bundle, BundlePart } from '../models/bundle.ts';
import { latentSize } from '../models/bundle-description.ts';
import { type CalibratedNetwork, readCalibration } from '../models/calibration.ts';
import { buildClipVision } from '../models/clip-vision.ts';
import { buildDenoisingUnet, type DenoisingUnetOptions } from '../models/denoising-unet.ts';
import { buildPatchDecoder, buildPatchEncoder } from '../models/patch-transform.ts';
import { buildPoseGuider } from '../models/pose-guider.ts';
import {
  type ActivationObserver,
  type Activations,
  type NetworkPrecision,
  Quantizer,
} from '../models/quantization.ts';
import { buildReferenceUnet } from '../models/reference-unet.ts';
import { buildVaeDecoder, buildVaeEncoder } from '../models/vae.ts';
import type { GraphBuilder } from '../onnx/graph.ts';
import type { Device } from '../runtime/device.ts';
import { type LoraFile, openLora } from '../weights/lora.ts';
import { withLoras } from '../weights/lora-merge.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { WeightSource } from '../weights/weight-source.ts';

/**
 * Networks of a clip. `unconditional` is the denoiser's guidance half without reference; `published` are the forms for both
 * halves at once, without what is saved elsewhere, for comparisons.
 */
export type NetworkName =
  | 'image-encoder'
  | 'portrait-encoder'
  | 'reference-unet'
  | 'pose-guider'
  | 'denoising-unet'
  | 'unconditional-denoising-unet'
  | 'decoder'
  | 'published-reference-unet'
  | 'published-pose-guider'
  | 'published-denoising-unet';

/**
 * Networks that compute in float32 on every device: in half precision, a software WebGPU driver's pose features and
 * decoded pictures were far off (0.06 and more of 1), and none of them runs at every step.
 */
export const FLOAT32_NETWORKS: ReadonlySet<NetworkName> = new Set([
  'portrait-encoder',
  'pose-guider',
  'published-pose-guider',
  'decoder',
]);

/** What a graph depends on besides the bundle. */
export interface GraphOptions {
  /** Frames of a context window. */
  readonly windowFrames: number;
  /** Frames that are decoded at once. */
  readonly decodeFrames: number;
  /** Adapters of the denoising UNet. */
  readonly loras: readonly LoraFile[];
  readonly device: Device;
  /** `int8` needs a bundle with a calibration; what that does not name stays float32. */
  readonly precision: NetworkPrecision;
}

/** A graph whose weights are read when it is written, and the open files that they are read from. */
export interface BundleGraph {
  readonly graph: GraphBuilder;
  /** What it computes in: some networks keep to float32 whatever was asked for. */
  readonly precision: NetworkPrecision;
  /** Names the state of its weights: graphs with equal keys have the same under the same names. */
  readonly weightsKey: unknown;
  /** Closes the files. */
  dispose(): void;
}

/**
 * The ONNX graph of one network.
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
  const { description } = bundle;
  const { codec, files } = description;
  const { windowFrames, decodeFrames, device } = options;
  const integers = options.precision === 'int8';
  const precision =
    FLOAT32_NETWORKS.has(network) || options.precision === 'int8' ? 'float32' : options.precision;
  let calibrated = false;
  const picture = { height: description.resolution, width: description.resolution };
  const latents = latentSize(description);
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
  const denoiser = (reference: DenoisingUnetOptions['reference']): GraphBuilder =>
    buildDenoisingUnet(description.denoisingUnet, denoiserWeights(), {
      ...latents,
      frames: windowFrames,
      reference,
      // The half without reference sees an image embedding of zeros.
      imageEmbeds: reference === 'none' ? 'none' : 'input',
      poseFeatures: true,
      device,
      precision,
      activations: activationsOf('denoisingUnet'),
    });
  const form = { device, precision };
  const builders: Record<NetworkName, () => GraphBuilder> = {
    'image-encoder': () => {
      const { imageEncoder } = description;
      if (imageEncoder === null) throw new Error(`bundle ${description.name} has no image encoder`);
      return buildClipVision(imageEncoder, open('imageEncoder'), form);
    },
    'portrait-encoder': () =>
      codec.type === 'patch-transform'
        ? buildPatchEncoder(codec, open('codec'), picture)
        : buildVaeEncoder(codec, open('codec'), { ...picture, ...form }),
    'reference-unet': () =>
      buildReferenceUnet(description.denoisingUnet, open('referenceUnet'), {
        ...latents,
        ...form,
        project: denoiserWeights(),
      }),
    'pose-guider': () =>
      buildPoseGuider(description.poseGuider, open('poseGuider'), {
        ...picture,
        ...form,
        frames: windowFrames,
        activations: activationsOf('poseGuider'),
      }),
    'denoising-unet': () => denoiser('keys-values'),
    'unconditional-denoising-unet': () => denoiser('none'),
    'published-reference-unet': () =>
      buildReferenceUnet(description.denoisingUnet, open('referenceUnet'), { ...latents, ...form }),
    'published-pose-guider': () =>
      buildPoseGuider(description.poseGuider, open('poseGuider'), {
        ...picture,
        ...form,
        frames: windowFrames,
        batch: 2,
      }),
    'published-denoising-unet': () => denoiser('published'),
    decoder: () =>
      codec.type === 'patch-transform'
        ? buildPatchDecoder(codec, open('codec'), {
            ...picture,
            frames: decodeFrames,
            activations: activationsOf('codec'),
          })
        : buildVaeDecoder(codec, open('codec'), { ...picture, ...form, batch: decodeFrames }),
  };
  const dispose = (): void => {
    for (const file of opened) file.dispose();
  };
  try {
    const graph = builders[network]();
    const form = calibrated ? 'int8' : graph.precision;
    return { graph, precision: form, weightsKey: { precision: form, states }, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
