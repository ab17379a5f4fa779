/** Samplers against each other on one clip: the same seed, noise and frames in one process, in turns; then the report. */

import { countWindowSteps } from '../denoising/context-windows.ts';
import { devicePrecision } from '../networks/check-precision.ts';
import { releasePose } from '../networks/clip-networks.ts';
import { choiceKey } from '../networks/networks-cache.ts';
import { networksOf } from '../pipeline/job-networks.ts';
import { openNamedBundle } from '../pipeline/machine-places.ts';
import { countPoseRuns, type Job } from '../pipeline/open-job.ts';
import type { PreparedClip } from '../pipeline/prepare-clip.ts';
import { Studio } from '../pipeline/studio.ts';
import { secondsSince } from './clock.ts';
import { type CommonWindows, commonWindows } from './common-windows.ts';
import {
  type CompareOptions,
  clipOptionsOf,
  type ResolvedCompareOptions,
  resolveCompareOptions,
} from './compare-options.ts';
import { assertSpace } from './frame-spool.ts';
import { type MatrixLimit, measureMatrixLimit } from './matrix-limit.ts';
import { warmUp } from './measure-render.ts';
import { RenderRounds } from './render-rounds.ts';
import type { CompareReport } from './report.ts';
import { REPORT_FILES, ReportFolder } from './report-folder.ts';
import { type LoadWatch, loadNetworks, samplingOf, type VariantRun, warmDisk } from './variant-run.ts';
import { chooseVariants, fusedLoras, ORIGINAL, PUBLISHED, type Variant } from './variants.ts';
import { evaluationsOf } from './work.ts';
import { writeReport } from './write-report.ts';

/**
 * Compares the bundle's presets `original` (with and without exact savings) and `fast`, and what else is asked for, and writes
 * `report.json`, `report.html`, `side-by-side.mp4` and a video of each variant.
 *
 * Ctrl-C, that is `signal`: if a variant has finished a repeat by then, the report is written with what was finished, and only
 * then does the promise reject; the last notice says so. Without `keepStopped` it rejects at once, and nothing is written.
 *
 * @throws {@link InvalidOptionsError} that names all options that are wrong.
 * @throws {@link MediaError} if a file cannot be read or written, or the folder is in use or holds a report.
 * @throws {@link FaceError} if the portrait has no face that can be animated.
 * @throws {@link ModelError} if the bundle is damaged or has nothing to compare.
 * @throws {@link EnvironmentError} if there is no ffmpeg, or the named device does not work.
 * @throws {@link NumericalError} if a denoiser's output is not finite.
 * @throws `signal.reason` if it aborts.
 * @example
 * const report = await compare({ portrait: 'face.jpg', audio: 'speech.wav', output: 'report' });
 * report.comparisons.find(({ of }) => of === 'fast')?.speedUp.denoise.median; // 12.3
 */
export async function compare(options: CompareOptions): Promise<CompareReport> {
  const resolved = resolveCompareOptions(options);
  const { signal } = resolved;
  signal?.throwIfAborted();
  const bundle = await openNamedBundle(resolved);
  const notice = (message: string): void => resolved.onProgress?.({ type: 'notice', message });
  const folder = await ReportFolder.open(resolved.output, { force: resolved.overwrite });
  const studio = new Studio({
    ...(resolved.device !== undefined && { device: resolved.device }),
    ...(resolved.threads !== undefined && { threads: resolved.threads }),
    onNotice: notice,
  });
  let clip: PreparedClip | undefined;
  let rounds: RenderRounds | undefined;
  let variantRuns: readonly VariantRun[] = [];
  try {
    const engine = await studio.denoisingEngine();
    const { variants, notes } = chooseVariants(
      bundle,
      resolved.variants,
      resolved.sweeps,
      fusedLoras(bundle),
      (precision) => devicePrecision(precision, {}, engine, notice),
    );
    for (const note of notes) notice(note);
    resolved.onProgress?.({ type: 'stage', stage: 'prepare' });
    clip = await studio.prepare(await prepareOptions(resolved, folder, variants, notice));
    const common = commonWindows(clip.job, variants);
    const job = { ...clip.job, ...common.framesOf({ ...variants.at(-1)!, every: 1 }) };
    clip = { ...clip, job };
    const { scene } = clip;
    await assertSpace(folder.path, scene.width * scene.height * 3 * job.frames * variants.length);
    const ownNotes = [...common.notes, ...clipNotes(job)];
    for (const note of ownNotes) notice(note);

    resolved.onProgress?.({ type: 'stage', stage: 'load' });
    const limit: MatrixLimit = await measureMatrixLimit(engine, engine.precision, signal);
    variantRuns = await enter(studio, clip, variants, common.framesOf, { signal, onNotice: notice });
    const expected = await warmAll(clip, variantRuns, resolved);
    rounds = new RenderRounds({ clip, variantRuns, folder, options: resolved, expectedSeconds: expected });
    await rounds.run();
    if (!resolved.keepStopped) signal?.throwIfAborted();
    const report = await writeReport({
      clip,
      variantRuns,
      folder,
      limit,
      notes: [...notes, ...ownNotes],
      options: resolved,
      studio,
    });
    const unfinished = report.unfinished.length;
    if (signal?.aborted) {
      notice(
        report.variants.length === 0
          ? 'stopped before anything was finished: there is no report'
          : `stopped: ${folder.path} holds what was finished, ${report.variants.map(({ id }) => id).join(', ')}` +
              (unfinished > 0 ? `; unfinished: ${report.unfinished.map(({ id }) => id).join(', ')}` : ''),
      );
      throw signal.reason;
    }
    return report;
  } finally {
    for (const { frames, loaded } of variantRuns) {
      await frames?.dispose();
      await loaded.release();
    }
    await rounds?.dispose();
    await clip?.dispose();
    await studio.dispose();
    await folder.discardDrafts();
    folder.release();
    await folder.removeIfEmpty();
  }
}

/** What the studio is asked for; any preset that the bundle has will do, as variants bring their own settings. */
async function prepareOptions(
  options: ResolvedCompareOptions,
  folder: ReportFolder,
  variants: readonly Variant[],
  notice: (message: string) => void,
) {
  const { device: _, threads: __, ...clip } = clipOptionsOf(options);
  return {
    ...clip,
    preset: variants.some(({ id }) => id === ORIGINAL) ? ('original' as const) : ('fast' as const),
    output: await folder.pathOf(REPORT_FILES.sideBySide),
    overwrite: true,
    onProgress: (event: { readonly type: string; readonly message?: string }): void => {
      if (event.type === 'notice' && event.message !== undefined) notice(event.message);
    },
  };
}

function clipNotes({ frames, bundle }: Job): string[] {
  const { contextFrames } = bundle.description;
  return frames < contextFrames
    ? [
        `the clip has ${frames} frames, fewer than a window of ${contextFrames}: one short window; start-up weighs more in its times than in those of longer clips`,
      ]
    : [];
}

async function enter(
  studio: Studio,
  clip: PreparedClip,
  variants: readonly Variant[],
  framesOf: CommonWindows['framesOf'],
  { signal, onNotice }: LoadWatch,
): Promise<VariantRun[]> {
  const { bundle } = clip.job;
  await warmDisk(bundle);
  const variantRuns: VariantRun[] = [];
  const seconds = new Map<string, number>();
  try {
    for (const variant of variants) {
      signal?.throwIfAborted();
      const sampling = samplingOf(bundle, variant);
      const job = { ...clip.job, ...framesOf(variant), sampling };
      // Runs are timed one by one: at the same time, each would seem to take as long as two.
      const alone = { signal, onNotice, oneAtATime: true };
      const loaded = await loadNetworks(studio, job, variant, sampling, alone);
      // Who shares networks with an earlier variant would have had to load them just the same.
      const key = `${variant.form} ${variant.precision} ${choiceKey({ ...networksOf(job), oneAtATime: true })}`;
      if (!seconds.has(key)) seconds.set(key, loaded.seconds);
      variantRuns.push({
        variant,
        job,
        sampling,
        loaded: { ...loaded, seconds: seconds.get(key)! },
        repeats: [],
        evaluationsDone: 0,
        frames: undefined,
        latents: variant.id === ORIGINAL || variant.id === PUBLISHED ? [] : undefined,
      });
    }
    return variantRuns;
  } catch (error) {
    for (const { loaded } of variantRuns) await loaded.release();
    throw error;
  }
}

/** Windows that an estimate is made of, at most, and the seconds that are spent on it for each variant. */
const PROBE_RUNS = 4;
const PROBE_SECONDS = 3;

/** Runs everything once; tells what the rounds will take, in seconds. */
async function warmAll(
  { scene }: PreparedClip,
  variantRuns: readonly VariantRun[],
  { repeats, wholeJob, signal, onProgress }: ResolvedCompareOptions,
): Promise<number> {
  let expected = 0;
  for (const { job, sampling, loaded } of variantRuns) {
    signal?.throwIfAborted();
    const { scheduler, branches } = sampling;
    await warmUp({ job, scene, networks: loaded.networks, sampling });
    const [channels, height, width] = loaded.networks.frameShape;
    const { frames } = job.windows[0]![0]!;
    const dims = [1, channels, frames.length, height, width];
    let step = Number.POSITIVE_INFINITY;
    let posing = Number.POSITIVE_INFINITY;
    // The quickest of some: the first runs of a network, and moments when others work, are no measure of the rest.
    for (let run = 0, spent = 0; run < PROBE_RUNS && spent < PROBE_SECONDS; run++) {
      const begin = performance.now();
      const pose = await loaded.networks.poseFeatures(
        await Promise.all(frames.map((index) => scene.conditions(job.denoisedFrames[index]!))),
      );
      const start = performance.now();
      const latents = { data: new Float32Array(channels * frames.length * height * width), dims };
      await loaded.networks.denoise('conditional', latents, scheduler.timesteps[0]!, pose);
      if (branches === 2) {
        await loaded.networks.denoise('unconditional', latents, scheduler.timesteps[0]!, pose);
      }
      releasePose(pose);
      step = Math.min(step, secondsSince(start));
      posing = Math.min(posing, (start - begin) / 1000);
      spent += secondsSince(begin);
    }
    expected += countPoseRuns(job) * posing + countWindowSteps(job.windows) * step;
  }
  const seconds = expected * repeats * (wholeJob ? 2 : 1);
  const evaluations = variantRuns.reduce((sum, variantRun) => sum + evaluationsOf(variantRun), 0);
  onProgress?.({
    type: 'notice',
    message: `${evaluations} evaluations of the denoiser, ${repeats} times: about ${seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`} and the rest of the work`,
  });
  return seconds;
}
