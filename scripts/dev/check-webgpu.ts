/**
 * WebGPU and half precision against the original's numbers in test/golden/networks, on small configurations.
 *
 *   node --import=tsx scripts/dev/check-webgpu.ts [--output FILE.md]
 */
import { parseArgs } from 'node:util';
import { buildClipVision } from '../../src/models/clip-vision.ts';
import { buildDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { buildPoseGuider } from '../../src/models/pose-guider.ts';
import { buildReferenceUnet } from '../../src/models/reference-unet.ts';
import { buildVaeDecoder, buildVaeEncoder } from '../../src/models/vae.ts';
import type { GraphBuilder, Precision } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import {
  type GoldenFile,
  goldenCase,
  goldenInput,
  goldenWeights,
  readGoldenFile,
} from '../../test/helpers/golden-weights.ts';
import { SMALL_CLIP, SMALL_POSE_GUIDER, SMALL_UNET, SMALL_VAE } from '../../test/helpers/small-networks.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({ options: { output: { type: 'string' } } });
const engine = await Engine.open({ device: 'webgpu' });
const cpu = await Engine.open({ device: 'cpu' });
const rows: string[][] = [];

interface Form {
  readonly device: 'cpu' | 'webgpu';
  readonly precision: Precision;
}

interface Check {
  readonly file: string;
  readonly name: string;
  readonly build: (form: Form) => GraphBuilder;
  readonly inputs: Record<string, Tensor>;
  /** Output of the graph, and the golden's name for it. */
  readonly output: readonly [ours: string, theirs: string];
}

/** Largest difference to what a golden file holds of an output, and the output's own size. */
function compare(golden: GoldenFile, { name, output }: Check, actual: Float32Array): string[] {
  const { tensor: stored, at, values: chosen } = goldenCase(golden, name).outputs[output[1]]!;
  const whole = stored === undefined ? undefined : golden.tensors.get(stored)?.data;
  const expected = whole ?? Float32Array.from(chosen);
  const found = whole === undefined ? Float32Array.from(at, (index) => actual[index]!) : actual;
  const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  return [Number.isFinite(worst) ? worst.toExponential(1) : 'NaN', size.toFixed(2)];
}

async function run(check: Check, form: Form): Promise<Float32Array> {
  const network = await (form.device === 'cpu' ? cpu : engine).load(check.name, check.build(form).toBytes());
  try {
    return (await network.run(check.inputs))[check.output[0]]!.data;
  } finally {
    await network.dispose();
  }
}

function weightsOf(file: string) {
  const { namespace, keys } = readGoldenFile(file);
  return goldenWeights(namespace, keys);
}

const imageEmbeds = goldenInput({ stream: 'input:clip_embed', shape: [1, 32] });
const inputOf = (file: string, name: string, input: string): Tensor =>
  goldenInput(goldenCase(readGoldenFile(file), name).inputs[input]!);

/** Keys and values for the denoiser, from the CPU. */
async function keysAndValues(latents: Tensor): Promise<Record<string, Tensor>> {
  const [, , height, width] = latents.dims as [number, number, number, number];
  const graph = buildReferenceUnet(SMALL_UNET, weightsOf('reference_unet'), {
    height,
    width,
    project: weightsOf('denoising_unet'),
  });
  const network = await cpu.load('reference', graph.toBytes());
  return network.run({ latents, image_embeds: imageEmbeds });
}

async function denoiserInputs(name: string): Promise<Record<string, Tensor>> {
  const { inputs } = goldenCase(readGoldenFile('denoising_unet'), name);
  const poses = Object.entries(inputs).filter(([input]) => input.startsWith('pose.'));
  return {
    latents: goldenInput(inputs.latents!),
    timestep: tensor(Float32Array.of(inputs.timestep as unknown as number), [1]),
    image_embeds: imageEmbeds,
    ...Object.fromEntries(poses.map(([input, stream]) => [input, goldenInput(stream)])),
    ...(await keysAndValues(goldenInput(inputs.reference_latents!))),
  };
}

/** Video bytes [1, 3, frames, H, W] as pictures [frames, 3, H, W] between −1 and 1. */
function pictures({ data, dims }: Tensor): Tensor {
  const [, channels, frames, height, width] = dims as [number, number, number, number, number];
  const size = height * width;
  const out = new Float32Array(data.length);
  for (let f = 0; f < frames; f++) {
    for (let c = 0; c < channels; c++) {
      const from = (c * frames + f) * size;
      for (let i = 0; i < size; i++) out[(f * channels + c) * size + i] = (2 / 255) * data[from + i]! - 1;
    }
  }
  return tensor(out, [frames, channels, height, width]);
}

const sizeOf = ({ dims }: Tensor) => ({ height: dims.at(-2)!, width: dims.at(-1)! });
const denoiser = await denoiserInputs('ref_pose_f8');
const poses = pictures(inputOf('pose_guider', 'p2_scaled_running', 'pose_bytes'));
const image = inputOf('vae', 'encode', 'image');
const vaeLatents = inputOf('vae', 'decode', 'latents');
const referenceLatents = inputOf('reference_unet', 'write', 'latents');

const checks: Record<string, Check> = {
  'denoising UNet': {
    file: 'denoising_unet',
    name: 'ref_pose_f8',
    build: (form) =>
      buildDenoisingUnet(SMALL_UNET, weightsOf('denoising_unet'), {
        ...form,
        ...sizeOf(denoiser.latents!),
        frames: 8,
        reference: 'keys-values',
        poseFeatures: true,
        imageEmbeds: 'input',
      }),
    inputs: denoiser,
    output: ['model_output', 'sample'],
  },
  'reference UNet, last bank': {
    file: 'reference_unet',
    name: 'write',
    build: (form) =>
      buildReferenceUnet(SMALL_UNET, weightsOf('reference_unet'), { ...form, ...sizeOf(referenceLatents) }),
    inputs: { latents: referenceLatents, image_embeds: imageEmbeds },
    output: ['bank:up_blocks.3.attentions.2', lastBank()],
  },
  'image encoder': {
    file: 'clip',
    name: 'forward',
    build: (form) => buildClipVision(SMALL_CLIP, weightsOf('clip'), form),
    inputs: { pixel_values: inputOf('clip', 'forward', 'pixel_values') },
    output: ['image_embeds', 'image_embeds'],
  },
  'pose guider': {
    file: 'pose_guider',
    name: 'p2_scaled_running',
    build: (form) =>
      buildPoseGuider({ ...SMALL_POSE_GUIDER, batchStatistics: false }, weightsOf('pose_guider'), {
        ...form,
        ...sizeOf(poses),
        frames: poses.dims[0]!,
      }),
    inputs: { pictures: poses },
    output: ['pose.3', 'pose.3'],
  },
  'VAE encoder': {
    file: 'vae',
    name: 'encode',
    build: (form) => buildVaeEncoder(SMALL_VAE, weightsOf('vae'), { ...form, ...sizeOf(image) }),
    inputs: { image },
    output: ['mean', 'mean'],
  },
  'VAE decoder': {
    file: 'vae',
    name: 'decode',
    build: (form) => buildVaeDecoder(SMALL_VAE, weightsOf('vae'), { ...form, height: 64, width: 96 }),
    inputs: { latents: vaeLatents },
    output: ['image', 'image'],
  },
};

function lastBank(): string {
  const [first] = readGoldenFile('reference_unet').cases as unknown as {
    bank_order: { index: number; writer: string }[];
  }[];
  const { index } = first!.bank_order.find(({ writer }) => writer.startsWith('up_blocks.3.attentions.2'))!;
  return `bank.${String(index).padStart(2, '0')}`;
}

try {
  for (const [title, check] of Object.entries(checks)) {
    const golden = readGoldenFile(check.file);
    const row = [title];
    for (const device of ['cpu', 'webgpu'] as const) {
      for (const precision of ['float32', 'float16'] as const) {
        if (device === 'webgpu' && precision === 'float16' && engine.precision !== 'float16') {
          row.push('not there');
          continue;
        }
        const result = await run(check, { device, precision }).then(
          (data) => compare(golden, check, data),
          (error: Error) => [error.message.split('\n')[0]!.slice(0, 60), ''],
        );
        row.push(result[0]!);
        if (row.length === 2) row.push(result[1]!);
      }
    }
    rows.push(row);
    console.error(row.join(' | '));
  }
} finally {
  await engine.dispose();
  await cpu.dispose();
}
const header = ['network', 'CPU float32', 'largest value', 'CPU float16', 'WebGPU float32', 'WebGPU float16'];
await writeReport(values.output, [
  '# WebGPU against the original’s numbers',
  '',
  'Largest differences to test/golden/networks, small configurations. The program computes denoising UNet, reference UNet',
  'and image encoder in half precision where the adapter has it, and the others in float32.',
  '',
  markdownTable(header, rows),
]);
