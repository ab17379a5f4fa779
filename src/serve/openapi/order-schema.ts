/** What a client may ask for, as schemas: one table of options says what there is. */
import { specOf } from '../../pipeline/options/clip-keys.ts';
import { type JsonSchema, jsonSchemaOf } from '../../pipeline/options/option-types.ts';
import { CLIP_FORMATS, DEFAULT_FORMAT } from '../clip-format.ts';
import { CLIENT_KEYS, FILE_KEYS, MAX_NAME_LENGTH } from '../clip-request.ts';
import { COMPARE_FIELDS, COMPARE_KEYS } from '../compare-request.ts';

type ClientKey = (typeof CLIENT_KEYS)[number];

const ID: JsonSchema = { type: 'string', description: 'The id of an upload, or of a sample.' };
const FILE: JsonSchema = {
  type: 'string',
  contentMediaType: 'application/octet-stream',
  description: 'A file.',
};

/** Values of an option: in forms, files may be sent in place of ids, and all other fields are parsed from text. */
function optionSchema(key: ClientKey, form: 'multipart' | 'json'): JsonSchema {
  const { description, default: standard, otherwise, type, path, repeatable, fromText } = specOf(key);
  const described = {
    description: otherwise === undefined ? description : `${description} If it is left out: ${otherwise}.`,
    ...(standard !== undefined && { default: standard }),
  };
  const files = form === 'multipart' ? [FILE, ID] : [ID];
  if (path?.to === 'items') {
    const pair = { type: 'string', description: 'id or id:scale' };
    const item = { type: 'object', properties: { id: ID, scale: { type: 'number' } }, required: ['id'] };
    const items = form === 'multipart' ? [FILE, pair] : [pair, item];
    return { ...described, type: 'array', items: { anyOf: items } };
  }
  if (FILE_KEYS.includes(key)) {
    const name = { type: 'string', description: 'A name that is known.' };
    return { ...described, anyOf: path?.to === 'name' ? [name, ...files] : files };
  }
  const value = jsonSchemaOf(type);
  if (fromText === undefined || repeatable) return { ...value, ...described };
  return { ...described, anyOf: [{ type: 'string' }, value] };
}

/** Fields in addition to the clip's options. */
function extraFields(thing: string): Record<string, JsonSchema> {
  const text = { type: 'string', maxLength: MAX_NAME_LENGTH };
  return {
    name: { ...text, description: `What people call the ${thing}.` },
    webhook: {
      ...text,
      format: 'uri',
      description: 'Where a signed note is sent when it has ended, at a host that the server allows.',
    },
  };
}

/** The body of an order. */
export function orderSchema(form: 'multipart' | 'json'): JsonSchema {
  return {
    type: 'object',
    description: 'A clip: what is required depends on what moves the face, and problems say what is missing.',
    properties: {
      ...Object.fromEntries(CLIENT_KEYS.map((key) => [key, optionSchema(key, form)])),
      format: { enum: CLIP_FORMATS, default: DEFAULT_FORMAT, description: 'What it is written as.' },
      ...extraFields('clip'),
    },
    additionalProperties: false,
  };
}

/** The body of an order of a comparison. */
export function comparisonSchema(form: 'multipart' | 'json'): JsonSchema {
  const { repeats, wholeJob, variants, sweeps } = COMPARE_FIELDS;
  const text: JsonSchema = { type: 'string' };
  const list = (item: JsonSchema): JsonSchema => ({
    type: 'array',
    items: form === 'multipart' ? text : { anyOf: [text, item] },
  });
  const sweep = {
    type: 'object',
    properties: { setting: text, values: { type: 'array', items: { type: 'number' } } },
    required: ['setting', 'values'],
  };
  return {
    type: 'object',
    description: 'A comparison: what all variants share of a clip, and what is compared.',
    properties: {
      ...Object.fromEntries(COMPARE_KEYS.map((key) => [key, optionSchema(key, form)])),
      repeats: { type: 'integer', minimum: 1, maximum: 100, default: 3, description: repeats },
      wholeJob: { type: 'boolean', default: false, description: wholeJob },
      variants: { ...list({ type: 'object' }), description: variants },
      sweeps: { ...list(sweep), description: sweeps },
      ...extraFields('comparison'),
    },
    additionalProperties: false,
  };
}

/** The body of an upload. */
export const UPLOAD_SCHEMA: JsonSchema = { type: 'object', properties: { file: FILE }, required: ['file'] };
