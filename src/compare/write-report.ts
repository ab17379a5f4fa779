/** Turns what was measured into the report's files. */
import { readFile, stat } from 'node:fs/promises';
import { countWindowSteps } from '../denoising/context-windows.ts';
import { FaceEmbedder } from '../face/face-embedding.ts';
import { FaceFinder } from '../face/face-finder.ts';
import { pageStyle } from '../html/page.ts';
import { type Box, boxAround, unionOf } from '../metrics/picture.ts';
import { spreadOf } from '../metrics/series.ts';
import { voiceOf } from '../pipeline/motion-inputs.ts';
import { countDecoded, countPoseRuns } from '../pipeline/open-job.ts';
import type { PreparedClip } from '../pipeline/prepare-clip.ts';
import { shownFile } from '../pipeline/resolve-options.ts';
import type { Studio } from '../pipeline/studio.ts';
import { Engine } from '../runtime/engine.ts';
import type { DrivenFace } from '../scene/framed-face.ts';
import type { Scene } from '../scene/scene.ts';
import type { ResolvedCompareOptions } from './compare-options.ts';
import { comparePictures } from './compare-pictures.ts';
import { drawStrip } from './draw-strip.ts';
import { embedShownPerson } from './embed-shown-person.ts';
import { examineMachine } from './machine-facts.ts';
import type { MatrixLimit } from './matrix-limit.ts';
import { type ClipFindings, findInClip } from './measure-clip.ts';
import { type PageVideo, reportPage } from './page/report-page.ts';
import { SCRIPT, STYLE } from './page/style.ts';
import {
  type CompareReport,
  type Comparison,
  REPORT_SCHEMA,
  REPORT_VERSION,
  TIMED_STAGES,
  type TimedStage,
  type VariantReport,
  type VariantSettings,
} from './report.ts';
import { REPORT_FILES, type ReportFolder, videoOf } from './report-folder.ts';
import type { VariantRun } from './variant-run.ts';
import { FAST, ORIGINAL, PUBLISHED } from './variants.ts';
import { evaluationsOf, networkWork, variantWork } from './work.ts';
import { writeSideBySide } from './write-videos.ts';

/** What {@link writeReport} is made of. */
interface ReportParts {
  readonly clip: PreparedClip;
  readonly variantRuns: readonly VariantRun[];
  readonly folder: ReportFolder;
  readonly limit: MatrixLimit;
  readonly notes: readonly string[];
  readonly options: ResolvedCompareOptions;
  readonly studio: Studio;
}

/** How far the face's box reaches beyond its landmarks, in its own size. */
const FACE_MARGIN = 0.06;
/** Videos that are larger together are linked, not embedded. */
const MAX_EMBEDDED_BYTES = 48e6;

/** A variant with its frames and what was seen in them. */
interface Measured {
  readonly variantRun: VariantRun;
  readonly findings: ClipFindings;
}

/** Where the face is over the whole clip. */
function faceBox(driven: readonly DrivenFace[], { width, height }: Scene): Box {
  const boxes = driven.map(({ landmarks }) => boxAround(landmarks, 2, FACE_MARGIN));
  const all = boxes.reduce(unionOf);
  return {
    left: Math.max(0, Math.floor(all.left)),
    top: Math.max(0, Math.floor(all.top)),
    right: Math.min(width, Math.ceil(all.right)),
    bottom: Math.min(height, Math.ceil(all.bottom)),
  };
}

function settingsOf({ variant }: VariantRun): VariantSettings {
  const { preset: _, branches: __, ownWindows: ___, ...settings } = variant;
  return { ...settings, loras: variant.loras.map(({ part, scale }) => `${part} × ${scale}`) };
}

/** Seconds of a stage in one repeat; what comes once for all is the same in each. */
function stageSeconds(parts: ReportParts, { repeats, loaded }: VariantRun, stage: TimedStage): number[] {
  const { prepare, motion } = parts.clip.watch.report();
  switch (stage) {
    case 'prepare':
      return repeats.map(() => prepare + motion);
    case 'load':
      return repeats.map(() => loaded.seconds);
    default:
      return repeats.map((repeat) => repeat[stage]);
  }
}

function totals(parts: ReportParts, variantRun: VariantRun): number[] {
  return variantRun.repeats.map((_, i) =>
    TIMED_STAGES.reduce((sum, stage) => sum + stageSeconds(parts, variantRun, stage)[i]!, 0),
  );
}

function variantReport(parts: ReportParts, { variantRun, findings }: Measured): VariantReport {
  const { limit } = parts;
  const { variant, job, repeats, loaded } = variantRun;
  const size = {
    frames: countDecoded(job),
    windowSteps: countWindowSteps(job.windows),
    poseRuns: countPoseRuns(job),
    windowFrames: job.windows[0]![0]!.frames.length,
    decodeFrames: loaded.networks.decodeFrames,
  };
  const network = networkWork(job.bundle.description, size);
  const work = variantWork(variant, network, size);
  const runs = repeats.flatMap((repeat) => repeat.runs);
  const runWork = work.denoise / (repeats[0]?.runs.length ?? 1);
  const seconds = repeats.map(
    (repeat) => repeat.runs.reduce((sum, value) => sum + value, 0) / repeat.runs.length,
  );
  const denoiserFlops = runWork / spreadOf(seconds).median;
  const wholeJobs = repeats.flatMap(({ wholeJob }) => wholeJob ?? []);
  const times = Object.fromEntries(
    TIMED_STAGES.map((stage) => [stage, spreadOf(stageSeconds(parts, variantRun, stage))]),
  ) as Record<TimedStage, ReturnType<typeof spreadOf>>;
  const { mouth, flicker, drivingLandmarkDistance, missingFaces, identity } = findings;
  return {
    ...settingsOf(variantRun),
    denoiserEvaluations: evaluationsOf(variantRun),
    work,
    repeats: repeats.length,
    times: { ...times, total: spreadOf(totals(parts, variantRun)) },
    run: spreadOf(runs),
    denoiserFlops,
    limitShare: denoiserFlops / limit.flops,
    ...(wholeJobs.length > 0 && { wholeJob: spreadOf(wholeJobs) }),
    flicker,
    mouth,
    drivingLandmarkDistance,
    missingFaces,
    ...(identity !== undefined && { identity }),
    video: videoOf(variant.id),
  };
}

function largestLatentDifference(a: VariantRun, b: VariantRun): number {
  let largest = 0;
  a.latents?.forEach((frame, index) => {
    const other = b.latents![index]!;
    for (let i = 0; i < frame.length; i++) largest = Math.max(largest, Math.abs(frame[i]! - other[i]!));
  });
  return largest;
}

async function compareTwo(
  parts: ReportParts,
  of: Measured,
  against: Measured,
  face: Box,
  stop: AbortSignal | undefined,
): Promise<Comparison> {
  const [a, b] = [of.variantRun, against.variantRun];
  const pictures = await comparePictures(
    { frames: a.frames!, landmarks: of.findings.landmarks },
    { frames: b.frames!, landmarks: against.findings.landmarks },
    face,
    stop,
  );
  // Ratios of what was measured side by side, and then their middle.
  const ratios = (left: readonly number[], right: readonly number[]) =>
    spreadOf(right.slice(0, left.length).map((value, i) => value / left[i]!));
  const denoise = ({ repeats }: VariantRun): number[] => repeats.map((repeat) => repeat.denoise);
  const jobs = ({ repeats }: VariantRun): number[] => repeats.flatMap(({ wholeJob }) => wholeJob ?? []);
  const [reportA, reportB] = [variantReport(parts, of), variantReport(parts, against)];
  const work = ({ work: { pose, denoise: denoising } }: VariantReport): number => pose + denoising;
  const savings = a.variant.id === ORIGINAL && b.variant.id === PUBLISHED;
  return {
    of: a.variant.id,
    against: b.variant.id,
    speedUp: {
      denoise: ratios(denoise(a), denoise(b)),
      total: ratios(totals(parts, a), totals(parts, b)),
      ...(jobs(a).length > 0 && jobs(b).length > 0 && { wholeJob: ratios(jobs(a), jobs(b)) }),
      evaluations: reportB.denoiserEvaluations / reportA.denoiserEvaluations,
      work: work(reportB) / work(reportA),
    },
    ...pictures,
    flickerRatio: {
      inside: of.findings.flicker.inside / against.findings.flicker.inside,
      outside: of.findings.flicker.outside / against.findings.flicker.outside,
    },
    ...(savings && { largestLatentDifference: largestLatentDifference(a, b) }),
  };
}

/** Looks at the frames of everyone who finished. */
async function look(
  parts: ReportParts,
  finished: readonly VariantRun[],
  driven: readonly DrivenFace[],
  face: Box,
  stop: AbortSignal | undefined,
) {
  const { options } = parts;
  const { threads } = options;
  const engine = await Engine.open({ device: 'cpu', ...(threads !== undefined && { threads }) });
  try {
    const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
    const embedder = await FaceEmbedder.open(engine);
    const embedding = embedder === undefined ? undefined : await embedShownPerson(options, finder, embedder);
    const measured: Measured[] = [];
    for (const variantRun of finished) {
      const findings = await findInClip(
        variantRun.frames!,
        { finder, embedder, embedding, driven, face },
        stop,
      );
      measured.push({ variantRun, findings });
    }
    return measured;
  } finally {
    await engine.dispose();
  }
}

async function readVideos(
  folder: ReportFolder,
  measured: readonly Measured[],
  selfContained: boolean,
): Promise<PageVideo[]> {
  const files = await Promise.all(
    measured
      .filter(({ variantRun }) => variantRun.variant.form === 'lean')
      .map(async ({ variantRun }) => {
        const { id } = variantRun.variant;
        const file = await folder.pathOf(videoOf(id));
        return { id, file, bytes: (await stat(file)).size };
      }),
  );
  const embed = selfContained && files.reduce((sum, { bytes }) => sum + bytes, 0) <= MAX_EMBEDDED_BYTES;
  // The original first: it is what the others are looked at against.
  files.sort((a, b) => Number(b.id === ORIGINAL) - Number(a.id === ORIGINAL));
  return Promise.all(
    files.map(async ({ id, file }) => ({
      id,
      path: videoOf(id),
      bytes: embed ? await readFile(file) : undefined,
    })),
  );
}

/** Numbers that JSON does not know become null. */
function toJson(report: CompareReport): string {
  const finite = (_: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isFinite(value) ? null : value;
  return `${JSON.stringify(report, finite, 2)}\n`;
}

/** Measures the pictures and writes all files; writes nothing if nobody has finished. */
export async function writeReport(parts: ReportParts): Promise<CompareReport> {
  const { clip, variantRuns, folder, limit, notes, options, studio } = parts;
  const { job, scene } = clip;
  const { onProgress, repeats, fileNames = {} } = options;
  // What was finished before an abort is still looked at, unless nobody wants it then.
  const stop = options.keepStopped ? undefined : options.signal;
  const nameOf = (file: string): string => fileNames[file] ?? file;
  const finished = variantRuns.filter(({ frames }) => frames !== undefined);
  onProgress?.({ type: 'stage', stage: 'look' });
  const driven: DrivenFace[] = [];
  if (finished.length > 0) {
    for (let frame = 0; frame < job.frames; frame++) driven.push(await scene.drivenFace(frame));
  }
  const face = finished.length > 0 ? faceBox(driven, scene) : { left: 0, top: 0, right: 0, bottom: 0 };
  const measured = finished.length > 0 ? await look(parts, finished, driven, face, stop) : [];
  const findMeasured = (id: string): Measured | undefined =>
    measured.find(({ variantRun }) => variantRun.variant.id === id);
  const [original, published, fast] = [ORIGINAL, PUBLISHED, FAST].map(findMeasured);
  const comparisons: Comparison[] = [];
  if (original !== undefined) {
    for (const one of measured) {
      if (one === original || one === published) continue;
      comparisons.push(await compareTwo(parts, one, original, face, stop));
    }
    if (published !== undefined) comparisons.push(await compareTwo(parts, original, published, face, stop));
  }
  if (fast !== undefined && published !== undefined) {
    comparisons.push(await compareTwo(parts, fast, published, face, stop));
  }

  const { device } = await studio.denoisingEngine();
  const report: CompareReport = {
    schema: REPORT_SCHEMA,
    schemaVersion: REPORT_VERSION,
    created: new Date().toISOString(),
    complete: variantRuns.every((variantRun) => variantRun.repeats.length === repeats),
    machine: examineMachine(device, options.threads, job.ffmpeg),
    limit,
    clip: {
      portrait: nameOf(shownFile(options)),
      audio: nameOf(voiceOf(options)),
      bundle: job.bundle.description.name,
      seed: job.options.seed,
      frames: job.frames,
      fps: job.fps,
      duration: job.frames / job.fps,
      width: scene.width,
      height: scene.height,
      windows: job.windows[0]!.length,
      windowFrames: job.windows[0]![0]!.frames.length,
      face,
    },
    repeats,
    variants: measured.map((one) => variantReport(parts, one)),
    unfinished: variantRuns
      .filter(({ frames }) => frames === undefined)
      .map((variantRun) => ({
        ...settingsOf(variantRun),
        denoiserEvaluations: evaluationsOf(variantRun),
        evaluationsDone: variantRun.evaluationsDone,
      })),
    comparisons,
    notes,
  };
  if (measured.length === 0) return report;

  onProgress?.({ type: 'stage', stage: 'write' });
  await folder.publishVideos();
  const panels = [original, ...measured.filter((one) => one !== original && one !== published)]
    .filter((one) => one !== undefined)
    .filter(
      ({ variantRun }) =>
        variantRun.variant.id === ORIGINAL || variantRun.variant.id === FAST || !original || !fast,
    );
  await writeSideBySide(
    await folder.pathOf(REPORT_FILES.sideBySide),
    panels.map(({ variantRun }) => ({
      label: `${variantRun.variant.id}: ${variantRun.variant.title}`,
      frames: variantRun.frames!,
    })),
    {
      ffmpeg: job.ffmpeg,
      fps: job.fps,
      sound: job.sound,
      comment: 'lcm-portrait compare',
    },
  );
  const main =
    fast !== undefined && original !== undefined
      ? comparisons.find(({ of, against }) => of === FAST && against === ORIGINAL)
      : undefined;
  const strip =
    main === undefined
      ? undefined
      : await drawStrip(main, fast!.variantRun.frames!, original!.variantRun.frames!, face);
  const page = reportPage({
    report,
    strip,
    videos: await readVideos(folder, measured, options.selfContained),
    sideBySide: REPORT_FILES.sideBySide,
    ...(!options.selfContained && { style: REPORT_FILES.style, script: REPORT_FILES.script }),
  });
  if (!options.selfContained) {
    await folder.write(REPORT_FILES.style, pageStyle(STYLE));
    await folder.write(REPORT_FILES.script, SCRIPT);
  }
  await folder.write(REPORT_FILES.html, page);
  await folder.write(REPORT_FILES.json, toJson(report));
  return report;
}
