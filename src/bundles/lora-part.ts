/** A LoRA that becomes part of a bundle. */
import { readFileSync } from 'node:fs';
import { ModelError } from '../errors.ts';
import type { BundleDescription, BundleFile } from '../models/bundle-description.ts';
import type { WeightSpec } from '../models/weight-reader.ts';
import { openLora } from '../weights/lora.ts';
import { withLoras } from '../weights/lora-merge.ts';
import { openWeights } from '../weights/open-weights.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { TensorToWrite } from '../weights/safetensors-writer.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import type { BundleFolder } from './bundle-folder.ts';
import { describeLoraMismatch } from './lora-warning.ts';

/** A LoRA that was found to fit. */
interface CheckedLora {
  readonly path: string;
  /** The adapter's settings file, which holds its scale. */
  readonly configPath: string | undefined;
  /** What the user should know. */
  noticesFor(description: BundleDescription): string[];
}

/** Of the weights of a network. */
type NamesAndShapes = readonly Pick<WeightSpec, 'key' | 'dims'>[];

/**
 * Opens a LoRA and compares its modules with the denoising UNet's weights; nothing of the network is read.
 *
 * @throws {@link ModelError} naming file and module if it does not fit.
 */
export function checkLora(path: string, weights: NamesAndShapes): CheckedLora {
  const lora = openLora(path);
  try {
    withLoras(namesOnly(weights), [{ lora, scale: 1 }]);
    const { notices, configPath } = lora;
    return {
      path,
      configPath,
      noticesFor: (description) => {
        const mismatch = describeLoraMismatch(lora, description);
        return [...notices, ...(mismatch === undefined ? [] : [mismatch])];
      },
    };
  } finally {
    lora.dispose();
  }
}

/** A network of which only names and shapes are known. */
function namesOnly(weights: NamesAndShapes): WeightSource {
  const shapes = new Map(weights.map(({ key, dims }) => [key, dims]));
  return {
    path: 'the denoising UNet',
    keys: () => shapes.keys(),
    has: (key) => shapes.has(key),
    info: (key) => ({ dims: shapes.get(key)!, dtype: 'F32' }),
    read: (key) => {
      throw new Error(`${key} is only listed`);
    },
  };
}

/**
 * Takes the file into the bundle: as it is if it is safetensors that say everything themselves; else rewritten, without a
 * pickle, and with the adapter's settings.
 */
export async function writeLora(
  bundle: BundleFolder,
  { path, configPath }: CheckedLora,
  signal: AbortSignal | undefined,
): Promise<BundleFile> {
  const file = 'lcm_lora.safetensors';
  if (configPath === undefined && isSafetensors(path)) return bundle.copyFile(path, file, signal);
  const weights = openWeights(path);
  try {
    const tensors = [...weights.keys()].map((key): TensorToWrite => {
      const { dims, dtype } = weights.info(key);
      return {
        name: key,
        dims,
        dtype: dtype === 'F16' || dtype === 'BF16' ? dtype : 'F32',
        read: () => weights.read(key).data,
      };
    });
    const metadata = {
      ...weights.metadata,
      ...(configPath !== undefined && { lora_adapter_metadata: readFileSync(configPath, 'utf8') }),
    };
    return await bundle.writeWeights(file, tensors, { metadata, signal });
  } finally {
    weights.dispose();
  }
}

function isSafetensors(path: string): boolean {
  try {
    openSafetensors(path).dispose();
    return true;
  } catch (error) {
    if (error instanceof ModelError) return false;
    throw error;
  }
}
