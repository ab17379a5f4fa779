/** What a manifest may say: the types of the library, and the table that files are checked against. */
import { PipelineError } from '../errors.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import type { LoraFile } from '../weights/lora.ts';

/** Options of a clip that a job may set; device and threads belong to the whole batch. */
export type ClipOptions = Omit<
  AnimateOptions,
  'portrait' | 'audio' | 'output' | 'device' | 'threads' | 'ffmpegPath' | 'signal' | 'onProgress'
>;

/** What only a job has. */
export interface JobControl {
  /** Jobs with a higher number begin earlier, −1000 to 1000. @defaultValue 0 */
  readonly priority?: number;
  /** How often a job is begun at most when it fails for a reason that can pass, 1 to 100. @defaultValue 3 */
  readonly attempts?: number;
  /** Seconds that an attempt may take, from its first work to its video. @defaultValue no limit */
  readonly timeout?: number;
}

/** One entry of a manifest; several portraits or recordings make a job of each pair. */
export interface JobSpec extends Omit<ClipOptions, 'loras'>, JobControl {
  /** Name in reports. @defaultValue the output's */
  readonly id?: string;
  /** Pictures: a path, a pattern such as `faces/*.jpg`, or a list of both. */
  readonly portrait: string | readonly string[];
  /** Recordings: a path, a pattern, or a list of both. */
  readonly audio: string | readonly string[];
  /**
   * Video to write. `{portrait}` and `{audio}` stand for the names of the files without extension, `{index}` for the
   * number of the job, `{id}`, `{seed}`, `{preset}`, `{sampler}`, `{steps}` and `{fps}` for the job's.
   * @defaultValue '{portrait}-{audio}.mp4'
   */
  readonly output?: string;
  /**
   * LoRAs to merge after those of the preset: `file` or `file:scale`, one or a list; a job's take the place of those of the
   * defaults. A cell of a table separates them by `|`.
   * @defaultValue none
   */
  readonly loras?: string | readonly (string | LoraFile)[];
}

/** A batch of jobs; relative paths start at the manifest's folder. */
export interface BatchManifest {
  readonly version?: 1;
  /** For all jobs that do not say otherwise. */
  readonly defaults?: Partial<Omit<JobSpec, 'id'>>;
  readonly jobs: readonly JobSpec[];
}

/** Something that is wrong with a manifest. */
export interface ManifestProblem {
  /** `line 12`, or the path to the value in a manifest that is no file. */
  readonly place: string;
  readonly message: string;
}

/** A manifest that cannot be used; nothing was begun. */
export class ManifestError extends PipelineError {
  readonly code = 'MANIFEST';
  /** Of the file, or `manifest`. */
  readonly path: string;
  readonly problems: readonly ManifestProblem[];

  constructor(path: string, problems: readonly ManifestProblem[]) {
    super(problems.map(({ place, message }) => `${path}:${place && ` ${place}:`} ${message}`).join('\n'));
    this.path = path;
    this.problems = problems;
  }
}

/** Keys of {@link JobControl} with the values that they take. */
export const CONTROL_CHECKS: Readonly<
  Record<keyof JobControl, { readonly expected: string; readonly accepts: (value: number) => boolean }>
> = {
  priority: {
    expected: 'an integer from -1000 to 1000',
    accepts: (value) => Number.isInteger(value) && Math.abs(value) <= 1000,
  },
  attempts: {
    expected: 'an integer from 1 to 100',
    accepts: (value) => Number.isInteger(value) && value >= 1 && value <= 100,
  },
  timeout: {
    expected: 'seconds, more than 0 and at most 604800 (a week)',
    accepts: (value) => value > 0 && value <= 604_800,
  },
};

/** Placeholders of an output. */
export const PLACEHOLDERS = [
  'portrait',
  'audio',
  'index',
  'id',
  'seed',
  'preset',
  'sampler',
  'steps',
  'fps',
] as const;

/** Output of a job that names none. */
export const DEFAULT_OUTPUT = '{portrait}-{audio}.mp4';
