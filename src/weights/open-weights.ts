/** Opens a file of weights of any format that this program reads; the contents decide, not the name's ending. */
import { ModelError } from '../errors.ts';
import { openPytorch } from './pytorch.ts';
import { RandomAccessFile } from './read-file.ts';
import { openSafetensors } from './safetensors.ts';
import { openShardedWeights } from './sharded-weights.ts';
import type { WeightFile } from './weight-source.ts';

/** What people have in place of a checkpoint, by the first bytes. */
const MISTAKEN: readonly (readonly [start: RegExp, got: string])[] = [
  [
    /^version https:\/\/git-lfs/,
    'a pointer of Git LFS; fetch the contents with `git lfs pull`, or download the file itself',
  ],
  [/^\s*<(?:!doctype|html|\?xml)/i, 'a web page; download the file itself, not the page about it'],
  [/^GGUF/, 'a GGUF file, whose weights are quantised'],
  [/^.HDF\r\n/, 'an HDF5 file'],
];

/**
 * Opens safetensors, PyTorch checkpoints, and the index of either in several files. Tensors are read when asked for.
 *
 * @throws {@link ModelError} if there is no such file, it is damaged, or of another format.
 */
export function openWeights(path: string): WeightFile {
  if (/\.index\.json$/i.test(path)) return openShardedWeights(path, openOne);
  return openOne(path);
}

function openOne(path: string): WeightFile {
  const file = new RandomAccessFile(path);
  let start: string;
  try {
    start = new TextDecoder('latin1').decode(file.read(0, Math.min(file.size, 64)));
  } finally {
    file.dispose();
  }
  const mistaken = MISTAKEN.find(([pattern]) => pattern.test(start));
  if (mistaken !== undefined || start === '') {
    throw new ModelError(
      `Cannot read ${path}: expected safetensors or a PyTorch checkpoint, got ${mistaken?.[1] ?? 'an empty file'}`,
      path,
    );
  }
  // Safetensors begin with the length of a JSON object, archives with PK, and pickles with the opcode of the protocol.
  const safetensors = start[8] === '{';
  if (!safetensors && (start.startsWith('PK') || start.startsWith('\u0080'))) return openPytorch(path);
  return openSafetensors(path);
}
