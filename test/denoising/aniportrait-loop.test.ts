/** AniPortrait's denoising loop on small networks, from pictures to pictures, against the original pipeline's numbers. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { atEveryStep, type ContextWindow, planLoopedWindows } from '../../src/denoising/context-windows.ts';
import { type Denoiser, denoiseClip } from '../../src/denoising/denoise-clip.ts';
import { pillowResize } from '../../src/image/pillow-resize.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { buildClipVision, clipPixels } from '../../src/models/clip-vision.ts';
import { buildDenoisingUnet, type DenoisingUnetOptions } from '../../src/models/denoising-unet.ts';
import { buildPoseGuider } from '../../src/models/pose-guider.ts';
import { buildReferenceUnet } from '../../src/models/reference-unet.ts';
import { buildVaeDecoder, buildVaeEncoder } from '../../src/models/vae.ts';
import type { GraphBuilder } from '../../src/onnx/graph.ts';
import { createScheduler, type Sampler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { decodeHalf, encodeHalf } from '../../src/tensor/float16.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import type { WeightSource } from '../../src/weights/weight-source.ts';
import {
  assertGolden,
  type GoldenCase,
  goldenCase,
  goldenInput,
  goldenWeights,
  readGoldenFile,
  type StreamInput,
} from '../helpers/golden-weights.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';
import { SMALL_CLIP, SMALL_POSE_GUIDER, SMALL_UNET, SMALL_VAE } from '../helpers/small-networks.ts';

const golden = readGoldenFile('pipeline');
const FRAMES = 12;
const SIZE = { height: 128, width: 192 };
const CELLS = { height: 16, width: 24 };
const CONTEXT = { contextFrames: 8, contextOverlap: 2 };
const SCALING_FACTOR = 0.18215;
/** Predictions without guidance; guidance multiplies the differences between summation orders. */
const TOLERANCE = 1e-4;
const GUIDED_TOLERANCE = 3e-4;
const HALF_BANK_TOLERANCE = 1e-3;

const sources = new Map<string, WeightSource>();
function weightsOf(name: string): WeightSource {
  let source = sources.get(name);
  if (source === undefined) {
    const { namespace, keys } = readGoldenFile(name);
    source = goldenWeights(namespace, keys);
    sources.set(name, source);
  }
  return source;
}

/** Networks and what they made, by name: cases of one portrait differ in the loop alone. */
const made = new Map<string, Promise<unknown>>();

function once<Made>(name: string, make: () => Promise<Made>): Promise<Made> {
  const found = (made.get(name) as Promise<Made> | undefined) ?? make();
  made.set(name, found);
  return found;
}

const networks: Awaited<ReturnType<typeof loadOrtNetwork>>[] = [];
after(() => Promise.all(networks.map((network) => network.dispose())));

async function load(name: string, graph: GraphBuilder) {
  const network = await loadOrtNetwork(name, graph);
  networks.push(network);
  return network;
}

async function runOnce(graph: GraphBuilder, inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const network = await loadOrtNetwork('network', graph);
  try {
    return await network.run(inputs);
  } finally {
    await network.dispose();
  }
}

/** Drawings of a window as AniPortrait hands them on: 2v − 1 of bytes that nobody divided by 255. */
function posePictures(bytes: Float32Array, { frames }: ContextWindow): Tensor {
  const pixels = SIZE.height * SIZE.width;
  const out = new Float32Array(frames.length * 3 * pixels);
  frames.forEach((frame, f) => {
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < pixels; i++) {
        out[(f * 3 + c) * pixels + i] = 2 * bytes[(frame * pixels + i) * 3 + c]! - 1;
      }
    }
  });
  return tensor(out, [frames.length, 3, SIZE.height, SIZE.width]);
}

interface Inputs {
  readonly poses: Float32Array;
  readonly initialLatents: Tensor;
  readonly imageEmbeds: Tensor;
  readonly referenceLatents: Tensor;
  readonly noise: readonly Tensor[];
}

function frameOf({ data, dims }: Tensor, frame: number): Tensor {
  const [, channels, frames, height, width] = dims as [number, number, number, number, number];
  const plane = height * width;
  const out = new Float32Array(channels * plane);
  for (let c = 0; c < channels; c++) {
    const from = (c * frames + frame) * plane;
    out.set(data.subarray(from, from + plane), c * plane);
  }
  return tensor(out, [1, channels, 1, height, width]);
}

interface Run {
  readonly sampler: Sampler;
  readonly steps: number;
  readonly guidance: number;
  readonly overlap?: 'mean' | 'sum';
  /** Banks instead of keys and values, rounded to half precision as the original does. */
  readonly halfBanks?: boolean;
}

/** The reference's keys and values, or its banks in half precision. */
async function makeReference(
  { imageEmbeds, referenceLatents }: Inputs,
  halfBanks: boolean,
): Promise<Record<string, Tensor>> {
  const project = halfBanks ? undefined : weightsOf('denoising_unet');
  const reference = await runOnce(
    buildReferenceUnet(SMALL_UNET, weightsOf('reference_unet'), { ...CELLS, project }),
    { latents: referenceLatents, image_embeds: imageEmbeds },
  );
  if (halfBanks) {
    for (const [name, { data, dims }] of Object.entries(reference)) {
      reference[name] = tensor(decodeHalf(encodeHalf(data, 'F16'), 'F16'), dims);
    }
  }
  return reference;
}

const { contextFrames: frames } = CONTEXT;

/** Features of the poses in a window; all cases have the same poses. */
async function makeFeatures(poses: Float32Array, window: ContextWindow): Promise<Record<string, Tensor>> {
  const guider = await once('guider', () =>
    load('guider', buildPoseGuider(SMALL_POSE_GUIDER, weightsOf('pose_guider'), { ...SIZE, frames })),
  );
  return guider.run({ pictures: posePictures(poses, window) });
}

/**
 * Latents [1, 4, frames, h, w] before each step and after the last.
 *
 * @param portrait - cases of the same name have the same embedding and reference latents.
 */
async function denoise(inputs: Inputs, run: Run, portrait: string): Promise<Tensor[]> {
  const { imageEmbeds, poses, initialLatents, noise } = inputs;
  const { halfBanks = false } = run;
  const kind = `${portrait}, ${halfBanks ? 'banks' : 'keys and values'}`;
  const reference = await once(`reference of ${kind}`, () => makeReference(inputs, halfBanks));
  const windows = planLoopedWindows(FRAMES, { ...CONTEXT, ...(run.overlap && { overlap: run.overlap }) });
  const features = new Map<ContextWindow, Record<string, Tensor>>();
  for (const window of windows) {
    features.set(window, await once(`features ${window.frames}`, () => makeFeatures(poses, window)));
  }
  const options = { ...CELLS, frames, poseFeatures: true } as const;
  const denoisingUnet = (form: Pick<DenoisingUnetOptions, 'reference' | 'imageEmbeds'>) =>
    load('denoiser', buildDenoisingUnet(SMALL_UNET, weightsOf('denoising_unet'), { ...options, ...form }));
  const conditional = await once(`conditional of ${kind}`, () =>
    denoisingUnet({ reference: halfBanks ? 'banks' : 'keys-values', imageEmbeds }),
  );

  const scheduler = createScheduler({
    sampler: run.sampler,
    numInferenceSteps: run.steps,
    noiseSchedule: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
    predictionType: 'v_prediction',
    timestepSpacing: 'trailing',
  });
  const snapshots = Array.from({ length: run.steps + 1 }, () =>
    tensor(new Float32Array(4 * FRAMES * CELLS.height * CELLS.width), [
      1,
      4,
      FRAMES,
      CELLS.height,
      CELLS.width,
    ]),
  );
  const note = (step: number, frame: number, latents: Tensor): void => {
    const plane = CELLS.height * CELLS.width;
    for (let c = 0; c < 4; c++) {
      const from = latents.data.subarray(c * plane, (c + 1) * plane);
      snapshots[step]!.data.set(from, (c * FRAMES + frame) * plane);
    }
  };
  const denoiser: Denoiser = {
    conditional: async (latents, timestep, window) => {
      const step = scheduler.timesteps.indexOf(timestep);
      window.frames.forEach((frame, i) => {
        note(step, frame, frameOf(latents, i));
      });
      const inputs = { latents, timestep: tensor(Float32Array.of(timestep), [1]), ...features.get(window) };
      return (await conditional.run({ ...inputs, ...reference })).model_output!;
    },
    unconditional: async (latents, timestep, window) => {
      const unconditional = await once('unconditional', () => denoisingUnet({ reference: 'none' }));
      const inputs = { latents, timestep: tensor(Float32Array.of(timestep), [1]), ...features.get(window) };
      return (await unconditional.run(inputs)).model_output!;
    },
  };
  const clip = denoiseClip({
    denoiser,
    scheduler,
    guidanceScale: run.guidance,
    windows: atEveryStep(windows, run.steps),
    frameShape: [4, CELLS.height, CELLS.width],
    seed: 0,
    sharedFraction: 0,
    noise: (purpose, step, frame) =>
      frameOf(purpose === 'initial-latents' ? initialLatents : noise[step]!, frame),
  });
  for await (const { frame, latents } of clip) note(run.steps, frame, latents);
  return snapshots;
}

function inputsOf({ inputs }: GoldenCase): Inputs {
  const read = (name: string): Tensor => goldenInput(inputs[name]!);
  return {
    poses: read('pose_bytes').data,
    initialLatents: read('initial_latents'),
    imageEmbeds: inputs.image_embeds ? read('image_embeds') : tensor(new Float32Array(0), [0]),
    referenceLatents: inputs.reference_latents ? read('reference_latents') : tensor(new Float32Array(0), [0]),
    noise: Object.keys(inputs)
      .filter((name) => name.startsWith('noise.'))
      .map(read),
  };
}

const cases: readonly (Run & { readonly name: string; readonly tolerance: number })[] = [
  { name: 'ddim3_cfg', sampler: 'ddim', steps: 3, guidance: 3.5, tolerance: GUIDED_TOLERANCE },
  {
    name: 'ddim3_cfg_fp16bank',
    sampler: 'ddim',
    steps: 3,
    guidance: 3.5,
    halfBanks: true,
    tolerance: HALF_BANK_TOLERANCE,
  },
  {
    name: 'ddim3_nocfg_original',
    sampler: 'ddim',
    steps: 3,
    guidance: 1,
    overlap: 'sum',
    tolerance: TOLERANCE,
  },
  { name: 'ddim3_nocfg_divided', sampler: 'ddim', steps: 3, guidance: 1, tolerance: TOLERANCE },
  { name: 'lcm4_nocfg_divided', sampler: 'lcm', steps: 4, guidance: 1, tolerance: TOLERANCE },
  {
    name: 'lcm4_nocfg_undivided',
    sampler: 'lcm',
    steps: 4,
    guidance: 1,
    overlap: 'sum',
    tolerance: TOLERANCE,
  },
];
for (const { name, tolerance, ...run } of cases) {
  test(`${name}: latents match the original pipeline after every step`, async () => {
    const item = goldenCase(golden, name);
    const snapshots = await denoise(inputsOf(item), run, 'golden portrait');
    const stored = Object.entries(item.outputs).filter(([output]) => output.startsWith('latents.'));
    assert.ok(stored.length > 0);
    for (const [output, expected] of stored) {
      const { data } = snapshots[Number(output.slice('latents.'.length))]!;
      assertGolden(golden, expected, data, tolerance, output);
    }
  });
}

test('full_cfg: from the portrait to the frames, everything matches the original pipeline', async () => {
  const item = goldenCase(golden, 'full_cfg');
  const [height, width] = item.inputs.image!.shape as [number, number, number];
  const image: RgbImage = {
    data: Uint8Array.from(goldenInput(item.inputs.image as StreamInput).data),
    width,
    height,
  };
  const { image_embeds } = await runOnce(buildClipVision(SMALL_CLIP, weightsOf('clip')), {
    pixel_values: clipPixels(image, SMALL_CLIP.imageSize),
  });
  const { data } = pillowResize(image, SIZE.width, SIZE.height, 'lanczos');
  const pixels = SIZE.width * SIZE.height;
  const planar = new Float32Array(3 * pixels);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < pixels; i++) planar[c * pixels + i] = (data[3 * i + c]! / 255) * 2 - 1;
  }
  const { mean } = await runOnce(buildVaeEncoder(SMALL_VAE, weightsOf('vae'), SIZE), {
    image: tensor(planar, [1, 3, SIZE.height, SIZE.width]),
  });
  const inputs = {
    ...inputsOf(item),
    imageEmbeds: image_embeds!,
    referenceLatents: tensor(
      mean!.data.map((value) => value * SCALING_FACTOR),
      mean!.dims,
    ),
  };
  const latents = (await denoise(inputs, { sampler: 'ddim', steps: 2, guidance: 3.5 }, 'photo')).at(-1)!;
  assertGolden(golden, item.outputs['latents.2']!, latents.data, GUIDED_TOLERANCE, 'latents.2');

  const decoder = await loadOrtNetwork('decoder', buildVaeDecoder(SMALL_VAE, weightsOf('vae'), SIZE));
  const decode = async (frame: number): Promise<Float32Array> => {
    const { data: z } = frameOf(latents, frame);
    const scaled = tensor(
      z.map((value) => value / SCALING_FACTOR),
      [1, 4, CELLS.height, CELLS.width],
    );
    const decoded = (await decoder.run({ latents: scaled })).image!.data;
    return decoded.map((value) => Math.min(1, Math.max(0, value / 2 + 0.5)));
  };
  assertGolden(golden, item.outputs['video.frame0']!, await decode(0), GUIDED_TOLERANCE, 'frame 0');
  const last = (await decode(11)).map((value) => Math.floor(value * 255));
  const bytes = golden.bytes.get(item.outputs['video.frame11.bytes']!.tensor!)!;
  assert.ok(
    last.every((value, i) => Math.abs(value - bytes[i]!) <= 1),
    'frame 11',
  );
  await decoder.dispose();
});
