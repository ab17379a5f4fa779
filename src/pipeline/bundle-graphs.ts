/**
 * Makes the graphs of a bundle's networks: reads weights, merges adapters, adds nodes. That takes from a tenth of a
 * second to seconds of CPU, so it runs in a thread of its own, see graph-worker.ts.
 */
import { ModelError } from '../errors.ts';
import type { Bundle, BundlePart } from '../models/bundle.ts';
import { latentSize } from '../models/bundle-description.ts';
import { buildDenoisingUnet } from '../models/denoising-unet.ts';
import {
  buildPatchDecoder,
  buildPatchEncoder,
  type PatchTransformConfig,
} from '../models/patch-transform.ts';
import { buildPoseGuider } from '../models/pose-guider.ts';
import { buildReferenceUnet } from '../models/reference-unet.ts';
import type { GraphBuilder } from '../onnx/graph.ts';
import type { Device } from '../runtime/device.ts';
import { openLora } from '../weights/lora.ts';
import { withLoras } from '../weights/lora-merge.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { WeightSource } from '../weights/weight-source.ts';

/** Networks of a clip. `unconditional` is the denoiser's guidance half without reference. */
export type NetworkName =
  | 'portrait-encoder'
  | 'reference-unet'
  | 'pose-guider'
  | 'denoising-unet'
  | 'unconditional-denoising-unet'
  | 'decoder';

/** What a graph depends on besides the bundle. */
export interface GraphOptions {
  /** Frames of a context window. */
  readonly windowFrames: number;
  /** Frames that are decoded at once. */
  readonly decodeFrames: number;
  /** Adapters of the denoising UNet. */
  readonly loras: readonly { readonly part: BundlePart; readonly scale: number }[];
  readonly device: Device;
}

/**
 * Bytes of the ONNX graph of one network.
 *
 * @throws {@link ModelError} if a weight file is damaged or does not fit the bundle's description.
 */
export function buildBundleGraph(bundle: Bundle, network: NetworkName, options: GraphOptions): Uint8Array {
  const { description } = bundle;
  const { windowFrames, decodeFrames, device } = options;
  const size = description.resolution;
  const latents = latentSize(description);
  const picture = { height: size, width: size };
  const opened: { dispose(): void }[] = [];
  const open = (part: BundlePart): WeightSource => {
    const file = openSafetensors(bundle.pathOf(part));
    opened.push(file);
    return file;
  };
  const denoiserWeights = (): WeightSource => {
    const loras = options.loras.map(({ part, scale }) => {
      const lora = openLora(bundle.pathOf(part));
      opened.push(lora);
      return { lora, scale };
    });
    return withLoras(open('denoisingUnet'), loras);
  };
  const builders: Record<NetworkName, () => GraphBuilder> = {
    'portrait-encoder': () => buildPatchEncoder(patchCodec(bundle), open('codec'), picture),
    'reference-unet': () =>
      buildReferenceUnet(description.denoisingUnet, open('referenceUnet'), {
        ...latents,
        project: denoiserWeights(),
        device,
      }),
    'pose-guider': () =>
      buildPoseGuider(description.poseGuider, open('poseGuider'), {
        ...picture,
        frames: windowFrames,
        device,
      }),
    'denoising-unet': () =>
      buildDenoisingUnet(description.denoisingUnet, denoiserWeights(), {
        ...latents,
        frames: windowFrames,
        reference: 'keys-values',
        poseFeatures: true,
        device,
      }),
    'unconditional-denoising-unet': () =>
      buildDenoisingUnet(description.denoisingUnet, denoiserWeights(), {
        ...latents,
        frames: windowFrames,
        reference: 'none',
        poseFeatures: true,
        device,
      }),
    decoder: () => buildPatchDecoder(patchCodec(bundle), open('codec'), { ...picture, frames: decodeFrames }),
  };
  try {
    return builders[network]().toBytes();
  } finally {
    for (const file of opened) file.dispose();
  }
}

function patchCodec({ description: { name, codec }, folder }: Bundle): PatchTransformConfig {
  if (codec.type === 'patch-transform') return codec;
  throw new ModelError(
    `Cannot render with bundle ${name}: expected a patch-transform codec, got ${codec.type}`,
    folder,
  );
}
