/**
 * Loops over pixels as WebAssembly with 128-bit SIMD, in AssemblyScript; build-kernels.sh makes
 * assets/kernels/pixels.wasm of it. The caller owns the memory and hands out places in it; nothing is allocated here.
 * What each function does is described, and checked, by its plain form in test/pixels/pixel-kernels.test.ts.
 */

/** The four bytes at `place` as floats: red, green, blue, and one that is not used. */
function floats(place: usize): v128 {
  const bytes = v128.load32_zero(place);
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes)));
}

/** The lowest byte of each of four integers. */
function lowestBytes(values: v128): u32 {
  return i32x4.extract_lane(
    i8x16.shuffle(values, values, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12),
    0,
  );
}

/** Writes one pixel; the byte behind it is overwritten too unless it is the `last` of its run. */
function storePixel(place: usize, rgb: u32, last: bool): void {
  if (last) {
    store<u16>(place, <u16>rgb);
    store<u8>(place, <u8>(rgb >> 16), 2);
  } else {
    store<u32>(place, rgb);
  }
}

/** Bits of the shares by which neighbouring pixels count: as many as products with a byte leave in 16 and 32 bits. */
const SHARE_BITS = 14;
const SHARE_MASK: i64 = (1 << SHARE_BITS) - 1;
/** Bits behind the point that a byte keeps between the two sums, so that it fits 16 bits with a sign. */
const KEPT_BITS = 7;
/** A place in pixels has so many bits behind the point. */
const PLACE_BITS: i64 = 32;
const PLACE_UNIT: f64 = 4294967296;

/** Pairs of bytes, of one pixel and of the next, as pairs of 16-bit integers. */
function pairs(place: usize): v128 {
  const none = i32x4.splat(0);
  const both = v128.load64_zero(place);
  return i8x16.shuffle(both, none, 0, 16, 4, 16, 1, 16, 5, 16, 2, 16, 6, 16, 3, 16, 7, 16);
}

/** For pairs of integers: how much the second counts, and the first the rest of 1. */
function shares(place: i64): v128 {
  const second = <i32>((place >> (PLACE_BITS - SHARE_BITS)) & SHARE_MASK);
  return i32x4.splat((second << 16) | ((1 << SHARE_BITS) - second));
}

/**
 * Gives `count` pixels at `target`, three bytes each, the colours that a picture has along a line: bilinear, and beyond its
 * edges those of the edge. In integers, less than 0.01 of a level from the exact colour before rounding.
 *
 * @param source - its pixels, four bytes each, with four more bytes behind the last.
 * @param u - column of the first pixel, with pixel centres at halves, and `v` its row.
 */
export function sampleRun(
  target: usize,
  count: i32,
  source: usize,
  width: i32,
  height: i32,
  u: f64,
  v: f64,
  uStep: f64,
  vStep: f64,
): void {
  const column = <i64>((u - 0.5) * PLACE_UNIT);
  const row = <i64>((v - 0.5) * PLACE_UNIT);
  sampleLine(target, count, source, width, height, column, row, <i64>(uStep * PLACE_UNIT), <i64>(vStep * PLACE_UNIT));
}

/** The same from a place in whole units, of a pixel's centre. */
function sampleLine(
  target: usize,
  count: i32,
  source: usize,
  width: i32,
  height: i32,
  column: i64,
  row: i64,
  stepX: i64,
  stepY: i64,
): void {
  const maxX = (<i64>width - 1) << PLACE_BITS;
  const maxY = (<i64>height - 1) << PLACE_BITS;
  const stride = <usize>width << 2;
  const half = i32x4.splat(1 << (SHARE_BITS + KEPT_BITS - 1));
  for (let k = 0; k < count; k++) {
    const x = min<i64>(max<i64>(column, 0), maxX);
    const y = min<i64>(max<i64>(row, 0), maxY);
    const at = source + <usize>(y >> PLACE_BITS) * stride + (<usize>(x >> PLACE_BITS) << 2);
    // At the right and lower edges the next pixel counts nothing, whatever it is.
    const below = y < maxY ? at + stride : at;
    const across = shares(x);
    const upper = i32x4.shr_u(i32x4.dot_i16x8_s(pairs(at), across), SHARE_BITS - KEPT_BITS);
    const lower = i32x4.shr_u(i32x4.dot_i16x8_s(pairs(below), across), SHARE_BITS - KEPT_BITS);
    const colour = i32x4.dot_i16x8_s(v128.or(upper, i32x4.shl(lower, 16)), shares(y));
    const rounded = i32x4.shr_u(i32x4.add(colour, half), SHARE_BITS + KEPT_BITS);
    storePixel(target, lowestBytes(rounded), k == count - 1);
    target += 3;
    column += stepX;
    row += stepY;
  }
}

/** The pole of the filter that undoes what sampling a cubic B-spline at whole pixels does: √3 − 2. */
const POLE: f32 = -0.2679491924311227;
/** Its gain for each axis. */
const GAIN: f32 = 6;
/** The pole to this power is less than rounding. */
const HORIZON = 16;
/**
 * Coefficients are levels above the middle one, with so many steps a level. They reach from −896 to 1151 levels; a chequerboard of single
 * black and white pixels would have −1020 to 1275.
 */
const MIDDLE_LEVEL: f32 = 128;
const LEVEL_BITS = 5;
const LEVEL_STEPS: f32 = 32;
/** The middle level in halves of these steps, half a level for rounding, and half of what sums of a column lose: times the whole of a weight. */
const ROUNDED_MIDDLE: i32 = ((128 * 16 + 8) << 15) + (1 << 14);
/** Coefficients to the left of the picture and above it, and in all. */
const MARGIN_BEFORE: i32 = 1;
const MARGINS = 3;
/** Bits of the fraction by which the weights of neighbours are looked up. */
const WEIGHT_BITS: i64 = 10;
const WEIGHT_MASK: i64 = (1 << WEIGHT_BITS) - 1;

/** The index in 0 … count − 1 that a place beyond the ends is the mirror image of. */
function mirrored(index: i32, count: i32): i32 {
  if (count == 1) return 0;
  const period = 2 * (count - 1);
  const place = ((index % period) + period) % period;
  return place < count ? place : period - place;
}

/** The coefficients at `place` as floats. */
function coefficients(place: usize): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v128.load64_zero(place)));
}

function storeCoefficients(place: usize, values: v128): void {
  const integers = i32x4.trunc_sat_f32x4_s(f32x4.nearest(values));
  v128.store64_lane(place, i16x8.narrow_i32x4_s(integers, integers), 0);
}

/** One step of the filter: `value` + `POLE` · `before`. */
function step(value: v128, before: v128): v128 {
  return f32x4.add(value, f32x4.mul(before, f32x4.splat(POLE)));
}

/** The first value of the way back, from the last two of the way there. */
function turned(last: v128, before: v128): v128 {
  return f32x4.mul(step(last, before), f32x4.splat(POLE / (POLE * POLE - 1)));
}

/**
 * The cubic B-spline through a picture's pixels: its coefficients, four 16-bit integers a pixel, with a margin of one pixel to the left
 * and above and of two to the right and below, in which the picture is mirrored at the centres of its outermost pixels.
 *
 * @param target - 8 · (width + 3) · (height + 3) bytes.
 * @param source - its pixels, four bytes each.
 * @param scratch - 16 · `width` bytes.
 */
export function splineOf(target: usize, source: usize, width: i32, height: i32, scratch: usize): void {
  const stride = <usize>(width + MARGINS) << 3;
  const origin = target + <usize>MARGIN_BEFORE * stride + (<usize>MARGIN_BEFORE << 3);
  const gain = f32x4.splat(GAIN);
  const middle = f32x4.splat(MIDDLE_LEVEL);
  const steps = f32x4.splat(LEVEL_STEPS);

  for (let y = 0; y < height; y++) {
    const pixels = source + (<usize>(y * width) << 2);
    const row = origin + <usize>y * stride;
    let value = f32x4.splat(0);
    for (let k = HORIZON; k >= 0; k--) {
      value = step(f32x4.sub(floats(pixels + (<usize>mirrored(k, width) << 2)), middle), value);
    }
    v128.store(scratch, value);
    for (let x: usize = 1; x < <usize>width; x++) {
      value = step(f32x4.sub(floats(pixels + (x << 2)), middle), value);
      v128.store(scratch + (x << 4), value);
    }
    const last = <usize>(width - 1);
    value = turned(value, v128.load(scratch + (<usize>mirrored(width - 2, width) << 4)));
    storeCoefficients(row + (last << 3), f32x4.mul(f32x4.mul(value, gain), steps));
    for (let x = width - 2; x >= 0; x--) {
      const before = v128.load(scratch + (<usize>x << 4));
      value = f32x4.mul(f32x4.sub(value, before), f32x4.splat(POLE));
      storeCoefficients(row + (<usize>x << 3), f32x4.mul(f32x4.mul(value, gain), steps));
    }
  }

  // The columns, side by side: a row at a time, what goes on to the next one in `scratch`.
  for (let x: usize = 0; x < <usize>width; x++) {
    let value = f32x4.splat(0);
    for (let k = HORIZON; k >= 0; k--) {
      value = step(coefficients(origin + <usize>mirrored(k, height) * stride + (x << 3)), value);
    }
    v128.store(scratch + (x << 4), value);
  }
  for (let x: usize = 0; x < <usize>width; x++) {
    storeCoefficients(origin + (x << 3), v128.load(scratch + (x << 4)));
  }
  for (let y = 1; y < height; y++) {
    const row = origin + <usize>y * stride;
    for (let x: usize = 0; x < <usize>width; x++) {
      const value = step(coefficients(row + (x << 3)), v128.load(scratch + (x << 4)));
      v128.store(scratch + (x << 4), value);
      storeCoefficients(row + (x << 3), value);
    }
  }
  const bottom = origin + <usize>(height - 1) * stride;
  const above = origin + <usize>mirrored(height - 2, height) * stride;
  for (let x: usize = 0; x < <usize>width; x++) {
    const value = turned(v128.load(scratch + (x << 4)), coefficients(above + (x << 3)));
    v128.store(scratch + (x << 4), value);
    storeCoefficients(bottom + (x << 3), f32x4.mul(value, gain));
  }
  for (let y = height - 2; y >= 0; y--) {
    const row = origin + <usize>y * stride;
    for (let x: usize = 0; x < <usize>width; x++) {
      const there = coefficients(row + (x << 3));
      const value = f32x4.mul(f32x4.sub(v128.load(scratch + (x << 4)), there), f32x4.splat(POLE));
      v128.store(scratch + (x << 4), value);
      storeCoefficients(row + (x << 3), f32x4.mul(value, gain));
    }
  }

  for (let y = 0; y < height; y++) {
    const row = origin + <usize>y * stride;
    for (let x = -MARGIN_BEFORE; x < width + MARGINS - MARGIN_BEFORE; x++) {
      if (x >= 0 && x < width) continue;
      store<u64>(row + (<isize>x << 3), load<u64>(row + (<usize>mirrored(x, width) << 3)));
    }
  }
  for (let y = -MARGIN_BEFORE; y < height + MARGINS - MARGIN_BEFORE; y++) {
    if (y >= 0 && y < height) continue;
    const row = target + <usize>(y + MARGIN_BEFORE) * stride;
    memory.copy(row, target + <usize>(mirrored(y, height) + MARGIN_BEFORE) * stride, stride);
  }
}

/** Rows 1 and 2 of two pixels in turns, so that a product sums up both: of the first pixel, and of the second. */
// @ts-ignore: decorator
@inline
function firstOf(upper: v128, lower: v128): v128 {
  return v128.shuffle<i16>(upper, lower, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function secondOf(upper: v128, lower: v128): v128 {
  return v128.shuffle<i16>(upper, lower, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** The colour at a place: `at` are the coefficients above and to the left, `down` and `across` the weights of the four rows and columns. */
// @ts-ignore: decorator
@inline
function splineColour(at: usize, stride: usize, down: usize, across: usize): u32 {
  const upper = v128.load32_splat(down);
  const lower = v128.load32_splat(down, 4);
  const second = at + stride;
  const third = second + stride;
  const fourth = third + stride;
  let a = v128.load(at);
  let b = v128.load(second);
  let c = v128.load(third);
  let d = v128.load(fourth);
  const p0 = i32x4.add(i32x4.dot_i16x8_s(firstOf(a, b), upper), i32x4.dot_i16x8_s(firstOf(c, d), lower));
  const p1 = i32x4.add(i32x4.dot_i16x8_s(secondOf(a, b), upper), i32x4.dot_i16x8_s(secondOf(c, d), lower));
  a = v128.load(at, 16);
  b = v128.load(second, 16);
  c = v128.load(third, 16);
  d = v128.load(fourth, 16);
  const p2 = i32x4.add(i32x4.dot_i16x8_s(firstOf(a, b), upper), i32x4.dot_i16x8_s(firstOf(c, d), lower));
  const p3 = i32x4.add(i32x4.dot_i16x8_s(secondOf(a, b), upper), i32x4.dot_i16x8_s(secondOf(c, d), lower));
  // Their upper halves, in turns again.
  const left = halves(p0, p1);
  const right = halves(p2, p3);
  const sum = i32x4.add(
    i32x4.dot_i16x8_s(left, v128.load32_splat(across)),
    i32x4.dot_i16x8_s(right, v128.load32_splat(across, 4)),
  );
  const levels = i32x4.shr_s(i32x4.add(sum, i32x4.splat(ROUNDED_MIDDLE)), SHIFT + LEVEL_BITS - 1);
  const eight = i16x8.narrow_i32x4_s(levels, levels);
  return i32x4.extract_lane(i8x16.narrow_i16x8_u(eight, eight), 0);
}

/** The upper halves of the integers of two vectors, in turns. */
// @ts-ignore: decorator
@inline
function halves(first: v128, second: v128): v128 {
  return v128.shuffle<i16>(i32x4.shr_u(first, 16), second, 0, 9, 2, 11, 4, 13, 6, 15);
}

/** The weights for the fraction of a place. */
// @ts-ignore: decorator
@inline
function weightsAt(weights: usize, place: i64): usize {
  return weights + (<usize>((place >> (PLACE_BITS - WEIGHT_BITS)) & WEIGHT_MASK) << 3);
}

/**
 * As {@link sampleRun}, of the cubic B-spline through a picture's pixels: at their centres it has their colours, and between them it
 * keeps the detail that a straight line loses. In integers, less than 0.1 of a level from the exact colour before rounding.
 *
 * @param source - coefficients as {@link splineOf} makes them.
 * @param weights - for each of 1024 fractions of a pixel how much the four neighbours count, times 32768, int16.
 */
export function splineRun(
  target: usize,
  count: i32,
  source: usize,
  width: i32,
  height: i32,
  u: f64,
  v: f64,
  uStep: f64,
  vStep: f64,
  weights: usize,
): void {
  const column = <i64>((u - 0.5) * PLACE_UNIT);
  const row = <i64>((v - 0.5) * PLACE_UNIT);
  const stepX = <i64>(uStep * PLACE_UNIT);
  const stepY = <i64>(vStep * PLACE_UNIT);
  splineLine(target, count, source, width, height, column, row, stepX, stepY, weights);
}

/** The same from a place in whole units, of a pixel's centre. */
function splineLine(
  target: usize,
  count: i32,
  source: usize,
  width: i32,
  height: i32,
  column: i64,
  row: i64,
  stepX: i64,
  stepY: i64,
  weights: usize,
): void {
  const maxX = (<i64>width - 1) << PLACE_BITS;
  const maxY = (<i64>height - 1) << PLACE_BITS;
  const stride = <usize>(width + MARGINS) << 3;
  const lastColumn = column + stepX * <i64>(count - 1);
  const lastRow = row + stepY * <i64>(count - 1);
  const inside =
    min(column, lastColumn) >= 0 && max(column, lastColumn) <= maxX && min(row, lastRow) >= 0 && max(row, lastRow) <= maxY;
  if (inside) {
    for (let k = 1; k < count; k++) {
      const at = source + <usize>(row >> PLACE_BITS) * stride + (<usize>(column >> PLACE_BITS) << 3);
      store<u32>(target, splineColour(at, stride, weightsAt(weights, row), weightsAt(weights, column)));
      target += 3;
      column += stepX;
      row += stepY;
    }
    count = 1;
  }
  for (let k = 0; k < count; k++) {
    const x = min<i64>(max<i64>(column, 0), maxX);
    const y = min<i64>(max<i64>(row, 0), maxY);
    const at = source + <usize>(y >> PLACE_BITS) * stride + (<usize>(x >> PLACE_BITS) << 3);
    storePixel(target, splineColour(at, stride, weightsAt(weights, y), weightsAt(weights, x)), k == count - 1);
    target += 3;
    column += stepX;
    row += stepY;
  }
}

/** An edge along which a weight changes by less from one column to the next is level: whole rows lie on one side of it. */
const LEVEL_STEP: f64 = 1e-12;

/** Whether a pixel is inside a triangle or, but for rounding, on its edge. */
// @ts-ignore: decorator
@inline
function isInside(px: f64, across1: f64, across2: f64, dy2: f64, dy1: f64, inverse: f64): bool {
  const w1 = (px * dy2 - across1) * inverse;
  const w2 = (across2 - px * dy1) * inverse;
  return 1 - w1 - w2 >= -1e-9 && w1 >= -1e-9 && w2 >= -1e-9;
}

/**
 * Draws triangles of one picture with the pixels of another, one after another.
 *
 * @param target - the picture that is drawn, three bytes a pixel.
 * @param reliability - for each of its pixels how much of it was really seen in the source, 0 to 255; 0 where that is not asked for.
 * @param triangles - for each of `triangleCount` four int32: its corners, and the reliability of its pixels; −1 is as much of 255 as it was
 *   not stretched.
 * @param from - where corners are in the source, two doubles each; `to` where they are drawn.
 * @param areaScale - pixels of the picture for each of the source.
 * @param source - as {@link splineRun} reads it or, where there are no `weights`, as {@link sampleRun} does.
 */
export function drawTriangles(
  target: usize,
  width: i32,
  height: i32,
  reliability: usize,
  triangles: usize,
  triangleCount: i32,
  from: usize,
  to: usize,
  areaScale: f64,
  source: usize,
  sourceWidth: i32,
  sourceHeight: i32,
  weights: usize,
): void {
  for (let t = 0; t < triangleCount; t++, triangles += 16) {
    const i0 = <usize>load<i32>(triangles) << 4;
    const i1 = <usize>load<i32>(triangles, 4) << 4;
    const i2 = <usize>load<i32>(triangles, 8) << 4;
    const x0 = load<f64>(to + i0);
    const y0 = load<f64>(to + i0, 8);
    const x1 = load<f64>(to + i1);
    const y1 = load<f64>(to + i1, 8);
    const x2 = load<f64>(to + i2);
    const y2 = load<f64>(to + i2, 8);
    const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
    if (abs(area) < 1e-6) continue;
    const u0 = load<f64>(from + i0);
    const v0 = load<f64>(from + i0, 8);
    const u1 = load<f64>(from + i1);
    const v1 = load<f64>(from + i1, 8);
    const u2 = load<f64>(from + i2);
    const v2 = load<f64>(from + i2, 8);
    // A triangle that turned over since the portrait shows what was hidden; a stretched one was seen in part.
    let known = load<i32>(triangles, 12);
    if (known < 0) {
      const sourceArea = ((u1 - u0) * (v2 - v0) - (u2 - u0) * (v1 - v0)) * areaScale;
      known = <i32>floor(max<f64>(0, min<f64>(1, sourceArea / area)) * 255 + 0.5);
    }
    const inverse = 1 / area;
    const firstRow = <i32>max<f64>(0, ceil(min(min(y0, y1), y2) - 0.5));
    const lastRow = <i32>min<f64>(height - 1, floor(max(max(y0, y1), y2) - 0.5));
    const firstColumn = <i32>max<f64>(0, ceil(min(min(x0, x1), x2) - 0.5));
    const lastColumn = <i32>min<f64>(width - 1, floor(max(max(x0, x1), x2) - 0.5));
    // The place in the source is linear in column and row.
    const uStep = ((y2 - y0) * (u1 - u0) - (y1 - y0) * (u2 - u0)) * inverse;
    const vStep = ((y2 - y0) * (v1 - v0) - (y1 - y0) * (v2 - v0)) * inverse;
    const uRowStep = ((x1 - x0) * (u2 - u0) - (x2 - x0) * (u1 - u0)) * inverse;
    const vRowStep = ((x1 - x0) * (v2 - v0) - (x2 - x0) * (v1 - v0)) * inverse;
    const stepX = <i64>(uStep * PLACE_UNIT);
    const stepY = <i64>(vStep * PLACE_UNIT);
    // So are the weights of the corners; where one is 0, a row enters or leaves the triangle, and columns of that are linear in the row.
    const px = <f64>firstColumn + 0.5 - x0;
    const columns = <f64>(lastColumn - firstColumn);
    const step1 = (y2 - y0) * inverse;
    const step2 = (y0 - y1) * inverse;
    const rowStep1 = (x0 - x2) * inverse;
    const rowStep2 = (x1 - x0) * inverse;
    const first1 = px * step1 + (<f64>firstRow + 0.5 - y0) * rowStep1;
    const first2 = px * step2 + (<f64>firstRow + 0.5 - y0) * rowStep2;
    // Where a row enters in the first lane, where it leaves in the second with the other sign: of both, the larger one holds.
    const bounds = f64x2.replace_lane(f64x2.splat(-columns), 0, 0);
    const farthest = f64x2.splat(columns + 2);
    let oneEdge = bounds;
    let oneStep = f64x2.splat(0);
    let otherEdge = bounds;
    let otherStep = f64x2.splat(0);
    let isLevel = false;
    let entered = false;
    let left = false;
    for (let corner = 0; corner < 3; corner++) {
      const step = corner == 0 ? -step1 - step2 : corner == 1 ? step1 : step2;
      if (abs(step) < LEVEL_STEP) {
        isLevel = true;
        continue;
      }
      const edge = -(corner == 0 ? 1 - first1 - first2 : corner == 1 ? first1 : first2) / step;
      const edgeStep = -(corner == 0 ? -rowStep1 - rowStep2 : corner == 1 ? rowStep1 : rowStep2) / step;
      if (step > 0) {
        if (entered) {
          otherEdge = f64x2.replace_lane(otherEdge, 0, edge);
          otherStep = f64x2.replace_lane(otherStep, 0, edgeStep);
        } else {
          oneEdge = f64x2.replace_lane(oneEdge, 0, edge);
          oneStep = f64x2.replace_lane(oneStep, 0, edgeStep);
        }
        entered = true;
      } else {
        if (left) {
          otherEdge = f64x2.replace_lane(otherEdge, 1, -edge);
          otherStep = f64x2.replace_lane(otherStep, 1, -edgeStep);
        } else {
          oneEdge = f64x2.replace_lane(oneEdge, 1, -edge);
          oneStep = f64x2.replace_lane(oneStep, 1, -edgeStep);
        }
        left = true;
      }
    }
    for (let row = firstRow; row <= lastRow; row++) {
      const rows = f64x2.splat(<f64>(row - firstRow));
      const one = f64x2.add(oneEdge, f64x2.mul(oneStep, rows));
      const other = f64x2.add(otherEdge, f64x2.mul(otherStep, rows));
      const ends = f64x2.pmin(f64x2.pmax(f64x2.pmax(one, other), bounds), farthest);
      // Pixels on an edge, or nearly so, are inside.
      const whole = f64x2.ceil(f64x2.sub(ends, f64x2.splat(1e-3)));
      const integers = i32x4.trunc_sat_f64x2_s_zero(whole);
      let begin = firstColumn + i32x4.extract_lane(integers, 0);
      let end = firstColumn - i32x4.extract_lane(integers, 1);
      if (begin > end) continue;
      const py = <f64>row + 0.5 - y0;
      if (isLevel || i64x2.bitmask(f64x2.gt(f64x2.sub(whole, ends), f64x2.splat(1e-6))) != 3) {
        const across1 = (x2 - x0) * py;
        const across2 = (x1 - x0) * py;
        while (begin <= end && !isInside(<f64>begin + 0.5 - x0, across1, across2, y2 - y0, y1 - y0, inverse)) begin++;
        while (begin <= end && !isInside(<f64>end + 0.5 - x0, across1, across2, y2 - y0, y1 - y0, inverse)) end--;
        if (begin > end) continue;
      }
      const start = <usize>(row * width + begin);
      const count = end - begin + 1;
      if (reliability != 0) {
        const seen = reliability + start;
        for (let i: usize = 0; i < <usize>count; i++) store<u8>(seen + i, known);
      }
      const x = <i64>((u0 + (<f64>begin + 0.5 - x0) * uStep + py * uRowStep - 0.5) * PLACE_UNIT);
      const y = <i64>((v0 + (<f64>begin + 0.5 - x0) * vStep + py * vRowStep - 0.5) * PLACE_UNIT);
      const pixel = target + 3 * start;
      if (weights != 0) splineLine(pixel, count, source, sourceWidth, sourceHeight, x, y, stepX, stepY, weights);
      else sampleLine(pixel, count, source, sourceWidth, sourceHeight, x, y, stepX, stepY);
    }
  }
}

/**
 * Mixes two rows of three planes of floats, and interleaves them: four floats a pixel at `target`, the fourth 0.
 *
 * @param upper - the row above in the first plane; `lower` the one below, of which the share `fraction` counts.
 * @param plane - bytes from one plane to the next.
 * @param count - pixels; up to three more are written, and read.
 */
export function mixRows(target: usize, upper: usize, lower: usize, fraction: f32, plane: usize, count: i32): void {
  const share = f32x4.splat(fraction);
  const none = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>count << 2; i += 16, target += 64) {
    const red = mixed(upper + i, lower + i, share);
    const green = mixed(upper + plane + i, lower + plane + i, share);
    const blue = mixed(upper + 2 * plane + i, lower + 2 * plane + i, share);
    const firstRedGreen = v128.shuffle<i32>(red, green, 0, 4, 1, 5);
    const lastRedGreen = v128.shuffle<i32>(red, green, 2, 6, 3, 7);
    const firstBlue = v128.shuffle<i32>(blue, none, 0, 4, 1, 5);
    const lastBlue = v128.shuffle<i32>(blue, none, 2, 6, 3, 7);
    v128.store(target, v128.shuffle<i64>(firstRedGreen, firstBlue, 0, 2));
    v128.store(target, v128.shuffle<i64>(firstRedGreen, firstBlue, 1, 3), 16);
    v128.store(target, v128.shuffle<i64>(lastRedGreen, lastBlue, 0, 2), 32);
    v128.store(target, v128.shuffle<i64>(lastRedGreen, lastBlue, 1, 3), 48);
  }
}

// @ts-ignore: decorator
@inline
function mixed(upper: usize, lower: usize, share: v128): v128 {
  const above = v128.load(upper);
  return f32x4.add(above, f32x4.mul(f32x4.sub(v128.load(lower), above), share));
}

/**
 * A row of floats, enlarged linearly: `count` at `target`.
 *
 * @param low - for each the one of `row` to its left, int32; `high` to its right; `fractions` the share of that.
 */
export function enlargeRow(target: usize, count: i32, row: usize, low: usize, high: usize, fractions: usize): void {
  for (let i: usize = 0; i < <usize>count << 2; i += 4) {
    const left = load<f32>(row + (<usize>load<i32>(low + i) << 2));
    const right = load<f32>(row + (<usize>load<i32>(high + i) << 2));
    const share = load<f32>(fractions + i);
    store<f32>(target + i, left * (1 - share) + right * share);
  }
}

/**
 * Two rows of floats mixed and multiplied: `count` at `target`, and up to three more.
 *
 * @param upper - one; `lower` the other, of which the share `fraction` counts.
 * @param factors - for each what it is multiplied with, and by `scale`.
 */
export function mixStrengths(
  target: usize,
  count: i32,
  upper: usize,
  lower: usize,
  fraction: f32,
  factors: usize,
  scale: f32,
): void {
  const below = f32x4.splat(fraction);
  const above = f32x4.splat(1 - fraction);
  const scales = f32x4.splat(scale);
  for (let i: usize = 0; i < <usize>count << 2; i += 16) {
    const mixture = f32x4.add(f32x4.mul(v128.load(upper + i), above), f32x4.mul(v128.load(lower + i), below));
    v128.store(target + i, f32x4.mul(f32x4.mul(scales, v128.load(factors + i)), mixture));
  }
}

/** A float this large has its unit in the last of its bits, and a bit to spare for what is below 0; and its bits as an integer. */
const SIGNED_INTEGERS: f32 = 12582912;
const SIGNED_INTEGERS_BITS = 0x4b400000;

/**
 * Adds to `count` pixels at `target`, three bytes each, a row of floats that is enlarged linearly.
 *
 * @param row - as {@link mixRows} makes it.
 * @param low - for each pixel the one of the row to its left, int32; `high` to its right; `fractions` the share of that.
 * @param strengths - for each pixel what the added colour is multiplied with; where it is 0, the pixel stays.
 */
export function addRow(
  target: usize,
  count: i32,
  row: usize,
  low: usize,
  high: usize,
  fractions: usize,
  strengths: usize,
): void {
  for (let i: usize = 0; i < <usize>count << 2; i += 4, target += 3) {
    if (load<f32>(strengths + i) == 0) continue;
    const a = v128.load(row + (<usize>load<i32>(low + i) << 4));
    const b = v128.load(row + (<usize>load<i32>(high + i) << 4));
    const added = f32x4.add(a, f32x4.mul(f32x4.sub(b, a), v128.load32_splat(fractions + i)));
    const value = f32x4.add(floats(target), f32x4.mul(added, v128.load32_splat(strengths + i)));
    const integers = i32x4.sub(f32x4.add(value, f32x4.splat(SIGNED_INTEGERS)), i32x4.splat(SIGNED_INTEGERS_BITS));
    const eight = i16x8.narrow_i32x4_s(integers, integers);
    // The next pixel has not been read yet.
    storePixel(target, i32x4.extract_lane(i8x16.narrow_i16x8_u(eight, eight), 0), true);
  }
}

/**
 * Y′CbCr of ITU-R BT.709 in the narrow range from two rows of pixels, three bytes each: two rows of luma, one of each chroma
 * with a sample for four pixels, their mean.
 *
 * @param upper - pixels, as in `lower`, with four more bytes behind the last.
 * @param count - pixels of a row, even.
 */
export function toYuv420(
  upper: usize,
  lower: usize,
  count: i32,
  lumaUpper: usize,
  lumaLower: usize,
  cb: usize,
  cr: usize,
): void {
  let i = 0;
  for (; i + 8 <= count; i += 8) {
    const redGreen0 = redsAndGreens(upper);
    const blue0 = bluesAndOnes(upper);
    const redGreen1 = redsAndGreens(upper + 12);
    const blue1 = bluesAndOnes(upper + 12);
    storeLuma(lumaUpper, lumas(redGreen0, blue0), lumas(redGreen1, blue1));
    const redGreen2 = redsAndGreens(lower);
    const blue2 = bluesAndOnes(lower);
    const redGreen3 = redsAndGreens(lower + 12);
    const blue3 = bluesAndOnes(lower + 12);
    storeLuma(lumaLower, lumas(redGreen2, blue2), lumas(redGreen3, blue3));
    // Columns of two pixels, then pairs of columns: all sums are exact.
    const left = i16x8.add(redGreen0, redGreen2);
    const leftBlue = i16x8.add(blue0, blue2);
    const right = i16x8.add(redGreen1, redGreen3);
    const rightBlue = i16x8.add(blue1, blue3);
    storeChroma(
      cb,
      weighed(left, leftBlue, pair(-CB_R, -CB_G), pair(CB_B, CHROMA_ROUND >> 2)),
      weighed(right, rightBlue, pair(-CB_R, -CB_G), pair(CB_B, CHROMA_ROUND >> 2)),
    );
    storeChroma(
      cr,
      weighed(left, leftBlue, pair(CR_R, -CR_G), pair(-CR_B, CHROMA_ROUND >> 2)),
      weighed(right, rightBlue, pair(CR_R, -CR_G), pair(-CR_B, CHROMA_ROUND >> 2)),
    );
    upper += 24;
    lower += 24;
    lumaUpper += 8;
    lumaLower += 8;
    cb += 4;
    cr += 4;
  }
  for (; i < count; i += 2) {
    // Sums of the four pixels.
    let r = 0;
    let g = 0;
    let b = 0;
    for (let k = 0; k < 4; k++) {
      const row = k < 2 ? upper : lower;
      const place = row + 3 * (k & 1);
      const red = <i32>load<u8>(place);
      const green = <i32>load<u8>(place, 1);
      const blue = <i32>load<u8>(place, 2);
      const luma = ((Y_R * red + Y_G * green + Y_B * blue + LUMA_ROUND) >> SHIFT) + 16;
      store<u8>((k < 2 ? lumaUpper : lumaLower) + (k & 1), luma);
      r += red;
      g += green;
      b += blue;
    }
    store<u8>(cb, ((-CB_R * r - CB_G * g + CB_B * b + CHROMA_ROUND) >> (SHIFT + 2)) + 128);
    store<u8>(cr, ((CR_R * r - CR_G * g - CR_B * b + CHROMA_ROUND) >> (SHIFT + 2)) + 128);
    upper += 6;
    lower += 6;
    lumaUpper += 2;
    lumaLower += 2;
    cb += 1;
    cr += 1;
  }
}

/** Red and green of four pixels, in turns, as 16-bit integers. */
function redsAndGreens(place: usize): v128 {
  const none = i32x4.splat(0);
  return i8x16.shuffle(v128.load(place), none, 0, 16, 1, 16, 3, 16, 4, 16, 6, 16, 7, 16, 9, 16, 10, 16);
}

/** Blue of four pixels, with a 1 behind each, as 16-bit integers. */
function bluesAndOnes(place: usize): v128 {
  const ones = i16x8.splat(1);
  return i8x16.shuffle(v128.load(place), ones, 2, 17, 16, 17, 5, 17, 16, 17, 8, 17, 16, 17, 11, 17, 16, 17);
}

/** Two 16-bit weights, in turns. */
function pair(first: i32, second: i32): v128 {
  return i32x4.splat((second << 16) | (first & 0xffff));
}

/** For each of four pixels the sum of its colours, and of a 1, by weights. */
function weighed(redGreen: v128, blueOne: v128, ofRedGreen: v128, ofBlueOne: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(redGreen, ofRedGreen), i32x4.dot_i16x8_s(blueOne, ofBlueOne));
}

function lumas(redGreen: v128, blueOne: v128): v128 {
  const sum = weighed(redGreen, blueOne, pair(Y_R, Y_G), pair(Y_B, LUMA_ROUND));
  return i32x4.add(i32x4.shr_s(sum, SHIFT), i32x4.splat(16));
}

function storeLuma(place: usize, first: v128, last: v128): void {
  const eight = i16x8.narrow_i32x4_s(first, last);
  v128.store64_lane(place, i8x16.narrow_i16x8_u(eight, eight), 0);
}

/** @param left - sums of four columns, `right` of the next four; two columns are a sample. */
function storeChroma(place: usize, left: v128, right: v128): void {
  const sum = i32x4.add(
    v128.shuffle<i32>(left, right, 0, 2, 4, 6),
    v128.shuffle<i32>(left, right, 1, 3, 5, 7),
  );
  const four = i32x4.add(i32x4.shr_s(sum, SHIFT + 2), i32x4.splat(128));
  const eight = i16x8.narrow_i32x4_s(four, four);
  v128.store32_lane(place, i8x16.narrow_i16x8_u(eight, eight), 0);
}

/** Bits behind the point of the coefficients. */
const SHIFT = 15;
const LUMA_ROUND = 1 << (SHIFT - 1);
const CHROMA_ROUND = 1 << (SHIFT + 1);
// 219/255 of 0.2126, 0.7152 and 0.0722; 224/255 of the chroma's, whose sum is 0: times 2^15, rounded.
const Y_R = 5983;
const Y_G = 20127;
const Y_B = 2032;
const CB_R = 3298;
const CB_G = 11094;
const CB_B = 14392;
const CR_R = 14392;
const CR_G = 13072;
const CR_B = 1320;

/** Bytes as floats, 255 at 1 and 0 at −1. */
function signed(values: v128): v128 {
  return f32x4.sub(f32x4.mul(f32x4.convert_i32x4_u(values), f32x4.splat(<f32>(1 / 127.5))), f32x4.splat(1));
}

/**
 * Three planes of `count` floats in [−1, 1], one after another, from pixels of three bytes.
 *
 * @param source - `count` pixels, with four more bytes behind the last.
 * @param count - a multiple of 4.
 */
export function toPlanes(planes: usize, source: usize, count: i32): void {
  const none = i32x4.splat(0);
  const green = planes + (<usize>count << 2);
  const blue = green + (<usize>count << 2);
  for (let i: usize = 0; i < <usize>count << 2; i += 16, source += 12) {
    const four = v128.load(source);
    v128.store(planes + i, signed(i8x16.shuffle(four, none, 0, 16, 16, 16, 3, 16, 16, 16, 6, 16, 16, 16, 9, 16, 16, 16)));
    v128.store(green + i, signed(i8x16.shuffle(four, none, 1, 16, 16, 16, 4, 16, 16, 16, 7, 16, 16, 16, 10, 16, 16, 16)));
    v128.store(blue + i, signed(i8x16.shuffle(four, none, 2, 16, 16, 16, 5, 16, 16, 16, 8, 16, 16, 16, 11, 16, 16, 16)));
  }
}

/** One plane of `count` floats in [−1, 1] from bytes; `count` is a multiple of 4. */
export function toPlane(plane: usize, source: usize, count: i32): void {
  for (let i: usize = 0; i < <usize>count; i += 4) {
    const four = v128.load32_zero(source + i);
    v128.store(plane + (i << 2), signed(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(four))));
  }
}

/**
 * One row of a drawing, made smaller or larger bilinearly in OpenCV's integer arithmetic; black pixels are left as they are.
 *
 * @param target - the row's first pixel, three bytes each; columns `from` to `to`, both included, are drawn.
 * @param top - the row of the source above, with a byte behind its last; `bottom` the one below, of which `below`/2048 count.
 * @param left - for each column the pixel of the source to its left, int32; `right` to its right; `shares`/2048 the share of that.
 */
export function resizeRow(
  target: usize,
  from: i32,
  to: i32,
  top: usize,
  bottom: usize,
  below: i32,
  left: usize,
  right: usize,
  shares: usize,
): void {
  for (let x: usize = from; x <= <usize>to; x++) {
    const first = <usize>load<i32>(left + (x << 2)) * 3;
    const second = <usize>load<i32>(right + (x << 2)) * 3;
    const drawn = load<u32>(top + first) | load<u32>(top + second) | load<u32>(bottom + first) | load<u32>(bottom + second);
    if ((drawn & 0xffffff) == 0) continue;
    const share = load<i32>(shares + (x << 2));
    for (let c: usize = 0; c < 3; c++) {
      const upper = <i32>load<u8>(top + first + c) * (2048 - share) + <i32>load<u8>(top + second + c) * share;
      const lower = <i32>load<u8>(bottom + first + c) * (2048 - share) + <i32>load<u8>(bottom + second + c) * share;
      const sum = (((2048 - below) * (upper >> 4)) >> 16) + ((below * (lower >> 4)) >> 16);
      store<u8>(target + x * 3 + c, (sum + 2) >> 2);
    }
  }
}

/**
 * Means of `factor` × `factor` pixels, rounded to the nearest: `count` pixels of three bytes at `target`, which may be followed by up
 * to four bytes that are overwritten.
 *
 * @param source - the first of `factor` rows of `count · factor` pixels, `stride` bytes apart, with four more bytes behind the last.
 */
export function meanRow(target: usize, count: i32, source: usize, stride: usize, factor: i32): void {
  let k = 0;
  if (factor == 2) {
    const two = i16x8.splat(2);
    for (; k + 1 < count; k += 2, source += 12, target += 6) {
      const upper = v128.load(source);
      const lower = v128.load(source + stride);
      const low = i16x8.add(i16x8.extend_low_i8x16_u(upper), i16x8.extend_low_i8x16_u(lower));
      const high = i16x8.add(i16x8.extend_high_i8x16_u(upper), i16x8.extend_high_i8x16_u(lower));
      // Lanes of both: 0 to 2 and 6 to 8 are the pixels to the left, 3 to 5 and 9 to 11 those to the right.
      const left = v128.shuffle<i16>(low, high, 0, 1, 2, 6, 7, 8, 0, 0);
      const right = v128.shuffle<i16>(low, high, 3, 4, 5, 9, 10, 11, 3, 3);
      const mean = i16x8.shr_u(i16x8.add(i16x8.add(left, right), two), 2);
      v128.store64_lane(target, i8x16.narrow_i16x8_u(mean, mean), 0);
    }
  }
  const area = <u32>(factor * factor);
  for (; k < count; k++, source += <usize>factor * 3, target += 3) {
    for (let c: usize = 0; c < 3; c++) {
      let sum: u32 = 0;
      for (let row: usize = 0; row < <usize>factor; row++) {
        const begin = source + row * stride + c;
        for (let column: usize = 0; column < <usize>factor; column++) sum += load<u8>(begin + column * 3);
      }
      store<u8>(target + c, <u8>((2 * sum + area) / (2 * area)));
    }
  }
}

/**
 * A square of `size` × `size` samples of a picture, bilinear: three floats each, byte · `scale` + `offset`, with a float behind the last
 * that is overwritten too.
 *
 * @param source - pixels of three bytes, rows `stride` bytes apart, with two more bytes behind the last.
 * @param x - column of the first sample, with pixel centres at integers, and `y` its row; the next one in a row is (`cos`, `sin`)
 *   further, the next row begins (−`sin`, `cos`) further. All lie in the picture, but for its last column and row.
 */
export function sampleSquare(
  target: usize,
  size: i32,
  source: usize,
  stride: usize,
  x: f64,
  y: f64,
  cos: f64,
  sin: f64,
  scale: f32,
  offset: f32,
): void {
  const scales = f32x4.splat(scale);
  const offsets = f32x4.splat(offset);
  for (let j = 0; j < size; j++) {
    const beginX = x - <f64>j * sin;
    const beginY = y + <f64>j * cos;
    for (let i = 0; i < size; i++, target += 12) {
      const u = beginX + <f64>i * cos;
      const v = beginY + <f64>i * sin;
      const column = <i32>u;
      const row = <i32>v;
      const across = f32x4.splat(<f32>(u - <f64>column));
      const down = f32x4.splat(<f32>(v - <f64>row));
      const at = source + <usize>row * stride + <usize>column * 3;
      const a = floats(at);
      const c = floats(at + stride);
      const upper = f32x4.add(a, f32x4.mul(f32x4.sub(floats(at + 3), a), across));
      const lower = f32x4.add(c, f32x4.mul(f32x4.sub(floats(at + stride + 3), c), across));
      const colour = f32x4.add(upper, f32x4.mul(f32x4.sub(lower, upper), down));
      v128.store(target, f32x4.add(f32x4.mul(colour, scales), offsets));
    }
  }
}

/** Four bytes, each twice, as 16-bit integers from −128 · 128 to 127 · 128. */
function chroma(place: usize): v128 {
  const four = v128.load32_zero(place);
  const eight = i8x16.shuffle(four, four, 0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0);
  return i16x8.shl(i16x8.sub(i16x8.extend_low_i8x16_u(eight), i16x8.splat(128)), 7);
}

/**
 * One row of pixels, three bytes each, from luma and subsampled chroma in the narrow range; less than a level and a half from the
 * exact colour.
 *
 * @param target - `count` pixels, even; up to 28 bytes behind them are overwritten.
 * @param luma - `count` bytes, with eight more behind the last.
 * @param cb - half as many, `cr` too, with four more behind the last.
 * @param redCr - how much a colour gets of a chroma value, times 16384; of blue, half of it.
 */
export function rowToRgb(
  target: usize,
  luma: usize,
  cb: usize,
  cr: usize,
  count: i32,
  redCr: i32,
  greenCb: i32,
  greenCr: i32,
  blueCb: i32,
): void {
  const black = i16x8.splat(16);
  const white = i16x8.splat(19077); // 255 / 219 · 16384
  const half = i16x8.splat(32);
  const ofRed = i16x8.splat(<i16>redCr);
  const ofGreenCb = i16x8.splat(<i16>greenCb);
  const ofGreenCr = i16x8.splat(<i16>greenCr);
  const ofBlue = i16x8.splat(<i16>blueCb);
  for (let i: usize = 0; i < <usize>count; i += 8, target += 24) {
    // Products of Q7 and Q14 numbers in Q15 arithmetic keep six bits behind the point.
    const bytes = i16x8.extend_low_i8x16_u(v128.load64_zero(luma + i));
    const light = i16x8.add(i16x8.q15mulr_sat_s(i16x8.shl(i16x8.sub(bytes, black), 7), white), half);
    const u = chroma(cb + (i >> 1));
    const v = chroma(cr + (i >> 1));
    const blueness = i16x8.q15mulr_sat_s(u, ofBlue);
    const red = i16x8.add_sat_s(light, i16x8.q15mulr_sat_s(v, ofRed));
    const green = i16x8.sub_sat_s(
      i16x8.sub_sat_s(light, i16x8.q15mulr_sat_s(u, ofGreenCb)),
      i16x8.q15mulr_sat_s(v, ofGreenCr),
    );
    const blue = i16x8.add_sat_s(i16x8.add_sat_s(light, blueness), blueness);
    const first = i8x16.narrow_i16x8_u(i16x8.shr_s(red, 6), i16x8.shr_s(green, 6));
    const last = i8x16.narrow_i16x8_u(i16x8.shr_s(blue, 6), i16x8.shr_s(blue, 6));
    v128.store(target, i8x16.shuffle(first, last, 0, 8, 16, 1, 9, 17, 2, 10, 18, 3, 11, 19, 4, 12, 20, 5));
    v128.store64_lane(target, i8x16.shuffle(first, last, 13, 21, 6, 14, 22, 7, 15, 23, 0, 0, 0, 0, 0, 0, 0, 0), 0, 16);
  }
}
