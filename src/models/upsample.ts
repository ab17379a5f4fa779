/**
 * Nearest-neighbour upsampling followed by a 3×3 convolution, as the UNets and the VAE's decoder have it.
 *
 * Source: Upsample2D of diffusers 0.24; for twice the size, the sub-pixel form of Shi et al. 2016, arXiv:1609.07009.
 */
import type { Value } from '../onnx/graph.ts';
import { type ConvOptions, conv, type FeatureMap, type Net } from './layers.ts';

const KERNEL = 3;
const PHASES = [0, 1] as const;

/** Which of the two taps of a phase reads what tap `k` of the 3×3 kernel reads: row ⌊(y + k − 1) / 2⌋ of the small image. */
function tapOf(k: number, phase: number): number {
  return Math.floor((phase + k - 1) / 2) + 1 - phase;
}

/**
 * Kernels [out · in, 2, 2] of the pixels in row `dy` and column `dx` of each square of four, from kernels
 * [out · in, 3, 3]: two of three taps read the same pixel of the small image, and become one with their sum.
 */
function phaseKernels(weights: Float32Array, dy: number, dx: number): Float32Array {
  const kernels = weights.length / KERNEL ** 2;
  const phase = new Float32Array(kernels * 4);
  for (let kernel = 0; kernel < kernels; kernel++) {
    for (let ky = 0; ky < KERNEL; ky++) {
      for (let kx = 0; kx < KERNEL; kx++) {
        const to = (2 * kernel + tapOf(ky, dy)) * 2 + tapOf(kx, dx);
        phase[to]! += weights[(kernel * KERNEL + ky) * KERNEL + kx]!;
      }
    }
  }
  return phase;
}

/** To twice the size: a 2×2 convolution of the small image for each pixel of a square, 4/9 of the operations. */
function upsampleTwice(net: Net, x: FeatureMap): FeatureMap {
  const { graph, weights, activations } = net;
  const { count, channels, height, width } = x;
  const { read } = weights.take('conv.weight', [channels, channels, KERNEL, KERNEL]);
  const name = weights.name('conv');
  const quantizer = activations?.kind === 'quantize' && activations.hasConv(name) ? activations : undefined;
  const { read: readBias } = weights.take('conv.bias', [channels]);
  const phases = PHASES.flatMap((dy) =>
    PHASES.map((dx) => {
      const dims = [channels, channels, 2, 2];
      const kernels = (): Float32Array => phaseKernels(read(), dy, dx);
      const attributes = { kernel_shape: [2, 2], pads: [1 - dy, 1 - dx, dy, dx] };
      const phase = `:phase:${dy},${dx}`;
      if (quantizer === undefined) {
        const kernel = graph.weight(`${name}.weight${phase}`, kernels, dims);
        const bias = graph.weight(`${name}.bias`, readBias, [channels]);
        return graph.op('Conv', [x.value, kernel, bias], attributes);
      }
      // What a phase reads and writes, the convolution of the larger image reads and writes too.
      const layer = { name: `${name}${phase}`, rangesOf: name, dims, weight: kernels, bias: readBias };
      return quantizer.convToIntegers(graph, x.value, layer, attributes);
    }),
  );
  net.cost.flops += 2 * count * height * width * channels * channels * 16;
  // The rows of a column are put together first, then the columns as one matrix is turned; DepthToSpace takes twice as long.
  const together = (values: readonly Value[], dims: readonly number[], axis: number): Value =>
    graph.op(
      'Concat',
      values.map((value) => graph.op('Reshape', [value, graph.int64(dims)])),
      { axis },
    );
  const columns = PHASES.map((dx) =>
    together([phases[dx]!, phases[2 + dx]!], [count, channels * height, width], 2),
  );
  const pairs = together(columns, [count, 1, 2 * channels * height * width], 1);
  const turned = graph.op('Transpose', [pairs], { perm: [0, 2, 1] });
  const whole = graph.op('Reshape', [turned, graph.int64([count, channels, 2 * height, 2 * width])]);
  const value = quantizer === undefined ? whole : quantizer.dequantize(graph, whole, { name });
  return { ...x, value, height: 2 * height, width: 2 * width };
}

/** Nearest neighbour to a size, source index ⌊i · from / to⌋, then a 3×3 convolution; weights below `conv`. */
export function upsample(
  net: Net,
  x: FeatureMap,
  { height, width }: Pick<FeatureMap, 'height' | 'width'>,
): FeatureMap {
  const { device, activations } = net;
  const doubled = height === 2 * x.height && width === 2 * x.width;
  // Ranges are measured around the convolution as it is written.
  const observed = activations?.kind === 'observe';
  if (device === 'cpu' && doubled && !observed) return upsampleTwice(net, x);
  return resizeAndConvolve(net, x, { height, width });
}

/** {@link upsample} as two nodes, the larger image and its convolution, on every device and at every size. */
export function resizeAndConvolve(
  net: Net,
  x: FeatureMap,
  { height, width }: Pick<FeatureMap, 'height' | 'width'>,
): FeatureMap {
  const { graph } = net;
  const sizes = graph.int64([x.count, x.channels, height, width]);
  const value = graph.op('Resize', [x.value, undefined, undefined, sizes], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
  const options: ConvOptions = { out: x.channels, kernel: KERNEL };
  return conv(net, { ...x, value, height, width }, 'conv', options);
}
