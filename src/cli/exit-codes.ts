/** Exit statuses: one table from the `code` of an error to the status of the process. */
import {
  type EnvironmentError,
  type FaceError,
  type InvalidOptionError,
  type MediaError,
  type ModelError,
  type NumericalError,
  PipelineError,
  type ShapeError,
  type SubprocessError,
} from '../errors.ts';
import type { ManifestError } from '../jobs/manifest-schema.ts';

/** `code` of every error class that callers can meet. */
type ErrorCode = (
  | InvalidOptionError
  | ShapeError
  | ModelError
  | MediaError
  | FaceError
  | EnvironmentError
  | SubprocessError
  | NumericalError
  | ManifestError
)['code'];

/** Status of an error that is none of ours: a bug. */
const UNEXPECTED_STATUS = 1;

/** Exit status of each kind of failure, and what it means in a few words. */
export const EXIT_STATUSES: Readonly<
  Record<ErrorCode, { readonly status: number; readonly meaning: string }>
> = {
  INVALID_OPTION: { status: 2, meaning: 'an option is missing, unknown or out of range' },
  MEDIA: { status: 3, meaning: 'an image, audio or video file cannot be read or written' },
  FACE: { status: 4, meaning: 'the portrait has no face that can be animated' },
  MODEL: { status: 5, meaning: 'a bundle cannot be used' },
  SHAPE: { status: 6, meaning: 'the parts of a bundle do not fit together' },
  ENVIRONMENT: { status: 7, meaning: 'something is missing on this machine, see: lcm-portrait doctor' },
  SUBPROCESS: { status: 8, meaning: 'ffmpeg failed' },
  NUMERICAL: { status: 9, meaning: 'the networks returned non-finite numbers' },
  MANIFEST: { status: 10, meaning: 'the manifest of a batch is invalid; nothing was rendered' },
};

/** Status of a batch of which some jobs are not done. */
export const PARTIAL_STATUS = 11;

/** Signals that stop a job, with the status that shells give to a process that they ended. */
export const SIGNAL_STATUSES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** A signal that stops a job after it has cleaned up. */
export type StopSignal = keyof typeof SIGNAL_STATUSES;

/** Exit status for what a command threw. */
export function exitStatusOf(error: unknown): number {
  if (!(error instanceof PipelineError)) return UNEXPECTED_STATUS;
  return EXIT_STATUSES[error.code as ErrorCode]?.status ?? UNEXPECTED_STATUS;
}

/** The table as the last lines of `--help`. */
export function describeExitStatuses(): string {
  const rows: (readonly [number, string])[] = [
    [0, 'success'],
    [UNEXPECTED_STATUS, 'an error inside lcm-portrait'],
    ...Object.values(EXIT_STATUSES).map(({ status, meaning }) => [status, meaning] as const),
    [PARTIAL_STATUS, 'some jobs of the batch are not done, see its report'],
    [SIGNAL_STATUSES.SIGINT, 'stopped by Ctrl-C (129: terminal closed, 143: terminated)'],
  ];
  return `Exit status:\n${rows.map(([status, meaning]) => `  ${String(status).padEnd(3)}  ${meaning}`).join('\n')}`;
}
