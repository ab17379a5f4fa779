/**
 * Networks against what the machine can do at best: by their arithmetic, or by the memory that they go through.
 *
 * Source: Williams, Waterman and Patterson 2009, Roofline: an insightful visual performance model.
 */
import type { Engine } from '../runtime/engine.ts';
import { measureMemoryLimit } from './memory-limit.ts';
import type { NodePlacement } from './operator-profile.ts';
import { RunProfiler } from './run-profiler.ts';

/** Where a network stands. */
export interface Roofline {
  /** Weights and activations that all operators of a run read and write, were nothing kept in caches. */
  readonly bytes: number;
  /** FLOP for each of these bytes. */
  readonly intensity: number;
  /** Bytes a second. */
  readonly bandwidth: number;
  /** Share of the bandwidth to memory; above 1 where caches hold what operators hand on. */
  readonly bandwidthShare: number;
  /** Which of the machine's limits the network would meet first. */
  readonly bound: 'arithmetic' | 'memory';
}

/** What a run of a network goes through, and where. */
export interface Traffic {
  readonly bytes: number;
  readonly placements: readonly NodePlacement[];
}

/** Counts the bytes of networks, each of which runs once with the runtime's profiler. */
export class TrafficCounter {
  readonly #profiler: RunProfiler;
  /** Bytes a second to memory. */
  readonly memoryLimit: number;

  private constructor(profiler: RunProfiler, memoryLimit: number) {
    this.#profiler = profiler;
    this.memoryLimit = memoryLimit;
  }

  /** Opens an engine, and measures the memory with `like`, on whose device it runs. */
  static async open(
    like: Engine,
    threads: number | undefined,
    signal?: AbortSignal,
  ): Promise<TrafficCounter> {
    const memoryLimit = await measureMemoryLimit(like, signal);
    return new TrafficCounter(await RunProfiler.open({ device: like.device, threads }), memoryLimit);
  }

  /** One run of a network, see {@link RunProfiler.profile}. */
  async count(...[name, graph, inputsOf]: Parameters<RunProfiler['profile']>): Promise<Traffic> {
    const { groups, placements } = await this.#profiler.profile(name, graph, inputsOf);
    return { bytes: groups.reduce((sum, { bytes }) => sum + bytes, 0), placements };
  }

  /** Ends the engine; may be called twice. */
  async dispose(): Promise<void> {
    await this.#profiler.dispose();
  }
}

/** A network's place, from what a run of it takes. */
export function placeUnderRoof(
  { flops, bytes, seconds }: { readonly flops: number; readonly bytes: number; readonly seconds: number },
  limits: { readonly flops: number; readonly memory: number },
): Roofline {
  const [intensity, bandwidth] = [flops / bytes, bytes / seconds];
  return {
    bytes,
    intensity,
    bandwidth,
    bandwidthShare: bandwidth / limits.memory,
    bound: intensity * limits.memory < limits.flops ? 'memory' : 'arithmetic',
  };
}
