/** The description of the API. Source: OpenAPI Specification 3.1.1. */
import type { JsonSchema } from '../../pipeline/options/option-types.ts';
import { PROBLEM_KINDS, type ProblemKind } from '../problem.ts';
import { OPERATIONS, type Operation } from './operations.ts';
import { comparisonSchema, orderSchema, UPLOAD_SCHEMA } from './order-schema.ts';
import { answerSchemas } from './schemas.ts';

/** Problems that any request may have; those without a token have one less. */
const COMMON_PROBLEMS: readonly ProblemKind[] = ['forbidden', 'unauthorized', 'unexpected'];

/** Problems of an operation, by their status. */
export function problemsOf({
  problems = [],
  isPublic,
}: Operation): ReadonlyMap<number, readonly ProblemKind[]> {
  const all = [...problems, ...COMMON_PROBLEMS].filter((kind) => !(isPublic && kind === 'unauthorized'));
  const byStatus = new Map<number, ProblemKind[]>();
  for (const kind of all) {
    const { status } = PROBLEM_KINDS[kind];
    byStatus.set(status, [...(byStatus.get(status) ?? []), kind]);
  }
  return new Map([...byStatus].sort(([a], [b]) => a - b));
}

/** The document as JSON. */
export function openapiDocument(version: string): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const operation of OPERATIONS) {
    const { method, path } = operation;
    paths[path] = { ...paths[path], [method]: operationObject(operation) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'lcm-portrait',
      version,
      summary: 'A portrait and a speech recording in, a talking video out.',
    },
    servers: [{ url: '/' }],
    // A server on the loopback asks for no token unless it was given one.
    security: [{ token: [] }, {}],
    tags: [...new Set(OPERATIONS.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    webhooks: { orderEnded: { post: NOTE } },
    components: {
      schemas: {
        ...answerSchemas(),
        ClipForm: orderSchema('multipart'),
        ClipOrder: orderSchema('json'),
        ComparisonForm: comparisonSchema('multipart'),
        ComparisonOrder: comparisonSchema('json'),
        UploadForm: UPLOAD_SCHEMA,
      },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

/** What a server does that receives notes. Source: Standard Webhooks 1.0. */
const NOTE: JsonSchema = {
  operationId: 'orderEnded',
  summary: 'Sent to the address of an order when its clip or comparison has ended, until it is taken.',
  parameters: ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => ({
    name,
    in: 'header',
    required: true,
    schema: { type: 'string' },
    description: 'As Standard Webhooks have it.',
  })),
  requestBody: { required: true, content: { 'application/json': contentObject('OrderNote') } },
  responses: {
    '2XX': { description: 'It is taken.' },
    410: { description: 'No more of it is wanted.' },
  },
};

function operationObject(operation: Operation): JsonSchema {
  const { name, tag, summary, isPublic, parameters, body, answers } = operation;
  const good = Object.entries(answers).map(([status, { description, content }]) => [
    status,
    { description, ...(content && { content: { [content.type]: contentObject(content.schema) } }) },
  ]);
  const problems = [...problemsOf(operation)]
    .filter(([status]) => answers[status] === undefined)
    .map(([status, kinds]) => [
      status,
      {
        description: kinds.map((kind) => `${PROBLEM_KINDS[kind].title} (${kind}).`).join(' '),
        content: { 'application/problem+json': contentObject('Problem') },
      },
    ]);
  return {
    operationId: name,
    tags: [tag],
    summary,
    ...(isPublic && { security: [] }),
    ...(parameters && { parameters }),
    ...(body && { requestBody: { required: true, content: bodyContent(body) } }),
    responses: Object.fromEntries([...good, ...problems]),
  };
}

function bodyContent(body: NonNullable<Operation['body']>): JsonSchema {
  if (body === 'upload') return { 'multipart/form-data': contentObject('UploadForm') };
  const name = body === 'order' ? 'Clip' : 'Comparison';
  return {
    'multipart/form-data': contentObject(`${name}Form`),
    'application/json': contentObject(`${name}Order`),
  };
}

function contentObject(schema: string | undefined): JsonSchema {
  return schema === undefined ? {} : { schema: { $ref: `#/components/schemas/${schema}` } };
}
