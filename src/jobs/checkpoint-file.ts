/**
 * The file of a checkpoint: arrays of float32 with a description, and a hash over all of it, so that a file that was cut
 * or altered is found out.
 *
 * Layout: 8 bytes of magic, length of the description as uint32, the description as JSON, zeros up to a multiple of 4,
 * the arrays one after another, SHA-256 of everything before. Numbers are little-endian.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { replaceDurably, writeAll } from '../files/write-durably.ts';

const MAGIC = Buffer.from('LCPCKPT1', 'latin1');
const HASH_BYTES = 32;
const HEAD_BYTES = MAGIC.length + 4;
/** Hashed and written at once: keeps the event loop free between pieces. */
const PIECE_BYTES = 1 << 20;

/** What a checkpoint file holds. */
interface CheckpointContents {
  readonly description: unknown;
  readonly arrays: readonly Float32Array[];
}

/** A checkpoint file that is not what was written. */
class DamagedCheckpointError extends Error {
  override readonly name = 'DamagedCheckpointError';
}

/**
 * Writes a checkpoint that is durable when this returns, and under its name only when it is complete.
 *
 * @param arrays - of one length.
 */
export async function writeCheckpointFile(file: string, contents: CheckpointContents): Promise<void> {
  const { description, arrays } = contents;
  const elements = arrays[0]?.length ?? 0;
  const text = Buffer.from(JSON.stringify({ description, count: arrays.length, elements }), 'utf8');
  const head = Buffer.alloc(Math.ceil((HEAD_BYTES + text.length) / 4) * 4);
  MAGIC.copy(head);
  head.writeUInt32LE(text.length, MAGIC.length);
  text.copy(head, HEAD_BYTES);

  await replaceDurably(file, async (handle) => {
    const hash = createHash('sha256');
    let waiting: Buffer[] = [head];
    let waitingBytes = head.length;
    const flush = async () => {
      const piece = Buffer.concat(waiting);
      hash.update(piece);
      await writeAll(handle, piece);
      waiting = [];
      waitingBytes = 0;
    };
    for (const array of arrays) {
      if (array.length !== elements) throw new Error('arrays of a checkpoint differ in length');
      waiting.push(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
      waitingBytes += array.byteLength;
      if (waitingBytes >= PIECE_BYTES) await flush();
    }
    if (waitingBytes > 0) await flush();
    await writeAll(handle, hash.digest());
  });
}

/**
 * Reads a checkpoint.
 *
 * @throws {@link DamagedCheckpointError} if it is not exactly what was written.
 */
export async function readCheckpointFile(file: string): Promise<CheckpointContents> {
  const bytes = await readFile(file);
  if (bytes.length < HEAD_BYTES + HASH_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new DamagedCheckpointError('not a checkpoint, or cut');
  }
  const body = bytes.subarray(0, bytes.length - HASH_BYTES);
  const found = createHash('sha256').update(body).digest();
  if (!found.equals(bytes.subarray(body.length))) throw new DamagedCheckpointError('cut or altered');

  const textLength = bytes.readUInt32LE(MAGIC.length);
  const { description, count, elements } = JSON.parse(
    bytes.toString('utf8', HEAD_BYTES, HEAD_BYTES + textLength),
  ) as { description: unknown; count: number; elements: number };
  const start = Math.ceil((HEAD_BYTES + textLength) / 4) * 4;
  const arrays = Array.from({ length: count }, (_, i) => {
    const array = new Float32Array(elements);
    const from = start + i * array.byteLength;
    Buffer.from(array.buffer).set(bytes.subarray(from, from + array.byteLength));
    return array;
  });
  return { description, arrays };
}
