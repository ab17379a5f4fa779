/** Many clips from a manifest: what is there already stays, what is left is rendered, and a report says what became of each. */
import path from 'node:path';
import type { DeviceName } from '../pipeline/animate-options.ts';
import { checkOptions } from '../pipeline/options/check-options.ts';
import { usableCores } from '../runtime/usable-cores.ts';
import type { BatchEvent, BatchReport } from './batch-events.ts';
import { BATCH_OPTIONS, BATCH_RULES, type RunBatchOptions } from './batch-options.ts';
import type { ClipRenderer } from './clip-renderer.ts';
import { EventStream } from './event-stream.ts';
import { STATE_FOLDER } from './job-folder.ts';
import { JobTracker } from './job-tracker.ts';
import { type CheckedManifest, loadManifest } from './manifest.ts';
import type { BatchManifest } from './manifest-schema.ts';
import { ReportFiles } from './report-files.ts';
import { runJobs } from './run-jobs.ts';
import { Thumbnails } from './thumbnail.ts';

/** A batch that runs; it does so whether or not anybody reads its events. */
export interface BatchRun extends AsyncIterable<BatchEvent> {
  /**
   * Settles when all work has ended; rejects with {@link ManifestError} before any work, or with `signal.reason` when it
   * was aborted. A job that fails does not reject it: see the report.
   */
  readonly report: Promise<BatchReport>;
}

/** What the surroundings of a batch give it; tests give other things. */
interface BatchParts {
  /** Called once for each clip that is rendered at the same time, and again after an engine has failed. */
  readonly openRenderer: (options: {
    readonly device: DeviceName;
    /** Undefined for one for each core. */
    readonly threads: number | undefined;
    readonly onNotice: (message: string) => void;
  }) => Promise<ClipRenderer>;
  /** Where ffmpeg is looked for, for thumbnails. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Starts a batch with the given parts; see `runBatch` in start-batch.ts for what it does. */
export function startBatch(
  manifest: string | BatchManifest,
  options: RunBatchOptions,
  parts: BatchParts,
): BatchRun {
  const events = new EventStream<BatchEvent>(
    (waiting, next) => waiting.type === 'progress' && next.type === 'progress' && waiting.job === next.job,
  );
  const report = run(manifest, options, parts, (event) => events.push(event)).then(
    (done) => {
      events.push({ type: 'report', report: done });
      events.end();
      return done;
    },
    (error: unknown) => {
      events.end({ error });
      throw error;
    },
  );
  report.catch(() => {}); // a reader of the events alone gets it there
  return { report, [Symbol.asyncIterator]: () => events[Symbol.asyncIterator]() };
}

async function run(
  manifest: string | BatchManifest,
  options: RunBatchOptions,
  parts: BatchParts,
  emit: (event: BatchEvent) => void,
): Promise<BatchReport> {
  checkOptions(BATCH_OPTIONS, BATCH_RULES, options, 'run a batch');
  const { concurrency = 1, retryDelay = 1, device = 'auto', failFast = false } = options;
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  const checked = await loadManifest(manifest, options);
  const { jobs, stateFolder, reportFolder } = placesOf(checked, options);
  const tracker = new JobTracker(checked.name, jobs, (event) => {
    emit(event);
    const ended = event.type === 'job' && ['done', 'failed', 'paused'].includes(event.job.state);
    if (ended) files?.jobEnded(event.job);
  });
  for (const notice of checked.notices) tracker.notice(notice);
  // Renderers are alike: what the second has to say of the machine, the first has said.
  const said = new Set<string>();
  const onNotice = (message: string): void => {
    if (!said.has(message)) tracker.notice(message);
    said.add(message);
  };

  let files: ReportFiles | undefined;
  if (reportFolder !== undefined) {
    files = new ReportFiles(reportFolder, new Thumbnails(parts.env), () => tracker.report('running'));
    await files.open();
  }
  const share = Math.max(1, Math.floor(usableCores() / concurrency));
  const threads = options.threads ?? (concurrency === 1 ? undefined : share);
  const finish = async (stopped: boolean): Promise<BatchReport> => {
    const { done, total } = tracker.report('running').counts;
    const report = tracker.report(stopped ? 'stopped' : done === total ? 'complete' : 'partial');
    const problem = await files?.close(report);
    if (problem !== undefined) tracker.notice(problem);
    return report;
  };
  try {
    if (options.queue !== undefined) {
      const sharedFolder = path.resolve(options.sharedFolder ?? options.baseFolder ?? checked.folder);
      // Loaded only here, like the packages behind it.
      const { runQueued } = await import('./run-queued.ts');
      await runQueued(jobs, tracker, {
        url: options.queue,
        stateFolder,
        sharedFolder,
        failFast,
        retryDelay,
        signal,
      });
    } else {
      await runJobs(jobs, tracker, {
        stateFolder,
        concurrency,
        failFast,
        retryDelay,
        signal,
        openRenderer: () => parts.openRenderer({ device, threads, onNotice }),
      });
    }
  } catch (error) {
    await finish(true);
    throw error;
  }
  return finish(false);
}

/** Fills in the folders that depend on the manifest. */
export function placesOf(checked: CheckedManifest, options: RunBatchOptions) {
  const { folder, name, jobs } = checked;
  const { reportFolder, ffmpegPath } = options;
  const base = path.resolve(options.baseFolder ?? folder);
  const reports = `${path.parse(name).name}-report`;
  return {
    jobs:
      ffmpegPath === undefined
        ? jobs
        : jobs.map((job) => ({ ...job, options: { ...job.options, ffmpegPath } })),
    stateFolder: path.resolve(options.stateFolder ?? path.join(base, STATE_FOLDER)),
    reportFolder:
      reportFolder === false ? undefined : path.resolve(reportFolder ?? path.join(folder, reports)),
  };
}
