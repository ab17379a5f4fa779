/** What the networks are told about each frame, made when a window first needs it. */
import type { Tensor } from '../tensor/tensor.ts';
import type { ClipNetworks } from './clip-networks.ts';
import type { ContextWindow } from './context-windows.ts';
import type { FrameConditions, Scene } from './scene.ts';
import type { Stopwatch } from './stopwatch.ts';

/**
 * Renders the conditions of each window when it is first needed, and forgets them when they are not needed any more.
 */
export class WindowConditions {
  readonly #scene: Scene;
  readonly #networks: ClipNetworks;
  readonly #watch: Stopwatch;
  readonly #signal: AbortSignal | undefined;
  readonly #frames = new Map<number, Promise<FrameConditions>>();
  readonly #poses = new Map<number, Promise<Record<string, Tensor>>>();

  /** @param signal - no new work begins after it aborts. */
  constructor(scene: Scene, networks: ClipNetworks, watch: Stopwatch, signal?: AbortSignal) {
    this.#scene = scene;
    this.#networks = networks;
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

  async #makePose({ frames }: ContextWindow): Promise<Record<string, Tensor>> {
    return this.#watch.time('pose', async () => {
      const conditions = await Promise.all(frames.map((frame) => this.#frame(frame)));
      this.#signal?.throwIfAborted();
      return this.#networks.poseFeatures(conditions);
    });
  }

  /** Pose features of window `index`. */
  async pose(index: number, window: ContextWindow): Promise<Record<string, Tensor>> {
    let pose = this.#poses.get(index);
    if (pose === undefined) {
      pose = this.#makePose(window);
      this.#poses.set(index, pose);
    }
    const features = await pose;
    this.#signal?.throwIfAborted();
    return features;
  }

  /** To be called when a window has taken its last step. */
  forgetPose(index: number): void {
    this.#poses.delete(index);
  }

  /** The conditions of a finished frame; the frame is forgotten. */
  async take(frame: number): Promise<FrameConditions> {
    const conditions = await this.#frame(frame);
    this.#frames.delete(frame);
    return conditions;
  }
}
