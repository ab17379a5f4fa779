/** The manifest as a JSON Schema (draft 2020-12), for editors that complete and check while one writes. */
import { JOB_OPTION_KEYS, specOf } from '../pipeline/options/clip-keys.ts';
import { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import type { OptionSpec } from '../pipeline/options/option-spec.ts';
import { type JsonSchema, jsonSchemaOf } from '../pipeline/options/option-types.ts';
import { defaultOutput, JOB_CONTROLS, PLACEHOLDERS } from './manifest-schema.ts';

const text: JsonSchema = { type: 'string', minLength: 1 };
const pattern: JsonSchema = { ...text, description: 'A path, or a pattern such as faces/*.jpg.' };

/** An option as manifests write it. */
function optionSchema(spec: OptionSpec): JsonSchema {
  const { type, description, default: standard, otherwise, fromText, repeatable } = spec;
  const described = {
    description: otherwise === undefined ? description : `${description} If it is left out: ${otherwise}.`,
    ...(standard !== undefined && { default: standard }),
  };
  if (spec.path?.to === 'input') {
    return {
      description: `${described.description} Several make a job for each combination of files.`,
      anyOf: [pattern, { type: 'array', minItems: 1, items: pattern }],
    };
  }
  const value = jsonSchemaOf(type);
  if (repeatable) {
    const item = { anyOf: [text, value.items] };
    return { ...described, anyOf: [item, { type: 'array', items: item }] };
  }
  return fromText === undefined ? { ...value, ...described } : { ...described, anyOf: [text, value] };
}

/** Every key that a job may have. */
export const JOB_PROPERTIES: Readonly<Record<string, JsonSchema>> = {
  id: { ...text, description: "Name in reports; the output's if there is none." },
  ...Object.fromEntries(JOB_OPTION_KEYS.map((key) => [key, optionSchema(specOf(key))])),
  output: {
    ...text,
    default: defaultOutput(),
    description: `${CLIP_OPTIONS.output.description.replace(/\.$/, '')}, with ${PLACEHOLDERS.map((name) => `{${name}}`).join(', ')}.`,
  },
  ...Object.fromEntries(
    Object.entries(JOB_CONTROLS).map(([key, { type, ...described }]) => [
      key,
      { ...jsonSchemaOf(type), ...described },
    ]),
  ),
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
