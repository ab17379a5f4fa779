import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flagOf } from '../../../src/cli/option-flags.ts';
import { refusalOf } from '../../../src/pipeline/options/check-options.ts';
import { contentOf, OPTION_NAMES, specOf, withPaths } from '../../../src/pipeline/options/clip-keys.ts';
import { kindOfType } from '../../../src/pipeline/options/option-types.ts';

const LIMIT = { timeout: 120_000 };

test('defaults are values that the options take', LIMIT, () => {
  for (const key of OPTION_NAMES) {
    const { type, default: standard } = specOf(key);
    if (standard !== undefined) assert.equal(refusalOf(type, standard), undefined, key);
  }
});

test(
  'every option is described; all but inputs are required, have a default, or say what takes their place',
  LIMIT,
  () => {
    const lists = (key: (typeof OPTION_NAMES)[number]) => kindOfType(specOf(key).type) === 'array';
    for (const key of OPTION_NAMES) {
      const { description, group, required, default: standard, otherwise } = specOf(key);
      assert.match(description, /^[A-Z].*\.$/, key);
      // Which of the inputs there must be is a rule.
      if (group === 'run' || group === 'input' || key === 'ffmpegPath' || lists(key)) continue;
      assert.ok(required || standard !== undefined || otherwise !== undefined, key);
    }
  },
);

test('flags have names of their own', LIMIT, () => {
  const names = OPTION_NAMES.flatMap((key) => flagOf(key)?.name ?? []);
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.includes('--head-pose-scale') && names.includes('--force') && names.includes('--lora'));
});

test('what tells clips apart: contents of inputs, values, and nothing of place or machine', LIMIT, () => {
  const by = (content: string) => OPTION_NAMES.filter((key) => contentOf(specOf(key)) === content);
  for (const key of ['portrait', 'audio'] as const) assert.equal(contentOf(specOf(key)), 'contents');
  for (const key of ['bundle', 'loras'] as const) assert.equal(contentOf(specOf(key)), 'own');
  assert.deepEqual(by('none'), [
    ...[
      'output',
      'overwrite',
      'bundleStore',
      'lowMemory',
      'device',
      'threads',
      'ffmpegPath',
      'signal',
      'stream',
      'onProgress',
    ],
  ]);
});

test('all paths of a clip are moved, and nothing else', LIMIT, () => {
  const options = {
    portrait: 'a.jpg',
    audio: 'a.wav',
    output: 'a.mp4',
    bundle: 'mine',
    loras: [{ path: 'b.safetensors', scale: 2 }],
    preset: 'fast',
  } as const;
  const kinds: string[] = [];
  const moved = withPaths(options, (file, { to }) => {
    kinds.push(to);
    return `/there/${file}`;
  });
  assert.deepEqual(moved, {
    portrait: '/there/a.jpg',
    audio: '/there/a.wav',
    output: '/there/a.mp4',
    bundle: '/there/mine',
    loras: [{ path: '/there/b.safetensors', scale: 2 }],
    preset: 'fast',
  });
  assert.deepEqual(kinds, ['input', 'input', 'output', 'name', 'items']);
  assert.equal(options.portrait, 'a.jpg');
});
