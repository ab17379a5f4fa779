/** What the networks are told about each frame, made when a window first needs it. */
import type { Tensor } from '../tensor/tensor.ts';
import type { ClipNetworks } from './clip-networks.ts';
import type { ContextWindow } from './context-windows.ts';
import type { FrameConditions, Scene } from './scene.ts';
import type { Stopwatch } from './stopwatch.ts';

/** Pose features that are kept at once; a window of AniPortrait's has 63 MB. */
const MAX_KEPT_BYTES = 1e9;

/**
 * Renders the conditions of each window when it is first needed, and forgets them when they are not needed any more.
 */
export class WindowConditions {
  readonly #scene: Scene;
  readonly #networks: ClipNetworks;
  readonly #watch: Stopwatch;
  readonly #signal: AbortSignal | undefined;
  readonly #keyFrames: readonly number[];
  readonly #frames = new Map<number, Promise<FrameConditions>>();
  readonly #poses = new Map<number, Promise<Record<string, Tensor>>>();
  readonly #bytes = new Map<number, number>();
  #keptBytes = 0;

  /**
   * @param keyFrames - numbers of the frames that the windows count.
   * @param signal - no new work begins after it aborts.
   */
  constructor(
    scene: Scene,
    networks: ClipNetworks,
    keyFrames: readonly number[],
    watch: Stopwatch,
    signal?: AbortSignal,
  ) {
    this.#scene = scene;
    this.#networks = networks;
    this.#keyFrames = keyFrames;
    this.#watch = watch;
    this.#signal = signal;
  }

  #frame(frame: number): Promise<FrameConditions> {
    let conditions = this.#frames.get(frame);
    if (conditions === undefined) {
      conditions = this.#scene.conditions(frame);
      this.#frames.set(frame, conditions);
    }
    return conditions;
  }

  async #makePose(window: ContextWindow): Promise<Record<string, Tensor>> {
    const frames = window.frames.map((index) => this.#keyFrames[index]!);
    return this.#watch.time('pose', async () => {
      const conditions = await Promise.all(frames.map((frame) => this.#frame(frame)));
      this.#signal?.throwIfAborted();
      // Nobody asks for them again but the decoder; a neighbouring window draws a few anew.
      if (!this.#networks.decodesOverBase) for (const frame of frames) this.#frames.delete(frame);
      return this.#networks.poseFeatures(conditions);
    });
  }

  /** Pose features of window `index`. */
  async pose(index: number, window: ContextWindow): Promise<Record<string, Tensor>> {
    let pose = this.#poses.get(index);
    if (pose === undefined) {
      pose = this.#makePose(window);
      if (this.#keptBytes < MAX_KEPT_BYTES) this.#keep(index, pose);
    }
    const features = await pose;
    this.#signal?.throwIfAborted();
    return features;
  }

  /**
   * Keeps features for the window's later steps. Windows that go round the clip all wait for each other: of a long clip,
   * those beyond the limit are made again at every step.
   */
  #keep(index: number, pose: Promise<Record<string, Tensor>>): void {
    this.#poses.set(index, pose);
    const count = (features: Record<string, Tensor>): void => {
      const bytes = Object.values(features).reduce((sum, { data }) => sum + data.byteLength, 0);
      if (this.#poses.get(index) !== pose) return;
      this.#bytes.set(index, bytes);
      this.#keptBytes += bytes;
    };
    // Whoever awaits the features is told why there are none.
    pose.then(count, () => {});
  }

  /** Begins to make the pose features of window `index`, which will be wanted soon; there may be no such window. */
  prefetch(index: number, window: ContextWindow | undefined): void {
    if (window === undefined || this.#poses.has(index) || this.#keptBytes >= MAX_KEPT_BYTES) return;
    if (!this.#signal?.aborted) this.#keep(index, this.#makePose(window));
  }

  /** Waits until nothing is being made. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#poses.values());
  }

  /** To be called when a window has taken its last step. */
  forgetPose(index: number): void {
    this.#poses.delete(index);
    this.#keptBytes -= this.#bytes.get(index) ?? 0;
    this.#bytes.delete(index);
  }

  /** The conditions of a finished frame; the frame is forgotten. */
  async take(frame: number): Promise<FrameConditions> {
    const conditions = await this.#frame(frame);
    this.#frames.delete(frame);
    return conditions;
  }
}
