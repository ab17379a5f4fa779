/** What a manifest may say: the types of the library, and the table that files are checked against. */
import type { z } from 'zod';
import { PipelineError } from '../errors.ts';
import { INPUT_KEYS, type InputKey, type JobOptionKey, keysWhere } from '../pipeline/options/clip-keys.ts';
import type { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import type { ValueOf } from '../pipeline/options/option-spec.ts';
import { integer, positive } from '../pipeline/options/option-types.ts';

type Table = typeof CLIP_OPTIONS;

/** An option as a manifest writes it: what has a form as text may be text, and one item stands for a list of one. */
type Written<Spec> = Spec extends { readonly repeatable: true }
  ? ValueOf<Spec> extends readonly (infer Item)[]
    ? string | readonly (string | Item)[]
    : never
  : Spec extends { readonly fromText: unknown }
    ? string | ValueOf<Spec>
    : ValueOf<Spec>;

/** Files that are read: a path, a pattern such as `faces/*.jpg`, or a list of both. */
type WrittenInputs = {
  readonly [Key in keyof Table as Key extends InputKey
    ? Table[Key] extends { readonly required: true }
      ? Key
      : never
    : never]: string | readonly string[];
} & {
  readonly [Key in keyof Table as Key extends InputKey
    ? Table[Key] extends { readonly required: true }
      ? never
      : Key
    : never]?: string | readonly string[];
};

type WrittenOptions = {
  readonly [Key in keyof Table as Key extends Exclude<JobOptionKey, InputKey | 'output'>
    ? Key
    : never]?: Written<Table[Key]>;
};

/** What only a job has. */
export interface JobControl {
  /** Jobs with a higher number begin earlier, −1000 to 1000. @defaultValue 0 */
  readonly priority?: number;
  /** How often a job is begun at most when it fails for a reason that can pass, 1 to 100. @defaultValue 3 */
  readonly attempts?: number;
  /** Seconds that an attempt may take, from its first work to its video. @defaultValue no limit */
  readonly timeout?: number;
}

/**
 * One entry of a manifest: the options of a clip, but for those of the machine, which belong to the whole batch. Several
 * portraits or recordings make a job of each pair; LoRAs of a job take the place of those of the defaults.
 */
export interface JobSpec extends WrittenInputs, WrittenOptions, JobControl {
  /** Name in reports. @defaultValue the output's */
  readonly id?: string;
  /**
   * Video to write. `{portrait}` and `{audio}` stand for the names of the files without extension, `{index}` for the
   * number of the job, `{id}`, `{seed}`, `{preset}`, `{sampler}`, `{steps}` and `{fps}` for the job's.
   * @defaultValue '{portrait}-{audio}.mp4'
   */
  readonly output?: string;
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

/** What is to be said of each member of {@link JobControl}. */
export const JOB_CONTROLS: {
  readonly [Key in keyof JobControl]-?: {
    readonly type: z.ZodType<number>;
    readonly description: string;
    readonly default?: number;
  };
} = {
  priority: {
    type: integer(-1000, 1000),
    description: 'Jobs with a higher number begin earlier.',
    default: 0,
  },
  attempts: {
    type: integer(1, 100),
    description: 'How often a job is begun at most when it fails for a reason that can pass.',
    default: 3,
  },
  timeout: {
    type: positive(604_800, 'seconds, more than 0 and at most 604800 (a week)'),
    description: 'Seconds that an attempt may take; no limit if there are none.',
  },
};

/** Placeholders of an output: names of files, of the job, and of some options. */
export const PLACEHOLDERS: readonly string[] = [
  ...INPUT_KEYS,
  'index',
  'id',
  ...keysWhere(({ placeholder = false }) => placeholder),
];

/** Output of a job that names none, from the files that it has. */
export function defaultOutput(inputs: readonly string[] = ['portrait', 'audio']): string {
  return `${inputs.map((key) => `{${key}}`).join('-')}.mp4`;
}
