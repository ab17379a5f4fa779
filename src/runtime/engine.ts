/**
 * Runs networks: an engine owns one worker thread with ONNX Runtime's sessions, so that nothing here blocks the event
 * loop. Open several engines to run independent networks at the same time.
 */
import path from 'node:path';
import { assertIntegerInRange, EnvironmentError, InvalidOptionError, ModelError } from '../errors.ts';
import { ownUrl } from '../files/own-file.ts';
import {
  automaticDevices,
  COPYING_DEVICES,
  DEVICE_CHOICES,
  DEVICES,
  type Device,
  type DeviceChoice,
  HALF_PRECISION_DEVICES,
  HOLDING_DEVICES,
} from './device.ts';
import { HeldInputs } from './held-inputs.ts';
import { loadFailure } from './load-failure.ts';
import {
  type EngineThread,
  type InputOptions,
  type KeepingNetwork,
  messageOf,
  type Network,
  WorkerNetwork,
} from './network.ts';
import type { Copies } from './protocol.ts';
import { ThreadClient } from './thread-client.ts';
import type { TimeSpan } from './time-span.ts';

export type { Device, DeviceChoice } from './device.ts';
export type {
  InputOptions,
  KeepingNetwork,
  KeptTensors,
  NamedTensors,
  Network,
  RunOptions,
} from './network.ts';
export type { Copies, TensorInfo } from './protocol.ts';

const MAX_THREADS = 256;
/**
 * Inputs that several runs share, kept beyond the latest group. On the CPU that is enough for both branches of guidance, and copies are
 * fast. On a GPU, whose memory is larger than its way to it is fast, windows of AniPortrait's with 63 MB each.
 */
const HELD_BYTES = { cpu: 0, gpu: 1e9 } as const;

/** Options of {@link Engine.open}. */
export interface EngineOptions {
  /** Where networks run. `auto` takes the first device that works; a named device is never replaced by another. */
  readonly device: DeviceChoice;
  /** Threads that one network uses on the CPU. @defaultValue one for each core */
  readonly threads?: number | undefined;
  /** Called with the device that `auto` took, and why others were not. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /**
   * Folder that the runtime writes the times of every operator to, a file for each network; see
   * {@link Engine.takeProfiles}. Runs take a little longer.
   */
  readonly profileFolder?: string | undefined;
}

/** What a network did in an engine that profiles. */
export interface NetworkProfile {
  readonly name: string;
  /** Path that the name of the runtime's file begins with. */
  readonly prefix: string;
  readonly load: TimeSpan;
  /** In their order, as in the file. */
  readonly runs: readonly TimeSpan[];
}

/** Options of {@link Engine.load}. */
interface LoadOptions extends InputOptions {
  /** Folder of the files that a model names whose bytes are given. */
  readonly dataFolder?: string | undefined;
  /** Threads that this network uses on the CPU. @defaultValue those of the engine's networks */
  readonly threads?: number | undefined;
  /**
   * Uses the weights of those files as they lie and never converts them for faster convolutions, for gigabytes of them.
   * @defaultValue false
   */
  readonly asStored?: boolean | undefined;
  /** Leaves nodes in the graph that have constants alone for inputs, instead of computing them once. @defaultValue false */
  readonly keepsConstants?: boolean | undefined;
  /** The graph was written by `saveTo`, in the same {@link engineState}: there is nothing left to optimise. @defaultValue false */
  readonly isOptimised?: boolean | undefined;
  /** File that the graph is written to as the engine has optimised it, for a network whose weights are in the graph. */
  readonly saveTo?: string | undefined;
  /**
   * The network runs while one of another engine has all cores: without a number of threads for the engine, it takes half of them.
   * @defaultValue false
   */
  readonly sharesCores?: boolean | undefined;
}

/** A device of this installation, as {@link listExecutionProviders} finds it. */
export interface ExecutionProviderInfo {
  readonly device: Device;
  /** Whether the installed package was built with it. */
  readonly bundled: boolean;
  /** Whether a small network ran on it just now. */
  readonly usable: boolean;
  /** Why it is not usable. */
  readonly reason?: string;
}

/** A thread that waits for its engine. */
let early: EngineThread | undefined;

function startEngineThread(): EngineThread {
  const started = early;
  early = undefined;
  return started ?? new ThreadClient(ownUrl('./session-worker.ts', import.meta.url));
}

/** Begins to start the thread of the engine that is opened next, for who has other things to do until then. */
export function startEngineEarly(): void {
  early ??= startEngineThread();
}

/** Why a device does not open, without a full stop. */
function whyUnusable(error: unknown): string {
  const text = messageOf(error).replace(/\.+$/, '');
  return text.includes('backend not found') ? `ONNX Runtime has no such device on ${process.platform}` : text;
}

/** One worker thread with the networks that were loaded into it; they run one at a time, in the order of the calls. */
export class Engine {
  /** Where the networks run; never `auto`. */
  readonly device: Device;
  /**
   * Whether networks that read each other's outputs had best be in this one engine, see {@link Engine.loadKeeping}: its device holds
   * tensors, or is far from the memory that they would cross threads in.
   */
  readonly keepsTensors: boolean;
  /** What large networks had best compute in on this device. */
  readonly precision: 'float32' | 'float16';
  /** Threads that a network uses on the CPU; undefined is one for each core. */
  readonly threads: number | undefined;
  readonly #client: EngineThread;
  readonly #profileFolder: string | undefined;
  readonly #held: HeldInputs;
  /** Names of networks and prefixes of their profiles, by number. */
  readonly #profiled = new Map<number, Pick<NetworkProfile, 'name' | 'prefix'>>();
  #nextNetwork = 1;
  #disposed: Promise<void> | undefined;

  private constructor(
    client: EngineThread,
    device: Device,
    precision: 'float32' | 'float16',
    { threads, profileFolder }: Pick<EngineOptions, 'threads' | 'profileFolder'>,
  ) {
    this.#client = client;
    this.device = device;
    this.keepsTensors = HOLDING_DEVICES.has(device) || COPYING_DEVICES.has(device);
    this.precision = precision;
    this.threads = threads;
    this.#profileFolder = profileFolder;
    this.#held = new HeldInputs(device === 'cpu' ? HELD_BYTES.cpu : HELD_BYTES.gpu);
  }

  /**
   * Starts the worker thread and makes sure, with a network of three nodes, that the device works.
   *
   * @throws {@link InvalidOptionError} if `device` or `threads` is none that exists.
   * @throws {@link EnvironmentError} if the named device does not work here; the message says why.
   */
  static async open({ device, threads, onNotice, profileFolder }: EngineOptions): Promise<Engine> {
    if (device !== 'auto' && !DEVICES.includes(device)) {
      const problem = { expected: DEVICE_CHOICES.join(', '), got: String(device) };
      throw new InvalidOptionError(problem, 'device', device);
    }
    if (threads !== undefined) assertIntegerInRange('threads', threads, 1, MAX_THREADS);
    const client = startEngineThread();
    const candidates = device === 'auto' ? automaticDevices(process.platform) : [device];
    const failures: string[] = [];
    for (const candidate of candidates) {
      try {
        await client.request({ kind: 'probe', device: candidate, precision: 'float32' });
      } catch (error) {
        const failure = loadFailure(error);
        if (failure !== undefined) throw failure;
        failures.push(`${candidate}: ${whyUnusable(error)}`);
        continue;
      }
      if (device === 'auto') {
        const others = failures.length === 0 ? '' : ` (not available: ${failures.join('; ')})`;
        onNotice?.(`device auto: using ${candidate}${others}`);
      }
      const half = HALF_PRECISION_DEVICES.includes(candidate) && (await hasHalfPrecision(client, candidate));
      return new Engine(client, candidate, half ? 'float16' : 'float32', { threads, profileFolder });
    }
    await client.close();
    throw new EnvironmentError([
      'Cannot use ',
      { option: 'device' },
      ` ${device}: expected a working execution provider, got ${failures.join('; ')}; set `,
      { option: 'device', value: 'auto' },
      ', or see what this machine has: lcm-portrait doctor',
    ]);
  }

  /**
   * Opens a network.
   *
   * @param name - for messages.
   * @param graph - bytes of an ONNX model (copied, unless `transfer` is set), or the path of one; external data lies
   *   in its folder.
   * @throws {@link ModelError} if the runtime does not accept it; `cause` is the runtime's error.
   */
  async load(name: string, graph: Uint8Array | string, options: LoadOptions = {}): Promise<Network> {
    return this.#load(name, graph, options, false);
  }

  /** The same for a network whose outputs only others of the engine read. */
  async loadKeeping(
    name: string,
    graph: Uint8Array | string,
    options: LoadOptions = {},
  ): Promise<KeepingNetwork> {
    const network = await this.#load(name, graph, options, true);
    const { inputs, outputs } = network;
    return {
      ...{ name, inputs, outputs },
      run: (values, how) => network.runKeeping(values, how),
      bind: (values, how) => network.bind(values, how),
      dispose: () => network.dispose(),
    };
  }

  async #load(
    name: string,
    graph: Uint8Array | string,
    {
      transfer = false,
      dataFolder,
      threads = this.threads,
      asStored = false,
      keepsConstants = false,
      isOptimised = false,
      saveTo,
      sharesCores = false,
    }: LoadOptions,
    keepsOutputs: boolean,
  ): Promise<WorkerNetwork> {
    if (this.#disposed !== undefined) {
      throw new ModelError(`Cannot load ${name}: the engine was disposed of`, name);
    }
    const id = this.#nextNetwork++;
    const own = typeof graph === 'string' || transfer ? graph : new Uint8Array(graph);
    const buffers = typeof own === 'string' ? [] : [own.buffer as ArrayBuffer];
    try {
      const info = await this.#client.request(
        {
          kind: 'load',
          network: id,
          device: this.device,
          threads,
          graph: own,
          dataFolder,
          asStored,
          keepsConstants,
          isOptimised,
          saveTo,
          sharesCores,
          keepsOutputs,
          profile: this.#profilePrefix(id, name),
        },
        { transfer: buffers },
      );
      return new WorkerNetwork(
        { client: this.#client, held: this.#held, device: this.device },
        id,
        name,
        info,
      );
    } catch (error) {
      throw new ModelError(`Cannot load ${name}: ${messageOf(error)}`, name, { cause: error });
    }
  }

  #profilePrefix(id: number, name: string): string | undefined {
    if (this.#profileFolder === undefined) return undefined;
    const prefix = path.join(this.#profileFolder, `${id}-${name}`);
    this.#profiled.set(id, { name, prefix });
    return prefix;
  }

  /**
   * Completes the files of all networks that were loaded, disposed of or not, and tells what they did; later runs of
   * theirs are not noted. Empty without `profileFolder`.
   */
  async takeProfiles(): Promise<NetworkProfile[]> {
    const profiles = await this.#client.request({ kind: 'take-profiles' });
    return profiles.map(({ network, load, runs }) => ({ ...this.#profiled.get(network)!, load, runs }));
  }

  /** What runs and kept inputs have moved between ordinary memory and the device since the last call; nothing on the CPU. */
  takeCopies(): Promise<Copies> {
    return this.#client.request({ kind: 'take-copies' });
  }

  /**
   * Waits for the runs that are queued, frees every network and ends the thread; may be called twice. Call it before
   * `process.exit()`: ending the process while a network runs aborts it.
   */
  dispose(): Promise<void> {
    this.#disposed ??= this.#client.close();
    return this.#disposed;
  }
}

async function hasHalfPrecision(client: EngineThread, device: Device): Promise<boolean> {
  try {
    await client.request({ kind: 'probe', device, precision: 'float16' });
    return true;
  } catch {
    return false;
  }
}

/** Tries every device with a small network and reports which work here, and why others do not. */
export async function listExecutionProviders(): Promise<ExecutionProviderInfo[]> {
  const client = startEngineThread();
  try {
    const built = await client.request({ kind: 'list' }).catch((error: unknown) => {
      throw loadFailure(error) ?? error;
    });
    const infos: ExecutionProviderInfo[] = [];
    for (const device of DEVICES) {
      const bundled = built.some((backend) => backend.name === device && backend.bundled);
      try {
        await client.request({ kind: 'probe', device, precision: 'float32' });
        infos.push({ device, bundled, usable: true });
      } catch (error) {
        infos.push({ device, bundled, usable: false, reason: whyUnusable(error) });
      }
    }
    return infos;
  } finally {
    await client.close();
  }
}
