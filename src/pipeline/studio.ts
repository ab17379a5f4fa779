/**
 * The place where clips are made: threads, engines and loaded networks that many clips share. Each clip is prepared
 * (inputs checked, face found, motion made), then rendered; one can be prepared while another renders.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import PQueue from 'p-queue';
import { countWindowSteps } from '../denoising/context-windows.ts';
import { VideoWriter } from '../media/video-writer.ts';
import type { NetworksChoice } from '../networks/bundle-networks.ts';
import { checkBundlePrecision, checkDevicePrecision, devicePrecision } from '../networks/check-precision.ts';
import { NetworksCache, type NetworksLease } from '../networks/networks-cache.ts';
import { ReferenceCache } from '../networks/reference-cache.ts';
import { Engine, type NetworkProfile } from '../runtime/engine.ts';
import { monotonicNow, type NamedSpan } from '../runtime/time-span.ts';
import type { Scene } from '../scene/scene.ts';
import type { AnimateOptions, AnimateResult, ProgressEvent } from './animate-options.ts';
import type { ClipCheckpoints } from './clip-checkpoints.ts';
import type { FrameProfile } from './frame-protocol.ts';
import { FrameThread } from './frame-thread.ts';
import { countEvaluations, defaultCacheFolder, type Job, type OpenedJob, openJob } from './open-job.ts';
import { renderClip } from './render-clip.ts';
import { RenderProgress } from './render-progress.ts';
import { Stopwatch } from './stopwatch.ts';

/** Options of {@link Studio}. */
export type StudioOptions = Pick<AnimateOptions, 'device' | 'threads'> & {
  /** Told which device was taken, and why, and which networks half precision was not enough for. */
  readonly onNotice?: (message: string) => void;
  /** Where weights of large networks are kept on disk. @defaultValue the system's folder for caches */
  readonly cacheFolder?: string;
  /** Notes what is done and when, see {@link Studio.takeProfiles}. */
  readonly profile?: StudioProfiling;
};

/** Options of a studio that notes what it does. */
export interface StudioProfiling {
  /** An empty folder for the runtime's files, the caller's to remove. */
  readonly folder: string;
  /** Receives every piece of a clip's stages when it has ended, and the encoder's life as `ffmpeg`. */
  readonly onStage: (span: NamedSpan) => void;
}

/** What a studio's threads have done. */
export interface StudioProfiles {
  readonly denoising: readonly NetworkProfile[];
  readonly side: readonly NetworkProfile[];
  readonly frames: FrameProfile;
}

/** Options of one clip; where it runs is the studio's. */
export type ClipOptions = Omit<AnimateOptions, 'device' | 'threads'>;

/** A clip that is ready to be rendered, once or more often; dispose of it after use. */
export interface PreparedClip {
  readonly job: Job;
  readonly scene: Scene;
  /** Stands still between preparing and rendering. */
  readonly watch: Stopwatch;
  /** Frees what is held of the clip; may be called twice. */
  dispose(): Promise<void>;
}

/** What may happen around a rendering. */
export interface RenderHooks {
  /** Where the clip goes on from, and where its finished windows are kept. */
  readonly checkpoints?: ClipCheckpoints | undefined;
  /** Called with the complete video before it gets its name. */
  readonly beforePublish?: ((partial: string) => Promise<void>) | undefined;
}

/** The engines of a studio. */
interface Engines {
  /** Runs the denoiser only, so that nothing waits between its steps. */
  readonly denoising: Engine;
  readonly side: Engine;
}

function reporter(options: ClipOptions): (event: ProgressEvent) => void {
  return (event) => options.onProgress?.(event);
}

/** Waits for a place in a queue. @returns a function that gives it back; it may be called twice. */
function takePlace(queue: PQueue): Promise<() => void> {
  return new Promise((resolve) => {
    void queue.add(() => new Promise<void>((free) => resolve(free)));
  });
}

/** What decides which networks a job needs. */
export function networksOf({ bundle, windows, sampling }: Job): NetworksChoice {
  return {
    bundle,
    windowFrames: windows[0]![0]!.frames.length,
    loras: sampling.loras,
    guided: sampling.branches === 2,
    embeddedGuidance: bundle.description.denoisingUnet.timeCondProjDim ? sampling.guidance : null,
    precision: sampling.precision,
  };
}

/**
 * Holds everything that clips can share. A new studio holds nothing yet: threads and engines start when they are first
 * needed, so that wrong options are told before heavy work.
 *
 * @example
 * const studio = await Studio.open({ device: 'auto' });
 * try {
 *   const clip = await studio.prepare({ portrait, audio, output });
 *   await studio.render(clip);
 *   await clip.dispose();
 * } finally {
 *   await studio.dispose();
 * }
 */
export class Studio {
  readonly #options: StudioOptions;
  readonly #cacheFolder: string;
  /** One clip is denoised, another gets ready, and a third its last frames. */
  readonly #renders = new PQueue({ concurrency: 3 });
  /** Those that hold networks for denoising: no more than one waits with them. */
  readonly #ready = new PQueue({ concurrency: 2 });
  readonly #turns = new PQueue({ concurrency: 1 });
  readonly #references = new ReferenceCache();
  readonly #cache: NetworksCache;
  /** What the engines had to say and nobody was told yet. */
  readonly #notices: string[] = [];
  /** What was said of the machine. */
  readonly #told = new Set<string>();
  #engines: Promise<Engines> | undefined;
  #frames: FrameThread | undefined;

  constructor(options: StudioOptions = {}) {
    this.#options = options;
    this.#cacheFolder = options.cacheFolder ?? defaultCacheFolder();
    this.#cache = new NetworksCache(
      async () => {
        const { denoising, side } = await this.#openEngines();
        return { denoisingEngine: denoising, sideEngine: side };
      },
      this.#cacheFolder,
      (message) => options.onNotice?.(message),
    );
  }

  /**
   * A studio whose engines have been opened.
   *
   * @throws {@link InvalidOptionError} if an option is out of range.
   * @throws {@link EnvironmentError} if the named device does not work here.
   */
  static async open(options: StudioOptions = {}): Promise<Studio> {
    const studio = new Studio(options);
    try {
      await studio.#openEngines();
      return studio;
    } catch (error) {
      await studio.dispose();
      throw error;
    }
  }

  /** A studio for the clip of these options, and for others that run on the same device. */
  static forOptions({ device, threads, onProgress }: AnimateOptions): Studio {
    return new Studio({
      ...(device !== undefined && { device }),
      ...(threads !== undefined && { threads }),
      onNotice: (message) => onProgress?.({ type: 'notice', message }),
    });
  }

  #startEngines(): Promise<Engines> {
    this.#engines ??= (async () => {
      const { device = 'auto', threads } = this.#options;
      const onNotice = (message: string) => void this.#notices.push(message);
      const profileFolder = this.#profileFolder('denoising');
      const denoising = await Engine.open({ device, threads, onNotice, profileFolder });
      const side = { device: denoising.device, threads, profileFolder: this.#profileFolder('side') };
      return { denoising, side: await Engine.open(side) };
    })();
    return this.#engines;
  }

  /** Each engine numbers its networks by itself. */
  #profileFolder(thread: string): string | undefined {
    const { profile } = this.#options;
    if (profile === undefined) return undefined;
    const folder = path.join(profile.folder, thread);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** What the engines and the frame thread have done since they started; all empty without `profile`. */
  async takeProfiles(): Promise<StudioProfiles> {
    const { denoising, side } = await this.#openEngines();
    return {
      denoising: await denoising.takeProfiles(),
      side: await side.takeProfiles(),
      frames: await this.#frameThread().takeProfile(),
    };
  }

  async #openEngines(): Promise<Engines> {
    const engines = await this.#startEngines();
    for (const message of this.#notices.splice(0)) this.#options.onNotice?.(message);
    return engines;
  }

  #frameThread(): FrameThread {
    this.#frames ??= new FrameThread(this.#options.threads, this.#cacheFolder, this.#profileFolder('frames'));
    // They take as long to start as the thread does; what they have to say is told to whoever needs them.
    this.#startEngines().catch(() => {});
    return this.#frames;
  }

  /** The engine that runs the denoiser; a caller may load networks of its own into it. */
  async denoisingEngine(): Promise<Engine> {
    return (await this.#openEngines()).denoising;
  }

  /** Checks all inputs, face included, before anything heavy. The portrait is the caller's to dispose of. */
  openJob(options: ClipOptions, onPlanned?: (job: Job) => void): Promise<OpenedJob> {
    const report = reporter(options);
    return openJob(
      options,
      () => this.#frameThread(),
      (message) => report({ type: 'notice', message }),
      onPlanned,
    );
  }

  /**
   * Checks all inputs, finds the face and makes the motion. May run while another clip renders.
   *
   * @param networks - those that the clip will be rendered with, if they are known before: they are loaded in the meantime
   *   where no others are.
   * @throws what `animate` throws before it renders.
   */
  async prepare(options: ClipOptions, networks?: (job: Job) => NetworksChoice): Promise<PreparedClip> {
    const watch = new Stopwatch(this.#options.profile?.onStage);
    const report = reporter(options);
    options.signal?.throwIfAborted();
    report({ type: 'stage', stage: 'prepare' });
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]);
    const ahead = (job: Job): void => {
      if (networks !== undefined && this.#cache.isEmpty) this.#loadAhead(job, networks, signal);
    };
    const { job, portrait, pcm } = await watch.time('prepare', async () => {
      const opened = await this.openJob(options, ahead).catch((error) => {
        stop.abort();
        throw error;
      });
      // A device that does not work, or not in this precision, is told before the motion is made.
      try {
        // What the machine lacks is told of the first clip; it lacks it for all.
        const notice = (message: string): void => {
          if (!this.#told.has(message)) report({ type: 'notice', message });
          this.#told.add(message);
        };
        return { ...opened, job: await this.#onDevice(opened.job, notice) };
      } catch (error) {
        stop.abort();
        await opened.portrait.dispose();
        throw error;
      }
    });
    try {
      report({ type: 'stage', stage: 'motion' });
      const { bundle, fps, frames } = job;
      const { seed, expressionScale, mouthScale, headPoseScale, blinkScale, still } = job.options;
      const scales = { seed, expressionScale, mouthScale, headPoseScale, blinkScale, still };
      const scene = await watch.time('motion', () =>
        portrait.move({ bundle: bundle.folder, pcm, fps, frames, scales }, options.signal),
      );
      watch.pause();
      return { job, scene, watch, dispose: () => portrait.dispose() };
    } catch (error) {
      stop.abort();
      await portrait.dispose();
      throw error;
    }
  }

  /** The job in the precision that it gets on the studio's device. */
  async #onDevice(job: Job, notice: (message: string) => void): Promise<Job> {
    const { denoising } = await this.#openEngines();
    const { options, sampling } = job;
    const precision = devicePrecision(sampling.precision, options, denoising, notice);
    return { ...job, sampling: { ...sampling, precision } };
  }

  /** Begins to load networks; whoever loads them afterwards gets these, or is told why they cannot be loaded. */
  #loadAhead(job: Job, networks: (job: Job) => NetworksChoice, signal: AbortSignal): void {
    this.#onDevice(job, () => {})
      .then((ready) => this.loadNetworks(networks(ready), signal))
      .then((lease) => lease.release())
      .catch(() => {});
  }

  /**
   * Networks, loaded or from those that are loaded already. Several can be held at once; while one renders, only its
   * own clip's reference may be bound to it.
   *
   * @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph.
   * @throws {@link InvalidOptionError} if bundle or device have not the precision.
   */
  async loadNetworks(choice: NetworksChoice, signal?: AbortSignal): Promise<NetworksLease> {
    checkBundlePrecision(choice.precision, choice.bundle);
    checkDevicePrecision(choice.precision, await this.denoisingEngine());
    return this.#cache.load(choice, signal);
  }

  /**
   * Renders a clip to its output; calls wait for each other, in their order. The clip stays the caller's to dispose of.
   *
   * @throws what `animate` throws.
   */
  render(clip: PreparedClip, hooks: RenderHooks = {}): Promise<AnimateResult> {
    return this.#renders.add(async () => {
      const leave = await takePlace(this.#ready);
      return this.#render(clip, hooks, leave).finally(leave);
    });
  }

  /** @param onDenoised - called when the next clip may get ready; encoding takes a while longer. */
  async #render(clip: PreparedClip, hooks: RenderHooks, onDenoised: () => void): Promise<AnimateResult> {
    const { job, scene, watch } = clip;
    const { options, bundle, sampling, frames, fps, windows } = job;
    const { signal } = options;
    const report = reporter(options);
    const { width, height } = scene;
    watch.resume();
    signal?.throwIfAborted();
    let lease: NetworksLease | undefined;
    let writer: VideoWriter | undefined;
    let freeDenoiser: (() => void) | undefined;
    try {
      report({ type: 'stage', stage: 'load' });
      const choice = networksOf(job);
      lease = await watch.time('load', () => this.loadNetworks(choice, signal));
      const { networks } = lease;
      const reference = await watch.time('reference', () =>
        this.#references.get(choice, scene.reference, () => networks.makeReference(scene.reference)),
      );
      const opened = monotonicNow();
      writer = await VideoWriter.open({
        ffmpeg: job.ffmpeg,
        outputPath: job.output,
        width,
        height,
        fps,
        frames,
        audioPath: options.audio,
        force: options.overwrite,
        metadata: {
          comment: `lcm-portrait, ${sampling.sampler} ${sampling.steps} steps, seed ${options.seed}`,
        },
        beforePublish: hooks.beforePublish,
        signal,
      });
      const progress = new RenderProgress(frames, countWindowSteps(windows), report);
      const { device } = await this.denoisingEngine();
      await renderClip({
        ...{ job, scene, networks, writer, progress, watch },
        device: sampling.precision === 'int8' ? `${device} in int8` : device,
        checkpoints: hooks.checkpoints,
        takeDenoiser: async () => {
          watch.pause();
          freeDenoiser = await takePlace(this.#turns);
          watch.resume();
          signal?.throwIfAborted();
          report({ type: 'stage', stage: 'render' });
          await watch.time('reference', () => networks.bindReference(reference));
        },
        onDenoised: () => {
          freeDenoiser?.();
          onDenoised();
        },
      });

      report({ type: 'stage', stage: 'finish' });
      await watch.time('encode', () => writer!.finish());
      this.#options.profile?.onStage({ name: 'ffmpeg', begin: opened, end: monotonicNow() });
      return {
        output: job.output,
        frames,
        fps,
        duration: frames / fps,
        width,
        height,
        device,
        bundle: bundle.description.name,
        sampler: sampling.sampler,
        steps: sampling.steps,
        guidance: sampling.guidance,
        seed: options.seed,
        windowLayout: sampling.windows,
        precision: sampling.precision,
        denoisedFrames: job.denoisedFrames.length,
        denoiserEvaluations: countEvaluations(job),
        times: watch.report(),
      };
    } finally {
      watch.pause();
      freeDenoiser?.();
      await writer?.dispose();
      await lease?.release();
    }
  }

  /** Ends all threads after what they are doing and frees all networks; may be called twice. */
  async dispose(): Promise<void> {
    const engines = await this.#engines?.catch(() => undefined);
    await Promise.all([
      this.#frames?.dispose(),
      this.#cache.dispose(),
      engines?.denoising.dispose(),
      engines?.side.dispose(),
    ]);
  }
}
