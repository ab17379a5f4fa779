/** What the pickles of `torch.save` describe: dictionaries of tensors that are views of storages. */
import { ModelError } from '../errors.ts';
import { elementCount } from '../tensor/tensor.ts';
import { ELEMENT_BYTES } from './element-types.ts';
import { PickleGlobal, type PickleHost, PickleTuple } from './pickle.ts';

/** A run of elements in the file, as a pickle names it. */
export interface StorageName {
  readonly key: string;
  /** As safetensors call it, e.g. `F32`. */
  readonly dtype: string;
  readonly elements: number;
}

/** A tensor: a view of a storage. */
export class TensorView {
  readonly storage: StorageName;
  /** Elements before the first. */
  readonly offset: number;
  readonly dims: readonly number[];
  /** Elements from one index to the next, for each axis. */
  readonly strides: readonly number[];

  constructor(storage: StorageName, offset: number, dims: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.dims = dims;
    this.strides = strides;
  }

  /** Elements of the storage from the first to the last that the tensor has; 0 for an empty one. */
  get span(): number {
    if (this.dims.includes(0)) return 0;
    return this.dims.reduce((last, dim, axis) => last + (dim - 1) * this.strides[axis]!, 0) + 1;
  }

  get contiguous(): boolean {
    let expected = 1;
    for (let axis = this.dims.length - 1; axis >= 0; axis--) {
      if (this.dims[axis] !== 1 && this.strides[axis] !== expected) return false;
      expected *= this.dims[axis]!;
    }
    return true;
  }
}

/** Element types of PyTorch's storages. */
const STORAGE_TYPES: Readonly<Record<string, string>> = {
  Double: 'F64',
  Float: 'F32',
  Half: 'F16',
  BFloat16: 'BF16',
  Long: 'I64',
  Int: 'I32',
  Short: 'I16',
  Char: 'I8',
  Byte: 'U8',
  Bool: 'BOOL',
};
const STORAGE = /^torch\.(?:cuda\.)?([A-Z]\w*)Storage$/;
const REBUILD_TENSOR = 'torch._utils._rebuild_tensor_v2';
const REBUILD_PARAMETER = 'torch._utils._rebuild_parameter';
const ORDERED_DICT = 'collections.OrderedDict';

/** More elements than any weight has; a view that repeats one element could ask for any number. */
const MAX_ELEMENTS = 2 ** 31;

/** A host that remembers the storages that pickles name. */
interface TensorHost extends PickleHost {
  readonly storages: ReadonlyMap<string, StorageName>;
}

/** The host of the pickles in the file at `path`. */
export function createTensorHost(path: string): TensorHost {
  const storages = new Map<string, StorageName>();
  return {
    path,
    storages,
    allows: (name) =>
      [REBUILD_TENSOR, REBUILD_PARAMETER, ORDERED_DICT].includes(name) || storageType(name) !== undefined,
    reduce(name, args) {
      if (name === ORDERED_DICT) return orderedDictionary(args);
      if (name === REBUILD_PARAMETER) return args[0] instanceof TensorView ? args[0] : undefined;
      return name === REBUILD_TENSOR ? rebuildTensor(path, args) : undefined;
    },
    load: (identity) => {
      if (!(identity instanceof PickleTuple)) return undefined;
      const [kind, type, key, , elements, view] = identity.items;
      if (kind !== 'storage' || !(type instanceof PickleGlobal) || typeof key !== 'string') return undefined;
      const dtype = storageType(type.name);
      // Views of storages were written by versions before 0.4 only.
      if (dtype === undefined || !isCount(elements) || (view ?? null) !== null) return undefined;
      const known = storages.get(key);
      if (known !== undefined && (known.dtype !== dtype || known.elements !== elements)) return undefined;
      const storage = known ?? { key, dtype, elements };
      storages.set(key, storage);
      return storage;
    },
  };
}

function storageType(name: string): string | undefined {
  const type = STORAGE.exec(name)?.[1];
  return type !== undefined && Object.hasOwn(STORAGE_TYPES, type) ? STORAGE_TYPES[type] : undefined;
}

function orderedDictionary(args: readonly unknown[]): Map<unknown, unknown> | undefined {
  const [items = []] = args;
  if (!Array.isArray(items) || args.length > 1) return undefined;
  const dictionary = new Map<unknown, unknown>();
  for (const item of items) {
    const pair = item instanceof PickleTuple ? item.items : item;
    if (!Array.isArray(pair) || pair.length !== 2) return undefined;
    dictionary.set(pair[0], pair[1]);
  }
  return dictionary;
}

function rebuildTensor(path: string, args: readonly unknown[]): TensorView | undefined {
  const [storage, offset, dims, strides] = args;
  if (!isStorage(storage) || !isCount(offset) || !isCounts(dims) || !isCounts(strides)) return undefined;
  if (dims.items.length !== strides.items.length) return undefined;
  const view = new TensorView(storage, offset, dims.items, strides.items);
  if (offset + view.span > storage.elements || elementCount(view.dims) > MAX_ELEMENTS) {
    throw new ModelError(
      `Cannot read ${path}: expected a tensor inside storage ${storage.key} of ${storage.elements} elements, got shape ` +
        `[${view.dims.join(', ')}] with strides [${view.strides.join(', ')}] from ${offset} on`,
      path,
    );
  }
  return view;
}

function isStorage(value: unknown): value is StorageName {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'elements' in value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is PickleTuple & { readonly items: readonly number[] } {
  return value instanceof PickleTuple && value.items.every(isCount);
}

/** Bytes of a storage in the file. */
export function storageBytes({ dtype, elements }: StorageName): number {
  return elements * ELEMENT_BYTES[dtype]!;
}

/** What training programs call the dictionary of weights among their other things. */
const WRAPPERS = ['state_dict', 'model_state_dict', 'model', 'module', 'params_ema', 'params', 'unet'];
const MAX_DEPTH = 16;
const MAX_TENSORS = 1_000_000;

/**
 * The tensors of a checkpoint by name. A dictionary of weights that lies in another with optimiser states and the like is
 * taken out of it; other nested dictionaries give names with dots.
 *
 * @throws {@link ModelError} if there are none.
 */
export function collectTensors(path: string, root: unknown): Map<string, TensorView> {
  const tensors = new Map<string, TensorView>();
  const fail = (got: string): ModelError =>
    new ModelError(`Cannot read ${path}: expected a dictionary of tensors, got ${got}`, path);
  const visit = (value: unknown, prefix: string, depth: number): void => {
    if (value instanceof TensorView) {
      if (tensors.size === MAX_TENSORS) throw fail(`more than ${MAX_TENSORS}`);
      tensors.set(prefix, value);
    } else if (value instanceof Map) {
      if (depth === MAX_DEPTH) throw fail('dictionaries that lie too deep in each other');
      for (const [key, item] of value) {
        if (typeof key === 'string' || typeof key === 'number') {
          visit(item, prefix === '' ? `${key}` : `${prefix}.${key}`, depth + 1);
        }
      }
    }
  };
  visit(unwrap(root), '', 0);
  if (tensors.size === 0) throw fail('none');
  return tensors;
}

function unwrap(root: unknown): unknown {
  let value = root;
  for (let depth = 0; depth < MAX_DEPTH && value instanceof Map; depth++) {
    const dictionary: Map<unknown, unknown> = value;
    const wrapper = WRAPPERS.find((name) => {
      const inner = dictionary.get(name);
      return (
        inner instanceof Map &&
        [...inner.values()].some((item) => item instanceof TensorView || item instanceof Map)
      );
    });
    if (wrapper === undefined) break;
    value = dictionary.get(wrapper);
  }
  return value;
}
