/** Errors on their way between threads: a message keeps neither their class nor their own fields. */
import {
  EnvironmentError,
  FaceError,
  FaceLostError,
  InvalidOptionError,
  MediaError,
  ModelError,
  MotionFileError,
  NumericalError,
  ShapeError,
  SubprocessError,
} from '../errors.ts';

/** An error in a message. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** The error's own fields, as `code` and `path`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const CLASSES = new Map<string, { readonly prototype: Error }>(
  [
    EnvironmentError,
    FaceError,
    FaceLostError,
    InvalidOptionError,
    MediaError,
    ModelError,
    MotionFileError,
    NumericalError,
    ShapeError,
    SubprocessError,
  ].map((type) => [type.name, type]),
);

/** What of an error can travel; its `cause` stays behind. */
export function packError(error: unknown): PackedError {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), stack: undefined, fields: {} };
  const { name, message, stack } = error;
  return { name, message, stack, fields: CLASSES.has(name) ? { ...error } : {} };
}

/** The error again, of its own class and with its own fields; an unknown class becomes a plain `Error`. */
export function unpackError({ name, message, stack, fields }: PackedError): Error {
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  const type = CLASSES.get(name);
  // Constructors take their fields in different orders; the prototype and the fields are all that they add.
  return type === undefined ? error : Object.assign(Object.setPrototypeOf(error, type.prototype), fields);
}
