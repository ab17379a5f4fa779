/**
 * LoRA files: low-rank changes to the weights of a network, read in the spellings of kohya, diffusers and peft.
 *
 * Source: Hu et al. 2021, arXiv:2106.09685, section 4.1; rank-stabilised scaling of Kalajdzievski 2023,
 * arXiv:2312.03732.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ModelError } from '../errors.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { configuredRank, type LoraConfig, loraScale, parseLoraConfig } from './lora-config.ts';
import { parseLoraKey } from './lora-names.ts';
import { openWeights } from './open-weights.ts';
import { recogniseLora } from './recognise-lora.ts';
import { recogniseWeights } from './recognise-weights.ts';
import type { WeightFile } from './weight-source.ts';

/** A LoRA on disk, and how strongly it is applied. */
export interface LoraFile {
  readonly path: string;
  /** 1 as trained, 0 not at all. */
  readonly scale: number;
}

/** The change to one module's weight, `scale` · up · down. */
export interface LoraModule {
  /** As the file spells it, without the writer's prefix. */
  readonly name: string;
  /** Whether the name has underscores for dots. */
  readonly flat: boolean;
  readonly rank: number;
  /** alpha/rank, or what the adapter's settings say. */
  readonly scale: number;
  /** `[rank, in]` or `[rank, in, height, width]`. */
  readonly downDims: readonly number[];
  /** `[out, rank]` or `[out, rank, 1, 1]`. */
  readonly upDims: readonly number[];
  /** @throws {@link ModelError} if a value is not finite. */
  readDown(): Tensor;
  /** @throws {@link ModelError} if a value is not finite. */
  readUp(): Tensor;
}

/** An open LoRA file; the caller disposes of it. */
export interface LoraAdapter {
  readonly path: string;
  readonly modules: readonly LoraModule[];
  /** What the file says about itself. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The file next to it that its scales were read from; undefined where they are in it. */
  readonly configPath: string | undefined;
  /** Tensors for a text encoder, which this program does not have. */
  readonly skippedKeys: readonly string[];
  /** Which network it seems to be made for, e.g. `a LoRA for Stable Diffusion XL`; undefined if that is not known. */
  readonly network: string | undefined;
  /** What the user should know of how it was read. */
  readonly notices: readonly string[];
  /** Closes the file; may be called twice. */
  dispose(): void;
}

/** Options of {@link openLora}. */
interface OpenLoraOptions {
  /** Settings of an adapter that peft saved. @defaultValue `adapter_config.json` next to the file */
  readonly configPath?: string;
}

/** Tensors of one module before they are checked. */
interface Parts {
  readonly flat: boolean;
  readonly keys: Partial<Record<'down' | 'up' | 'alpha', string>>;
}

/**
 * Opens a LoRA file and checks that every tensor in it is understood.
 *
 * @throws {@link ModelError} naming file and key if it is damaged, or holds another kind of adapter.
 */
export function openLora(path: string, options: OpenLoraOptions = {}): LoraAdapter {
  const file = openWeights(path);
  try {
    const { parts, skippedKeys, baseKeys, plainPeft } = sortTensors(file);
    if (parts.size === 0) {
      const got = skippedKeys.length > 0 ? 'tensors for a text encoder only' : 'no tensors';
      throw unusable(path, 'tensors for the denoising UNet', got);
    }
    const { config, configPath } = readConfig(file, plainPeft, options);
    const modules = [...parts].map(([name, part]) => makeModule(file, name, part, config));
    const { metadata } = file;
    const notices = [
      ...describeSkipped(path, skippedKeys, baseKeys),
      ...(plainPeft && config === undefined ? describeMissingScale(path, parts) : []),
    ];
    const network = recogniseLora(file);
    return {
      path,
      metadata,
      modules,
      configPath,
      skippedKeys,
      network,
      notices,
      dispose: () => file.dispose(),
    };
  } catch (error) {
    file.dispose();
    throw error;
  }
}

function sortTensors(file: WeightFile) {
  const parts = new Map<string, Parts>();
  const skippedKeys: string[] = [];
  const baseKeys: string[] = [];
  let plainPeft = false;
  for (const key of file.keys()) {
    const parsed = parseLoraKey(key);
    switch (parsed.kind) {
      case 'text-encoder':
        skippedKeys.push(key);
        break;
      case 'base-weight':
        baseKeys.push(key);
        break;
      case 'unsupported':
        throw notPairs(file, parsed.reason, key);
      case 'tensor': {
        const found = parts.get(parsed.module) ?? { flat: parsed.flat, keys: {} };
        const twin = found.keys[parsed.part];
        if (twin !== undefined)
          throw unusable(file.path, `one ${parsed.part} for a module`, `${twin} and ${key}`);
        found.keys[parsed.part] = key;
        parts.set(parsed.module, found);
        plainPeft ||= parsed.plainPeft;
      }
    }
  }
  // A network that was saved with its adapters has its own weight of each module that was adapted; other whole weights
  // were trained, and would be lost.
  if (baseKeys.length > 0 && !baseKeys.some((key) => key.includes('.base_layer.'))) {
    throw notPairs(file, 'whole weights of a network', baseKeys[0]!);
  }
  return { parts, skippedKeys, baseKeys, plainPeft };
}

function notPairs(file: WeightFile, reason: string, key: string): ModelError {
  const kind = recogniseLora(file) ?? recogniseWeights(file);
  const like = kind === undefined ? '' : `; it looks like ${kind}`;
  return unusable(file.path, 'pairs of down and up factors', `${reason} (${key})${like}`);
}

function describeSkipped(path: string, skipped: readonly string[], base: readonly string[]): string[] {
  const list = (keys: readonly string[], what: string): string[] =>
    keys.length === 0 ? [] : [`LoRA ${path}: ${keys.length} ${what} are left out`];
  return [...list(skipped, 'tensors for a text encoder'), ...list(base, 'weights of the network itself')];
}

/** Peft keeps alpha in a separate file; the weights alone do not have it. */
function describeMissingScale(path: string, parts: ReadonlyMap<string, Parts>): string[] {
  if ([...parts.values()].every(({ keys }) => keys.alpha !== undefined)) return [];
  return [
    `LoRA ${path} has no adapter_config.json next to it, which would say its scale: alpha is taken to be its rank; where ` +
      'another alpha is known, put the scale alpha/rank behind the name, e.g. :0.125',
  ];
}

function readConfig(
  file: WeightFile,
  plainPeft: boolean,
  options: OpenLoraOptions,
): { readonly config: LoraConfig | undefined; readonly configPath: string | undefined } {
  const embedded = file.metadata.lora_adapter_metadata;
  if (embedded !== undefined) {
    // A file may hold adapters for several networks; each has its name before its settings.
    const config = parseLoraConfig(file.path, embedded, embedded.includes('"unet.') ? 'unet.' : '');
    return { config, configPath: undefined };
  }
  if (!plainPeft && options.configPath === undefined) return { config: undefined, configPath: undefined };
  const path = options.configPath ?? join(dirname(file.path), 'adapter_config.json');
  if (!existsSync(path)) {
    if (options.configPath === undefined) return { config: undefined, configPath: undefined };
    throw unusable(file.path, `its settings, which hold the scale, in ${path}`, 'no such file');
  }
  return { config: parseLoraConfig(path, readFileSync(path, 'utf8')), configPath: path };
}

function makeModule(
  file: WeightFile,
  name: string,
  { flat, keys: { down, up, alpha } }: Parts,
  config: LoraConfig | undefined,
): LoraModule {
  if (down === undefined || up === undefined) {
    throw unusable(file.path, `a down and an up factor for ${name}`, `${down ?? up ?? alpha} only`);
  }
  const downDims = file.info(down).dims;
  const upDims = file.info(up).dims;
  const rank = downDims[0] ?? 0;
  if (rank < 1 || downDims.length < 2 || upDims.length < 2 || upDims[1] !== rank) {
    throw unusable(
      file.path,
      `one rank in ${down} and ${up}`,
      `shapes [${downDims.join(', ')}] and [${upDims.join(', ')}]`,
    );
  }
  if (elementCount(upDims.slice(2)) !== 1) {
    throw unusable(file.path, `a 1×1 kernel in ${up}`, `shape [${upDims.join(', ')}]`);
  }
  if (config !== undefined && !flat && configuredRank(config, name) !== rank) {
    throw unusable(file.path, `rank ${configuredRank(config, name)} in ${down}`, rank);
  }
  return {
    name,
    flat,
    rank,
    scale: readScale(file, name, rank, alpha, config),
    downDims,
    upDims,
    readDown: () => readFinite(file, down),
    readUp: () => readFinite(file, up),
  };
}

function readScale(
  file: WeightFile,
  name: string,
  rank: number,
  alpha: string | undefined,
  config: LoraConfig | undefined,
): number {
  if (alpha !== undefined) {
    const { data } = readFinite(file, alpha);
    if (data.length !== 1) throw unusable(file.path, `one number in ${alpha}`, data.length);
    return data[0]! / rank;
  }
  return config === undefined ? 1 : loraScale(config, name, rank);
}

function readFinite(file: WeightFile, key: string): Tensor {
  const tensor = file.read(key);
  for (const value of tensor.data) {
    if (!Number.isFinite(value)) throw unusable(file.path, `finite numbers in ${key}`, value);
  }
  return tensor;
}

function unusable(path: string, expected: string, got: unknown): ModelError {
  return new ModelError(`Cannot use LoRA ${path}: expected ${expected}, got ${got}`, path);
}
