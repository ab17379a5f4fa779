/** What docs/serve.md has people type, typed against a server. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PORTRAIT, ServerProcess, SPEECH, temporaryFolder } from './server-process.ts';

const docs = readFileSync(fileURLToPath(new URL('../../docs/serve.md', import.meta.url)), 'utf8');
const examples = [...docs.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]!);
const cannotRun =
  process.platform === 'win32'
    ? 'the examples are for a POSIX shell'
    : spawnSync('curl', ['--version'], { stdio: 'ignore' }).status !== 0 && 'needs curl';

test('every example with curl is one that is run here', () => {
  const blocks = [...docs.matchAll(/^```(\w*)\n(.*?)^```$/gms)];
  assert.deepEqual(
    blocks.filter(([, language, text]) => language !== 'sh' && /\bcurl\b/.test(text!)),
    [],
  );
  assert.equal(examples.length, 4);
});

test('the examples do what is said of them', { skip: cannotRun }, async () => {
  const server = await ServerProcess.start(temporaryFolder(), { stepMs: 5 });
  const folder = temporaryFolder();
  copyFileSync(PORTRAIT, path.join(folder, 'face.jpg'));
  copyFileSync(SPEECH, path.join(folder, 'speech.wav'));
  // One shell for all: later ones use what earlier ones have found.
  const script = ['set -eu', ...examples].join('\n').replaceAll('http://127.0.0.1:7860', server.url);
  assert.ok(script.split(server.url).length > 2);
  const shell = spawnSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8', timeout: 600_000 });
  assert.equal(shell.status, 0, `${shell.stdout}\n${shell.stderr}`);

  const { clips } = await server.json('/v1/clips');
  const hello = clips.find(({ name }: { name: string }) => name === 'hello');
  assert.equal(hello.state, 'succeeded');
  assert.equal(readFileSync(path.join(folder, 'hello.mp4')).length, hello.result.bytes);
  assert.deepEqual(readdirSync(folder).sort(), ['face.jpg', 'hello.mp4', 'speech.wav']);
  assert.ok(clips.some(({ options }: { options: { style?: string } }) => options.style === 'lively'));
  assert.ok(shell.stdout.includes('event: clip'));
  assert.ok(shell.stdout.includes('"estimatedSeconds"'));
  const { comparisons } = await server.json('/v1/comparisons');
  assert.deepEqual(
    comparisons.map(({ state, options }: { state: string; options: { repeats: number } }) => [
      state,
      options.repeats,
    ]),
    [['succeeded', 1]],
  );
  assert.ok(shell.stdout.includes('event: comparison') && shell.stdout.includes('lcm-portrait/compare'));
  // Ordered twice with one key, and then cancelled or, if it was done by then, removed.
  const others = clips.filter(({ options }: { options: { seed?: number } }) => options.seed === 7);
  assert.ok(others.length <= 1 && others.every(({ state }: { state: string }) => state === 'canceled'));
  await server.end('SIGKILL');
});
