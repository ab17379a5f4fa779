/**
 * The place where clips are made: threads, engines and loaded networks that many clips share, for as long as it lives. How
 * a clip is made is in prepare-clip.ts and render-clip.ts; one can be prepared while another renders.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { checkDevicePrecision } from '../networks/check-precision.ts';
import type { NetworksChoice } from '../networks/load-options.ts';
import { NetworksCache, type NetworksLease } from '../networks/networks-cache.ts';
import { ReferenceCache } from '../networks/reference-cache.ts';
import type { Engine, NetworkProfile } from '../runtime/engine.ts';
import type { NamedSpan } from '../runtime/time-span.ts';
import type { AnimateOptions, AnimateResult } from './animate-options.ts';
import { ClipScheduler } from './clip-scheduler.ts';
import { examinePortrait } from './examine-portrait.ts';
import type { FrameProfile } from './frame-protocol.ts';
import { FrameThread } from './frame-thread.ts';
import { defaultCacheFolder, FoundFfmpegs } from './machine-places.ts';
import { type Job, type OpenedJob, type OpenResources, openJob } from './open-job.ts';
import { type ClipOptions, type PreparedClip, type PrepareResources, prepareClip } from './prepare-clip.ts';
import { type RenderHooks, type RenderResources, renderClip } from './render-clip.ts';
import { checkBundlePrecision } from './resolve-sampling.ts';
import { StudioEngines } from './studio-engines.ts';

/** Options of {@link Studio}. */
export type StudioOptions = Pick<AnimateOptions, 'device' | 'threads'> & {
  /** Called with the device that was chosen and why, and with the networks that half precision was not enough for. */
  readonly onNotice?: (message: string) => void;
  /** Keeps nothing for a second portrait, which takes less memory. @defaultValue false */
  readonly forOnePortrait?: boolean;
  /** Where weights of large networks are kept on disk. @defaultValue the system's folder for caches */
  readonly cacheFolder?: string;
  /** Notes what is done and when, see {@link Studio.takeProfiles}. */
  readonly profile?: StudioProfiling;
};

/** Options of a studio that notes what it does. */
interface StudioProfiling {
  /** An empty folder for the runtime's files, the caller's to remove. */
  readonly folder: string;
  /** Receives every piece of a clip's stages when it has ended, and the encoder's life as `ffmpeg`. */
  readonly onStage: (span: NamedSpan) => void;
}

/** What a studio's threads have done. */
export interface StudioProfiles {
  /** Of each engine that denoises. */
  readonly denoising: readonly (readonly NetworkProfile[])[];
  readonly side: readonly NetworkProfile[];
  readonly frames: FrameProfile;
}

/**
 * Holds everything that clips can share. A new studio holds nothing yet: threads and engines start when they are first
 * needed, so that wrong options are reported before heavy work.
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
export class Studio implements OpenResources, PrepareResources, RenderResources {
  readonly scheduler = new ClipScheduler();
  readonly references = new ReferenceCache();
  readonly ffmpegs = new FoundFfmpegs();
  readonly onStage: ((span: NamedSpan) => void) | undefined;
  readonly #options: StudioOptions;
  readonly #cacheFolder: string;
  readonly #engines: StudioEngines;
  readonly #networks: NetworksCache;
  /** What was said of the machine. */
  readonly #known = new Set<string>();
  #frames: FrameThread | undefined;

  constructor(options: StudioOptions = {}) {
    const { device = 'auto', threads, onNotice, profile, cacheFolder = defaultCacheFolder() } = options;
    const { forOnePortrait = false } = options;
    this.#options = options;
    this.#cacheFolder = cacheFolder;
    this.onStage = profile?.onStage;
    const profileFolder = (thread: string) => this.#profileFolder(thread);
    this.#engines = new StudioEngines({ device, threads, onNotice, profileFolder });
    const engines = async () => {
      const { denoising, side } = await this.#engines.open();
      return { denoisingEngine: denoising, sideEngine: side };
    };
    const furtherEngines = (count: number) => this.#engines.openFurther(count);
    this.#networks = new NetworksCache({
      engines,
      furtherEngines,
      forOnePortrait,
      cacheFolder,
      onNotice: (message) => onNotice?.(message),
    });
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
      await studio.#engines.open();
      return studio;
    } catch (error) {
      await studio.dispose();
      throw error;
    }
  }

  /** A studio for the clip of these options, and for others of its portrait that run on the same device. */
  static forOptions({ device, threads, onProgress }: AnimateOptions): Studio {
    return new Studio({
      ...(device !== undefined && { device }),
      ...(threads !== undefined && { threads }),
      forOnePortrait: true,
      onNotice: (message) => onProgress?.({ type: 'notice', message }),
    });
  }

  /**
   * Checks all inputs, finds the face and makes the motion. May run while another clip renders.
   *
   * @param networks - those that the clip will be rendered with, if they are known before: they are loaded in the meantime
   *   where no others are.
   * @throws what `animate` throws before it renders.
   */
  prepare(options: ClipOptions, networks?: (job: Job) => NetworksChoice): Promise<PreparedClip> {
    return prepareClip(options, this, networks);
  }

  /**
   * Renders a clip to its output; calls wait for each other, in their order. The clip stays the caller's to dispose of.
   *
   * @throws what `animate` throws.
   */
  render(clip: PreparedClip, hooks: RenderHooks = {}): Promise<AnimateResult> {
    return renderClip(clip, this, hooks);
  }

  /** Checks all inputs, face included, before anything heavy. The portrait is the caller's to dispose of. */
  openJob(options: ClipOptions, onPlanned?: (job: Job) => void): Promise<OpenedJob> {
    return openJob(options, this, onPlanned);
  }

  /**
   * Finds the face of a portrait, and leaves everything else of the clip alone.
   *
   * @throws {@link FaceError} or {@link MediaError} if the picture cannot be animated.
   */
  examine(options: ClipOptions): Promise<void> {
    return examinePortrait(options, this.frameThread());
  }

  /** The engine that runs the denoiser; a caller may load networks of its own into it. */
  async denoisingEngine(): Promise<Engine> {
    return (await this.#engines.open()).denoising;
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
    const { oneAtATime = false, isShort = false } = choice;
    const { forOnePortrait = false } = this.#options;
    // Other clips follow here, which share what is loaded, long or short.
    return this.#networks.load({ ...choice, oneAtATime: oneAtATime || (isShort && forOnePortrait) }, signal);
  }

  /** Whether no networks are loaded or being loaded. */
  get holdsNoNetworks(): boolean {
    return this.#networks.isEmpty;
  }

  /** Whether this notice about the machine has not been given yet: it is the same for all clips. */
  isNews(message: string): boolean {
    const isNews = !this.#known.has(message);
    this.#known.add(message);
    return isNews;
  }

  /** What the engines and the frame thread have done since they started; all empty without `profile`. */
  async takeProfiles(): Promise<StudioProfiles> {
    const { denoising, side } = await this.#engines.open();
    const denoisers = [denoising, ...(await this.#engines.further())];
    return {
      denoising: await Promise.all(denoisers.map((engine) => engine.takeProfiles())),
      side: await side.takeProfiles(),
      frames: await this.frameThread().takeProfile(),
    };
  }

  /** The thread that finds faces, makes motion and draws; it starts when it is first asked for. */
  frameThread(): FrameThread {
    this.#frames ??= new FrameThread(this.#options.threads, this.#cacheFolder, this.#profileFolder('frames'));
    this.#engines.start(); // they take as long to start as the thread does
    return this.#frames;
  }

  /** Each engine numbers its networks by itself. */
  #profileFolder(thread: string): string | undefined {
    const { profile } = this.#options;
    if (profile === undefined) return undefined;
    const folder = path.join(profile.folder, thread);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Ends all threads after what they are doing and frees all networks; may be called twice. */
  async dispose(): Promise<void> {
    await Promise.all([this.#frames?.dispose(), this.#networks.dispose(), this.#engines.dispose()]);
  }
}
