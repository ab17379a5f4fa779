/** Tensors in the element type that a network's input has, and their bytes; networks exchange float32 and half precision. */
import type * as ort from 'onnxruntime-node';
import { decodeHalf, encodeHalf } from '../tensor/float16.ts';
import { elementCount } from '../tensor/tensor.ts';
import { onnxRuntime } from './onnx-runtime.ts';

/** Names of half-precision inputs; all others are float32. */
export function halfInputs(session: ort.InferenceSession): ReadonlySet<string> {
  return new Set(
    session.inputMetadata.flatMap((input) =>
      input.isTensor && input.type === 'float16' ? [input.name] : [],
    ),
  );
}

/** A float32 or half-precision tensor as the other; `tensor` itself where it is what is wanted. */
export function withElements(tensor: ort.Tensor, type: 'float32' | 'float16'): ort.Tensor {
  if (tensor.type === type) return tensor;
  if (type === 'float32') return new onnxRuntime.Tensor('float32', float32Data(tensor), tensor.dims);
  return new onnxRuntime.Tensor('float16', encodeHalf(tensor.data as Float32Array, 'F16'), tensor.dims);
}

/** The numbers of a tensor in ordinary memory; those of float32 are not copied. */
export function float32Data({ data }: ort.Tensor): Float32Array {
  if (data instanceof Float32Array) return data;
  // Bit patterns of half precision, where Node.js has no array for it.
  if (data instanceof Uint16Array) return decodeHalf(data, 'F16');
  return Float32Array.from(data as ArrayLike<number>, Number);
}

/** All bits of a number's exponent are set in infinities and NaN, and in nothing else. */
const HALF_EXPONENT = 0x7c00;

/** Whether a tensor in ordinary memory has neither NaN nor infinity. */
export function isWhollyFinite({ data }: ort.Tensor): boolean {
  if (data instanceof Uint16Array) return data.every((bits) => (bits & HALF_EXPONENT) !== HALF_EXPONENT);
  return (data as Float32Array).every((value) => Number.isFinite(value));
}

/** Bytes of a float32 or half-precision tensor, wherever it is. */
export function tensorBytes({ type, dims }: ort.Tensor): number {
  return (type === 'float16' ? 2 : 4) * elementCount(dims);
}
