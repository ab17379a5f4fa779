/** What may be asked of the server: a test holds this against the routes that there are. */
import type { JsonSchema } from '../../pipeline/options/option-types.ts';
import { ORDER_STATES } from '../order-record.ts';
import { MAX_PAGE_SIZE, PAGE_SIZE } from '../page-size.ts';
import type { ProblemKind } from '../problem.ts';
import type { AnswerName } from './schemas.ts';

/** A parameter of a request. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly schema: JsonSchema;
  readonly required?: true;
}

/** An answer that is no problem. */
export interface Answer {
  readonly description: string;
  /** Undefined if it has no body. */
  readonly content?: { readonly type: string; readonly schema?: AnswerName };
}

/** A request with its answers. */
export interface Operation {
  readonly method: 'get' | 'post' | 'delete';
  /** As OpenAPI has it: `/v1/clips/{id}`. */
  readonly path: string;
  readonly name: string;
  readonly tag: 'clips' | 'comparisons' | 'files' | 'what there is' | 'the server';
  /** A sentence. */
  readonly summary: string;
  /** Whether it is answered without the token. */
  readonly isPublic?: true;
  readonly parameters?: readonly Parameter[];
  readonly body?: 'order' | 'comparison' | 'upload';
  readonly answers: Readonly<Record<number, Answer>>;
  /** Problems in addition to those that any request may have. */
  readonly problems?: readonly ProblemKind[];
}

const text: JsonSchema = { type: 'string' };
const ID: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'As an answer had it.',
  schema: { ...text, pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{21}$' },
};
const CACHED: Parameter = {
  name: 'If-None-Match',
  in: 'header',
  schema: text,
  description: 'The ETag of what is there already.',
};
const RANGE: Parameter = {
  name: 'Range',
  in: 'header',
  schema: text,
  description: 'One range of bytes, as bytes=0-999.',
};
const json = (schema: AnswerName, description: string): Answer => ({
  description,
  content: { type: 'application/json', schema },
});
const file = (type: string) =>
  ({
    200: { description: 'All of it.', content: { type } },
    206: { description: 'The bytes that were asked for.', content: { type } },
    304: { description: 'It is the one that is there already.' },
  }) as const;
const FORM_PROBLEMS = [
  ...['invalid-request', 'timeout', 'too-large', 'unsupported-type', 'invalid-field'],
  ...['stopping', 'storage-full'],
] as ProblemKind[];

const KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The same key with the same order is taken once, however often it is sent.',
  schema: { ...text, pattern: '^[!-~]{1,200}$' },
};
const pageOf = (things: string): readonly Parameter[] => [
  {
    name: 'limit',
    in: 'query',
    description: `${things} of a page.`,
    schema: { type: 'integer', minimum: 1, maximum: MAX_PAGE_SIZE, default: PAGE_SIZE },
  },
  { name: 'after', in: 'query', description: 'The last one of the page before.', schema: ID.schema },
  { name: 'state', in: 'query', description: 'Only those of this state.', schema: { enum: ORDER_STATES } },
];
const LAST_EVENT: Parameter = {
  name: 'Last-Event-ID',
  in: 'header',
  schema: text,
  description: 'Goes on after the event of this id.',
};
const eventsOf = (schema: AnswerName, type: string): Operation['answers'] => ({
  200: { description: `Events of the type ${type}.`, content: { type: 'text/event-stream', schema } },
  204: { description: 'There is nothing more to come.' },
});
const ORDER_PROBLEMS: readonly ProblemKind[] = [...FORM_PROBLEMS, 'conflict', 'key-reused', 'too-many-clips'];
/** A file of a report, with the parameters of its path. */
const reportFile = (
  name: string,
  place: string,
  type: string,
  summary: string,
  inPath: readonly Parameter[] = [ID],
): Operation => ({
  method: 'get',
  path: `/v1/comparisons/{id}/${place}`,
  name,
  tag: 'comparisons',
  summary,
  parameters: [...inPath, RANGE, CACHED],
  answers: file(type),
  problems: ['not-found', 'conflict', 'range-not-satisfiable'],
});

/** All of them, in the order of the page. */
export const OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/clips',
    name: 'orderClip',
    tag: 'clips',
    body: 'order',
    summary: 'Orders a clip.',
    parameters: [KEY],
    answers: { 202: json('Clip', 'It is queued; Location has its address.') },
    problems: ORDER_PROBLEMS,
  },
  {
    method: 'get',
    path: '/v1/clips',
    name: 'listClips',
    tag: 'clips',
    summary: 'The clips, newest first, in pages.',
    parameters: pageOf('Clips'),
    answers: { 200: json('ClipPage', 'A page.') },
    problems: ['invalid-field'],
  },
  {
    method: 'get',
    path: '/v1/clips/{id}',
    name: 'getClip',
    tag: 'clips',
    parameters: [ID],
    summary: 'One clip.',
    answers: { 200: json('Clip', 'The clip.') },
    problems: ['not-found'],
  },
  {
    method: 'delete',
    path: '/v1/clips/{id}',
    name: 'removeClip',
    tag: 'clips',
    parameters: [ID],
    summary: 'Cancels a clip, or removes it if it has ended.',
    answers: { 200: json('Clip', 'It is canceled.'), 204: { description: 'It is removed.' } },
    problems: ['not-found'],
  },
  {
    method: 'get',
    path: '/v1/clips/{id}/events',
    name: 'followClip',
    tag: 'clips',
    summary: 'Server-sent events until the end of the clip, at most four a second.',
    parameters: [ID, LAST_EVENT],
    answers: eventsOf('ClipEvent', 'clip'),
    problems: ['not-found'],
  },
  {
    method: 'get',
    path: '/v1/clips/{id}/live',
    name: 'watchClip',
    tag: 'clips',
    parameters: [ID],
    summary: 'Fragmented MP4 from the first finished frames on, while the rest is rendered.',
    answers: {
      200: { description: 'The frames as they come.', content: { type: 'video/mp4' } },
      303: { description: 'The clip has succeeded: its video is there.' },
    },
    problems: ['not-found', 'conflict'],
  },
  {
    method: 'get',
    path: '/v1/clips/{id}/video',
    name: 'getVideo',
    tag: 'clips',
    summary: 'The video, whole or in ranges.',
    parameters: [
      ID,
      RANGE,
      CACHED,
      { name: 'download', in: 'query', description: 'Gives it a name to be saved by.', schema: text },
    ],
    answers: file('video/*'),
    problems: ['not-found', 'conflict', 'range-not-satisfiable'],
  },
  {
    method: 'get',
    path: '/v1/clips/{id}/preview.jpg',
    name: 'getPreview',
    tag: 'clips',
    summary: 'A picture of the clip.',
    parameters: [ID, RANGE, CACHED],
    answers: file('image/jpeg'),
    problems: ['not-found', 'range-not-satisfiable'],
  },
  {
    method: 'post',
    path: '/v1/plan',
    name: 'planClip',
    tag: 'clips',
    body: 'order',
    summary: 'Looks at a clip without rendering it: time, memory, frames, faces, and what is wrong.',
    answers: { 200: json('Plan', 'What it would be and take.') },
    problems: FORM_PROBLEMS,
  },
  {
    method: 'post',
    path: '/v1/compare',
    name: 'orderComparison',
    tag: 'comparisons',
    summary: 'Orders a comparison of the fast sampler with the original one, in time and in quality.',
    body: 'comparison',
    parameters: [KEY],
    answers: { 202: json('Comparison', 'It is queued; Location has its address.') },
    problems: ORDER_PROBLEMS,
  },
  {
    method: 'get',
    path: '/v1/comparisons',
    name: 'listComparisons',
    tag: 'comparisons',
    summary: 'The comparisons, newest first, in pages.',
    parameters: pageOf('Comparisons'),
    answers: { 200: json('ComparisonPage', 'A page.') },
    problems: ['invalid-field'],
  },
  {
    method: 'get',
    path: '/v1/comparisons/{id}',
    name: 'getComparison',
    tag: 'comparisons',
    summary: 'One comparison.',
    parameters: [ID],
    answers: { 200: json('Comparison', 'The comparison.') },
    problems: ['not-found'],
  },
  {
    method: 'delete',
    path: '/v1/comparisons/{id}',
    name: 'removeComparison',
    tag: 'comparisons',
    summary: 'Cancels a comparison, or removes it if it has ended.',
    parameters: [ID],
    answers: { 200: json('Comparison', 'It is canceled.'), 204: { description: 'It is removed.' } },
    problems: ['not-found'],
  },
  {
    method: 'get',
    path: '/v1/comparisons/{id}/events',
    name: 'followComparison',
    tag: 'comparisons',
    summary: 'Server-sent events until the end of the comparison, at most four a second.',
    parameters: [ID, LAST_EVENT],
    answers: eventsOf('ComparisonEvent', 'comparison'),
    problems: ['not-found'],
  },
  reportFile('readReport', 'report.html', 'text/html', 'The report as a page.'),
  reportFile('getReport', 'report.json', 'application/json', 'The report with all its figures.'),
  reportFile('getReportStyle', 'report.css', 'text/css', 'The style of its page.'),
  reportFile('getReportScript', 'report.js', 'text/javascript', 'The script of its page.'),
  reportFile('watchReport', 'side-by-side.mp4', 'video/mp4', 'Original and fast side by side.'),
  reportFile('getReportVideo', 'videos/{name}', 'video/mp4', 'The video of a variant.', [
    ID,
    { name: 'name', in: 'path', required: true, description: 'As the report has it.', schema: text },
  ]),
  {
    method: 'post',
    path: '/v1/uploads',
    name: 'sendFile',
    tag: 'files',
    body: 'upload',
    summary: 'Sends a file that clips are then made of by its id.',
    answers: { 201: json('Upload', 'It is there; Location has its address.') },
    problems: FORM_PROBLEMS,
  },
  {
    method: 'get',
    path: '/v1/uploads/{id}',
    name: 'getUpload',
    tag: 'files',
    parameters: [ID],
    summary: 'What is known of a file.',
    answers: { 200: json('Upload', 'The file.') },
    problems: ['not-found'],
  },
  {
    method: 'delete',
    path: '/v1/uploads/{id}',
    name: 'removeUpload',
    tag: 'files',
    parameters: [ID],
    summary: 'Removes a file that no clip is made of.',
    answers: { 204: { description: 'It is removed.' } },
    problems: ['not-found', 'conflict'],
  },
  {
    method: 'get',
    path: '/v1/samples',
    name: 'listSamples',
    tag: 'files',
    summary: 'Portraits and speech that the package carries.',
    answers: { 200: json('Samples', 'The samples.') },
  },
  {
    method: 'get',
    path: '/v1/samples/{name}',
    name: 'getSample',
    tag: 'files',
    summary: 'One of these files.',
    parameters: [
      { name: 'name', in: 'path', required: true, description: 'As the list has it.', schema: text },
      RANGE,
      CACHED,
    ],
    answers: file('application/octet-stream'),
    problems: ['not-found', 'range-not-satisfiable'],
  },
  {
    method: 'get',
    path: '/v1/options',
    name: 'listOptions',
    tag: 'what there is',
    summary: 'Options of a clip, and limits of this server.',
    answers: { 200: json('Options', 'The options.') },
  },
  {
    method: 'get',
    path: '/v1/bundles',
    name: 'listBundles',
    tag: 'what there is',
    summary: 'Networks that clips can be rendered with.',
    answers: { 200: json('Bundles', 'The bundles.') },
  },
  {
    method: 'get',
    path: '/openapi.json',
    name: 'getDocument',
    tag: 'what there is',
    isPublic: true,
    summary: 'This description, as OpenAPI 3.1.',
    answers: { 200: { description: 'The document.', content: { type: 'application/json' } } },
  },
  {
    method: 'get',
    path: '/docs',
    name: 'readDocument',
    tag: 'what there is',
    isPublic: true,
    summary: 'This description, for people.',
    answers: { 200: { description: 'A page.', content: { type: 'text/html' } } },
  },
  {
    method: 'get',
    path: '/healthz',
    name: 'getHealth',
    tag: 'the server',
    isPublic: true,
    summary: 'Whether the server answers.',
    answers: { 200: json('Health', 'It does.') },
  },
  {
    method: 'get',
    path: '/readyz',
    name: 'getReadiness',
    tag: 'the server',
    isPublic: true,
    summary: 'Whether it takes work.',
    answers: { 200: json('Readiness', 'It does.'), 503: json('Readiness', 'It stops.') },
  },
  {
    method: 'get',
    path: '/metrics',
    name: 'getMetrics',
    tag: 'the server',
    summary: "Figures in Prometheus' text format.",
    answers: { 200: { description: 'The figures.', content: { type: 'text/plain' } } },
  },
];
