/**
 * Eight-bit floats, as weights are stored to save space.
 *
 * Source: Micikevicius et al. 2022, arXiv:2209.05433, table 1; `float8_e4m3fn` and `float8_e5m2` of PyTorch.
 */

/** Which eight-bit float, as safetensors call them. */
type Float8Type = 'F8_E4M3' | 'F8_E5M2';

/** Bits of the fraction; the sign has one, the exponent the rest. */
const FRACTION_BITS: Readonly<Record<Float8Type, number>> = { F8_E4M3: 3, F8_E5M2: 2 };

const tables: Partial<Record<Float8Type, Float32Array>> = {};

/** The numbers that bytes stand for; each is a float32 exactly. */
export function decodeFloat8(bytes: Uint8Array, type: Float8Type): Float32Array {
  tables[type] ??= Float32Array.from({ length: 256 }, (_, byte) => numberOf(byte, type));
  const table = tables[type];
  const values = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) values[i] = table[bytes[i]!]!;
  return values;
}

function numberOf(byte: number, type: Float8Type): number {
  const fractionBits = FRACTION_BITS[type];
  const exponentBits = 7 - fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = (byte & 0x7f) >> fractionBits;
  const fraction = (byte & ((1 << fractionBits) - 1)) / 2 ** fractionBits;
  if (exponent === 2 ** exponentBits - 1) {
    // E5M2 has infinities, as larger floats do; E4M3 has none, and only the last of these patterns is no number.
    if (type === 'F8_E5M2') return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    if ((byte & 0x7f) === 0x7f) return Number.NaN;
  }
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}
