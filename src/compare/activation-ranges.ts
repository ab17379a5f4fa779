/** Opens a bundle's networks so that they also report the ranges of their activations. */
import type { Bundle } from '../models/bundle.ts';
import type { CalibratedNetwork, Calibration } from '../models/calibration.ts';
import {
  ActivationObserver,
  type ActivationRange,
  type NetworkRanges,
  RANGES_OUTPUT,
} from '../models/quantization.ts';
import { type GraphOptions, type NetworkName, openBundleGraph } from '../networks/bundle-graphs.ts';
import type { LoadingEngine } from '../networks/load-options.ts';
import { type ReadyGraph, writeGraph } from '../networks/write-graph.ts';
import type { WeightCache } from '../weights/weight-cache.ts';

/** Networks that may be computed in integers, with the part of the bundle that each is. */
const CALIBRATED: Readonly<Partial<Record<NetworkName, CalibratedNetwork>>> = {
  'denoising-unet': 'denoisingUnet',
  'unconditional-denoising-unet': 'denoisingUnet',
  'pose-guider': 'poseGuider',
  decoder: 'codec',
};

/** Layers of the denoiser that read or write its latents. */
const EDGES: ReadonlySet<string> = new Set(['conv_in', 'conv_out']);
const UP_RESNET = /^up_blocks\.(\d+)\.resnets\.(\d+)\.(conv2|conv_shortcut)$/;

/**
 * Layers of the denoiser that stay as they are: those at its edges, and of the last block those that write what the last norm reads,
 * values up to ±50, whose rounding no norm takes out. With them the prediction's relative error was four times as large.
 */
function exactLayers(names: readonly string[]): ReadonlySet<string> {
  const found = names.flatMap((name) => {
    const [, block, resnet, layer] = UP_RESNET.exec(name) ?? [];
    return layer === undefined ? [] : [{ name, block: Number(block), resnet: Number(resnet), layer }];
  });
  const lastBlock = Math.max(...found.map(({ block }) => block));
  const within = found.filter(({ block }) => block === lastBlock);
  const lastResnet = Math.max(...within.map(({ resnet }) => resnet));
  const exact = within.filter(({ resnet, layer }) => layer === 'conv_shortcut' || resnet === lastResnet);
  return new Set([...EDGES, ...exact.map(({ name }) => name)]);
}

/** Other faces and voices go further than those that were measured; what is beyond a range is cut off. */
const MARGIN = 1.2;

function union(a: ActivationRange | undefined, b: ActivationRange): ActivationRange {
  return a === undefined ? b : [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
}

/** With the margin, to four digits, which is finer than a step of 1/255. */
function rounded(ranges: NetworkRanges): NetworkRanges {
  const round = ([low, high]: ActivationRange): ActivationRange => [
    Number((MARGIN * low).toPrecision(4)),
    Number((MARGIN * high).toPrecision(4)),
  ];
  return Object.fromEntries(
    Object.entries(ranges).map(([layer, { input, output }]) => [
      layer,
      { input: round(input), ...(output !== undefined && { output: round(output) }) },
    ]),
  );
}

/** Ranges over all runs of the networks that {@link ActivationRanges.observe} opened. */
export class ActivationRanges {
  readonly #networks: Partial<Record<CalibratedNetwork, Record<string, NetworkRanges[string]>>> = {};

  /** What a bundle keeps of them. */
  get networks(): Calibration['networks'] {
    return Object.fromEntries(
      Object.entries(this.#networks).map(([part, layers]) => [part, rounded(layers)]),
    );
  }

  /** Takes the ranges of one run. */
  add(part: CalibratedNetwork, ranges: NetworkRanges): void {
    this.#networks[part] ??= {};
    const known = this.#networks[part];
    const exact = part === 'denoisingUnet' ? exactLayers(Object.keys(ranges)) : undefined;
    for (const [layer, { input, output }] of Object.entries(ranges)) {
      if (exact?.has(layer)) continue;
      const before = known[layer];
      known[layer] = {
        input: union(before?.input, input),
        ...(output !== undefined && { output: union(before?.output, output) }),
      };
    }
  }

  /** An engine, and a maker of float32 graphs for it, whose networks report here and return what the bundle's own do. */
  observe(bundle: Bundle, engine: LoadingEngine, cache: WeightCache) {
    const observers = new Map<string, ActivationObserver>();
    const loading: LoadingEngine = {
      device: engine.device,
      precision: engine.precision,
      load: async (name, graph, options) => {
        const network = await engine.load(name, graph, options);
        const observer = observers.get(name);
        const part = CALIBRATED[name as NetworkName];
        if (observer === undefined || part === undefined) return network;
        return {
          name,
          inputs: network.inputs,
          outputs: network.outputs.filter((output) => output.name !== RANGES_OUTPUT),
          bind: (inputs, how) => network.bind(inputs, how),
          dispose: () => network.dispose(),
          run: async (inputs, how) => {
            const { [RANGES_OUTPUT]: extremes, ...outputs } = await network.run(inputs, how);
            // Networks without a layer that can be computed in integers report nothing.
            if (extremes !== undefined) this.add(part, observer.ranges(extremes.data));
            return outputs;
          },
        };
      },
    };
    const build = async (
      _: Bundle,
      name: NetworkName,
      options: GraphOptions,
      { rebuild = false }: { readonly rebuild?: boolean } = {},
    ): Promise<ReadyGraph> => {
      const observer = CALIBRATED[name] === undefined ? undefined : new ActivationObserver();
      if (observer !== undefined) observers.set(name, observer);
      const plain: GraphOptions = { ...options, precision: 'float32' };
      const { graph, weightsKey, dispose } = openBundleGraph(bundle, name, plain, observer);
      try {
        return await writeGraph(graph, { cache, weightsKey, rebuild });
      } finally {
        dispose();
      }
    };
    return { engine: loading, graphs: { build } };
  }
}
