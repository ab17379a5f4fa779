/** The frames that a page shows side by side, with their differences. */
import { encodeImage } from '../image/encode-image.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { type Box, cutBox } from '../metrics/picture.ts';
import type { FrameSpool } from './frame-spool.ts';
import type { FrameStrip } from './page/report-page.ts';
import type { Comparison } from './report.ts';

/** Frames that differ most, and frames spread over the clip. */
const WORST = 3;
const SPREAD = 3;
/** Frames that are shown lie apart by at least this share of the clip. */
const MIN_DISTANCE = 0.04;
const AMPLIFICATIONS: readonly number[] = [16, 8, 4, 2, 1];
/** Share of samples that an amplified difference may push to black or white. */
const CLIPPED = 0.002;
const QUALITY = 88;

/** Frames to show, in order: the least alike of `psnr` first, then some evenly spread. */
export function chooseFrames(psnr: readonly number[]): number[] {
  const chosen: number[] = [];
  const distance = Math.max(1, Math.round(psnr.length * MIN_DISTANCE));
  const take = (frame: number): void => {
    if (chosen.every((other) => Math.abs(other - frame) >= distance)) chosen.push(frame);
  };
  const worst = psnr.map((_, frame) => frame).sort((a, b) => psnr[a]! - psnr[b]!);
  for (const frame of worst) if (chosen.length < WORST) take(frame);
  for (let i = 0; i < SPREAD; i++) take(Math.floor(((i + 0.5) * psnr.length) / SPREAD));
  return chosen.sort((a, b) => a - b);
}

/** The largest factor at which hardly any difference is cut off. */
export function chooseAmplification(pairs: readonly (readonly [RgbImage, RgbImage])[]): number {
  const counts = new Uint32Array(256);
  let total = 0;
  for (const [a, b] of pairs) {
    for (let i = 0; i < a.data.length; i++) counts[Math.abs(a.data[i]! - b.data[i]!)]!++;
    total += a.data.length;
  }
  const cutOff = (factor: number): number => {
    const limit = Math.floor(127 / factor);
    return counts.subarray(limit + 1).reduce((sum, value) => sum + value, 0);
  };
  return AMPLIFICATIONS.find((factor) => cutOff(factor) <= CLIPPED * total) ?? 1;
}

/** `of − against`, times `factor`, around middle grey. */
export function differencePicture(of: RgbImage, against: RgbImage, factor: number): RgbImage {
  // A byte array would wrap around.
  const data = Uint8ClampedArray.from(of.data, (value, i) => 128 + factor * (value - against.data[i]!));
  return { ...of, data: new Uint8Array(data.buffer) };
}

/** Draws the face's box of the frames that differ most. */
export async function drawStrip(
  { of, against, frames }: Comparison,
  ofFrames: FrameSpool,
  againstFrames: FrameSpool,
  face: Box,
): Promise<FrameStrip> {
  const chosen = chooseFrames(frames.map(({ facePsnr }) => facePsnr));
  const pairs = await Promise.all(
    chosen.map(
      async (frame) =>
        [cutBox(await ofFrames.read(frame), face), cutBox(await againstFrames.read(frame), face)] as const,
    ),
  );
  const amplification = chooseAmplification(pairs);
  const rows = await Promise.all(
    pairs.map(async ([a, b], i) => ({
      frame: chosen[i]!,
      of: await encodeImage(a, 'jpeg', QUALITY),
      against: await encodeImage(b, 'jpeg', QUALITY),
      difference: await encodeImage(differencePicture(a, b, amplification), 'jpeg', QUALITY),
    })),
  );
  return { of, against, amplification, rows };
}
