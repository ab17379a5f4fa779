/** One window's denoising with a bundle's preset `fast`, and all that another program needs to do the same. */
import { MEASURED_MAKERS, type MeasuredNetworkName } from '../../src/compare/published-graphs.ts';
import { loraFilesOf, openBundle } from '../../src/models/bundle.ts';
import type { BundleDescription } from '../../src/models/bundle-description.ts';
import { latentSize } from '../../src/models/bundle-description.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { attentionSites, type UnetConfig } from '../../src/models/unet-config.ts';
import { openGraph } from '../../src/networks/bundle-graphs.ts';
import type { Engine, Network } from '../../src/runtime/engine.ts';
import { createScheduler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import type { LoraFile } from '../../src/weights/lora.ts';

/** What the denoiser may compute in. */
export const JOB_PRECISIONS = ['float32', 'int8'] as const;
/** One of {@link JOB_PRECISIONS}. */
export type JobPrecision = (typeof JOB_PRECISIONS)[number];

/** What is denoised, and how. */
export interface DenoiserJob {
  readonly frames: number;
  readonly timesteps: readonly number[];
  /** Multiplications and additions of one evaluation. */
  readonly flops: number;
  /** File of the denoising UNet's weights. */
  readonly weights: string;
  readonly loras: readonly LoraFile[];
  readonly config: UnetConfig;
  readonly schedule: BundleDescription['schedule'];
  /** Spatial transformers, in the order of the network. */
  readonly sites: readonly string[];
  /** `latents`, `noise.0`… of the steps, `pose.0`…, and `bank:<site>`, the reference's tokens. */
  readonly arrays: Readonly<Record<string, Tensor>>;
  /** From noise to clean latents, [1, C, frames, h, w]; a precision is loaded when it is first asked for. */
  denoise(precision?: JobPrecision): Promise<Float32Array>;
}

function noise(seed: number, dims: readonly number[]): Tensor {
  return { data: new RandomStream([seed, 11]).fillNormal(new Float32Array(elementCount(dims))), dims };
}

/** A picture of noise, in the range of the networks' inputs. */
function noisePicture(seed: number, dims: readonly number[]): Tensor {
  const { data } = noise(seed, dims);
  return { data: data.map((value) => Math.max(-1, Math.min(1, value / 2))), dims };
}

/**
 * Loads the networks of `name` and makes their inputs, by seed. Pictures are of noise: what they show changes neither the
 * time nor whether two programs agree.
 */
export async function openDenoiserJob(engine: Engine, name: string): Promise<DenoiserJob> {
  const bundle = await openBundle(name);
  const { description } = bundle;
  const { denoisingUnet: config, schedule, contextFrames: frames, resolution, poseGuider } = description;
  const preset = description.presets.fast;
  if (preset === undefined) throw new Error(`Cannot measure ${name}: expected a preset fast, got none`);
  const loras = loraFilesOf(bundle, preset);
  const load = (network: MeasuredNetworkName, precision: JobPrecision = 'float32'): Promise<Network> => {
    const { graph, dispose } = openGraph(bundle, MEASURED_MAKERS[network], {
      windowFrames: frames,
      decodeFrames: frames,
      loras,
      device: engine.device,
      precision,
    });
    try {
      return engine.load(network, graph.toBytes(), { transfer: true });
    } finally {
      dispose();
    }
  };
  const once = async (
    network: MeasuredNetworkName,
    inputs: Record<string, Tensor>,
  ): Promise<Record<string, Tensor>> => {
    const loaded = await load(network);
    try {
      return await loaded.run(inputs);
    } finally {
      await loaded.dispose();
    }
  };

  const picture = noisePicture(1, [1, 3, resolution, resolution]);
  const { latents: portrait } = await once('portrait-encoder', { picture });
  const banks = await once('published-reference-unet', { latents: portrait! });
  const reference = await once('reference-unet', { latents: portrait! });
  const pictures = noisePicture(2, [frames, poseGuider.inChannels, resolution, resolution]);
  const pose = await once('pose-guider', { pictures });

  const scheduler = createScheduler({
    sampler: preset.sampler,
    numInferenceSteps: preset.steps,
    noiseSchedule: createNoiseSchedule(schedule),
    predictionType: schedule.predictionType,
  });
  const size = latentSize(description);
  const dims = [1, config.inChannels, frames, size.height, size.width];
  const begin = noise(3, dims);
  const fresh = scheduler.timesteps.slice(1).map((_, i) => noise(4 + i, dims));
  const denoisers = new Map<JobPrecision, Network>();
  const open = async (precision: JobPrecision): Promise<Network> => {
    let denoiser = denoisers.get(precision);
    if (denoiser === undefined) {
      denoiser = await load('denoising-unet', precision);
      await denoiser.bind({ ...reference, ...pose });
      denoisers.set(precision, denoiser);
    }
    return denoiser;
  };
  return {
    frames,
    timesteps: scheduler.timesteps,
    flops: describeDenoisingUnet(config, { ...size, frames, reference: 'keys-values', poseFeatures: true })
      .flops,
    weights: bundle.pathOf('denoisingUnet'),
    loras,
    config,
    schedule,
    sites: attentionSites(config, size).map(({ path }) => path),
    arrays: {
      latents: begin,
      ...Object.fromEntries(fresh.map((tensor, i) => [`noise.${i}`, tensor])),
      ...pose,
      ...banks,
    },
    denoise: async (precision = 'float32') => {
      const denoiser = await open(precision);
      let latents = begin;
      for (const [stepIndex, timestep] of scheduler.timesteps.entries()) {
        const { model_output: modelOutput } = await denoiser.run({
          latents,
          timestep: { data: Float32Array.of(timestep), dims: [1] },
        });
        const more = fresh[stepIndex];
        const step = { stepIndex, latents, modelOutput: modelOutput! };
        latents = scheduler.step(more === undefined ? step : { ...step, noise: more }).prevLatents;
      }
      return latents.data;
    },
  };
}
