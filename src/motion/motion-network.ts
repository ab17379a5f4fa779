/**
 * The speech-to-expression network: samples in, coefficients of the expression basis out. A log-mel front end, then
 * residual dilated convolutions without any padding, so that audio may be cut anywhere with {@link samplesFor}'s context.
 */
import { GraphBuilder, type Value } from '../onnx/graph.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { fourierKernels, frequencyBins, melFilters } from './mel-spectrogram.ts';
import type { MotionConfig } from './motion-config.ts';

/** What the weights' names begin with. */
const PREFIX = 'network.';

/** Options of {@link buildMotionNetwork}. */
interface MotionNetworkOptions {
  readonly config: MotionConfig;
  readonly weights: WeightSource;
}

/**
 * The network as an ONNX graph: input `pcm` `[1, samples]` at the target level, outputs `coefficients`
 * `[outputs, components]` and, where the network tells closures, `closures` `[outputs]`: how likely the lips are shut for a P, B or
 * M, 0 to 1.
 *
 * @throws {@link ModelError} if a weight is missing.
 */
export function buildMotionNetwork({ config, weights }: MotionNetworkOptions): GraphBuilder {
  const graph = new GraphBuilder('motion');
  const weight = (name: string): Value => {
    const { data, dims } = weights.read(PREFIX + name);
    return graph.float32(name, data, dims);
  };
  const convolution = (name: string, x: Value, attributes: Record<string, number[]> = {}): Value =>
    graph.op('Conv', [x, weight(`${name}.weight`), weight(`${name}.bias`)], attributes);
  const silu = (x: Value): Value => graph.op('Mul', [x, graph.op('Sigmoid', [x])]);

  const pcm = graph.input('pcm', [1, 'samples']);
  let x = silu(
    convolution('stem', logMel(graph, config, pcm), {
      strides: [config.stemStride],
    }),
  );
  const block = (name: string, input: Value, dilation: number): Value => {
    const trim = (dilation * (config.kernel - 1)) / 2;
    const y = silu(convolution(`${name}.conv`, input, { dilations: [dilation] }));
    // The shortcut loses at both ends what the convolution needed there.
    const inner = graph.op('Slice', [input, graph.int64([trim]), graph.int64([-trim]), graph.int64([2])]);
    return graph.op('Add', [inner, convolution(`${name}.mix`, y)]);
  };
  let middle = x;
  config.dilations.forEach((dilation, index) => {
    if (index === config.closures?.after) middle = x;
    x = block(`blocks.${index}`, x, dilation);
  });
  const end = silu(x);
  const coefficients = graph.op('Transpose', [convolution('head', end)], { perm: [0, 2, 1] });
  graph.output('coefficients', graph.op('Squeeze', [coefficients, graph.int64([0])]), [
    'outputs',
    config.components,
  ]);
  if (config.closures !== null) {
    let own = convolution('closures.enter', silu(middle));
    config.closures.dilations.forEach((dilation, index) => {
      own = block(`closures.blocks.${index}`, own, dilation);
    });
    const joined = convolution('closures.join', graph.op('Concat', [silu(own), end], { axis: 1 }));
    const odds = convolution('closures.head', silu(joined));
    graph.output('closures', graph.op('Squeeze', [graph.op('Sigmoid', [odds]), graph.int64([0, 1])]), [
      'outputs',
    ]);
  }
  return graph;
}

/** `[1, bands, windows]` scaled logarithms of the mel bands' power. */
function logMel(graph: GraphBuilder, config: MotionConfig, pcm: Value): Value {
  const bins = frequencyBins(config);
  const kernels = graph.float32('fourier', fourierKernels(config), [2 * bins, 1, config.window]);
  const spectrum = graph.op('Conv', [graph.op('Unsqueeze', [pcm, graph.int64([1])]), kernels], {
    strides: [config.hop],
  });
  const squares = graph.op('Mul', [spectrum, spectrum]);
  const part = (from: number, to: number): Value =>
    graph.op('Slice', [squares, graph.int64([from]), graph.int64([to]), graph.int64([1])]);
  const power = graph.op('Add', [part(0, bins), part(bins, 2 * bins)]);
  const mel = graph.op('MatMul', [graph.float32('mel', melFilters(config), [config.melBands, bins]), power]);
  const logarithm = graph.op('Log', [graph.op('Add', [mel, graph.scalar(config.logFloor)])]);
  const shifted = graph.op('Add', [logarithm, graph.scalar(config.featureShift)]);
  return graph.op('Mul', [shifted, graph.scalar(config.featureScale)]);
}
