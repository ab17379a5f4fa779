/**
 * Names of tensors in LoRA files: which module they belong to, and what they are in it. Every writer has its own spelling.
 *
 * Source: the writers and converters of kohya-ss/sd-scripts, diffusers (`lora_conversion_utils`) and peft; markers of the
 * other adapter kinds from LyCORIS.
 */

/** What a tensor of a LoRA file is. */
type LoraKey =
  | {
      readonly kind: 'tensor';
      /** The module as the file spells it, without the writer's prefix. */
      readonly module: string;
      /** Whether the module's dots are written as underscores. */
      readonly flat: boolean;
      readonly part: 'down' | 'up' | 'alpha';
      /** Whether alpha is in a configuration file next to this one. */
      readonly plainPeft: boolean;
    }
  | { readonly kind: 'text-encoder' }
  | { readonly kind: 'unsupported'; readonly reason: string };

const TEXT_ENCODER = /^(?:lora_te\d*_|text_encoder(?:_\d)?\.)/;

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
  [/\.lora_(?:A|B)(?:\.[^.]+)?\.bias$/, 'a bias'],
  [/\.lora_embedding_[AB](?:\.|$)/, 'an embedding LoRA'],
  [
    /^lora_unet_(?:input_blocks|middle_block|output_blocks)_/,
    'names of the original UNet instead of diffusers’',
  ],
];

const PREFIXES = ['base_model.model.', 'unet.'];
const FLAT_PREFIX = 'lora_unet_';

const PARTS: readonly (readonly [suffix: RegExp, part: 'down' | 'up' | 'alpha'])[] = [
  [/\.alpha$/, 'alpha'],
  [/\.lora_down\.weight$/, 'down'],
  [/\.lora_up\.weight$/, 'up'],
  [/\.lora\.down\.weight$/, 'down'],
  [/\.lora\.up\.weight$/, 'up'],
  [/\.lora_A(?:\.[^.]+)?\.weight$/, 'down'],
  [/\.lora_B(?:\.[^.]+)?\.weight$/, 'up'],
];
const PROCESSOR = /^(.+?)(?:\.processor)?\.(to_(?:q|k|v|out))_lora\.(down|up)\.weight$/;

/** Reads a tensor's name. */
export function parseLoraKey(key: string): LoraKey {
  if (TEXT_ENCODER.test(key)) return { kind: 'text-encoder' };
  for (const [marker, kind] of UNSUPPORTED) {
    if (marker.test(key)) return { kind: 'unsupported', reason: kind };
  }
  const plainPeft = key.startsWith(PREFIXES[0]!);
  const flat = key.startsWith(FLAT_PREFIX);
  let name = flat ? key.slice(FLAT_PREFIX.length) : key;
  for (const prefix of PREFIXES) if (name.startsWith(prefix)) name = name.slice(prefix.length);

  const processor = PROCESSOR.exec(name);
  if (processor !== null) {
    const [, attention, projection, part] = processor;
    const module = `${attention}.${projection === 'to_out' ? 'to_out.0' : projection}`;
    return { kind: 'tensor', module, flat, part: part as 'down' | 'up', plainPeft };
  }
  for (const [suffix, part] of PARTS) {
    if (suffix.test(name)) {
      const module = name.replace(suffix, '').replace('.processor.', '.');
      return { kind: 'tensor', module, flat, part, plainPeft };
    }
  }
  return { kind: 'unsupported', reason: 'a tensor of an unknown kind' };
}
