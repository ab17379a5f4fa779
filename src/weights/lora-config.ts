/**
 * Scales that are not in a LoRA file's tensors: peft keeps them in its adapter configuration, which is a file of its own
 * or a string in the metadata.
 *
 * Source: `LoraConfig` of peft; `lora_adapter_metadata` of diffusers.
 */
import { ModelError } from '../errors.ts';

/** The settings of an adapter that a merge depends on. */
export interface LoraConfig {
  readonly r: number;
  readonly loraAlpha: number;
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** Divides alpha by √rank, not by rank. */
  readonly useRslora: boolean;
}

/**
 * Reads an adapter configuration.
 *
 * @param path - the file that it is from, for messages.
 * @param prefix - what the names of its members begin with, e.g. `unet.`.
 * @throws {@link ModelError} if it is no such JSON, or asks for what is not a plain product of two factors.
 */
export function parseLoraConfig(path: string, text: string, prefix = ''): LoraConfig {
  const fail = (expected: string, got: unknown): ModelError =>
    new ModelError(`Cannot use the LoRA settings of ${path}: expected ${expected}, got ${got}`, path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ModelError(`Cannot use the LoRA settings of ${path}: expected JSON, got something else`, path, {
      cause,
    });
  }
  if (typeof json !== 'object' || json === null) throw fail('an object', JSON.stringify(json));
  const member = (name: string): unknown => (json as Record<string, unknown>)[prefix + name];
  for (const name of ['use_dora', 'lora_bias', 'fan_in_fan_out']) {
    if (member(name)) throw fail(`${name} to be false`, member(name));
  }
  const bias = member('bias') ?? 'none';
  if (bias !== 'none') throw fail('bias to be none', bias);
  const number = (name: string): number => {
    const value = member(name);
    if (typeof value !== 'number' || !Number.isFinite(value)) throw fail(`a number as ${name}`, value);
    return value;
  };
  const pattern = (name: string): Record<string, number> => {
    const value = member(name) ?? {};
    if (
      typeof value !== 'object' ||
      Object.values(value as object).some((entry) => typeof entry !== 'number' || !Number.isFinite(entry))
    ) {
      throw fail(`numbers by module as ${name}`, JSON.stringify(value));
    }
    return value as Record<string, number>;
  };
  return {
    r: number('r'),
    loraAlpha: number('lora_alpha'),
    rankPattern: pattern('rank_pattern'),
    alphaPattern: pattern('alpha_pattern'),
    useRslora: member('use_rslora') === true,
  };
}

/** What a module's product is multiplied with: alpha/rank, or alpha/√rank. */
export function loraScale(config: LoraConfig, module: string, rank: number): number {
  const alpha = patternValue(config.alphaPattern, module) ?? config.loraAlpha;
  return alpha / (config.useRslora ? Math.sqrt(rank) : rank);
}

/** The rank that a configuration gives to a module. */
export function configuredRank(config: LoraConfig, module: string): number {
  return patternValue(config.rankPattern, module) ?? config.r;
}

/** A pattern names a module in full, or by its last parts. */
function patternValue(pattern: Readonly<Record<string, number>>, module: string): number | undefined {
  for (const [name, value] of Object.entries(pattern)) {
    if (module === name || module.endsWith(`.${name}`)) return value;
  }
  return undefined;
}
