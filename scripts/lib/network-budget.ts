/** Processor milliseconds that networks of a bundle's fast preset take for a frame. */
import { MEASURED_MAKERS } from '../../src/compare/published-graphs.ts';
import { loraFilesOf, openBundle } from '../../src/models/bundle.ts';
import { latentSize } from '../../src/models/bundle-description.ts';
import type { NetworkName } from '../../src/networks/bundle-graphs.ts';
import { openGraph } from '../../src/networks/bundle-graphs.ts';
import { Engine, type Network } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount } from '../../src/tensor/tensor.ts';
import { computedIn } from './processor-time.ts';

/** Frames that are decoded together. */
const DECODE_FRAMES = 4;

/** One network, or one use of it. */
export interface NetworkBudget {
  readonly name: string;
  /** Processor milliseconds a frame, the median of the runs. */
  readonly milliseconds: number;
}

/** What the free dimensions of a decoder's inputs are. */
type Sizes = Readonly<Record<string, readonly number[]>>;

/**
 * Measures pose guider, denoiser and decoder of the embedded bundle, all weights its own, on inputs of noise.
 *
 * @param threads - of the engine.
 * @param shown - share of the square's sides that is decoded, for the decoder of a part.
 */
export async function measureNetworks(
  threads: number,
  runs: number,
  shown: readonly [across: number, down: number],
): Promise<NetworkBudget[]> {
  const bundle = await openBundle('tiny');
  const { description } = bundle;
  const { presets, contextFrames, resolution } = description;
  const preset = presets.fast!;
  const { height } = latentSize(description);
  const patch = resolution / height;
  const [columns, rows] = shown.map((share) => Math.ceil(share * height)) as [number, number];
  const engine = await Engine.open({ device: 'cpu', threads });
  const measure = async (
    name: NetworkName,
    parts: boolean,
    sizes: Sizes,
    perFrame: number,
  ): Promise<number> => {
    const { graph, dispose } = openGraph(bundle, MEASURED_MAKERS[name], {
      windowFrames: contextFrames,
      decodeFrames: DECODE_FRAMES,
      decodesParts: parts,
      loras: loraFilesOf(bundle, preset),
      device: 'cpu',
      precision: 'float32',
    });
    const network: Network = await engine.load(name, graph.toBytes(), { transfer: true });
    dispose();
    try {
      const inputs = network.inputs.map(({ name: input, dims: free }, i) => {
        const dims = sizes[input] ?? free;
        const data = new RandomStream([i, 7]).fillNormal(new Float32Array(elementCount(dims)));
        return [input, { data, dims }] as const;
      });
      await network.bind(Object.fromEntries(inputs), { transfer: true });
      await network.run({});
      const times: number[] = [];
      for (let run = 0; run < runs; run++) times.push(await computedIn(() => network.run({})));
      return times.sort((a, b) => a - b)[runs >> 1]! * perFrame;
    } finally {
      await network.dispose();
    }
  };
  try {
    const part = {
      latents: [DECODE_FRAMES, description.codec.latentChannels, rows, columns],
      base: [DECODE_FRAMES, 3, rows * patch, columns * patch],
    };
    const window = 1 / contextFrames;
    return [
      { name: 'pose guider', milliseconds: await measure('pose-guider', false, {}, window) },
      {
        name: 'denoiser, one step',
        milliseconds: await measure('denoising-unet', false, {}, window),
      },
      { name: 'decoder, whole square', milliseconds: await measure('decoder', false, {}, 1 / DECODE_FRAMES) },
      {
        name: 'decoder, what is shown',
        milliseconds: await measure('decoder', true, part, 1 / DECODE_FRAMES),
      },
    ];
  } finally {
    await engine.dispose();
  }
}
