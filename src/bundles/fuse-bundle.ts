/**
 * Makes a bundle whose denoising UNet has LoRAs in its weights. They are for one preset, and for those that have the same
 * LoRAs; the others would silently become other networks than they say they are, so the new bundle does not have them.
 */
import path from 'node:path';
import { InvalidOptionError } from '../errors.ts';
import { type Bundle, filesOf, loraFilesOf } from '../models/bundle.ts';
import type {
  BundleDescription,
  BundleFile,
  BundlePart,
  BundlePreset,
} from '../models/bundle-description.ts';
import type { PresetName } from '../models/bundle-terms.ts';
import { elementCount } from '../tensor/tensor.ts';
import { type LoraAdapter, type LoraFile, openLora } from '../weights/lora.ts';
import { withLoras } from '../weights/lora-merge.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { TensorToWrite } from '../weights/safetensors-writer.ts';
import { alreadyThere, BundleFolder, type CreateFile, exists } from './bundle-folder.ts';
import { assertBundleName } from './bundle-store.ts';
import type { ImportProgress, ImportResult, SamplerSettings } from './import-aniportrait.ts';
import { describeLoraMismatch } from './lora-warning.ts';

/** Options of {@link fuseBundle}. */
export interface FuseOptions {
  readonly store: string;
  /** Of the bundle that is made. */
  readonly name: string;
  /** LoRAs to merge, each with its scale. */
  readonly loras?: readonly LoraFile[];
  /**
   * A preset whose own LoRAs are merged, too; it is kept, and those with the same LoRAs. @defaultValue none; `fast` and those are
   * kept
   */
  readonly preset?: PresetName | undefined;
  /** Stores the fused weights in half precision. @defaultValue as they are in the bundle */
  readonly half?: boolean;
  /** How the preset `fast`, and others with its LoRAs, sample from now on, if it is kept. @defaultValue as in the bundle */
  readonly fast?: SamplerSettings | undefined;
  /** @defaultValue false */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ImportProgress) => void) | undefined;
  /** Opens files to write. @defaultValue new files on the disk */
  readonly createFile?: CreateFile;
}

/**
 * Merges LoRAs into a bundle's denoising UNet and writes the result as a new bundle. The sum of base and products is
 * computed in double precision and rounded to the stored type by way of float32. The other files are shared or copied; a
 * notice names the preset that is left out.
 *
 * @throws {@link InvalidOptionError} if there is nothing to fuse, or nothing that the settings of `fast` are for.
 * @throws {@link ModelError} if a LoRA does not fit.
 * @throws {@link EnvironmentError} if the disk is full or cannot be written. Nothing is left then.
 */
export async function fuseBundle(bundle: Bundle, options: FuseOptions): Promise<ImportResult> {
  const { store, name, loras = [], preset, overwrite = false, signal, onProgress, createFile } = options;
  await assertBundleName('name', name);
  const target = path.join(store, name);
  if (!overwrite && (await exists(target))) throw alreadyThere(name, target);
  const { presets } = bundle.description;
  const kept = keptPreset(bundle, options);
  const own = preset === undefined ? [] : (presets[preset]?.loras ?? []);
  const all = [...loraFilesOf(bundle, { loras: own }), ...loras];
  if (all.length === 0) {
    throw new InvalidOptionError(
      'Cannot fuse: expected a LoRA, or a preset that has one, got none',
      'lora',
      undefined,
    );
  }
  const adapters: LoraAdapter[] = [];
  const base = openSafetensors(bundle.pathOf('denoisingUnet'));
  try {
    for (const lora of all) adapters.push(openLora(lora.path));
    for (const adapter of adapters.slice(own.length)) {
      const message = describeLoraMismatch(adapter, bundle.description);
      if (message !== undefined) onProgress?.({ type: 'notice', message });
    }
    const keptToo = presetsLike(kept, presets);
    for (const left of Object.keys(presets)) {
      if (!keptToo.includes(left as PresetName))
        onProgress?.({ type: 'notice', message: leftOut(name, left, bundle) });
    }
    if (loras.length > 0 && bundle.description.files.calibration !== undefined) {
      const message = `bundle ${name} has no calibration for int8: its networks are others than those that were measured; lcm-portrait models calibrate ${name} measures again`;
      onProgress?.({ type: 'notice', message });
    }
    const fused = withLoras(
      base,
      adapters.map((lora, i) => ({ lora, scale: all[i]!.scale })),
    );
    const tensors = [...fused.keys()].map((key): TensorToWrite => {
      const { dims, dtype } = fused.info(key);
      const kept = dtype === 'F16' || dtype === 'BF16' ? dtype : 'F32';
      return { name: key, dims, dtype: options.half ? 'F16' : kept, read: () => fused.read(key).data };
    });
    const total = tensors.reduce(
      (sum, { dims, dtype }) => sum + elementCount(dims) * (dtype === 'F32' ? 4 : 2),
      0,
    );
    const folder = await BundleFolder.begin(store, name, total, createFile);
    try {
      const files: Partial<Record<BundlePart, BundleFile>> = { ...bundle.description.files };
      const denoisingUnet = files.denoisingUnet!;
      delete files.denoisingUnet;
      // Measured on other activations than the fused network has.
      if (loras.length > 0) delete files.calibration;
      const fusedPresets = Object.fromEntries(
        keptToo.map((name) => [name, withoutFused(presets[name]!, own, options.fast)]),
      );
      const adapterParts = Object.values(presets).flatMap(({ loras: list }) => list.map(({ part }) => part));
      for (const part of adapterParts) {
        if (!fusedPresets[kept]!.loras.some((lora) => lora.part === part)) delete files[part];
      }
      let done = 0;
      const written = await folder.writeWeights(denoisingUnet.path, tensors, {
        metadata: {
          ...base.metadata,
          fused: all.map((lora) => `${path.basename(lora.path)}:${lora.scale}`).join(' '),
        },
        signal,
        onBytes: (bytes) => {
          done += bytes;
          onProgress?.({ type: 'bytes', done, total: Math.max(total, done), network: 'denoising UNet' });
        },
      });
      for (const [part, file] of filesOf(bundle)) {
        if (files[part] !== undefined) await folder.takeFile(bundle.pathOf(part), file);
      }
      const description: BundleDescription = {
        ...bundle.description,
        name,
        description: `${bundle.description.description} Fused with ${all.map(({ path: file }) => path.basename(file)).join(', ')}.`,
        presets: fusedPresets,
        files: { ...files, denoisingUnet: { ...denoisingUnet, ...written } },
      };
      const made = await folder.finish(description, overwrite);
      const bytes = Object.values(description.files).reduce((sum, file) => sum + file.bytes, 0);
      return { name, folder: made, bytes, description };
    } finally {
      await folder.discard();
    }
  } finally {
    for (const adapter of adapters) adapter.dispose();
    base.dispose();
  }
}

/** The preset that the fused weights are for. */
function keptPreset({ description }: Bundle, { preset, fast }: FuseOptions): PresetName {
  const { name, presets } = description;
  const kept = preset ?? (presets.fast === undefined ? 'original' : 'fast');
  if (presets[kept] === undefined) {
    const problem = { expected: `one of bundle ${name}, ${Object.keys(presets).join(', ')}`, got: kept };
    throw new InvalidOptionError(problem, 'preset', kept);
  }
  if (fast !== undefined && !presetsLike(kept, presets).includes('fast')) {
    const problem = { expected: 'a bundle that keeps the preset fast', got: `one fused for ${kept}` };
    throw new InvalidOptionError(problem, 'fast', fast);
  }
  return kept;
}

/** A preset's name and those of presets with the same LoRAs; `original` is what nothing is merged into, and stands alone. */
function presetsLike(name: PresetName, presets: BundleDescription['presets']): PresetName[] {
  const lorasOf = (preset: PresetName): string => JSON.stringify(presets[preset]?.loras);
  const names = Object.keys(presets) as PresetName[];
  return names.filter(
    (other) =>
      other === name || (other !== 'original' && name !== 'original' && lorasOf(other) === lorasOf(name)),
  );
}

function leftOut(name: string, preset: string, { description, folder }: Bundle): string {
  const samplers = description.presets[preset as PresetName]!;
  return (
    `bundle ${name} has no preset ${preset}: with these LoRAs in its weights it would not be the network that it was; ` +
    `bundle ${description.name} in ${folder} still has it (the sampler alone: --sampler ${samplers.sampler} --steps ` +
    `${samplers.steps} --guidance ${samplers.guidance})`
  );
}

/** A preset without the LoRAs that are in the weights now. */
function withoutFused(
  preset: BundlePreset,
  own: BundlePreset['loras'],
  fast: SamplerSettings | undefined,
): BundlePreset {
  const loras = preset.loras.filter(({ part }) => !own.some((fused) => fused.part === part));
  return { ...preset, ...fast, loras };
}
