/** A variant with its networks loaded, and what is measured of it from repeat to repeat. */
import { createReadStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { type Bundle, filesOf, loraFilesOf } from '../models/bundle.ts';
import type { ClipNetworks } from '../networks/clip-networks.ts';
import { networksOf } from '../pipeline/job-networks.ts';
import type { Job } from '../pipeline/open-job.ts';
import { type Sampling, samplingWith } from '../pipeline/resolve-sampling.ts';
import type { Studio } from '../pipeline/studio.ts';
import { secondsSince } from './clock.ts';
import type { FrameSpool } from './frame-spool.ts';
import type { RenderTimes } from './measure-render.ts';
import { PublishedNetworks } from './published-networks.ts';
import type { Variant } from './variants.ts';

const READ_BYTES = 1 << 20;

/** One repeat of one variant. */
interface Repeat extends RenderTimes {
  encode: number;
  /** If asked for. */
  wholeJob?: number;
}

/** Networks, and the seconds that loading them took. */
interface LoadedNetworks {
  readonly networks: ClipNetworks;
  readonly seconds: number;
  release(): Promise<void>;
}

/** A variant in the ring. */
export interface VariantRun {
  readonly variant: Variant;
  /** The clip with this variant's sampling, denoised frames and windows. */
  readonly job: Job;
  readonly sampling: Sampling;
  readonly loaded: LoadedNetworks;
  readonly repeats: Repeat[];
  /** Evaluations done in the repeat that is running. */
  evaluationsDone: number;
  /** Of the first repeat. */
  frames: FrameSpool | undefined;
  /** Clean latents by frame, of the first repeat; only where equality is to be shown. */
  latents: Float32Array[] | undefined;
}

/** The sampler of a variant. */
export function samplingOf(bundle: Bundle, variant: Variant): Sampling {
  const { sampler, steps, guidance, windows, every: denoiseEvery, precision = 'auto' } = variant;
  const loras = loraFilesOf(bundle, variant);
  const settings = { sampler, steps, guidance, windows, denoiseEvery, precision } as const;
  return samplingWith(bundle, variant.preset, settings, loras);
}

/** Reads the bundle's files once, so that no variant pays for a disk that has not seen them. */
export async function warmDisk(bundle: Bundle): Promise<void> {
  for (const [part] of filesOf(bundle)) {
    // In pieces: Node.js reads no file of 2 GiB and more at once.
    await finished(createReadStream(bundle.pathOf(part), { highWaterMark: READ_BYTES }).resume());
  }
}

/** Who follows the loading of networks. */
export interface LoadWatch {
  readonly signal?: AbortSignal | undefined;
  /** Called with the networks that went over from half precision to float32. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /** See {@link NetworksChoice}. @defaultValue as in a job of its own */
  readonly oneAtATime?: boolean;
}

/**
 * Loads what one variant needs into the studio's engines; networks that another one holds already are shared and cost no time.
 *
 * @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph.
 */
export async function loadNetworks(
  studio: Studio,
  job: Job,
  { form }: Variant,
  sampling: Sampling,
  { signal, onNotice, oneAtATime = form !== 'lean' }: LoadWatch,
): Promise<LoadedNetworks> {
  const own = networksOf({ ...job, sampling });
  const choice = oneAtATime ? { ...own, oneAtATime } : own;
  const begin = performance.now();
  const lease = await studio.loadNetworks(choice, signal);
  const leanSeconds = secondsSince(begin);
  if (form === 'lean')
    return { networks: lease.networks, seconds: leanSeconds, release: () => lease.release() };
  try {
    const start = performance.now();
    const engine = await studio.denoisingEngine();
    const { bundle, windowFrames } = choice;
    const networks = await PublishedNetworks.load({
      bundle,
      windowFrames,
      loras: sampling.loras,
      engine,
      lean: lease.networks,
      onNotice,
      signal,
    });
    const release = async (): Promise<void> => {
      await networks.dispose();
      await lease.release();
    };
    return { networks, seconds: secondsSince(start), release };
  } catch (error) {
    await lease.release();
    throw error;
  }
}
