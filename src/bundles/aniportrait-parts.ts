/** The networks of AniPortrait as an import sees them: what weights each has, and what is reported about its file. */
import { ANIPORTRAIT_AUDIO, type AniPortraitAudioConfig } from '../models/audio-config.ts';
import { describeAudio2Mesh } from '../models/audio2mesh.ts';
import { describeAudio2Pose, type SpeechPoseConfig } from '../models/audio2pose.ts';
import type { BundlePart } from '../models/bundle-description.ts';
import { ANIPORTRAIT_CLIP, type ClipVisionConfig } from '../models/clip-config.ts';
import { describeClipVision } from '../models/clip-vision.ts';
import { describeDenoisingUnet } from '../models/denoising-unet.ts';
import { ANIPORTRAIT_POSE_GUIDER, describePoseGuider, type PoseGuiderConfig } from '../models/pose-guider.ts';
import { describeReferenceUnet } from '../models/reference-unet.ts';
import { ANIPORTRAIT_UNET, type UnetConfig } from '../models/unet-config.ts';
import { describeVae, STABLE_DIFFUSION_VAE, type VaeConfig } from '../models/vae.ts';
import type { WeightSpec } from '../models/weight-reader.ts';
import type { CheckpointRole } from './locate-checkpoints.ts';

/** Architecture of all networks; the published one unless a caller has others of the same kind. */
export interface AniPortraitArchitecture {
  readonly denoisingUnet: UnetConfig;
  readonly poseGuider: PoseGuiderConfig;
  readonly codec: VaeConfig;
  readonly imageEncoder: ClipVisionConfig;
  readonly motion: AniPortraitAudioConfig;
  /** Side of the square picture, in pixels. */
  readonly resolution: number;
}

/** What AniPortrait's authors published. */
export const PUBLISHED_ARCHITECTURE: AniPortraitArchitecture = {
  denoisingUnet: ANIPORTRAIT_UNET,
  poseGuider: ANIPORTRAIT_POSE_GUIDER,
  codec: STABLE_DIFFUSION_VAE,
  imageEncoder: ANIPORTRAIT_CLIP,
  motion: ANIPORTRAIT_AUDIO,
  resolution: 512,
};

/** Parts that an import fills. */
type ImportedPart = Exclude<BundlePart, 'motion' | 'lcmLora' | 'calibration'>;

/** A part, and where its weights come from. */
export interface PartSource {
  readonly part: ImportedPart;
  /** For messages. */
  readonly network: string;
  /** Files that hold it, in the order in which they are read; the first that is missing is named. */
  readonly roles: readonly CheckpointRole[];
  /** Its name in files of several networks. */
  readonly hint: string;
  readonly file: string;
  readonly licence: string;
  readonly source: string;
  /** How the published file is called. */
  readonly published: string;
}

const OPENRAIL = 'CreativeML OpenRAIL-M (derived from Stable Diffusion 1.5); published as Apache-2.0';
const ANIPORTRAIT = 'https://huggingface.co/ZJYang/AniPortrait';

/** All parts, in the order in which they are written. */
export const PART_SOURCES: readonly PartSource[] = [
  {
    part: 'denoisingUnet',
    network: 'denoising UNet',
    roles: ['motionModule', 'denoisingUnet'],
    hint: 'denois',
    file: 'denoising_unet.safetensors',
    licence: OPENRAIL,
    source: ANIPORTRAIT,
    published: 'denoising_unet.pth and motion_module.pth',
  },
  {
    part: 'referenceUnet',
    network: 'reference UNet',
    roles: ['referenceUnet'],
    hint: 'reference',
    file: 'reference_unet.safetensors',
    licence: OPENRAIL,
    source: ANIPORTRAIT,
    published: 'reference_unet.pth',
  },
  {
    part: 'poseGuider',
    network: 'pose guider',
    roles: ['poseGuider'],
    hint: 'pose',
    file: 'pose_guider.safetensors',
    licence: 'Apache-2.0',
    source: ANIPORTRAIT,
    published: 'pose_guider.pth',
  },
  {
    part: 'codec',
    network: 'autoencoder',
    roles: ['codec'],
    hint: 'vae',
    file: 'vae.safetensors',
    licence: 'MIT',
    source: 'https://huggingface.co/stabilityai/sd-vae-ft-mse',
    published: 'sd-vae-ft-mse/diffusion_pytorch_model.safetensors',
  },
  {
    part: 'imageEncoder',
    network: 'image encoder',
    roles: ['imageEncoder'],
    hint: 'image',
    file: 'image_encoder.safetensors',
    licence: 'CreativeML OpenRAIL-M',
    source: 'https://huggingface.co/lambdalabs/sd-image-variations-diffusers',
    published: 'image_encoder/pytorch_model.bin',
  },
  {
    part: 'audio2mesh',
    network: 'Audio2Mesh network',
    roles: ['audio2mesh'],
    hint: 'mesh',
    file: 'audio2mesh.safetensors',
    licence: 'Apache-2.0',
    source: ANIPORTRAIT,
    published: 'audio2mesh.pt',
  },
  {
    part: 'audio2pose',
    network: 'Audio2Pose network',
    roles: ['audio2pose'],
    hint: 'pose',
    file: 'audio2pose.safetensors',
    licence: 'Apache-2.0',
    source: ANIPORTRAIT,
    published: 'audio2pose.pt',
  },
];

/** Sizes that do not change which weights there are. */
const LATENTS = { height: 16, width: 16 };
const PICTURE = { height: 128, width: 128 };
const SPEECH = { samples: 16000, frames: 30 };

/** Weights of each part; none for Audio2Pose where the architecture has none. */
export function specsOf(part: ImportedPart, architecture: AniPortraitArchitecture): WeightSpec[] {
  const { denoisingUnet, poseGuider, codec, imageEncoder, motion } = architecture;
  const describe: Readonly<Record<ImportedPart, () => readonly WeightSpec[]>> = {
    denoisingUnet: () =>
      describeDenoisingUnet(denoisingUnet, {
        ...LATENTS,
        frames: 1,
        reference: 'none',
        poseFeatures: true,
        imageEmbeds: 'input',
      }).weights,
    referenceUnet: () => describeReferenceUnet(denoisingUnet, LATENTS).weights,
    poseGuider: () => describePoseGuider(poseGuider, { ...PICTURE, frames: 1 }).weights,
    codec: () => {
      const { encoder, decoder } = describeVae(codec, PICTURE);
      return [...encoder.weights, ...decoder.weights];
    },
    imageEncoder: () => describeClipVision(imageEncoder).weights,
    audio2mesh: () => describeAudio2Mesh(motion, SPEECH).weights,
    audio2pose: () =>
      motion.pose === null ? [] : describeAudio2Pose(motion as SpeechPoseConfig, SPEECH).weights,
  };
  return describe[part]().filter(({ key }) => !key.endsWith('.num_batches_tracked'));
}
