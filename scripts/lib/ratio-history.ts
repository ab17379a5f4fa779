/** The stored history of ratios: one JSON object a line, appended to on purpose. */

/** One measurement. */
export interface RatioEntry {
  /** Day, ISO 8601. */
  readonly date: string;
  /** Commit that was measured, abbreviated; ends in `+` where files were changed since. */
  readonly commit: string;
  readonly processor: string;
  readonly cores: number;
  readonly versions: { readonly node: string; readonly onnxruntime: string };
  /** By name; larger or smaller is better as {@link RATIOS} says. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** A ratio that is measured: what it is, and which way is better. */
export interface RatioKind {
  readonly title: string;
  readonly better: 'larger' | 'smaller';
}

/** The ratios, by name. */
export const RATIOS: Readonly<Record<string, RatioKind>> = {
  denoiserPeakShare: { title: 'denoiser, share of the sgemm peak', better: 'larger' },
  decoderPeakShare: { title: 'decoder, share of the sgemm peak', better: 'larger' },
  decodePerDenoise: { title: 'decoding a frame / denoising it in 4 steps', better: 'smaller' },
  exactSavings: { title: 'both guidance branches as published / as here', better: 'larger' },
  fastPerOriginal: { title: 'original’s denoising / the fast sampler’s', better: 'larger' },
  wallPerNetworks: { title: 'whole job / denoising and decoding', better: 'smaller' },
  jobPerSgemm: { title: 'whole job / matrix products of as many operations', better: 'smaller' },
};

/** Share of a ratio that repeated measurements differ by. */
const NOISE = 0.05;

/**
 * The entries of a history.
 *
 * @throws Error that names the first line that is none.
 */
export function parseHistory(text: string): RatioEntry[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    let entry: Partial<RatioEntry> | null;
    try {
      entry = JSON.parse(line) as Partial<RatioEntry> | null;
    } catch (cause) {
      throw new Error(`Cannot read the history: expected JSON in line ${index + 1}`, { cause });
    }
    const complete =
      typeof entry?.date === 'string' &&
      typeof entry.commit === 'string' &&
      typeof entry.processor === 'string' &&
      typeof entry.cores === 'number' &&
      typeof entry.versions === 'object' &&
      typeof entry.ratios === 'object' &&
      Object.values(entry.ratios).every(Number.isFinite);
    if (!complete) throw new Error(`Cannot read the history: expected an entry in line ${index + 1}`);
    return [entry as RatioEntry];
  });
}

/** The last entry of the same kind of machine: processor and number of cores. */
export function lastOfMachine(
  history: readonly RatioEntry[],
  { processor, cores }: Pick<RatioEntry, 'processor' | 'cores'>,
): RatioEntry | undefined {
  return history.findLast((entry) => entry.processor === processor && entry.cores === cores);
}

/** A ratio and the one before. */
export interface RatioChange {
  readonly name: string;
  readonly now: number;
  readonly before: number | undefined;
  readonly verdict: 'better' | 'worse' | 'same' | 'new';
}

/** Every ratio of `now`; what differs by less than repeated measurements do is the same. */
export function compareRatios(
  now: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>> = {},
): RatioChange[] {
  return Object.entries(now).map(([name, value]) => {
    const old = before[name];
    if (old === undefined) return { name, now: value, before: old, verdict: 'new' };
    const change = value / old - 1;
    if (Math.abs(change) <= NOISE) return { name, now: value, before: old, verdict: 'same' };
    const grew = change > 0;
    const better = grew === (RATIOS[name]?.better === 'larger');
    return { name, now: value, before: old, verdict: better ? 'better' : 'worse' };
  });
}
