/**
 * Networks on WebGPU, where there is an adapter: a GPU, or a software Vulkan driver such as lavapipe (Mesa 25) or
 * SwiftShader. The driver is named by VK_ICD_FILENAMES where it is not installed for all.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { buildDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { buildPoseGuider } from '../../src/models/pose-guider.ts';
import { buildVaeDecoder } from '../../src/models/vae.ts';
import type { GraphBuilder, Precision } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { goldenWeights, readGoldenFile } from '../helpers/golden-weights.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';
import { SMALL_POSE_GUIDER, SMALL_UNET, SMALL_VAE } from '../helpers/small-networks.ts';

const engine = await Engine.open({ device: 'webgpu' }).catch((error: Error) => error);
const skip = engine instanceof Error ? engine.message : false;
after(() => (engine instanceof Error ? undefined : engine.dispose()));

const FLOAT32 = { rtol: 0, atol: 5e-5 };
/** Eleven bits of mantissa, through a network whose outputs are about 1. */
const FLOAT16 = { rtol: 0, atol: 4e-2 };

function weightsOf(name: string) {
  const { namespace, keys } = readGoldenFile(name);
  return goldenWeights(namespace, keys);
}

interface Form {
  readonly device: 'cpu' | 'webgpu';
  readonly precision: Precision;
}

/** Half precision is for what runs at every step; the others are float32 on every device. */
interface Case {
  readonly build: (form: Form) => GraphBuilder;
  readonly output: string;
  readonly precisions: readonly Precision[];
  readonly float32?: typeof FLOAT32;
}

const networks: Record<string, Case> = {
  'denoising UNet': {
    build: (form) =>
      buildDenoisingUnet(SMALL_UNET, weightsOf('denoising_unet'), {
        ...form,
        height: 8,
        width: 8,
        frames: 2,
        reference: 'keys-values',
        poseFeatures: true,
        imageEmbeds: 'input',
      }),
    output: 'model_output',
    precisions: ['float32', 'float16'],
  },
  'pose guider': {
    build: (form) =>
      buildPoseGuider({ ...SMALL_POSE_GUIDER, batchStatistics: false }, weightsOf('pose_guider'), {
        ...form,
        height: 64,
        width: 64,
        frames: 2,
      }),
    output: 'pose.3',
    precisions: ['float32'],
    // Rounding grows with depth, as in the reference's own numbers.
    float32: { rtol: 0, atol: 1e-3 },
  },
  'VAE decoder': {
    build: (form) => buildVaeDecoder(SMALL_VAE, weightsOf('vae'), { ...form, height: 64, width: 64 }),
    output: 'image',
    precisions: ['float32'],
  },
};

for (const [name, { build, output, precisions, float32 = FLOAT32 }] of Object.entries(networks)) {
  for (const precision of precisions) {
    test(`${name}: WebGPU in ${precision} gives the CPU's numbers`, { skip }, async (context) => {
      assert.ok(engine instanceof Engine);
      if (precision === 'float16' && engine.precision !== 'float16') {
        context.skip('the adapter has no half precision');
        return;
      }
      const network = await engine.load(name, build({ device: 'webgpu', precision }).toBytes());
      const inputs = Object.fromEntries(
        network.inputs.map(({ name: input, dims }, i): [string, Tensor] => {
          const data = new RandomStream([i]).fillNormal(new Float32Array(elementCount(dims)));
          return [input, input === 'timestep' ? tensor(Float32Array.of(399), [1]) : tensor(data, dims)];
        }),
      );
      const actual = (await network.run(inputs))[output]!;
      await network.dispose();
      const cpu = await loadOrtNetwork(name, build({ device: 'cpu', precision: 'float32' }));
      const expected = (await cpu.run(inputs))[output]!;
      await cpu.dispose();
      assertAllClose(actual.data, expected.data, precision === 'float32' ? float32 : FLOAT16);
    });
  }
}
