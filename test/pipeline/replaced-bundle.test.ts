/** A bundle whose files are replaced while a studio has its networks loaded. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { ModelError } from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { EMBEDDED_BUNDLES } from '../../src/models/bundle.ts';
import { FrameThread } from '../../src/pipeline/frame-thread.ts';
import { networksOf } from '../../src/pipeline/job-networks.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { sceneViewOf } from '../../src/scene/scene.ts';
import { encodeWav, temporaryDirectory } from '../helpers/media.ts';
import { DEFAULT_SCALES } from '../helpers/motion-scales.ts';
import { ROOT } from '../helpers/run-program.ts';

const LIMIT = { timeout: 600_000 };
const FRAMES = 3;
const FPS = 25;
const folder = temporaryDirectory();
const bundle = path.join(folder, 'bundle');
cpSync(path.join(EMBEDDED_BUNDLES, 'tiny'), bundle, { recursive: true });
const ffmpeg = await locateFfmpeg({ env: process.env });

const audio = path.join(folder, 'speech.wav');
const pcm = Float32Array.from({ length: (FRAMES / FPS) * 16_000 }, (_, i) => 0.3 * Math.sin(0.05 * i));
writeFileSync(audio, encodeWav(pcm, 16_000));

const studio = new Studio({ device: 'cpu' });
after(() => studio.dispose());

/** Puts another file in the place of a part's: one tensor's values are halved. */
function replacePart(part: string, tensor: RegExp): void {
  const described = path.join(bundle, 'bundle.json');
  const description = JSON.parse(readFileSync(described, 'utf8'));
  const file = path.join(bundle, description.files[part].path);
  const bytes = readFileSync(file);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString());
  const name = Object.keys(header).find((key) => tensor.test(key));
  assert.ok(name !== undefined, `${part} has a tensor like ${tensor}`);
  const { dtype, data_offsets: offsets } = header[name];
  const [begin, end] = offsets.map((offset: number) => 8 + headerLength + offset);
  const exponentBits = { F16: 0x0400, F32: 0x0080, BF16: 0x0080 }[dtype as 'F16'];
  const stride = dtype === 'F32' ? 4 : 2;
  for (let at = begin + stride - 2; at < end; at += stride) {
    const high = bytes.readUInt16LE(at);
    if ((high & 0x7f80) > exponentBits) bytes.writeUInt16LE(high - exponentBits, at);
  }
  writeFileSync(`${file}.new`, bytes);
  renameSync(`${file}.new`, file);
  description.files[part].sha256 = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(`${described}.new`, JSON.stringify(description));
  renameSync(`${described}.new`, described);
}

function options(name: string) {
  return {
    ...{ portrait: path.join(ROOT, 'assets/portraits/ada.jpg'), audio, bundle, fps: FPS, steps: 1 },
    ...{ output: path.join(folder, `${name}.mp4`), framing: 'crop' as const, overwrite: true },
  };
}

/** The frames of a clip that is rendered in a studio. */
async function render(where: Studio, name: string): Promise<Uint8Array[]> {
  const clip = await where.prepare(options(name), networksOf);
  try {
    await where.render(clip);
  } finally {
    await clip.dispose();
  }
  const frames: Uint8Array[] = [];
  for await (const { data } of readFrames(options(name).output, { ffmpeg }))
    frames.push(Uint8Array.from(data));
  return frames;
}

test('the next clip is rendered with the new files, of whatever part', LIMIT, async () => {
  let before = await render(studio, 'before');
  for (const [part, tensor] of [
    ['denoisingUnet', /conv_out\.weight/],
    ['motion', /weight/],
  ] as const) {
    replacePart(part, tensor);
    const after = await render(studio, `after-${part}`);
    const fresh = new Studio({ device: 'cpu' });
    try {
      assert.deepEqual(after, await render(fresh, 'fresh'), part);
    } finally {
      await fresh.dispose();
    }
    assert.notDeepEqual(after, before, `${part} makes a difference`);
    before = after;
  }
});

test('a clip that was prepared with the files before is refused, not mixed of both', LIMIT, async () => {
  const empty = new Studio({ device: 'cpu' });
  try {
    const clip = await empty.prepare(options('refused'));
    replacePart('denoisingUnet', /conv_out\.weight/);
    await assert.rejects(empty.render(clip), (error) => {
      assert.ok(error instanceof ModelError);
      assert.match(error.message, /replaced meanwhile/);
      return true;
    });
    await clip.dispose();
  } finally {
    await empty.dispose();
  }
});

test('clips that come at the same time share the networks of their motion', LIMIT, async () => {
  const thread = new FrameThread(1, path.join(folder, 'cache'), path.join(folder, 'profile'));
  try {
    const { job, portrait } = await studio.openJob(options('shared'));
    await portrait.dispose();
    const { folder: where, fingerprint, description } = job.bundle;
    const view = sceneViewOf(description);
    const request = {
      path: options('shared').portrait,
      resolution: description.resolution,
      framing: 'crop' as const,
      view,
    };
    const portraits = await Promise.all([thread.openPortrait(request), thread.openPortrait(request)]);
    await Promise.all(
      portraits.map((one) =>
        one.move({
          bundle: { folder: where, fingerprint },
          pcm: pcm.slice(),
          fps: FPS,
          frames: FRAMES,
          scales: DEFAULT_SCALES,
        }),
      ),
    );
    await Promise.all(portraits.map((one) => one.dispose()));
    const { networks } = await thread.takeProfile();
    assert.equal(networks.filter(({ name }) => name === 'motion').length, 1);
  } finally {
    await thread.dispose();
  }
});
