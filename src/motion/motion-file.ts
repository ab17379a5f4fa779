/**
 * Motion files, `*.motion`: recorded motion as a file, without a picture of anybody.
 *
 * A file is, with all numbers little-endian:
 *
 * | bytes | content |
 * | --- | --- |
 * | 8 | the letters `LCPMOTN` and a line feed |
 * | 4 | version of the format, 1 |
 * | 4 | length of the header |
 * | … | the header, JSON in UTF-8: {@link MotionFileHeader} |
 * | … | blocks, each compressed by zlib: the poses, then (unless the head alone was recorded) the mesh at rest, then the meshes of each 256 frames |
 * | 32 | SHA-256 of all before |
 *
 * A block holds differences of integers from one frame to the next, the first from 0 (meshes: from the mesh at rest), as
 * bytes sorted by significance: the lowest bytes of all numbers, then the next. Poses are int32 in units of 0.001° and
 * 0.001 cm, meshes int16 in units of 0.004 cm: a fourteenth of a pixel of a face that is 300 pixels wide.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { z } from 'zod';
import { describeFileProblem, MediaError, MotionFileError, type MotionFileProblem } from '../errors.ts';
import { replaceDurably } from '../files/write-durably.ts';
import { MESH_STEP, MeshSequence } from './mesh-sequence.ts';
import { MESH_VALUES, POSE_VALUES } from './motion.ts';
import type { RecordedMotion } from './recorded-motion.ts';

/** Version that is written; older ones are read. */
const MOTION_FILE_VERSION = 1;
/** Names the mesh whose vertices a file moves. */
const MESH_TOPOLOGY = 'mediapipe-face-468';

const MAGIC = Buffer.from('LCPMOTN\n', 'latin1');
const PREFIX = MAGIC.length + 8;
const CHECKSUM = 32;
const POSE_STEP = 0.001;
/** Units of {@link MeshSequence} in one of the file's. */
const COARSER = 4;
const BLOCK_FRAMES = 256;
/** The highest one would make files 1.5 % smaller in five times the time. */
const DEFLATE_LEVEL = 6;
/** A day of film at 60 frames a second. */
const MAX_FRAMES = 5_184_000;

const deflateBytes = promisify(deflate);
const inflateBytes = promisify(inflate);

const HEADER = z.object({
  /** {@link MESH_TOPOLOGY} */
  topology: z.string(),
  fps: z.number().min(1).max(240),
  frames: z.int().min(1).max(MAX_FRAMES),
  contents: z.enum(['head', 'face-and-head']),
  rest: z.object({
    /** Number of the frame that is nearest to rest. */
    frame: z.int().min(0),
    /** Degrees about x, y, z and cm. */
    pose: z.array(z.number()).length(POSE_VALUES),
  }),
  origin: z.object({ name: z.string(), sha256: z.nullable(z.string()) }),
  /** Compressed sizes of the blocks, in bytes. */
  blocks: z.array(z.int().min(1)),
});

/** What stands in a motion file's header. */
type MotionFileHeader = z.infer<typeof HEADER>;

/**
 * Writes recorded motion; the file is there whole or not at all.
 *
 * @throws {@link MediaError} if it cannot be written.
 */
export async function writeMotionFile(motionPath: string, recording: RecordedMotion): Promise<void> {
  const bytes = await encodeMotion(recording);
  try {
    await replaceDurably(motionPath, (handle) => handle.writeFile(bytes));
  } catch (error) {
    throw new MediaError(
      `Cannot write ${motionPath}: expected a place for a file, got ${describeFileProblem(error)}`,
      motionPath,
      { cause: error },
    );
  }
}

/** The bytes of a motion file. */
export async function encodeMotion({
  fps,
  frames,
  poses,
  meshes,
  rest,
  origin,
}: RecordedMotion): Promise<Uint8Array> {
  const blocks: Uint8Array[] = [];
  const add = async (differences: Int32Array, width: 2 | 4): Promise<void> => {
    blocks.push(await deflateBytes(sortBytes(differences, width), { level: DEFLATE_LEVEL }));
  };
  const units = Int32Array.from(poses, (value) => Math.round(value / POSE_STEP));
  await add(
    units.map((value, i) => value - (i < POSE_VALUES ? 0 : units[i - POSE_VALUES]!)),
    4,
  );
  if (meshes !== null && rest.mesh !== null) {
    let last = Int32Array.from(rest.mesh, (value) => Math.round(value / (MESH_STEP * COARSER)));
    await add(last, 2);
    for (let first = 0; first < frames; first += BLOCK_FRAMES) {
      const count = Math.min(BLOCK_FRAMES, frames - first);
      const differences = new Int32Array(count * MESH_VALUES);
      for (let i = 0; i < count; i++) {
        const now = Int32Array.from(meshes.units(first + i), (value) => Math.round(value / COARSER));
        for (let k = 0; k < MESH_VALUES; k++) differences[i * MESH_VALUES + k] = now[k]! - last[k]!;
        last = now;
      }
      await add(differences, 2);
    }
  }
  const header: MotionFileHeader = {
    topology: MESH_TOPOLOGY,
    fps,
    frames,
    contents: meshes === null ? 'head' : 'face-and-head',
    rest: { frame: rest.frame, pose: [...rest.pose].map((value) => Number(value.toFixed(4))) },
    origin,
    blocks: blocks.map(({ length }) => length),
  };
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32LE(MOTION_FILE_VERSION, 0);
  numbers.writeUInt32LE(text.length, 4);
  const content = Buffer.concat([MAGIC, numbers, text, ...blocks]);
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

/**
 * Reads a motion file.
 *
 * @throws {@link MediaError} if there is no such file.
 * @throws {@link MotionFileError} if it is of another kind, cut, damaged, of a newer version, or of another mesh.
 */
export async function readMotionFile(motionPath: string): Promise<RecordedMotion> {
  let bytes: Buffer;
  try {
    bytes = await readFile(motionPath);
  } catch (error) {
    throw new MediaError(
      `Cannot read motion ${motionPath}: expected a file, got ${describeFileProblem(error)}`,
      motionPath,
      { cause: error },
    );
  }
  return decodeMotion(bytes, motionPath);
}

/** @param motionPath - for messages. @throws what {@link readMotionFile} throws. */
export async function decodeMotion(bytes: Uint8Array, motionPath: string): Promise<RecordedMotion> {
  const refuse = (expected: string, got: string, problem: MotionFileProblem, cause?: unknown) =>
    new MotionFileError(
      `Cannot read motion ${motionPath}: expected ${expected}, got ${got}`,
      motionPath,
      problem,
      { cause },
    );
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = file.subarray(0, MAGIC.length);
  if (!start.equals(MAGIC.subarray(0, start.length)) || file.length === 0) {
    throw refuse('a motion file, as "motion extract" writes it', 'a file of another kind', 'other-kind');
  }
  const cut = (): MotionFileError =>
    refuse('a whole motion file', 'one whose end is missing; copy or extract it again', 'cut');
  if (file.length < PREFIX + CHECKSUM) throw cut();
  const version = file.readUInt32LE(MAGIC.length);
  if (version > MOTION_FILE_VERSION) {
    throw refuse(
      `version ${MOTION_FILE_VERSION} of the format or an older one`,
      `version ${version}; use a newer program, or extract the motion again`,
      'newer',
    );
  }
  const damaged = (got: string, cause?: unknown): MotionFileError =>
    refuse('an undamaged motion file', `one with ${got}; copy or extract it again`, 'damaged', cause);
  const headerEnd = PREFIX + file.readUInt32LE(MAGIC.length + 4);
  if (headerEnd + CHECKSUM > file.length) throw cut();
  const header = readHeader(file.subarray(PREFIX, headerEnd), damaged);
  const end = header.blocks.reduce((sum, length) => sum + length, headerEnd);
  if (end + CHECKSUM > file.length) throw cut();
  const content = file.subarray(0, end);
  if (
    end + CHECKSUM < file.length ||
    !createHash('sha256').update(content).digest().equals(file.subarray(end))
  ) {
    throw damaged('another checksum than its content');
  }
  if (header.topology !== MESH_TOPOLOGY) {
    throw refuse(`motion of the mesh ${MESH_TOPOLOGY}`, `motion of ${header.topology}`, 'other-mesh');
  }

  let at = headerEnd;
  let next = 0;
  const readBlock = async (count: number, width: 2 | 4): Promise<Int32Array> => {
    const length = header.blocks[next++] ?? 0;
    const block = file.subarray(at, at + length);
    at += length;
    let plain: Uint8Array;
    try {
      plain = await inflateBytes(block, { maxOutputLength: count * width });
    } catch (error) {
      throw damaged(`a block ${next} that does not unpack`, error);
    }
    if (plain.length !== count * width)
      throw damaged(`${plain.length} bytes in block ${next} in place of ${count * width}`);
    return unsortBytes(plain, width);
  };
  const { fps, frames, rest, origin, contents } = header;
  const poseUnits = await readBlock(frames * POSE_VALUES, 4);
  for (let i = POSE_VALUES; i < poseUnits.length; i++) poseUnits[i]! += poseUnits[i - POSE_VALUES]!;
  const poses = Float32Array.from(poseUnits, (value) => value * POSE_STEP);
  const pose = Float32Array.from(rest.pose);
  if (rest.frame >= frames) throw damaged(`a frame ${rest.frame} at rest, of ${frames}`);
  if (contents === 'head') {
    return { fps, frames, poses, meshes: null, rest: { frame: rest.frame, pose, mesh: null }, origin };
  }
  const last = Int16Array.from(await readBlock(MESH_VALUES, 2));
  const mesh = Float32Array.from(last, (value) => value * COARSER * MESH_STEP);
  const meshes = new MeshSequence();
  const row = new Int16Array(MESH_VALUES);
  for (let first = 0; first < frames; first += BLOCK_FRAMES) {
    const count = Math.min(BLOCK_FRAMES, frames - first);
    const differences = await readBlock(count * MESH_VALUES, 2);
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < MESH_VALUES; k++) {
        last[k]! += differences[i * MESH_VALUES + k]!;
        row[k] = last[k]! * COARSER;
      }
      meshes.appendUnits(row);
    }
  }
  return { fps, frames, poses, meshes, rest: { frame: rest.frame, pose, mesh }, origin };
}

function readHeader(
  bytes: Buffer,
  damaged: (got: string, cause?: unknown) => MotionFileError,
): MotionFileHeader {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw damaged('a header that is no JSON', error);
  }
  const parsed = HEADER.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path = [], message = '' } = parsed.error.issues[0] ?? {};
  throw damaged(`a header with a wrong ${path.join('.') || 'form'} (${message})`, parsed.error);
}

/** The lowest bytes of all numbers, then the next. */
function sortBytes(values: Int32Array, width: 2 | 4): Uint8Array {
  const bytes = new Uint8Array(values.length * width);
  for (let plane = 0, to = 0; plane < width; plane++) {
    for (let i = 0; i < values.length; i++) bytes[to++] = values[i]! >> (8 * plane);
  }
  return bytes;
}

function unsortBytes(bytes: Uint8Array, width: 2 | 4): Int32Array {
  const count = bytes.length / width;
  return Int32Array.from({ length: count }, (_, i) => {
    let value = 0;
    for (let plane = 0; plane < width; plane++) value |= bytes[plane * count + i]! << (8 * plane);
    return width === 2 ? (value << 16) >> 16 : value;
  });
}
