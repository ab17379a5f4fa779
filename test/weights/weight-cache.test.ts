import assert from 'node:assert/strict';
import {
  existsSync,
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
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { EnvironmentError } from '../../src/errors.ts';
import { formatOwner } from '../../src/files/thread-owner.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { WeightCache } from '../../src/weights/weight-cache.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'weight-cache-'));
after(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));
let folders = 0;
const newFolder = (): string => path.join(root, `${++folders}`);

const WIDTH = 64;
const BYTES = WIDTH * WIDTH * 4;

/** `y = x · w0ᵀ · w1ᵀ …` for as many weights as asked for; `reads` collects what is read. */
function chain(weights: number, reads: number[] = []): GraphBuilder {
  const graph = new GraphBuilder('chain');
  let x = graph.input('x', [1, WIDTH]);
  for (let i = 0; i < weights; i++) {
    const read = (): Float32Array => {
      reads.push(i);
      return Float32Array.from({ length: WIDTH * WIDTH }, (_, k) => Math.sin(k + i));
    };
    x = graph.op('Gemm', [x, graph.weight(`w${i}`, read, [WIDTH, WIDTH])], { transB: 1 });
  }
  graph.output('y', x, [1, WIDTH]);
  return graph;
}

async function run(model: Uint8Array, folder?: string): Promise<Float32Array> {
  const session = await InferenceSession.create(model, {
    ...(folder && { extra: { session: { model_external_initializers_file_folder_path: folder } } }),
  });
  try {
    const input = Float32Array.from({ length: WIDTH }, (_, i) => i / WIDTH);
    const { y } = await session.run({ x: new Tensor('float32', input, [1, WIDTH]) });
    return y!.data as Float32Array;
  } finally {
    await session.release();
  }
}

test('a stored graph computes what the graph in one file does', async () => {
  const cache = new WeightCache({ folder: newFolder() });
  const { model, folder, written } = await cache.store('key', chain(2));
  assert.equal(written, 2 * BYTES);
  assert.ok(model.length < 2000);
  assert.deepEqual(await run(model, folder), await run(chain(2).toBytes()));
  assert.deepEqual(readdirSync(folder).sort(), ['index.json', 'weights-0.bin']);
  assert.deepEqual(readdirSync(cache.folder), [path.basename(folder)]);
});

test('what is there is not read again, and another graph adds only what it lacks', async () => {
  const cache = new WeightCache({ folder: newFolder() });
  await cache.store('key', chain(2));
  const reads: number[] = [];
  const again = await cache.store('key', chain(2, reads));
  assert.deepEqual([reads, again.written], [[], 0]);
  const more = await cache.store('key', chain(3, reads));
  assert.deepEqual([reads, more.written, more.folder], [[2], BYTES, again.folder]);
  assert.deepEqual(await run(more.model, more.folder), await run(chain(3).toBytes()));
});

test('weights in another state have an entry of their own', async () => {
  const cache = new WeightCache({ folder: newFolder() });
  const one = await cache.store({ weights: 'a', loras: [] }, chain(1));
  const other = await cache.store({ weights: 'a', loras: [{ sha256: 'b', scale: 0.5 }] }, chain(1));
  assert.notEqual(one.folder, other.folder);
  assert.equal(cache.contents().entries, 2);
});

test('each weight is on its way to the disk before the next one is read', async () => {
  const cache = new WeightCache({ folder: newFolder() });
  const sizes: number[] = [];
  const graph = new GraphBuilder('many');
  for (let i = 0; i < 6; i++) {
    const read = (): Float32Array => {
      const parts = readdirSync(cache.folder, { recursive: true, encoding: 'utf8' });
      const part = parts.find((name) => name.endsWith('.part'))!;
      sizes.push(statSync(path.join(cache.folder, part)).size);
      return new Float32Array(WIDTH * WIDTH);
    };
    graph.output(`y${i}`, graph.weight(`w${i}`, read, [WIDTH, WIDTH]));
  }
  await cache.store('key', graph);
  assert.deepEqual(
    sizes,
    [0, 1, 2, 3, 4, 5].map((i) => i * BYTES),
  );
});

const damages: Record<string, (folder: string) => void> = {
  'cut off': (folder) => truncateSync(path.join(folder, 'weights-0.bin'), BYTES / 2),
  'changed in one bit': (folder) => {
    const file = path.join(folder, 'weights-0.bin');
    const bytes = readFileSync(file);
    bytes[5000]! ^= 1;
    writeFileSync(file, bytes);
  },
  gone: (folder) => rmSync(path.join(folder, 'weights-0.bin')),
  'without a readable index': (folder) => writeFileSync(path.join(folder, 'index.json'), '{"format":'),
  'of another format': (folder) => writeFileSync(path.join(folder, 'index.json'), '{"format":0}'),
};
for (const [what, damage] of Object.entries(damages)) {
  test(`an entry that is ${what} is made again`, async () => {
    const cache = new WeightCache({ folder: newFolder() });
    const { folder } = await cache.store('key', chain(2));
    damage(folder);
    const again = await cache.store('key', chain(2));
    assert.equal(again.written, 2 * BYTES);
    assert.deepEqual(await run(again.model, again.folder), await run(chain(2).toBytes()));
  });
}

test('a weight that cannot be read leaves the cache as it was', async () => {
  const cache = new WeightCache({ folder: newFolder() });
  const { folder } = await cache.store('key', chain(1));
  const broken = new GraphBuilder('broken');
  const fail = (): Float32Array => {
    throw new Error('damaged');
  };
  broken.output('y', broken.weight('w9', fail, [WIDTH, WIDTH]));
  await assert.rejects(cache.store('key', broken), /damaged/);
  assert.deepEqual(readdirSync(folder).sort(), ['index.json', 'weights-0.bin']);
  assert.deepEqual(readdirSync(cache.folder), [path.basename(folder)], 'no lock is left');
  assert.equal((await cache.store('key', chain(1))).written, 0);
});

test('what an interrupted process left is cleared away', async () => {
  const cache = new WeightCache({ folder: newFolder() });
  const { folder } = await cache.store('key', chain(1));
  writeFileSync(path.join(folder, 'x.part'), new Uint8Array(1e6));
  // No process has this number.
  const owner = { pid: 2 ** 30, thread: 2 ** 30, started: '', host: os.hostname() };
  const lock = path.join(cache.folder, `${path.basename(folder)}.lock.1-01234567-${formatOwner(owner)}`);
  writeFileSync(lock, '');
  const more = await cache.store('key', chain(2));
  assert.equal(more.written, BYTES);
  assert.ok(!existsSync(lock) && !existsSync(path.join(folder, 'x.part')));
});

test('of two that want the same, one writes and the other waits', async () => {
  const folder = newFolder();
  const reads: number[] = [];
  const stored = await Promise.all(
    [1, 2, 3].map(() => new WeightCache({ folder }).store('key', chain(2, reads))),
  );
  assert.deepEqual(reads, [0, 1]);
  assert.deepEqual(
    stored.map(({ written }) => written).sort((a, b) => a - b),
    [0, 0, 2 * BYTES],
  );
});

test('entries that were not used for longest make room', async () => {
  const cache = new WeightCache({ folder: newFolder(), maxBytes: 3.5 * BYTES });
  const old = await cache.store('old', chain(1));
  const used = await cache.store('used', chain(1));
  const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);
  for (const [{ folder }, minutes] of [
    [old, 20],
    [used, 30],
  ] as const) {
    for (const name of readdirSync(folder))
      utimesSync(path.join(folder, name), minutesAgo(minutes), minutesAgo(minutes));
  }
  // Older by its files, but used just now.
  await cache.store('used', chain(1));
  const large = await cache.store('large', chain(2));
  assert.ok(!existsSync(old.folder) && existsSync(used.folder) && existsSync(large.folder));
});

test('a folder that cannot be used is named, with the way out', async () => {
  const file = newFolder();
  writeFileSync(file, '');
  await assert.rejects(
    new WeightCache({ folder: path.join(file, 'cache') }).store('key', chain(1)),
    (error) => {
      assert.ok(error instanceof EnvironmentError);
      assert.match(error.message, /Cannot keep weights in .*LCM_PORTRAIT_CACHE/);
      return true;
    },
  );
  assert.ok(statSync(file).isFile());
});
