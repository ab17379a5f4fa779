/** Tells which network a LoRA was made for when it is not the one that it was given for. */
import type { WeightInfo } from './weight-source.ts';

/** What a file lists; nothing is read. */
interface ListedTensors {
  keys(): Iterable<string>;
  info(key: string): Pick<WeightInfo, 'dims'>;
}

const FACTOR =
  /\.(?:lora_down|lora_up|lora_A|lora_B)(?:\.|$)|[._]lora(?:_layer|_linear_layer)?[._](?:down|up)(?:\.|$)/;
/** Blocks of the UNets of Stable Diffusion, in diffusers' and in the original names. */
const UNET = /(?:^|[._])(?:down_blocks|up_blocks|mid_block|input_blocks|middle_block|output_blocks)[._]/;
const ORIGINAL = /(?:^|[._])(?:input_blocks|middle_block|output_blocks)[._]/;

/** Networks by the names of their blocks, with dots or underscores; the more special before the more general. */
const NETWORKS: readonly (readonly [name: RegExp, network: string])[] = [
  [/(?:^|[._])controlnet[._]/, 'a ControlNet'],
  [/(?:^|[._])reference_unet[._]/, 'a reference UNet'],
  [
    /(?:^|[._])(?:vae|first_stage_model|decoder|encoder)[._](?:mid|up|down)[._]?(?:blocks?)?[._]/,
    'an autoencoder',
  ],
  [
    /(?:^|[._])(?:double_blocks|single_blocks|single_transformer_blocks)[._]\d/,
    'FLUX, or a video network of its kind',
  ],
  [/(?:^|[._])joint_blocks[._]\d|attn[._]add_q_proj/, 'Stable Diffusion 3'],
  [/(?:^|[._])blocks[._]\d+[._](?:self_attn|cross_attn)[._]/, 'Wan, a video network'],
  [/(?:^|[._])layers[._]\d+[._](?:mlp[._](?:gate|up|down)_proj|self_attn[._]o_proj)/, 'a language model'],
  [/(?:^|[._])text_model[._]/, 'a text encoder'],
  [/(?:^|[._])vision_model[._]/, 'an image encoder'],
  [/(?:^|[._])(?:encoder|decoder)[._](?:layers?|block)[._]\d/, 'a network for text or speech'],
  [/(?:^|[._])transformer_blocks[._]\d/, 'a diffusion transformer'],
];

/** So many of them, from the first, have blocks that are called like a UNet's. */
const WITH_UNET_BLOCKS = 3;

/** Width of what cross attention reads, by the generation of Stable Diffusion. */
const TEXT_WIDTHS: Readonly<Record<number, string>> = {
  768: 'Stable Diffusion 1.5',
  1024: 'Stable Diffusion 2',
  2048: 'Stable Diffusion XL',
};

/** The file in words that follow "it looks like", e.g. `a LoRA for Stable Diffusion XL`; undefined if it is none known. */
export function recogniseLora(file: ListedTensors): string | undefined {
  const keys = [...file.keys()].filter((key) => FACTOR.test(key));
  if (keys.length === 0) return undefined;
  const unet = keys.filter((key) => UNET.test(key));
  // Transformer blocks are also parts of UNets, and text encoders are adapted along with them.
  const candidates = unet.length > 0 ? NETWORKS.slice(0, WITH_UNET_BLOCKS) : NETWORKS;
  const other = candidates.find(([name]) => keys.some((key) => name.test(key)));
  if (other !== undefined) return `a LoRA for ${other[1]}`;
  if (unet.length === 0) return undefined;
  const names = unet.some((key) => ORIGINAL.test(key)) ? ', in the names of its first publication' : '';
  return `a LoRA for ${generationOf(file, unet)}${names}`;
}

function generationOf(file: ListedTensors, keys: readonly string[]): string {
  for (const key of keys) {
    if (!/attn2[._](?:processor[._])?to_k(?![a-z])/.test(key)) continue;
    if (!/lora_(?:down|A)(?:\.|$)|[._]down(?:\.weight)?$/.test(key)) continue;
    const generation = TEXT_WIDTHS[file.info(key).dims[1] ?? 0];
    if (generation !== undefined) return generation;
  }
  // Only Stable Diffusion XL has so many blocks in a row.
  if (keys.some((key) => /transformer_blocks[._][2-9][._]/.test(key))) return TEXT_WIDTHS[2048]!;
  return 'a UNet of Stable Diffusion';
}
