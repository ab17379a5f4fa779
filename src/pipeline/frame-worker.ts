/**
 * The thread that {@link FrameThread} starts: opens portraits, makes their motion, draws what the networks see and
 * composes frames. The small networks for faces and motion run in an engine of its own.
 */
import { FaceFinder } from '../face/face-finder.ts';
import { openBundle } from '../models/bundle.ts';
import { loadMotion, type MotionFactory } from '../motion/load-motion.ts';
import { loadWritten, writeGraph } from '../networks/write-graph.ts';
import { Engine } from '../runtime/engine.ts';
import { type Answer, serveThread } from '../runtime/thread-server.ts';
import { monotonicNow, type NamedSpan } from '../runtime/time-span.ts';
import { openPortrait } from '../scene/open-portrait.ts';
import type { Scene, ScenePortrait } from '../scene/scene.ts';
import { WeightCache } from '../weights/weight-cache.ts';
import type { FrameRequest, MotionRequest, PortraitRequest, StartRequest } from './frame-protocol.ts';

/** A clip on this thread. */
interface Clip {
  readonly controller: AbortController;
  portrait?: ScenePortrait;
  scene?: Scene;
}

interface SmallNetworks {
  readonly engine: Engine;
  readonly finder: FaceFinder;
  /** Where weights of large speech networks are kept. */
  readonly cache: WeightCache;
}

const clips = new Map<number, Clip>();
/** By the bundle's folder. */
const motions = new Map<string, MotionFactory>();
let networks: Promise<SmallNetworks> | undefined;
/** Where requests are noted, if they are. */
let work: NamedSpan[] | undefined;

async function openNetworks({ threads, cacheFolder, profileFolder }: StartRequest): Promise<SmallNetworks> {
  // They are small and made for the CPU, wherever the denoiser runs.
  const engine = await Engine.open({ device: 'cpu', threads, profileFolder });
  const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
  return { engine, finder, cache: new WeightCache({ folder: cacheFolder }) };
}

function smallNetworks(): Promise<SmallNetworks> {
  if (networks === undefined) throw new Error('the frame thread was not started');
  return networks;
}

function clipOf(id: number): Clip {
  const clip = clips.get(id);
  if (clip === undefined) throw new Error(`clip ${id} is not open`);
  return clip;
}

function sceneOf(id: number): Scene {
  const { scene } = clipOf(id);
  if (scene === undefined) throw new Error(`clip ${id} has no motion yet`);
  return scene;
}

async function openMotion(bundleFolder: string): Promise<MotionFactory> {
  const { engine, cache } = await smallNetworks();
  return loadMotion(await openBundle(bundleFolder), (name, graph, weightsKey) =>
    loadWritten(engine, name, ({ rebuild }) => writeGraph(graph, { cache, weightsKey, rebuild })),
  );
}

async function openClip(request: PortraitRequest, notice: (message: string) => void): Promise<Answer> {
  const { path, resolution, framing, view } = request;
  const clip: Clip = { controller: new AbortController() };
  clips.set(request.clip, clip);
  const { finder } = await smallNetworks();
  const { signal } = clip.controller;
  clip.portrait = await openPortrait({ path, resolution, framing, view, finder, onNotice: notice, signal });
  const { width, height, reference } = clip.portrait;
  return { result: { width, height, reference } };
}

async function addMotion({ clip: id, bundle, pcm, fps, frames, scales }: MotionRequest): Promise<Answer> {
  const { portrait, controller } = clipOf(id);
  if (portrait === undefined) throw new Error(`clip ${id} has no portrait yet`);
  const makeMotion = motions.get(bundle) ?? (await openMotion(bundle));
  motions.set(bundle, makeMotion);
  const { signal } = controller;
  const motion = makeMotion({ pcm, fps, frames, mesh: portrait.mesh, scales, signal });
  await motion.at(0);
  clipOf(id).scene = portrait.withMotion(motion);
  return { result: undefined };
}

async function handle(request: FrameRequest, notice: (message: string) => void): Promise<Answer> {
  switch (request.kind) {
    case 'start':
      if (request.profileFolder !== undefined) work = [];
      networks = openNetworks(request);
      await networks;
      return { result: undefined };
    case 'take-profile': {
      const { engine } = await smallNetworks();
      return { result: { work: work?.splice(0) ?? [], networks: await engine.takeProfiles() } };
    }
    case 'open-portrait':
      return openClip(request, notice);
    case 'add-motion':
      return addMotion(request);
    case 'conditions': {
      const result = await sceneOf(request.clip).conditions(request.frame);
      // The base is part of the conditions, where there is one, and moves with them.
      return { result, transfer: [result.conditions.buffer as ArrayBuffer] };
    }
    case 'driven-face':
      return { result: await sceneOf(request.clip).drivenFace(request.frame) };
    case 'compose': {
      const result = await sceneOf(request.clip).compose(request.frame, request.decoded);
      return { result, transfer: [result.data.buffer as ArrayBuffer] };
    }
    case 'close-clip':
      clips.get(request.clip)?.controller.abort();
      clips.delete(request.clip);
      return { result: undefined };
  }
}

async function handleNoted(request: FrameRequest, notice: (message: string) => void): Promise<Answer> {
  const begin = monotonicNow();
  try {
    return await handle(request, notice);
  } finally {
    work?.push({ name: request.kind, begin, end: monotonicNow() });
  }
}

serveThread<FrameRequest>({
  order: 'at-once',
  handle: (request, notice) => (work === undefined ? handle : handleNoted)(request, notice),
  stop: () => {
    for (const { controller } of clips.values()) controller.abort();
  },
  dispose: async () => {
    const opened = await networks?.catch(() => undefined);
    await opened?.engine.dispose();
  },
});
