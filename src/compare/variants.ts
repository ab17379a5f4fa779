/** Who takes part in a comparison: the bundle's presets, with and without exact savings, and what the user adds. */
import { ModelError } from '../errors.ts';
import type { Bundle, BundlePreset } from '../models/bundle.ts';
import type { PrecisionChoice, PresetName } from '../models/bundle-terms.ts';
import { bundlePrecision, chooseSettings, guidanceBranches } from '../pipeline/resolve-sampling.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { VariantSettings } from './report.ts';
import { presetOf, type SweepSpec, type VariantSpec } from './variant-spec.ts';

/** A variant with the settings that its networks need. */
export interface Variant extends Omit<VariantSettings, 'loras'> {
  readonly loras: BundlePreset['loras'];
  /** Where the settings come from that are not its own. */
  readonly preset: PresetName;
  /** Evaluations of the denoiser for each step: guidance takes two, unless it is an input. */
  readonly branches: 1 | 2;
  /** Whether the kind of windows was asked for, and is not to be made like that of others. */
  readonly ownWindows: boolean;
}

/** The variants, and what of the wanted ones this bundle cannot show. */
interface ChosenVariants {
  readonly variants: readonly Variant[];
  readonly notes: readonly string[];
}

/** Names that reports and files use. */
export const ORIGINAL = 'original';
/** See {@link ORIGINAL}: the same settings, computed as AniPortrait's program does. */
export const PUBLISHED = 'original-as-published';
/** See {@link ORIGINAL}. */
export const FAST = 'fast';

const ORDINAL_ENDINGS: Readonly<Record<number, string>> = { 2: 'nd', 3: 'rd' };

function settingsTitle({
  sampler,
  steps,
  guidance,
  every,
  windows,
  precision,
}: Pick<Variant, 'sampler' | 'steps' | 'guidance' | 'every' | 'windows' | 'precision'>): string {
  const name = { lcm: 'LCM', ddim: 'DDIM', dpmsolver: 'DPM-Solver++', tcd: 'TCD', euler: 'Euler' }[sampler];
  const guided = guidance > 1 ? `, guidance ${guidance}` : '';
  const sparse = every > 1 ? `, every ${every}${ORDINAL_ENDINGS[every] ?? 'th'} frame` : '';
  const layout = windows === 'overlapping' ? '' : `, ${windows === 'loop' ? 'looped' : windows} windows`;
  return `${name}, ${steps} step${steps === 1 ? '' : 's'}${guided}${sparse}${layout}${precision ? `, ${precision}` : ''}`;
}

/** What becomes of a preset's precision where it cannot be had, or gains nothing. */
type PresetPrecision = (precision: PrecisionChoice) => PrecisionChoice;

/**
 * Chooses who takes part, the cheapest first: variants with few steps are finished first when the comparison is stopped.
 *
 * @param fused - LoRAs that are in the denoiser's weights already; see {@link fusedLoras}.
 * @param onDevice - what a preset's precision is on the device, so that presets are compared as they render there.
 * @throws {@link ModelError} if the bundle has nothing that could be compared.
 * @throws {@link InvalidOptionError} if a variant asks for a precision that the bundle does not have.
 */
export function chooseVariants(
  bundle: Bundle,
  added: readonly VariantSpec[],
  sweeps: readonly SweepSpec[],
  fused?: string,
  onDevice: PresetPrecision = (precision) => precision,
): ChosenVariants {
  const notes: string[] = [];
  if (fused !== undefined) {
    notes.push(
      `the denoiser of the bundle ${bundle.description.name} has ${fused} fused into it, and all variants run on it: ` +
        'its preset original is not what the bundle was made of; for that, compare the other bundle',
    );
  }
  const variants: Variant[] = [];
  const add = (
    id: string,
    label: string,
    given: Omit<Variant, 'id' | 'title' | 'branches' | 'form' | 'swept' | 'ownWindows'> & Partial<Variant>,
  ): void => {
    const form = 'lean' as const;
    const branches = guidanceBranches(bundle, given.guidance);
    const settings = { form, swept: false, ownWindows: given.windows === 'moving', ...given, branches };
    const same = variants.find((other) => other.form === settings.form && keyOf(other) === keyOf(settings));
    if (same !== undefined) {
      // A sweep passes through the preset itself, which is then a point of the sweep.
      if (settings.swept) variants[variants.indexOf(same)] = { ...same, swept: true };
      else notes.push(`${label} is the same as ${same.id} and was left out`);
      return;
    }
    const without = lacking.has(settings.preset) ? ', without its LoRA' : '';
    variants.push({ ...settings, id, title: settingsTitle(settings) + without });
  };
  /** A preset as a variant, with what a user says of it. */
  const settingsOf = (name: PresetName, preset: BundlePreset, spec: VariantSpec = {}) => {
    const chosen = chooseSettings(preset, { ...spec, denoiseEvery: spec.every });
    const { denoiseEvery: every, precision: _, ...settings } = chosen;
    const wanted = bundlePrecision(bundle, spec, preset, (note) => {
      if (!notes.includes(note)) notes.push(note);
    });
    const precision = spec.precision === undefined ? onDevice(wanted) : wanted;
    const own = precision === 'auto' ? {} : { precision };
    return { ...settings, every, loras: preset.loras, preset: name, ...own };
  };
  /** Presets whose LoRAs are not there. */
  const lacking = new Set<PresetName>();
  const usable = new Map<PresetName, BundlePreset>();
  for (const name of ['fast', 'faster', 'original'] as const) {
    const described = bundle.description.presets[name];
    // `faster` takes part only by name; notes on its LoRA are those on the LoRA of `fast`.
    const named = name === 'faster';
    if (described === undefined) {
      if (named) continue;
      notes.push(`the bundle ${bundle.description.name} has no preset ${name}: compared is what there is`);
      continue;
    }
    const gone = described.loras.filter(({ part }) => bundle.missing.has(part)).map(({ part }) => part);
    const preset = { ...described, loras: described.loras.filter(({ part }) => !gone.includes(part)) };
    if (gone.length > 0) {
      lacking.add(name);
      const alone = name !== 'original' && bundle.description.presets.original === undefined;
      if (!named) {
        notes.push(
          `the preset ${name} of the bundle ${bundle.description.name} names the LoRA ${gone.join(', ')}, which is not among the bundle's files: ` +
            (alone
              ? 'it was left out'
              : 'it is compared without, so its pictures are not what the preset promises'),
        );
      }
      if (alone) continue;
    } else if (name === 'fast' && preset.loras.length === 0 && fused === undefined) {
      notes.push(
        `the preset fast of the bundle ${bundle.description.name} has no LoRA: its few steps are those of the undistilled denoiser`,
      );
    }
    usable.set(name, preset);
    if (named) continue;
    const settings = settingsOf(name, preset);
    add(name, name, settings);
    if (name !== 'original') continue;
    if (guidanceBranches(bundle, preset.guidance) === 2) {
      add(PUBLISHED, PUBLISHED, { ...settings, form: 'published' });
      const last = variants.length - 1;
      variants[last] = { ...variants[last]!, title: `${variants[last]!.title}, as published` };
    } else {
      notes.push(
        'the preset original has no second branch for guidance: there are no exact savings to measure',
      );
    }
  }
  for (const spec of added) {
    const preset = usable.get(presetOf(spec));
    if (preset === undefined) {
      notes.push(`${JSON.stringify(spec)} starts from the preset ${presetOf(spec)} and was left out`);
      continue;
    }
    const settings = settingsOf(presetOf(spec), preset, spec);
    const { sampler, steps, guidance, every, windows } = settings;
    // A preset's precision is the processor's matter, and an id is the same everywhere.
    const precision = spec.precision === 'auto' ? undefined : spec.precision;
    const id = [
      `${sampler}-${steps}`,
      ...(guidance > 1 ? [`g${guidance}`] : []),
      ...(every > 1 ? [`every-${every}`] : []),
      ...(spec.windows === undefined ? [] : [windows]),
      ...(precision ? [precision] : []),
    ].join('-');
    add(uniqueId(id, variants), id, {
      ...settings,
      ownWindows: spec.windows !== undefined || windows === 'moving',
    });
  }
  const fast = usable.get('fast');
  for (const { setting, values } of sweeps) {
    if (fast === undefined) {
      notes.push(`the sweep of ${setting} starts from the preset fast and was left out`);
      continue;
    }
    for (const value of values) {
      const swept = { ...settingsOf('fast', fast), [setting]: value, swept: true };
      add(uniqueId(`fast-${setting}-${value}`, variants), `fast with ${setting} ${value}`, swept);
    }
  }
  if (variants.length === 0) {
    throw new ModelError(
      `Cannot compare with bundle ${bundle.description.name}: expected the preset original, or fast with its LoRA, got neither`,
      bundle.folder,
    );
  }
  const cost = ({ steps, branches, every, form }: Variant): number =>
    ((steps * branches) / every) * (form === 'published' ? 1.5 : 1);
  return { variants: variants.sort((a, b) => cost(a) - cost(b)), notes };
}

/** What `models fuse` has merged into a bundle's denoiser, as its file says. */
export function fusedLoras(bundle: Bundle): string | undefined {
  const file = openSafetensors(bundle.pathOf('denoisingUnet'));
  try {
    return file.metadata.fused;
  } finally {
    file.dispose();
  }
}

function keyOf({
  sampler,
  steps,
  guidance,
  every,
  windows,
  loras,
  precision,
}: Omit<Variant, 'id' | 'title'>): string {
  return JSON.stringify([sampler, steps, guidance, every, windows, loras, precision]);
}

function uniqueId(id: string, variants: readonly Variant[]): string {
  const taken = new Set(variants.map((variant) => variant.id));
  let free = id;
  for (let i = 2; taken.has(free); i++) free = `${id}-${i}`;
  return free;
}
