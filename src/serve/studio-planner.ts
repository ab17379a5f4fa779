/** Plans clips in a studio that stays warm for a while, since who looks once looks again. */
import type { AnimateOptions, AnimationPlan } from '../pipeline/animate-options.ts';
import { planIn } from '../pipeline/plan-animation.ts';
import { Studio, type StudioOptions } from '../pipeline/studio.ts';
import type { Planner } from './server-state.ts';

const IDLE_MS = 120_000;

/** One look at a time. */
export class StudioPlanner implements Planner {
  readonly #options: StudioOptions;
  #studio: Studio | undefined;
  #idle: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: StudioOptions) {
    this.#options = options;
  }

  plan(options: AnimateOptions): Promise<AnimationPlan> {
    const planned = this.#turn.then(() => this.#plan(options));
    this.#turn = planned.catch(() => {});
    return planned;
  }

  async #plan(options: AnimateOptions): Promise<AnimationPlan> {
    clearTimeout(this.#idle);
    this.#studio ??= new Studio(this.#options);
    try {
      return await planIn(this.#studio, options);
    } finally {
      this.#idle = setTimeout(() => {
        this.#turn = this.#turn.then(() => this.#close());
      }, IDLE_MS).unref();
    }
  }

  async #close(): Promise<void> {
    const studio = this.#studio;
    this.#studio = undefined;
    await studio?.dispose();
  }

  async dispose(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#turn;
    await this.#close();
  }
}
