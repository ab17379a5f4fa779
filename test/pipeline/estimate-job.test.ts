import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openBundle } from '../../src/models/bundle.ts';
import { latentSize } from '../../src/models/bundle-description.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { estimateJob } from '../../src/pipeline/estimate-job.ts';
import type { Engine } from '../../src/runtime/engine.ts';

const bundle = await openBundle('tiny');
const JOB = {
  ...{ bundle, windowFrames: 12, poseRuns: 3, evaluations: 12, frames: 34 },
  ...{ pixels: 512 * 512, audioSamples: 16_000 },
};
/** Floating-point operations of the probe: three 3×3 convolutions of 128 to 128 channels over 64 × 64 pixels. */
const PROBE_FLOPS = 3 * 2 * 128 * 128 * 9 * 64 * 64;

/** An engine on which each run of the probe takes so many milliseconds of a clock that stands still otherwise. */
function engineOf(context: TestContext, ...runMs: readonly number[]) {
  let now = 1000;
  context.mock.method(performance, 'now', () => now);
  const counts = { runs: 0, disposed: 0 };
  const network = {
    async run() {
      const ms = runMs[counts.runs++ % runMs.length]!;
      if (Number.isNaN(ms)) throw new Error('out of memory');
      now += ms;
      return {};
    },
    async dispose() {
      counts.disposed++;
    },
  };
  const engine = { precision: 'float32', load: async () => network } as unknown as Engine;
  return { engine, counts };
}

async function secondsOf(context: TestContext, ms: number, changes: object = {}): Promise<number> {
  const { engine } = engineOf(context, ms);
  return (await estimateJob({ ...JOB, ...changes, engine })).seconds;
}

test('the time of the networks goes with the time of the probe', async (context) => {
  const rest = await secondsOf(context, 0);
  const slow = (await secondsOf(context, 100)) - rest;
  const twiceAsFast = (await secondsOf(context, 50)) - rest;
  assert.ok(slow > 0);
  assert.ok(Math.abs(slow / twiceAsFast - 2) < 1e-9);
});

test('an evaluation more takes the denoiser’s operations, at six tenths of the probe’s speed', async (context) => {
  const { denoisingUnet } = bundle.description;
  const { flops } = describeDenoisingUnet(denoisingUnet, {
    ...{ ...latentSize(bundle.description), frames: JOB.windowFrames },
    ...{ reference: 'keys-values', imageEmbeds: 'input', poseFeatures: true },
  });
  const base = await secondsOf(context, 100);
  const more = await secondsOf(context, 100, { evaluations: JOB.evaluations + 1 });
  const expected = (flops / 0.6) * (0.1 / PROBE_FLOPS);
  assert.ok(Math.abs(more - base - expected) < 1e-9 * base, `${more - base} s, expected ${expected}`);
  const integers = await secondsOf(context, 100, { evaluations: JOB.evaluations + 1, precision: 'int8' });
  const integersBase = await secondsOf(context, 100, { precision: 'int8' });
  assert.ok(Math.abs(integers - integersBase - expected / 1.5) < 1e-9 * base);
});

test('frames take time of their own, larger ones more', async (context) => {
  const base = await secondsOf(context, 0);
  const frame = (await secondsOf(context, 0, { frames: JOB.frames + 1 })) - base;
  assert.ok(Math.abs(frame - (0.02 + JOB.pixels * 60e-9)) < 1e-9);
  assert.ok((await secondsOf(context, 0, { pixels: 2 * JOB.pixels })) > base);
});

test('the first run of the probe, which sets up, and disturbed ones do not count; the probe goes', async (context) => {
  const { engine, counts } = engineOf(context, 5000, 300, 100, 900);
  const { seconds } = await estimateJob({ ...JOB, engine });
  assert.deepEqual(counts, { runs: 4, disposed: 1 });
  assert.equal(seconds, await secondsOf(context, 100));

  const failing = engineOf(context, 1, Number.NaN);
  await assert.rejects(estimateJob({ ...JOB, engine: failing.engine }), /out of memory/);
  assert.equal(failing.counts.disposed, 1);
});

test('memory grows with the window, the picture and the sound, and not with the number of frames', async (context) => {
  const { engine } = engineOf(context, 1);
  const bytesOf = async (changes: object): Promise<number> =>
    (await estimateJob({ ...JOB, ...changes, engine })).memoryBytes;
  const base = await bytesOf({});
  assert.equal(await bytesOf({ frames: 10_000 }), base);
  assert.equal((await bytesOf({ pixels: JOB.pixels + 1000 })) - base, 60_000);
  assert.equal((await bytesOf({ audioSamples: JOB.audioSamples + 1000 })) - base, 4000);
  assert.ok((await bytesOf({ windowFrames: 24 })) > base);
  // The whole job with the embedded bundle was measured at 0.9 to 1 GB.
  assert.ok(base > 0.8e9 && base < 1.2e9, `${base}`);
});
