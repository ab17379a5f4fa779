/**
 * The network that a device must run before it is used: convolution, sum and matrix product. Kept as bytes, because
 * this layer does not build graphs; test/runtime/probe-model.test.ts builds it again and compares.
 */

const PROBE_MODEL_BASE64 =
  'CAoSDGxjbS1wb3J0cmFpdDq4Ago4CgF4CgF3EgZDb252XzEaC25vZGVfQ29udl8yIgRDb252KhUKDGtlcm5lbF9zaGFwZUABQAGg' +
  'AQcKIwoGQ29udl8xCgFiEgVBZGRfMxoKbm9kZV9BZGRfNCIDQWRkCisKBUFkZF8zCgFtEghNYXRNdWxfNRoNbm9kZV9NYXRNdWxf' +
  'NiIGTWF0TXVsCigKCE1hdE11bF81EgF5Gg9ub2RlX0lkZW50aXR5XzciCElkZW50aXR5EgVwcm9iZSoTCAEIAQgBCAEQAUIBd0oE' +
  'AAAAQCoNCAEQAUIBYkoEAACAPyobCAIIAhABQgFtShAAAIA/AAAAQAAAQEAAAIBAWhsKAXgSFgoUCAESEAoCCAEKAggBCgIIAgoC' +
  'CAJiGwoBeRIWChQIARIQCgIIAQoCCAEKAggCCgIIAkIECgAQFQ==';

/** The same in half precision; input and output are float32. */
const HALF_PROBE_MODEL_BASE64 =
  'CAoSDGxjbS1wb3J0cmFpdDrfAgopCgF4EgZDYXN0XzEaC25vZGVfQ2FzdF8yIgRDYXN0KgkKAnRvGAqgAQIKPQoGQ2FzdF8xCgF3EgZD' +
  'b252XzMaC25vZGVfQ29udl80IgRDb252KhUKDGtlcm5lbF9zaGFwZUABQAGgAQcKIwoGQ29udl8zCgFiEgVBZGRfNRoKbm9kZV9BZGRf' +
  'NiIDQWRkCisKBUFkZF81CgFtEghNYXRNdWxfNxoNbm9kZV9NYXRNdWxfOCIGTWF0TXVsCisKCE1hdE11bF83EgF5Ggtub2RlX0Nhc3Rf' +
  'OSIEQ2FzdCoJCgJ0bxgBoAECEgVwcm9iZSoRCAEIAQgBCAEQCkIBd0oCAEAqCwgBEApCAWJKAgA8KhMIAggCEApCAW1KCAA8AEAAQgBE' +
  'WhsKAXgSFgoUCAESEAoCCAEKAggBCgIIAgoCCAJiGwoBeRIWChQIARIQCgIIAQoCCAEKAggCCgIIAkIECgAQFQ==';

/** The test network's ONNX file: `y = (2x + 1) · [[1, 2], [3, 4]]` for `x` of shape [1, 1, 2, 2]. */
export function probeModel(precision: 'float32' | 'float16' = 'float32'): Uint8Array {
  const text = precision === 'float32' ? PROBE_MODEL_BASE64 : HALF_PROBE_MODEL_BASE64;
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** A value for `x`. */
export const PROBE_INPUT: Float32Array = Float32Array.of(1, -1, 0.5, 2);

/** `y` for {@link PROBE_INPUT}. */
export const PROBE_EXPECTED: readonly number[] = [0, 2, 17, 24];
