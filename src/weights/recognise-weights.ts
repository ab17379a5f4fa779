/** Tells what a file of weights is when it is not what was asked for. */
import type { WeightSource } from './weight-source.ts';

interface Kind {
  readonly name: string;
  /** Patterns of keys that the file must have, and must not have. */
  readonly has: readonly RegExp[];
  readonly lacks?: readonly RegExp[];
  readonly fits?: (weights: WeightSource) => boolean;
}

const UNET = /(?:^|\.)down_blocks\.0\.resnets\.0\.conv1\.weight$/;
const UNET_INPUT = /(?:^|\.)time_embedding\.linear_1\.weight$/;
const UNET_OUTPUT = /(?:^|\.)conv_out\.weight$/;
const MOTION = /\.motion_modules\.\d+\./;

/** Kinds of files, the more special before the more general. */
const KINDS: readonly Kind[] = [
  { name: 'a LoRA', has: [/\.(?:lora_down|lora_up|lora_A|lora_B)(?:\.|$)|[._]lora\.(?:down|up)\./] },
  {
    name: 'a checkpoint of Stable Diffusion in its original names, in one file; convert it to the diffusers layout',
    has: [/^model\.diffusion_model\.input_blocks\./],
  },
  { name: 'a ControlNet', has: [/(?:^|\.)controlnet_cond_embedding\./] },
  {
    name: 'a UNet of Stable Diffusion XL, where that of Stable Diffusion 1.5 belongs',
    has: [UNET_INPUT, /(?:^|\.)add_embedding\.linear_1\.weight$/],
  },
  {
    name: 'a UNet of Stable Diffusion XL, where that of Stable Diffusion 1.5 belongs',
    has: [UNET_INPUT],
    fits: (weights) => textWidth(weights) === 2048,
  },
  {
    name: 'a UNet of Stable Diffusion 2, where that of Stable Diffusion 1.5 belongs',
    has: [UNET_INPUT],
    fits: (weights) => textWidth(weights) === 1024,
  },
  { name: 'a denoising UNet with motion modules', has: [UNET, UNET_INPUT, UNET_OUTPUT, MOTION] },
  { name: 'a denoising UNet without motion modules', has: [UNET, UNET_INPUT, UNET_OUTPUT], lacks: [MOTION] },
  { name: 'a reference UNet', has: [UNET, UNET_INPUT], lacks: [UNET_OUTPUT, MOTION] },
  { name: 'motion modules', has: [MOTION], lacks: [UNET_INPUT] },
  { name: 'a pose guider', has: [/(?:^|\.)conv_layers\.0\.weight$/, /(?:^|\.)final_proj\.weight$/] },
  { name: 'an autoencoder', has: [/(?:^|\.)decoder\.conv_in\.weight$/, /(?:^|\.)encoder\.conv_in\.weight$/] },
  { name: 'the image encoder', has: [/(?:^|\.)vision_model\.embeddings\.class_embedding$/] },
  { name: 'a text encoder', has: [/(?:^|\.)text_model\.embeddings\./] },
  { name: 'an Audio2Pose network', has: [/^audio_encoder\./, /^transformer_decoder\./] },
  { name: 'an Audio2Mesh network', has: [/^audio_encoder\./, /^out_fn\./] },
  { name: 'a wav2vec2 encoder alone', has: [/(?:^|\.)feature_extractor\.conv_layers\.0\.conv\.weight$/] },
];

/** Width of what cross attention reads: 768, 1024 and 2048 in the generations of Stable Diffusion. */
function textWidth(weights: WeightSource): number | undefined {
  for (const key of weights.keys()) {
    if (key.endsWith('.attn2.to_k.weight')) return weights.info(key).dims[1];
  }
  return undefined;
}

/** What the file holds, in words that follow "it is"; undefined if it is nothing known. */
export function recogniseWeights(weights: WeightSource): string | undefined {
  const keys = [...weights.keys()];
  const any = (pattern: RegExp): boolean => keys.some((key) => pattern.test(key));
  return KINDS.find(
    ({ has, lacks = [], fits = () => true }) => has.every(any) && !lacks.some(any) && fits(weights),
  )?.name;
}
