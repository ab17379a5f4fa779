/** The container's files, without a container engine: the image is laid out as they say, and its commands are run in it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import ts from 'typescript';
import { parse } from 'yaml';
import { freePort } from './helpers/free-port.ts';
import { temporaryDirectory } from './helpers/media.ts';
import { RedisServer } from './helpers/redis-server.ts';
import { noRedis } from './helpers/requirements.ts';
import { ROOT } from './helpers/run-program.ts';

const folder = temporaryDirectory();
const read = (name: string): string => readFileSync(path.join(ROOT, name), 'utf8');
const posix = { skip: process.platform === 'win32' && 'containers are Linux' };

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** The instructions of the Dockerfile by stage. */
const stages: Instruction[][] = [];
for (const line of read('Dockerfile').split('\n')) {
  const [, word, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
  if (word === undefined || rest === undefined) continue;
  if (word === 'FROM') stages.push([]);
  stages.at(-1)!.push({ word, rest });
}
const [build, image] = stages as [Instruction[], Instruction[]];
const argumentsOf = (word: string): string[] =>
  JSON.parse(image.find((each) => each.word === word)!.rest.replace(/^[^[]*/, '')) as string[];

/** What `COPY` takes and where to. */
function copiesOf(stage: readonly Instruction[]) {
  return stage
    .filter(({ word }) => word === 'COPY')
    .map(({ rest }) => {
      const words = rest.split(' ');
      const from = words[0]!.startsWith('--from=') ? words.shift() : undefined;
      const target = words.pop()!;
      return { from, sources: words, target };
    });
}

/** Compiles what `npm run build` does, file by file and without checking types, which takes a tenth of its time. */
function compile(from: string): void {
  const { compilerOptions } = JSON.parse(readFileSync(path.join(from, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: Record<string, unknown>;
  };
  const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, from);
  for (const name of readdirSync(path.join(from, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const text = readFileSync(path.join(from, 'src', name), 'utf8');
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { ...options, module: ts.ModuleKind.ESNext, sourceMap: false, declaration: false },
      fileName: name,
    });
    const target = path.join(from, 'dist', name.replace(/\.ts$/, '.js'));
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
}

/** The folder `/app` of the image, made as the Dockerfile says but for what a registry is asked. */
const app = path.join(folder, 'app');
function makeImage(): void {
  const building = path.join(folder, 'build');
  for (const [stage, target] of [
    [build, building],
    [image, app],
  ] as const) {
    mkdirSync(target);
    for (const { from, sources, target: to } of copiesOf(stage)) {
      for (const source of sources) {
        const file =
          from === undefined
            ? path.join(ROOT, source)
            : path.join(building, path.posix.relative('/app', source));
        const destination = path.join(target, to === './' ? path.basename(source) : to);
        if (path.basename(source) === 'node_modules')
          symlinkSync(path.join(ROOT, 'node_modules'), destination);
        else cpSync(file, destination, { recursive: true });
      }
    }
    if (target === building) compile(building);
  }
}
if (process.platform !== 'win32') makeImage();

/** Every file with its time: a root that cannot be written stays as it is. Packages are linked, and others use them, too. */
function contentsOf(root: string): string[] {
  return readdirSync(root)
    .filter((name) => name !== 'node_modules')
    .flatMap((name) => [name, ...filesBelow(root, name)])
    .map((name) => `${name} ${statSync(path.join(root, name)).mtimeMs}`)
    .sort();
}

function filesBelow(root: string, name: string): string[] {
  if (!statSync(path.join(root, name)).isDirectory()) return [];
  return readdirSync(path.join(root, name), { recursive: true, encoding: 'utf8' }).map((each) =>
    path.join(name, each),
  );
}

const [program, entry] = argumentsOf('ENTRYPOINT') as [string, string];
const data = path.join(folder, 'data');
const environment: Record<string, string> = {
  PATH: process.env.PATH!,
  HOME: '/nonexistent',
  TMPDIR: path.join(folder, 'tmp'),
  ...Object.fromEntries(
    image
      .filter(({ word }) => word === 'ENV')
      .flatMap(({ rest }) => rest.split(' ').map((pair) => pair.replace('/data', data).split('='))),
  ),
};
mkdirSync(environment.TMPDIR!);

/** Runs what a container does. */
function start(args: readonly string[], cwd = app): { child: ChildProcess; output: () => string } {
  const child = spawn(program, [entry.replace('/app', app), ...args], { cwd, env: environment });
  after(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
  return { child, output: () => text };
}

test('every file that is copied is there, and sent to the builder', () => {
  const sources = [build, image].flatMap((stage) =>
    copiesOf(stage).flatMap(({ from, sources }) => (from === undefined ? sources : [])),
  );
  assert.ok(sources.length >= 6);
  const sent = read('.dockerignore').split('\n');
  assert.equal(sent[0], '*');
  for (const source of sources) {
    assert.ok(existsSync(path.join(ROOT, source)), source);
    assert.ok(sent.includes(`!${source}`), source);
  }
});

test('what is run while it is built is what the project has', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const commands = stages.flat().flatMap(({ word, rest }) => (word === 'RUN' ? [rest] : []));
  for (const command of commands) {
    const [, script] = /^npm run (\S+)/.exec(command) ?? [];
    if (script !== undefined) assert.ok(script in scripts, script);
    assert.equal(spawnSync('sh', ['-n', '-c', command]).status, process.platform === 'win32' ? null : 0);
  }
  assert.ok(commands.includes('npm run build'));
  // No secret and no root in what runs.
  assert.equal(image.find(({ word }) => word === 'USER')?.rest, 'node');
});

test('libraries of other systems go, those of Linux stay', posix, () => {
  const { rest } = build.find((each) => each.word === 'RUN' && each.rest.startsWith('find '))!;
  const bin = path.join(folder, 'find/node_modules/onnxruntime-node/bin/napi-v6');
  for (const system of ['darwin/arm64', 'linux/x64', 'linux/arm64', 'win32/x64']) {
    mkdirSync(path.join(bin, system), { recursive: true });
  }
  assert.equal(spawnSync('sh', ['-c', rest], { cwd: path.join(folder, 'find') }).status, 0);
  assert.deepEqual(readdirSync(bin), ['linux']);
  assert.equal(readdirSync(path.join(bin, 'linux')).length, 2);
});

test(
  'the server of the image answers, is healthy, writes to its data alone, and ends when asked',
  posix,
  async () => {
    const before = contentsOf(app);
    const port = await freePort();
    const here = (text: string): string => text.replaceAll('7860', String(port)).replaceAll('/data', data);
    const { child, output } = start(argumentsOf('CMD').map(here));
    const ended = new Promise((resolve) => child.once('exit', (status, signal) => resolve(status ?? signal)));
    const [node, ...check] = argumentsOf('HEALTHCHECK').map(here) as [string, ...string[]];
    const isHealthy = () => spawnSync(node, check, { env: environment }).status === 0;
    while (!output().includes('listening on http')) {
      assert.equal(child.exitCode, null, output());
      await sleep(50);
    }
    assert.ok(isHealthy(), output());
    // It is reached from outside, so that there is a token.
    assert.equal((await fetch(`http://127.0.0.1:${port}/v1/clips`)).status, 401);
    const token = readFileSync(path.join(data, 'serve/token'), 'utf8');
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await fetch(`http://127.0.0.1:${port}/v1/bundles`, { headers })).status, 200);
    assert.equal((await fetch(`http://127.0.0.1:${port}/page/main.js`)).status, 200);
    child.kill('SIGTERM');
    await ended;
    assert.ok(!isHealthy());
    assert.deepEqual(contentsOf(app), before);
  },
);

test('the services are those of the program: a worker renders what the server and batches put on the queue', {
  skip: noRedis || posix.skip,
}, async () => {
  const { services } = parse(read('compose.yaml'), { merge: true }) as {
    services: Record<
      string,
      Record<string, unknown> & Record<'command' | 'entrypoint' | 'volumes', string[]>
    >;
  };
  const { server, worker, batch } = services;
  for (const service of [server!, worker!, batch!]) {
    assert.equal(service.read_only, true);
    assert.deepEqual(service.tmpfs, ['/tmp']);
  }
  assert.deepEqual(worker!.deploy, { replicas: 2 });
  // What one writes the other sees, by the same path.
  assert.deepEqual(worker!.volumes, [...server!.volumes, ...batch!.volumes]);
  const redis = await RedisServer.start(folder);
  const port = await freePort();
  const shared = path.join(folder, 'shared');
  const here = (args: readonly string[]) =>
    args.map((text) =>
      text
        .replace('redis://redis:6379/0', redis.url)
        .replace('/app', app)
        .replace('/data', shared)
        .replace('0.0.0.0', '127.0.0.1')
        .replace('7860', String(port)),
    );
  const work = path.join(folder, 'work');
  mkdirSync(work);
  const serving = start(here(server!.command));
  while (!serving.output().includes('listening on http')) {
    assert.equal(serving.child.exitCode, null, serving.output());
    await sleep(50);
  }
  // A picture without a face: it takes the whole way there and back, and nothing is rendered.
  const grey = { create: { width: 256, height: 256, channels: 3 as const, background: '#888' } };
  const form = new FormData();
  form.append('portrait', new Blob([new Uint8Array(await sharp(grey).png().toBuffer())]), 'wall.png');
  form.append('audio', 'sample:short.wav');
  const clips = `http://127.0.0.1:${port}/v1/clips`;
  const ordered = await fetch(clips, { method: 'POST', body: form });
  assert.equal(ordered.status, 202);
  const { id } = (await ordered.json()) as { id: string };
  const working = start([...here(worker!.command), '--until-empty'], work);
  const status = await new Promise((resolve) => working.child.once('exit', resolve));
  assert.equal(status, 0, working.output());
  await (await fetch(`${clips}/${id}/events`)).text(); // until its end
  const { state, error } = (await (await fetch(`${clips}/${id}`)).json()) as Record<string, unknown>;
  assert.equal(state, 'failed');
  assert.match(JSON.stringify(error), /"FACE","message":"Cannot animate wall\.png: .*"field":"portrait"/);
  serving.child.kill('SIGTERM');

  writeFileSync(path.join(work, 'jobs.csv'), 'portrait,audio\nnothing.jpg,nothing.wav\n');
  const [, , ...command] = here(batch!.entrypoint);
  const queued = start([...command, 'jobs.csv'], work);
  await new Promise((resolve) => queued.child.once('exit', resolve));
  assert.match(queued.output(), /nothing\.jpg/); // the manifest was read where it lies
});
