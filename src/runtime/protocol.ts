/** Messages between an engine and its worker thread. */
import type { Device } from './device.ts';
import type { TimeSpan } from './time-span.ts';

/** A float32 tensor in a message; the data is moved, never shared. */
export interface WireTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Name and shape of a network's input or output; a free dimension is -1. */
export interface TensorInfo {
  readonly name: string;
  readonly dims: readonly number[];
}

/** What a network runs on. */
export interface RunRequest {
  readonly network: number;
  readonly tensors: readonly WireTensor[];
  /** Group of further inputs, for any network. */
  readonly held: number | undefined;
}

/** An output that the worker keeps. */
export interface KeptTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly bytes: number;
}

/** What the worker is asked to do; requests are handled one after another, in the order of their arrival. */
export type Request =
  | { readonly kind: 'probe'; readonly device: Device; readonly precision: 'float32' | 'float16' }
  | { readonly kind: 'list' }
  | {
      readonly kind: 'load';
      readonly network: number;
      readonly device: Device;
      readonly threads: number | undefined;
      /** The model's bytes, or the path of its file. */
      readonly graph: Uint8Array | string;
      /** Where a model's external data lies that is given as bytes. */
      readonly dataFolder: string | undefined;
      /** Uses external data as it lies. */
      readonly asStored: boolean;
      /** Leaves what could be computed once to every run. */
      readonly keepsConstants: boolean;
      /** Takes the graph as it is. */
      readonly isOptimised: boolean;
      /** File to write the optimised graph to. */
      readonly saveTo: string | undefined;
      /** Runs while a network of another engine has all cores. */
      readonly sharesCores: boolean;
      /** Leaves its outputs on the device, if that can hold them. */
      readonly keepsOutputs: boolean;
      /** Path that the name of the runtime's own profile begins with; none is made without. */
      readonly profile: string | undefined;
    }
  | { readonly kind: 'take-profiles' }
  | { readonly kind: 'bind'; readonly network: number; readonly tensors: readonly WireTensor[] }
  | ({ readonly kind: 'run' } & RunRequest)
  | ({
      readonly kind: 'run-keeping';
      /** Group that the outputs become. */
      readonly keep: number;
    } & RunRequest)
  | {
      readonly kind: 'hold';
      readonly group: number;
      /** Of the networks that will read it. */
      readonly device: Device;
      readonly tensors: readonly WireTensor[];
    }
  | {
      /** Looks for a kept output that is not finite. */
      readonly kind: 'find-non-finite';
      readonly group: number;
    }
  | { readonly kind: 'take-copies' }
  | { readonly kind: 'drop'; readonly groups: readonly number[] }
  | { readonly kind: 'release'; readonly network: number };

/** What a network that was loaded with `profile` has done. */
export interface SessionProfile {
  readonly network: number;
  readonly load: TimeSpan;
  readonly runs: readonly TimeSpan[];
}

/** Tensors that went one way between ordinary memory and a device. */
interface CopyCount {
  readonly count: number;
  readonly bytes: number;
}

/** What went between ordinary memory and a device other than the CPU. */
export interface Copies {
  readonly toDevice: CopyCount;
  readonly fromDevice: CopyCount;
}

/** What a request of each kind is answered with. */
export interface Results {
  readonly probe: undefined;
  readonly list: readonly { readonly name: string; readonly bundled: boolean }[];
  readonly load: { readonly inputs: readonly TensorInfo[]; readonly outputs: readonly TensorInfo[] };
  readonly 'take-profiles': readonly SessionProfile[];
  readonly 'take-copies': Copies;
  readonly bind: undefined;
  readonly hold: undefined;
  readonly drop: undefined;
  readonly run: readonly WireTensor[];
  readonly 'run-keeping': readonly KeptTensor[];
  /** Its name. */
  readonly 'find-non-finite': string | undefined;
  readonly release: undefined;
}
