/**
 * What the thread of {@link FrameThread} does: opens portraits, makes their motion, draws what the networks see and
 * composes frames. The small networks for faces and motion run in an engine of its own.
 */
import { createHash } from 'node:crypto';
import { drivenMotion } from '../driving/driven-motion.ts';
import type { PoseVideo } from '../driving/pose-video.ts';
import { FaceFinder } from '../face/face-finder.ts';
import { PersonMatter } from '../face/person-matte.ts';
import type { SeenFace } from '../face/portrait-face.ts';
import { type BundleState, reopenBundle } from '../models/bundle.ts';
import type { FrameConditions } from '../models/frame-conditions.ts';
import { loadMotion, type MotionFactory } from '../motion/load-motion.ts';
import { LOOP_SECONDS, LoopedMotion } from '../motion/looped-motion.ts';
import type { FrameMotion, MotionSource } from '../motion/motion-source.ts';
import type { RecordedMotion } from '../motion/recorded-motion.ts';
import { GraphCache } from '../networks/graph-cache.ts';
import { smallGraphs } from '../networks/graph-thread.ts';
import { type Lease, LeaseCache } from '../networks/lease-cache.ts';
import { takesTurns as networksTakeTurns } from '../networks/take-turns.ts';
import { loadWritten, type ReadyGraph, writeGraph } from '../networks/write-graph.ts';
import { Engine, type Network } from '../runtime/engine.ts';
import { type Answer, serveThread, type ThreadReports } from '../runtime/thread-server.ts';
import { monotonicNow, type NamedSpan } from '../runtime/time-span.ts';
import type { DrawingView } from '../scene/drawn-scene.ts';
import type { FilmPortrait } from '../scene/open-film.ts';
import { openPortrait } from '../scene/open-portrait.ts';
import { posedByVideo } from '../scene/posed-by-video.ts';
import type { Scene, ScenePortrait } from '../scene/scene.ts';
import { WeightCache } from '../weights/weight-cache.ts';
import type {
  FilmRequest,
  FrameRequest,
  MotionRequest,
  PortraitRequest,
  RecordingInfo,
  RecordingRequest,
  StartRequest,
} from './frame-protocol.ts';
import { type OpenedPortrait, PortraitCache } from './portrait-cache.ts';

/** Hz of the speech. */
const SPEECH_RATE = 16_000;

/** A clip on this thread. */
interface Clip {
  readonly controller: AbortController;
  /** What the networks see of a portrait. */
  readonly view?: DrawingView;
  portrait?: ScenePortrait | FilmPortrait;
  /** The portrait where it is a film's. */
  film?: FilmPortrait;
  /** Held until the clip is closed. */
  motion?: Lease<LoadedMotion>;
  scene?: Scene;
}

/** A recording on this thread. */
interface Recording {
  readonly controller: AbortController;
  motion?: RecordedMotion;
  poses?: PoseVideo;
}

/** What makes the motion of a bundle's clips. */
interface LoadedMotion {
  readonly make: MotionFactory;
  readonly networks: readonly Network[];
}

interface SmallNetworks {
  readonly engine: Engine;
  /** As the caller wants it for one network; one for each core if undefined. */
  readonly threads: number | undefined;
  readonly finder: FaceFinder;
  /** Loads the network that cuts people out when it is first asked for. */
  readonly matter: () => Promise<PersonMatter>;
  /** Where weights of large speech networks are kept. */
  readonly cache: WeightCache;
}

const clips = new Map<number, Clip>();
const recordings = new Map<number, Recording>();
/** By the bundle's fingerprint; one that no clip uses is kept for the next clip. */
const motions = new LeaseCache<LoadedMotion>({ maxIdle: 1, dispose: disposeMotion });
const portraits = new PortraitCache();
let networks: Promise<SmallNetworks> | undefined;
/** Where requests are noted, if they are. */
let work: NamedSpan[] | undefined;

/** What finds faces. */
interface OpenedFinder extends Pick<SmallNetworks, 'engine' | 'finder'> {
  /** The networks that have been opened, or are being so. */
  readonly opened: readonly Promise<Network>[];
}

/** What was opened before the thread was started. */
let early: Promise<OpenedFinder> | undefined;

async function openFinder(cacheFolder: string, profileFolder?: string): Promise<OpenedFinder> {
  // They are small and made for the CPU, wherever the denoiser runs.
  const engine = await Engine.open({ device: 'cpu', profileFolder });
  const cache = new GraphCache(smallGraphs(cacheFolder));
  const opened: Promise<Network>[] = [];
  const finder = await FaceFinder.open((name, graph) => {
    const key = createHash('sha256').update(graph).digest('hex');
    const make = async (): Promise<ReadyGraph> => ({ model: graph.slice(), precision: 'float32' });
    // They are small: a second thread would cost more than it helps, and who reads and draws needs it.
    const network = loadWritten(engine, name, (how) => cache.optimised(key, make, how), { threads: 1 });
    opened.push(network);
    return network;
  });
  return { engine, finder, opened };
}

async function openNetworks({ threads, cacheFolder, profileFolder }: StartRequest): Promise<SmallNetworks> {
  // Who profiles does not begin early.
  const { engine, finder } = await (early ?? openFinder(cacheFolder, profileFolder));
  let matter: Promise<PersonMatter> | undefined;
  const openMatter = (): Promise<PersonMatter> => {
    matter ??= PersonMatter.open((name, graph) => engine.load(name, graph, { threads }));
    return matter;
  };
  const cache = new WeightCache({ folder: cacheFolder });
  return { engine, threads, finder, matter: openMatter, cache };
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

async function openMotion(state: BundleState): Promise<LoadedMotion> {
  const { engine, threads, cache } = await smallNetworks();
  const loaded: Network[] = [];
  try {
    const make = await loadMotion(await reopenBundle(state), async (name, graph, weightsKey) => {
      const write = (how: { readonly rebuild: boolean }) => writeGraph(graph, { cache, weightsKey, ...how });
      const network = await loadWritten(engine, name, write, { threads });
      loaded.push(network);
      return network;
    });
    return { make, networks: loaded };
  } catch (error) {
    await Promise.all(loaded.map((network) => network.dispose()));
    throw error;
  }
}

async function disposeMotion({ networks: loaded }: LoadedMotion): Promise<void> {
  await Promise.all(loaded.map((one) => one.dispose()));
}

/** A lease of what nobody else uses. */
function leaseOf(value: LoadedMotion): Lease<LoadedMotion> {
  return { value, release: () => disposeMotion(value) };
}

/** A clip's motion frame by frame, 6 kB each, without what made it. */
async function makeWhole(source: MotionSource, frames: number): Promise<MotionSource> {
  const made: FrameMotion[] = [];
  for (let frame = 0; frame < frames; frame++) made.push(await source.at(frame));
  return { at: async (frame) => made[Math.min(frame, frames - 1)]! };
}

async function openClip(request: PortraitRequest, notice: (message: string) => void): Promise<Answer> {
  const { view } = request;
  const drawn = view.type === 'drawing' ? { view: { size: view.size, pixelDivisor: view.pixelDivisor } } : {};
  const clip: Clip = { controller: new AbortController(), ...drawn };
  clips.set(request.clip, clip);
  const { signal } = clip.controller;
  const { portrait, faces } = await portraits.get(request, notice, () => open(request, notice, signal));
  clip.portrait = portrait;
  const { width, height, reference } = clip.portrait;
  return { result: { width, height, reference, faces } };
}

async function open(
  request: PortraitRequest,
  notice: (message: string) => void,
  signal: AbortSignal,
): Promise<OpenedPortrait> {
  const { path, resolution, framing, view, face, shape, background, centred } = request;
  const { finder, matter } = await smallNetworks();
  const notices: string[] = [];
  let faces: readonly SeenFace[] = [];
  const portrait = await openPortrait({
    path,
    resolution,
    framing,
    view,
    face,
    shape,
    background,
    centred,
    finder,
    matter,
    signal,
    onNotice: (message) => {
      notices.push(message);
      notice(message);
    },
    onFaces: (seen) => {
      faces = seen;
    },
  });
  return { portrait, faces, notices };
}

/** Seconds of film from one report to the next. */
const REPORT_EVERY = 0.25;

/** Where {@link trackFilm} tells what it sees and how far it is. */
function trackingReports({ notice, progress }: ThreadReports) {
  let reported = Number.NEGATIVE_INFINITY;
  return {
    onNotice: notice,
    onProgress: (done: number, total: number | undefined): void => {
      if (done - reported < REPORT_EVERY) return;
      reported = done;
      progress({ done, total });
    },
  };
}

async function openFilmClip(request: FilmRequest, tell: ThreadReports): Promise<Answer> {
  const { path, ffmpeg, fps, duration, face, resolution, view } = request;
  const clip: Clip = { controller: new AbortController() };
  clips.set(request.clip, clip);
  // Portraits that speak need none of the modules for films.
  const { openFilm } = await import('../scene/open-film.ts');
  const { finder } = await smallNetworks();
  const { signal } = clip.controller;
  const film = await openFilm({
    path,
    ffmpeg,
    fps,
    duration,
    face,
    resolution,
    view,
    finder,
    signal,
    ...trackingReports(tell),
  });
  clip.portrait = film;
  clip.film = film;
  const { width, height, reference, track } = film;
  return { result: { width, height, reference, fps: track.fps, frames: track.frames } };
}

async function closeClip(id: number): Promise<Answer> {
  const clip = clips.get(id);
  clips.delete(id);
  clip?.controller.abort();
  await clip?.motion?.release();
  await clip?.film?.dispose();
  return { result: undefined };
}

async function openRecording(
  { recording: id, source }: RecordingRequest,
  tell: ThreadReports,
): Promise<Answer> {
  const recording: Recording = { controller: new AbortController() };
  recordings.set(id, recording);
  let hasSound = false;
  if (source.type === 'pose-video') {
    const { path, ffmpeg, fps } = source;
    const { PoseVideo } = await import('../driving/pose-video.ts');
    const poses = await PoseVideo.open(path, { ffmpeg, fps, signal: recording.controller.signal });
    recording.poses = poses;
    const info = { frames: poses.frames, fps: poses.fps, hasFace: true, hasSound: poses.hasSound };
    return { result: info satisfies RecordingInfo };
  }
  if (source.type === 'motion-file') {
    const { readRecording } = await import('../driving/head-pose-file.ts');
    recording.motion = await readRecording(source.path);
  } else {
    const { trackFilm } = await import('../tracking/track-film.ts');
    const { finder } = await smallNetworks();
    const { path, ...options } = source;
    recording.motion = await trackFilm(path, {
      ...options,
      finder,
      ...trackingReports(tell),
      signal: recording.controller.signal,
      onSound: () => {
        hasSound = true;
      },
    });
  }
  const { frames, fps, meshes } = recording.motion;
  const info: RecordingInfo = { frames, fps, hasFace: meshes !== null, hasSound };
  return { result: info };
}

function motionOf(id: number): RecordedMotion {
  const motion = recordings.get(id)?.motion;
  if (motion === undefined) throw new Error(`recording ${id} is not open`);
  return motion;
}

/** Motion whose eyes look as in the portrait. */
function withOwnGaze(source: MotionSource): MotionSource {
  return {
    at: async (frame) => {
      const { gaze: _, ...motion } = await source.at(frame);
      return motion;
    },
  };
}

async function addMotion(request: MotionRequest): Promise<Answer> {
  const { clip: id, bundle, pcm, fps, frames, scales, driving } = request;
  const { speaks = true, loops = false, lowMemory } = request;
  const clip = clipOf(id);
  const { portrait, controller } = clip;
  if (portrait === undefined) throw new Error(`clip ${id} has no portrait yet`);
  if (driving.poses !== undefined) {
    const { poses } = recordings.get(driving.poses) ?? {};
    if (poses === undefined || clip.view === undefined || clip.film !== undefined) {
      throw new Error(`clip ${id} cannot be moved by drawings`);
    }
    clip.scene = posedByVideo(portrait, poses, clip.view);
    return { result: undefined };
  }
  const { signal } = controller;
  const { mesh, transform } = portrait;
  const takesTurns = networksTakeTurns(await reopenBundle(bundle), 'cpu', lowMemory);
  const source = await drivenMotion({
    ...(driving.face !== undefined && {
      face: { ...driving.face, recording: motionOf(driving.face.recording) },
    }),
    ...(driving.head !== undefined && { head: motionOf(driving.head) }),
    fps,
    mesh,
    transform,
    scales: { ...scales, headPoseScale: scales.still ? 0 : scales.headPoseScale },
    speech: async () => {
      const lease = takesTurns
        ? leaseOf(await openMotion(bundle))
        : await motions.acquire(bundle.fingerprint, () => openMotion(bundle), signal);
      clip.motion = lease;
      if (!loops) return lease.value.make({ pcm, fps, frames, mesh, scales, signal });
      // After the speech there is silence: what the face does then leads to the beginning.
      const longer = new Float32Array(pcm.length + Math.ceil(LOOP_SECONDS * SPEECH_RATE));
      longer.set(pcm);
      const more = frames + Math.ceil(LOOP_SECONDS * fps) + 1;
      return lease.value.make({ pcm: longer, fps, frames: more, mesh, scales, signal });
    },
  });
  // Eyes of a face that speaks stay as they are in the portrait: its networks have learned no others.
  const seen = speaks ? withOwnGaze(source) : source;
  const wanted = loops ? new LoopedMotion({ source: seen, frames, fps, speaks }) : seen;
  // The memory of large speech networks is needed by others when the clip is rendered.
  const motion = takesTurns ? await makeWhole(wanted, frames) : wanted;
  if (takesTurns) await clip.motion?.release();
  await motion.at(0);
  clipOf(id).scene = portrait.withMotion(motion);
  return { result: undefined };
}

async function handle(request: FrameRequest, tell: ThreadReports): Promise<Answer> {
  switch (request.kind) {
    case 'find-faces':
      early = openFinder(request.cacheFolder);
      // The engine is not disposed of while it opens them.
      await Promise.all((await early).opened);
      return { result: undefined };
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
      return openClip(request, tell.notice);
    case 'open-film':
      return openFilmClip(request, tell);
    case 'open-recording':
      return openRecording(request, tell);
    case 'close-recording': {
      const recording = recordings.get(request.recording);
      recordings.delete(request.recording);
      recording?.controller.abort();
      await recording?.poses?.dispose().catch(() => {});
      return { result: undefined };
    }
    case 'open-motion': {
      const { bundle } = request;
      const takesTurns = networksTakeTurns(await reopenBundle(bundle), 'cpu', request.lowMemory);
      if (!takesTurns) await (await motions.acquire(bundle.fingerprint, () => openMotion(bundle))).release();
      return { result: undefined };
    }
    case 'add-motion':
      return addMotion(request);
    case 'conditions': {
      const result = await sceneOf(request.clip).conditions(request.frame);
      return { result, transfer: buffersOf(...arraysOf(result)) };
    }
    case 'base': {
      const result = await sceneOf(request.clip).base(request.frame);
      return { result, transfer: buffersOf(result.base) };
    }
    case 'shown':
      return { result: await sceneOf(request.clip).shown(request.frame) };
    case 'driven-face':
      return { result: await sceneOf(request.clip).drivenFace(request.frame) };
    case 'compose': {
      const result = await sceneOf(request.clip).compose(request.frame, request.decoded, request.memory);
      return { result, transfer: [result.data.buffer as ArrayBuffer] };
    }
    case 'close-clip':
      return closeClip(request.clip);
  }
}

/** What a frame's conditions and its base lie in; the base may be one of the pictures. */
function arraysOf({ conditions, base }: FrameConditions): (Float32Array | Uint8Array | undefined)[] {
  const seen = conditions instanceof Float32Array ? [conditions] : conditions.map(({ data }) => data);
  return [...seen, base];
}

/** The memory of those that there are, each once. */
function buffersOf(...arrays: (Float32Array | Uint8Array | undefined)[]): ArrayBuffer[] {
  return [...new Set(arrays.flatMap((array) => (array === undefined ? [] : [array.buffer as ArrayBuffer])))];
}

async function handleNoted(request: FrameRequest, tell: ThreadReports): Promise<Answer> {
  const begin = monotonicNow();
  try {
    return await handle(request, tell);
  } finally {
    work?.push({ name: request.kind, begin, end: monotonicNow() });
  }
}

serveThread<FrameRequest>({
  order: 'at-once',
  handle: (request, tell) => (work === undefined ? handle : handleNoted)(request, tell),
  stop: () => {
    for (const { controller } of [...clips.values(), ...recordings.values()]) controller.abort();
  },
  dispose: async () => {
    const opened = await (networks ?? early)?.catch(() => undefined);
    await opened?.engine.dispose();
  },
});
