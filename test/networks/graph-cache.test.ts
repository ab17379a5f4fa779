import assert from 'node:assert/strict';
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { type Bundle, EMBEDDED_BUNDLES, loraFilesOf, openBundle } from '../../src/models/bundle.ts';
import type { GraphOptions } from '../../src/networks/bundle-graphs.ts';
import { GraphCache, graphKey } from '../../src/networks/graph-cache.ts';
import { GraphThread } from '../../src/networks/graph-thread.ts';
import { loadWritten, type ReadyGraph } from '../../src/networks/write-graph.ts';
import { Engine, type Network } from '../../src/runtime/engine.ts';
import { elementCount } from '../../src/tensor/tensor.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'graph-cache-'));
after(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));
let folders = 0;
const newFolder = (): string => path.join(root, `${++folders}`);

const tiny = await openBundle('tiny');
const OPTIONS: GraphOptions = {
  windowFrames: 12,
  decodeFrames: 4,
  loras: [],
  device: 'cpu',
  precision: 'float32',
};

/** One graph of a thread that has made no other. */
async function build(
  folder: string,
  how = {},
  options = OPTIONS,
  bundle: Bundle = tiny,
): Promise<ReadyGraph> {
  const thread = new GraphThread(folder);
  try {
    return await thread.build(bundle, 'decoder', options, how);
  } finally {
    await thread.dispose();
  }
}

const bytesOf = ({ model }: ReadyGraph): Uint8Array =>
  typeof model === 'string' ? new Uint8Array(readFileSync(model)) : model;

/** Numbers of files and of what was written last tell whether a graph was made again. */
const written = (file: string) => statSync(file, { bigint: true }).ino;

test('a graph is made once, and found as a file from then on', async () => {
  const folder = newFolder();
  const { optimising: _, ...made } = await build(folder);
  const file = made.model as string;
  const inode = written(file);
  const { optimising: __, ...found } = await build(folder);
  assert.deepEqual(found, made);
  assert.equal(written(file), inode);
  assert.deepEqual(readdirSync(path.dirname(file)).sort(), [
    path.basename(file).replace('.onnx', '.json'),
    path.basename(file),
  ]);
});

test('graphs of other options and other adapters are others', async () => {
  const { loras: named } = Object.values(tiny.description.presets).find(({ loras }) => loras.length > 0)!;
  const loras = loraFilesOf(tiny, { loras: named });
  const keys = await Promise.all(
    [
      OPTIONS,
      { ...OPTIONS, decodeFrames: 2 },
      { ...OPTIONS, loras },
      { ...OPTIONS, loras: loras.map(({ path: file }) => ({ path: file, scale: 0.5 })) },
    ].map((options) => graphKey(tiny, 'decoder', options)),
  );
  keys.push(await graphKey(tiny, 'pose-guider', OPTIONS));
  assert.equal(new Set(keys).size, 5);
  assert.equal(await graphKey(tiny, 'decoder', { ...OPTIONS }), keys[0]);
});

test('a weight that is written over in its place gives another graph, even where the file says the same time', async () => {
  const copy = newFolder();
  cpSync(path.join(EMBEDDED_BUNDLES, 'tiny'), copy, { recursive: true });
  const file = path.join(copy, tiny.description.files.codec!.path);
  const TIME = 1_000_000_000;
  utimesSync(file, TIME, TIME);
  const bundle = await openBundle(copy);
  const before = await graphKey(bundle, 'decoder', OPTIONS);
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
  utimesSync(file, TIME, TIME);
  assert.notEqual(await graphKey(bundle, 'decoder', OPTIONS), before);
});

for (const [damage, spoil] of [
  ['was cut', (file: string) => truncateSync(file, 1000)],
  [
    'has another byte',
    (file: string) => {
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(file, bytes);
    },
  ],
  ['is gone', (file: string) => rmSync(file)],
  ['has no index that can be read', (file: string) => writeFileSync(file.replace('.onnx', '.json'), '{')],
] as const) {
  test(`a graph that ${damage} is made again`, async () => {
    const folder = newFolder();
    const whole = await build(folder);
    const bytes = bytesOf(whole);
    spoil(whole.model as string);
    assert.deepEqual(bytesOf(await build(folder)), bytes);
    assert.deepEqual(bytesOf(await build(folder)), bytes);
  });
}

test('a graph that the engine refuses is made again', async () => {
  const folder = newFolder();
  const key = await graphKey(tiny, 'decoder', OPTIONS);
  const { model: _, ...form } = await build(folder);
  // Whole, but no graph.
  const wrong = new GraphCache(path.join(folder, 'graphs')).keep(key, { ...form, model: new Uint8Array(64) });
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  try {
    const asked: boolean[] = [];
    const network = await loadWritten(engine, 'decoder', (how) => {
      asked.push(how.rebuild);
      return build(folder, how);
    });
    assert.ok(network.inputs.length > 0);
    assert.deepEqual(asked, [false, true]);
    assert.notEqual(statSync(wrong.model as string).size, 64);
  } finally {
    await engine.dispose();
  }
});

test('where nothing can be kept, the graph comes as bytes', async () => {
  const folder = newFolder();
  const kept = bytesOf(await build(folder));
  const file = newFolder();
  writeFileSync(file, 'no folder');
  const { model } = await build(file);
  assert.ok(typeof model !== 'string');
  assert.deepEqual(new Uint8Array(model), kept);
});

test('what was not used for longest goes when there is no room, and what killed programs have left', async () => {
  const folder = newFolder();
  const cache = new GraphCache(folder, 250);
  const keep = (key: string): ReadyGraph =>
    cache.keep(key, { model: new Uint8Array(100).fill(1), precision: 'float32' });
  const old = (name: string, hours: number): void => {
    const then = new Date(Date.now() - hours * 3600_000);
    utimesSync(path.join(folder, name), then, then);
  };
  for (const [i, key] of ['a', 'b'].entries())
    old(path.basename(keep(key).model as string).replace('.onnx', '.json'), 9 - i);
  writeFileSync(path.join(folder, 'left.part'), '');
  old('left.part', 2);
  writeFileSync(path.join(folder, 'busy.part'), '');
  assert.ok(await cache.find('a')); // used just now
  keep('c');
  assert.equal(await cache.find('b'), undefined);
  assert.ok((await cache.find('a')) && (await cache.find('c')));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.part')),
    ['busy.part'],
  );
  // One that would not fit alone is not kept, and costs no other its place.
  const large = { model: new Uint8Array(251), precision: 'float32' } as const;
  assert.equal(cache.keep('d', large), large);
  assert.ok(await cache.find('a'));
});

/** What a network says of numbers that are always the same. */
async function answerOf(network: Network): Promise<Float32Array> {
  const inputs = Object.fromEntries(
    network.inputs.map(({ name, dims }) => {
      const sizes = dims.map((dim) => (dim === -1 ? 8 : dim));
      const data = Float32Array.from({ length: elementCount(sizes) }, (_, i) => Math.sin(i));
      return [name, { data, dims: sizes }];
    }),
  );
  return Object.values(await network.run(inputs))[0]!.data;
}

/** Opens the graph as a clip does. */
async function open(engine: Engine, folder: string) {
  const graphs: ReadyGraph[] = [];
  const network = await loadWritten(engine, 'decoder', async (how) => {
    graphs.push(await build(folder, how));
    return graphs.at(-1)!;
  });
  const answer = await answerOf(network);
  await network.dispose();
  return { graphs, answer };
}

test('a graph is kept as the engine has optimised it, and answers bit for bit the same', async () => {
  const folder = newFolder();
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  try {
    const first = await open(engine, folder);
    assert.ok(!first.graphs[0]!.isOptimised);
    const second = await open(engine, folder);
    assert.equal(second.graphs.length, 1);
    const [{ model, isOptimised }] = second.graphs as [ReadyGraph];
    assert.ok(isOptimised && model !== first.graphs[0]!.model);
    assert.deepEqual(second.answer, first.answer);
    assert.deepEqual(
      readdirSync(path.join(folder, 'graphs')).filter((name) => name.endsWith('.part')),
      [],
    );
    // Its file may be damaged as any other, or be whole and mean nothing to the engine.
    writeFileSync(model as string, 'no graph');
    const third = await open(engine, folder);
    assert.ok(third.graphs.every((graph) => !graph.isOptimised));
    assert.deepEqual(third.answer, first.answer);
    assert.ok((await open(engine, folder)).graphs[0]!.isOptimised);
    const wrong = Buffer.from('no graph');
    writeFileSync(model as string, wrong);
    const index = (model as string).replace('.onnx', '.json');
    writeFileSync(
      index,
      JSON.stringify({
        precision: 'float32',
        isOptimised: true,
        bytes: wrong.length,
        checks: [crc32(wrong)],
      }),
    );
    const fourth = await open(engine, folder);
    assert.deepEqual(
      fourth.graphs.map((graph) => graph.isOptimised ?? false),
      [true, false],
    );
    assert.deepEqual(fourth.answer, first.answer);
  } finally {
    await engine.dispose();
  }
});

test('a network opens where its optimised graph cannot be written', async () => {
  const cache = new GraphCache(newFolder());
  const plain = bytesOf(await build(newFolder()));
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  try {
    const asked: boolean[] = [];
    const network = await loadWritten(engine, 'decoder', async (how) => {
      asked.push(how.rebuild);
      const make = async (): Promise<ReadyGraph> => ({ model: plain.slice(), precision: 'float32' });
      const graph = await cache.optimised('key', make, how);
      const lost = path.join(newFolder(), 'no', 'folder');
      return graph.optimising ? { ...graph, optimising: { ...graph.optimising, saveTo: lost } } : graph;
    });
    assert.ok((await answerOf(network)).length > 0);
    assert.deepEqual(asked, [false, true]);
  } finally {
    await engine.dispose();
  }
});
