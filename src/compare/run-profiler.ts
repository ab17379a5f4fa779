/** Runs networks once each under the runtime's profiler. */
import { Engine, type NamedTensors, type Network } from '../runtime/engine.ts';
import { readOperatorProfile, type SessionOperators } from './operator-profile.ts';
import { openTemporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

/** A graph, and how it is opened. */
interface ProfiledGraph {
  /** Bytes, which are moved away, or the path of a file. */
  readonly model: Uint8Array | string;
  readonly dataFolder?: string;
}

/** An engine of its own for networks that are opened, run and closed. */
export class RunProfiler {
  readonly #folder: TemporaryFolder;
  readonly engine: Engine;

  private constructor(folder: TemporaryFolder, engine: Engine) {
    this.#folder = folder;
    this.engine = engine;
  }

  /** @throws {@link EnvironmentError} if the device does not work here. */
  static async open(
    options: Pick<Parameters<typeof Engine.open>[0], 'device' | 'threads'>,
  ): Promise<RunProfiler> {
    const folder = await openTemporaryFolder('traffic');
    try {
      return new RunProfiler(folder, await Engine.open({ ...options, profileFolder: folder.path }));
    } catch (error) {
      await folder.remove();
      throw error;
    }
  }

  /** What the runtime notes of one run. */
  async profile(
    name: string,
    { model, dataFolder }: ProfiledGraph,
    inputsOf: (network: Network) => NamedTensors,
  ): Promise<SessionOperators> {
    const network = await this.engine.load(name, model, { transfer: true, dataFolder });
    try {
      await network.run(inputsOf(network), { transfer: true });
    } finally {
      await network.dispose();
    }
    const profiles = await this.engine.takeProfiles();
    return readOperatorProfile(profiles.at(-1)!.prefix, 0);
  }

  /** Ends the engine and removes its files; may be called twice. */
  async dispose(): Promise<void> {
    await this.engine.dispose();
    await this.#folder.remove();
  }
}
