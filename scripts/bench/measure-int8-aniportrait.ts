/**
 * AniPortrait's denoiser in 8-bit integers beside float32, with weights of noise and half its widths: whole graphs end at 2 GB.
 *
 *   node --import=tsx scripts/bench/measure-int8-aniportrait.ts [--widths 160,320,640,640] [--repeats 5]
 */
import { parseArgs } from 'node:util';
import { ActivationRanges } from '../../src/compare/activation-ranges.ts';
import {
  buildDenoisingUnet,
  type DenoisingUnetOptions,
  describeDenoisingUnet,
} from '../../src/models/denoising-unet.ts';
import { ActivationObserver, Quantizer, RANGES_OUTPUT } from '../../src/models/quantization.ts';
import { ANIPORTRAIT_UNET, type UnetConfig } from '../../src/models/unet-config.ts';
import { Engine, type Network } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import { noiseWeights } from '../lib/noise-weights.ts';

const { values } = parseArgs({
  options: {
    widths: { type: 'string', default: '160,320,640,640' },
    repeats: { type: 'string', default: '5' },
  },
});
const config: UnetConfig = { ...ANIPORTRAIT_UNET, blockOutChannels: values.widths.split(',').map(Number) };
const options: DenoisingUnetOptions = {
  ...{ height: 64, width: 64, frames: 2, poseFeatures: false },
  imageEmbeds: 'input',
  reference: 'keys-values',
};
const weights = noiseWeights(describeDenoisingUnet(config, { ...options, reference: 'banks' }).weights);
const engine = await Engine.open({ device: 'cpu' });

function inputsOf(network: Network): Record<string, Tensor> {
  return Object.fromEntries(
    network.inputs.map(({ name, dims }, i) => [
      name,
      { data: new RandomStream([i]).fillNormal(new Float32Array(elementCount(dims))), dims },
    ]),
  );
}

async function open(activations?: ActivationObserver | Quantizer): Promise<Network> {
  const graph = buildDenoisingUnet(config, weights, { ...options, activations });
  const network = await engine.load('denoising-unet', graph.toBytes(), { transfer: true });
  await network.bind(inputsOf(network));
  return network;
}

const ranges = new ActivationRanges();
const observer = new ActivationObserver();
const observed = await open(observer);
const { [RANGES_OUTPUT]: extremes } = await observed.run({});
ranges.add('denoisingUnet', observer.ranges(extremes!.data));
await observed.dispose();

const networks = [await open(), await open(new Quantizer(ranges.networks.denoisingUnet!))] as const;
const times: [number[], number[]] = [[], []];
const outputs: Float32Array[] = [];
for (let repeat = 0; repeat <= Number(values.repeats); repeat++) {
  for (const [side, network] of networks.entries()) {
    const begin = performance.now();
    const { model_output } = await network.run({});
    // The first runs warm up.
    if (repeat > 0) times[side]!.push(performance.now() - begin);
    outputs[side] = model_output!.data;
  }
}
const [exact, integers] = outputs as [Float32Array, Float32Array];
const squares = (data: Float32Array): number => data.reduce((sum, value) => sum + value ** 2, 0);
const error = Math.sqrt(squares(exact.map((value, i) => value - integers[i]!)) / squares(exact));
const median = (list: number[]): number => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
const [float32, int8] = times.map(median) as [number, number];
console.log(
  `float32 ${float32.toFixed(0)} ms, int8 ${int8.toFixed(0)} ms: ${(float32 / int8).toFixed(2)} times; relative error ${error.toFixed(3)}`,
);
await engine.dispose();
