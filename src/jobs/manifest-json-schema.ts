/** The manifest as a JSON Schema (draft 2020-12), for editors that complete and check while one writes. */
import { DEFAULT_OUTPUT, PLACEHOLDERS } from './manifest-schema.ts';

/** A part of a JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const path = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description });
const oneOrMore = (item: JsonSchema, description: string): JsonSchema => ({
  description,
  anyOf: [item, { type: 'array', minItems: 1, items: item }],
});
const number = (minimum: number, maximum: number, standard: number | undefined, description: string) => ({
  type: 'number',
  minimum,
  maximum,
  ...(standard !== undefined && { default: standard }),
  description,
});
const integer = (minimum: number, maximum: number, standard: number | undefined, description: string) => ({
  ...number(minimum, maximum, standard, description),
  type: 'integer',
});
const choice = (names: readonly string[], standard: string | undefined, description: string): JsonSchema => ({
  enum: names,
  ...(standard !== undefined && { default: standard }),
  description,
});
const flag = (description: string): JsonSchema => ({ type: 'boolean', default: false, description });

const MAX_LORA_SCALE = 10;
const lora: JsonSchema = {
  anyOf: [
    { type: 'string', minLength: 1 },
    {
      type: 'object',
      properties: {
        path: { type: 'string', minLength: 1 },
        scale: { type: 'number', minimum: -MAX_LORA_SCALE, maximum: MAX_LORA_SCALE },
      },
      required: ['path', 'scale'],
      additionalProperties: false,
    },
  ],
};

/** Every key that a job may have. */
export const JOB_PROPERTIES: Readonly<Record<string, JsonSchema>> = {
  id: { type: 'string', minLength: 1, description: "Name in reports; the output's if there is none." },
  portrait: oneOrMore(path('A path, or a pattern such as faces/*.jpg.'), 'Pictures with one clear face.'),
  audio: oneOrMore(
    path('A path, or a pattern.'),
    'Recordings of speech; a job for each pair with a picture.',
  ),
  output: {
    type: 'string',
    minLength: 1,
    default: DEFAULT_OUTPUT,
    description: `Video to write, .mp4, .m4v or .mov, with ${PLACEHOLDERS.map((name) => `{${name}}`).join(', ')}.`,
  },
  bundle: { ...path('Name of a bundle, or its folder.'), default: 'tiny' },
  bundleStore: path('Folder of installed bundles.'),
  loras: {
    description:
      "LoRAs to merge after the preset's, file or file:scale; a job's take the place of the defaults'.",
    anyOf: [lora, { type: 'array', items: lora }],
  },
  preset: choice(
    ['fast', 'faster', 'original'],
    'fast',
    'Starting point for sampler, steps, guidance, windows, precision and LoRA.',
  ),
  sampler: choice(['lcm', 'ddim', 'dpmsolver', 'tcd', 'euler'], undefined, "The preset's if none is named."),
  steps: integer(
    1,
    100,
    undefined,
    "Denoising steps, for lcm and tcd to 50; the preset's if there are none.",
  ),
  denoiseEvery: integer(
    1,
    8,
    undefined,
    "Denoises every nth frame and blends those between; the preset's if there is none.",
  ),
  windows: choice(
    ['overlapping', 'moving', 'loop'],
    undefined,
    "How the clip is cut into windows; the preset's way if none is named.",
  ),
  guidance: number(1, 20, undefined, "Classifier-free guidance, 1 is off; the preset's if there is none."),
  seed: integer(0, Number.MAX_SAFE_INTEGER, 42, 'Seed of noise, head motion and blinks.'),
  fps: number(1, 120, undefined, "Frames a second; the bundle's if there are none."),
  framing: choice(['paste-back', 'crop'], 'paste-back', 'The whole photo, or the square around the face.'),
  precision: choice(
    ['auto', 'float32', 'float16', 'int8'],
    undefined,
    "What networks compute in; int8 on CPUs, with a bundle that has a calibration; the preset's if none is named.",
  ),
  expressionScale: number(0, 3, 1, 'Strength of facial expression.'),
  mouthScale: number(0, 3, 1, 'Strength of lip and jaw motion on top of it.'),
  headPoseScale: number(0, 3, 1, 'Strength of head motion.'),
  blinkScale: number(0, 1, 1, 'Strength of blinks.'),
  still: flag('Keeps the head where it is in the portrait.'),
  overwrite: flag('Replaces an output that is a file from elsewhere.'),
  priority: integer(-1000, 1000, 0, 'Jobs with a higher number begin earlier.'),
  attempts: integer(1, 100, 3, 'How often a job is begun at most when it fails for a reason that can pass.'),
  timeout: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 604_800,
    description: 'Seconds that an attempt may take; no limit if there are none.',
  },
};

/** The whole schema. */
export function manifestJsonSchema(): JsonSchema {
  const { id: _, ...defaults } = JOB_PROPERTIES;
  const jobs = { type: 'array', minItems: 1, items: { $ref: '#/$defs/job' } };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'lcm-portrait batch',
    anyOf: [
      {
        type: 'object',
        properties: {
          version: { const: 1 },
          defaults: {
            type: 'object',
            description: 'For all jobs that do not say otherwise.',
            properties: defaults,
            additionalProperties: false,
          },
          jobs,
        },
        required: ['jobs'],
        additionalProperties: false,
      },
      jobs,
    ],
    $defs: { job: { type: 'object', properties: JOB_PROPERTIES, additionalProperties: false } },
  };
}
