/**
 * Names of tensors in LoRA files: which module they belong to, and what they are in it. Every saver has its own spelling; all
 * become one here.
 *
 * Source: the writers and converters of kohya-ss/sd-scripts, diffusers (`lora_conversion_utils`), peft, LyCORIS and the LCM
 * distillation scripts; what PyTorch's wrappers put in front of names or between them.
 */

/** What a tensor of a LoRA file is. */
type LoraKey =
  | {
      readonly kind: 'tensor';
      /** The module as the network calls it, with dots or, if `flat`, with underscores. */
      readonly module: string;
      /** Whether the module's dots are written as underscores. */
      readonly flat: boolean;
      readonly part: 'down' | 'up' | 'alpha';
      /** Whether peft saved it, which keeps alpha in a configuration file next to this one. */
      readonly plainPeft: boolean;
    }
  | { readonly kind: 'text-encoder' }
  /** A weight of the network itself, where adapter and network were saved together. */
  | { readonly kind: 'base-weight' }
  | { readonly kind: 'unsupported'; readonly reason: string };

/** Wrappers that leave their name wherever a wrapped module is: compilers, shards, checkpointing, several GPUs. */
const WRAPPERS =
  /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_fpw_module|_checkpoint_wrapped_module|_forward_module|_dpp_module)\./g;

/** What savers put in front of the network's own names, one behind another in any order. */
const PREFIX =
  /^(?:state_dict|module|model|base_model|unet|denoising_unet|student_unet|student|diffusion_model|net|network|lora|adapter|pipe|pipeline|ema|generator)\./;

/** Where the names of the UNet begin. */
const ROOT =
  /^(?:down_blocks|up_blocks|mid_block|conv_in|conv_out|conv_norm_out|time_embedding|time_proj|class_embedding|add_embedding)(?=[._]|$)/;

/** Prefixes of names that are written with underscores. */
const FLAT_PREFIX = /^(?:lora_unet|lycoris|lora|_?orig_mod|module|base_model_model|model|unet)_(?=[_a-z])/;

/** Networks other than the denoising UNet that have blocks of the same names. */
const OTHER_NETWORK = /vae|first_stage|encoder|decoder|reference|control|prior|text/i;

const TEXT_ENCODER =
  /^(?:lora_te\d*_|lora_prior_te_|lora_text_encoder|lycoris_text_model|te\d?\.|text_encoder(?:_\d)?[._]|text_model\.|cond_stage_model\.|conditioner\.|clip_[lgh]\.|t5xxl\.)/;

/** Adapters that are not a product of two factors; read as such they would be silently wrong. */
const UNSUPPORTED: readonly (readonly [marker: RegExp, kind: string])[] = [
  [/\.(?:dora_scale|lora_magnitude_vector)(?:\.|$)/, 'DoRA, which rescales whole weights'],
  [/\.hada_(?:w[12]_[ab]|t[12])$/, 'LoHa, a Hadamard product'],
  [/\.lokr_(?:w[12](?:_[ab])?|t2)$/, 'LoKr, a Kronecker product'],
  [/\.[ab][12]\.weight$/, 'GLoRA'],
  [/\.on_input$/, '(IA)³, which scales activations'],
  [/\.(?:oft_blocks|oft_diag)$/, 'OFT, a rotation'],
  [/\.(?:diff|diff_b|w_norm|b_norm)$/, 'full weight differences'],
  [/\.lora_mid\.weight$/, 'a LoCon Tucker core'],
  [/\.lora_(?:A|B|down|up)(?:\.[^.]+)?\.bias$/, 'a bias'],
  [/\.lora_embedding_[AB](?:\.|$)/, 'an embedding LoRA'],
  [
    /(?:^|[._])(?:input_blocks|middle_block|output_blocks)[._]\d/,
    'names of the original UNet instead of diffusers’',
  ],
];

/** How the two factors and alpha are called, behind the module's name. */
const PARTS: readonly (readonly [suffix: RegExp, part: 'down' | 'up' | 'alpha'])[] = [
  [/(?:_lora|\.lora|\.lora_layer|\.lora_linear_layer)?\.(?:lora_|network_)?alpha$/, 'alpha'],
  [/\.lora_A(?:\.[^.]+)?(?:\.weight)?$/, 'down'],
  [/\.lora_B(?:\.[^.]+)?(?:\.weight)?$/, 'up'],
  [
    /(?:\.lora|\.lora_layer|\.lora_linear_layer|\.lora_conv2d_layer|_lora|\.lora_unet)[._]down(?:\.weight)?$/,
    'down',
  ],
  [
    /(?:\.lora|\.lora_layer|\.lora_linear_layer|\.lora_conv2d_layer|_lora|\.lora_unet)[._]up(?:\.weight)?$/,
    'up',
  ],
  [/\.lora_down(?:\.[^.]+)?(?:\.weight)?$/, 'down'],
  [/\.lora_up(?:\.[^.]+)?(?:\.weight)?$/, 'up'],
];

/** Reads a tensor's name. */
export function parseLoraKey(key: string): LoraKey {
  const { name, plainPeft } = withoutPrefixes(key);
  if (TEXT_ENCODER.test(name)) return { kind: 'text-encoder' };
  for (const [marker, kind] of UNSUPPORTED) {
    if (marker.test(name)) return { kind: 'unsupported', reason: kind };
  }
  for (const [suffix, part] of PARTS) {
    if (!suffix.test(name)) continue;
    const { module, flat } = moduleOf(name.replace(suffix, ''));
    return { kind: 'tensor', module, flat, part, plainPeft };
  }
  if (ROOT.test(name) && /\.(?:weight|bias|pe)$/.test(name)) return { kind: 'base-weight' };
  return { kind: 'unsupported', reason: 'a tensor of an unknown kind' };
}

/** The name from where it is the network's own, or the adapter's for it. */
function withoutPrefixes(key: string): { readonly name: string; readonly plainPeft: boolean } {
  let name = key.replace(WRAPPERS, '');
  const plainPeft = name.includes('base_model.model.');
  while (!ROOT.test(name) && PREFIX.test(name)) name = name.replace(PREFIX, '');
  // What a trainer calls its network is anything.
  const [whole, before] =
    /^(.+?\.)(?=(?:down_blocks|up_blocks)\.\d|(?:mid_block|conv_in|conv_out|time_embedding)\.[a-z])/.exec(
      name,
    ) ?? [];
  if (whole !== undefined && !OTHER_NETWORK.test(before!)) name = name.slice(whole.length);
  return { name, plainPeft };
}

/** The module as the network calls it; processors that once held the factors are none. */
function moduleOf(spelled: string): { readonly module: string; readonly flat: boolean } {
  const flat = !spelled.includes('.');
  let bare = spelled;
  while (flat && !ROOT.test(bare) && FLAT_PREFIX.test(bare)) bare = bare.replace(FLAT_PREFIX, '');
  if (flat) {
    const module = bare
      .replace(/_processor(?=_|$)/, '')
      .replace(/_$/, '')
      .replace(/_to_out$/, '_to_out_0');
    return { module, flat };
  }
  const module = bare
    .replace(/\.processor(?=\.|$)/, '')
    .replace(/\.base_layer$/, '')
    .replace(/\.to_out$/, '.to_out.0');
  return { module, flat };
}
