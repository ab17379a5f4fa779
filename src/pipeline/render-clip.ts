/** Renders a prepared clip: denoising, and behind it, a few frames late, decoding, composing and encoding. */

import { readAhead, readWhole } from '../media/read-ahead.ts';
import type { NetworksChoice } from '../networks/bundle-networks.ts';
import type { NetworksLease } from '../networks/networks-cache.ts';
import type { ReferenceCache } from '../networks/reference-cache.ts';
import { takesTurns } from '../networks/take-turns.ts';
import type { Engine } from '../runtime/engine.ts';
import { monotonicNow, type NamedSpan } from '../runtime/time-span.ts';
import type { AnimateResult } from './animate-options.ts';
import { type ClipCheckpoints, clipShapeOf } from './clip-checkpoints.ts';
import { describeResult } from './clip-result.ts';
import type { ClipScheduler } from './clip-scheduler.ts';
import { composeFrames } from './compose-frames.ts';
import { decodeFrames } from './decode-frames.ts';
import { denoiseFrames, denoiserOf } from './denoise-frames.ts';
import { encodeFrames, openLive, openVideo } from './encode-frames.ts';
import { Holdings } from './holdings.ts';
import { checkMemory, memorySizeOf } from './job-memory.ts';
import { networksOf } from './job-networks.ts';
import type { PreparedClip } from './prepare-clip.ts';
import { ClipProgress } from './progress.ts';
import { WindowConditions } from './window-conditions.ts';

/** Batches of the decoder that may wait for it before denoising pauses. */
const WAITING_BATCHES = 2;

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
  denoisingEngine(): Promise<Pick<Engine, 'device'>>;
  loadNetworks(choice: NetworksChoice, signal?: AbortSignal): Promise<NetworksLease>;
}

/**
 * Renders a clip to its output when its turn has come. The clip stays the caller's to dispose of.
 *
 * @throws what `animate` throws.
 */
export async function renderClip(
  { job, scene, watch }: PreparedClip,
  studio: RenderResources,
  { checkpoints, beforePublish, livePath, loadNetworks }: RenderHooks = {},
): Promise<AnimateResult> {
  const { signal } = job.options;
  const progress = ClipProgress.of(job);
  const held = new Holdings();
  try {
    // 1. Open the video, when there is a place for the clip.
    const { device } = await studio.denoisingEngine();
    const alone = takesTurns(job.bundle, device, job.options.lowMemory);
    const turn = held.hold(await studio.scheduler.acquire(signal, { alone }), (it) => it.release());
    checkMemory(memorySizeOf(job, device, scene.width * scene.height));
    held.hold(watch, (it) => it.pause()).resume();
    progress.stage('load');
    const opened = monotonicNow();
    const video = held.hold(await openVideo(job, scene, beforePublish), (it) => it.dispose());
    const live = livePath && (await openLive(job, scene, livePath));
    if (live) held.hold(live, (it) => it.dispose());

    // 2. Load the networks, or share those that are loaded.
    const choice = networksOf(job);
    const load = loadNetworks ?? (() => studio.loadNetworks(choice, signal));
    const { networks } = held.hold(await watch.time('load', load), (it) => it.release());

    // 3. Make what the denoiser sees of the portrait; it is bound when the denoiser is free.
    const makeReference = () => networks.makeReference(scene.reference);
    const reference = await watch.time('reference', () =>
      studio.references.get(choice, scene.reference, makeReference),
    );
    const resume = await checkpoints?.load(clipShapeOf(job, networks, device));
    const bindReference = async (): Promise<void> => {
      watch.pause();
      await turn.acquireDenoiser(signal);
      watch.resume();
      progress.stage('render');
      await watch.time('reference', () => networks.bindReference(reference));
      progress.begin(resume?.state.done);
    };

    // 4. Denoise, window by window, while the conditions of the next ones are made.
    const made = new WindowConditions({ ...job, scene, networks, watch, signal });
    const conditions = held.hold(made, (it) => it.settle());
    const stop = new AbortController(); // a later step that fails need not wait for the next frame
    const denoised = denoiseFrames({
      job,
      networks,
      resume,
      signal: AbortSignal.any([stop.signal, ...(signal ? [signal] : [])]),
      denoiser: denoiserOf(networks, conditions, watch),
      untilReady: bindReference,
      onUpcoming: (windows) => conditions.prefetch(windows),
      onStep: (step) => {
        conditions.stepDone(step);
        progress.stepDone();
      },
      onDenoised: () => turn.releaseDenoiser(),
      onSavePoint: checkpoints && ((point) => checkpoints.save(point)),
    });

    // 5. Decode a batch of frames while the next ones are denoised; or all when there is room for the decoder.
    const waiting = { size: WAITING_BATCHES * networks.decodeFrames, onAbandoned: () => stop.abort() };
    const ready = networks.inTurn ? readWhole(denoised) : readAhead(denoised, waiting);
    const decoded = decodeFrames(ready, { networks, conditions, watch, signal });

    // 6. Compose its frames while the next batch is decoded.
    const batch = { size: networks.decodeFrames, onAbandoned: () => stop.abort() };
    const composed = composeFrames(readAhead(decoded, batch), { scene, watch, signal });

    // 7. Encode them, and give the video its name.
    await encodeFrames(composed, { video, live: live || undefined, watch, progress });
    progress.stage('finish');
    if (live) await live.finish();
    await watch.time('encode', () => video.finish());
    studio.onStage?.({ name: 'ffmpeg', begin: opened, end: monotonicNow() });
    return describeResult(job, scene, device, watch.report());
  } finally {
    await held.closeAll();
  }
}
