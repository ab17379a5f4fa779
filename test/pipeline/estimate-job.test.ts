import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openBundle } from '../../src/models/bundle.ts';
import { latentSize } from '../../src/models/bundle-description.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { estimateJob } from '../../src/pipeline/estimate-job.ts';
import { networkSpeed, timeNetworks } from '../../src/pipeline/time-networks.ts';
import type { Engine } from '../../src/runtime/engine.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const bundle = await openBundle('tiny');
const JOB = {
  ...{ bundle, windowFrames: 12, poseRuns: 3, evaluations: 12, frames: 34 },
  ...{ pixels: 512 * 512, audioSamples: 16_000 },
};
interface Clock {
  now: number;
  /** Milliseconds of the processor. */
  user: number;
}

const clocks = new WeakMap<TestContext, Clock>();

/** A test's clock: a method that is replaced twice is not put back. */
function clockOf(context: TestContext): Clock {
  const known = clocks.get(context);
  if (known !== undefined) return known;
  const clock = { now: 1000, user: 0 };
  clocks.set(context, clock);
  context.mock.method(performance, 'now', () => clock.now);
  context.mock.method(process, 'cpuUsage', (since?: NodeJS.CpuUsage) => ({
    user: 1000 * clock.user - (since?.user ?? 0),
    system: 0,
  }));
  return clock;
}

/** An engine whose network takes so many milliseconds a run of a clock that stands still otherwise, and so many of the processor. */
function engineOf(
  context: TestContext,
  { runMs, processorMs = 2 * runMs }: { runMs: number; processorMs?: number },
) {
  const clock = clockOf(context);
  const counts = { runs: 0, disposed: 0 };
  const network = {
    inputs: [{ name: 'latents', dims: [1, 16, 2, 32, 32] }],
    async run() {
      counts.runs++;
      if (Number.isNaN(runMs)) throw new Error('out of memory');
      clock.now += runMs;
      clock.user += processorMs;
      return {};
    },
    async dispose() {
      counts.disposed++;
    },
  };
  const engine = {
    ...{ device: 'cpu', precision: 'float32', threads: 2 },
    load: async () => network,
  } as unknown as Engine;
  return { engine, counts, clock };
}

/** What an operation takes on a machine that nobody else uses. */
const SPEED = { seconds: 1e-11, processorSeconds: 1.9e-11 };

async function estimateWith(context: TestContext, changes: object = {}) {
  const { engine } = engineOf(context, { runMs: 1 });
  return estimateJob({ ...JOB, engine, speed: SPEED, ...changes });
}

/** Operations of one evaluation of the denoiser. */
const EVALUATION = describeDenoisingUnet(bundle.description.denoisingUnet, {
  ...{ ...latentSize(bundle.description), frames: JOB.windowFrames },
  ...{ reference: 'keys-values', imageEmbeds: 'input', poseFeatures: true },
}).flops;

test('an evaluation more takes the denoiser’s operations, fewer with integers', async (context) => {
  const more = { evaluations: JOB.evaluations + 1 };
  const secondsOf = async (changes: object) => (await estimateWith(context, changes)).seconds;
  const plain = (await secondsOf(more)) - (await secondsOf({}));
  assert.ok(Math.abs(plain / (EVALUATION * SPEED.seconds) - 1) < 1e-6, `${plain} s`);
  const integers =
    (await secondsOf({ ...more, precision: 'int8' })) - (await secondsOf({ precision: 'int8' }));
  assert.ok(Math.abs(plain / integers - 1.5) < 1e-6);
  const { processorSeconds } = await estimateWith(context, more);
  const all = processorSeconds - (await estimateWith(context)).processorSeconds;
  assert.ok(Math.abs(all / (EVALUATION * SPEED.processorSeconds) - 1) < 1e-6, `${all} s of the processor`);
});

test('an evaluation of a wide denoiser takes a little longer than its slice says', async (context) => {
  const { description } = bundle;
  const unet = { ...description.denoisingUnet, blockOutChannels: [256, 384, 512] };
  const wide = { ...bundle, description: { ...description, denoisingUnet: unet } };
  const { flops } = describeDenoisingUnet(unet, {
    ...{ ...latentSize(description), frames: JOB.windowFrames },
    ...{ reference: 'keys-values', imageEmbeds: 'input', poseFeatures: true },
  });
  const base = (await estimateWith(context, { bundle: wide })).seconds;
  const more = (await estimateWith(context, { bundle: wide, evaluations: JOB.evaluations + 1 })).seconds;
  assert.ok(Math.abs((more - base) / (flops * SPEED.seconds) - 1 / 0.85) < 1e-6);
});

test('a small bundle takes longer where its networks take turns, and its denoiser single frames', async (context) => {
  const processor = async (changes: object) => (await estimateWith(context, changes)).processorSeconds;
  const low = { lowMemory: true };
  const evaluations = JOB.evaluations + 1;
  const more = (await processor({ ...low, evaluations })) - (await processor(low));
  assert.ok(Math.abs(more / (EVALUATION * SPEED.processorSeconds) - 1.8) < 1e-6, `${more} s`);
  const opening = (await processor({ ...low, evaluations: 0 })) - (await processor({ evaluations: 0 }));
  assert.ok(opening > 4.5 && opening < 4.6, `${opening} s`);
});

test('a clip of a program that has begun is spared its start', async (context) => {
  const [alone, further] = [await estimateWith(context), await estimateWith(context, { started: true })];
  assert.ok(Math.abs(alone.seconds - further.seconds - 1.4) < 1e-9);
  assert.ok(further.seconds > 0.4, 'finding a face and closing a file take time as well');
});

test('frames take time of their own, larger ones more', async (context) => {
  const base = (await estimateWith(context)).seconds;
  const frame = (await estimateWith(context, { frames: JOB.frames + 1 })).seconds - base;
  assert.ok(Math.abs(frame - (0.006 + JOB.pixels * 13e-9)) < 1e-9);
  assert.ok((await estimateWith(context, { pixels: 2 * JOB.pixels })).seconds > base);
});

test('on a busy machine all takes longer but the processor’s time, and the estimate says why', async (context) => {
  const idle = await estimateWith(context);
  assert.equal(idle.busy, undefined);
  const busy = await estimateWith(context, { speed: { ...SPEED, seconds: 3 * SPEED.seconds } });
  assert.ok(Math.abs(busy.processorSeconds - idle.processorSeconds) < 1e-9);
  // Two threads of an idle machine compute for nine tenths of the time, here for 19 parts of 60.
  const slowdown = 0.9 / (1.9 / 6);
  const networks = (found: typeof idle, slower: number): number =>
    found.seconds - slower * (1.8 + JOB.frames * (0.006 + JOB.pixels * 13e-9));
  assert.ok(Math.abs(networks(busy, slowdown) / networks(idle, 1) - 3) < 1e-6);
  assert.match(busy.busy!, /35 % of its cores are left/);
  assert.match(busy.busy!, new RegExp(`alone it would take about ${Math.ceil(busy.seconds / slowdown)} s`));
});

test('a slice of the bundle’s denoiser is timed for most of a second, its first run not; it is closed again', async (context) => {
  const { engine, counts } = engineOf(context, { runMs: 300, processorMs: 450 });
  const speed = await timeNetworks(bundle.description, engine);
  assert.deepEqual(counts, { runs: 4, disposed: 1 });
  assert.ok(Math.abs(speed.processorSeconds / speed.seconds - 1.5) < 1e-9);
  const slow = engineOf(context, { runMs: 5000 });
  await timeNetworks(bundle.description, slow.engine);
  assert.deepEqual(slow.counts, { runs: 2, disposed: 1 });

  const failing = engineOf(context, { runMs: Number.NaN });
  await assert.rejects(timeNetworks(bundle.description, failing.engine), /out of memory/);
  assert.equal(failing.counts.disposed, 1);
});

test('what was measured within a minute is not measured again', async (context) => {
  const { engine, counts, clock } = engineOf(context, { runMs: 1000 });
  const first = await networkSpeed(bundle, engine);
  assert.equal(await networkSpeed(bundle, engine), first);
  assert.equal(counts.disposed, 1);
  clock.now += 61_000;
  await networkSpeed(bundle, engine);
  assert.equal(counts.disposed, 2);

  const failing = engineOf(context, { runMs: Number.NaN });
  await assert.rejects(networkSpeed(bundle, failing.engine), /out of memory/);
  await assert.rejects(networkSpeed(bundle, failing.engine), /out of memory/);
  assert.equal(failing.counts.disposed, 2, 'what failed is tried again');
});

test('the slice is a network that runs', async () => {
  const inputs = [
    { name: 'latents', dims: [1, 16, 2, 32, 32] },
    { name: 'timestep', dims: [1] },
  ];
  const load = async (name: string, graph: Uint8Array) => ({
    ...(await loadOrtNetwork(name, graph)),
    inputs,
  });
  const engine = { device: 'cpu', precision: 'float32', load } as unknown as Engine;
  const { seconds, processorSeconds } = await timeNetworks(bundle.description, engine);
  assert.ok(seconds > 0 && processorSeconds > 0);
});

test('memory grows with the window, the picture, the sound and a second denoiser, and with the first seconds of frames only', async (context) => {
  const { engine } = engineOf(context, { runMs: 1 });
  const bytesOf = async (changes: object): Promise<number> =>
    (await estimateJob({ ...JOB, ...changes, engine, speed: SPEED })).memoryBytes;
  const base = await bytesOf({});
  const long = await bytesOf({ frames: 200 });
  assert.ok(long > base && long < 1.2 * base, `${base}, ${long}`);
  assert.equal(await bytesOf({ frames: 10_000 }), long);
  assert.equal((await bytesOf({ pixels: JOB.pixels + 1000 })) - base, 16_000);
  assert.equal((await bytesOf({ audioSamples: JOB.audioSamples + 1000 })) - base, 4000);
  assert.ok((await bytesOf({ windowFrames: 24 })) > base);
  // The weights of 7 million numbers, and somewhat more than a window's 98 MB.
  const second = (await bytesOf({ denoisers: 2 })) - base;
  assert.ok(second > 28e6 && second < 170e6, `${second}`);
});
