/**
 * Opens portraits, draws what the networks see and composes frames in a worker thread, so that the caller's event loop
 * goes on. Pictures move between the threads; nothing is copied.
 */

import { ownUrl } from '../files/own-file.ts';
import type { BundleState } from '../models/bundle.ts';
import type { FrameBase, FrameConditions, PixelBox, SceneReference } from '../models/frame-conditions.ts';
import { FewAtOnce } from '../runtime/few-at-once.ts';
import { type CallOptions, ThreadClient } from '../runtime/thread-client.ts';
import type { DrivenFace } from '../scene/framed-face.ts';
import type { ComposedPicture, Scene } from '../scene/scene.ts';
import type {
  Driving,
  FilmInfo,
  FilmRequest,
  FrameProfile,
  FrameRequest,
  FrameResults,
  MotionRequest,
  PortraitInfo,
  PortraitRequest,
  RecordingInfo,
  RecordingSource,
} from './frame-protocol.ts';

type Client = ThreadClient<FrameRequest, FrameResults>;

/** Drawings for the networks that the thread is asked for at once: it always knows the next one, and a picture that is to be shown waits for no more. */
const DRAWN_AT_ONCE = 2;

/** Options of {@link FrameThread.openPortrait}. */
interface OpenClipOptions extends Omit<PortraitRequest, 'kind' | 'clip'> {
  readonly onNotice?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link FrameThread.openFilm}. */
interface OpenFilmClipOptions extends Omit<FilmRequest, 'kind' | 'clip'>, TrackingReports {
  readonly signal?: AbortSignal | undefined;
}

/** What is reported while a film is analysed: notices, and the seconds that are done. */
type TrackingReports = Pick<CallOptions, 'onNotice' | 'onProgress'>;

/** Recorded motion on the thread. */
export class ThreadRecording {
  readonly info: RecordingInfo;
  /** Its number. */
  readonly id: number;
  readonly #client: Client;

  /** @internal made by {@link FrameThread.openRecording} */
  constructor(client: Client, id: number, info: RecordingInfo) {
    this.#client = client;
    this.id = id;
    this.info = info;
  }

  /** Frees it; may be called twice. */
  async dispose(): Promise<void> {
    await this.#client.request({ kind: 'close-recording', recording: this.id }).catch(() => undefined);
  }
}

/** Recordings that move a clip. */
export interface ClipDriving {
  readonly face?: { readonly recording: ThreadRecording } & Pick<
    NonNullable<Driving['face']>,
    'parts' | 'mode'
  >;
  readonly head?: ThreadRecording;
  /** A landmark video that the networks see. */
  readonly poses?: ThreadRecording;
}

/** A clip's portrait on the thread; gets its motion by {@link ThreadPortrait.move}. */
export class ThreadPortrait<Info extends PortraitInfo = PortraitInfo> {
  readonly info: Info;
  readonly #client: Client;
  readonly #clip: number;
  #driving: ClipDriving = {};

  /** @internal made by {@link FrameThread.openPortrait} */
  constructor(client: Client, clip: number, info: Info) {
    this.#client = client;
    this.#clip = clip;
    this.info = info;
  }

  /** What moves it together with the speech; disposed of with it. */
  drive(driving: ClipDriving): void {
    this.#driving = driving;
  }

  /**
   * Makes the first part of the motion.
   *
   * @param options - `pcm` is moved away, empty afterwards.
   */
  async move(
    options: Omit<MotionRequest, 'kind' | 'clip' | 'driving'>,
    signal?: AbortSignal,
  ): Promise<Scene> {
    const { face, head, poses } = this.#driving;
    const driving: Driving = {
      ...(face !== undefined && { face: { ...face, recording: face.recording.id } }),
      ...(head !== undefined && { head: head.id }),
      ...(poses !== undefined && { poses: poses.id }),
    };
    const request: MotionRequest = { ...options, driving, kind: 'add-motion', clip: this.#clip };
    await untilAborted(
      this.#client.request(request, { transfer: [options.pcm.buffer as ArrayBuffer] }),
      signal,
      () => this.dispose(),
    );
    return new ThreadScene(this.#client, this.#clip, this.info);
  }

  /** Frees what the thread holds of the clip and stops what it does for it; may be called twice. */
  async dispose(): Promise<void> {
    // A thread that has ended holds nothing any more.
    await this.#client.request({ kind: 'close-clip', clip: this.#clip }).catch(() => undefined);
    await this.#driving.face?.recording.dispose();
    await this.#driving.head?.dispose();
    await this.#driving.poses?.dispose();
  }
}

/** A scene that lives on the thread. */
class ThreadScene implements Scene {
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  readonly #client: Client;
  readonly #clip: number;
  readonly #drawn = new FewAtOnce(DRAWN_AT_ONCE);

  constructor(client: Client, clip: number, { width, height, reference }: PortraitInfo) {
    this.#client = client;
    this.#clip = clip;
    this.width = width;
    this.height = height;
    this.reference = reference;
  }

  conditions(frame: number): Promise<FrameConditions> {
    return this.#drawn.run(() => this.#client.request({ kind: 'conditions', clip: this.#clip, frame }));
  }

  base(frame: number): Promise<FrameBase> {
    return this.#client.request({ kind: 'base', clip: this.#clip, frame });
  }

  shown(frame: number): Promise<PixelBox | undefined> {
    return this.#client.request({ kind: 'shown', clip: this.#clip, frame });
  }

  drivenFace(frame: number): Promise<DrivenFace> {
    return this.#client.request({ kind: 'driven-face', clip: this.#clip, frame });
  }

  compose(frame: number, decoded: Float32Array, memory?: Uint8Array): Promise<ComposedPicture> {
    const transfer = [decoded, ...(memory ? [memory] : [])].map(({ buffer }) => buffer as ArrayBuffer);
    return this.#client.request({ kind: 'compose', clip: this.#clip, frame, decoded, memory }, { transfer });
  }
}

function startThread(): Client {
  return new ThreadClient(ownUrl('./frame-worker.ts', import.meta.url));
}

/** A thread that waits for its {@link FrameThread}. */
let early: Client | undefined;

/**
 * Begins to start the thread of the next {@link FrameThread}: it loads its modules and opens the networks that find faces while the
 * caller loads others.
 *
 * @param cacheFolder - as {@link FrameThread} takes it.
 */
export function startFrameThreadEarly(cacheFolder: string): void {
  if (early !== undefined) return;
  early = startThread();
  // Thrown when a portrait is opened.
  early.request({ kind: 'find-faces', cacheFolder }).catch(() => {});
}

/** Ends a thread that was started early and that no {@link FrameThread} has taken: a process that ends with open networks aborts. */
export async function endEarlyFrameThread(): Promise<void> {
  const unused = early;
  early = undefined;
  await unused?.close();
}

/** One thread for the scenes of any number of clips. */
export class FrameThread {
  readonly #client: Client;
  readonly #started: Promise<unknown>;
  #nextClip = 1;

  /**
   * @param threads - of the engine for faces and motion; one for each core if undefined.
   * @param cacheFolder - where weights of large networks are kept.
   * @param profileFolder - as in {@link EngineOptions}; the thread then notes what it does, see
   *   {@link FrameThread.takeProfile}.
   */
  constructor(threads: number | undefined, cacheFolder: string, profileFolder?: string) {
    this.#client = early ?? startThread();
    early = undefined;
    this.#started = this.#client.request({ kind: 'start', threads, cacheFolder, profileFolder });
    // Thrown when a portrait is opened.
    this.#started.catch(() => {});
  }

  /**
   * Loads a picture, finds its face and prepares the warps.
   *
   * @throws {@link MediaError} if the picture cannot be read.
   * @throws {@link FaceError} if it has no face that can be animated.
   * @throws `signal.reason` if it aborts.
   */
  async openPortrait({ onNotice, signal, ...options }: OpenClipOptions): Promise<ThreadPortrait> {
    return this.#open(
      (clip) => this.#client.request({ ...options, kind: 'open-portrait', clip }, { onNotice }),
      signal,
    );
  }

  /** Begins to open the networks that make a bundle's motion, for clips that follow. */
  openMotion(bundle: BundleState, lowMemory: boolean): void {
    const opening = this.#started.then(() =>
      this.#client.request({ kind: 'open-motion', bundle, lowMemory }),
    );
    opening.catch(() => {}); // thrown when a clip gets its motion
  }

  /**
   * Follows the face in a film and prepares its frames.
   *
   * @throws what {@link openFilm} throws.
   * @throws `signal.reason` if it aborts.
   */
  async openFilm({
    onNotice,
    onProgress,
    signal,
    ...options
  }: OpenFilmClipOptions): Promise<ThreadPortrait<FilmInfo>> {
    return this.#open(
      (clip) => this.#client.request({ ...options, kind: 'open-film', clip }, { onNotice, onProgress }),
      signal,
    );
  }

  async #open<Info extends PortraitInfo>(
    request: (clip: number) => Promise<Info>,
    signal: AbortSignal | undefined,
  ): Promise<ThreadPortrait<Info>> {
    signal?.throwIfAborted();
    await this.#started;
    const clip = this.#nextClip++;
    const close = () => this.#client.request({ kind: 'close-clip', clip }).catch(() => undefined);
    try {
      return new ThreadPortrait(this.#client, clip, await untilAborted(request(clip), signal, close));
    } catch (error) {
      await close();
      throw error;
    }
  }

  /**
   * Reads a motion file, or follows the face of a film.
   *
   * @throws what {@link readMotionFile} and {@link trackFilm} throw.
   */
  async openRecording(
    source: RecordingSource,
    { signal, ...reports }: TrackingReports & { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ThreadRecording> {
    signal?.throwIfAborted();
    await this.#started;
    const recording = this.#nextClip++;
    const close = () => this.#client.request({ kind: 'close-recording', recording }).catch(() => undefined);
    const opening = this.#client.request({ kind: 'open-recording', recording, source }, reports);
    try {
      return new ThreadRecording(this.#client, recording, await untilAborted(opening, signal, close));
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** What was done since the start; empty without `profileFolder`. */
  takeProfile(): Promise<FrameProfile> {
    return this.#client.request({ kind: 'take-profile' });
  }

  /** Ends the thread after what it is doing; may be called twice. */
  dispose(): Promise<void> {
    return this.#client.close();
  }
}

/** The result of `work`; when `signal` aborts, asks it to `stop`, waits for its end and throws the signal's reason. */
async function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  stop: () => Promise<unknown>,
): Promise<T> {
  const onAbort = () => void stop();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await work;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    signal?.throwIfAborted();
  }
}
