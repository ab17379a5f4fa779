/**
 * Normal values as WebAssembly with 128-bit SIMD, in AssemblyScript; build-kernels.sh makes assets/kernels/noise.wasm of it. The plain
 * form is `RandomStream.fillNormal` with `Math.log`, `Math.cos` and `Math.sin`: these take the same operations in the same order as here,
 * so that all bits are equal.
 *
 * Source: fdlibm 5.3 (Sun Microsystems), `e_log.c`, `e_rem_pio2.c`, `k_sin.c` and `k_cos.c`, which V8's `Math` is made of; names of
 * constants are theirs.
 */

const GOLDEN_GAMMA: i32 = 0x9e3779b9;

/** Nearer than this to a power of two, or to a multiple of π/2, fdlibm takes other ways. */
const NEAR: f64 = 1.0 / 131072;
/** A double this large has its unit in the last of its bits: integers added to it are there. */
const INTEGERS: f64 = 4503599627370496;
const INTEGERS_BITS: i64 = 0x4330000000000000;
const EXPONENT_BIAS: f64 = 1023;
const ONE_BITS: i64 = 0x3ff0000000000000;
const EXPONENT_STEP: i64 = 0x0010000000000000;
const MANTISSA: i64 = 0x000fffffffffffff;
const HIGH_WORD: i64 = 0xffffffff00000000;

const LN2_HI: f64 = 6.93147180369123816490e-1;
const LN2_LO: f64 = 1.90821492927058770002e-10;
const LG1: f64 = 6.666666666666735130e-1;
const LG2: f64 = 3.999999999940941908e-1;
const LG3: f64 = 2.857142874366239149e-1;
const LG4: f64 = 2.222219843214978396e-1;
const LG5: f64 = 1.818357216161805012e-1;
const LG6: f64 = 1.531383769920937332e-1;
const LG7: f64 = 1.479819860511658591e-1;
/** What carries a mantissa from √2 on into the next exponent. */
const FROM_ROOT: i64 = 0x00095f6400000000;
/** Mantissas between which the square of f is subtracted by itself: 0x6147a … 0x6b851 as high words. */
const SQUARED_FROM: f64 = reinterpret<f64>(<i64>0x3ff6147a00000000);
const SQUARED_TO: f64 = reinterpret<f64>(<i64>0x3ff6b85200000000);

const INV_PIO2: f64 = 6.36619772367581382433e-1;
const PIO2_1: f64 = 1.57079632673412561417;
const PIO2_1T: f64 = 6.07710050650619224932e-11;
/** Below it, π/4 in fdlibm's precision, an angle is taken as it is. */
const QUARTER: f64 = reinterpret<f64>(<i64>0x3fe921fc00000000);

const S1: f64 = -1.66666666666666324348e-1;
const S2: f64 = 8.33333333332248946124e-3;
const S3: f64 = -1.98412698298579493134e-4;
const S4: f64 = 2.75573137070700676789e-6;
const S5: f64 = -2.50507602534068634195e-8;
const S6: f64 = 1.58969099521155010221e-10;

const C1: f64 = 4.16666666666666019037e-2;
const C2: f64 = -1.38888888888741095749e-3;
const C3: f64 = 2.48015872894767294178e-5;
const C4: f64 = -2.75573143513906633035e-7;
const C5: f64 = 2.08757232129817482790e-9;
const C6: f64 = -1.13596475577881948265e-11;
/** Between these a quarter of the argument, as its high word has it, is subtracted from both sides of 1 − x²/2; beyond, a constant. */
const SPLIT_FROM: f64 = reinterpret<f64>(<i64>0x3fd3333300000000);
const SPLIT_TO: f64 = reinterpret<f64>(<i64>0x3fe9000100000000);
const SPLIT_MOST: f64 = 0.28125;
const TWO_EXPONENTS: i64 = 0x0020000000000000;

/** `c + x · y` with two roundings. */
function plus(c: f64, x: v128, y: v128): v128 {
  return f64x2.add(f64x2.splat(c), f64x2.mul(x, y));
}

/** Four uniform integers: splitmix32's mixing of `state`. */
function mix(state: v128): v128 {
  let h = i32x4.mul(v128.xor(state, i32x4.shr_u(state, 16)), i32x4.splat(0x21f0aaad));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 15)), i32x4.splat(0x735a2d97));
  return v128.xor(h, i32x4.shr_u(h, 15));
}

/**
 * Writes pairs of values of N(0, 1) at `target`, as many of `count` (even) as come before one that needs the plain form.
 *
 * @param state - of the random stream before the first pair, which takes two numbers of it as every other.
 * @returns how many pairs were written: an even number.
 */
export function fillPairs(target: usize, count: i32, state: i32): i32 {
  let states = i32x4.add(
    i32x4.splat(state),
    i32x4.mul(i32x4.splat(GOLDEN_GAMMA), i32x4(1, 2, 3, 4)),
  );
  const near = f64x2.splat(NEAR);
  for (let pair = 0; pair < count; pair += 2) {
    const random = mix(states);
    states = i32x4.add(states, i32x4.splat(4 * GOLDEN_GAMMA));
    const unit = f64x2.splat(1.0 / 4294967296);
    const first = f64x2.mul(f64x2.convert_low_i32x4_u(v128.shuffle<u32>(random, random, 0, 2, 4, 6)), unit);
    const second = f64x2.mul(f64x2.convert_low_i32x4_u(v128.shuffle<u32>(random, random, 1, 3, 5, 7)), unit);

    // log(1 − first): x = 2^k · (1 + f), from √½ to √2.
    const x = f64x2.sub(f64x2.splat(1), first);
    const mantissa = v128.and(x, i64x2.splat(MANTISSA));
    const carry = v128.and(i64x2.add(mantissa, i64x2.splat(FROM_ROOT)), i64x2.splat(EXPONENT_STEP));
    const exponent = i64x2.shr_u(i64x2.add(x, carry), 52);
    const k = f64x2.sub(v128.or(exponent, i64x2.splat(INTEGERS_BITS)), f64x2.splat(INTEGERS + EXPONENT_BIAS));
    const f = f64x2.sub(v128.or(mantissa, v128.xor(carry, i64x2.splat(ONE_BITS))), f64x2.splat(1));
    const s = f64x2.div(f, f64x2.add(f64x2.splat(2), f));
    const z = f64x2.mul(s, s);
    const w = f64x2.mul(z, z);
    const t1 = f64x2.mul(w, plus(LG2, w, plus(LG4, w, f64x2.splat(LG6))));
    const t2 = f64x2.mul(z, plus(LG1, w, plus(LG3, w, plus(LG5, w, f64x2.splat(LG7)))));
    const r = f64x2.add(t2, t1);
    const low = f64x2.mul(k, f64x2.splat(LN2_LO));
    const half = f64x2.mul(f64x2.mul(f64x2.splat(0.5), f), f);
    const squared = f64x2.sub(half, f64x2.add(f64x2.mul(s, f64x2.add(half, r)), low));
    const plain = f64x2.sub(f64x2.mul(s, f64x2.sub(f, r)), low);
    const whole = v128.or(mantissa, i64x2.splat(ONE_BITS));
    const between = v128.and(
      f64x2.ge(whole, f64x2.splat(SQUARED_FROM)),
      f64x2.lt(whole, f64x2.splat(SQUARED_TO)),
    );
    const log = f64x2.sub(
      f64x2.mul(k, f64x2.splat(LN2_HI)),
      f64x2.sub(v128.bitselect(squared, plain, between), f),
    );
    const radius = f64x2.sqrt(f64x2.mul(f64x2.splat(-2), log));

    // The angle as n · π/2 + y + tail.
    const angle = f64x2.mul(f64x2.splat(2 * Math.PI), second);
    const isSmall = f64x2.lt(angle, f64x2.splat(QUARTER));
    const n = v128.andnot(f64x2.trunc(plus(0.5, angle, f64x2.splat(INV_PIO2))), isSmall);
    const rest = f64x2.sub(angle, f64x2.mul(n, f64x2.splat(PIO2_1)));
    const less = f64x2.mul(n, f64x2.splat(PIO2_1T));
    const y = f64x2.sub(rest, less);
    const tail = f64x2.sub(f64x2.sub(rest, y), less);
    const size = f64x2.abs(y);
    if (v128.any_true(v128.or(f64x2.lt(size, near), f64x2.lt(f64x2.abs(f), near)))) return pair;

    const yy = f64x2.mul(y, y);
    const v = f64x2.mul(yy, y);
    const sines = plus(S2, yy, plus(S3, yy, plus(S4, yy, plus(S5, yy, f64x2.splat(S6)))));
    const small = f64x2.add(y, f64x2.mul(v, plus(S1, yy, sines)));
    const withTail = f64x2.sub(
      f64x2.mul(yy, f64x2.sub(f64x2.mul(f64x2.splat(0.5), tail), f64x2.mul(v, sines))),
      tail,
    );
    const sin = v128.bitselect(small, f64x2.sub(y, f64x2.sub(withTail, f64x2.mul(v, f64x2.splat(S1)))), isSmall);

    const cosines = f64x2.mul(
      yy,
      plus(C1, yy, plus(C2, yy, plus(C3, yy, plus(C4, yy, plus(C5, yy, f64x2.splat(C6)))))),
    );
    const quarter = i64x2.sub(v128.and(size, i64x2.splat(HIGH_WORD)), i64x2.splat(TWO_EXPONENTS));
    const split = v128.and(
      v128.bitselect(quarter, f64x2.splat(SPLIT_MOST), f64x2.lt(size, f64x2.splat(SPLIT_TO))),
      f64x2.ge(size, f64x2.splat(SPLIT_FROM)),
    );
    const cos = f64x2.sub(
      f64x2.sub(f64x2.splat(1), split),
      f64x2.sub(
        f64x2.sub(f64x2.mul(f64x2.splat(0.5), yy), split),
        f64x2.sub(f64x2.mul(yy, cosines), f64x2.mul(y, tail)),
      ),
    );

    // n quarter turns: sine and cosine change places after odd ones, and signs by the second bit.
    const turns = f64x2.add(n, f64x2.splat(INTEGERS));
    const isOdd = v128.or(f64x2.eq(n, f64x2.splat(1)), f64x2.eq(n, f64x2.splat(3)));
    const two = i64x2.splat(2);
    const sinSign = i64x2.shl(v128.and(turns, two), 62);
    const cosSign = i64x2.shl(v128.and(i64x2.add(turns, i64x2.splat(1)), two), 62);
    const cosine = v128.xor(v128.bitselect(sin, cos, isOdd), cosSign);
    const sine = v128.xor(v128.bitselect(cos, sin, isOdd), sinSign);

    v128.store(
      target,
      v128.shuffle<f32>(
        f32x4.demote_f64x2_zero(f64x2.mul(radius, cosine)),
        f32x4.demote_f64x2_zero(f64x2.mul(radius, sine)),
        0, 4, 1, 5,
      ),
    );
    target += 16;
  }
  return count;
}
