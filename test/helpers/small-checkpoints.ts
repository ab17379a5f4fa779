/** AniPortrait's files in small: a tenth of the widths, the published names, weights by formula. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { AniPortraitArchitecture } from '../../src/bundles/aniportrait-parts.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { encodeSafetensors } from '../../src/weights/safetensors.ts';
import type { WeightSource } from '../../src/weights/weight-source.ts';
import { goldenWeights, readGoldenFile } from './golden-weights.ts';
import { SMALL_AUDIO } from './small-audio.ts';
import { SMALL_CLIP, SMALL_POSE_GUIDER, SMALL_UNET, SMALL_VAE } from './small-networks.ts';
import { writeTorchArchive } from './torch-archive.ts';

export const SMALL_ARCHITECTURE: AniPortraitArchitecture = {
  denoisingUnet: SMALL_UNET,
  poseGuider: SMALL_POSE_GUIDER,
  codec: SMALL_VAE,
  imageEncoder: SMALL_CLIP,
  motion: SMALL_AUDIO,
  resolution: 128,
};

function network(name: string): WeightSource {
  const { namespace, keys } = readGoldenFile(name);
  return goldenWeights(namespace, keys);
}

/** Weights under the published names. */
export const SMALL_WEIGHTS = {
  denoisingUnet: network('denoising_unet'),
  referenceUnet: network('reference_unet'),
  poseGuider: network('pose_guider'),
  codec: network('vae'),
  imageEncoder: network('clip'),
  audio2mesh: network('audio2mesh'),
  audio2pose: network('audio2pose'),
} as const;

export type Entries = [string, Tensor][];

/** Names and tensors, as `change` has them; null leaves one out. */
export function entriesOf(
  weights: WeightSource,
  change: (name: string) => string | null = (name) => name,
): Entries {
  return [...weights.keys()].flatMap((key): Entries => {
    const name = change(key);
    return name === null ? [] : [[name, weights.read(key)]];
  });
}

/** Writes below `folder`: safetensors by the name's ending, else a PyTorch archive. */
export function writeCheckpoint(
  folder: string,
  name: string,
  entries: Entries,
  wrap: readonly string[] = [],
): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  if (name.endsWith('.safetensors')) writeFileSync(file, encodeSafetensors(entries));
  else writeTorchArchive(file, entries, wrap);
  return file;
}

const isMotion = (key: string): boolean => key.includes('motion_modules');
const OLD_ATTENTION = { 'to_q.': 'query.', 'to_k.': 'key.', 'to_v.': 'value.', 'to_out.0.': 'proj_attn.' };

/** An autoencoder's name as older libraries wrote it. */
export function oldVaeName(key: string): string {
  return Object.entries(OLD_ATTENTION).reduce(
    (name, [now, old]) => name.replace(`attentions.0.${now}`, `attentions.0.${old}`),
    key,
  );
}

/** A speech encoder's name as newer libraries write it. */
export function newWeightNorm(key: string): string {
  return key
    .replace(/\.weight_g$/, '.parametrizations.weight.original0')
    .replace(/\.weight_v$/, '.parametrizations.weight.original1');
}

/** Writes all files as AniPortrait's README lays them out, with something of every way to spell them. */
export function writeSmallCheckpoints(folder: string): void {
  const { denoisingUnet, referenceUnet, poseGuider, codec, imageEncoder, audio2mesh, audio2pose } =
    SMALL_WEIGHTS;
  writeCheckpoint(
    folder,
    'denoising_unet.pth',
    entriesOf(denoisingUnet, (key) => (isMotion(key) ? null : key)),
  );
  writeCheckpoint(
    folder,
    'motion_module.pth',
    entriesOf(denoisingUnet, (key) => (isMotion(key) ? key : null)),
  );
  writeCheckpoint(
    folder,
    'reference_unet.pth',
    entriesOf(referenceUnet, (key) => `module.${key}`),
  );
  writeCheckpoint(folder, 'pose_guider.pth', entriesOf(poseGuider), ['state_dict']);
  writeCheckpoint(folder, 'audio2mesh.pt', entriesOf(audio2mesh));
  writeCheckpoint(folder, 'audio2pose.pt', entriesOf(audio2pose, newWeightNorm));
  const positions: Entries = [
    ['vision_model.embeddings.position_ids', { data: new Float32Array(257), dims: [1, 257] }],
  ];
  writeCheckpoint(folder, 'image_encoder/pytorch_model.bin', [...entriesOf(imageEncoder), ...positions]);
  writeCheckpoint(folder, 'sd-vae-ft-mse/diffusion_pytorch_model.safetensors', entriesOf(codec, oldVaeName));
}
