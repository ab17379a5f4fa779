/** Tells beforehand how long a job takes on this machine and how much memory. */
import type { Bundle } from '../models/bundle.ts';
import { countParameters } from '../models/weight-reader.ts';
import type { NetworkName } from '../networks/bundle-graphs.ts';
import { describeNetwork } from '../networks/network-memory.ts';
import { takesTurns } from '../networks/take-turns.ts';
import { GraphBuilder } from '../onnx/graph.ts';
import type { Engine } from '../runtime/engine.ts';
import type { PrecisionChoice } from './animate-options.ts';
import { jobMemory } from './job-memory.ts';

/** Start-up, networks and threads; measured with the embedded bundle. */
const BASE_SECONDS = 2.5;
/** Checking and opening what lies in the cache of weights, for each byte. */
const OPENING_SECONDS = 2e-9;
/** Warping, composing and encoding a frame: a fixed part and one for each pixel of the video. */
const FRAME_SECONDS = 0.02;
const PIXEL_SECONDS = 60e-9;
/** The networks' FLOP/s against those of a plain convolution, which is what is timed; measured on two cores. */
const NETWORK_SPEED = 0.6;
/** The same of wide networks, whose layers are large products that do not stay in caches; see scripts/results/memory.md. */
const WIDE_SPEED = 0.75;
/** A network is wide from this many channels on. */
const WIDE_CHANNELS = 256;
/** What the denoiser gains by 8-bit integers: 1.4 to 1.7 times on two cores, see scripts/results/int8.md. */
const INTEGER_GAIN = 1.5;

/** The convolution that is timed. */
const PROBE = { channels: 128, size: 64, layers: 3 };

/** What the estimate depends on. */
interface JobSize {
  readonly bundle: Bundle;
  readonly engine: Engine;
  readonly windowFrames: number;
  /** Of the pose guider. */
  readonly poseRuns: number;
  /** Evaluations of the denoiser. */
  readonly evaluations: number;
  /** What the denoiser computes in. @defaultValue what the engine is best at */
  readonly precision?: PrecisionChoice;
  readonly frames: number;
  /** Of one frame of the video. */
  readonly pixels: number;
  readonly audioSamples: number;
  /** @defaultValue false */
  readonly lowMemory?: boolean | undefined;
}

/** Seconds and bytes; both are estimates. */
interface JobEstimate {
  readonly seconds: number;
  readonly memoryBytes: number;
}

/** Seconds that a floating-point operation takes here, in a convolution. */
async function timeOperation(engine: Engine): Promise<number> {
  const { channels, size, layers } = PROBE;
  const graph = new GraphBuilder('speed', { precision: engine.precision });
  const dims = [1, channels, size, size];
  let x = graph.input('x', dims);
  for (let layer = 0; layer < layers; layer++) {
    const kernel = new Float32Array(channels * channels * 9).fill(1 / (channels * 9));
    x = graph.op('Conv', [x, graph.weight(`w${layer}`, kernel, [channels, channels, 3, 3])], {
      pads: [1, 1, 1, 1],
    });
  }
  graph.output('y', x, dims);
  const network = await engine.load('speed', graph.toBytes());
  try {
    const data = new Float32Array(channels * size * size).fill(1);
    await network.run({ x: { data, dims } });
    const times: number[] = [];
    for (let run = 0; run < 3; run++) {
      const begin = performance.now();
      await network.run({ x: { data, dims } });
      times.push(performance.now() - begin);
    }
    return Math.min(...times) / 1000 / (2 * layers * (channels * size * 3) ** 2);
  } finally {
    await network.dispose();
  }
}

/** The networks of a job with how often each runs. */
function networksOf({ bundle, windowFrames, poseRuns, evaluations, frames, precision }: JobSize) {
  const runs: Readonly<Partial<Record<NetworkName, number>>> = {
    'denoising-unet': evaluations / (precision === 'int8' ? INTEGER_GAIN : 1),
    'pose-guider': poseRuns,
    'reference-unet': 1,
    'image-encoder': 1,
    'portrait-encoder': 1,
    decoder: frames,
  };
  return (Object.entries(runs) as [NetworkName, number][]).flatMap(([name, times]) => {
    const network = describeNetwork(bundle.description, name, windowFrames);
    return network === undefined ? [] : [{ network, runs: times }];
  });
}

/** Times a convolution on this machine, which takes some tenths of a second, and scales by the work of all networks. */
export async function estimateJob(job: JobSize): Promise<JobEstimate> {
  const { bundle, engine, frames, pixels } = job;
  const networks = networksOf(job);
  const work = networks.reduce((sum, { network, runs }) => sum + network.flops * runs, 0);
  const turns = takesTurns(bundle, engine.device, job.lowMemory);
  const speed =
    bundle.description.denoisingUnet.blockOutChannels[0]! >= WIDE_CHANNELS ? WIDE_SPEED : NETWORK_SPEED;
  const opened = turns
    ? networks.reduce((sum, { network }) => sum + 4 * countParameters(network.weights), 0)
    : 0;
  const seconds =
    BASE_SECONDS +
    opened * OPENING_SECONDS +
    (work / speed) * (await timeOperation(engine)) +
    frames * (FRAME_SECONDS + pixels * PIXEL_SECONDS);
  return { seconds, memoryBytes: jobMemory({ ...job, device: engine.device }) };
}
