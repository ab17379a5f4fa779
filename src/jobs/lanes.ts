/**
 * Lanes: renderers that work side by side, each with loaded networks of its own. A lane renders one clip at a time, while it
 * prepares the next and completes the last.
 */
import PQueue from 'p-queue';
import { ModelError, PipelineError } from '../errors.ts';
import type { ClipRenderer } from './clip-renderer.ts';

/** Clips that a lane has in hand: one is denoised, one is prepared, and one gets its networks or its last frames. */
export const CLIPS_PER_LANE = 3;

/** A renderer with those that use it. */
interface Engine {
  readonly renderer: Promise<ClipRenderer>;
  users: number;
  /** Is not given to anybody any more. */
  retired: boolean;
}

interface Lane {
  engine: Engine | undefined;
  users: number;
  /** Prepares one clip at a time: they come out in the order in which they went in. */
  readonly preparations: PQueue;
}

/** A lane for one attempt. */
interface LaneLease {
  readonly renderer: ClipRenderer;
  /** Waits until no other clip is prepared here. */
  whilePreparing<T>(work: () => Promise<T>): Promise<T>;
  /** Gives the lane back. @param error - what the attempt failed with: after some, the renderer is not used again. */
  release(error?: unknown): Promise<void>;
}

/** All lanes of a batch; renderers are opened when they are first needed. */
export class Lanes {
  readonly #open: () => Promise<ClipRenderer>;
  readonly #lanes: readonly Lane[];
  readonly #closing: Promise<void>[] = [];

  constructor(count: number, open: () => Promise<ClipRenderer>) {
    this.#open = open;
    this.#lanes = Array.from({ length: count }, () => ({
      engine: undefined,
      users: 0,
      preparations: new PQueue({ concurrency: 1 }),
    }));
  }

  /** The lane that has least to do. */
  async lease(): Promise<LaneLease> {
    const lane = this.#lanes.reduce((best, next) => (next.users < best.users ? next : best));
    if (lane.engine === undefined || lane.engine.retired) {
      lane.engine = { renderer: this.#open(), users: 0, retired: false };
    }
    const { engine } = lane;
    lane.users += 1;
    engine.users += 1;
    const leave = async (error?: unknown): Promise<void> => {
      lane.users -= 1;
      engine.users -= 1;
      if (needsNewRenderer(error)) engine.retired = true;
      if (engine.retired && engine.users === 0) this.#closing.push(dispose(engine));
    };
    try {
      return {
        renderer: await engine.renderer,
        whilePreparing: (work) => lane.preparations.add(work),
        release: leave,
      };
    } catch (error) {
      engine.retired = true;
      await leave(error);
      throw error;
    }
  }

  /** Ends renderers that nobody has; the next lease opens another. */
  async rest(): Promise<void> {
    const idle = this.#lanes.filter(({ engine }) => engine?.users === 0);
    const engines = idle.map(({ engine }) => engine!);
    for (const lane of idle) lane.engine = undefined;
    await Promise.all([...engines.map(dispose), ...this.#closing]);
  }

  /** Ends all renderers; to be called when nobody has a lane. */
  async dispose(): Promise<void> {
    const engines = this.#lanes.flatMap(({ engine }) =>
      engine === undefined || engine.retired ? [] : [engine],
    );
    await Promise.all([...engines.map(dispose), ...this.#closing]);
  }
}

/** An engine that failed, or a bug, may leave networks in a state that spoils other clips. */
function needsNewRenderer(error: unknown): boolean {
  if (error === undefined) return false;
  return error instanceof ModelError || (error instanceof Error && !(error instanceof PipelineError));
}

async function dispose({ renderer }: Engine): Promise<void> {
  await renderer.then((opened) => opened.dispose()).catch(() => {}); // what could not be opened needs no end
}
