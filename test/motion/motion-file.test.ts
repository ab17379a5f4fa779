import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { MediaError, MotionFileError } from '../../src/errors.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';
import { decodeMotion, encodeMotion, readMotionFile, writeMotionFile } from '../../src/motion/motion-file.ts';
import type { RecordedMotion } from '../../src/motion/recorded-motion.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { record } from '../helpers/recorded-face.ts';

const POSE_UNIT = { rtol: 0, atol: 0.0006 };
const MESH_UNIT = { rtol: 0, atol: 0.0026 };
const directory = temporaryDirectory();

/** More frames than a block has. */
const recording = record(
  Array.from({ length: 300 }, (_, i) => ({
    lips: 0.5 + 0.5 * Math.sin(i),
    lids: 0.7 + 0.3 * Math.cos(i),
    pose: [3 * Math.sin(i / 5), -181.5, 2, 0.3, -1, -220 + i / 10],
  })),
  29.97,
);

function meshOf({ meshes }: RecordedMotion, frame: number): Float32Array {
  const mesh = new Float32Array(MESH_VALUES);
  meshes!.read(frame, mesh);
  return mesh;
}

test('a file holds the motion to a few hundredths of a millimetre', { timeout: 600_000 }, async () => {
  const file = path.join(directory, 'a.motion');
  await writeMotionFile(file, recording);
  const read = await readMotionFile(file);
  assert.equal(read.fps, 29.97);
  assert.equal(read.frames, 300);
  assert.deepEqual(read.origin, recording.origin);
  assertAllClose(read.poses, recording.poses, POSE_UNIT);
  for (const frame of [0, 1, 255, 256, 299]) {
    assertAllClose(meshOf(read, frame), meshOf(recording, frame), MESH_UNIT, `frame ${frame}`);
  }
  assertAllClose(read.rest.mesh!, recording.rest.mesh!, MESH_UNIT);
  assertAllClose(read.rest.pose, recording.rest.pose, POSE_UNIT);
  assert.equal(read.rest.frame, recording.rest.frame);
  assert.deepEqual(readdirSync(directory), ['a.motion'], 'nothing else is left');
});

test('the same motion gives the same bytes, and a read file is written as it was', async () => {
  const bytes = await encodeMotion(recording);
  assert.deepEqual(await encodeMotion(recording), bytes);
  assert.deepEqual(await encodeMotion(await decodeMotion(bytes, 'a')), bytes);
});

test('a file of the head alone is small', async () => {
  const head = { ...recording, meshes: null, rest: { ...recording.rest, mesh: null } };
  const bytes = await encodeMotion(head);
  assert.ok(bytes.length < 6000, `${bytes.length} bytes`);
  const read = await decodeMotion(bytes, 'a');
  assert.equal(read.meshes, null);
  assertAllClose(read.poses, head.poses, POSE_UNIT);
});

/** The file with another header, and a checksum that fits. */
async function withHeader(change: (header: Record<string, unknown>) => unknown): Promise<Uint8Array> {
  const bytes = Buffer.from(await encodeMotion(recording));
  const length = bytes.readUInt32LE(12);
  const header = JSON.parse(bytes.subarray(16, 16 + length).toString('utf8')) as Record<string, unknown>;
  const changed = change(header);
  const text = Buffer.from(typeof changed === 'string' ? changed : JSON.stringify(changed));
  const prefix = Buffer.from(bytes.subarray(0, 16));
  prefix.writeUInt32LE(text.length, 12);
  const content = Buffer.concat([prefix, text, bytes.subarray(16 + length, -32)]);
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

async function changed(change: (bytes: Buffer) => Buffer | undefined): Promise<Uint8Array> {
  const bytes = Buffer.from(await encodeMotion(recording));
  return change(bytes) ?? bytes;
}

for (const [what, make, problem, message] of [
  ['empty', async () => new Uint8Array(0), 'other-kind', /got a file of another kind/],
  [
    'of another kind',
    async () => readFileSync(new URL(import.meta.url)),
    'other-kind',
    /got a file of another kind/,
  ],
  ['cut in its first bytes', () => changed((bytes) => bytes.subarray(0, 5)), 'cut', /whose end is missing/],
  ['cut in its header', () => changed((bytes) => bytes.subarray(0, 100)), 'cut', /whose end is missing/],
  [
    'cut in the middle',
    () => changed((bytes) => bytes.subarray(0, bytes.length >> 1)),
    'cut',
    /end is missing/,
  ],
  ['cut by a byte', () => changed((bytes) => bytes.subarray(0, -1)), 'cut', /end is missing/],
  [
    'with more at its end',
    () => changed((bytes) => Buffer.concat([bytes, bytes])),
    'damaged',
    /another checksum/,
  ],
  [
    'with a changed byte',
    () =>
      changed((bytes) => {
        bytes[bytes.length - 1000]! ^= 1;
        return undefined;
      }),
    'damaged',
    /another checksum/,
  ],
  [
    'of a newer version',
    () =>
      changed((bytes) => {
        bytes.writeUInt32LE(2, 8);
        return undefined;
      }),
    'newer',
    /got version 2; use a newer program/,
  ],
  [
    'of another mesh',
    () => withHeader((header) => ({ ...header, topology: 'flame-5023' })),
    'other-mesh',
    /got motion of flame-5023/,
  ],
  ['without a rate', () => withHeader(({ fps: _, ...header }) => header), 'damaged', /wrong fps/],
  [
    'with NaN at rest',
    () => withHeader((header) => JSON.stringify(header).replace(/"pose":\[[^,]*/, '"pose":[NaN')),
    'damaged',
    /no JSON/,
  ],
  [
    'with a null at rest',
    () => withHeader((header) => ({ ...header, rest: { frame: 0, pose: [null, 0, 0, 0, 0, 0] } })),
    'damaged',
    /wrong rest\.pose\.0/,
  ],
  [
    'with more frames than it has',
    () => withHeader((header) => ({ ...header, frames: 301 })),
    'damaged',
    /bytes in block 1|does not unpack/,
  ],
  [
    'that rests in a frame it has not',
    () => withHeader((header) => ({ ...header, rest: { ...(header.rest as object), frame: 300 } })),
    'damaged',
    /frame 300 at rest, of 300/,
  ],
] as const) {
  test(`a file ${what} is refused`, async () => {
    const file = path.join(directory, 'bad.motion');
    writeFileSync(file, await make());
    await assert.rejects(readMotionFile(file), (error: MotionFileError) => {
      assert.ok(error instanceof MotionFileError && error instanceof MediaError, String(error));
      assert.equal(error.problem, problem);
      assert.match(error.message, message);
      return true;
    });
  });
}

test('a file that is not there is refused', async () => {
  await assert.rejects(readMotionFile(path.join(directory, 'none.motion')), MediaError);
});
