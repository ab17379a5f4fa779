import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { runProgram } from '../../src/cli/program.ts';
import { EMBEDDED_BUNDLES } from '../../src/models/bundle.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { type ServedFile, startServer } from '../helpers/unreliable-server.ts';

const home = temporaryDirectory();
const files: Record<string, ServedFile> = {};
const server = await startServer(files);
after(() => server.close());

/** Runs `models` with its arguments, with a store of its own. */
async function models(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const output = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      output[name] += text;
    },
  });
  const status = await runProgram(['models', ...args], {
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env: { LCM_PORTRAIT_HOME: home },
    version: '0.0.0',
    loadPipeline: () => Promise.reject(new Error('not needed')),
    loadJobs: () => Promise.reject(new Error('not needed')),
    loadComparison: () => Promise.reject(new Error('not needed')),
    loadServer: () => Promise.reject(new Error('not needed')),
    examine: () => Promise.reject(new Error('not needed')),
  });
  return { status, ...output };
}

test('a bundle is fused, listed, verified and removed', async () => {
  const fused = await models('fuse', 'tiny', '--preset', 'fast', '--name', 'quick');
  assert.equal(fused.status, 0, fused.stderr);
  const folder = path.join(home, 'bundles/quick');
  assert.equal(fused.stdout.split('\n')[0], folder);
  assert.match(
    fused.stdout,
    /bundle quick, \d\d\.\d MB, 256×256 at 25 fps; fast: lcm, 4 steps, guidance 1\n$/,
  );
  assert.match(fused.stderr, /Fusing the denoising UNet: 100 % of 13\.9 MB/);

  const listed = await models('list', '--json');
  const bundles = listed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    bundles.map(({ name, embedded }) => [name, embedded]),
    [
      ['tiny', true],
      ['quick', false],
    ],
  );
  assert.equal(bundles[1].folder, folder);
  const text = await models('list', '--files');
  assert.match(text.stdout, /^tiny \(embedded\)\n/);
  assert.match(text.stdout, /\nquick\n.*Fused with lcm_lora\.safetensors/);
  assert.match(text.stdout, /denoisingUnet\s+denoising_unet\.safetensors, 13\.9 MB, SHA-256 [0-9a-f]{64}/);

  const verified = await models('verify', '--quiet');
  assert.match(
    verified.stdout,
    /^tiny: every file is as its bundle says, \d\d\.\d MB\nquick: every file is as its bundle says, \d\d\.\d MB\n$/,
  );
  assert.equal(verified.stderr, '');
  const removed = await models('remove', 'quick', '--json');
  assert.deepEqual(JSON.parse(removed.stdout), { type: 'removed', name: 'quick', folder });
  assert(!existsSync(folder));
});

test('a bundle is fetched from a server that drops connections', async () => {
  const tiny = path.join(EMBEDDED_BUNDLES, 'tiny');
  const description = JSON.parse(readFileSync(path.join(tiny, 'bundle.json'), 'utf8'));
  files['/bundle.json'] = { contents: Buffer.from(JSON.stringify({ ...description, name: 'fetched' })) };
  for (const { path: file } of Object.values(description.files) as { path: string }[]) {
    files[`/${file}`] = { contents: readFileSync(path.join(tiny, file)), drops: [100_000] };
  }
  const { status, stdout, stderr } = await models('pull', server.url);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^.*fetched\nbundle fetched, \d\d\.\d MB/);
  assert.match(stderr, /Fetching denoising_unet\.safetensors: \d+ % of \d\d\.\d MB/);
  assert.equal((await models('verify', 'fetched', '--quiet')).status, 0);
});

const WRONG: readonly (readonly [readonly string[], number, RegExp])[] = [
  [
    ['remove', 'tiny'],
    2,
    /error: Cannot remove bundle tiny: expected an installed one, got one that the package carries/,
  ],
  [['remove', 'none'], 5, /Cannot remove bundle none/],
  [['import', 'sonic', home], 2, /Cannot import "sonic": expected aniportrait/],
  [
    ['import', 'aniportrait', '/none'],
    5,
    /expected the folder of AniPortrait's files, got nothing at this path/,
  ],
  [
    ['import', 'aniportrait', home, '--fast', 'lcm:4'],
    2,
    /Cannot use --fast: expected sampler:steps:guidance/,
  ],
  [['fuse', 'tiny', '--name', 'x'], 2, /Cannot fuse: expected a LoRA/],
  [['fuse', 'none', '--name', 'x', '--preset', 'fast'], 5, /Cannot open bundle none/],
  [['pull', 'ftp://x/y'], 5, /expected an address that begins with https/],
  [['verify', 'none'], 5, /Cannot open bundle none/],
  [['pull'], 2, /Cannot read the command line: missing required argument 'url'/],
  [['lits'], 2, /Cannot read the command line/],
];
for (const [args, status, message] of WRONG) {
  test(`models ${args.join(' ')} is an error with status ${status}`, async () => {
    const result = await models(...args);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, message);
    assert.equal(result.stdout, '');
  });
}

test('an import that lacks everything names each network on a line of its own', async () => {
  const { status, stderr } = await models('import', 'aniportrait', temporaryDirectory());
  assert.equal(status, 5);
  const lines = stderr.trim().split('\n');
  assert.match(lines[0]!, /Cannot import .*: expected AniPortrait's networks, got 6 problems/);
  assert(
    lines.length > 2 && lines.slice(1).every((line) => line.startsWith('lcm-portrait: error: ')),
    stderr,
  );
});
