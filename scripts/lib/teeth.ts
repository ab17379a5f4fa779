/** What a face shows of its upper teeth, in the skull's own axes, so that it can be compared from frame to frame. */
import { applyAffine, fitAffine } from '../../src/face/affine.ts';
import { SKULL } from '../../src/face/face-rings.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { sampleColour } from '../../src/image/sample-colour.ts';

/** Outer corners of the eyes: 8.9 cm apart in the canonical face. */
const [RIGHT_EYE, LEFT_EYE] = [33, 263] as const;
const EYE_DISTANCE = 8.9;
const [UPPER_LIP, LOWER_LIP] = [13, 14] as const;
/** Places to both sides of the middle, in cm, and their distance; incisors and canines are within. */
const HALF_WIDTH = 1.6;
const STEP = 0.05;
/** Rows below the upper lip's edge over which a column is averaged, in cm. */
const ROWS = [0.08, 0.12, 0.16, 0.2, 0.24] as const;
/** The strip shows teeth to its end if its last row, this far to both sides in cm, has this share of its brightest row's light. */
const INCISORS = 0.8;
const SHOWN = 0.6;
/** What is wider than this, in cm, is light and shade, not teeth. */
const SHADE = 0.9;
/** A tooth is brighter than the gaps next to it by this share of the row's mean light. */
const LEAST_GAP = 0.03;

/** One frame's upper teeth. */
export interface Teeth {
  /** Opening of the inner lips, in cm. */
  readonly opening: number;
  /** Mean light of each column, 0 to 255, from the person's right to left. */
  readonly columns: readonly number[];
  /** Whether the lip leaves teeth uncovered over the whole strip: beneath their edges it shows the dark of the mouth. */
  readonly shown: boolean;
}

/**
 * The teeth of a frame.
 *
 * @param landmarks - [468, 2] px of the frame.
 * @param rest - [468, 2] px of the frame whose skull gives the axes.
 */
export function teethOf(image: RgbImage, landmarks: ArrayLike<number>, rest: ArrayLike<number>): Teeth {
  // From the axes of the frame at rest, where the mouth's middle and a centimetre are, to this one.
  const toFrame = fitAffine(rest, landmarks, SKULL);
  const [dx, dy] = [0, 1].map(
    (axis) => (rest[2 * LEFT_EYE + axis]! - rest[2 * RIGHT_EYE + axis]!) / EYE_DISTANCE,
  );
  const [ux, uy] = [dx!, dy!];
  const [vx, vy] = [-uy, ux];
  const centimetre = Math.hypot(ux, uy);
  const toRest = fitAffine(landmarks, rest, SKULL);
  const place = (point: number): readonly [number, number] => {
    const [x, y] = applyAffine(toRest, landmarks[2 * point]!, landmarks[2 * point + 1]!);
    const [px, py] = [x - rest[2 * UPPER_LIP]!, y - rest[2 * UPPER_LIP + 1]!];
    return [(px * ux + py * uy) / centimetre ** 2, (px * vx + py * vy) / centimetre ** 2];
  };
  const [, lip] = place(UPPER_LIP);
  const [, chin] = place(LOWER_LIP);
  const colour = [0, 0, 0];
  const columns: number[] = [];
  const rows = ROWS.map(() => 0);
  for (let u = -HALF_WIDTH; u <= HALF_WIDTH + 1e-9; u += STEP) {
    let sum = 0;
    for (const [i, row] of ROWS.entries()) {
      const v = lip + row;
      const x = rest[2 * UPPER_LIP]! + u * ux + v * vx;
      const y = rest[2 * UPPER_LIP + 1]! + u * uy + v * vy;
      sampleColour(image, ...applyAffine(toFrame, x, y), colour);
      const light = 0.299 * colour[0]! + 0.587 * colour[1]! + 0.114 * colour[2]!;
      sum += light / ROWS.length;
      if (Math.abs(u) <= INCISORS) rows[i]! += light;
    }
    columns.push(sum);
  }
  return { opening: chin - lip, columns, shown: rows.at(-1)! >= SHOWN * Math.max(...rows) };
}

/** The columns without light and shade: teeth above 0, the gaps between them below. */
function pattern(columns: readonly number[]): number[] {
  const half = Math.round(SHADE / STEP / 2);
  return columns.map((level, i) => {
    const part = columns.slice(Math.max(0, i - half), i + half + 1);
    return level - part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

/** How many teeth stand out: bright places with gaps between them. */
export function countTeeth({ columns }: Teeth): number {
  const least = (LEAST_GAP * columns.reduce((sum, level) => sum + level, 0)) / columns.length;
  let [count, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let rising = true;
  for (const level of columns) {
    if (rising) {
      high = Math.max(high, level);
      if (high - level > least) {
        count++;
        [rising, low] = [false, level];
      }
    } else {
      low = Math.min(low, level);
      if (level - low > least) [rising, high] = [true, level];
    }
  }
  return rising ? count + 1 : count;
}

/** How far the teeth of `after` stand to the side of those of `before`, in mm, up to 2: where their patterns are most alike. */
export function teethShift(before: Teeth, after: Teeth): number {
  const [a, b] = [pattern(before.columns), pattern(after.columns)];
  const reach = Math.round(0.2 / STEP);
  const likeness = (shift: number): number => {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = reach; i < a.length - reach; i++) {
      const [p, q] = [a[i]!, b[i + shift]!];
      ab += p * q;
      aa += p * p;
      bb += q * q;
    }
    return ab / Math.sqrt(aa * bb + 1e-9);
  };
  let best = 0;
  for (let shift = -reach; shift <= reach; shift++) if (likeness(shift) > likeness(best)) best = shift;
  if (Math.abs(best) === reach) return 10 * STEP * best;
  const [left, middle, right] = [likeness(best - 1), likeness(best), likeness(best + 1)];
  const bend = left - 2 * middle + right;
  return 10 * STEP * (best + (bend < 0 ? (left - right) / (2 * bend) : 0));
}

/** Mean light of the teeth, 0 to 255. */
export function lightOfTeeth({ columns }: Teeth): number {
  return columns.reduce((sum, level) => sum + level, 0) / columns.length;
}
