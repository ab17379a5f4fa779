/** Multiplications and additions of a variant's networks over a clip, counted from their graphs. */

import { countWindowSteps } from '../denoising/context-windows.ts';
import { type BundleDescription, latentSize, pictureSizeOf } from '../models/bundle-description.ts';
import { describeClipVision } from '../models/clip-vision.ts';
import { type DenoisingUnetOptions, describeDenoisingUnet } from '../models/denoising-unet.ts';
import { patchDecoderFlops, patchEncoderFlops } from '../models/patch-transform.ts';
import { describePoseGuider } from '../models/pose-guider.ts';
import { describeReferenceUnet } from '../models/reference-unet.ts';
import { describeVae } from '../models/vae.ts';
import type { Job } from '../pipeline/open-job.ts';
import { memoryWeights } from '../weights/memory-weights.ts';
import { PUBLISHED_UNET } from './published-forms.ts';
import type { Work } from './report.ts';
import type { Variant } from './variants.ts';

/** What the work depends on besides the variant. */
export interface ClipSize {
  /** That are decoded. */
  readonly frames: number;
  /** Windows of all steps together. */
  readonly windowSteps: number;
  /** Runs of the pose guider, where it does not run at every step. */
  readonly poseRuns: number;
  readonly windowFrames: number;
  /** Frames that are decoded in one run; the last run may hold fewer and costs the same. */
  readonly decodeFrames: number;
}

/** Work of one run of each network. */
interface NetworkWork {
  readonly encoder: number;
  /** The image encoder; 0 without one. */
  readonly embedding: number;
  readonly referenceBanks: number;
  readonly referenceKeys: number;
  readonly poseGuider: number;
  readonly conditional: number;
  readonly unconditional: number;
  /** Both branches at once; its pose guider runs on both as well. */
  readonly published: number;
  readonly decoder: number;
}

/** Counts every network of a bundle at the size of a window. */
export function networkWork(
  description: BundleDescription,
  { windowFrames, decodeFrames }: Pick<ClipSize, 'windowFrames' | 'decodeFrames'>,
): NetworkWork {
  const { denoisingUnet, poseGuider } = description;
  const picture = pictureSizeOf(description);
  const latents = latentSize(description);
  const denoiser = (
    form: Pick<DenoisingUnetOptions, 'reference' | 'imageEmbeds' | 'batch' | 'forms'>,
  ): number =>
    describeDenoisingUnet(denoisingUnet, { ...latents, frames: windowFrames, poseFeatures: true, ...form })
      .flops;
  return {
    ...codecWork(description, decodeFrames),
    referenceBanks: describeReferenceUnet(denoisingUnet, latents).flops,
    // The projection's weights are listed, not read.
    referenceKeys: describeReferenceUnet(denoisingUnet, {
      ...latents,
      project: memoryWeights('none', new Map()),
    }).flops,
    poseGuider: describePoseGuider(poseGuider, { ...picture, frames: windowFrames }).flops,
    conditional: denoiser({ reference: 'keys-values', imageEmbeds: 'input' }),
    unconditional: denoiser({ reference: 'none' }),
    published: denoiser(PUBLISHED_UNET),
  };
}

function codecWork(
  description: BundleDescription,
  decodeFrames: number,
): Pick<NetworkWork, 'encoder' | 'embedding' | 'decoder'> {
  const { codec, imageEncoder } = description;
  const picture = pictureSizeOf(description);
  if (codec.type === 'patch-transform') {
    return {
      encoder: patchEncoderFlops(codec, picture),
      embedding: 0,
      decoder: patchDecoderFlops(codec, { ...picture, frames: decodeFrames }),
    };
  }
  const embedding = imageEncoder === null ? 0 : describeClipVision(imageEncoder).flops;
  return {
    encoder: describeVae(codec, picture).encoder.flops,
    embedding,
    decoder: describeVae(codec, { ...picture, batch: decodeFrames }).decoder.flops,
  };
}

/** The work of a whole clip. */
export function variantWork(
  { form, branches }: Pick<Variant, 'form' | 'branches'>,
  network: NetworkWork,
  { frames, windowSteps, poseRuns, decodeFrames }: Omit<ClipSize, 'windowFrames'>,
): Work {
  const decode = Math.ceil(frames / decodeFrames) * network.decoder;
  if (form === 'published') {
    return {
      reference: network.encoder + network.embedding + network.referenceBanks,
      pose: windowSteps * 2 * network.poseGuider,
      denoise: windowSteps * network.published,
      decode,
    };
  }
  return {
    reference: network.encoder + network.embedding + network.referenceKeys,
    pose: poseRuns * network.poseGuider,
    denoise: windowSteps * (network.conditional + (branches === 2 ? network.unconditional : 0)),
    decode,
  };
}

/** Evaluations of the denoiser for a variant's clip, guidance branches counted singly. */
export function evaluationsOf({
  variant: { branches },
  job: { windows },
}: {
  readonly variant: Pick<Variant, 'branches'>;
  readonly job: Pick<Job, 'windows'>;
}): number {
  return countWindowSteps(windows) * branches;
}
