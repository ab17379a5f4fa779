/** Two variants' frames against each other. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { landmarkDistance } from '../metrics/landmark-distance.ts';
import { type Box, cutBox } from '../metrics/picture.ts';
import { largestDifference, meanSquaredError, psnrOfError } from '../metrics/psnr.ts';
import { mean } from '../metrics/series.ts';
import { structuralSimilarity } from '../metrics/ssim.ts';
import type { FrameSpool } from './frame-spool.ts';
import type { Comparison, PictureAgreement } from './report.ts';

/** One side of a comparison. */
interface ComparedClip {
  readonly frames: FrameSpool;
  /** [468, 3] px by frame; undefined where no face was found. */
  readonly landmarks: readonly (Float64Array | undefined)[];
}

/** What pictures and landmarks say; times are added elsewhere. */
type PictureFindings = Pick<
  Comparison,
  'whole' | 'face' | 'frames' | 'landmarkDistance' | 'largestLevelDifference'
>;

interface Sums {
  error: number;
  ssim: number;
  msSsim: number;
  msSsimCount: number;
}

function agreement({ error, ssim, msSsim, msSsimCount }: Sums, count: number): PictureAgreement {
  return {
    psnr: psnrOfError(error / count),
    ssim: ssim / count,
    msSsim: msSsimCount === 0 ? null : msSsim / msSsimCount,
  };
}

/** Compares frame by frame, whole and inside the face's box. */
export async function comparePictures(
  of: ComparedClip,
  against: ComparedClip,
  box: Box,
  stop?: AbortSignal,
): Promise<PictureFindings> {
  const newSums = (): Sums => ({ error: 0, ssim: 0, msSsim: 0, msSsimCount: 0 });
  const [whole, face] = [newSums(), newSums()];
  const frames: Comparison['frames'][number][] = [];
  const distances: number[] = [];
  const count = Math.min(of.frames.count, against.frames.count);
  let largest = 0;
  for (let frame = 0; frame < count; frame++) {
    stop?.throwIfAborted();
    const [a, b] = [await of.frames.read(frame), await against.frames.read(frame)];
    const measure = (sums: Sums, [x, y]: [typeof a, typeof b]) => {
      const error = meanSquaredError(x, y);
      const { ssim, msSsim } = structuralSimilarity(x, y);
      sums.error += error;
      sums.ssim += ssim;
      if (msSsim !== undefined) {
        sums.msSsim += msSsim;
        sums.msSsimCount += 1;
      }
      return { psnr: psnrOfError(error), ssim, msSsim: msSsim ?? null };
    };
    const all = measure(whole, [a, b]);
    await nextTurn();
    const inFace = measure(face, [cutBox(a, box), cutBox(b, box)]);
    frames.push({ ...all, facePsnr: inFace.psnr, faceSsim: inFace.ssim });
    largest = Math.max(largest, largestDifference(a, b));
    const [found, expected] = [of.landmarks[frame], against.landmarks[frame]];
    if (found !== undefined && expected !== undefined) distances.push(landmarkDistance(expected, found));
    await nextTurn();
  }
  return {
    whole: agreement(whole, count),
    face: agreement(face, count),
    frames,
    landmarkDistance: mean(distances),
    largestLevelDifference: largest,
  };
}
