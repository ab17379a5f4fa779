/** Renders a prepared clip: denoising, and behind it, a few frames late, decoding, composing and encoding. */

import { countStepsTaken } from '../denoising/denoise-clip.ts';
import { readAhead, readWhole } from '../media/read-ahead.ts';
import type { ClipNetworks, NamedInputs } from '../networks/clip-networks.ts';
import type { NetworksChoice } from '../networks/load-options.ts';
import type { NetworksLease } from '../networks/networks-cache.ts';
import type { ReferenceCache } from '../networks/reference-cache.ts';
import { takesTurns } from '../networks/take-turns.ts';
import type { Engine } from '../runtime/engine.ts';
import { monotonicNow, type NamedSpan } from '../runtime/time-span.ts';
import type { AnimateResult } from './animate-options.ts';
import { type ClipCheckpoints, clipShapeOf } from './clip-checkpoints.ts';
import { describeResult } from './clip-result.ts';
import type { ClipScheduler, ClipTurn } from './clip-scheduler.ts';
import { composeFrames } from './compose-frames.ts';
import { decodeFrames } from './decode-frames.ts';
import { denoiseFrames, denoiserOf } from './denoise-frames.ts';
import { encodeFrames, openLive, openVideo } from './encode-frames.ts';
import { FirstShown } from './first-shown.ts';
import { Holdings } from './holdings.ts';
import { checkMemory, memorySizeOf } from './job-memory.ts';
import { networksOf } from './job-networks.ts';
import type { Job } from './open-job.ts';
import type { PreparedClip } from './prepare-clip.ts';
import { ClipProgress } from './progress.ts';
import { WindowConditions } from './window-conditions.ts';

/** Batches of the decoder that may wait for it before denoising pauses. */
const WAITING_BATCHES = 2;

/** Seconds of a clip that is watched meanwhile which are made before anything else. */
const LIVE_SECONDS = 1;

/** What may happen around a rendering. */
export interface RenderHooks {
  /** Where the clip resumes from, and where its finished windows are kept. */
  readonly checkpoints?: ClipCheckpoints | undefined;
  /** Called with the complete video before it gets its name. */
  readonly beforePublish?: ((partial: string) => Promise<void>) | undefined;
  /** File that gets a video which can be played while the clip is rendered; the caller's to remove. */
  readonly livePath?: string | undefined;
  /** Loads other networks than the studio's, with the same shapes. */
  readonly loadNetworks?: (() => Promise<NetworksLease>) | undefined;
}

/** What rendering takes from the studio that its clips share. */
export interface RenderResources {
  readonly scheduler: ClipScheduler;
  readonly references: ReferenceCache;
  /** Receives the encoder's life, as `ffmpeg`, when it has ended. */
  readonly onStage?: ((span: NamedSpan) => void) | undefined;
  denoisingEngine(): Promise<Pick<Engine, 'device' | 'precision' | 'threads'>>;
  loadNetworks(choice: NetworksChoice, signal?: AbortSignal): Promise<NetworksLease>;
}

/** What the steps of one rendering share. */
interface Rendering extends Omit<PreparedClip, 'dispose'> {
  readonly studio: RenderResources;
  readonly hooks: RenderHooks;
  readonly signal: AbortSignal | undefined;
  readonly progress: ClipProgress;
  /** Closes what the steps have opened. */
  readonly held: Holdings;
  /** Aborts when a later step has failed: the ones before need not wait for their next frame. */
  readonly stop: AbortController;
  readonly first: FirstShown;
}

/**
 * Renders a clip to its output when its turn has come. The clip stays the caller's to dispose of.
 *
 * @throws what `animate` throws.
 */
export async function renderClip(
  { job, scene, watch }: PreparedClip,
  studio: RenderResources,
  hooks: RenderHooks = {},
): Promise<AnimateResult> {
  const { signal } = job.options;
  const [progress, held, stop] = [ClipProgress.of(job), new Holdings(), new AbortController()];
  const first = new FirstShown(
    countFirst(job, hooks),
    AbortSignal.any([stop.signal, ...(signal ? [signal] : [])]),
  );
  const rendering: Rendering = { job, scene, watch, studio, hooks, signal, progress, held, stop, first };
  const onAbandoned = (): void => stop.abort();
  try {
    // 1. Load the networks, or share those that are loaded, when there is a place for the clip.
    const { turn, engine } = await takeTurn(rendering);
    const { device } = engine;
    const networks = await loadNetworks(rendering);

    // 2. Begin with what the first window sees, which takes longer than what follows.
    const made = new WindowConditions({ ...job, scene, networks, watch, signal });
    const conditions = held.hold(made, (it) => it.dispose());
    const begins = hooks.checkpoints === undefined && !networks.inTurn;
    if (begins) conditions.prefetch(job.windows[0]!.slice(0, 1));

    // 3. Open the video; make what the denoiser sees of the portrait, which is bound when the denoiser is free.
    const { video, live, opened } = await openOutputs(rendering);
    const reference = await makeReference(rendering, networks);

    // 4. Denoise, window by window, while the conditions of the next ones are made.
    const denoised = await denoise(rendering, { networks, device, turn, reference, conditions });

    // 5. Decode a batch of frames while the next ones are denoised; or all when there is room for the decoder.
    const waiting = { size: WAITING_BATCHES * networks.decodeFrames, onAbandoned };
    const ready = networks.inTurn ? readWhole(denoised) : readAhead(denoised, waiting);
    const decoded = decodeFrames(ready, { networks, conditions, watch, signal });

    // 6. Compose its frames while the next batch is decoded.
    const batch = { size: networks.decodeFrames, onAbandoned };
    const composed = composeFrames(readAhead(decoded, batch), { scene, watch, signal });

    // 7. Encode them, and give the video its name.
    const counted = {
      frameDone: () => {
        progress.frameDone();
        first.frameDone();
      },
    };
    await encodeFrames(composed, { video, live, watch, progress: counted });
    progress.stage('finish');
    await live?.finish();
    await watch.time('encode', () => video.finish());
    studio.onStage?.({ name: 'ffmpeg', begin: opened, end: monotonicNow() });
    return describeResult(job, scene, engine, watch.report());
  } finally {
    await held.closeAll();
  }
}

/** Frames that are made before others: the first, or so many that a second can be watched. A piece of a live video ends where the next frame comes. */
function countFirst({ fps }: Job, { livePath }: RenderHooks): number {
  return livePath === undefined ? 1 : Math.ceil(LIVE_SECONDS * fps) + 1;
}

/** Waits for the clip's turn. */
async function takeTurn({ job, scene, watch, studio, signal, progress, held }: Rendering) {
  const engine = await studio.denoisingEngine();
  const { device } = engine;
  const alone = takesTurns(job.bundle, device, job.options.lowMemory);
  const turn = held.hold(await studio.scheduler.acquire(signal, { alone }), (it) => it.release());
  checkMemory(memorySizeOf(job, engine, scene.width * scene.height));
  held.hold(watch, (it) => it.pause()).resume();
  progress.stage('load');
  return { turn, engine };
}

/** Opens what the frames are written to. */
async function openOutputs({ job, scene, hooks, held }: Rendering) {
  const opened = monotonicNow();
  const video = held.hold(await openVideo(job, scene, hooks.beforePublish), (it) => it.dispose());
  const live = hooks.livePath ? await openLive(job, scene, hooks.livePath) : undefined;
  if (live) held.hold(live, (it) => it.dispose());
  return { video, live, opened };
}

async function loadNetworks({ job, watch, studio, hooks, signal, held }: Rendering): Promise<ClipNetworks> {
  const load = hooks.loadNetworks ?? (() => studio.loadNetworks(networksOf(job), signal));
  return held.hold(await watch.time('load', load), (it) => it.release()).networks;
}

/** The portrait's keys and values, which clips of one portrait share. */
function makeReference(
  { job, scene, watch, studio }: Rendering,
  networks: ClipNetworks,
): Promise<NamedInputs> {
  const make = () => networks.makeReference(scene.reference);
  return watch.time('reference', () => studio.references.get(networksOf(job), scene.reference, make));
}

/** What {@link denoise} needs of the steps before it. */
interface DenoiseInputs {
  readonly networks: ClipNetworks;
  readonly device: Engine['device'];
  readonly turn: ClipTurn;
  readonly reference: NamedInputs;
  readonly conditions: WindowConditions;
}

/** The clean latents of every frame, from the last checkpoint on; the denoiser is acquired for the first. */
async function denoise(
  { job, watch, hooks, signal, progress, stop, first }: Rendering,
  { networks, device, turn, reference, conditions }: DenoiseInputs,
) {
  const { checkpoints, livePath } = hooks;
  const resume = await checkpoints?.load(clipShapeOf(job, networks, device));
  return denoiseFrames({
    job,
    networks,
    resume,
    firstFrames: countFirst(job, hooks),
    onFirst:
      networks.inTurn || (livePath !== undefined && job.denoisedFrames.length < job.frames)
        ? undefined // frames are decoded, or blended, only when later ones are there
        : (yielded) => first.until(yielded - (yielded % networks.decodeFrames)),
    signal: AbortSignal.any([stop.signal, ...(signal ? [signal] : [])]),
    denoiser: denoiserOf(networks, conditions, watch),
    untilReady: async () => {
      watch.pause();
      await turn.acquireDenoiser(signal);
      watch.resume();
      progress.stage('render');
      await watch.time('reference', () => networks.bindReference(reference));
      progress.begin(resume && countStepsTaken(resume.state));
    },
    onUpcoming: (windows) => conditions.prefetch(windows),
    onStep: (step) => {
      conditions.stepDone(step);
      progress.stepDone();
    },
    onDenoised: () => turn.releaseDenoiser(),
    onSavePoint: checkpoints && ((point) => checkpoints.save(point)),
  });
}
