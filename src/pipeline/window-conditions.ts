/** What the networks are told about each frame, made when a window first needs it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Tensor } from '../tensor/tensor.ts';
import type { ClipMotion } from './clip-motion.ts';
import type { ClipNetworks } from './clip-networks.ts';
import type { ContextWindow } from './context-windows.ts';
import type { AnimatedPortrait, FrameConditions } from './portrait.ts';
import type { Stopwatch } from './stopwatch.ts';

/**
 * Renders the conditions of each window when it is first needed, and forgets them when they are not needed any more.
 */
export class WindowConditions {
  readonly #portrait: AnimatedPortrait;
  readonly #motion: ClipMotion;
  readonly #networks: ClipNetworks;
  readonly #watch: Stopwatch;
  readonly #frames = new Map<number, FrameConditions>();
  readonly #poses = new Map<number, Promise<Record<string, Tensor>>>();

  constructor(portrait: AnimatedPortrait, motion: ClipMotion, networks: ClipNetworks, watch: Stopwatch) {
    this.#portrait = portrait;
    this.#motion = motion;
    this.#networks = networks;
    this.#watch = watch;
  }

  async #frame(frame: number): Promise<FrameConditions> {
    let conditions = this.#frames.get(frame);
    if (conditions === undefined) {
      conditions = this.#portrait.renderConditions(await this.#motion.at(frame));
      this.#frames.set(frame, conditions);
      // Drawing takes milliseconds: between frames, timers and signals get their turn.
      await nextTurn();
    }
    return conditions;
  }

  async #makePose({ frames }: ContextWindow): Promise<Record<string, Tensor>> {
    return this.#watch.time('pose', async () => {
      const conditions: Float32Array[] = [];
      for (const frame of frames) conditions.push((await this.#frame(frame)).conditions);
      return this.#networks.poseFeatures(conditions);
    });
  }

  /** Pose features of window `index`. */
  pose(index: number, window: ContextWindow): Promise<Record<string, Tensor>> {
    let pose = this.#poses.get(index);
    if (pose === undefined) {
      pose = this.#makePose(window);
      this.#poses.set(index, pose);
    }
    return pose;
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
