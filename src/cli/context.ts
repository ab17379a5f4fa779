/** What the commands are given: streams, environment, and the parts of the program that are loaded only when needed. */
import type { BenchOptions, BenchReport } from '../compare/bench-options.ts';
import type { CalibrateOptions, CalibrateResult } from '../compare/calibrate.ts';
import type { CompareOptions } from '../compare/compare-options.ts';
import type { ProfileOptions, ProfileReport } from '../compare/profile-options.ts';
import type { CompareReport } from '../compare/report.ts';
import type { RunBatchOptions } from '../jobs/batch-options.ts';
import type { BatchPlan, PlanBatchOptions } from '../jobs/plan-batch.ts';
import type { ResumableOptions, ResumableResult } from '../jobs/render-resumable.ts';
import type { BatchRun } from '../jobs/run-batch.ts';
import type { DeadLetter } from '../jobs/run-queued.ts';
import type { RunWorkerOptions } from '../jobs/worker-options.ts';
import type { AnimateOptions, AnimateResult, AnimationPlan } from '../pipeline/animate-options.ts';
import type { ServeOptions } from '../serve/serve-options.ts';
import type { RunningServer } from '../serve/server.ts';
import type { DoctorReport } from './doctor-report.ts';
import type { ExaminedBundle } from './examine-bundle.ts';
import type { ProgressStream } from './live-lines.ts';

/** The main job, as the command line needs it. */
export interface Pipeline {
  animate(options: AnimateOptions): Promise<AnimateResult>;
  planAnimation(options: AnimateOptions): Promise<AnimationPlan>;
}

/** Measuring jobs, as the command line needs them. */
export interface Measuring {
  compare(options: CompareOptions): Promise<CompareReport>;
  bench(options: BenchOptions): Promise<BenchReport>;
  profile(options: ProfileOptions): Promise<ProfileReport>;
  calibrate(options: CalibrateOptions): Promise<CalibrateResult>;
}

/** Batches, and single jobs that can be resumed, as the command line needs them. */
export interface Jobs {
  runBatch(manifest: string, options: RunBatchOptions): BatchRun;
  planBatch(manifest: string, options: PlanBatchOptions): Promise<BatchPlan>;
  animateResumable(options: ResumableOptions): Promise<ResumableResult>;
  runWorker(options: RunWorkerOptions): Promise<void>;
  listDeadLetters(queue: string): Promise<DeadLetter[]>;
}

/** The server, as the command line needs it. */
interface Serving {
  serveStudio(
    options: ServeOptions,
    surroundings: Pick<CliContext, 'version' | 'env'>,
  ): Promise<RunningServer>;
}

/** Surroundings of a command; results go to `stdout`, all else to `stderr`. */
export interface CliContext {
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Loads the pipeline with its native libraries, which would slow down `--help`. */
  readonly loadPipeline: () => Promise<Pipeline>;
  readonly loadJobs: () => Promise<Jobs>;
  /** The same for what measures. */
  readonly loadComparison: () => Promise<Measuring>;
  /** The same for the server. */
  readonly loadServer: () => Promise<Serving>;
  /** Looks at the machine, and at a bundle on it. */
  readonly examine: (bundle?: ExaminedBundle) => Promise<DoctorReport>;
}
