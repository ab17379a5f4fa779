/** Files that are damaged by the fuzzer: small ones of every form of manifest and weights that is read. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FuzzSeed } from './fuzz-readers.ts';

const GOLDEN = fileURLToPath(new URL('../../test/golden/', import.meta.url));
const JOB = {
  portrait: 'a.jpg',
  audio: ['b.wav', 'c.wav'],
  seed: 7,
  loras: ['x.safetensors:0.5'],
  output: '{portrait}{fps}.mp4',
};
const YAML = `version: 1
defaults: &d { preset: fast, attempts: 3, output: 'out/{portrait}-{audio}.mp4' }
jobs:
  - { portrait: "a.jpg", audio: b.wav, seed: 7 }
  - <<: *d
    portrait: '[a-b].jpg'
    audio: [b.wav, c.wav]
    priority: 5
    timeout: 60
`;
const TABLE =
  'sep=;\r\nPortrait;Audio;Output;Seed;Expression Scale;Loras\r\na.jpg;"b.wav";o.mp4;7;0,5;x:0,5|y\r\n';

const MANIFESTS: Readonly<Record<string, string | Uint8Array>> = {
  'jobs.yaml': YAML,
  'cases.yaml': 'test_cases:\n  a.jpg: [b.wav, c.wav]\nweight_dtype: fp16\n',
  'jobs.json': JSON.stringify({ version: 1, defaults: { still: true }, jobs: [JOB, JOB] }),
  'jobs.jsonl': `${JSON.stringify(JOB)}\n\n${JSON.stringify(JOB)}\n`,
  'jobs.csv': TABLE,
  'jobs.txt': Buffer.from(`\ufeff${TABLE.replace('sep=;\r\n', '').replaceAll(';', '\t')}`, 'utf16le'),
};

/** All of them. */
export function fuzzSeeds(): FuzzSeed[] {
  const manifests = Object.entries(MANIFESTS).map(
    ([name, text]): FuzzSeed => ({ name, bytes: Buffer.from(text as string) }),
  );
  const files = (folder: string, pattern: RegExp): FuzzSeed[] =>
    readdirSync(path.join(GOLDEN, folder))
      .filter((name) => pattern.test(name))
      .sort()
      .map((name) => ({ name, bytes: readFileSync(path.join(GOLDEN, folder, name)) }));
  return [
    ...manifests,
    ...files('pytorch', /\.(?:pth|pkl)$/).filter(({ bytes }) => bytes.length < 100_000),
    ...files('lora', /^lora_.*\.safetensors$/),
  ];
}
