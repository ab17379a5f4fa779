/**
 * Half-precision numbers as bit patterns: IEEE 754 binary16 (`F16`) and bfloat16 (`BF16`), rounded to nearest, ties to
 * even.
 *
 * Source: IEEE 754-2019, sections 3.6 and 4.3.1.
 */

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** Element types that hold a number in 16 bits. */
export type HalfType = 'F16' | 'BF16';

/** Rounds to bit patterns of a half type; too large becomes infinite, NaN stays NaN. */
export function encodeHalf(values: Float32Array, type: HalfType): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  const encode = type === 'F16' ? encodeFloat16Bits : encodeBfloat16Bits;
  for (let i = 0; i < out.length; i++) out[i] = encode(source[i]!);
  return out;
}

/** The numbers of bit patterns of a half type, without loss. */
export function decodeHalf(patterns: Uint16Array, type: HalfType): Float32Array {
  const out = new Float32Array(patterns.length);
  if (type === 'BF16') {
    const target = new Uint32Array(out.buffer);
    for (let i = 0; i < out.length; i++) target[i] = patterns[i]! << 16;
    return out;
  }
  const table = float16Table();
  for (let i = 0; i < out.length; i++) out[i] = table[patterns[i]!]!;
  return out;
}

function encodeFloat16Bits(float32: number): number {
  const sign = (float32 >>> 16) & 0x8000;
  const magnitude = float32 & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // From 65520 on, numbers round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 aligns the mantissa to steps of 2⁻²⁴, and the addition itself rounds.
    bits[0] = magnitude;
    value[0] = value[0]! + 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  // Exponent bias 127 to 15; the carry of rounding runs into the exponent as it should.
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

function encodeBfloat16Bits(float32: number): number {
  if ((float32 & 0x7fffffff) > 0x7f800000) return (float32 >>> 16) | 0x40;
  const odd = (float32 >>> 16) & 1;
  return ((float32 + 0x7fff + odd) >>> 16) & 0xffff;
}

let decoded: Float32Array | undefined;

/** The number of each of the 65,536 patterns: a look-up is several times faster than arithmetic. */
function float16Table(): Float32Array {
  if (decoded !== undefined) return decoded;
  decoded = new Float32Array(0x10000);
  for (let pattern = 0; pattern < decoded.length; pattern++) {
    const sign = pattern & 0x8000 ? -1 : 1;
    const exponent = (pattern >>> 10) & 0x1f;
    const mantissa = pattern & 0x3ff;
    if (exponent === 0x1f) decoded[pattern] = mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) decoded[pattern] = sign * mantissa * 2 ** -24;
    else decoded[pattern] = sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
  }
  return decoded;
}
