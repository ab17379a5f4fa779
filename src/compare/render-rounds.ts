/** The measured rounds of a comparison: in each, every variant renders the clip, in turns with the others. */
import type { PreparedClip } from '../pipeline/prepare-clip.ts';
import { remainingSeconds } from '../pipeline/progress.ts';
import { secondsSince } from './clock.ts';
import { clipOptionsOf, type ResolvedCompareOptions } from './compare-options.ts';
import { FrameSpool } from './frame-spool.ts';
import { measureRender, type RenderTimes } from './measure-render.ts';
import type { ReportFolder } from './report-folder.ts';
import { takeTurns } from './take-turns.ts';
import type { VariantRun } from './variant-run.ts';
import { timeWholeJob } from './whole-job.ts';
import { evaluationsOf } from './work.ts';
import { encodeClip } from './write-videos.ts';

/** The pace is known when this share is done; what is expected counts until then. */
const PACED_FROM = 0.02;

/** What {@link RenderRounds} works on. */
interface RenderRoundsOptions {
  readonly clip: PreparedClip;
  readonly variantRuns: readonly VariantRun[];
  readonly folder: ReportFolder;
  readonly options: ResolvedCompareOptions;
  readonly expectedSeconds: number;
}

/** Measures all repeats; what was finished when the signal aborts stays in the runs. */
export class RenderRounds {
  readonly #parts: RenderRoundsOptions;
  readonly #total: number;
  #done = 0;
  readonly #begin = performance.now();
  readonly #begun: FrameSpool[] = [];

  constructor(parts: RenderRoundsOptions) {
    this.#parts = parts;
    const { variantRuns, options } = parts;
    this.#total =
      options.repeats * variantRuns.reduce((sum, variantRun) => sum + evaluationsOf(variantRun), 0);
  }

  /** @throws {@link NumericalError} if a denoiser's output is not finite. */
  async run(): Promise<void> {
    const { variantRuns, options } = this.#parts;
    const { repeats, wholeJob, signal, onProgress } = options;
    for (let repeat = 0; repeat < repeats; repeat++) {
      onProgress?.({ type: 'stage', stage: 'render' });
      await this.#round(repeat);
      if (signal?.aborted) return;
      if (!wholeJob) continue;
      onProgress?.({ type: 'stage', stage: 'whole-job' });
      for (const variantRun of variantRuns) {
        try {
          await this.#wholeJob(variantRun, repeat);
        } catch (error) {
          if (signal?.aborted) return;
          throw error;
        }
      }
    }
  }

  async #round(repeat: number): Promise<void> {
    const { variantRuns, clip, folder, options } = this.#parts;
    const { signal } = options;
    const { scene } = clip;
    const finished: (RenderTimes | undefined)[] = variantRuns.map(() => undefined);
    const spools: (FrameSpool | undefined)[] = variantRuns.map(() => undefined);
    const results = await takeTurns(
      variantRuns.map((variantRun, index) => async (pass) => {
        const { variant, job, sampling, loaded } = variantRun;
        variantRun.evaluationsDone = 0;
        const file = await folder.temporary(`frames-${variant.id}-${repeat}`);
        const spool = await FrameSpool.open(file, { width: scene.width, height: scene.height });
        spools[index] = spool;
        this.#begun.push(spool);
        const { branches } = sampling;
        finished[index] = await measureRender({
          job,
          scene,
          pass,
          signal,
          networks: loaded.networks,
          sampling,
          onStep: () => {
            variantRun.evaluationsDone += branches;
            this.#count(branches);
          },
          onFrame: async (picture, latents) => {
            await spool.add(picture);
            if (repeat === 0 && latents !== undefined) variantRun.latents?.push(latents.slice());
          },
        });
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined && !signal?.aborted) throw failed.reason;

    // What is finished is finished, also after an abort: it gets its video and counts.
    for (const [index, variantRun] of variantRuns.entries()) {
      const [times, spool] = [finished[index], spools[index]];
      if (times === undefined || spool === undefined) continue;
      const encode = await this.#encode(variantRun, spool);
      variantRun.repeats.push({ ...times, encode });
      if (repeat === 0) variantRun.frames = spool;
      else await spool.dispose();
    }
  }

  async #encode({ variant }: VariantRun, frames: FrameSpool): Promise<number> {
    const { clip, folder } = this.#parts;
    const { job } = clip;
    return encodeClip(await folder.draftOf(variant.id), frames, {
      ffmpeg: job.ffmpeg,
      fps: job.fps,
      sound: job.sound,
      comment: `lcm-portrait compare, ${variant.title}, seed ${job.options.seed}`,
    });
  }

  async #wholeJob({ variant, job: planned, repeats }: VariantRun, repeat: number): Promise<void> {
    const { folder, options, clip } = this.#parts;
    const output = await folder.temporary(`whole-job-${variant.id}.mp4`);
    const shared = clipOptionsOf(options);
    const job = { ...shared, output, overwrite: true, preset: clip.job.options.preset };
    const seconds = await timeWholeJob(job, variant, planned);
    const measured = repeats[repeat];
    if (measured !== undefined) measured.wholeJob = seconds;
  }

  #count(evaluations: number): void {
    this.#done += evaluations;
    const work = { elapsed: secondsSince(this.#begin), before: 0, done: this.#done, total: this.#total };
    const fraction = work.done / work.total;
    // The first evaluations say little of the pace.
    const paced = fraction > PACED_FROM ? remainingSeconds(work) : undefined;
    this.#parts.options.onProgress?.({
      type: 'evaluations',
      done: work.done,
      total: work.total,
      fraction,
      remaining: paced ?? this.#parts.expectedSeconds,
    });
  }

  /** Removes all frames; may be called twice. */
  async dispose(): Promise<void> {
    for (const spool of this.#begun) await spool.dispose();
  }
}
