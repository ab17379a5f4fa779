import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { openBundle } from '../../src/models/bundle.ts';
import { STILL_MOTION } from '../../src/motion/idle-motion.ts';
import { LivingMotion } from '../../src/motion/living-motion.ts';
import { type LoadGraph, loadMotion } from '../../src/motion/load-motion.ts';
import type { MotionScales } from '../../src/motion/speech-clip-motion.ts';
import type { GraphBuilder } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { WeightCache } from '../../src/weights/weight-cache.ts';
import { writeAniPortraitBundle } from '../helpers/aniportrait-bundle.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { chirps, temporaryDirectory } from '../helpers/media.ts';
import { DEFAULT_SCALES } from '../helpers/motion-scales.ts';

const folder = temporaryDirectory();
const bundleFolder = path.join(folder, 'bundle');
writeAniPortraitBundle(bundleFolder);
const bundle = await openBundle(bundleFolder);
const engine = await Engine.open({ device: 'cpu', threads: 1 });
after(() => engine.dispose());
const cache = new WeightCache({ folder: path.join(folder, 'cache') });

/** Offsets and pose of a frame of a clip. */
async function motionWith(load: LoadGraph) {
  const makeMotion = await loadMotion(bundle, load);
  const pcm = chirps(0.4, 16000);
  const { vertices: mesh } = loadFaceMesh();
  return makeMotion({ pcm, fps: 30, frames: 12, mesh, scales: DEFAULT_SCALES }).at(5);
}

/** Keeps weights of any size in the cache. @returns bytes that were written for each graph */
function cached(written: number[]): LoadGraph {
  return async (name, graph, weightsKey) => {
    const stored = await cache.store(weightsKey, graph);
    written.push(stored.written);
    return engine.load(name, stored.model, { dataFolder: stored.folder });
  };
}

test('speech networks from the cache move as those from the bundle’s files do, and are written once', async () => {
  const expected = await motionWith((name, graph) => engine.load(name, graph.toBytes()));
  const first: number[] = [];
  const moved = await motionWith(cached(first));
  // Weights that stay in their files are multiplied in another order.
  assertAllClose(moved.offsets, expected.offsets, { rtol: 1e-5, atol: 1e-5 });
  assertAllClose(moved.pose, expected.pose, { rtol: 1e-5, atol: 1e-5 });
  assert(first.every((bytes) => bytes > 0));
  // Both networks have an encoder, under the same names, with other numbers.
  assert.equal(cache.contents().entries, 2);
  const again: number[] = [];
  assert.deepEqual(await motionWith(cached(again)), moved);
  assert.deepEqual(again, [0, 0, 0, 0, 0]);
});

test('head, brows and lids of an AniPortrait bundle are the generator’s where it is asked for, and the lips stay its own', async () => {
  const makeMotion = await loadMotion(bundle, (name, graph) => engine.load(name, graph.toBytes()));
  const { vertices: mesh } = loadFaceMesh();
  const clip = { pcm: chirps(0.8, 16000), fps: 30, mesh };
  const shown = (scales: Partial<MotionScales>) =>
    makeMotion({ ...clip, frames: 24, scales: { ...DEFAULT_SCALES, ...scales } }).at(20);
  const { seed, style, expressionScale, headPoseScale, blinkScale } = DEFAULT_SCALES;
  const scales = { seed, style, expressionScale, headPoseScale, blinkScale };
  const alone = await new LivingMotion({
    ...clip,
    ...scales,
    source: STILL_MOTION,
    sampleRate: 16000,
    generates: true,
  }).at(20);
  const [generated, own] = [await shown({ faceMotion: 'generated' }), await shown({ blinkScale: 0 })];
  assert.deepEqual(generated.pose, alone.pose);
  assert.notDeepEqual(own.pose, alone.pose);
  const sum = own.offsets.map((value, i) => value + alone.offsets[i]!);
  assertAllClose(generated.offsets, sum, { rtol: 1e-5, atol: 1e-5 });
  const still = await shown({ faceMotion: 'generated', still: true });
  assert.ok(still.pose.every((value) => Math.abs(value) === 0));
});

test('weights of another file have another key', async () => {
  const keysOf = async (from: typeof bundle): Promise<string[]> => {
    const keys: string[] = [];
    await loadMotion(from, async (name: string, graph: GraphBuilder, weightsKey: unknown) => {
      keys.push(JSON.stringify(weightsKey));
      return engine.load(name, graph.toBytes());
    });
    return keys;
  };
  const { description } = bundle;
  const files = {
    ...description.files,
    audio2mesh: { ...description.files.audio2mesh!, sha256: 'f'.repeat(64) },
  };
  const [before, changed] = [
    await keysOf(bundle),
    await keysOf({ ...bundle, description: { ...description, files } }),
  ];
  assert.deepEqual(
    before.map((key, i) => key === changed[i]),
    [false, false, true, true, true],
  );
});
