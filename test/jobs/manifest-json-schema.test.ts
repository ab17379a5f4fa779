import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOB_PROPERTIES, manifestJsonSchema } from '../../src/jobs/manifest-json-schema.ts';
import { JOB_CONTROLS, type JobControl } from '../../src/jobs/manifest-schema.ts';
import { OPTION_NAMES } from '../../src/pipeline/options/clip-keys.ts';
import { findInvalidOptions, resolveOptions } from '../../src/pipeline/resolve-options.ts';

const CLIP = { portrait: 'a.jpg', audio: 'a.wav', output: 'a.mp4' };
/** Belong to the batch, or to programs. */
const NOT_OF_A_JOB = ['device', 'threads', 'ffmpegPath', 'signal', 'stream', 'onProgress'];

function isAccepted(key: string, value: unknown): boolean {
  if (Object.hasOwn(JOB_CONTROLS, key)) {
    return JOB_CONTROLS[key as keyof JobControl].type.safeParse(value).success;
  }
  // What takes the place of speech excludes it.
  const clip = key === 'idle' ? { ...CLIP, audio: undefined } : CLIP;
  return findInvalidOptions({ ...clip, [key]: value }, { partial: true }).length === 0;
}

test('a job has the keys that manifests take', () => {
  const taken = [
    ...OPTION_NAMES.filter((name) => !NOT_OF_A_JOB.includes(name)),
    ...Object.keys(JOB_CONTROLS),
    'id',
  ];
  assert.deepEqual(Object.keys(JOB_PROPERTIES).sort(), taken.sort());
});

for (const [key, schema] of Object.entries(JOB_PROPERTIES)) {
  const {
    type,
    minimum,
    maximum,
    exclusiveMinimum,
    enum: names,
  } = schema as {
    readonly type?: string;
    readonly minimum?: number;
    readonly maximum: number;
    readonly exclusiveMinimum?: number;
    readonly enum?: readonly string[];
  };
  if (type === 'number' || type === 'integer') {
    test(`${key}: the limits are those of the check`, () => {
      assert.deepEqual([isAccepted(key, maximum), isAccepted(key, maximum + 1)], [true, false]);
      const [least, below] = minimum === undefined ? [1e-3, exclusiveMinimum] : [minimum, minimum - 1e-3];
      assert.deepEqual([isAccepted(key, least), isAccepted(key, below)], [true, false]);
      assert.equal(isAccepted(key, 1.5), type === 'number' && maximum >= 1.5);
    });
  } else if (names !== undefined) {
    test(`${key}: the names are those of the check`, () => {
      for (const name of names) assert.ok(isAccepted(key, name), name);
      const message = findInvalidOptions({ ...CLIP, [key]: 'none of them' }, { partial: true })[0]!.message;
      const expected = /expected (.*), got/.exec(message)![1]!.split(/, | or /);
      assert.deepEqual(expected, names);
    });
  }
}

test('the defaults are those of clips and jobs', () => {
  const defaults = resolveOptions(CLIP) as unknown as Record<string, unknown>;
  for (const [key, schema] of Object.entries(JOB_PROPERTIES)) {
    if (Object.hasOwn(JOB_CONTROLS, key) || key === 'output') continue;
    if ('default' in schema) assert.equal(schema.default, defaults[key], key);
  }
});

test('the schema is plain data', () => {
  const schema = manifestJsonSchema();
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
});
