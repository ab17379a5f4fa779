/** How fast networks like a bundle's run on this machine, as busy as it is. */
import type { Bundle } from '../models/bundle.ts';
import { type BundleDescription, latentSize } from '../models/bundle-description.ts';
import {
  buildDenoisingUnet,
  type DenoisingUnetOptions,
  describeDenoisingUnet,
} from '../models/denoising-unet.ts';
import { noiseWeights } from '../models/noise-weights.ts';
import type { UnetConfig } from '../models/unet-config.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import { RandomStream } from '../tensor/random.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';

/**
 * The part of a denoiser that is timed, with a layer on each level and at most so many cells a side: of a wide one less, whose weights
 * alone would take half a gigabyte.
 */
const SLICES = [
  { levels: 2, cells: 32 },
  { levels: 1, cells: 16 },
] as const;
const SLICE_FRAMES = 2;
/** The smaller slice is taken where a run of the larger would be more operations. */
const MOST_OPERATIONS = 6e10;
/** Measured for so long, and over so many runs at least: a busy machine gives its cores in turns. */
const LEAST_SECONDS = 0.8;
const LEAST_RUNS = 2;
/** Fewer runs are enough where one takes this long. */
const MOST_SECONDS = 4;

/** What an operation of a network takes; both grow with what else the machine does, the first much more. */
export interface NetworkSpeed {
  /** From begin to end. */
  readonly seconds: number;
  /** Of all cores together. */
  readonly processorSeconds: number;
}

/** What is needed of an engine. */
type TimedEngine = Pick<Engine, 'device' | 'precision' | 'load'>;

/** The first levels of a denoiser. */
function sliceOf({ denoisingUnet }: BundleDescription, levels: number): UnetConfig {
  const first = <T>(list: readonly T[]): T[] => list.slice(0, levels);
  const { motion } = denoisingUnet;
  return {
    ...denoisingUnet,
    blockOutChannels: first(denoisingUnet.blockOutChannels),
    attentionLevels: first(denoisingUnet.attentionLevels),
    numHeads: first(denoisingUnet.numHeads),
    layersPerBlock: 1,
    crossAttentionDim: null,
    timeCondProjDim: null,
    motion: motion && { ...motion, levels: first(motion.levels) },
  };
}

/** A machine is as fast and as busy as it was so short a time ago, and nobody waits for the same measurement twice. */
const KEPT_MS = 60_000;

/** What was measured last, by engine and by the bundle's folder. */
const measured = new WeakMap<
  object,
  Map<string, { readonly at: number; readonly speed: Promise<NetworkSpeed> }>
>();

/** As {@link timeNetworks} measured it within the last minute, or measures it now. */
export function networkSpeed({ folder, description }: Bundle, engine: TimedEngine): Promise<NetworkSpeed> {
  const ofEngine = measured.get(engine) ?? new Map();
  measured.set(engine, ofEngine);
  const known = ofEngine.get(folder);
  if (known !== undefined && performance.now() - known.at < KEPT_MS) return known.speed;
  const speed = timeNetworks(description, engine);
  ofEngine.set(folder, { at: performance.now(), speed });
  // What failed may be tried again.
  speed.catch(() => ofEngine.delete(folder));
  return speed;
}

/**
 * Times a thin slice of the bundle's own denoiser, as wide as that is, with weights that mean nothing: convolutions, attention and
 * norms in its proportions. Takes one to some seconds.
 *
 * @throws {@link ModelError} if the engine cannot run it.
 */
export async function timeNetworks(
  description: BundleDescription,
  engine: TimedEngine,
): Promise<NetworkSpeed> {
  const { height, width } = latentSize(description);
  const { device, precision } = engine;
  const slices = SLICES.map(({ levels, cells }) => {
    const config = sliceOf(description, levels);
    const options: DenoisingUnetOptions = {
      ...{ height: Math.min(height, cells), width: Math.min(width, cells), frames: SLICE_FRAMES },
      ...{ reference: 'none', poseFeatures: false, device, precision },
    };
    return { config, options, ...describeDenoisingUnet(config, options) };
  });
  const { config, options, flops, weights } =
    slices.find((slice) => slice.flops <= MOST_OPERATIONS) ?? slices.at(-1)!;
  const graph = buildDenoisingUnet(config, noiseWeights(weights), options);
  const network = await engine.load('speed', graph.toBytes(), { transfer: true });
  try {
    const inputs = inputsOf(network);
    await network.run(inputs);
    const [begin, used] = [performance.now(), process.cpuUsage()];
    let runs = 0;
    let seconds = 0;
    while (seconds < LEAST_SECONDS || (runs < LEAST_RUNS && seconds < MOST_SECONDS)) {
      await network.run(inputs);
      runs += 1;
      seconds = (performance.now() - begin) / 1000;
    }
    const { user, system } = process.cpuUsage(used);
    return { seconds: seconds / runs / flops, processorSeconds: (user + system) / 1e6 / runs / flops };
  } finally {
    await network.dispose();
  }
}

function inputsOf({ inputs }: Network): Record<string, Tensor> {
  const noise = new RandomStream([1]);
  return Object.fromEntries(
    inputs.map(({ name, dims }) => [
      name,
      { data: noise.fillNormal(new Float32Array(elementCount(dims))), dims: [...dims] },
    ]),
  );
}
