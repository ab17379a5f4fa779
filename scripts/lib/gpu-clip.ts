/** A clip's way through the networks without a picture or a sound: every stage with a clock, and no encoder. */
import { atEveryStep, planContextWindows, planMovingWindows } from '../../src/denoising/context-windows.ts';
import { denoiseClip } from '../../src/denoising/denoise-clip.ts';
import type { Precision } from '../../src/onnx/graph.ts';
import type { Copies, Engine, NamedTensors, Network } from '../../src/runtime/engine.ts';
import { createScheduler, type Sampler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import type { GpuNetwork, GpuNetworks } from './gpu-networks.ts';

/** How a clip is sampled. */
export interface GpuSampling {
  readonly sampler: Sampler;
  readonly steps: number;
  readonly guidance: number;
}

/** Seconds of a clip's stages. */
export interface GpuClip {
  readonly frames: number;
  readonly fps: number;
  /** Of building, writing and opening the networks; not part of the clip. */
  readonly open: number;
  readonly reference: number;
  readonly pose: number;
  readonly denoise: number;
  readonly decode: number;
  readonly evaluations: number;
  /** Evaluations that were measured; the time of the others is taken from them. */
  readonly measured: number;
  /** Seconds of all stages, for each second of the clip. */
  readonly rtf: number;
  readonly copies: Copies;
  /** The same if every input were copied by every run. */
  readonly copiesWithoutKeeping: { readonly count: number; readonly bytes: number };
}

/** Numbers of unit deviation. */
export function noiseTensor(dims: readonly number[], seed: number): Tensor {
  return { data: new RandomStream([seed, 5]).fillNormal(new Float32Array(elementCount(dims))), dims };
}

/** One for each input. */
export function noiseInputs({ inputs }: Network): Record<string, Tensor> {
  return Object.fromEntries(inputs.map(({ name, dims }, i) => [name, noiseTensor(dims, i + 1)]));
}

async function timed<T>(add: (seconds: number) => void, work: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  const result = await work();
  add((performance.now() - begin) / 1000);
  return result;
}

const bytesOf = (tensors: NamedTensors): number =>
  Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);

/** Options of {@link timeClip}. */
interface TimeClipOptions {
  readonly networks: GpuNetworks;
  readonly engine: Engine;
  readonly precision: Precision;
  readonly sampling: GpuSampling;
  readonly seconds: number;
  /** Windows that move from step to step, as presets of the embedded bundle have them. */
  readonly moving: boolean;
  /** Denoising stops after so many seconds, and what is left is estimated. */
  readonly budget: number;
}

/** Runs a clip and tells what each stage took. */
export async function timeClip(options: TimeClipOptions): Promise<GpuClip> {
  const { networks, engine, precision, sampling, seconds, moving, budget } = options;
  const frames = Math.max(networks.frames, Math.round(seconds * networks.fps));
  const guided = sampling.guidance > 1;
  const spent = { open: 0, reference: 0, pose: 0, denoise: 0, decode: 0 };
  const clock = (stage: keyof typeof spent) => (time: number) => {
    spent[stage] += time;
  };
  const opened: Network[] = [];
  const open = async (name: GpuNetwork): Promise<Network> => {
    const network = await timed(clock('open'), () => networks.open(name, engine, precision));
    opened.push(network);
    return network;
  };
  try {
    const reference = await open('reference');
    const kept = await timed(clock('reference'), async () => reference.run(noiseInputs(reference)));
    const guider = await open('guider');
    const conditional = await open('conditional');
    const unconditional = guided ? await open('unconditional') : undefined;
    const [channels, height, width] = networks.frameShape;
    const embeds = Object.fromEntries(
      Object.entries(noiseInputs(conditional)).filter(([name]) => name === 'image_embeds'),
    );
    await conditional.bind({ ...kept, ...embeds });
    const scheduler = createScheduler({
      sampler: sampling.sampler,
      numInferenceSteps: sampling.steps,
      noiseSchedule: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
      predictionType: 'v_prediction',
      timestepSpacing: 'trailing',
    });
    const windows = moving
      ? planMovingWindows(frames, { contextFrames: networks.frames, steps: sampling.steps })
      : atEveryStep(
          planContextWindows(frames, { contextFrames: networks.frames, contextOverlap: networks.overlap }),
          sampling.steps,
        );
    const evaluations = windows.flat().length * (guided ? 2 : 1);
    const features = new Map<object, NamedTensors>();
    let measured = 0;
    let without = { count: 0, bytes: 0 };
    const run = async (
      network: Network,
      latents: Tensor,
      timestep: number,
      window: object,
    ): Promise<Tensor> => {
      let pose = features.get(window);
      if (pose === undefined) {
        const dims = [networks.frames, networks.conditionChannels, networks.resolution, networks.resolution];
        const pictures = noiseTensor(dims, 3);
        const made = await timed(clock('pose'), () =>
          guider.run({ [guider.inputs[0]!.name]: pictures }, { transfer: true }),
        );
        features.set(window, made);
        pose = made;
      }
      const inputs = { latents, timestep: { data: Float32Array.of(timestep), dims: [1] } };
      const held = pose;
      const outputs = await timed(clock('denoise'), () => network.run(inputs, { held }));
      measured += 1;
      const all = { ...inputs, ...held, ...(network === conditional && { ...kept, ...embeds }) };
      without = { count: without.count + Object.keys(all).length, bytes: without.bytes + bytesOf(all) };
      return outputs.model_output!;
    };
    // The first run of a network compiles its kernels.
    const warm = noiseInputs(conditional);
    await timed(clock('open'), () => conditional.run(warm));
    if (unconditional !== undefined)
      await timed(clock('open'), () => unconditional.run(noiseInputs(unconditional)));
    await timed(clock('open'), () => guider.run(noiseInputs(guider)));
    await engine.takeCopies();
    const stop = new AbortController();
    const clip = denoiseClip({
      denoiser: {
        conditional: async (latents, timestep, window) => {
          if (spent.denoise > budget) stop.abort(new Error('out of time'));
          stop.signal.throwIfAborted();
          return run(conditional, latents, timestep, window);
        },
        ...(unconditional && {
          unconditional: (latents: Tensor, timestep: number, window: object) =>
            run(unconditional, latents, timestep, window),
        }),
      },
      scheduler,
      guidanceScale: sampling.guidance,
      windows,
      frameShape: [channels, height, width],
      seed: 1,
      sharedFraction: 0,
    });
    try {
      for await (const _ of clip);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
    const copies = await engine.takeCopies();
    const decoder = await open('decoder');
    const decoderInputs = noiseInputs(decoder);
    await timed(clock('open'), () => decoder.run(decoderInputs));
    await timed(clock('decode'), async () => {
      for (let i = 0; i < 3; i++) await decoder.run(decoderInputs);
    });
    const decode = (spent.decode / 3 / networks.decodeFrames) * frames;
    const denoise = (spent.denoise / measured) * evaluations;
    // Windows whose features were not made any more are as many as those that were, for each evaluation.
    const pose = (spent.pose / measured) * evaluations;
    const all = spent.reference + pose + denoise + decode;
    return {
      frames,
      fps: networks.fps,
      open: spent.open,
      reference: spent.reference,
      pose,
      denoise,
      decode,
      evaluations,
      measured,
      rtf: (all * networks.fps) / frames,
      copies,
      copiesWithoutKeeping: without,
    };
  } finally {
    for (const network of opened) await network.dispose();
  }
}
