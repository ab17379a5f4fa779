/** Every error class that callers can meet, and the argument checks that throw them. */

/** Base of all errors that name something a caller can act on; test `code` or `instanceof`, never the text. */
export abstract class PipelineError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An option that a text speaks of, with the value that it is to have where the text names one. */
export interface OptionMention {
  readonly option: string;
  readonly value?: unknown;
}

/** Text that may speak of options; whoever shows it writes them as its reader does, e.g. as flags. */
export type OptionText = string | readonly (string | OptionMention)[];

/** Writes an option as a reader knows it: `seed`, `--seed`; with a value `overwrite: true`, `--force`. */
export type WriteOption = (mention: OptionMention) => string;

/** What is wrong with an option. */
export interface OptionProblem {
  /** @defaultValue `Cannot use <option>` */
  readonly refusal?: OptionText;
  readonly expected: OptionText;
  readonly got: OptionText;
  /** The way out. */
  readonly hint?: OptionText;
}

/** Options by their names in the library. */
const writeLibraryOption: WriteOption = (mention) =>
  'value' in mention ? `${mention.option}: ${String(mention.value)}` : mention.option;

/** An option or argument is missing, of the wrong kind, or out of range. */
export class InvalidOptionError extends PipelineError {
  readonly code = 'INVALID_OPTION';

  /** The option as the user wrote it. */
  readonly option: string;
  /** What was given. */
  readonly value: unknown;
  /** The parts of the message; undefined where it is one piece, and speaks of no option by name. */
  readonly problem: OptionProblem | undefined;

  /** @param problem - or the whole message, if no other option is named in it. */
  constructor(problem: OptionProblem | string, option: string, value: unknown, options?: ErrorOptions) {
    super(
      typeof problem === 'string' ? problem : describeProblem(problem, option, writeLibraryOption),
      options,
    );
    this.option = option;
    this.value = value;
    this.problem = typeof problem === 'string' ? undefined : problem;
  }

  /** The same error for a reader who writes options differently; it is the cause of the new one. */
  writtenAs(write: WriteOption): InvalidOptionError {
    const { option, value, problem } = this;
    const message = problem === undefined ? this.message : describeProblem(problem, option, write);
    return new InvalidOptionError(message, write({ option }), value, { cause: this });
  }
}

function describeProblem(
  { refusal, expected, got, hint }: OptionProblem,
  option: string,
  write: WriteOption,
): string {
  const text = (parts: OptionText): string =>
    typeof parts === 'string'
      ? parts
      : parts.map((part) => (typeof part === 'string' ? part : write(part))).join('');
  const way = hint === undefined ? '' : `; ${text(hint)}`;
  return `${text(refusal ?? ['Cannot use ', { option }])}: expected ${text(expected)}, got ${text(got)}${way}`;
}

/** Several options are wrong; all of them are reported at once. */
export class InvalidOptionsError extends PipelineError {
  readonly code = 'INVALID_OPTION';
  readonly errors: readonly InvalidOptionError[];

  constructor(errors: readonly InvalidOptionError[]) {
    super(errors.map((error) => error.message).join('\n'));
    this.errors = errors;
  }
}

/** Two tensors, or a tensor and a network, do not fit together. */
export class ShapeError extends PipelineError {
  readonly code = 'SHAPE';
}

/** A checkpoint, bundle or graph cannot be used. */
export class ModelError extends PipelineError {
  readonly code = 'MODEL';
  readonly modelPath: string;
  /** Everything that is wrong, where it is more than one thing; the message has a line for each. */
  readonly problems: readonly string[];

  constructor(
    message: string,
    modelPath: string,
    options: ErrorOptions & { readonly problems?: readonly string[] } = {},
  ) {
    const { problems = [], ...rest } = options;
    super([message, ...problems].join('\n'), rest);
    this.modelPath = modelPath;
    this.problems = problems;
  }
}

/** An image, audio or video file cannot be read or written. */
export class MediaError extends PipelineError {
  readonly code = 'MEDIA';
  readonly path: string;

  constructor(message: string, path: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

/** Why a motion file cannot be used. */
export type MotionFileProblem = 'other-kind' | 'cut' | 'damaged' | 'newer' | 'other-mesh';

/** A motion file cannot be read or does not fit. */
export class MotionFileError extends MediaError {
  readonly problem: MotionFileProblem;

  constructor(message: string, path: string, problem: MotionFileProblem, options?: ErrorOptions) {
    super(message, path, options);
    this.problem = problem;
  }
}

/** Why a portrait's face cannot be animated. */
export type FaceProblem = 'no-face' | 'too-small' | 'turned-away';

/** The portrait has no face that can be animated. */
export class FaceError extends PipelineError {
  readonly code = 'FACE';
  readonly path: string;
  readonly problem: FaceProblem;

  constructor(message: string, path: string, problem: FaceProblem, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
    this.problem = problem;
  }
}

/** A span of a recording, in seconds. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

/** A film does not show the face that is followed for too long. */
export class FaceLostError extends PipelineError {
  readonly code = 'FACE';
  readonly path: string;
  /** When it is out of sight. */
  readonly spans: readonly TimeSpan[];

  constructor(message: string, path: string, spans: readonly TimeSpan[], options?: ErrorOptions) {
    super(message, options);
    this.path = path;
    this.spans = spans;
  }
}

/** An execution provider, a tool or a library that the work needs is missing. */
export class EnvironmentError extends PipelineError {
  readonly code = 'ENVIRONMENT';
}

/** A child process failed. */
export class SubprocessError extends PipelineError {
  readonly code = 'SUBPROCESS';
  readonly command: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last lines that the process wrote to stderr. */
  readonly stderrTail: string;

  constructor(
    message: string,
    command: string,
    exitCode: number | null,
    signal: string | null,
    stderrTail: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.command = command;
    this.exitCode = exitCode;
    this.signal = signal;
    this.stderrTail = stderrTail;
  }
}

/** The denoiser returned numbers that are not finite, also in float32. */
export class NumericalError extends PipelineError {
  readonly code = 'NUMERICAL';
}

/** @throws {@link InvalidOptionError} unless `value` is an integer from `min` to `max`. */
export function assertIntegerInRange(option: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    const problem = { expected: `an integer from ${min} to ${max}`, got: String(value) };
    throw new InvalidOptionError(problem, option, value);
  }
}

/** @throws {@link InvalidOptionError} unless `value` is a finite number from `min` to `max`. */
export function assertNumberInRange(option: string, value: number, min: number, max: number): void {
  if (!Number.isFinite(value) || value < min || value > max) {
    const problem = { expected: `a number from ${min} to ${max}`, got: String(value) };
    throw new InvalidOptionError(problem, option, value);
  }
}

const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'nothing at this path',
  ENOTDIR: 'a path through something that is not a folder',
  EISDIR: 'a folder',
  EACCES: 'a file without read permission',
  EPERM: 'a file without read permission',
  ELOOP: 'a circle of links',
  ENAMETOOLONG: 'a path that is too long',
};

/** What stands in the way of reading a file, in words that follow "got", from the error of a file operation. */
export function describeFileProblem(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return (typeof code === 'string' && FILE_PROBLEMS[code]) || `an error (${String(code ?? error)})`;
}
