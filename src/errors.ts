/** Every error class that callers can meet, and the argument checks that throw them. */

/** An option that a text speaks of, with the value that it is to have where the text names one. */
interface OptionMention {
  readonly option: string;
  readonly value?: unknown;
}

/** Text that may name options; the program that shows it writes them its own way, e.g. as flags. */
type OptionText = string | readonly (string | OptionMention)[];

/** Writes an option as a reader knows it: `seed`, `--seed`; with a value `overwrite: true`, `--force`. */
export type WriteOption = (mention: OptionMention) => string;

/** An option by its name in the library. */
export const writeLibraryOption: WriteOption = (mention) =>
  'value' in mention ? `${mention.option}: ${String(mention.value)}` : mention.option;

/** The text for one kind of reader. */
export function writeText(text: OptionText, write: WriteOption): string {
  if (typeof text === 'string') return text;
  return text.map((part) => (typeof part === 'string' ? part : write(part))).join('');
}

/** One text after the other. */
function joinTexts(...texts: readonly OptionText[]): OptionText {
  return texts.flat();
}

/** Base of all errors that name something a caller can act on; test `code` or `instanceof`, never the text. */
export abstract class PipelineError extends Error {
  abstract readonly code: string;
  /** The message with the options that it speaks of. */
  readonly text: OptionText;

  constructor(message: OptionText, options?: ErrorOptions) {
    super(writeText(message, writeLibraryOption), options);
    this.name = new.target.name;
    this.text = message;
  }

  /** The same error for a reader who writes options differently; this one is its cause. */
  writtenAs(write: WriteOption): this {
    const written = Object.create(Object.getPrototypeOf(this), Object.getOwnPropertyDescriptors(this));
    const message = { value: writeText(this.text, write), writable: true, configurable: true };
    return Object.defineProperties(written, { message, cause: { ...message, value: this } });
  }
}

/** What is wrong with an option. */
export interface OptionProblem {
  /** @defaultValue `Cannot use <option>` */
  readonly refusal?: OptionText;
  readonly expected: OptionText;
  readonly got: OptionText;
  /** The way out. */
  readonly hint?: OptionText;
}

/** An option or argument is missing, of the wrong kind, or out of range. */
export class InvalidOptionError extends PipelineError {
  readonly code = 'INVALID_OPTION';

  /** The option as the user wrote it. */
  readonly option: string;
  /** What was given. */
  readonly value: unknown;
  /** The parts of the message, unless it came as a whole. */
  readonly problem: OptionProblem | undefined;

  /** @param problem - or the whole message. */
  constructor(problem: OptionProblem | OptionText, option: string, value: unknown, options?: ErrorOptions) {
    const isWhole = typeof problem === 'string' || Array.isArray(problem);
    super(isWhole ? problem : describeProblem(problem as OptionProblem, option), options);
    this.option = option;
    this.value = value;
    this.problem = isWhole ? undefined : (problem as OptionProblem);
  }

  override writtenAs(write: WriteOption): this {
    return Object.assign(super.writtenAs(write), { option: write({ option: this.option }) });
  }
}

function describeProblem({ refusal, expected, got, hint }: OptionProblem, option: string): OptionText {
  const way = hint === undefined ? '' : joinTexts('; ', hint);
  return joinTexts(refusal ?? ['Cannot use ', { option }], ': expected ', expected, ', got ', got, way);
}

/** Several options are wrong; all of them are reported at once. */
export class InvalidOptionsError extends PipelineError {
  readonly code = 'INVALID_OPTION';
  readonly errors: readonly InvalidOptionError[];

  constructor(errors: readonly InvalidOptionError[]) {
    super(errors.map((error) => error.message).join('\n'));
    this.errors = errors;
  }

  override writtenAs(write: WriteOption): this {
    return new InvalidOptionsError(this.errors.map((error) => error.writtenAs(write))) as this;
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
    message: OptionText,
    modelPath: string,
    options: ErrorOptions & { readonly problems?: readonly string[] } = {},
  ) {
    const { problems = [], ...rest } = options;
    super(joinTexts(message, ...problems.map((problem) => `\n${problem}`)), rest);
    this.modelPath = modelPath;
    this.problems = problems;
  }
}

/** An image, audio or video file cannot be read or written. */
export class MediaError extends PipelineError {
  readonly code = 'MEDIA';
  readonly path: string;

  constructor(message: OptionText, path: string, options?: ErrorOptions) {
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

  constructor(message: OptionText, path: string, problem: FaceProblem, options?: ErrorOptions) {
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

  constructor(message: OptionText, path: string, spans: readonly TimeSpan[], options?: ErrorOptions) {
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

/** Networks returned numbers that are not finite: the denoiser, also in float32, or those that it is given, in half precision. */
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

const FOREIGN_NAME = 'a name that is not UTF-8; rename it';

/** Whether a path had bytes that are not UTF-8: Node.js decodes arguments so, and the original bytes are lost. */
export function isForeignName(path: string): boolean {
  return path.includes('\ufffd');
}

/** What stands in the way of reading a file, in words that follow "got", from the error of a file operation. */
export function describeFileProblem(error: unknown): string {
  const { code, path } = (error ?? {}) as { code?: unknown; path?: unknown };
  if (code === 'ENOENT' && typeof path === 'string' && isForeignName(path)) return FOREIGN_NAME;
  return (typeof code === 'string' && FILE_PROBLEMS[code]) || `an error (${String(code ?? error)})`;
}
