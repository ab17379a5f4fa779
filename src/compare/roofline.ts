/**
 * Networks against what the machine can do at best: by their arithmetic, or by the memory that they go through.
 *
 * Source: Williams, Waterman and Patterson 2009, Roofline: an insightful visual performance model.
 */
import { Engine, type NamedTensors, type Network } from '../runtime/engine.ts';
import { measureMemoryLimit } from './memory-limit.ts';
import { readOperatorProfile } from './operator-profile.ts';
import { openTemporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

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

/** Counts the bytes of networks in an engine of its own, which runs each once with the runtime's profiler. */
export class TrafficCounter {
  readonly #folder: TemporaryFolder;
  readonly #engine: Engine;
  /** Bytes a second to memory. */
  readonly memoryLimit: number;

  private constructor(folder: TemporaryFolder, engine: Engine, memoryLimit: number) {
    this.#folder = folder;
    this.#engine = engine;
    this.memoryLimit = memoryLimit;
  }

  /** Opens the engine, and measures the memory with `like`, on whose device it runs. */
  static async open(
    like: Engine,
    threads: number | undefined,
    signal?: AbortSignal,
  ): Promise<TrafficCounter> {
    const memoryLimit = await measureMemoryLimit(like, signal);
    const folder = await openTemporaryFolder('traffic');
    try {
      const engine = await Engine.open({ device: like.device, threads, profileFolder: folder.path });
      return new TrafficCounter(folder, engine, memoryLimit);
    } catch (error) {
      await folder.remove();
      throw error;
    }
  }

  /**
   * Bytes of one run of a network.
   *
   * @param model - moved away, empty afterwards.
   */
  async count(
    name: string,
    { model, dataFolder }: { readonly model: Uint8Array; readonly dataFolder?: string },
    inputsOf: (network: Network) => NamedTensors,
  ): Promise<number> {
    const network = await this.#engine.load(name, model, { transfer: true, dataFolder });
    try {
      await network.run(inputsOf(network), { transfer: true });
    } finally {
      await network.dispose();
    }
    const profiles = await this.#engine.takeProfiles();
    const { groups } = await readOperatorProfile(profiles.at(-1)!.prefix, 0);
    return groups.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Ends the engine and removes its files; may be called twice. */
  async dispose(): Promise<void> {
    await this.#engine.dispose();
    await this.#folder.remove();
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
