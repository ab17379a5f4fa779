/**
 * The worker thread that owns ONNX Runtime's sessions. `create` and `run` block the thread that calls them, so they
 * are called here; the main thread only sends messages. The worker ends by the message `close`: ending it from outside
 * while a network runs would abort the whole process.
 */
import { cpus } from 'node:os';
import type * as ort from 'onnxruntime-node';
import { collectGarbage } from './collect-garbage.ts';
import { type Device, HOLDING_DEVICES } from './device.ts';
import { float32Data, halfInputs, isWhollyFinite, tensorBytes, withElements } from './element-types.ts';
import { freeMemory } from './free-memory.ts';
import { onnxRuntime } from './onnx-runtime.ts';
import { PROBE_EXPECTED, PROBE_INPUT, probeModel } from './probe-model.ts';
import type {
  Copies,
  Request,
  Results,
  RunRequest,
  SessionProfile,
  TensorInfo,
  WireTensor,
} from './protocol.ts';
import { freeTensor, ON_DEVICE, ResidentTensors } from './resident-tensors.ts';
import { serveThread } from './thread-server.ts';
import { monotonicNow, type TimeSpan } from './time-span.ts';
import { usableCores } from './usable-cores.ts';

interface Loaded {
  readonly session: ort.InferenceSession;
  readonly device: Device;
  /** Names of the inputs that are not float32. */
  readonly halfInputs: ReadonlySet<string>;
  readonly bound: Map<string, ort.Tensor>;
  /** Where runs are noted, if they are. */
  runs?: TimeSpan[] | undefined;
}

type NamedTensor = [name: string, value: ort.Tensor];

/** Whether the thread may still hold the arrays of graphs that it has opened. */
let holdsGraphs = false;
const networks = new Map<number, Loaded>();
const profiles: SessionProfile[] = [];
/** Groups of inputs that several runs share, and outputs that other networks read. */
const held = new Map<number, NamedTensor[]>();
const resident = new ResidentTensors((device) => sessionOptions({ device, threads: 1 }));
const copies = { toDevice: { count: 0, bytes: 0 }, fromDevice: { count: 0, bytes: 0 } };

// Native code prints a provider's failure to load unless this is set before the first session.
onnxRuntime.env.logLevel = 'fatal';
// From Node.js 24 on, ONNX Runtime's tensors would hold half precision in arrays of this kind, which its binding then takes for empty
// (1.30.0, “not enough space: expected 4, got 0”); without it, they hold bit patterns. It is looked for when the first is made.
Reflect.deleteProperty(globalThis, 'Float16Array');

/**
 * For weights that lie in files, which are gigabytes. They stay mapped from there, where matrix products read them as fast as
 * from a copy of their own, and the operating system can drop them; what a run needs besides them is given back after it.
 */
const MAPPED_WEIGHTS = { options: { enableCpuMemArena: false }, session: { disable_prepacking: '1' } };

/** Collecting takes some milliseconds. */
const LARGE_GRAPH_BYTES = 8e6;

function sessionOptions({
  device,
  threads,
  dataFolder,
  asStored = false,
  keepsConstants = false,
  isOptimised = false,
  saveTo,
  sharesCores = false,
  keepsOutputs = false,
}: Partial<Extract<Request, { kind: 'load' }>> & {
  readonly device: Device;
}): ort.InferenceSession.SessionOptions {
  // A plan of where tensors lie is made in the first run, and the second takes all of it in addition to what the first has used.
  const memory = device === 'cpu' && { enableMemPattern: false };
  // Other devices have copies of their own.
  const mapped = dataFolder !== undefined && device === 'cpu' ? MAPPED_WEIGHTS : undefined;
  // One level less leaves out the layout of convolutions.
  const optimisation = asStored && device === 'cpu' ? 'extended' : 'all';
  return {
    // One name only: of several, those that are missing would be dropped with a warning. What a device has no kernel
    // for runs on the CPU all the same.
    executionProviders: [device],
    graphOptimizationLevel: isOptimised ? 'disabled' : optimisation,
    ...(saveTo !== undefined && { optimizedModelFilePath: saveTo }),
    logSeverityLevel: 4,
    ...threadOptions(threads, sharesCores),
    // Threads that wait would spin, between the operators of a run too, and take the cores from who draws, encodes and decodes.
    extra: {
      session: {
        'intra_op.allow_spinning': '0',
        ...(dataFolder !== undefined && { model_external_initializers_file_folder_path: dataFolder }),
        ...mapped?.session,
      },
      ...(keepsConstants && { optimization: { disable_specified_optimizers: 'ConstantFolding' } }),
    },
    ...(keepsOutputs && HOLDING_DEVICES.has(device) && { preferredOutputLocation: ON_DEVICE }),
    ...memory,
    ...mapped?.options,
  };
}

/**
 * The runtime takes a thread for each core of the machine, whatever share of it a container may use, and binds each to a core of its own, be it one that
 * this process is kept from.
 *
 * @param threads - as the caller wants it.
 * @param sharesCores - another network has all cores at the same time: half of them are enough, and waste less on waiting.
 */
function threadOptions(
  threads: number | undefined,
  sharesCores: boolean,
): Pick<ort.InferenceSession.SessionOptions, 'intraOpNumThreads'> {
  if (threads !== undefined) return { intraOpNumThreads: threads };
  const cores = usableCores();
  if (sharesCores) return { intraOpNumThreads: Math.max(1, Math.floor(cores / 2)) };
  return cores < cpus().length ? { intraOpNumThreads: cores } : {};
}

async function createSession(
  graph: Uint8Array | string,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  return typeof graph === 'string'
    ? onnxRuntime.InferenceSession.create(graph, options)
    : onnxRuntime.InferenceSession.create(graph, options);
}

/** Opens a three-node network on `device` and compares its result. */
async function probe(device: Device, precision: 'float32' | 'float16'): Promise<void> {
  const session = await createSession(probeModel(precision), sessionOptions({ device, threads: 1 }));
  try {
    const { y } = await session.run({ x: new onnxRuntime.Tensor('float32', PROBE_INPUT, [1, 1, 2, 2]) });
    const values = Array.from(y!.data as Float32Array);
    if (values.some((value, i) => !(Math.abs(value - PROBE_EXPECTED[i]!) < 1e-3))) {
      throw new Error(`the test network returned ${values}, expected ${PROBE_EXPECTED}`);
    }
  } finally {
    await session.release();
  }
}

function describe(metadata: readonly ort.InferenceSession.ValueMetadata[]): TensorInfo[] {
  return metadata.map((value) => ({
    name: value.name,
    dims: value.isTensor ? value.shape.map((dim) => (typeof dim === 'number' ? dim : -1)) : [],
  }));
}

/** Tensors that more than one run reads, where a device reads them fastest. */
async function place(tensors: Iterable<NamedTensor>, device: Device): Promise<NamedTensor[]> {
  const placed: NamedTensor[] = [];
  for (const [name, tensor] of tensors) {
    const there = await resident.place(tensor, device);
    if (there !== tensor) countCopies('toDevice', [tensor], device);
    placed.push([name, there]);
  }
  return placed;
}

/** Notes tensors in ordinary memory that a device other than the CPU reads or writes. */
function countCopies(direction: keyof Copies, tensors: Iterable<ort.Tensor>, device: Device): void {
  if (device === 'cpu') return;
  const counted = copies[direction];
  for (const tensor of tensors) {
    // Reading the data of one on a device is an error.
    if (tensor.location !== 'cpu') continue;
    counted.count += 1;
    counted.bytes += tensorBytes(tensor);
  }
}

function toOrtTensors(tensors: readonly WireTensor[]): NamedTensor[] {
  return tensors.map(({ name, data, dims }) => [name, new onnxRuntime.Tensor('float32', data, dims)]);
}

/** Tensors in the element types of a network's inputs. */
function fit(tensors: readonly NamedTensor[], { halfInputs }: Loaded): NamedTensor[] {
  return tensors.map(([name, tensor]) => [
    name,
    withElements(tensor, halfInputs.has(name) ? 'float16' : 'float32'),
  ]);
}

function find(network: number): Loaded {
  const loaded = networks.get(network);
  if (loaded === undefined) throw new Error('the network was disposed of');
  return loaded;
}

function findGroup(group: number, loaded: Loaded): NamedTensor[] {
  const tensors = held.get(group);
  if (tensors === undefined) throw new Error('tensors that it should read were released');
  // Kept as it is read: the next run finds them so.
  const fitting = fit(tensors, loaded);
  held.set(group, fitting);
  return fitting;
}

/** Runs a network on what is bound to it, what runs share, and its own inputs. */
async function run(request: RunRequest): Promise<NamedTensor[]> {
  const loaded = find(request.network);
  const { session, device, bound, runs } = loaded;
  const shared = request.held === undefined ? [] : findGroup(request.held, loaded);
  const own = fit(toOrtTensors(request.tensors), loaded);
  const feeds = Object.fromEntries([...bound, ...shared, ...own]);
  const begin = runs && monotonicNow();
  const outputs = await session.run(feeds);
  if (begin !== undefined) runs?.push({ begin, end: monotonicNow() });
  countCopies('toDevice', Object.values(feeds), device);
  countCopies('fromDevice', Object.values(outputs), device);
  return Object.entries(outputs);
}

function loadedOn(device: Device, session: ort.InferenceSession): Loaded {
  return { session, device, halfInputs: halfInputs(session), bound: new Map() };
}

async function handle(request: Request): Promise<Results[keyof Results]> {
  switch (request.kind) {
    case 'probe':
      await probe(request.device, request.precision);
      return undefined;
    case 'list':
      return onnxRuntime.listSupportedBackends().map(({ name, bundled }) => ({ name, bundled }));
    case 'load': {
      const { network, profile } = request;
      holdsGraphs ||= typeof request.graph !== 'string' && request.graph.length >= LARGE_GRAPH_BYTES;
      const options = sessionOptions(request);
      if (profile === undefined) {
        const session = await createSession(request.graph, options);
        networks.set(network, loadedOn(request.device, session));
      } else {
        await loadProfiled(network, request.device, request.graph, {
          ...options,
          enableProfiling: true,
          profileFilePrefix: profile,
        });
      }
      const { session } = find(network);
      return { inputs: describe(session.inputMetadata), outputs: describe(session.outputMetadata) };
    }
    case 'bind': {
      // The request that opened the network has been forgotten.
      if (holdsGraphs) collectGarbage();
      holdsGraphs = false;
      const loaded = find(request.network);
      const { bound, device } = loaded;
      for (const [name, value] of await place(fit(toOrtTensors(request.tensors), loaded), device)) {
        const before = bound.get(name);
        if (before !== undefined) freeTensor(before);
        bound.set(name, value);
      }
      return undefined;
    }
    case 'hold':
      held.set(request.group, await place(toOrtTensors(request.tensors), request.device));
      return undefined;
    case 'drop':
      for (const group of request.groups) {
        for (const [, tensor] of held.get(group) ?? []) freeTensor(tensor);
        held.delete(group);
      }
      return undefined;
    case 'take-copies': {
      const { toDevice, fromDevice } = copies;
      const taken = { toDevice: { ...toDevice }, fromDevice: { ...fromDevice } };
      for (const direction of [toDevice, fromDevice]) Object.assign(direction, { count: 0, bytes: 0 });
      return taken;
    }
    case 'run': {
      const outputs = await run(request);
      if (find(request.network).device === 'cpu') freeMemory(request.tensors.map(({ data }) => data));
      return outputs.map(([name, tensor]) => ({ name, dims: [...tensor.dims], data: float32Data(tensor) }));
    }
    case 'run-keeping': {
      const outputs = await run(request);
      held.set(request.keep, outputs);
      return outputs.map(([name, tensor]) => ({ name, dims: [...tensor.dims], bytes: tensorBytes(tensor) }));
    }
    case 'find-non-finite':
      // Reading the data of one on a device is an error.
      return held
        .get(request.group)
        ?.find(([, tensor]) => tensor.location === 'cpu' && !isWhollyFinite(tensor))?.[0];
    case 'take-profiles':
      for (const loaded of networks.values()) endProfile(loaded);
      return profiles.splice(0);
    case 'release':
      await release(request.network);
      return undefined;
  }
}

async function loadProfiled(
  network: number,
  device: Device,
  graph: Uint8Array | string,
  options: ort.InferenceSession.SessionOptions,
): Promise<void> {
  const begin = monotonicNow();
  const session = await createSession(graph, options);
  const runs: TimeSpan[] = [];
  profiles.push({ network, load: { begin, end: monotonicNow() }, runs });
  networks.set(network, { ...loadedOn(device, session), runs });
}

/** Completes the runtime's file. */
function endProfile(loaded: Loaded): void {
  if (loaded.runs !== undefined) loaded.session.endProfiling();
  loaded.runs = undefined;
}

async function release(network: number): Promise<void> {
  const loaded = networks.get(network);
  if (loaded !== undefined) endProfile(loaded);
  for (const tensor of loaded?.bound.values() ?? []) freeTensor(tensor);
  await loaded?.session.release();
  networks.delete(network);
}

function buffersOf(result: Results[keyof Results]): ArrayBuffer[] {
  if (!Array.isArray(result)) return [];
  return result.flatMap((item: object) =>
    'data' in item && item.data instanceof Float32Array ? [item.data.buffer as ArrayBuffer] : [],
  );
}

serveThread<Request>({
  // A session is not released while it runs, and answers keep the order of requests.
  order: 'one-by-one',
  handle: async (request) => {
    const result = await handle(request);
    return { result, transfer: buffersOf(result) };
  },
  dispose: async () => {
    for (const network of [...networks.keys()]) await release(network);
    for (const [, tensor] of [...held.values()].flat()) freeTensor(tensor);
    await resident.dispose();
  },
});
