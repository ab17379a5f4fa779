/** What the server answers with, as schemas: the document of the API is made of these, and tests hold real answers against them. */
import { z } from 'zod';
import { type JsonSchema, jsonSchemaOf } from '../../pipeline/options/option-types.ts';
import { CLIP_FORMATS } from '../clip-format.ts';
import { ENDED, ORDER_STATES } from '../order-record.ts';
import { PROBLEM_KINDS, type ProblemKind } from '../problem.ts';

const count = z.int().min(0);
const amount = z.number().min(0);
const id = z.string().describe('22 characters that nobody can guess');
const time = z.iso.datetime();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What every order says of itself. */
const order = {
  id,
  name: z.string().describe('The one that was given, or those of the files.'),
  state: z.enum(ORDER_STATES),
  position: count.optional().describe('Orders before it, while it is queued.'),
  createdAt: time,
  startedAt: time.optional(),
  finishedAt: time.optional(),
  options: z.record(z.string(), z.unknown()).describe('As they were ordered; files by their ids.'),
  files: z.array(z.object({ id: z.string(), name: z.string() })),
  notices: z.array(z.string()),
  error: z
    .object({
      code: z.string().describe('As the errors of the library have it, for example FACE.'),
      message: z.string(),
      field: z.string().optional().describe('The field to change, where that is known.'),
    })
    .optional()
    .describe('Why it failed.'),
};

const clip = z
  .object({
    ...order,
    format: z.enum(CLIP_FORMATS),
    progress: z
      .object({
        framesDone: count,
        framesTotal: count,
        stepsDone: count,
        stepsTotal: count,
        fraction: z.number().min(0).max(1).describe('Share of the work that is done.'),
        framesPerSecond: amount,
        remaining: amount.optional().describe('Seconds until the end, from the pace so far.'),
      })
      .optional()
      .describe('While it is rendered.'),
    resumedFrames: count.optional().describe('Frames from checkpoints of an earlier start of the server.'),
    result: z
      .object({
        frames: count,
        fps: z.number().positive(),
        width: count,
        height: count,
        seconds: amount.describe('Seconds that rendering took.'),
        bytes: count,
        sha256,
      })
      .optional()
      .describe('The video, once it has succeeded.'),
    links: z
      .record(z.string(), z.string())
      .describe('Where more of it is: self, events, preview, live or video.'),
  })
  .describe('A clip as it is now.');

const comparison = z
  .object({
    ...order,
    progress: z
      .object({
        stage: z.enum(['prepare', 'load', 'render', 'whole-job', 'look', 'write']),
        evaluationsDone: count,
        evaluationsTotal: count,
        fraction: z.number().min(0).max(1).describe('Share of the evaluations that are done.'),
        remaining: amount.optional().describe('Seconds until all are.'),
      })
      .optional()
      .describe('While it is made.'),
    result: z
      .object({
        summary: z.string().describe('In a sentence or two.'),
        speedUp: z
          .object({ denoise: amount, total: amount })
          .optional()
          .describe('How many times faster the fast sampler is than the original one.'),
        face: z
          .object({ psnr: z.number().nullable(), ssim: z.number() })
          .optional()
          .describe('Faces of the fast sampler against those of the original one; null for equal ones.'),
        variants: z.array(
          z.object({ id: z.string(), title: z.string(), seconds: z.record(z.string(), amount) }),
        ),
        frames: count,
        fps: z.number().positive(),
        width: count,
        height: count,
      })
      .optional()
      .describe('What was found, in short.'),
    links: z
      .record(z.string(), z.string())
      .describe('Where more of it is: self, events, and once it has succeeded report, data and video.'),
  })
  .describe('A comparison as it is now.');

const upload = z
  .object({
    id,
    kind: z.enum(['picture', 'sound', 'film', 'motion', 'weights']).describe('Found by its contents.'),
    name: z.string(),
    bytes: count,
    sha256,
    createdAt: time,
    duration: amount.optional().describe('Seconds, of sound and films.'),
    hasSound: z.boolean().optional().describe('Of films.'),
    width: count.optional().describe('Pixels.'),
    height: count.optional().describe('Pixels.'),
  })
  .describe('A file that was received.');

const plan = z
  .object({
    frames: count,
    fps: z.number(),
    duration: amount.describe('Seconds of video.'),
    denoisedFrames: count.describe('Of the frames; the others are blended.'),
    windows: count,
    windowLayout: z.string(),
    precision: z.string(),
    width: count,
    height: count,
    device: z.string(),
    bundle: z.string(),
    sampler: z.string(),
    steps: count,
    guidance: z.number(),
    denoiserEvaluations: count,
    estimatedSeconds: amount.describe(
      'Seconds that rendering will take on this machine, as busy as it is now.',
    ),
    estimatedProcessorSeconds: amount.describe('Of all cores together.'),
    estimatedMemoryBytes: amount,
    faces: z
      .array(z.record(z.string(), z.unknown()))
      .optional()
      .describe('Faces of the portrait, from the left.'),
    notices: z.array(z.string()).describe('What is harmless, and good to know.'),
  })
  .describe('What a clip would be and take.');

const option = z.object({
  name: z.string(),
  description: z.string(),
  group: z.string(),
  file: z.boolean().describe('Whether a file, or the id of one, is its value.'),
  compared: z.boolean().describe('Whether a comparison takes it, too.'),
  default: z.unknown().optional(),
  otherwise: z.string().optional().describe('What takes its place if it is left out.'),
  onCommandLine: z.boolean().optional(),
  schema: z.record(z.string(), z.unknown()).describe('JSON Schema of its values in the library.'),
});

const format = z.object({
  name: z.enum(CLIP_FORMATS),
  label: z.string(),
  type: z.string().describe('The media type of its files.'),
  transparent: z.boolean().describe('Whether it can be transparent.'),
  sound: z.boolean(),
});

const bundle = z.object({
  name: z.string(),
  embedded: z.boolean(),
  resolution: count.optional(),
  fps: z.number().optional(),
  licence: z.unknown().optional(),
  presets: z.array(z.string()).optional(),
  problem: z.string().optional().describe('There if it cannot be used.'),
});

const kinds = Object.keys(PROBLEM_KINDS) as ProblemKind[];
const problem = z
  .object({
    type: z.enum(kinds.map((kind) => `/docs#${kind}`)),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('The words of the library, for people.'),
    errors: z
      .array(z.object({ field: z.string(), pointer: z.string(), detail: z.string() }))
      .optional()
      .describe('All fields that are wrong.'),
  })
  .describe('Problem details, RFC 9457.');

const entries = z
  .array(z.object({ seq: count, at: time, type: z.enum(['state', 'notice']), text: z.string() }))
  .describe('What has happened since the last event; the id of the event is the last number.');
const next = z.string().optional().describe('The next page.');

/** Answers by the names that the document gives them. */
export const ANSWERS = {
  Clip: clip,
  ClipEvent: clip.extend({ entries }).describe('The data of an event.'),
  ClipPage: z.object({ clips: z.array(clip), next }),
  Comparison: comparison,
  ComparisonEvent: comparison.extend({ entries }).describe('The data of an event.'),
  ComparisonPage: z.object({ comparisons: z.array(comparison), next }),
  OrderNote: z
    .object({
      type: z.enum(['clip', 'comparison'].flatMap((kind) => [...ENDED].map((state) => `${kind}.${state}`))),
      timestamp: time,
      data: z.union([clip, comparison]),
    })
    .describe('The body of a note that is sent when a clip or a comparison has ended.'),
  Upload: upload,
  Plan: plan,
  Options: z.object({
    limits: z.record(z.string(), z.number()),
    options: z.array(option),
    formats: z.array(format),
  }),
  Bundles: z.object({ bundles: z.array(bundle) }),
  Samples: z.object({
    samples: z.array(z.object({ id: z.string(), name: z.string(), kind: z.string(), url: z.string() })),
  }),
  Health: z.object({ status: z.literal('ok'), version: z.string() }),
  Readiness: z.object({ status: z.enum(['ready', 'stopping']) }),
  Problem: problem,
} as const;

export type AnswerName = keyof typeof ANSWERS;

/** The answers as JSON Schema, draft 2020-12; an order inside a page or a note is a reference. */
export function answerSchemas(): Readonly<Record<AnswerName, JsonSchema>> {
  const schemas = Object.fromEntries(
    Object.entries(ANSWERS).map(([name, type]) => [name, jsonSchemaOf(type, 'input')]),
  ) as Record<AnswerName, JsonSchema>;
  const reference = (name: AnswerName): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
  const put = (name: AnswerName, property: string, schema: JsonSchema): JsonSchema => {
    const whole = schemas[name] as { properties: JsonSchema };
    return { ...whole, properties: { ...whole.properties, [property]: schema } };
  };
  return {
    ...schemas,
    ClipPage: put('ClipPage', 'clips', { type: 'array', items: reference('Clip') }),
    ComparisonPage: put('ComparisonPage', 'comparisons', { type: 'array', items: reference('Comparison') }),
    OrderNote: put('OrderNote', 'data', { anyOf: [reference('Clip'), reference('Comparison')] }),
  };
}
