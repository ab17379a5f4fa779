/** What a profile of the main job takes and returns. */
import type { AnimateOptions, ProgressEvent, StageTimes } from '../pipeline/animate-options.ts';
import type { MachineFacts } from './machine-facts.ts';
import type { MatrixLimit } from './matrix-limit.ts';
import type { OperatorGroup } from './operator-profile.ts';

/** Options of {@link profile}: those of a clip, with a trace in place of a video. */
export interface ProfileOptions
  extends Pick<
    AnimateOptions,
    'bundle' | 'preset' | 'device' | 'threads' | 'seed' | 'overwrite' | 'ffmpegPath' | 'signal'
  > {
  /** The trace's file. */
  readonly output: string;
  /** @defaultValue the sample portrait */
  readonly portrait?: string;
  /** @defaultValue the sample recording */
  readonly audio?: string;
  readonly onProgress?: (event: ProgressEvent) => void;
}

/** What one network did over the job. */
export interface NetworkOperators {
  /** The thread that it ran in. */
  readonly engine: string;
  readonly network: string;
  readonly runs: number;
  /** Seconds of all runs, and those of them that no operator accounts for. */
  readonly seconds: number;
  readonly between: number;
  /** The most expensive first. */
  readonly operators: readonly OperatorGroup[];
}

/** How much of its time an engine computed. */
export interface EngineUse {
  readonly engine: string;
  /** Seconds of all runs; from the beginning of the first to the end of the last. */
  readonly busy: number;
  readonly span: number;
}

/** What a report of a profile calls itself. */
export const PROFILE_SCHEMA = 'lcm-portrait/profile';
/** See {@link PROFILE_SCHEMA}. */
export const PROFILE_VERSION = 1;

/** What {@link profile} returns. */
export interface ProfileReport {
  readonly schema: typeof PROFILE_SCHEMA;
  readonly schemaVersion: typeof PROFILE_VERSION;
  /** ISO 8601. */
  readonly created: string;
  /** Path of the trace. */
  readonly trace: string;
  readonly bundle: string;
  readonly machine: MachineFacts;
  readonly limit: MatrixLimit;
  readonly frames: number;
  readonly fps: number;
  readonly sampler: string;
  readonly steps: number;
  /** Stages overlap, and wait for each other; see the trace. */
  readonly times: StageTimes;
  readonly engines: readonly EngineUse[];
  /** The one that took most time first. */
  readonly networks: readonly NetworkOperators[];
  readonly notes: readonly string[];
}
