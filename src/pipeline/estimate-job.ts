/** Tells beforehand how long a job takes on this machine and how much memory. */
import type { Bundle } from '../models/bundle.ts';
import { type BundleDescription, latentSize } from '../models/bundle-description.ts';
import { describeClipVision } from '../models/clip-vision.ts';
import { describeDenoisingUnet } from '../models/denoising-unet.ts';
import { describePoseGuider } from '../models/pose-guider.ts';
import { describeReferenceUnet } from '../models/reference-unet.ts';
import { describeVae } from '../models/vae.ts';
import { countParameters, type NetworkDescription } from '../models/weight-reader.ts';
import { GraphBuilder } from '../onnx/graph.ts';
import type { Engine } from '../runtime/engine.ts';
import type { PrecisionChoice } from './animate-options.ts';

/** Start-up, networks and threads; measured with the embedded bundle. */
const BASE_SECONDS = 2.5;
const BASE_BYTES = 800e6;
/** Warping, composing and encoding a frame: a fixed part and one for each pixel of the video. */
const FRAME_SECONDS = 0.02;
const PIXEL_SECONDS = 60e-9;
/** The networks' FLOP/s against those of a plain convolution, which is what is timed; measured on two cores. */
const NETWORK_SPEED = 0.6;
/** What the denoiser gains by 8-bit integers: 1.4 to 1.7 times on two cores, see scripts/results/int8.md. */
const INTEGER_GAIN = 1.5;
/** A frame in its stages between drawing and encoder. */
const BYTES_PER_PIXEL = 60;
/** Large weights, as the engine arranges them, against their size in the file. */
const WEIGHT_COPIES = 1.3;
/** Share of a network's largest layer that is alive at once; for what a window needs in addition to its weights. */
const BYTES_PER_WINDOW_CELL = 40_000;

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
function networksOf(
  { description }: Bundle,
  { windowFrames, poseRuns, evaluations, frames, precision }: JobSize,
): readonly { readonly network: NetworkDescription; readonly runs: number }[] {
  const { denoisingUnet, poseGuider, imageEncoder, codec, resolution } = description;
  const latents = latentSize(description);
  const picture = { height: resolution, width: resolution };
  const denoiser = describeDenoisingUnet(denoisingUnet, {
    ...latents,
    frames: windowFrames,
    reference: 'keys-values',
    imageEmbeds: 'input',
    poseFeatures: true,
  });
  const guider = describePoseGuider(poseGuider, { ...picture, frames: windowFrames });
  const vae = codec.type === 'autoencoder-kl' ? describeVae(codec, picture) : undefined;
  return [
    { network: denoiser, runs: evaluations / (precision === 'int8' ? INTEGER_GAIN : 1) },
    { network: guider, runs: poseRuns },
    { network: describeReferenceUnet(denoisingUnet, latents), runs: 1 },
    ...(imageEncoder === null ? [] : [{ network: describeClipVision(imageEncoder), runs: 1 }]),
    ...(vae === undefined
      ? []
      : [
          { network: vae.encoder, runs: 1 },
          { network: vae.decoder, runs: frames },
        ]),
  ];
}

function weightBytes(networks: readonly { readonly network: NetworkDescription }[]): number {
  return networks.reduce((sum, { network }) => sum + 4 * countParameters(network.weights), 0);
}

function activationBytes(description: BundleDescription, windowFrames: number): number {
  const { height, width } = latentSize(description);
  const wide = description.denoisingUnet.blockOutChannels[0]! / 320;
  return windowFrames * height * width * BYTES_PER_WINDOW_CELL * wide;
}

/** Times a convolution on this machine, which takes some tenths of a second, and scales by the work of all networks. */
export async function estimateJob(job: JobSize): Promise<JobEstimate> {
  const { bundle, engine, frames, pixels, audioSamples, windowFrames } = job;
  const networks = networksOf(bundle, job);
  const work = networks.reduce((sum, { network, runs }) => sum + network.flops * runs, 0);
  const seconds =
    BASE_SECONDS +
    (work / NETWORK_SPEED) * (await timeOperation(engine)) +
    frames * (FRAME_SECONDS + pixels * PIXEL_SECONDS);
  const memoryBytes =
    BASE_BYTES +
    WEIGHT_COPIES * weightBytes(networks) +
    activationBytes(bundle.description, windowFrames) +
    pixels * BYTES_PER_PIXEL +
    audioSamples * 4;
  return { seconds, memoryBytes };
}
