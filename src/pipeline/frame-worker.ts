/**
 * The thread that {@link FrameThread} starts: opens portraits, makes their motion, draws what the networks see and
 * composes frames. The small networks for faces and motion run in an engine of its own.
 */
import { FaceFinder } from '../face/face-finder.ts';
import { openBundle } from '../models/bundle.ts';
import { loadExpressionBasis } from '../motion/expression-basis.ts';
import { parseMotionConfig } from '../motion/motion-config.ts';
import { buildMotionNetwork } from '../motion/motion-network.ts';
import { Engine, type Network } from '../runtime/engine.ts';
import { type Answer, serveThread } from '../runtime/thread-server.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import { ClipMotion, type ClipMotionOptions } from './clip-motion.ts';
import { FrameComposer } from './compose-frame.ts';
import type { FrameRequest, MotionRequest, PortraitRequest } from './frame-protocol.ts';
import { openPortrait } from './open-portrait.ts';
import type { AnimatedPortrait } from './portrait.ts';
import type { Scene } from './scene.ts';
import { WarpScene } from './warp-scene.ts';

/** A clip on this thread. */
interface Clip {
  readonly controller: AbortController;
  portrait?: AnimatedPortrait;
  composer?: FrameComposer;
  scene?: Scene;
}

interface SmallNetworks {
  readonly engine: Engine;
  readonly finder: FaceFinder;
}

type MotionParts = Pick<ClipMotionOptions, 'network' | 'config' | 'basis'>;

const clips = new Map<number, Clip>();
/** By the bundle's folder. */
const motions = new Map<string, MotionParts>();
let networks: Promise<SmallNetworks> | undefined;

async function openNetworks(threads: number | undefined): Promise<SmallNetworks> {
  // They are small and made for the CPU, wherever the denoiser runs.
  const engine = await Engine.open({ device: 'cpu', threads });
  return { engine, finder: await FaceFinder.open((name, graph) => engine.load(name, graph)) };
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

async function loadMotion(bundleFolder: string): Promise<MotionParts> {
  const { engine } = await smallNetworks();
  const bundle = await openBundle(bundleFolder);
  const config = parseMotionConfig(bundle.description.motion, bundle.folder);
  const weights = openSafetensors(bundle.pathOf('motion'));
  try {
    const network: Network = await engine.load('motion', buildMotionNetwork({ config, weights }).toBytes());
    return { network, config, basis: loadExpressionBasis(weights) };
  } finally {
    weights.dispose();
  }
}

async function openClip(request: PortraitRequest, notice: (message: string) => void): Promise<Answer> {
  const { path, resolution, framing } = request;
  const clip: Clip = { controller: new AbortController() };
  clips.set(request.clip, clip);
  const { finder } = await smallNetworks();
  const { signal } = clip.controller;
  clip.portrait = await openPortrait({ path, resolution, framing, finder, onNotice: notice, signal });
  clip.composer = new FrameComposer(clip.portrait, framing === 'paste-back');
  const { width, height } = clip.composer;
  return { result: { width, height, reference: { picture: clip.portrait.reference } } };
}

async function addMotion({ clip: id, bundle, pcm, fps, frames, scales }: MotionRequest): Promise<Answer> {
  const { portrait, composer, controller } = clipOf(id);
  if (portrait === undefined || composer === undefined) throw new Error(`clip ${id} has no portrait yet`);
  const parts = motions.get(bundle) ?? (await loadMotion(bundle));
  motions.set(bundle, parts);
  const { signal } = controller;
  const motion = new ClipMotion({ ...parts, pcm, fps, frames, mesh: portrait.mesh, scales, signal });
  await motion.at(0);
  clipOf(id).scene = new WarpScene(portrait, motion, composer);
  return { result: undefined };
}

async function handle(request: FrameRequest, notice: (message: string) => void): Promise<Answer> {
  switch (request.kind) {
    case 'start':
      networks = openNetworks(request.threads);
      await networks;
      return { result: undefined };
    case 'open-portrait':
      return openClip(request, notice);
    case 'add-motion':
      return addMotion(request);
    case 'conditions': {
      const result = await sceneOf(request.clip).conditions(request.frame);
      return {
        result,
        transfer: [result.conditions.buffer as ArrayBuffer, result.base.buffer as ArrayBuffer],
      };
    }
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

serveThread<FrameRequest>({
  order: 'at-once',
  handle,
  stop: () => {
    for (const { controller } of clips.values()) controller.abort();
  },
  dispose: async () => {
    const opened = await networks?.catch(() => undefined);
    await opened?.engine.dispose();
  },
});
