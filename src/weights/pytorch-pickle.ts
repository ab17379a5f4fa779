/** What the pickles of `torch.save` describe: dictionaries of tensors that are views of storages. */
import { ModelError } from '../errors.ts';
import { elementCount } from '../tensor/tensor.ts';
import { ELEMENT_BYTES } from './element-types.ts';
import type { PickleHost } from './pickle.ts';
import { PickleGlobal, PickleObject, PickleTuple } from './pickle-values.ts';

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
/** Bytes of elements that are of no use as weights, but lie between those that are. */
const OTHER_BYTES: Readonly<Record<string, number>> = {
  ComplexFloat: 8,
  ComplexDouble: 16,
  QInt8: 1,
  QUInt8: 1,
  QInt32: 4,
};
const STORAGE = /^torch\.(?:cuda\.|storage\.)?([A-Z]\w*)Storage$/;
/** Bytes whose type is with the tensor. */
const UNTYPED = 'Untyped';
/** Element types that tensors name. */
const TENSOR_TYPES: Readonly<Record<string, string>> = {
  'torch.float64': 'F64',
  'torch.float32': 'F32',
  'torch.float16': 'F16',
  'torch.bfloat16': 'BF16',
  'torch.float8_e4m3fn': 'F8_E4M3',
  'torch.float8_e5m2': 'F8_E5M2',
  'torch.uint64': 'U64',
  'torch.uint32': 'U32',
  'torch.uint16': 'U16',
  'torch.int64': 'I64',
  'torch.int32': 'I32',
  'torch.int16': 'I16',
  'torch.int8': 'I8',
  'torch.uint8': 'U8',
  'torch.bool': 'BOOL',
};

/** More elements than any weight has. */
const MAX_ELEMENTS = 2 ** 31;
/** A view that repeats elements may have so many more than its storage: else some bytes could ask for all memory. */
const MAX_REPEATED_ELEMENTS = 2 ** 24;

/** How PyTorch rebuilds tensors, and the dictionaries that they lie in. Source: `torch/_utils.py`, `torch/_tensor.py`. */
const REDUCERS: Readonly<Record<string, (path: string, args: readonly unknown[]) => unknown>> = {
  'collections.OrderedDict': (_, args) => orderedDictionary(args),
  'collections.defaultdict': (_, args) => (args.length <= 1 ? new Map() : undefined),
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_tensor_v3': (path, args) => {
    const storage = retype(args[0], args[6]);
    if (storage instanceof PickleObject) return storage;
    return rebuildTensor(path, [storage, ...args.slice(1)]);
  },
  'torch._utils._rebuild_parameter': (_, [tensor]) => (tensor instanceof TensorView ? tensor : undefined),
  'torch._utils._rebuild_parameter_with_state': (_, [tensor]) =>
    tensor instanceof TensorView ? tensor : undefined,
  // A subclass of tensors without storage of its own: the tensor as it would have been without.
  'torch._tensor._rebuild_from_type_v2': (path, [rebuild, , args]) => {
    if (!(rebuild instanceof PickleGlobal) || !(args instanceof PickleTuple)) return undefined;
    const reducer = reducerOf(rebuild.name);
    return reducer === undefined ? new PickleObject(rebuild.name) : reducer(path, args.items);
  },
};

function reducerOf(name: string) {
  return Object.hasOwn(REDUCERS, name) ? REDUCERS[name] : undefined;
}

/** A host that remembers the storages that pickles name. */
interface TensorHost extends PickleHost {
  readonly storages: ReadonlyMap<string, StorageName>;
  /** Storages of types that are of no use here: their elements, and the bytes of one. */
  readonly others: ReadonlyMap<string, { readonly elements: number; readonly size: number }>;
}

/** The host of the pickles in the file at `path`. */
export function createTensorHost(path: string): TensorHost {
  const storages = new Map<string, StorageName>();
  const others = new Map<string, { readonly elements: number; readonly size: number }>();
  return {
    path,
    storages,
    others,
    knows: (name) => reducerOf(name) !== undefined,
    reduce: (name, args) => reducerOf(name)?.(path, args),
    load: (identity) => {
      if (!(identity instanceof PickleTuple)) return undefined;
      const [kind, type, key, , elements, view] = identity.items;
      if (kind !== 'storage' || !(type instanceof PickleGlobal) || typeof key !== 'string') return undefined;
      const dtype = storageType(type.name);
      if (dtype === undefined) {
        const size = OTHER_BYTES[STORAGE.exec(type.name)?.[1] ?? ''];
        if (size !== undefined && isCount(elements)) others.set(key, { elements, size });
        return new PickleObject(type.name);
      }
      // Views of storages were written by versions before 0.4 only.
      if (!isCount(elements) || (view ?? null) !== null) return undefined;
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
  if (type === UNTYPED) return 'U8';
  return type !== undefined && Object.hasOwn(STORAGE_TYPES, type) ? STORAGE_TYPES[type] : undefined;
}

/** A storage of bytes as elements of the type that a tensor names. */
function retype(storage: unknown, type: unknown): StorageName | PickleObject | undefined {
  if (!isStorage(storage) || !(type instanceof PickleGlobal)) return undefined;
  const dtype = Object.hasOwn(TENSOR_TYPES, type.name) ? TENSOR_TYPES[type.name] : undefined;
  if (dtype === undefined) return new PickleObject(type.name);
  const elements = storageBytes(storage) / ELEMENT_BYTES[dtype]!;
  return Number.isInteger(elements) ? { key: storage.key, dtype, elements } : undefined;
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
  const count = elementCount(view.dims);
  const repeats = count > Math.max(storage.elements, MAX_REPEATED_ELEMENTS);
  if (offset + view.span > storage.elements || count > MAX_ELEMENTS || repeats) {
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
const WRAPPERS = [
  ...['state_dict', 'model_state_dict', 'lora_state_dict', 'ema_state_dict', 'model_ema', 'model', 'module'],
  ...['params_ema', 'params', 'denoising_unet', 'unet', 'network', 'lora', 'weights'],
];
const MAX_DEPTH = 40;
const MAX_TENSORS = 1_000_000;
const MAX_NAME_LENGTH = 4096;
/** Dictionaries that are looked into: ones that hold each other many times would be without end. */
const MAX_VISITS = 4_000_000;

/**
 * The tensors of a checkpoint by name. A dictionary of weights that lies in another with optimiser states and the like is
 * taken out of it; other nested dictionaries give names with dots, and so do the modules of a network that was saved whole.
 *
 * @throws {@link ModelError} if there are none.
 */
export function collectTensors(path: string, root: unknown): Map<string, TensorView> {
  const tensors = new Map<string, TensorView>();
  const foreign = new Set<string>();
  let visits = 0;
  const fail = (got: string): ModelError =>
    new ModelError(`Cannot read ${path}: expected a dictionary of tensors, got ${got}`, path);
  const visit = (value: unknown, prefix: string, depth: number): void => {
    visits += 1;
    if (value instanceof TensorView) {
      if (tensors.size === MAX_TENSORS) throw fail(`more than ${MAX_TENSORS}`);
      if (prefix.length > MAX_NAME_LENGTH) throw fail(`names of more than ${MAX_NAME_LENGTH} characters`);
      tensors.set(prefix, value);
      return;
    }
    if (value instanceof PickleObject) foreign.add(value.name);
    const members = membersOf(value);
    if (members === undefined) return;
    if (depth === MAX_DEPTH || visits > MAX_VISITS) {
      throw fail('dictionaries that lie too deep in each other');
    }
    for (const [key, item] of members) {
      if (typeof key === 'string' || typeof key === 'number') {
        visit(item, prefix === '' ? `${key}` : `${prefix}.${key}`, depth + 1);
      }
    }
  };
  visit(unwrap(root), '', 0);
  if (tensors.size === 0) {
    const [name] = foreign;
    throw fail(
      name === undefined
        ? 'none'
        : `none next to objects such as ${printable(name)}, which are not built here; save the state dict alone`,
    );
  }
  return tensors;
}

/** What lies in a dictionary, or in a module that was saved with its class. */
function membersOf(value: unknown): Iterable<readonly [key: unknown, item: unknown]> | undefined {
  if (value instanceof Map) return value;
  if (!(value instanceof PickleObject)) return undefined;
  const { state, items } = value;
  if (state instanceof Map && state.get('_parameters') instanceof Map) {
    return ['_parameters', '_buffers', '_modules'].flatMap((kind) => {
      const members = state.get(kind);
      return members instanceof Map ? [...members] : [];
    });
  }
  return items.size > 0 ? items : undefined;
}

function unwrap(root: unknown): unknown {
  let value = root;
  for (let depth = 0; depth < MAX_DEPTH && value instanceof Map; depth++) {
    const dictionary: Map<unknown, unknown> = value;
    const wrapper = WRAPPERS.find((name) => {
      const members = membersOf(dictionary.get(name));
      return (
        members !== undefined &&
        [...members].some(([, item]) => item instanceof TensorView || membersOf(item) !== undefined)
      );
    });
    if (wrapper === undefined) break;
    value = dictionary.get(wrapper);
  }
  return value;
}

/** A name from a file, without characters that would change a terminal. */
function printable(name: string): string {
  return JSON.stringify(name.slice(0, 100)).slice(1, -1);
}
