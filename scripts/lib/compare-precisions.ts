/** The same clip in float32 and in 8-bit integers: how far its pictures are apart, and how much each flickers. */
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { meanSquaredError, psnrOfError } from '../../src/metrics/psnr.ts';
import { mean } from '../../src/metrics/series.ts';
import { structuralSimilarity } from '../../src/metrics/ssim.ts';
import { FlickerMeter } from '../../src/metrics/temporal-change.ts';
import { markdownTable } from './markdown-table.ts';

/** Least SSIM of faces in integers, and the most that they may flicker, both against float32. */
export const GATE = { ssim: 0.99, flicker: 1.1 } as const;

/** Pictures in integers against the same in float32. */
export interface PrecisionDistance {
  readonly psnr: number;
  readonly worstPsnr: number;
  readonly ssim: number;
  readonly worstSsim: number;
  /** Mean absolute second difference in time, in levels. */
  readonly flicker: Flicker;
  /** That of the middle of the square, from brows to chin: hair and background are left out. */
  readonly inFace: Flicker;
}

interface Flicker {
  readonly float32: number;
  readonly int8: number;
  readonly ratio: number;
}

/** Part of the square on each side of which there is little but hair and background. */
const AROUND_FACE = 0.25;

/** Mean absolute second difference of whole pictures, or of what is `around` off their edges. */
function flickerOf(pictures: readonly RgbImage[], around: number): number {
  const { width, height } = pictures[0]!;
  const meter = new FlickerMeter({
    left: Math.round(around * width),
    top: Math.round(around * height),
    right: Math.round((1 - around) * width),
    bottom: Math.round((1 - around) * height),
  });
  for (const picture of pictures) meter.add(picture);
  return meter.result().inside;
}

/** Compares pictures of one clip, in their order. */
export function comparePrecisions(
  float32: readonly RgbImage[],
  int8: readonly RgbImage[],
): PrecisionDistance {
  const errors = int8.map((picture, i) => meanSquaredError(picture, float32[i]!));
  const ssims = int8.map((picture, i) => structuralSimilarity(picture, float32[i]!).ssim);
  const flicker = (around: number): Flicker => {
    const [before, after] = [flickerOf(float32, around), flickerOf(int8, around)];
    return { float32: before, int8: after, ratio: after / before };
  };
  return {
    psnr: psnrOfError(mean(errors)),
    worstPsnr: psnrOfError(Math.max(...errors)),
    ssim: mean(ssims),
    worstSsim: Math.min(...ssims),
    flicker: flicker(0),
    inFace: flicker(AROUND_FACE),
  };
}

/** What was measured of a person. */
export interface MeasuredPerson {
  readonly portrait: string;
  readonly speech: string;
  readonly frames: number;
  readonly distance: PrecisionDistance;
}

/** Whether {@link GATE} holds on average. */
export function keepsGate(people: readonly MeasuredPerson[]): boolean {
  return (
    mean(people.map(({ distance }) => distance.ssim)) >= GATE.ssim &&
    mean(people.map(({ distance }) => distance.flicker.ratio)) <= GATE.flicker &&
    mean(people.map(({ distance }) => distance.inFace.ratio)) <= GATE.flicker
  );
}

/** A row for each person, and one for all. */
export function peopleTable(people: readonly MeasuredPerson[]): string {
  const of = (read: (distance: PrecisionDistance) => number): number[] =>
    people.map(({ distance }) => read(distance));
  const row = (name: string, speech: string, frames: number, values: readonly number[]): string[] => {
    const digits = [1, 1, 4, 4, 3, 3, 3, 3];
    return [name, speech, String(frames), ...values.map((value, i) => value.toFixed(digits[i]))];
  };
  const reads: readonly ((distance: PrecisionDistance) => number)[] = [
    ({ psnr }) => psnr,
    ({ worstPsnr }) => worstPsnr,
    ({ ssim }) => ssim,
    ({ worstSsim }) => worstSsim,
    ({ flicker }) => flicker.float32,
    ({ flicker }) => flicker.int8,
    ({ flicker }) => flicker.ratio,
    ({ inFace }) => inFace.ratio,
  ];
  return markdownTable(
    [
      'portrait',
      'speech',
      'frames',
      'PSNR, dB',
      'worst frame',
      'SSIM',
      'worst frame',
      'flicker in float32',
      'in int8',
      'ratio',
      'in the face',
    ],
    [
      ...people.map(({ portrait, speech, frames, distance }) =>
        row(
          portrait,
          speech,
          frames,
          reads.map((read) => read(distance)),
        ),
      ),
      row(
        'all',
        '',
        people.reduce((sum, { frames }) => sum + frames, 0),
        reads.map((read, i) => (i === 1 || i === 3 ? Math.min(...of(read)) : mean(of(read)))),
      ),
    ],
  );
}
