/**
 * Reads what ONNX Runtime's profiler wrote of one session: every operator of every run, with its shapes.
 *
 * Source: the profiler's JSON of onnxruntime 1.30, one event a line; times in microseconds since the session's start.
 */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { TimeSpan } from '../runtime/time-span.ts';

type Dims = readonly number[];

/** What of an event is used. */
interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: Readonly<Record<string, unknown>>;
}

/** One operator as it ran. */
interface OperatorRun {
  /** The node's name, after the engine's own changes to the graph. */
  readonly name: string;
  readonly operator: string;
  /** Milliseconds since the session's start, and from begin to end. */
  readonly begin: number;
  readonly duration: number;
  readonly shapes: string;
}

/** All calls of an operator with the same shapes. */
export interface OperatorGroup {
  readonly operator: string;
  /** Inputs, an arrow, outputs: `12x64x32x32 64x64x3x3 64 → 12x64x32x32`. */
  readonly shapes: string;
  readonly calls: number;
  readonly seconds: number;
  /** Multiplications and additions of all calls, as executed: blocked layouts fill channels up, and multiply by zeros. */
  readonly flops: number;
  /** Weights and activations that all calls read and write, were nothing kept in caches. */
  readonly bytes: number;
}

/** Nodes of one operator that run in one place. */
export interface NodePlacement {
  /** The runtime's provider without its ending, in small letters: `cpu`, `cuda`, `webgpu`. */
  readonly provider: string;
  readonly operator: string;
  readonly nodes: number;
}

/** A session's profile. */
export interface SessionOperators {
  /** Milliseconds since the session's start. */
  readonly runs: readonly TimeSpan[];
  /** The most expensive first. */
  readonly groups: readonly OperatorGroup[];
  /** In their order, at most as many as were asked for. */
  readonly operators: readonly OperatorRun[];
  /** By provider and operator, the most nodes first. */
  readonly placements: readonly NodePlacement[];
}

/** Operators that hand their input on as it is. */
const FREE: ReadonlySet<string> = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity']);

const product = (dims: Dims): number => dims.reduce((all, dim) => all * dim, 1);

/**
 * Multiplications and additions of one call; 0 for operators that only move or map elements, and where the engine has
 * taken the weights away and does not tell their shape.
 */
export function operatorFlops(operator: string, inputs: readonly Dims[], outputs: readonly Dims[]): number {
  const [x, y, output] = [inputs[0], inputs[1], outputs[0]];
  if (x === undefined || output === undefined) return 0;
  switch (operator) {
    case 'Conv':
    case 'FusedConv':
    case 'QLinearConv':
    case 'ConvInteger': {
      const kernel = inputs.slice(1).find((dims) => dims.length === x.length);
      return kernel === undefined ? 0 : 2 * product(output) * product(kernel.slice(1));
    }
    case 'ConvTranspose':
      return y === undefined ? 0 : 2 * product(x) * product(y.slice(1));
    case 'Gemm':
    case 'FusedGemm':
    case 'QGemm':
    case 'MatMul':
    case 'FusedMatMul':
    case 'MatMulInteger':
    case 'MatMulIntegerToFloat':
    case 'DynamicQuantizeMatMul':
    case 'QLinearMatMul':
      return 2 * product(output) * x.at(-1)!;
    case 'Attention':
    case 'MultiHeadAttention':
      // Scores and their mixture of values; [count, queries, channels] or [count, heads, queries, channels].
      return y === undefined ? 0 : 4 * product(x) * y.at(-2)!;
    default:
      return 0;
  }
}

function operatorBytes(
  operator: string,
  inputs: readonly Dims[],
  outputs: readonly Dims[],
  reported: number,
): number {
  if (FREE.has(operator)) return 0;
  // Matrices that the engine keeps in an order of its own are not among the inputs that it tells.
  const hidden =
    (operator === 'Gemm' || operator === 'MatMul') && !inputs.slice(1).some(({ length }) => length >= 2);
  const matrix = hidden ? 4 * inputs[0]!.at(-1)! * outputs[0]!.at(-1)! : 0;
  return reported + matrix;
}

function dimsOf(shapes: unknown): Dims[] {
  return ((shapes ?? []) as Readonly<Record<string, Dims>>[]).flatMap((shape) => Object.values(shape));
}

function text(dims: readonly Dims[]): string {
  return dims
    .filter(({ length }) => length > 0)
    .map((shape) => shape.join('x'))
    .join(' ');
}

/** The events of a file, which may be larger than a string can be. */
async function* readEvents(file: string): AsyncGenerator<ProfileEvent> {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const json = line.trim().replace(/,$/, '');
    if (json.startsWith('{')) yield JSON.parse(json) as ProfileEvent;
  }
}

/** The file that the profiler has made of a prefix: it adds the time of day. */
async function findFile(prefix: string): Promise<string> {
  const { dir, base } = path.parse(prefix);
  const name = (await readdir(dir)).find((file) => file.startsWith(`${base}_`) && file.endsWith('.json'));
  if (name === undefined) throw new Error(`ONNX Runtime has written no profile ${prefix}`);
  return path.join(dir, name);
}

/**
 * Reads the file that begins with `prefix`.
 *
 * @param maxOperators - calls that are kept one by one; groups count all.
 */
export async function readOperatorProfile(prefix: string, maxOperators: number): Promise<SessionOperators> {
  const runs: TimeSpan[] = [];
  const operators: OperatorRun[] = [];
  const groups = new Map<string, { -readonly [K in keyof OperatorGroup]: OperatorGroup[K] }>();
  const placed = new Map<
    string,
    { readonly provider: string; readonly operator: string; readonly names: Set<string> }
  >();
  for await (const { cat, name, ts, dur, args } of readEvents(await findFile(prefix))) {
    if (cat === 'Session' && name === 'model_run') runs.push({ begin: ts / 1e3, end: (ts + dur) / 1e3 });
    if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue;
    const operator = String(args.op_name);
    const [inputs, outputs] = [dimsOf(args.input_type_shape), dimsOf(args.output_type_shape)];
    const shapes = `${text(inputs)} → ${text(outputs)}`;
    const provider = String(args.provider)
      .replace(/ExecutionProvider$/, '')
      .toLowerCase();
    const place = placed.get(`${provider} ${operator}`) ?? { provider, operator, names: new Set() };
    placed.set(`${provider} ${operator}`, place);
    // Every run has all nodes.
    place.names.add(name);
    if (operators.length < maxOperators) {
      const label = name.slice(0, -'_kernel_time'.length);
      operators.push({ name: label, operator, begin: ts / 1e3, duration: dur / 1e3, shapes });
    }
    const key = `${operator} ${shapes}`;
    const group = groups.get(key) ?? { operator, shapes, calls: 0, seconds: 0, flops: 0, bytes: 0 };
    groups.set(key, group);
    const reported = Number(args.activation_size) + Number(args.parameter_size) + Number(args.output_size);
    group.calls += 1;
    group.seconds += dur / 1e6;
    group.flops += operatorFlops(operator, inputs, outputs);
    group.bytes += operatorBytes(operator, inputs, outputs, reported);
  }
  const placements = Array.from(placed.values(), ({ names, ...place }) => ({ ...place, nodes: names.size }));
  return {
    runs,
    groups: [...groups.values()].sort((a, b) => b.seconds - a.seconds),
    operators,
    placements: placements.sort((a, b) => b.nodes - a.nodes),
  };
}

/**
 * What is to be added to the times of a session to have them on the clock of the calling thread: each of its runs lies
 * within the caller's.
 */
export function clockOffset(session: readonly TimeSpan[], caller: readonly TimeSpan[]): number {
  let [least, most] = [-Infinity, Infinity];
  for (let i = 0; i < Math.min(session.length, caller.length); i++) {
    least = Math.max(least, caller[i]!.begin - session[i]!.begin);
    most = Math.min(most, caller[i]!.end - session[i]!.end);
  }
  return (least + most) / 2;
}
