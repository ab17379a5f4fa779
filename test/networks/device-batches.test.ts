import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvironmentError, ModelError } from '../../src/errors.ts';
import type { BundleDescription } from '../../src/models/bundle-description.ts';
import { ANIPORTRAIT_CLIP } from '../../src/models/clip-config.ts';
import { ANIPORTRAIT_POSE_GUIDER } from '../../src/models/pose-guider.ts';
import { ANIPORTRAIT_UNET } from '../../src/models/unet-config.ts';
import { STABLE_DIFFUSION_VAE } from '../../src/models/vae.ts';
import { devicePieces, deviceWindowBytes, openInBatches } from '../../src/networks/device-batches.ts';
import type { NamedTensors, Network } from '../../src/runtime/engine.ts';

const WINDOW = {
  description: {
    resolution: 512,
    codec: { ...STABLE_DIFFUSION_VAE, type: 'autoencoder-kl', scalingFactor: 0.18215 },
    imageEncoder: ANIPORTRAIT_CLIP,
    denoisingUnet: ANIPORTRAIT_UNET,
    poseGuider: ANIPORTRAIT_POSE_GUIDER,
  } as unknown as BundleDescription,
  windowFrames: 16,
  networks: ['denoising-unet', 'reference-unet', 'pose-guider', 'decoder'],
  precision: 'float16',
} as const;
const INPUTS = { latents: { data: Float32Array.of(1, 2), dims: [2] } };
const REFERENCE = { key: { data: Float32Array.of(3), dims: [1] } };

/** A device that has no memory for a network in fewer pieces than `needed`, when it is opened or when it runs. */
function deviceThatNeeds(needed: number, where: 'open' | 'run', text = 'CUDA error: out of memory') {
  const log: string[] = [];
  const open = async (pieces: number): Promise<Network> => {
    log.push(`open ${pieces}`);
    if (where === 'open' && pieces < needed) throw new ModelError(text, 'denoiser');
    const bound: NamedTensors[] = [];
    return {
      ...{ name: 'denoiser', inputs: [], outputs: [] },
      async run(inputs) {
        log.push(`run ${pieces}`);
        if (pieces < needed) throw new ModelError(text, 'denoiser');
        const [{ key } = {}] = bound;
        return { y: { data: Float32Array.of(inputs.latents!.data[1]! + key!.data[0]!), dims: [1] } };
      },
      async bind(inputs) {
        bound.push(inputs);
      },
      async dispose() {
        log.push(`dispose ${pieces}`);
      },
    };
  };
  return { log, open };
}

function options(open: (pieces: number) => Promise<Network>, pieces = 1) {
  const notices: string[] = [];
  const taken: number[] = [];
  return {
    ...{ name: 'denoiser', windowFrames: 16, pieces, open, notices, taken },
    bytes: (count: number) => 16e9 / count,
    onNotice: (message: string) => notices.push(message),
    onFewer: (count: number) => {
      taken.push(count);
    },
  };
}

test('a GPU with room computes a whole window at once, one with less as many frames as fit', () => {
  assert.equal(devicePieces(WINDOW, undefined), 1);
  assert.equal(devicePieces(WINDOW, 140e9), 1);
  const whole = deviceWindowBytes(WINDOW, 1);
  const halves = deviceWindowBytes(WINDOW, 2);
  assert.ok(halves < whole && halves > whole / 4, `${halves} of ${whole}`);
  assert.equal(devicePieces(WINDOW, whole / 0.9 + 1), 1);
  assert.equal(devicePieces(WINDOW, whole / 0.9 - 1), 2);
  assert.equal(devicePieces(WINDOW, 0.5e9), 16);
  assert.equal(devicePieces({ ...WINDOW, windowFrames: 3 }, 0.5e9), 3);
  assert.ok(deviceWindowBytes({ ...WINDOW, precision: 'float32' }, 1) > 1.99 * whole);
});

for (const where of ['open', 'run'] as const) {
  test(`a network that lacks memory (${where}) is opened once more with half of the frames at once`, async () => {
    const device = deviceThatNeeds(2, where);
    const given = options(device.open);
    const network = await openInBatches(given);
    await network.bind(REFERENCE);
    const { y } = await network.run(INPUTS, { transfer: true });
    assert.equal(y!.data[0], 5, 'with the inputs that were bound before');
    assert.equal((await network.run(INPUTS)).y!.data[0], 5);
    await network.dispose();
    const tried = where === 'open' ? [] : ['run 1', 'dispose 1'];
    assert.deepEqual(device.log, ['open 1', ...tried, 'open 2', 'run 2', 'run 2', 'dispose 2']);
    assert.deepEqual(given.taken, [2]);
    assert.match(
      given.notices.join(),
      /^denoiser ran out of the device's memory with 16 frames at once: it computes 8 at a time/,
    );
  });

  test(`where half of the frames lack memory too (${where}), the error says what would be needed`, async () => {
    const device = deviceThatNeeds(4, where);
    const running = async () => (await openInBatches(options(device.open))).run(INPUTS);
    await assert.rejects(running, (error: Error) => {
      assert.ok(error instanceof EnvironmentError);
      assert.match(
        error.message,
        /expected about 8\.0 GB of the device's memory for 8 frames at once, got less; take a smaller resolution/,
      );
      return true;
    });
    assert.equal(device.log.filter((line) => line.startsWith('open')).length, 2);
  });
}

test('single frames are not halved, and other failures are passed on', async () => {
  await assert.rejects(openInBatches(options(deviceThatNeeds(32, 'open').open, 16)), /for one frame at once/);
  const broken = deviceThatNeeds(4, 'run', 'no kernel for node 7');
  const network = await openInBatches(options(broken.open));
  await assert.rejects(network.run(INPUTS), /no kernel for node 7/);
  assert.deepEqual(broken.log, ['open 1', 'run 1']);
});

test('two runs that fail at the same time open one network', async () => {
  const device = deviceThatNeeds(2, 'run');
  const network = await openInBatches(options(device.open));
  await network.bind(REFERENCE);
  const results = await Promise.all([network.run(INPUTS), network.run(INPUTS)]);
  assert.deepEqual(
    results.map(({ y }) => y!.data[0]),
    [5, 5],
  );
  assert.equal(device.log.filter((line) => line === 'open 2').length, 1);
});
