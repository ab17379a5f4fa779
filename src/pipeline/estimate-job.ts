/** Tells beforehand how long a job takes on this machine and how much memory. */
import type { Bundle } from '../models/bundle.ts';
import { latentSize } from '../models/bundle-description.ts';
import { describeDenoisingUnet } from '../models/denoising-unet.ts';
import { describePoseGuider } from '../models/pose-guider.ts';
import type { Engine } from '../runtime/engine.ts';
import { GraphThread } from './graph-thread.ts';
import { DECODE_FRAMES } from './patch-networks.ts';

/** Start-up, networks and threads; measured with the embedded bundle. */
const BASE_SECONDS = 2.5;
const BASE_BYTES = 800e6;
/** Warping, composing and encoding a frame: a fixed part and one for each pixel of the video. */
const FRAME_SECONDS = 0.02;
const PIXEL_SECONDS = 60e-9;
/** The denoiser's FLOP/s against the pose guider's, which is what is timed; measured on two cores. */
const DENOISER_SPEED = 1.4;
/** A frame in its stages between warp and encoder. */
const BYTES_PER_PIXEL = 60;

/** What the estimate depends on. */
export interface JobSize {
  readonly bundle: Bundle;
  readonly engine: Engine;
  readonly windowFrames: number;
  /** Evaluations of the denoiser. */
  readonly evaluations: number;
  readonly frames: number;
  /** Of one frame of the video. */
  readonly pixels: number;
  readonly audioSamples: number;
}

/** Seconds and bytes; both are estimates. */
export interface JobEstimate {
  readonly seconds: number;
  readonly memoryBytes: number;
}

/**
 * Times the pose guider on this machine, which takes some tenths of a second, and scales by the work of all networks.
 *
 * @throws {@link ModelError} if the bundle's weights do not fit its description.
 */
export async function estimateJob(job: JobSize): Promise<JobEstimate> {
  const { bundle, engine, windowFrames, evaluations, frames, pixels, audioSamples } = job;
  const { description } = bundle;
  const size = description.resolution;
  const evaluation = describeDenoisingUnet(description.denoisingUnet, {
    ...latentSize(description),
    frames: windowFrames,
    reference: 'keys-values',
    poseFeatures: true,
  });
  const guider = describePoseGuider(description.poseGuider, {
    height: size,
    width: size,
    frames: windowFrames,
  });
  const graphs = new GraphThread();
  const graph = await graphs
    .build(bundle, 'pose-guider', {
      windowFrames,
      decodeFrames: DECODE_FRAMES,
      loras: [],
      device: engine.device,
    })
    .finally(() => graphs.dispose());
  const network = await engine.load('pose-guider', graph, { transfer: true });
  const dims = [windowFrames, description.poseGuider.inChannels, size, size];
  const input = {
    [network.inputs[0]!.name]: { data: new Float32Array(dims.reduce((a, b) => a * b, 1)), dims },
  };
  await network.run(input);
  const begin = performance.now();
  await network.run(input);
  const secondsPerFlop = (performance.now() - begin) / 1000 / guider.flops;
  const windows = Math.ceil(frames / windowFrames);
  const networkSeconds =
    ((evaluations * evaluation.flops) / DENOISER_SPEED + windows * guider.flops) * secondsPerFlop;
  const seconds = BASE_SECONDS + networkSeconds + frames * (FRAME_SECONDS + pixels * PIXEL_SECONDS);
  return { seconds, memoryBytes: BASE_BYTES + pixels * BYTES_PER_PIXEL + audioSamples * 4 };
}
