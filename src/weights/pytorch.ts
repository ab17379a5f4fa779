/**
 * PyTorch checkpoints (`.pth`, `.pt`, `.bin`, `.ckpt`): zip archives of a pickle and storages, as `torch.save` writes them
 * since version 1.6, and the pickle streams of earlier versions. Tensors are read one at a time; nothing is executed.
 *
 * Source: `torch/serialization.py` of PyTorch 2.13 (`_save`, `_legacy_save`).
 */
import { ModelError } from '../errors.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { DECODERS, ELEMENT_BYTES } from './element-types.ts';
import { readPickle } from './pickle.ts';
import {
  collectTensors,
  createTensorHost,
  type StorageName,
  storageBytes,
  type TensorView,
} from './pytorch-pickle.ts';
import { RandomAccessFile } from './read-file.ts';
import type { WeightFile, WeightInfo } from './weight-source.ts';
import {
  assertPlain,
  contentsOffset,
  readEntryContents,
  readZipDirectory,
  verifyEntry,
  type ZipEntry,
} from './zip-directory.ts';

/** Longest pickle that is read; a state dict of 100,000 tensors has some 30 MB. */
const MAX_PICKLE_BYTES = 64_000_000;
/** First pickle of a stream. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;

/** Finds a storage's first byte; checks the storage when it is asked for the first time. */
type LocateStorage = (storage: StorageName) => number;

/**
 * Opens a checkpoint and reads its directory; tensors are read when they are asked for.
 *
 * @throws {@link ModelError} if it is damaged, or if its pickle names anything but tensors.
 */
export function openPytorch(path: string): WeightFile {
  const file = new RandomAccessFile(path);
  try {
    return isZip(file) ? openArchive(file) : openStream(file);
  } catch (error) {
    file.dispose();
    throw error;
  }
}

function isZip(file: RandomAccessFile): boolean {
  return file.size >= 4 && new DataView(file.read(0, 4).buffer).getUint32(0, true) === 0x04034b50;
}

function openArchive(file: RandomAccessFile): PytorchFile {
  const { path } = file;
  const entries = readZipDirectory(file);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) throw unusable(path, 'one data.pkl in the archive', `${pickles.length}`);
  const root = pickles[0]!.slice(0, -'data.pkl'.length);
  if (entries.has(`${root}constants.pkl`)) {
    throw unusable(path, 'a state dict', 'a TorchScript program, which is weights and code in one');
  }
  const order = entries.get(`${root}byteorder`);
  if (order !== undefined && new TextDecoder().decode(readEntryContents(file, order)).trim() !== 'little') {
    throw unusable(path, 'little-endian numbers', 'others');
  }
  const pickle = entries.get(pickles[0]!)!;
  if (pickle.bytes > MAX_PICKLE_BYTES) {
    throw unusable(path, `a pickle of at most ${MAX_PICKLE_BYTES} bytes`, `${pickle.bytes} bytes`);
  }
  const { value } = readPickle(readEntryContents(file, pickle), createTensorHost(path));
  const verified = new Set<string>();
  const find = (storage: StorageName): ZipEntry => {
    const entry = entries.get(`${root}data/${storage.key}`);
    if (entry === undefined) throw unusable(path, `an entry data/${storage.key}`, 'none');
    if (entry.bytes !== storageBytes(storage)) {
      throw unusable(path, `${storageBytes(storage)} bytes in data/${storage.key}`, `${entry.bytes}`);
    }
    assertPlain(file, entry);
    return entry;
  };
  const tensors = collectTensors(path, value);
  for (const { storage } of tensors.values()) find(storage);
  return new PytorchFile(file, tensors, (storage) => {
    const entry = find(storage);
    if (!verified.has(storage.key)) verifyEntry(file, entry);
    verified.add(storage.key);
    return contentsOffset(file, entry);
  });
}

function openStream(file: RandomAccessFile): PytorchFile {
  const { path } = file;
  const head = file.read(0, Math.min(file.size, MAX_PICKLE_BYTES));
  const host = createTensorHost(path);
  const magic = readPickle(head, host);
  if (magic.value !== LEGACY_MAGIC) throw unusable(path, 'a PyTorch checkpoint', 'another pickle');
  const protocol = readPickle(head, host, magic.end);
  if (protocol.value !== LEGACY_PROTOCOL)
    throw unusable(path, `protocol ${LEGACY_PROTOCOL}`, String(protocol.value));
  const system = readPickle(head, host, protocol.end);
  if (system.value instanceof Map && system.value.get('little_endian') === false) {
    throw unusable(path, 'little-endian numbers', 'others');
  }
  const root = readPickle(head, host, system.end);
  const tensors = collectTensors(path, root.value);
  const keys = readPickle(head, host, root.end);
  if (!Array.isArray(keys.value)) throw unusable(path, 'a list of storages', 'none');

  // The storages follow each other, each behind its number of elements; only the pickle knows their types.
  const offsets = new Map<string, number>();
  let at = keys.end;
  for (const key of keys.value) {
    const storage = host.storages.get(String(key));
    const other = host.others.get(String(key));
    const expected = storage?.elements ?? other?.elements;
    if (expected === undefined) throw unusable(path, `a tensor of storage ${key}`, 'none');
    const elements = Number(new DataView(file.read(at, 8).buffer).getBigInt64(0, true));
    if (elements !== expected) {
      throw unusable(path, `${expected} elements in storage ${key}`, `${elements}`);
    }
    if (storage !== undefined) offsets.set(storage.key, at + 8);
    at += 8 + (storage === undefined ? expected * other!.size : storageBytes(storage));
  }
  if (at > file.size) throw unusable(path, `${at} bytes`, `${file.size}; the file was cut`);
  for (const key of host.storages.keys()) {
    if (!offsets.has(key)) throw unusable(path, `storage ${key}`, 'none');
  }
  return new PytorchFile(file, tensors, (storage) => offsets.get(storage.key)!);
}

/** An open checkpoint. */
class PytorchFile implements WeightFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>> = {};
  readonly #file: RandomAccessFile;
  readonly #tensors: ReadonlyMap<string, TensorView>;
  readonly #locate: LocateStorage;

  constructor(file: RandomAccessFile, tensors: ReadonlyMap<string, TensorView>, locate: LocateStorage) {
    this.path = file.path;
    this.#file = file;
    this.#tensors = tensors;
    this.#locate = locate;
  }

  keys(): Iterable<string> {
    return this.#tensors.keys();
  }

  has(key: string): boolean {
    return this.#tensors.has(key);
  }

  info(key: string): WeightInfo {
    const { dims, storage } = this.#view(key);
    return { dims, dtype: storage.dtype };
  }

  read(key: string): Tensor {
    const view = this.#view(key);
    const { storage, offset, dims, span } = view;
    const size = ELEMENT_BYTES[storage.dtype]!;
    let start: number;
    try {
      start = this.#locate(storage);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      throw new ModelError(`Cannot read weight ${key}: ${error.message}`, this.path, { cause: error });
    }
    const bytes = this.#file.read(start + offset * size, span * size);
    const elements = DECODERS[storage.dtype]!(bytes.buffer);
    return { data: view.contiguous ? elements : gather(elements, view), dims };
  }

  dispose(): void {
    this.#file.dispose();
  }

  #view(key: string): TensorView {
    const view = this.#tensors.get(key);
    if (view === undefined) {
      throw new ModelError(
        `Cannot read weight ${key} of ${this.path}: expected it there, got none`,
        this.path,
      );
    }
    return view;
  }
}

/** The elements of a view in row-major order, from those of its storage that it spans. */
function gather(elements: Float32Array, { dims, strides }: TensorView): Float32Array {
  const out = new Float32Array(elementCount(dims));
  const index = new Array<number>(dims.length).fill(0);
  let from = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = elements[from]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < dims[axis]!) break;
      from -= strides[axis]! * dims[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

function unusable(path: string, expected: string, got: string): ModelError {
  return new ModelError(`Cannot read ${path}: expected ${expected}, got ${got}`, path);
}
