import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBundle } from '../../src/models/bundle.ts';
import { loadNetworks } from '../../src/networks/load-networks.ts';
import type { LoadingEngine, LoadNetworksOptions } from '../../src/networks/load-options.ts';
import type { NamedTensors, Network } from '../../src/runtime/engine.ts';
import { tensor } from '../../src/tensor/tensor.ts';

const bundle = await openBundle('tiny');
const one = (value: number) => tensor(Float32Array.of(value), [1]);

/** An engine whose denoisers answer with what is bound, when they are asked to; `calls` is what happened, in order. */
class StubEngine {
  readonly calls: string[] = [];
  readonly device = 'cpu';
  readonly precision = 'float32';
  readonly threads: number;
  #answers: (() => void)[] = [];

  constructor(cores: number) {
    this.threads = cores;
  }

  load: LoadingEngine['load'] = async (name, graph, { threads, sharesCores } = {}) => {
    this.calls.push(
      `load ${name} ${graph.length}${threads ? ` with ${threads}` : ''}${sharesCores ? ' shared' : ''}`,
    );
    let bound = 0;
    const network: Network = {
      ...{ name, inputs: [], outputs: [] },
      bind: async (inputs: NamedTensors) => {
        bound = inputs.keys!.data[0]!;
        this.calls.push(`bind ${bound}`);
      },
      run: async (inputs: NamedTensors) => {
        this.calls.push(`run ${inputs.latents?.data[0] ?? 'portrait-encoder'}`);
        await new Promise<void>((resolve) => this.#answers.push(resolve));
        return { model_output: one(bound), latents: one(0) };
      },
      dispose: async () => void this.calls.push(`dispose ${name}`),
    };
    return network;
  };

  answer(): void {
    for (const resolve of this.#answers.splice(0)) resolve();
  }
}

async function load(cores: number, options: Partial<LoadNetworksOptions> = {}) {
  const [denoising, side] = [new StubEngine(cores), new StubEngine(cores)];
  const further: StubEngine[] = [];
  const networks = await loadNetworks({
    ...{ bundle, windowFrames: 12, loras: [], guided: false, embeddedGuidance: null, precision: 'float32' },
    graphs: { build: async () => ({ model: new Uint8Array(7), precision: 'float32' }) },
    denoisingEngine: denoising,
    sideEngine: side,
    furtherEngines: async (count) => {
      for (let i = 0; i < count; i++) further.push(new StubEngine(cores));
      return further;
    },
    ...options,
  });
  return { networks, denoising, side, further };
}

test('two windows at a time have half of the cores each, and the second network what was bound before', async () => {
  const { networks, denoising, further } = await load(4);
  assert.equal(networks.windowsAtOnce, 2);
  assert.deepEqual(denoising.calls, ['load denoising-unet 7 with 2']);
  assert.equal(further.length, 0, 'the second waits until the graphs are made');
  await networks.bindReference({ keys: one(5) });
  const alone = networks.denoise('conditional', one(1), 999, {});
  const queued = networks.denoise('conditional', one(2), 999, {});
  await networks.openFurther();
  assert.deepEqual(further[0]!.calls, ['load denoising-unet 7 with 2', 'bind 5']);
  denoising.answer();
  await Promise.all([alone, queued]);

  await networks.bindReference({ keys: one(6) }, { transfer: true });
  const windows = [3, 4].map((value) => networks.denoise('conditional', one(value), 999, {}));
  assert.deepEqual(denoising.calls.slice(1), ['bind 5', 'run 1', 'run 2', 'bind 6', 'run 3']);
  assert.deepEqual(further[0]!.calls.slice(2), ['bind 6', 'run 4']);
  for (const engine of [denoising, further[0]!]) engine.answer();
  for (const { data } of await Promise.all(windows)) assert.deepEqual(data, Float32Array.of(6));
  await networks.dispose();
  for (const engine of [denoising, further[0]!]) assert.equal(engine.calls.at(-1), 'dispose denoising-unet');
});

for (const [title, cores, options] of [
  ['one core', 1, {}],
  ['guidance, which has two networks', 2, { guided: true }],
  ['windows that are to be denoised one after another', 2, { oneAtATime: true }],
  ['no other engine', 2, { furtherEngines: undefined }],
] as const) {
  test(`one window at a time with ${title}`, async () => {
    const { networks, denoising, further } = await load(cores, options);
    assert.equal(networks.windowsAtOnce, 1);
    await networks.openFurther();
    assert.equal(further.length, 0);
    assert.equal(denoising.calls[0], 'load denoising-unet 7', 'on all cores');
    await networks.dispose();
  });
}

test('where the second network cannot be opened, the first denoises all windows', async () => {
  const failure = new Error('no memory');
  const { networks, denoising } = await load(2, { furtherEngines: () => Promise.reject(failure) });
  await assert.rejects(networks.openFurther(), failure);
  const windows = [1, 2].map((value) => networks.denoise('conditional', one(value), 999, {}));
  assert.deepEqual(denoising.calls.slice(1), ['run 1', 'run 2']);
  denoising.answer();
  await Promise.all(windows);
  await networks.dispose();
});

test('networks that run once a portrait are closed when they have, if there is to be no other', async () => {
  for (const forOnePortrait of [true, false]) {
    const { networks, side } = await load(2, { forOnePortrait });
    const picture = new Float32Array(3 * 256 * 256);
    const made = networks.makeReference({ picture } as never);
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      side.answer();
    }
    await made;
    const closed = side.calls.filter((what) => what.startsWith('dispose'));
    assert.deepEqual(closed, forOnePortrait ? ['dispose portrait-encoder', 'dispose reference-unet'] : []);
    await networks.dispose();
  }
});
