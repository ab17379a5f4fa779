import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { openBundle } from '../../src/models/bundle.ts';
import type { ClipNetworks, NamedInputs } from '../../src/networks/clip-networks.ts';
import { HalfPrecisionNetwork } from '../../src/networks/half-precision-network.ts';
import { NetworksCache } from '../../src/networks/networks-cache.ts';
import { Engine, type InputOptions, type NamedTensors, type Network } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { SMALL_RESOLUTION, writeAniPortraitBundle } from '../helpers/aniportrait-bundle.ts';
import { temporaryDirectory } from '../helpers/media.ts';

/** Adds its input to what is bound, and records its calls; like an engine, it takes arrays that are moved. */
class AddingNetwork implements Network {
  readonly name = 'adding';
  readonly inputs = [];
  readonly outputs = [];
  readonly calls: string[] = [];
  readonly #limit: number;
  #bound = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  #take({ x }: NamedTensors, options: InputOptions = {}): number {
    const value = x!.data[0]!;
    if (options.transfer) structuredClone(0, { transfer: [x!.data.buffer as ArrayBuffer] });
    return value;
  }

  async bind(inputs: NamedTensors, options?: InputOptions): Promise<void> {
    this.#bound = this.#take(inputs, options);
    this.calls.push(`bind ${this.#bound}`);
  }

  async run(inputs: NamedTensors, options?: InputOptions): Promise<Record<string, Tensor>> {
    const sum = this.#bound + this.#take(inputs, options);
    this.calls.push(`run ${sum}`);
    return { y: tensor(Float32Array.of(sum > this.#limit ? Number.POSITIVE_INFINITY : sum), [1]) };
  }

  async dispose(): Promise<void> {
    this.calls.push('dispose');
  }
}

const x = (value: number): NamedTensors => ({ x: tensor(Float32Array.of(value), [1]) });

test('what is too much for half precision is computed again in float32, and all after it', async () => {
  const half = new AddingNetwork(100);
  const exact = new AddingNetwork(1000);
  let notices = 0;
  const network = new HalfPrecisionNetwork(half, {
    openExact: async () => exact,
    onFallback: () => {
      notices++;
    },
  });
  const run = async (value: number) => (await network.run(x(value), { transfer: true })).y!.data[0];
  await network.bind(x(10), { transfer: true });
  assert.equal(await run(1), 11);
  assert.deepEqual(exact.calls, []);
  // Two that are under way at once change over together.
  assert.deepEqual(await Promise.all([run(200), run(300)]), [210, 310]);
  assert.equal(await run(1), 11);
  await network.bind(x(20), { transfer: true });
  assert.equal(await run(2000), Number.POSITIVE_INFINITY, 'float32 has its limits, too');
  assert.equal(notices, 1);
  await network.dispose();
  assert.deepEqual(half.calls, ['bind 10', 'run 11', 'run 210', 'run 310', 'dispose', 'dispose']);
  assert.deepEqual(exact.calls, [
    'bind 10',
    'run 210',
    'run 310',
    'run 11',
    'bind 20',
    'run 2020',
    'dispose',
  ]);
});

const folder = temporaryDirectory();
const engine = await Engine.open({ device: 'cpu', threads: 1 });
after(() => engine.dispose());

/** Networks of a bundle in a form; the CPU rounds to half precision between layers. */
async function open(bundleFolder: string, precision: 'float32' | 'float16', notices: string[]) {
  const load: Engine['load'] = (...request) => engine.load(...request);
  const stub = { device: 'cpu', precision, load } as unknown as Engine;
  const cache = new NetworksCache({
    engines: async () => ({ denoisingEngine: stub, sideEngine: stub }),
    cacheFolder: path.join(folder, 'cache'),
    onNotice: (message) => notices.push(message),
  });
  const bundle = await openBundle(bundleFolder);
  const choice = {
    bundle,
    windowFrames: 2,
    loras: [],
    guided: true,
    embeddedGuidance: null,
    precision: 'auto' as const,
  };
  return (await cache.load(choice)).networks;
}

function noise(seed: number, ...dims: number[]): Tensor {
  return tensor(new RandomStream([seed]).fillNormal(new Float32Array(elementCount(dims))), dims);
}

async function predict(networks: ClipNetworks, reference: NamedInputs): Promise<Record<string, Tensor>> {
  await networks.bindReference(reference);
  const conditions = (seed: number) => ({
    conditions: noise(seed, 3, SMALL_RESOLUTION, SMALL_RESOLUTION).data,
  });
  const pose = await networks.poseFeatures([conditions(1), conditions(2)]);
  const latents = noise(3, 1, 4, 2, 16, 16);
  return {
    conditional: await networks.denoise('conditional', latents, 499, pose),
    unconditional: await networks.denoise('unconditional', latents, 499, pose),
  };
}

test('networks of a bundle that overflow in half precision give what they give in float32', async () => {
  const bundleFolder = path.join(folder, 'overflowing');
  writeAniPortraitBundle(bundleFolder, {
    scaleOf: (part, key) => (part === 'denoisingUnet' && key === 'conv_in.weight' ? 1e5 : 1),
  });
  const notices: string[] = [];
  const half = await open(bundleFolder, 'float16', notices);
  const reference = await half.makeReference({
    picture: noise(4, 3, SMALL_RESOLUTION, SMALL_RESOLUTION).data,
    encoderPicture: noise(5, 3, 224, 224).data,
  });
  assert.deepEqual(notices, []);
  const exactNotices: string[] = [];
  const exact = await open(bundleFolder, 'float32', exactNotices);
  const expected = await predict(exact, reference);
  assert.deepEqual(await predict(half, reference), expected);
  assert.deepEqual(await predict(half, reference), expected);
  assert.deepEqual(notices, [
    'denoising-unet returned NaN or infinity in half precision; it runs in float32 from now on',
    'unconditional-denoising-unet returned NaN or infinity in half precision; it runs in float32 from now on',
  ]);
  assert.deepEqual(exactNotices, []);
});
