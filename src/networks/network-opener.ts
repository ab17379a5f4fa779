/** Opens one network of a bundle: in which engine, in which precision, in how many pieces. */
import { resolutionOf } from '../models/bundle-size.ts';
import { piecesOf } from '../models/window-pieces.ts';
import type { Engine, KeepingNetwork, Network } from '../runtime/engine.ts';
import { usableCores } from '../runtime/usable-cores.ts';
import { FLOAT32_NETWORKS, type GraphOptions, type NetworkName, uploadsOf } from './bundle-graphs.ts';
import { openWithFallback } from './half-precision-network.ts';
import type { LoadingEngine, LoadNetworksOptions } from './load-options.ts';
import { loadWritten, loadWrittenKeeping, type ReadyGraph } from './write-graph.ts';

const DENOISER = 'denoising-unet' satisfies NetworkName;

/**
 * Windows that are denoised at the same time on a processor. Threads of one run wait for each other, so that two windows with
 * half of the cores each take less of them than one with all; more of them take more memory than they gain.
 */
export const MAX_WINDOWS_AT_ONCE = 2;

/** Pieces of a window that is denoised at the same time as another: two such windows take less memory than one in one piece, and no more time. */
const PIECES_OF_EACH = 4;

/** How a bundle's networks are used. */
interface Use {
  readonly windowsAtOnce: number;
  /** Whether one is open at a time. */
  readonly inTurn: boolean;
  /** Computes as few frames of a window at once as possible. */
  readonly fewAtOnce: boolean;
  /** Of one run of the pose guider. */
  readonly poseFrames: number;
  /** Frames that are decoded together, and whether the decoder adds to a base, of which it may decode a part. */
  readonly decodeFrames: number;
  readonly decodesOverBase: boolean;
}

function coresOf({ threads }: LoadingEngine): number {
  return threads ?? usableCores();
}

/** Windows that are denoised at the same time where networks stay open. */
export function countWindowsAtOnce(options: LoadNetworksOptions): number {
  const { denoisingEngine: engine, furtherEngines, guided, oneAtATime = false } = options;
  // With guidance there are two networks, which would be opened twice each.
  if (engine.device !== 'cpu' || furtherEngines === undefined || guided || oneAtATime) return 1;
  return Math.min(coresOf(engine), MAX_WINDOWS_AT_ONCE);
}

/** See {@link NetworkOpener.openDenoisers}. */
interface FirstDenoiser {
  readonly first: Network;
  /** Opens the others; `add` takes them over. */
  readonly openRest: (add: (network: Network) => Promise<void>) => Promise<void>;
}

/** What is the same for all networks of one loading. */
export class NetworkOpener {
  readonly #options: LoadNetworksOptions;
  readonly #use: Use;

  constructor(options: LoadNetworksOptions, use: Use) {
    this.#options = options;
    this.#use = use;
  }

  /** @param pieces - that a window is computed in, where one at a time is denoised and stays open. */
  open(name: NetworkName, pieces = 1): Promise<Network> {
    const { bundle, graphs, onNotice, denoisingEngine } = this.#options;
    const { engine, device, precision } = this.#formOf(name);
    const open = (form: GraphOptions['precision']): Promise<Network> => {
      const graphOptions = this.#graphOptions(device, form, pieces);
      const write = (how: { readonly rebuild: boolean }) => graphs.build(bundle, name, graphOptions, how);
      // The denoiser's cores are nobody else's where networks take turns: the pose guider is done when it begins.
      const sharesCores = !this.#use.inTurn && engine !== denoisingEngine;
      return loadWritten(engine, name, write, { sharesCores });
    };
    return openWithFallback({ name, precision, open, onNotice });
  }

  /** Makes the graph of a network that is opened later, so that nothing is found to be missing then. */
  async make(name: NetworkName): Promise<void> {
    await this.#build(name);
  }

  #build(name: NetworkName, how?: { readonly rebuild: boolean }) {
    const { bundle, graphs } = this.#options;
    const { device, precision } = this.#formOf(name);
    return graphs.build(bundle, name, this.#graphOptions(device, precision), how);
  }

  /** What the denoiser is handed the others' outputs in, where each of its runs copies them, see {@link uploadsOf}. */
  get uploads(): GraphOptions['uploads'] {
    const { device, precision } = this.#formOf(DENOISER);
    return uploadsOf(this.#options.bundle.description, device, precision);
  }

  /** Whether the denoiser reads pose features where the guider has left them. */
  get posesStayInEngine(): boolean {
    const { denoisingEngine, sideEngine } = this.#options;
    return denoisingEngine.keepsTensors === true && sideEngine === denoisingEngine;
  }

  /** Opens a network whose outputs stay in its engine. */
  openKeeping(name: NetworkName): Promise<KeepingNetwork> {
    const { engine } = this.#formOf(name);
    return loadWrittenKeeping(engine as Engine, name, (how) => this.#build(name, how));
  }

  /** Opens the denoiser in one engine, with its share of the cores, and later in others. */
  async openDenoisers(): Promise<FirstDenoiser> {
    const { denoisingEngine, furtherEngines } = this.#options;
    const { windowsAtOnce } = this.#use;
    const { model, optimising, ...form } = await this.#build(DENOISER);
    const threads = Math.max(1, Math.floor(coresOf(denoisingEngine) / windowsAtOnce));
    const open = (
      engine: LoadingEngine,
      graph: Pick<ReadyGraph, 'model' | 'optimising'>,
    ): Promise<Network> => {
      const write = async (how: { readonly rebuild: boolean }) =>
        how.rebuild ? this.#build(DENOISER, how) : { ...form, ...graph };
      return loadWritten(engine, DENOISER, write, { threads });
    };
    const copies = Array.from({ length: windowsAtOnce - 1 }, () => model.slice());
    return {
      first: await open(denoisingEngine, { model, ...(optimising && { optimising }) }),
      openRest: async (add) => {
        const engines = await furtherEngines!(copies.length);
        for (const engine of engines) await add(await open(engine, { model: copies.pop()! }));
      },
    };
  }

  #formOf(name: NetworkName) {
    const { denoisingEngine, sideEngine, precision: asked } = this.#options;
    const engine = name.endsWith('denoising-unet') ? denoisingEngine : sideEngine;
    const wanted = asked === 'auto' ? engine.precision : asked;
    const precision = FLOAT32_NETWORKS.has(name) && wanted === 'float16' ? 'float32' : wanted;
    return { engine, device: engine.device, precision };
  }

  #graphOptions(
    device: GraphOptions['device'],
    precision: GraphOptions['precision'],
    devicePieces = 1,
  ): GraphOptions {
    const { bundle, windowFrames, loras, lowMemory = false } = this.#options;
    const { windowsAtOnce, inTurn, fewAtOnce, poseFrames, decodeFrames, decodesOverBase } = this.#use;
    const ofKept = windowsAtOnce > 1 ? PIECES_OF_EACH : devicePieces;
    return {
      resolution: resolutionOf(bundle.description),
      windowFrames,
      poseFrames,
      decodeFrames,
      // Kernels of GPUs are compiled for a shape.
      decodesParts: decodesOverBase && this.#options.denoisingEngine.device === 'cpu',
      pieces: inTurn ? piecesOf(windowFrames, fewAtOnce) : ofKept,
      loras,
      device,
      precision,
      uploads: this.uploads,
      halfWeights: lowMemory && device === 'cpu' && precision === 'float32',
    };
  }
}
