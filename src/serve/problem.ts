/** Errors as clients get them: problem details, with the same words as the library. Source: RFC 9457. */
import {
  FaceError,
  FaceLostError,
  InvalidOptionError,
  InvalidOptionsError,
  MediaError,
  PipelineError,
} from '../errors.ts';
import { isDiskFull } from '../jobs/job-failure.ts';

/** Something that is wrong with one field. */
export interface FieldProblem {
  readonly field: string;
  readonly detail: string;
}

/** Kinds of problems with their status and title; the kind is the end of `type`, and explained on the page of the API. */
export const PROBLEM_KINDS = {
  'invalid-request': { status: 400, title: 'The request is malformed' },
  unauthorized: { status: 401, title: 'A token is required' },
  forbidden: { status: 403, title: 'The request comes from another site, or for another host' },
  'not-found': { status: 404, title: 'Not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  timeout: { status: 408, title: 'The request took too long' },
  conflict: { status: 409, title: 'Not possible in the current state' },
  'too-large': { status: 413, title: 'Larger than this server accepts' },
  'unsupported-type': { status: 415, title: 'File type not supported' },
  'range-not-satisfiable': { status: 416, title: 'Range not satisfiable' },
  'invalid-field': { status: 422, title: 'A field is missing or wrong' },
  'key-reused': { status: 422, title: 'The Idempotency-Key belongs to another request' },
  'too-many-clips': { status: 429, title: 'Too many unfinished clips' },
  unexpected: { status: 500, title: 'Internal error' },
  stopping: { status: 503, title: 'The server is stopping' },
  'storage-full': { status: 507, title: 'Storage is full' },
} as const;

export type ProblemKind = keyof typeof PROBLEM_KINDS;

/** What a request is answered with when it fails. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly kind: ProblemKind;
  readonly fields: readonly FieldProblem[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    kind: ProblemKind,
    detail: string,
    extra: {
      readonly fields?: readonly FieldProblem[];
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(detail, { cause: extra.cause });
    this.kind = kind;
    this.fields = extra.fields ?? [];
    this.headers = extra.headers ?? {};
  }
}

/** Several fields, each with what is wrong with it. */
export function fieldError(
  fields: readonly FieldProblem[],
  kind: ProblemKind = 'invalid-field',
): RequestError {
  return new RequestError(kind, fields.map(({ detail }) => detail).join('; '), { fields });
}

/** The error of the library as that of a request; a bug stays one. */
export function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  if (isDiskFull(error)) {
    return new RequestError('storage-full', 'Cannot take more: the disk is full', {
      cause: error,
      headers: { 'retry-after': '60' },
    });
  }
  if (error instanceof InvalidOptionsError) {
    return fieldError(error.errors.map(({ option, message }) => ({ field: option, detail: message })));
  }
  if (error instanceof InvalidOptionError)
    return fieldError([{ field: error.option, detail: error.message }]);
  if (error instanceof MediaError || error instanceof FaceError || error instanceof FaceLostError) {
    return new RequestError('invalid-field', error.message, { cause: error });
  }
  if (error instanceof PipelineError)
    return new RequestError('invalid-field', error.message, { cause: error });
  return new RequestError('unexpected', 'something went wrong inside the server; its log says more', {
    cause: error,
  });
}

/** The answer. */
export function problemResponse(error: RequestError): Response {
  const { kind, message, fields, headers } = error;
  const { status, title } = PROBLEM_KINDS[kind];
  const body = {
    type: `/docs#${kind}`,
    title,
    status,
    detail: message,
    ...(fields.length > 0 && {
      errors: fields.map(({ field, detail }) => ({ field, pointer: `#/${field}`, detail })),
    }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  });
}
