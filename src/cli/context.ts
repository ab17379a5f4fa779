/** What the commands are given: streams, environment, and the parts of the program that are loaded only when needed. */
import type { AnimateOptions, AnimateResult, AnimationPlan } from '../pipeline/animate-options.ts';
import type { DoctorReport } from './doctor-report.ts';
import type { ProgressStream } from './progress-bar.ts';

/** The main job, as the command line needs it. */
export interface Pipeline {
  animate(options: AnimateOptions): Promise<AnimateResult>;
  planAnimation(options: AnimateOptions): Promise<AnimationPlan>;
}

/** Surroundings of a command; results go to `stdout`, all else to `stderr`. */
export interface CliContext {
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Loads the pipeline with its native libraries, which would slow down `--help`. */
  readonly loadPipeline: () => Promise<Pipeline>;
  /** Looks at the machine. */
  readonly examine: () => Promise<DoctorReport>;
}
