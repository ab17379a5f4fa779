import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { cp, rename } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ImportOptions, importAniPortrait } from '../../src/bundles/import-aniportrait.ts';
import { EnvironmentError, InvalidOptionError, ModelError } from '../../src/errors.ts';
import { formatOwner } from '../../src/files/thread-owner.ts';
import { openBundle, verifyBundle } from '../../src/models/bundle.ts';
import { decodeHalf, encodeHalf } from '../../src/tensor/float16.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import {
  entriesOf,
  newWeightNorm,
  SMALL_ARCHITECTURE,
  SMALL_WEIGHTS,
  writeCheckpoint,
  writeSmallCheckpoints,
} from '../helpers/small-checkpoints.ts';

const folder = temporaryDirectory();
const published = path.join(folder, 'pretrained_model');
writeSmallCheckpoints(published);
const LORA_GOLDENS = fileURLToPath(new URL('../golden/lora/', import.meta.url));

let stores = 0;
/** An import into a store of its own. */
function options(changes: Partial<ImportOptions> = {}): ImportOptions & { readonly store: string } {
  return { store: path.join(folder, `store-${stores++}`), architecture: SMALL_ARCHITECTURE, ...changes };
}

/** A copy of the published files, some of them changed. */
async function changedFolder(
  name: string,
  change: (folder: string) => void | Promise<void>,
): Promise<string> {
  const made = path.join(folder, name);
  await cp(published, made, { recursive: true });
  await change(made);
  return made;
}

/** Everything in a store, hidden or not. */
function contentsOf(store: string): string[] {
  return existsSync(store) ? readdirSync(store) : [];
}

async function assertSameWeights(bundleFolder: string, half = false): Promise<void> {
  const bundle = await openBundle(bundleFolder);
  for (const [part, weights] of Object.entries(SMALL_WEIGHTS) as [
    keyof typeof SMALL_WEIGHTS,
    typeof SMALL_WEIGHTS.codec,
  ][]) {
    if (bundle.description.files[part] === undefined) continue;
    const file = openSafetensors(bundle.pathOf(part));
    const expected = [...weights.keys()].filter((key) => !key.endsWith('num_batches_tracked'));
    assert.deepEqual([...file.keys()].sort(), expected.sort());
    for (const key of file.keys()) {
      const { data, dims } = weights.read(key);
      const stored = file.read(key);
      assert.deepEqual(stored.dims, dims, key);
      const rounded = half ? decodeHalf(encodeHalf(data, 'F16'), 'F16') : data;
      assert(Buffer.from(stored.data.buffer).equals(Buffer.from(rounded.buffer)), `${part} ${key}`);
    }
    file.dispose();
  }
}

test('published files of every spelling become a bundle with the same numbers under one set of names', async () => {
  const events: number[] = [];
  const result = await importAniPortrait(
    published,
    options({
      onProgress: (event) => void (event.type === 'bytes' && events.push(event.done / event.total)),
    }),
  );
  await assertSameWeights(result.folder);
  const bundle = await openBundle('aniportrait', path.dirname(result.folder));
  await verifyBundle(bundle);
  assert.equal(events.at(-1), 1);
  const { presets, motion, poseConditions, files, schedule } = bundle.description;
  assert.deepEqual(presets.original, {
    sampler: 'ddim',
    steps: 25,
    guidance: 3.5,
    loras: [],
    windows: 'loop',
    unguidedOverlap: 'sum',
  });
  assert.deepEqual(presets.fast, { sampler: 'dpmsolver', steps: 10, guidance: 3.5, loras: [] });
  assert.equal(motion.type, 'aniportrait-audio');
  assert.deepEqual(poseConditions, { type: 'drawing', variant: 'P0' });
  assert.deepEqual(
    [schedule.betaSchedule, schedule.predictionType, schedule.zeroTerminalSnr],
    ['linear', 'v_prediction', true],
  );
  assert(Object.values(files).every((file) => file.licence && file.source));
  assert.deepEqual(contentsOf(path.dirname(result.folder)), ['aniportrait']);
});

test('half precision rounds every weight once', async () => {
  const result = await importAniPortrait(published, options({ half: true, name: 'half' }));
  await assertSameWeights(result.folder, true);
});

test('the hub’s cache is searched through its links', async () => {
  const cache = path.join(folder, 'hub');
  const blobs = path.join(cache, 'models--ZJYang--AniPortrait/blobs');
  const snapshot = path.join(cache, 'models--ZJYang--AniPortrait/snapshots/0a1b');
  const vae = path.join(cache, 'models--stabilityai--sd-vae-ft-mse/snapshots/2c3d');
  for (const made of [blobs, snapshot, vae]) mkdirSync(made, { recursive: true });
  for (const name of readdirSync(published)) {
    if (!/\.pth?$/.test(name)) continue;
    await cp(path.join(published, name), path.join(blobs, `${name}-hash`));
    symlinkSync(path.join(blobs, `${name}-hash`), path.join(snapshot, name));
  }
  await cp(path.join(published, 'sd-vae-ft-mse'), vae, { recursive: true });
  const clip = path.join(
    cache,
    'models--lambdalabs--sd-image-variations-diffusers/snapshots/4e5f/image_encoder',
  );
  await cp(path.join(published, 'image_encoder'), clip, { recursive: true });
  await assertSameWeights((await importAniPortrait(cache, options())).folder);
});

const { denoisingUnet, referenceUnet, poseGuider, codec, imageEncoder, audio2mesh } = SMALL_WEIGHTS;

test('the safetensors repackaging is imported without Audio2Pose and with merged motion modules', async () => {
  const made = path.join(folder, 'repackaged');
  writeCheckpoint(made, 'denoising_unet/diffusion_pytorch_model.safetensors', entriesOf(denoisingUnet));
  writeCheckpoint(made, 'reference_unet/diffusion_pytorch_model.safetensors', entriesOf(referenceUnet));
  writeCheckpoint(made, 'pose_guider/diffusion_pytorch_model.safetensors', entriesOf(poseGuider));
  writeCheckpoint(made, 'vae/diffusion_pytorch_model.safetensors', entriesOf(codec));
  writeCheckpoint(made, 'image_encoder/model.safetensors', entriesOf(imageEncoder));
  writeCheckpoint(
    made,
    'audio_mesher/diffusion_pytorch_model.safetensors',
    entriesOf(audio2mesh, newWeightNorm),
  );
  const { folder: bundle, description } = await importAniPortrait(made, options());
  assert(description.motion.type === 'aniportrait-audio' && description.motion.pose === null);
  await assertSameWeights(bundle);
});

test('one file with all networks is taken apart by what stands before their names', async () => {
  const made = path.join(folder, 'all-in-one');
  const below = (prefix: string) => (key: string) => `${prefix}.${key}`;
  writeCheckpoint(made, 'aniportrait.safetensors', [
    ...entriesOf(referenceUnet, below('reference_unet')),
    ...entriesOf(denoisingUnet, below('denoising_unet')),
    ...entriesOf(poseGuider, below('pose_guider')),
    ...entriesOf(codec, below('vae')),
    ...entriesOf(imageEncoder, below('image_encoder')),
    ...entriesOf(audio2mesh, below('audio_mesher')),
  ]);
  const { folder: bundle, description } = await importAniPortrait(made, options());
  assert(description.motion.type === 'aniportrait-audio' && description.motion.pose === null);
  await assertSameWeights(bundle);
});

test('tables of positions that a file leaves out are computed', async () => {
  const made = await changedFolder('without-tables', (changed) => {
    const motion = entriesOf(denoisingUnet, (key) =>
      /motion_modules/.test(key) && !key.endsWith('.pe') ? key : null,
    );
    writeCheckpoint(changed, 'motion_module.pth', motion);
  });
  await assertSameWeights((await importAniPortrait(made, options())).folder);
});

test('an LCM-LoRA becomes part of the bundle, with a warning about what it was made for', async () => {
  const lora = writeCheckpoint(folder, 'lcm.safetensors', [
    ['unet.down_blocks.0.attentions.0.proj_in.lora_A.weight', { data: new Float32Array(64), dims: [2, 32] }],
    ['unet.down_blocks.0.attentions.0.proj_in.lora_B.weight', { data: new Float32Array(64), dims: [32, 2] }],
  ]);
  const notices: string[] = [];
  const { description, folder: made } = await importAniPortrait(
    published,
    options({
      lora: { path: lora, scale: 0.8 },
      onProgress: (event) => void (event.type === 'notice' && notices.push(event.message)),
    }),
  );
  assert.deepEqual(description.presets.fast, {
    sampler: 'lcm',
    steps: 4,
    guidance: 1,
    loras: [{ part: 'lcmLora', scale: 0.8 }],
  });
  const bundle = await openBundle(made);
  assert.deepEqual(readFileSync(bundle.pathOf('lcmLora')), readFileSync(lora));
  // √ᾱ of the inference schedule: 0.0117672, 0.142529 and 0.534423 in its table.
  assert.match(
    notices.join(),
    /predict noise, and this bundle predicts velocity.* 0\.11 at 759, 0\.38 at 499, 0\.73 at 259/,
  );
});

test('a denoiser distilled with guidance as an input, and what it samples with, are part of the description', async () => {
  const embedding = { data: new Float32Array(32 * 16), dims: [32, 16] };
  const distilled = writeCheckpoint(folder, 'distilled.safetensors', [
    ...entriesOf(denoisingUnet),
    ['time_embedding.cond_proj.weight', embedding],
  ]);
  const { description } = await importAniPortrait(
    published,
    options({ files: { denoisingUnet: distilled } }),
  );
  assert.equal(description.denoisingUnet.timeCondProjDim, 16);
  assert.deepEqual(description.presets.fast, { sampler: 'lcm', steps: 4, guidance: 3.5, loras: [] });

  const accelerated = await importAniPortrait(
    published,
    options({
      files: {
        denoisingUnet: path.join(published, 'denoising_unet.pth'),
        motionModule: path.join(published, 'motion_module.pth'),
      },
      fast: { sampler: 'ddim', steps: 6, guidance: 1 },
      predictionType: 'epsilon',
      poseGuider: 'P2',
    }),
  );
  assert.deepEqual(accelerated.description.presets.fast, {
    sampler: 'ddim',
    steps: 6,
    guidance: 1,
    loras: [],
  });
  const { betaSchedule, zeroTerminalSnr } = accelerated.description.schedule;
  assert.deepEqual([betaSchedule, zeroTerminalSnr], ['scaled_linear', false]);
  assert.equal(accelerated.description.poseGuider.batchStatistics, false);
});

/** Runs an import that must fail before anything is written. */
async function refusal(source: string, changes: Partial<ImportOptions> = {}): Promise<Error> {
  const given = options(changes);
  let caught: unknown;
  await importAniPortrait(source, given).catch((error: unknown) => {
    caught = error;
  });
  assert(caught instanceof Error, 'it was imported');
  assert.deepEqual(contentsOf(given.store), []);
  return caught;
}

test('missing, surplus and misshapen weights of all files are reported at once', async () => {
  const made = await changedFolder('wrong', async (changed) => {
    writeCheckpoint(changed, 'reference_unet.pth', [
      ...entriesOf(referenceUnet, (key) => (key.includes('resnets.0.conv1') ? null : key)),
      ['extra.0.weight', { data: new Float32Array(1), dims: [1] }],
      ['extra.1.weight', { data: new Float32Array(1), dims: [1] }],
    ]);
    const guider = entriesOf(poseGuider).map(([key, value]): [string, typeof value] =>
      key === 'scale' ? [key, { data: new Float32Array(2), dims: [2] }] : [key, value],
    );
    writeCheckpoint(changed, 'pose_guider.pth', guider);
    await rename(path.join(changed, 'audio2mesh.pt'), path.join(changed, 'audio.backup'));
  });
  const error = await refusal(made);
  assert(error instanceof ModelError);
  const [heading, ...problems] = error.message.split('\n');
  assert.deepEqual(problems, error.problems);
  assert.match(heading!, /expected AniPortrait's networks, got 4 problems/);
  const text = problems.join('\n');
  assert.doesNotMatch(text, / is /);
  assert.match(text, /reference_unet\.pth: 18 missing: down_blocks\.\*\.resnets\.0\.conv1\.weight \(4\)/);
  assert.match(
    text,
    /reference_unet\.pth: 2 that do not belong to the reference UNet: extra\.\*\.weight \(2\)/,
  );
  assert.match(text, /pose_guider\.pth: 1 of another shape: scale \[2\] instead of \[1\]/);
  assert.match(text, /audio2mesh\.pt: not found/);
});

test('a UNet of Stable Diffusion XL, and files that changed names, are called what they are', async () => {
  const wide = { data: new Float32Array(32 * 2048), dims: [32, 2048] };
  const sdxl = writeCheckpoint(folder, 'sdxl.safetensors', [
    ...entriesOf(denoisingUnet, (key) =>
      /motion_modules|down_blocks\.3|attn2\.to_k/.test(key) ? null : key,
    ),
    ['add_embedding.linear_1.weight', { data: new Float32Array(4), dims: [2, 2] }],
    ['down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight', wide],
  ]);
  const error = await refusal(published, { files: { denoisingUnet: sdxl } });
  assert.match(
    error.message,
    /sdxl\.safetensors is a UNet of Stable Diffusion XL, where that of Stable Diffusion 1\.5 belongs/,
  );

  const renamed = await changedFolder('renamed', async (changed) => {
    await rename(path.join(changed, 'pose_guider.pth'), path.join(changed, 'was'));
    await rename(path.join(changed, 'reference_unet.pth'), path.join(changed, 'pose_guider.pth'));
    await rename(path.join(changed, 'was'), path.join(changed, 'reference_unet.pth'));
  });
  const { message } = await refusal(renamed);
  assert.match(message, /reference_unet\.pth is a pose guider/);
  assert.match(message, /pose_guider\.pth is a reference UNet/);
});

test('a file that was cut, or a pickle that would run a program, is named before anything is written', async () => {
  const cut = await changedFolder('cut', (changed) =>
    truncateSync(path.join(changed, 'denoising_unet.pth'), 100_000),
  );
  assert.match((await refusal(cut)).message, /denoising_unet\.pth: expected the directory of a zip archive/);
  const evil = await changedFolder('evil', (changed) =>
    cp(
      fileURLToPath(new URL('../golden/pytorch/hostile_os_system.pth', import.meta.url)),
      path.join(changed, 'pose_guider.pth'),
    ),
  );
  assert.match((await refusal(evil)).message, /pose_guider\.pth: expected tensors only, got posix\.system/);
  const header = await changedFolder('header', (changed) => {
    const file = path.join(changed, 'sd-vae-ft-mse/diffusion_pytorch_model.safetensors');
    const bytes = readFileSync(file);
    bytes.writeBigUInt64LE(2n ** 31n, 0);
    writeFileSync(file, bytes);
  });
  assert.match(
    (await refusal(header)).message,
    /diffusion_pytorch_model\.safetensors: expected a header of at most/,
  );
  const text = path.join(LORA_GOLDENS, 'reject_text_encoder_only.safetensors');
  const lora = await refusal(published, { lora: { path: text, scale: 1 } });
  assert.match(
    lora.message,
    /reject_text_encoder_only\.safetensors: expected tensors for the denoising UNet, got tensors for a text encoder only/,
  );
});

test('a weight that is damaged is found when its turn comes, and nothing is kept', async () => {
  const flipped = await changedFolder('flipped', (changed) => {
    const file = path.join(changed, 'pose_guider.pth');
    const bytes = readFileSync(file);
    bytes[bytes.length - 100_000]! ^= 1;
    writeFileSync(file, bytes);
  });
  assert.match((await refusal(flipped)).message, /weight \S+: .*pose_guider\.pth: expected checksum/);
  const infinite = await changedFolder('infinite', (changed) => {
    const entries = entriesOf(poseGuider);
    const [key, { data, dims }] = entries[3]!;
    entries[3] = [key, { data: data.map((value, i) => (i === 2 ? Number.NaN : value)), dims }];
    writeCheckpoint(changed, 'pose_guider.pth', entries);
  });
  assert.match(
    (await refusal(infinite)).message,
    /conv_layers\.1\.weight of .*pose_guider\.pth .*expected numbers that are finite, got NaN/,
  );
});

test('a disk that is full half way leaves nothing, and the bundle that was there as it was', async () => {
  const given = options({ overwrite: true });
  await importAniPortrait(published, given);
  const before = readFileSync(path.join(given.store, 'aniportrait/bundle.json'), 'utf8');
  let written = 0;
  const createFile: NonNullable<ImportOptions['createFile']> = async () =>
    ({
      write: async (data: Uint8Array) => {
        written += data.length;
        if (written > 5e6) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        return { bytesWritten: data.length, buffer: data };
      },
      sync: async () => {},
      close: async () => {},
    }) as never;
  await assert.rejects(importAniPortrait(published, { ...given, createFile }), (error) => {
    assert(error instanceof EnvironmentError);
    assert.match(error.message, /expected room on the disk, got none/);
    return true;
  });
  assert.deepEqual(contentsOf(given.store), ['aniportrait']);
  assert.equal(readFileSync(path.join(given.store, 'aniportrait/bundle.json'), 'utf8'), before);
});

test('a cancelled import leaves nothing', async () => {
  const controller = new AbortController();
  const given = options({
    signal: controller.signal,
    onProgress: (event) =>
      void (event.type === 'bytes' && event.done > 1e6 && controller.abort(new Error('enough'))),
  });
  await assert.rejects(importAniPortrait(published, given), /enough/);
  assert.deepEqual(contentsOf(given.store), []);
});

test('a name that is taken, impossible or the package’s own is refused; what a dead process left is removed', async () => {
  const given = options();
  mkdirSync(path.join(given.store, 'aniportrait'), { recursive: true });
  await assert.rejects(importAniPortrait(published, given), /taken by .*overwrite: true/);
  for (const name of ['tiny', '../x', '', 'a b', 'con', '.hidden']) {
    await assert.rejects(importAniPortrait(published, options({ name })), InvalidOptionError, name);
  }
  const owner = { host: os.hostname(), pid: 4_194_999, thread: 0, started: '' };
  mkdirSync(path.join(given.store, `.other.00000000-${formatOwner(owner)}.partial`));
  await importAniPortrait(published, { ...given, name: 'other' });
  assert.deepEqual(contentsOf(given.store).sort(), ['aniportrait', 'other']);
});
